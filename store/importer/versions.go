package importer

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/corpus"
	"treewarden/store/db"
)

// A message may come in several versions in one import. The last one holds, and the
// table import_versions keeps its digest. When a line comes about such a message that
// is not that one, it waits until the end of the import: if the one that holds came
// after it, the line only fills missing values, so that a second import of a file
// changes nothing; else it is the last one, and is merged.

// versionTables are the temporary tables for this: the known messages that lines of
// this import were about, and the lines that wait.
var versionTables = []string{
	`CREATE TEMPORARY TABLE import_lines (message_id uuid PRIMARY KEY)`,
	`CREATE TEMPORARY TABLE import_held (place bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, message_id uuid NOT NULL,
		record json NOT NULL, file text NOT NULL, line integer NOT NULL, replaced boolean NOT NULL DEFAULT false)`,
	`CREATE INDEX ON import_held (message_id)`,
}

// prepareVersions creates the temporary tables.
func (im *run) prepareVersions(ctx context.Context) error {
	for _, sql := range versionTables {
		if _, err := im.conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("make the import's temporary tables: %w", err)
		}
	}
	im.written = map[int64]bool{}
	err := im.conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM import_versions)`).Scan(&im.versions)
	if err != nil {
		return fmt.Errorf("look for messages that came in several versions: %w", err)
	}
	return nil
}

// alone returns a record of one message of the item, and of its tree if it is the
// first one.
func (i *incoming) alone(at int) *corpus.Record {
	m := i.record.Messages[at]
	m.Depth = 0
	one := &corpus.Record{Messages: []corpus.Message{m}}
	if at == 0 {
		one.Tree, one.Prompt = i.record.Tree, i.record.Prompt
	}
	return one
}

func digest(one *corpus.Record) uuid.UUID {
	sum := sha256.Sum256(one.Append(nil))
	return uuid.UUID(sum[:16])
}

// hold sets lines aside that are about messages of several versions and are not the
// version that holds.
func (im *run) hold(ctx context.Context, tx pgx.Tx, b *batch, known map[uuid.UUID]knownMessage) error {
	if !im.versions || b.older || b.held {
		return nil
	}
	var ids []uuid.UUID
	for id := range b.at {
		if _, there := known[id]; there {
			ids = append(ids, id)
		}
	}
	rows, err := tx.Query(ctx, `SELECT message_id, digest FROM import_versions WHERE message_id = ANY ($1)`,
		db.IDArray(ids))
	if err != nil {
		return fmt.Errorf("look up versions: %w", err)
	}
	holds := map[uuid.UUID]uuid.UUID{}
	var id, sum uuid.UUID
	if _, err := pgx.ForEachRow(rows, []any{&id, &sum}, func() error {
		holds[id] = sum
		return nil
	}); err != nil {
		return fmt.Errorf("look up versions: %w", err)
	}
	batch := &pgx.Batch{}
	for _, item := range b.items {
		for i := range item.record.Messages {
			id := item.record.Messages[i].MessageID
			sum, several := holds[id]
			if !several || item.state != placed {
				continue
			}
			one := item.alone(i)
			if digest(one) == sum {
				batch.Queue(`UPDATE import_held SET replaced = true WHERE message_id = $1`, id)
				continue
			}
			item.skip[i] = true
			batch.Queue(`INSERT INTO import_held (message_id, record, file, line) VALUES ($1, $2, $3, $4)`,
				id, string(one.Append(nil)), item.record.File, item.record.Line)
		}
	}
	if err := db.SendBatch(ctx, tx, batch); err != nil {
		return fmt.Errorf("set versions of messages aside: %w", err)
	}
	return nil
}

// noteVersions finds the messages that the batch updates and that an earlier line of
// this import was about: the batch's line holds.
func (w *batchWrite) noteVersions(ctx context.Context, tx pgx.Tx, done *Summary) error {
	if len(w.stale) == 0 || w.batch.older {
		return nil
	}
	before := map[uuid.UUID]bool{}
	if err := w.collect(ctx, tx, before, `SELECT message_id FROM import_lines WHERE message_id = ANY ($1)`,
		db.IDArray(w.stale)); err != nil {
		return fmt.Errorf("look up earlier lines: %w", err)
	}
	last := map[uuid.UUID]uuid.UUID{}
	for _, id := range w.stale {
		k := w.known[id]
		if w.updated[id] && (before[id] || k.Digest != nil || w.written[k.Xmin]) {
			at := w.batch.at[id]
			last[id] = digest(at.item.alone(at.i))
		}
	}
	if _, err := tx.Exec(ctx, `INSERT INTO import_lines SELECT * FROM unnest($1::uuid[]) ON CONFLICT DO NOTHING`,
		db.IDArray(w.stale)); err != nil {
		return fmt.Errorf("note lines: %w", err)
	}
	return w.keepVersions(ctx, tx, last, done)
}

// keepVersions stores the digests of the lines that hold.
func (im *run) keepVersions(ctx context.Context, tx pgx.Tx, last map[uuid.UUID]uuid.UUID, done *Summary) error {
	done.Superseded += int64(len(last))
	if len(last) == 0 || im.o.DryRun {
		return nil
	}
	im.versions = true
	ids, digests := make([]uuid.UUID, 0, len(last)), make([]uuid.UUID, 0, len(last))
	for id, sum := range last {
		ids, digests = append(ids, id), append(digests, sum)
	}
	if _, err := tx.Exec(ctx, `INSERT INTO import_versions SELECT * FROM unnest($1::uuid[], $2::uuid[])
		ON CONFLICT (message_id) DO UPDATE SET digest = excluded.digest`, db.IDArray(ids), db.IDArray(digests)); err != nil {
		return fmt.Errorf("keep which version holds: %w", err)
	}
	return nil
}

// noteOrphans finds former orphans of several versions. The newest holds: the one of
// the batch that brought the parent, or else the first of records.
func (im *run) noteOrphans(ctx context.Context, tx pgx.Tx, records []*corpus.Record, done *Summary) error {
	newest, last := map[uuid.UUID]uuid.UUID{}, map[uuid.UUID]uuid.UUID{}
	for _, record := range records {
		item := &incoming{record: record}
		for i := range record.Messages {
			id, sum := record.Messages[i].MessageID, digest(item.alone(i))
			if _, seen := newest[id]; !seen {
				newest[id] = sum
				if im.current != nil {
					if at, here := im.current.at[id]; here && at.item.state == placed {
						newest[id] = digest(at.item.alone(at.i))
					}
				}
			}
			if newest[id] != sum {
				last[id] = newest[id]
			}
		}
	}
	return im.keepVersions(ctx, tx, last, done)
}

// heldAtATime is the number of lines that waited and are merged in one transaction.
const heldAtATime = 2000

// mergeHeld merges the lines that waited: the newest replaced one first, then those
// that are the last of this import, in their order.
func (im *run) mergeHeld(ctx context.Context) error {
	for _, replaced := range []bool{true, false} {
		for {
			var merged int
			done, err := im.attempt(ctx, func(tx pgx.Tx, done *Summary) (err error) {
				merged, err = im.mergeSomeHeld(ctx, tx, replaced, done)
				return err
			})
			if err != nil {
				return fmt.Errorf("merge messages of several versions: %w", err)
			}
			im.summary.add(done)
			if merged == 0 {
				break
			}
		}
	}
	return nil
}

func (im *run) mergeSomeHeld(ctx context.Context, tx pgx.Tx, replaced bool, done *Summary) (int, error) {
	rows, err := tx.Query(ctx, `WITH gone AS (DELETE FROM import_held WHERE place IN (SELECT place FROM import_held
			WHERE replaced = $1 ORDER BY CASE WHEN replaced THEN -place ELSE place END LIMIT $2) RETURNING *)
		SELECT record::text, file, line FROM gone ORDER BY CASE WHEN replaced THEN -place ELSE place END`,
		replaced, heldAtATime)
	if err != nil {
		return 0, err
	}
	parser := corpus.NewParser()
	var records []*corpus.Record
	var text, file string
	var line int
	if _, err := pgx.ForEachRow(rows, []any{&text, &file, &line}, func() error {
		record, bad := parser.Parse([]byte(text))
		if bad != nil {
			return bad
		}
		record.File, record.Line, record.Size = file, line, 0
		records = append(records, record)
		return nil
	}); err != nil {
		return 0, err
	}
	if replaced {
		done.Superseded += int64(len(records))
	}
	_, err = im.inBatches(ctx, tx, records, func(b *batch) { b.older, b.held = replaced, true }, done)
	return len(records), err
}
