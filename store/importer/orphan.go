package importer

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/corpus"
)

// seenTable holds the positions of this import's orphans, so that those left at
// the end can be listed. It is a table because there may be as many as lines in
// the file.
const seenTable = `CREATE TEMPORARY TABLE import_seen
	(message_id uuid PRIMARY KEY, place bigint GENERATED ALWAYS AS IDENTITY, file text NOT NULL, line integer NOT NULL)`

// adoptedAtATime is the number of orphans that are imported at a time.
const adoptedAtATime = 2000

// keepOrphans stores records with an unknown parent. The stored value of a
// message is a list with the newest record first, because a changed record may
// have more or less data than the one before.
func (im *run) keepOrphans(ctx context.Context, tx pgx.Tx, orphans []*incoming, older bool) error {
	if len(orphans) == 0 {
		return nil
	}
	im.orphans = true
	n := len(orphans)
	ids, parents, records := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]string, n)
	files, lines := make([]string, n), make([]int, n)
	for i, item := range orphans {
		root := &item.record.Messages[0]
		ids[i], parents[i] = root.MessageID, *item.parent
		records[i] = string(item.record.Append(nil))
		files[i], lines[i] = item.record.File, item.record.Line
	}
	for _, sql := range []string{
		`UPDATE import_orphans o SET parent_id = n.parent,
				record = ('[' || n.record || ', ' || substr(o.record::text, 2))::json
			FROM unnest($1::uuid[], $2::uuid[], $3::text[]) n(id, parent, record)
			WHERE o.message_id = n.id AND NOT EXISTS (SELECT FROM json_array_elements(o.record) r WHERE r::text = n.record)`,
		`INSERT INTO import_orphans (message_id, parent_id, record)
			SELECT n.id, n.parent, ('[' || n.record || ']')::json
			FROM unnest($1::uuid[], $2::uuid[], $3::text[]) n(id, parent, record)
			WHERE NOT EXISTS (SELECT FROM import_orphans o WHERE o.message_id = n.id)`,
	} {
		if _, err := tx.Exec(ctx, sql, ids, parents, records); err != nil {
			return fmt.Errorf("keep messages aside whose parent is unknown: %w", err)
		}
	}
	if older { // their lines are stored, or belong to an earlier import
		return nil
	}
	_, err := tx.Exec(ctx, `INSERT INTO import_seen (message_id, file, line)
		SELECT * FROM unnest($1::uuid[], $2::text[], $3::integer[]) s(id, file, line)
		ON CONFLICT DO NOTHING`, ids, files, lines)
	if err != nil {
		return fmt.Errorf("note messages whose parent is unknown: %w", err)
	}
	return nil
}

// adopt imports the orphans below new messages, level by level.
func (im *run) adopt(ctx context.Context, tx pgx.Tx, parents []uuid.UUID, done *Summary) error {
	if !im.orphans {
		return nil
	}
	for {
		// A record is imported with or after its parent.
		records, err := im.takeOrphans(ctx, tx, done, `WITH RECURSIVE waiting AS (
				SELECT message_id FROM import_orphans WHERE parent_id = ANY($1)
				UNION SELECT o.message_id FROM import_orphans o JOIN waiting w ON o.parent_id = w.message_id)
			SELECT message_id FROM waiting LIMIT $2`, parents, adoptedAtATime)
		if err != nil {
			return err
		}
		if len(records) == 0 {
			return nil
		}
		fresh, err := im.takeIn(ctx, tx, records, done)
		if err != nil {
			return err
		}
		parents = append(parents, fresh...)
	}
}

// takeOrphans removes and returns the records of the messages that a query selects.
// It refuses those that can no longer be read.
func (im *run) takeOrphans(
	ctx context.Context, tx pgx.Tx, done *Summary, chosen string, args ...any,
) ([]*corpus.Record, error) {
	rows, err := tx.Query(ctx, `WITH gone AS (DELETE FROM import_orphans WHERE message_id IN (`+chosen+
		`) RETURNING message_id, record)
		SELECT r.value::text, coalesce(s.file, ''), coalesce(s.line, 0)
		FROM gone g LEFT JOIN import_seen s USING (message_id),
			json_array_elements(g.record) WITH ORDINALITY r
		ORDER BY s.place, g.message_id, r.ordinality`, args...)
	if err != nil {
		return nil, fmt.Errorf("find messages whose parent has come: %w", err)
	}
	parser := corpus.NewParser()
	var records []*corpus.Record
	var text, file string
	var line int
	_, err = pgx.ForEachRow(rows, []any{&text, &file, &line}, func() error {
		record, bad := parser.Parse([]byte(text))
		if bad != nil { // kept by a program that took more
			bad.File, bad.Line, bad.Size = file, line, 0
			done.reject(*bad)
			return nil
		}
		record.File, record.Line, record.Size = file, line, 0
		records = append(records, record)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read messages whose parent has come: %w", err)
	}
	if text != "" && len(records) == 0 { // there may be further ones
		return im.takeOrphans(ctx, tx, done, chosen, args...)
	}
	return records, nil
}

// takeIn imports former orphans and returns the ids of new messages.
func (im *run) takeIn(ctx context.Context, tx pgx.Tx, records []*corpus.Record, done *Summary) ([]uuid.UUID, error) {
	if err := im.noteOrphans(ctx, tx, records, done); err != nil {
		return nil, err
	}
	return im.inBatches(ctx, tx, records, func(b *batch) { b.older = true }, done)
}

// inBatches imports records in as many batches as they need and returns the ids of new
// messages.
func (im *run) inBatches(ctx context.Context, tx pgx.Tx, records []*corpus.Record, set func(*batch), done *Summary,
) ([]uuid.UUID, error) {
	var fresh []uuid.UUID
	for len(records) > 0 {
		batch := newBatch()
		set(batch)
		n := 0
		for n < len(records) && batch.add(records[n], 0) {
			n++
		}
		records = records[n:]
		ids, err := im.applyOne(ctx, tx, batch, done)
		if err != nil {
			return nil, err
		}
		fresh = append(fresh, ids...)
	}
	return fresh, nil
}

// finish imports the remaining orphans with a known parent and lists the others.
func (im *run) finish(ctx context.Context) error {
	im.current = nil
	if im.versions {
		if err := im.mergeHeld(ctx); err != nil {
			return err
		}
	}
	if im.orphans {
		done, err := im.attempt(ctx, func(tx pgx.Tx, done *Summary) error {
			if err := im.adoptKnown(ctx, tx, done); err != nil {
				return err
			}
			if err := im.breakCycles(ctx, tx, done); err != nil {
				return err
			}
			return im.nameOrphans(ctx, tx, done)
		})
		if err != nil {
			return fmt.Errorf("settle messages whose parent did not come: %w", err)
		}
		im.summary.add(done)
	}
	if im.o.DryRun || im.summary.Messages < analyzedFrom {
		return nil
	}
	// Without it, queries after a large import would be planned for few rows.
	_, err := im.conn.Exec(ctx,
		`ANALYZE users, trees, messages, message_trees, emoji_aggregates, label_aggregates, classifier_outputs`)
	if err != nil {
		return fmt.Errorf("count what was imported for the planner: %w", err)
	}
	return nil
}

// adoptKnown imports orphans whose parent was added by something other than an
// import.
func (im *run) adoptKnown(ctx context.Context, tx pgx.Tx, done *Summary) error {
	for {
		records, err := im.takeOrphans(ctx, tx, done, `SELECT o.message_id FROM import_orphans o
			JOIN message_trees d ON d.message_id = o.parent_id
			JOIN messages m ON m.tree_id = d.tree_id AND m.message_id = d.message_id
			LIMIT $1`, adoptedAtATime)
		if err != nil || len(records) == 0 {
			return err
		}
		fresh, err := im.takeIn(ctx, tx, records, done)
		if err != nil {
			return err
		}
		if err := im.adopt(ctx, tx, fresh, done); err != nil {
			return err
		}
	}
}

// breakCycles refuses this import's orphans that are part of a cycle or below
// one: their parents will never be imported. All other orphans are below a record
// whose parent is not an orphan.
func (im *run) breakCycles(ctx context.Context, tx pgx.Tx, done *Summary) error {
	rows, err := tx.Query(ctx, `WITH RECURSIVE hopeful AS (
			SELECT o.message_id FROM import_orphans o WHERE NOT EXISTS (SELECT FROM import_orphans p
				WHERE p.message_id = o.parent_id)
			UNION ALL SELECT o.message_id FROM import_orphans o JOIN hopeful h ON o.parent_id = h.message_id),
		gone AS (DELETE FROM import_orphans o USING import_seen s WHERE s.message_id = o.message_id
			AND NOT EXISTS (SELECT FROM hopeful h WHERE h.message_id = o.message_id) RETURNING s.*, o.parent_id)
		SELECT message_id, parent_id, file, line FROM gone ORDER BY place`)
	if err != nil {
		return fmt.Errorf("look for cycles: %w", err)
	}
	return eachFault(rows, func(id, parent uuid.UUID, f corpus.Fault) {
		f.Code = corpus.Cycle
		f.Message = fmt.Sprintf("message %s replies to %s, and these replies form a circle", id, parent)
		done.reject(f)
	})
}

// nameOrphans counts and lists this import's orphans.
func (im *run) nameOrphans(ctx context.Context, tx pgx.Tx, done *Summary) error {
	const left = ` FROM import_orphans o JOIN import_seen s USING (message_id)`
	if err := tx.QueryRow(ctx, `SELECT count(*)`+left).Scan(&done.Orphans); err != nil {
		return fmt.Errorf("count orphans: %w", err)
	}
	rows, err := tx.Query(ctx, `SELECT message_id, o.parent_id, s.file, s.line`+left+` ORDER BY s.place LIMIT $1`,
		maxErrors)
	if err != nil {
		return fmt.Errorf("name orphans: %w", err)
	}
	return eachFault(rows, func(id, parent uuid.UUID, f corpus.Fault) {
		f.Code = corpus.Orphan
		f.Message = fmt.Sprintf("message %s replies to %s, which is unknown; it waits for that message", id, parent)
		done.name(f)
	})
}

// eachFault calls each for rows of message, parent, file and line.
func eachFault(rows pgx.Rows, each func(id, parent uuid.UUID, f corpus.Fault)) error {
	var id, parent uuid.UUID
	var f corpus.Fault
	_, err := pgx.ForEachRow(rows, []any{&id, &parent, &f.File, &f.Line}, func() error {
		each(id, parent, f)
		return nil
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("read lines that did not go in: %w", err)
	}
	return err
}
