package importer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/corpus"
	"treewarden/store/db"
)

// shadowSQL creates the temporary tables of a dry run. A dry run works like an
// import but writes only to these: new messages, so that later ones find their
// parents, and a copy of the orphans that hides the table.
var shadowSQL = []string{
	seenTable,
	`CREATE TEMPORARY TABLE import_orphans AS SELECT * FROM import_orphans`,
	`CREATE UNIQUE INDEX ON import_orphans (message_id)`,
	`CREATE INDEX ON import_orphans (parent_id)`,
	`CREATE TEMPORARY TABLE import_dry (message_id uuid PRIMARY KEY, tree_id uuid NOT NULL, parent_id uuid,
		depth integer NOT NULL,
		role text NOT NULL, deleted_root uuid, said uuid NOT NULL)`,
	`CREATE TEMPORARY TABLE import_dry_users (user_id uuid PRIMARY KEY)`,
}

// dryKnownSQL adds the messages that the dry run would have created to the known ones.
const dryKnownSQL = `
	UNION ALL SELECT d.message_id, d.tree_id, d.parent_id, d.depth, d.role, d.deleted_root, false, 0, d.said
	FROM unnest($1::uuid[]) i(id) JOIN import_dry d ON d.message_id = i.id`

// shadow prepares a dry run's session.
func (im *run) shadow(ctx context.Context) error {
	for _, sql := range shadowSQL {
		if _, err := im.conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("make the dry run's temporary tables: %w", err)
		}
	}
	err := im.conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM import_orphans)`).Scan(&im.orphans)
	if err != nil {
		return fmt.Errorf("look for messages that wait for their parent: %w", err)
	}
	return nil
}

// errRehearsed rolls back the writes of a dry run.
var errRehearsed = errors.New("rehearsed")

// rehearse finds the changes that write would make. Changes of known messages are
// made and rolled back, so that their rows are not locked longer than the batch
// takes.
func (w *batchWrite) rehearse(ctx context.Context, tx pgx.Tx) error {
	if err := w.noteFresh(ctx, tx); err != nil {
		return err
	}
	if err := w.noteUsers(ctx, tx); err != nil {
		return err
	}
	if err := w.stage(ctx, tx); err != nil { // the tables must survive the rollback
		return err
	}
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		if _, err := w.run.users.write(ctx, tx, w.update); err != nil {
			return err
		}
		if err := w.look(ctx, tx); err != nil {
			return err
		}
		if err := w.merge(ctx, tx); err != nil {
			return err
		}
		return errRehearsed
	})
	w.run.users.forget()
	if errors.Is(err, errRehearsed) {
		return nil
	}
	return err
}

// noteDigest stores the digest of a line about a message that only this dry run
// would have created. A line that differs from the first one would update the
// message.
func (w *batchWrite) noteDigest(m *corpus.Message, before *uuid.UUID) {
	alone := *m
	alone.Depth = 0
	sum := sha256.Sum256((&corpus.Record{Messages: []corpus.Message{alone}}).Append(nil))
	said := uuid.UUID(sum[:16])
	if before == nil {
		w.digests[m.MessageID] = said
	} else if said != *before && !w.batch.older {
		w.updated[m.MessageID] = true
	}
}

// noteFresh stores the messages that would be new.
func (w *batchWrite) noteFresh(ctx context.Context, tx pgx.Tx) error {
	var rows db.CopyRows
	rows.Reset()
	for _, item := range w.batch.items {
		if item.state != placed {
			continue
		}
		for i := range item.record.Messages {
			m := &item.record.Messages[i]
			if _, known := w.known[m.MessageID]; known {
				continue
			}
			rows.Row(7)
			rows.UUID(m.MessageID)
			rows.UUID(item.tree)
			rows.OptionalUUID(item.parentOf(i))
			rows.Int(item.depth + m.Depth)
			rows.Text(m.Role)
			if root := item.roots[i]; root != uuid.Nil {
				rows.UUID(root)
			} else {
				rows.Null()
			}
			rows.UUID(w.digests[m.MessageID])
		}
	}
	return rows.Send(ctx, tx, "import_dry", "message_id, tree_id, parent_id, depth, role, deleted_root, said")
}

// noteUsers counts authors who would be new.
func (w *batchWrite) noteUsers(ctx context.Context, tx pgx.Tx) error {
	ids := make([]uuid.UUID, 0, len(w.run.users.batch))
	for id := range w.run.users.batch {
		ids = append(ids, id)
	}
	tag, err := tx.Exec(ctx, `INSERT INTO import_dry_users SELECT id FROM unnest($1::uuid[]) a(id)
		WHERE NOT EXISTS (SELECT FROM users u WHERE u.user_id = id) ON CONFLICT DO NOTHING`, ids)
	if err != nil {
		return fmt.Errorf("look up users: %w", err)
	}
	w.newUsers = tag.RowsAffected()
	return nil
}
