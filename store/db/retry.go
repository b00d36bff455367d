package db

import (
	"context"
	"errors"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"
)

// maxTries limits how often a transaction is retried after a conflict with
// concurrent writes.
const maxTries = 5

// ErrBeginAgain is wrapped by errors after which a transaction is retried without
// limit: each retry means that another transaction has committed.
var ErrBeginAgain = errors.New("the transaction is to begin again")

// Retry runs a transaction until it succeeds or fails for a reason other than
// concurrent writes. It returns the last error.
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

// isRetryable reports whether an error is caused by concurrent writes.
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
