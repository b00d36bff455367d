package insights

import (
	"context"

	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
	"treewarden/store/figures"
)

// Staff counts actions of the log: those that the audit log shows to the actor without
// a target. They are read from the log itself, so that they are those of now.
func (a Access) Staff(ctx context.Context, f figures.StaffFilter) (figures.Staff, error) {
	if a.Log != nil {
		return figures.Staff{}, a.Log
	}
	f.Own = a.Own
	return figures.ReadStaff(ctx, a.Pool, f, a.Now())
}

// CountActions counts the actions of the log again, which are counted as they happen. It
// corrects what was changed past the program. Nobody acts meanwhile.
func (a Access) CountActions(ctx context.Context) error {
	return db.Translate(db.Retry(ctx, func() error {
		return pgx.BeginFunc(ctx, a.Pool, func(tx pgx.Tx) error {
			// Whoever writes an entry of the log holds its end, and counts the entry.
			if _, err := tx.Exec(ctx, "SELECT FROM action_chain FOR UPDATE"); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `WITH counted AS (`+figures.ActionCountsSQL+`),
				gone AS (DELETE FROM action_counts c WHERE NOT EXISTS (SELECT FROM counted n
					WHERE (n.step, n.start, n.actor, n.kind) = (c.step, c.start, c.actor, c.kind)))
				INSERT INTO action_counts AS c (step, start, actor, kind, actions, undone)
				SELECT step, start, actor, kind, actions, undone FROM counted
				ON CONFLICT (step, start, actor, kind) DO UPDATE SET actions = excluded.actions, undone = excluded.undone
				WHERE (c.actions, c.undone) IS DISTINCT FROM (excluded.actions, excluded.undone)`)
			return err
		})
	}))
}
