// Package names reads lists that a query line narrows by names: users, the accounts of
// staff, lists of messages.
package names

import (
	"context"

	"github.com/jackc/pgx/v5"

	"treewarden/corpus/search"
	"treewarden/store/db"
	"treewarden/store/messages"
)

// Filter is a line that finds names, and where the names are.
type Filter struct {
	Line  search.Names
	Texts string // SQL: the names of a row, with commas between them
	From  string // SQL: the tables of the names, of the conditions and of the order
	// Fits looks at the names instead of the line alone, if it is set.
	Fits func(names []string) bool
}

// Fetch reads one page of the rows of a query whose names fit. It looks at the names in
// Go, in the order of the list, on a connection for searches.
func Fetch[R db.Row](
	ctx context.Context, c db.Conn, s messages.Searcher, q db.Query, o db.Order, f Filter, p db.Page,
) (rows []R, page db.List[[]string], err error) {
	if f.Line.All() {
		rows, page.Next, page.Prev, err = db.Fetch[R](ctx, c, q, o, p)
		return rows, page, err
	}
	w := db.Walk{Candidates: q, All: db.Query{From: f.From}, Order: o, Limit: s.Limit, Fits: f.Fits}
	w.Candidates.Columns, w.Candidates.From = "ARRAY["+f.Texts+"]", f.From
	if w.Fits == nil {
		w.Fits = func(names []string) bool { return f.Line.Fit(names...) }
	}
	err = s.In(ctx, func(tx pgx.Tx) (err error) {
		rows, page, err = db.FetchFitting[R](ctx, tx, q, w, p, f.Line.String())
		return err
	})
	if page.Cut {
		page.Note = messages.CutNote
	}
	return rows, page, err
}
