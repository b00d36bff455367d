package db

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
)

// FetchFitting reads one page of the rows of a query that a walk over the same rows
// finds. The last key of its order is the id of a row. The cursors are those of
// [FetchWalked]; the items of the page stay empty.
func FetchFitting[R Row](
	ctx context.Context, tx Conn, q Query, w Walk, p Page, bound ...any,
) (rows []R, page List[[]string], err error) {
	page, err = FetchWalked(ctx, tx, w, p, bound...)
	if err != nil || len(page.Items) == 0 {
		return nil, page, err
	}
	last := len(w.Order.Keys) - 1
	place, ids := map[string]int{}, make([]string, len(page.Items))
	for i, key := range page.Items {
		ids[i], place[key[last]] = key[last], i
	}
	page.Items = nil
	id := w.Order.Keys[last]
	q.Columns += ", " + w.Order.key() + " AS cursor_key"
	q.Where(id.Expr+" = ANY (?::text[]::"+id.Typ+"[])", ids)
	found, err := tx.Query(ctx, q.sql(), q.args...)
	if err != nil {
		return nil, page, Translate(err)
	}
	rows, err = pgx.CollectRows(found, pgx.RowToStructByName[R])
	slices.SortFunc(rows, func(a, b R) int { return place[a.cursorKey()[last]] - place[b.cursorKey()[last]] })
	return rows, page, Translate(err)
}
