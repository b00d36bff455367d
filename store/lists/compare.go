package lists

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
)

// Other is what a list is compared with: another list, or all messages that
// staff deleted.
type Other struct {
	List    uuid.UUID
	Deleted bool
}

// Comparison compares a list with another one: the ids on both, and those on one
// of them only.
type Comparison struct {
	Both      IDs `json:"both"`
	OnlyThis  IDs `json:"only_this"`
	OnlyOther IDs `json:"only_other"`
}

// IDs is one part of a comparison: the number of ids, and one page of them.
type IDs struct {
	Count int64              `json:"count"`
	IDs   db.List[uuid.UUID] `json:"ids"`
}

// The parts of a comparison.
const (
	Both      = "both"
	OnlyThis  = "only_this"
	OnlyOther = "only_other"
)

// Parts are the parts of a comparison.
var Parts = []string{Both, OnlyThis, OnlyOther}

// partSQL tells how the ids of each part follow from the ids of the list and the
// other ids.
var partSQL = map[string]string{
	Both: "%[1]s INTERSECT %[2]s", OnlyThis: "%[1]s EXCEPT %[2]s", OnlyOther: "%[2]s EXCEPT %[1]s",
}

// Part is a part of the comparison of a list with another one.
type Part struct {
	List uuid.UUID
	With Other
	Name string // one of Parts
}

// Compare compares a list with another one. A cursor belongs to one part of the
// comparison and moves only this one. It returns db.ErrNotFound if one of the lists
// does not exist.
func Compare(ctx context.Context, c db.Conn, list uuid.UUID, with Other, p db.Page) (Comparison, error) {
	var found Comparison
	if err := exist(ctx, c, list, with); err != nil {
		return found, err
	}
	belongs := p.Cursor == ""
	into := map[string]*IDs{Both: &found.Both, OnlyThis: &found.OnlyThis, OnlyOther: &found.OnlyOther}
	for _, name := range Parts {
		order := db.Order{Name: "compare " + name, Keys: []db.Key{{Expr: "c.message_id", Typ: "uuid"}}}
		ids, owns, err := compareIDs(ctx, c, Part{list, with, name}, order, p)
		if err != nil {
			return found, err
		}
		*into[name], belongs = ids, belongs || owns
	}
	if !belongs {
		return found, db.ErrForeignCursor
	}
	return found, nil
}

// comparedAtOnce is the maximum number of ids that Compared returns: each time, it
// compares the lists as a whole.
const comparedAtOnce = 20_000

// Compared returns the ids of a part of a comparison that follow an id, in the order of
// ids: up to 20,000. It returns none after the last one, and db.ErrNotFound if one of
// the lists does not exist.
func Compared(ctx context.Context, c db.Conn, of Part, after uuid.UUID) ([]uuid.UUID, error) {
	if err := exist(ctx, c, of.List, of.With); err != nil {
		return nil, err
	}
	q := of.query("c.message_id")
	q.Where("c.message_id > ?", after)
	sql, args := q.SQL()
	rows, err := c.Query(ctx, fmt.Sprintf("%s ORDER BY 1 LIMIT %d", sql, comparedAtOnce), args...)
	if err != nil {
		return nil, db.Translate(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	return ids, db.Translate(err)
}

// exist returns db.ErrNotFound if one of two compared lists does not exist.
func exist(ctx context.Context, c db.Conn, list uuid.UUID, with Other) error {
	if _, err := ByID(ctx, c, list); err != nil || with.Deleted {
		return err
	}
	_, err := ByID(ctx, c, with.List)
	return err
}

// query returns a query for the ids c.message_id of a part.
func (p Part) query(columns string) db.Query {
	q := db.Query{Columns: columns}
	const items = "SELECT message_id FROM list_items WHERE list_id = "
	this, other := items+q.Arg(p.List), "SELECT message_id FROM messages WHERE deleted AND deletion_by_staff"
	if !p.With.Deleted {
		other = items + q.Arg(p.With.List)
	}
	q.From = "(" + fmt.Sprintf(partSQL[p.Name], this, other) + ") c"
	return q
}

// compareIDs reads one part of a comparison, its first page if the cursor is of
// another part; owns reports that it is of this one.
func compareIDs(ctx context.Context, c db.Conn, of Part, order db.Order, p db.Page) (ids IDs, owns bool, err error) {
	counted := of.query("count(*)")
	text, args := counted.SQL()
	if err := c.QueryRow(ctx, text, args...).Scan(&ids.Count); err != nil {
		return ids, false, db.Translate(err)
	}
	q := of.query("c.message_id")
	if owns = q.Owns(order, p.Cursor); !owns {
		p.Cursor = ""
	}
	type row struct {
		db.Keyed
		MessageID uuid.UUID
	}
	rows, next, prev, err := db.Fetch[row](ctx, c, q, order, p)
	ids.IDs = db.List[uuid.UUID]{Items: make([]uuid.UUID, len(rows)), Next: next, Prev: prev}
	for i, r := range rows {
		ids.IDs.Items[i] = r.MessageID
	}
	return ids, owns, err
}
