package aspects

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
)

// loggedSQL returns the FROM clause of what an action changed of the aspect.
func (a Column) loggedSQL(action string) string {
	return fmt.Sprintf("action_objects WHERE action_id = %s AND object_type = '%s' AND aspect = '%s'",
		action, a.Object, a.Name)
}

// Undo restores, as an action of its own, the state before the undone action. It returns
// the number of objects changed, and one whose aspect has changed since, nil if there is
// none. If there is one, the transaction must not commit. With a progress, which is called
// with the number of objects that are done, it restores them part by part.
func (a Column) Undo(
	ctx context.Context, c db.Conn, action, undone int64, progress func(done int64),
) (n int64, changed *uuid.UUID, err error) {
	if progress == nil {
		err = c.QueryRow(ctx, a.undoSQL(""), action, undone).Scan(&n, &changed)
		return n, changed, err
	}
	rows, err := c.Query(ctx, "SELECT object_id FROM "+a.loggedSQL("$1")+" ORDER BY tree_id, object_id", undone)
	if err != nil {
		return 0, nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return 0, nil, err
	}
	sql := a.undoSQL(" AND object_id = ANY ($3)")
	err = db.InParts(len(ids), progress, func(from, to int) error {
		var part int64
		var other *uuid.UUID
		err := c.QueryRow(ctx, sql, action, undone, db.IDArray(ids[from:to])).Scan(&part, &other)
		if n += part; other != nil {
			changed = other
		}
		return err
	})
	return n, changed, err
}
