package lists

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"treewarden/store/db"
)

// Extent counts what the deletion of what is on a list touches.
type Extent struct {
	Trees     int64     `json:"trees"`
	Users     int64     `json:"users"` // the authors
	Protected Protected `json:"protected"`
}

// Protected counts the messages by staff, on whom not everybody may act. A
// deletion of messages spares nobody's: it deletes these too. The counts show it
// to the person who decides.
type Protected struct {
	Staff        int64 `json:"staff"`         // by any member of staff
	Self         int64 `json:"self"`          // of these, by the actor
	NotPermitted int64 `json:"not_permitted"` // of these, by others of a rank that the actor may not act on
}

// Measure returns the extent of a deletion of messages, which are given with the
// tree of each. mayActOn reports whether the actor may act on others of a role.
func Measure(
	ctx context.Context, c db.Conn, actor uuid.UUID, mayActOn func(role string) bool, trees, messages []uuid.UUID,
) (e Extent, err error) {
	type count struct {
		Role            string
		Self            bool
		Users, Messages int64
	}
	counts, err := db.Collect[count](ctx, c, `SELECT u.role, u.user_id = $1 AS self, count(DISTINCT u.user_id) AS users,
			count(*) AS messages
		FROM unnest($2::uuid[], $3::uuid[]) g (tree_id, message_id)
		JOIN messages m ON m.tree_id = g.tree_id AND m.message_id = g.message_id
		JOIN users u ON u.user_id = m.user_id
		GROUP BY 1, 2`, actor, db.IDArray(trees), db.IDArray(messages))
	for _, by := range counts {
		e.Users += by.Users
		if by.Role == "general" {
			continue
		}
		e.Protected.Staff += by.Messages
		switch {
		case by.Self:
			e.Protected.Self += by.Messages
		case !mayActOn(by.Role):
			e.Protected.NotPermitted += by.Messages
		}
	}
	trees = slices.SortedFunc(slices.Values(trees), func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	e.Trees = int64(len(slices.Compact(trees)))
	return e, err
}

// CountLeft counts the items of a list whose messages are not among those that go,
// by state.
func CountLeft(ctx context.Context, c db.Conn, list uuid.UUID, going []uuid.UUID) (map[string]int64, error) {
	type count struct {
		State string
		N     int64
	}
	counts, err := db.Collect[count](ctx, c, "SELECT "+stateSQL+" AS state, count(*) AS n FROM "+itemTables+`
		WHERE i.list_id = $1 AND NOT EXISTS (SELECT FROM unnest($2::uuid[]) g (message_id)
			WHERE g.message_id = i.message_id) GROUP BY 1`, list, db.IDArray(going))
	left := map[string]int64{}
	for _, state := range States {
		if state != Present {
			left[state] = 0
		}
	}
	for _, n := range counts {
		left[n.State] = n.N
	}
	return left, err
}
