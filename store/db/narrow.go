package db

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Narrow narrows the candidates of a walk to those that have a row in another table,
// which an index finds.
type Narrow struct {
	// From is the table. It has a row for each row that fits, and maybe others. Columns
	// are those that Order and Join need.
	From, Columns string
	Where         func(*Query) // adds the conditions on the table
	Order         Order        // the order of the walk, by columns of the table
	Join          string       // the condition that joins the table and the candidates
	// Ready reports whether the table has all rows, so that the walk may use it. It is called
	// once, before the first use; nil stands for yes.
	Ready func(ctx context.Context, s *Snapshot) (bool, error)
	// Sift adds the conditions to the candidates themselves. The walk looks at the first Near
	// rows of All in their order without the index, for the time of First at most. They are
	// set if so many fit that they are found sooner than by reading all that the index finds.
	Sift  func(*Query)
	Near  int
	First time.Duration
	// Step is the number of rows of the index that the walk looks at first; 0 is as many as
	// usual. Of rows with the right words, few may fit.
	Step int
	// Periods returns the periods of a walk from a place; nil is the beginning. The walk
	// looks at one after the other, and then at the rows beyond the last. With nil, or for
	// a walk against Order, there is only one.
	Periods func(from []string) []Period
}

// Period is a part of the rows of an index, in the order of a walk, that the index finds
// without reading the others.
type Period struct {
	To    []string     // the place where it ends
	Where func(*Query) // adds the conditions on the table, in place of those of Narrow
}

// nearest returns the query of the candidates among the nearest rows.
func (w *Walk) nearest() (sql string, args []any) {
	near, desc := w.All.clone(), w.Order.Desc != w.back
	near.Columns = "*"
	if w.from != nil {
		near.beyond(w.Order, w.from, desc, false)
	}
	rows := fmt.Sprintf("%s ORDER BY %s LIMIT %d", near.sql(), w.Order.by(desc), w.Narrow.Near)
	q := w.Candidates.clone()
	w.Narrow.Sift(&q)
	q = q.following(near.args)
	q.Columns = w.Order.keys() + ", " + q.Columns
	// The candidates' tables begin with that of the rows.
	name := near.From[strings.LastIndexByte(near.From, ' ')+1:]
	q.From = "(" + rows + ") " + name + strings.TrimPrefix(q.From, near.From)
	return fmt.Sprintf("%s ORDER BY %s LIMIT %d", q.sql(), w.Order.by(desc), w.Most), q.args
}

// candidates returns the query of the candidates after a place in a period, whose end may
// be nil, and at most a number of them (0 for all), by the index if there is one. Rows of
// the index that are no candidates have no texts.
func (w *Walk) candidates(at []string, period Period, most int) (sql string, args []any) {
	q, desc := w.Candidates.clone(), w.Order.Desc != w.back
	limited := func(q *Query, o Order) string {
		if at != nil {
			q.beyond(o, at, desc, false)
		}
		if period.To != nil {
			q.beyond(o, period.To, desc, true)
		}
		sql := q.sql() + " ORDER BY " + o.by(desc)
		if most > 0 {
			sql += fmt.Sprintf(" LIMIT %d", most)
		}
		return sql
	}
	if w.Narrow == nil {
		q.Columns = w.Order.keys() + ", " + q.Columns
		return limited(&q, w.Order), q.args
	}
	n := w.Narrow
	in := Query{Columns: n.Columns, From: n.From, args: q.args}
	where := n.Where
	if period.Where != nil {
		where = period.Where
	}
	where(&in)
	rows := limited(&in, n.Order)
	q.args = in.args
	q.Where(n.Join)
	return "SELECT " + n.Order.keys() + ", c.* FROM (" + rows + ") w LEFT JOIN LATERAL (" + q.sql() +
		") c ON true ORDER BY " + n.Order.by(desc), q.args
}
