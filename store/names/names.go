// Package names reads lists that a query line narrows by names: users, the accounts of
// staff, lists of messages.
package names

import (
	"context"

	"github.com/google/uuid"

	"treewarden/corpus/search"
	"treewarden/store/db"
	"treewarden/store/messages"
)

// Filter is a line that finds names.
type Filter struct {
	Line search.Names
	// SQL is the query for the ids of all that may be found, each with its names.
	SQL string
	Or  *uuid.UUID // what has this id is found, too
}

// find returns the ids of what has names that fit, and those of the others. All names are looked at, in no order:
// no index finds parts of words and negations, and names are short.
func (f Filter) find(ctx context.Context, c db.Conn) (found, others []uuid.UUID, err error) {
	var names []string
	err = db.EachRaw(ctx, c, f.SQL, func(raw [][]byte) {
		names = names[:0]
		for _, name := range raw[1:] {
			names = append(names, string(name))
		}
		if id := uuid.UUID(raw[0]); f.Or != nil && *f.Or == id || f.Line.Fit(names...) {
			found = append(found, id)
		} else {
			others = append(others, id)
		}
	})
	return found, others, db.Translate(err)
}

// Fetch reads one page of the rows of a query that are found. Their id is the last key
// of the order. The names are read on a connection for searches.
func Fetch[R db.Row](
	ctx context.Context, c db.Conn, s messages.Searcher, q db.Query, o db.Order, f Filter, p db.Page,
) (rows []R, next, prev *string, err error) {
	if f.Line.All() {
		return db.Fetch[R](ctx, c, q, o, p)
	}
	err = s.In(ctx, func(tx *db.Snapshot) error {
		ids, others, err := f.find(ctx, tx)
		if err != nil {
			return err
		}
		not := len(others) < len(ids) // fewer ids are faster
		if not {
			ids = others
		}
		rows, next, prev, err = db.FetchOf[R](ctx, tx, q, o, p, ids, not, f.Line.String())
		return err
	})
	return rows, next, prev, err
}
