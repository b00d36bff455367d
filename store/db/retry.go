package db

import (
	"context"
	"errors"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"
)

// maxTries bounds how often a transaction is begun again because somebody else
// changed the same rows at the same time.
const maxTries = 5

// ErrBeginAgain is wrapped by errors after which a transaction begins again,
// however often: each time, somebody else's change has come through.
var ErrBeginAgain = errors.New("the transaction is to begin again")

// Retry runs a transaction until it comes through, or fails for another reason
// than what somebody else wrote at the same time. It returns the last error.
func Retry(ctx context.Context, attempt func() error) error {
	for try := 1; ; {
		err := attempt()
		switch {
		case err == nil || ctx.Err() != nil:
			return err
		case errors.Is(err, ErrBeginAgain):
		case !isRetryable(err) || try == maxTries:
			return err
		default:
			try++
		}
	}
}

// isRetryable says whether an error comes of other people's writing only.
func isRetryable(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code {
	case pgerrcode.UniqueViolation, pgerrcode.SerializationFailure, pgerrcode.DeadlockDetected:
		return true
	}
	return false
}
