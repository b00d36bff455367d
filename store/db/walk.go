package db

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Walk looks for rows in their order, where the program itself must look at each
// candidate to tell whether it is one.
type Walk struct {
	// Candidates finds the rows to look at. Its columns are texts, none of them null, which
	// Fits gets.
	Candidates Query
	Narrow     *Narrow // nil if there is no index that helps
	// All finds at least the same rows, by conditions that cost little. Its columns do
	// not matter.
	All   Query
	Order Order
	Most  int // rows to find
	Fits  func(texts []string) bool
	// Limit is the time after which the walk is cut. It looks at some rows at least.
	Limit time.Duration
	// Least is the least time for its first rows; 0 stands for leastTime. A walk that
	// sets it may be cut before it has a place to go on from.
	Least time.Duration

	from    []string // the place to begin after; nil for the beginning
	back    bool
	started time.Time
	saved   bool          // there is a savepoint
	limit   time.Duration // of the last query
	looked  int
	found   [][]string // the keys
	last    []string   // the place up to which it has looked; nil for none
}

// The sizes of the steps of a walk, in rows: the first step is small, for what is
// found soon, and later ones grow.
const (
	firstStep  = 100
	firstRange = 500
	largest    = 16_000
)

// brief is the time limit of a query of a walk below which it is reset at once. pgx prepares
// the statements of a batch before it runs the first of them, so that a limit which the
// first one resets holds while the others are prepared.
const brief = 100 * time.Millisecond

// leastTime is the least time that a walk has for its first rows, if it sets none.
const leastTime = time.Second

// errCut ends a walk whose time is over.
var errCut = errors.New("the time of the walk is over")

// Run walks in a snapshot until there are enough rows, there are no more
// candidates, or the time is over. It returns the keys of the rows in the order of the
// walk, and whether it was cut.
func (w *Walk) Run(ctx context.Context, s *Snapshot) (keys [][]string, cut bool, err error) {
	w.started = time.Now()
	err = w.run(ctx, s)
	if cut = errors.Is(err, errCut); cut {
		err = nil
	}
	if w.saved && err == nil {
		const reset = "ROLLBACK TO SAVEPOINT walk" // resets what timed sets
		if s.Before(reset); w.limit < brief {
			err = s.flush(ctx)
		}
		s.Before("RELEASE SAVEPOINT walk")
	}
	return w.found, cut, Translate(err)
}

func (w *Walk) run(ctx context.Context, s *Snapshot) error {
	if w.Narrow != nil && w.Narrow.Near > 0 {
		if err := w.near(ctx, s); err != nil || len(w.found) >= w.Most {
			return err
		}
	}
	if err := w.ready(ctx, s); err != nil {
		return err
	}
	size := max(w.Most, firstStep)
	var periods []Period // those that are left
	if n := w.Narrow; n != nil {
		if n.Step > 0 {
			size = n.Step
		}
		if n.Periods != nil && !w.back {
			periods = n.Periods(w.place())
		}
	}
	for ; ; size = min(4*size, largest) {
		at := w.place()
		period := Period{}
		if len(periods) > 0 {
			period = periods[0]
		}
		looked, err := w.step(ctx, s, at, period, size)
		switch {
		case isTimeout(err) && ctx.Err() == nil && w.last == nil && w.Least == 0: // there must be a place to go on from
			return w.ranges(ctx, s, at)
		case isTimeout(err) && ctx.Err() == nil:
			return errCut
		case err != nil || len(w.found) >= w.Most || looked < size && period.To == nil:
			return err
		case looked < size:
			w.last, periods = period.To, periods[1:]
		}
		if w.left() <= 0 && (w.looked >= firstStep || period.To != nil) {
			return errCut
		}
	}
}

// place returns the place after which the walk goes on; nil for the beginning.
func (w *Walk) place() []string {
	if w.last != nil {
		return w.last
	}
	return w.from
}

// near looks at the nearest rows without the index, unless that takes too long. It reads them
// in their order whatever the values are, so that one plan serves all.
func (w *Walk) near(ctx context.Context, s *Snapshot) error {
	sql, args := w.nearest()
	_, err := w.look(ctx, s, min(w.timeFor(), w.Narrow.First), onePlan, sql, args)
	if isTimeout(err) && ctx.Err() == nil {
		return nil
	}
	return err
}

// ready leaves the index out of the walk if it has not all rows.
func (w *Walk) ready(ctx context.Context, s *Snapshot) error {
	if w.Narrow == nil || w.Narrow.Ready == nil {
		return nil
	}
	ready, err := w.Narrow.Ready(ctx, s)
	if err == nil && !ready {
		w.Narrow = nil
	}
	return err
}

// ranges walks over all rows from one place to the next, and looks at the candidates
// between them. So it gets on even if there are none for long.
func (w *Walk) ranges(ctx context.Context, s *Snapshot, at []string) error {
	for size := firstRange; ; size = min(2*size, largest) {
		if size > firstRange && w.left() <= 0 {
			return errCut
		}
		to, err := w.placeAfter(ctx, s, at, size)
		if err == nil {
			_, err = w.step(ctx, s, at, Period{To: to}, 0)
		}
		switch {
		case isTimeout(err) && ctx.Err() == nil && w.last == nil:
			return context.DeadlineExceeded
		case isTimeout(err) && ctx.Err() == nil:
			return errCut
		case err != nil || len(w.found) >= w.Most || to == nil:
			return err
		}
		at, w.last = to, to
	}
}

func (w *Walk) left() time.Duration { return w.Limit - time.Since(w.started) }

// The plans of a query: one for all values, which is made once on each connection, or
// its own each time, even when it is prepared. One plan for all would be the same for words
// that every text has and for words that none has.
const (
	onePlan  = "force_generic_plan"
	ownPlans = "force_custom_plan"
)

// timed runs a query within a time.
func (w *Walk) timed(
	ctx context.Context, s *Snapshot, limit time.Duration, plans, sql string, args []any, read func(pgx.Rows) error,
) error {
	w.limit = limit
	batch := &pgx.Batch{}
	if w.saved {
		batch.Queue("RELEASE SAVEPOINT walk")
	}
	batch.Queue("SAVEPOINT walk")
	batch.Queue(`SELECT set_config('statement_timeout', $1, true),
		set_config('plan_cache_mode', $2, true)`, fmt.Sprint(max(1, limit.Milliseconds())), plans)
	batch.Queue(sql, args...)
	results := s.SendBatch(ctx, batch)
	err := func() error {
		for range batch.Len() - 1 {
			if _, err := results.Exec(); err != nil {
				return err
			}
		}
		w.saved = true
		rows, err := results.Query()
		if err != nil {
			return err
		}
		defer rows.Close()
		if err := read(rows); err != nil {
			return err
		}
		rows.Close()
		return rows.Err()
	}()
	err = cmp.Or(err, results.Close())
	if w.saved && (isTimeout(err) || errors.Is(err, errCut)) {
		// At once: pgx prepares the statements of a batch before it runs the first of them.
		_, also := s.Exec(ctx, "ROLLBACK TO SAVEPOINT walk")
		err = errors.Join(err, also)
	}
	return err
}

// timeFor returns the time that the next query of the walk has.
func (w *Walk) timeFor() time.Duration {
	if w.looked < firstStep {
		return max(w.left()*2/3, cmp.Or(w.Least, leastTime))
	}
	return w.left()
}

// placeAfter returns the place of the row that is n rows after another place; nil if
// there are less.
func (w *Walk) placeAfter(ctx context.Context, s *Snapshot, at []string, n int) (place []string, err error) {
	q, desc := w.All.clone(), w.Order.Desc != w.back
	q.Columns = w.Order.key()
	if at != nil {
		q.beyond(w.Order, at, desc, false)
	}
	sql := fmt.Sprintf("%s ORDER BY %s OFFSET %d LIMIT 1", q.sql(), w.Order.by(desc), n-1)
	return place, w.timed(ctx, s, w.timeFor(), ownPlans, sql, q.args, func(rows pgx.Rows) error {
		if rows.Next() {
			return rows.Scan(&place)
		}
		return nil
	})
}

// step looks at the candidates after a place in a period, whose end may be nil, and at
// most a number of them (0 for all). It returns how many it looked at.
func (w *Walk) step(ctx context.Context, s *Snapshot, at []string, period Period, most int) (looked int, err error) {
	sql, args := w.candidates(at, period, most)
	return w.look(ctx, s, w.timeFor(), ownPlans, sql, args)
}

// look looks at the candidates that a query finds within a time, and returns how many.
func (w *Walk) look(
	ctx context.Context, s *Snapshot, limit time.Duration, plans, sql string, args []any,
) (looked int, err error) {
	err = w.timed(ctx, s, limit, plans, sql, args, func(rows pgx.Rows) error {
		for rows.Next() {
			key, texts, err := w.row(rows)
			if err != nil {
				return err
			}
			looked++
			w.looked++
			w.last = key
			if texts != nil && w.Fits(texts) {
				if w.found = append(w.found, key); len(w.found) >= w.Most {
					return nil
				}
			}
			if w.left() <= 0 && looked >= firstStep {
				return errCut
			}
		}
		return nil
	})
	if isTimeout(err) && len(w.found) >= w.Most {
		err = nil // it was over after the last row that was wanted
	}
	return looked, err
}

// row reads the place of a row and its texts; nil for a row of the index that is no candidate.
func (w *Walk) row(rows pgx.Rows) (key, texts []string, err error) {
	values := make([]*string, len(rows.FieldDescriptions()))
	into := make([]any, len(values))
	for i := range values {
		into[i] = &values[i]
	}
	if err := rows.Scan(into...); err != nil {
		return nil, nil, err
	}
	all := make([]string, len(values))
	for i, v := range values {
		if v == nil {
			return all[:i:i], nil, nil
		}
		all[i] = *v
	}
	n := len(w.Order.Keys)
	return all[:n:n], all[n:], nil
}

// Estimate returns the number of rows that PostgreSQL expects of a query.
func Estimate(ctx context.Context, c Conn, q Query) (int, error) {
	var plans []struct {
		Plan struct {
			Rows float64 `json:"Plan Rows"`
		}
	}
	if err := c.QueryRow(ctx, "EXPLAIN (FORMAT json) "+q.sql(), planned(q.args)...).Scan(&plans); err != nil {
		return 0, Translate(err)
	}
	if len(plans) != 1 {
		return 0, errors.New("the plan of a query cannot be read")
	}
	return int(plans[0].Plan.Rows), nil
}

// planned adds to the arguments of a statement that it is planned with their values
// each time. The plan of a prepared statement would be the same for words that
// every text has and for words that none has.
func planned(args []any) []any { return append([]any{pgx.QueryExecModeDescribeExec}, args...) }

func isTimeout(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == pgerrcode.QueryCanceled
}

// FetchWalked reads one page of a walk: the keys of its rows in the order of the list,
// and the cursors. The cursors are bound to the candidates' conditions and to what
// else the rows depend on.
func FetchWalked(ctx context.Context, s *Snapshot, w Walk, p Page, bound ...any) (List[[]string], error) {
	var page List[[]string]
	limit, err := p.Size()
	if err != nil {
		return page, err
	}
	o := w.Candidates.bound(w.Order).Bound(bound...)
	if p.Cursor != "" {
		at, err := ParseCursor(p.Cursor, o)
		if err != nil {
			return page, err
		}
		w.from, w.back = at.Keys, at.Back
	}
	w.Most = limit + 1
	_, page.Cut, err = w.Run(ctx, s)
	if err != nil {
		return page, err
	}
	more := len(w.found) > limit
	if page.Cut && len(w.found) == limit { // it was only to be known whether there are more
		more, page.Cut = true, false
	}
	page.Items = w.found[:min(len(w.found), limit)]
	if w.back {
		slices.Reverse(page.Items)
	}
	link := func(key []string, back bool) *string {
		text := Cursor{o.Name, key, back}.String()
		return &text
	}
	first, last := w.last, w.last // of a page without rows: where it ended
	if first == nil {
		first, last = w.from, w.from
	}
	if n := len(page.Items); n > 0 {
		first, last = page.Items[0], page.Items[n-1]
	}
	ahead, behind := &page.Next, &page.Prev
	aheadOf, behindOf := last, first
	if w.back {
		ahead, behind, aheadOf, behindOf = behind, ahead, first, last
	}
	if more {
		*ahead = link(aheadOf, w.back)
	} else if page.Cut {
		*ahead = link(w.last, w.back)
	}
	if p.Cursor != "" {
		*behind = link(behindOf, !w.back)
	}
	return page, nil
}
