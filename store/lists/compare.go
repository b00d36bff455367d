package lists

import (
	"context"
	"fmt"

	"github.com/google/uuid"

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

// Compare compares a list with another one. A cursor belongs to one part of the
// comparison and moves only this one.
func Compare(ctx context.Context, c db.Conn, list uuid.UUID, with Other, p db.Page) (Comparison, error) {
	var found Comparison
	belongs := p.Cursor == ""
	for _, part := range []struct {
		name, sql string
		into      *IDs
	}{
		{"both", "%[1]s INTERSECT %[2]s", &found.Both},
		{"only_this", "%[1]s EXCEPT %[2]s", &found.OnlyThis},
		{"only_other", "%[2]s EXCEPT %[1]s", &found.OnlyOther},
	} {
		order := db.Order{Name: "compare " + part.name, Keys: []db.Key{{Expr: "c.message_id", Typ: "uuid"}}}
		ids, owns, err := compareIDs(ctx, c, list, with, part.sql, order, p)
		if err != nil {
			return found, err
		}
		*part.into, belongs = ids, belongs || owns
	}
	if !belongs {
		return found, db.ErrForeignCursor
	}
	return found, nil
}

// compareIDs reads one part of a comparison, its first page if the cursor is of
// another part; owns reports that it is of this one. The parts of sql are the ids
// of the list and the other ids.
func compareIDs(
	ctx context.Context, c db.Conn, list uuid.UUID, with Other, sql string, order db.Order, p db.Page,
) (ids IDs, owns bool, err error) {
	query := func(columns string) db.Query {
		q := db.Query{Columns: columns}
		const items = "SELECT message_id FROM list_items WHERE list_id = "
		this, other := items+q.Arg(list), "SELECT message_id FROM messages WHERE deleted AND deletion_by_staff"
		if !with.Deleted {
			other = items + q.Arg(with.List)
		}
		q.From = "(" + fmt.Sprintf(sql, this, other) + ") c"
		return q
	}
	counted := query("count(*)")
	text, args := counted.SQL()
	if err := c.QueryRow(ctx, text, args...).Scan(&ids.Count); err != nil {
		return ids, false, db.Translate(err)
	}
	q := query("c.message_id")
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
