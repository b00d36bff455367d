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
	// Candidates finds the rows to look at. Its only column is an array of texts, which
	// Fits gets.
	Candidates Query
	// Narrow, if set, narrows the candidates by an index that has all rows that fit.
	// Before that, the walk takes the first Plain rows in their order and Sift adds the
	// condition: so many fit that a page of them is read sooner than their index.
	Narrow, Sift func(*Query)
	Plain        int
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

// leastTime is the least time that a walk has for its first rows, if it sets none.
const leastTime = time.Second

// errCut ends a walk whose time is over.
var errCut = errors.New("the time of the walk is over")

// Run walks in a transaction until there are enough rows, there are no more
// candidates, or the time is over. It returns the keys of the rows in the order of the
// walk, and whether it was cut.
func (w *Walk) Run(ctx context.Context, tx Conn) (keys [][]string, cut bool, err error) {
	w.started = time.Now()
	err = w.run(ctx, tx)
	if cut = errors.Is(err, errCut); cut {
		err = nil
	}
	return w.found, cut, Translate(err)
}

func (w *Walk) run(ctx context.Context, tx Conn) error {
	at := w.from
	if w.Narrow != nil && w.Plain > 0 {
		end, err := w.ranges(ctx, tx, at, w.Plain)
		if err != nil || end == nil || len(w.found) >= w.Most {
			return err
		}
		at = end
	}
	for size := max(firstStep, w.Most); ; size = min(4*size, largest) {
		looked, err := w.step(ctx, tx, at, nil, size, true)
		if isTimeout(err) && ctx.Err() == nil {
			if w.last == nil && w.Least == 0 { // there must be a place to go on from
				_, err := w.ranges(ctx, tx, at, 0)
				return err
			}
			return errCut
		}
		if err != nil || len(w.found) >= w.Most || looked < size {
			return err
		}
		if at = w.last; w.left() <= 0 {
			return errCut
		}
	}
}

// ranges walks over all rows from one place to the next, and looks at the candidates
// between them. So it gets on even if there are none for long. It ends after a number
// of rows, the narrowed ones without an end if that is 0, and returns the place where;
// nil if there are no more rows.
func (w *Walk) ranges(ctx context.Context, tx Conn, at []string, most int) (end []string, err error) {
	walked := 0
	for size := firstRange; most == 0 || walked < most; size = min(2*size, largest) {
		if walked > 0 && w.left() <= 0 {
			return nil, errCut
		}
		n := size
		if most > 0 {
			n = min(size, most-walked)
		}
		walked += n
		to, err := w.placeAfter(ctx, tx, at, n)
		if err == nil {
			_, err = w.step(ctx, tx, at, to, 0, most == 0)
		}
		switch {
		case isTimeout(err) && ctx.Err() == nil && w.last == nil:
			return nil, context.DeadlineExceeded
		case isTimeout(err) && ctx.Err() == nil:
			return nil, errCut
		case err != nil || len(w.found) >= w.Most || to == nil:
			return nil, err
		}
		at, w.last = to, to
	}
	return at, nil
}

func (w *Walk) left() time.Duration { return w.Limit - time.Since(w.started) }

// timed runs a statement within the time that is left.
func (w *Walk) timed(ctx context.Context, tx Conn, do func() error) error {
	left := w.left()
	if w.last == nil {
		left = max(left*2/3, cmp.Or(w.Least, leastTime))
	}
	if _, err := tx.Exec(ctx, fmt.Sprintf("SAVEPOINT walk; SET LOCAL statement_timeout = %d",
		max(1, left.Milliseconds()))); err != nil {
		return err
	}
	err := do()
	if err != nil && !isTimeout(err) && !errors.Is(err, errCut) {
		return err
	}
	// The time may be over after the last row that was wanted, too.
	_, also := tx.Exec(ctx, "ROLLBACK TO SAVEPOINT walk; RELEASE SAVEPOINT walk")
	return errors.Join(err, also)
}

// placeAfter returns the place of the row that is n rows after another place; nil if
// there are less.
func (w *Walk) placeAfter(ctx context.Context, tx Conn, at []string, n int) (place []string, err error) {
	q, desc := w.All, w.Order.Desc != w.back
	q.conditions, q.args = slices.Clone(q.conditions), slices.Clone(q.args)
	q.Columns = w.Order.key()
	if at != nil {
		q.beyond(w.Order, at, desc, false)
	}
	err = w.timed(ctx, tx, func() error {
		err := tx.QueryRow(ctx, fmt.Sprintf("%s ORDER BY %s OFFSET %d LIMIT 1", q.sql(), w.Order.by(desc), n-1),
			planned(q.args)...).Scan(&place)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return place, err
}

// step looks at the candidates after a place, up to another one (nil for the end), and
// at most a number of them (0 for all), narrowed or not. It returns how many it looked
// at.
func (w *Walk) step(ctx context.Context, tx Conn, at, to []string, most int, narrowed bool) (looked int, err error) {
	q, desc := w.Candidates, w.Order.Desc != w.back
	q.conditions, q.args = slices.Clone(q.conditions), slices.Clone(q.args)
	q.Columns = w.Order.key() + ", " + q.Columns
	if narrow := w.Narrow; narrow != nil {
		if !narrowed {
			narrow = w.Sift
		}
		narrow(&q)
	}
	if at != nil {
		q.beyond(w.Order, at, desc, false)
	}
	if to != nil {
		q.beyond(w.Order, to, desc, true)
	}
	sql := q.sql() + " ORDER BY " + w.Order.by(desc)
	if most > 0 {
		sql += fmt.Sprintf(" LIMIT %d", most)
	}
	return looked, w.timed(ctx, tx, func() error {
		rows, err := tx.Query(ctx, sql, planned(q.args)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var key, texts []string
			if err := rows.Scan(&key, &texts); err != nil {
				return err
			}
			looked++
			w.last = key
			if w.Fits(texts) {
				if w.found = append(w.found, key); len(w.found) >= w.Most {
					return nil
				}
			}
			if w.left() <= 0 && looked >= firstStep {
				return errCut
			}
		}
		return rows.Err()
	})
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
func FetchWalked(ctx context.Context, tx Conn, w Walk, p Page, bound ...any) (List[[]string], error) {
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
	_, page.Cut, err = w.Run(ctx, tx)
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
