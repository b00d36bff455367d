package aspects

import (
	"context"

	"github.com/google/uuid"

	"treewarden/store/db"
)

// Tree is a locked tree as a stop or a restart needs it.
type Tree struct {
	ID           uuid.UUID
	State        string
	HaltedState  *string // the state that a stop replaced
	HaltedActive *bool
	Version      int
	StaffAuthor  bool
}

// LockTree locks a tree and reads its state.
func LockTree(ctx context.Context, c db.Conn, id uuid.UUID) (Tree, error) {
	t := Tree{ID: id}
	err := c.QueryRow(ctx, `SELECT t.state, t.halted_state, t.halted_active, t.version,
			EXISTS (SELECT FROM users u WHERE u.user_id = t.user_id AND u.role <> 'general')
		FROM trees t WHERE t.tree_id = $1 FOR UPDATE OF t`, id).
		Scan(&t.State, &t.HaltedState, &t.HaltedActive, &t.Version, &t.StaffAuthor)
	return t, err
}
