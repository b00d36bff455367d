package store

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrUnavailable says that the database cannot be reached now.
var ErrUnavailable = errors.New("the database does not answer")

// badText are the codes of text that is no value of its type: a cursor that was
// tampered with, a number or date out of range, a time zone that is none.
var badText = []string{"22P02", "22003", "22007", "22008", "22021", "22023", "22P05"}

// readError gives errors of the driver the kinds that callers know.
func readError(err error) error {
	var pg *pgconn.PgError
	var connect *pgconn.ConnectError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		return ErrNotFound
	case errors.As(err, &pg):
		switch {
		case slices.Contains(badText, pg.Code):
			return Malformed("A value in the request cannot be read. Leave out the cursor, or check the dates.")
		case strings.HasPrefix(pg.Code, "57P") || pg.Code == "53300":
			return errors.Join(ErrUnavailable, err)
		}
		return err
	case errors.As(err, &connect):
		return errors.Join(ErrUnavailable, err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return err
	case pgconn.SafeToRetry(err), strings.Contains(err.Error(), "conn closed"), strings.Contains(err.Error(), "unexpected EOF"),
		strings.Contains(err.Error(), "connection reset"):
		return errors.Join(ErrUnavailable, err)
	}
	return err
}
