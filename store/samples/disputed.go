package samples

import (
	"context"

	"github.com/google/uuid"

	"treewarden/store/db"
)

// DisputeFilter narrows the disputed items of a sample. State is open (default),
// settled or all.
type DisputeFilter struct {
	State string
	db.Page
}

// judgedColumns are the columns of judged, and judgedFrom its tables.
const (
	judgedColumns = `i.message_id, i.lang, i.kind, i.actor_id, i.reason,
		coalesce((SELECT n.seq FROM actions n WHERE n.id = i.action_id), 0) AS action_id,
		i.decided_at, i.first, i.place, i.second, i.judged_by, i.note, i.settled, i.settled_by, i.settled_at,
		coalesce(a.display_name, '') AS first_name, coalesce(b.display_name, '') AS second_name,
		coalesce(c.display_name, '') AS settled_name`
	judgedFrom = `sample_items i LEFT JOIN users a ON a.user_id = i.actor_id LEFT JOIN users b ON b.user_id = i.judged_by
		LEFT JOIN users c ON c.user_id = i.settled_by`
)

// Disputed returns one page of the items of a sample on which the two judgements
// differ, in the order of the sample.
func (d Access) Disputed(ctx context.Context, id uuid.UUID, f DisputeFilter) (db.List[Dispute], error) {
	q := db.Query{Columns: judgedColumns, From: judgedFrom}
	q.Where("i.sample_id = ?", id)
	q.Where("i.first <> i.second")
	switch f.State {
	case "", "open":
		q.Where("i.settled IS NULL")
	case "settled":
		q.Where("i.settled IS NOT NULL")
	case "all":
	default:
		return db.List[Dispute]{}, db.OneOf("state", f.State, "open", "settled", "all")
	}
	type row struct {
		db.Keyed
		judged
	}
	rows, next, prev, err := db.Fetch[row](ctx, d.Pool, q, db.Order{Name: "disputed", Keys: []db.Key{
		{Expr: "i.place", Typ: "integer"},
	}}, f.Page)
	items := make([]Dispute, len(rows))
	for i, r := range rows {
		items[i] = r.dispute()
	}
	return db.List[Dispute]{Items: items, Next: next, Prev: prev}, err
}
