package counters

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/scoring"
	"treewarden/store/db"
)

// faultsShown is the maximum number of faults that Verify returns.
const faultsShown = 100

// counterFault is a row of user_signals that differs from the recount. stored or
// actual is nil if there is no such row.
type counterFault struct {
	user           uuid.UUID
	grain          int16
	at             db.Moment
	stored, actual *scoring.Counters
}

// compare calls differs for each row of user_signals that differs from the
// recount, from hoursFrom or daysFrom on.
func (r *recount) compare(ctx context.Context, c db.Conn, hoursFrom, daysFrom db.Moment,
	differs func(counterFault)) error {
	seen := map[span]bool{}
	unseen := make([]bool, len(r.ids)) // totals
	for i := range unseen {
		unseen[i] = r.totals[i] != scoring.Counters{}
	}
	kept := func(grain int16, at db.Moment) bool {
		return grain == Total || grain == ByHour && at >= hoursFrom || grain == ByDay && at >= daysFrom
	}
	var stored scoring.Counters
	if err := db.EachRaw(ctx, c, storedSQL, func(raw [][]byte) {
		user, grain, at := uuid.UUID(raw[0]), int16(raw[1][1]), db.ReadMoment(raw[2])
		if !kept(grain, at) {
			return
		}
		readCounters(raw[3:], &stored)
		actual := &scoring.Counters{}
		if author, known := r.authors[user]; known {
			if grain == Total {
				actual, unseen[author] = &r.totals[author], false
			} else if t := r.spans[int(author)%shards].counts[span{author, grain, at}]; t != nil {
				actual = t
				seen[span{author, grain, at}] = true
			}
		}
		if stored != *actual {
			differs(counterFault{user, grain, at, new(stored), actual})
		}
	}); err != nil {
		return err
	}
	for author, missing := range unseen {
		if missing {
			differs(counterFault{r.ids[author], Total, db.Never, nil, &r.totals[author]})
		}
	}
	for i := range r.spans {
		for key, t := range r.spans[i].counts {
			if !seen[key] && *t != (scoring.Counters{}) && kept(key.grain, key.at) {
				differs(counterFault{r.ids[key.author], key.grain, key.at, nil, t})
			}
		}
	}
	return nil
}

var storedSQL = "SELECT user_id, grain, at, " + strings.Join(scoring.Columns, ", ") + " FROM user_signals"

// readCounters reads counters in PostgreSQL's binary format; null is 0.
func readCounters(raw [][]byte, t *scoring.Counters) {
	for i := range t {
		t[i] = 0
		if raw[i] != nil {
			t[i] = db.ReadInt8(raw[i])
		}
	}
}

// languages returns the number of messages by author and language.
func (r *recount) languages() map[userLanguage]int64 {
	names := make([]string, len(r.langs))
	for name, at := range r.langs {
		names[at] = name
	}
	counts := make(map[userLanguage]int64, len(r.languageCounts))
	for key, n := range r.languageCounts {
		counts[userLanguage{r.ids[key.author], names[key.lang]}] = n
	}
	return counts
}

// compareLanguages calls differs for each row of user_languages that differs.
func (r *recount) compareLanguages(ctx context.Context, c db.Conn,
	differs func(key userLanguage, stored, actual int64)) error {
	counted := r.languages()
	if err := db.EachRaw(ctx, c, "SELECT user_id, lang, messages FROM user_languages", func(raw [][]byte) {
		key := userLanguage{uuid.UUID(raw[0]), string(raw[1])}
		if stored, actual := db.ReadInt8(raw[2]), counted[key]; stored != actual {
			differs(key, stored, actual)
		}
		delete(counted, key)
	}); err != nil {
		return err
	}
	for key, n := range counted {
		differs(key, 0, n)
	}
	return nil
}

// Fault is a counter that differs from the base tables.
type Fault struct {
	UserID uuid.UUID  `json:"user_id"`
	Grain  string     `json:"grain"` // total, day or hour
	At     *time.Time `json:"at"`    // null for totals
	Column string     `json:"column"`
	Stored int64      `json:"stored"`
	Actual int64      `json:"actual"`
}

var grainNames = []string{Total: "total", ByDay: "day", ByHour: "hour"}

// faults returns a Fault for each column that differs.
func (f counterFault) faults() []Fault {
	var found []Fault
	for i, column := range scoring.Columns {
		var stored, actual int64
		if f.stored != nil {
			stored = f.stored[i]
		}
		if f.actual != nil {
			actual = f.actual[i]
		}
		if stored != actual {
			fault := Fault{UserID: f.user, Grain: grainNames[f.grain], Column: column, Stored: stored, Actual: actual}
			if f.at != db.Never {
				fault.At = new(f.at.Time())
			}
			found = append(found, fault)
		}
	}
	return found
}

// Verify recounts everything in one snapshot and returns up to 100 stored
// counters that differ. It ignores hours and days that no window includes any
// more.
func Verify(ctx context.Context, pool *pgxpool.Pool, now time.Time) ([]Fault, error) {
	found := []Fault{}
	since := func(window scoring.Window) db.Moment {
		at, _ := window.Since(now)
		return db.MomentOf(at)
	}
	err := db.InOneSnapshot(ctx, pool, "", func(tx pgx.Tx, conns []db.Conn) error {
		rule, err := readRule(ctx, tx)
		if err != nil {
			return err
		}
		r, err := recountOn(ctx, conns, now, rule)
		if err != nil {
			return err
		}
		if err := r.compare(ctx, tx, since(scoring.Day), since(scoring.Month), func(f counterFault) {
			if len(found) < faultsShown {
				found = append(found, f.faults()...)
			}
		}); err != nil {
			return err
		}
		return r.compareLanguages(ctx, tx, func(key userLanguage, stored, actual int64) {
			if len(found) < faultsShown {
				found = append(found, Fault{
					UserID: key.user, Grain: "total", Column: "messages in " + key.lang, Stored: stored, Actual: actual,
				})
			}
		})
	})
	slices.SortStableFunc(found, func(a, b Fault) int {
		return cmp.Or(bytes.Compare(a.UserID[:], b.UserID[:]), strings.Compare(a.Grain, b.Grain),
			strings.Compare(a.Column, b.Column))
	})
	return found[:min(len(found), faultsShown)], err
}

// store makes the stored counters equal to the recount, within a transaction that
// holds the lock. Rows that are right are not written.
func (r *recount) store(ctx context.Context, tx pgx.Tx) error {
	var gone, put db.CopyRows
	gone.Reset()
	put.Reset()
	if err := r.compare(ctx, tx, db.Never, db.Never, func(f counterFault) {
		if f.stored != nil {
			gone.Row(3)
			gone.UUID(f.user)
			gone.Int16(f.grain)
			gone.Moment(f.at)
		}
		if f.actual != nil && *f.actual != (scoring.Counters{}) {
			put.Row(3 + len(scoring.Columns))
			put.UUID(f.user)
			put.Int16(f.grain)
			put.Moment(f.at)
			put.Counts(f.actual[:])
		}
	}); err != nil {
		return err
	}
	if gone.Rows > 0 {
		if _, err := tx.Exec(ctx, `CREATE TEMPORARY TABLE wrong_signals
			(user_id uuid, grain smallint, at timestamptz) ON COMMIT DROP`); err != nil {
			return err
		}
		if err := gone.Send(ctx, tx, "wrong_signals", "user_id, grain, at"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "ANALYZE wrong_signals"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM user_signals s USING wrong_signals w
			WHERE (w.user_id, w.grain, w.at) = (s.user_id, s.grain, s.at)`); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DROP TABLE wrong_signals"); err != nil {
			return err
		}
	}
	if err := put.Send(ctx, tx, "user_signals", "user_id, grain, at, "+strings.Join(scoring.Columns, ", ")); err != nil {
		return err
	}
	return r.storeLanguages(ctx, tx)
}

func (r *recount) storeLanguages(ctx context.Context, tx pgx.Tx) error {
	var users []uuid.UUID
	var langs []string
	var counts []int64
	if err := r.compareLanguages(ctx, tx, func(key userLanguage, _, actual int64) {
		users, langs, counts = append(users, key.user), append(langs, key.lang), append(counts, actual)
	}); err != nil {
		return err
	}
	if len(users) == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, `INSERT INTO user_languages (user_id, lang, messages)
		SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[])
		ON CONFLICT (user_id, lang) DO UPDATE SET messages =
			excluded.messages`, db.IDArray(users), langs, counts); err != nil {
		return fmt.Errorf("store languages: %w", err)
	}
	return nil
}
