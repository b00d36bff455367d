package db

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrUnavailable means that the database cannot be reached now.
var ErrUnavailable = errors.New("the database does not answer")

// badText holds the codes of invalid input: a changed cursor, a number or date
// out of range, an unknown time zone.
var badText = []string{
	pgerrcode.InvalidTextRepresentation, pgerrcode.NumericValueOutOfRange, pgerrcode.InvalidDatetimeFormat,
	pgerrcode.DatetimeFieldOverflow, pgerrcode.CharacterNotInRepertoire, pgerrcode.InvalidParameterValue,
	pgerrcode.UntranslatableCharacter, pgerrcode.InvalidTimeZoneDisplacementValue,
}

// Translate translates errors of the driver to the errors of this package.
func Translate(err error) error {
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
		case pgerrcode.IsOperatorIntervention(pg.Code) && pg.Code != pgerrcode.QueryCanceled:
			return errors.Join(ErrUnavailable, err)
		case pg.Code == pgerrcode.LockNotAvailable, pg.Code == pgerrcode.TooManyConnections:
			return errors.Join(ErrBusy, err)
		case errors.As(err, &connect): // the server accepts no connection
			return errors.Join(ErrUnavailable, err)
		}
		return err
	case errors.As(err, &connect):
		return errors.Join(ErrUnavailable, err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return err
	case pgconn.SafeToRetry(err), strings.Contains(err.Error(), "conn closed"),
		strings.Contains(err.Error(), "unexpected EOF"),
		strings.Contains(err.Error(), "connection reset"):
		return errors.Join(ErrUnavailable, err)
	}
	return err
}

// IsBusy reports whether an error means that others hold what is needed, so that
// another try in a moment can succeed.
func IsBusy(err error) bool { return errors.Is(Translate(err), ErrBusy) }

// IsUnavailable reports whether an error means that the database cannot be reached.
func IsUnavailable(err error) bool { return errors.Is(Translate(err), ErrUnavailable) }

// IsRefused reports whether the server itself refused a statement. After an error of
// another kind, such as a lost connection, the statement may have been done.
func IsRefused(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && !pgerrcode.IsOperatorIntervention(pg.Code)
}

// Taken translates a unique violation to an Invalid of a field.
func Taken(err error, field, why string) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == pgerrcode.UniqueViolation {
		return Invalid{field: why}
	}
	return err
}

// IsLocked reports whether a statement gave up waiting for a lock.
func IsLocked(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == pgerrcode.LockNotAvailable
}
