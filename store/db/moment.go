package db

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// Moment is a time in PostgreSQL's binary format: microseconds since 2000.
type Moment int64

// Never is the Moment of a missing date.
const Never Moment = math.MinInt64

// postgresEpoch is the epoch of timestamptz.
var postgresEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

func MomentOf(t time.Time) Moment { return Moment(t.UnixMicro() - postgresEpoch) }

func (m Moment) Time() time.Time { return time.UnixMicro(int64(m) + postgresEpoch).UTC() }

// SQLMoment returns a time as an SQL literal.
func SQLMoment(t time.Time) string {
	return fmt.Sprintf("'%s'::timestamptz", t.UTC().Format("2006-01-02 15:04:05.999999Z07:00"))
}

// Timestamp returns a time as a pgtype.Timestamptz.
func Timestamp(at time.Time) pgtype.Timestamptz { return pgtype.Timestamptz{Time: at, Valid: true} }

// Undated is the time of signals without a date.
var Undated = pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}

func CompareTimes(a, b pgtype.Timestamptz) int {
	return cmp.Or(cmp.Compare(a.InfinityModifier, b.InfinityModifier), a.Time.Compare(b.Time))
}
