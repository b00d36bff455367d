package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"treewarden/corpus"
)

// What one transaction of an import takes at most. More would not be faster,
// and would lose more when the program is killed.
const (
	importBatchMessages = 10_000
	importBatchBytes    = 32 << 20
)

// importAnalyzed is how many new messages make it worth while to count the
// tables for the planner at once, instead of when the server comes round to it.
const importAnalyzed = 2000

// importTries bounds how often a batch is begun again because somebody else
// changed the same rows at the same time.
const importTries = 5

// ImportOptions says how to import.
type ImportOptions struct {
	// DryRun reads and checks everything and writes nothing.
	DryRun bool
	// Batch is how many messages a transaction takes at most; 0 is 10,000.
	Batch int
	// Log is told what takes long; nil is silent.
	Log *slog.Logger
	// Progress is called after each batch with what was done until then.
	Progress func(ImportSummary)
}

// Import takes records into the database, batch by batch, each in its own
// transaction. A *corpus.Fault from the iterator is counted as a refused line;
// any other error ends the import.
//
// Messages, trees and authors that are new are made; a record that brings more
// about a message that is known updates it. Counts only grow, null never
// erases, and what staff decided stays: the text of an edited message, the
// deletion, the review, the state of a halted tree. So an import that is
// killed and started again ends as one that was not, and a second import of
// the same records changes nothing.
//
// Records whose parent is unknown are kept aside until it comes, also from
// another import. One import runs at a time; a second one waits.
//
// On an error, the summary tells what was committed until then.
func (s *Store) Import(ctx context.Context, records iter.Seq2[*corpus.Record, error], o ImportOptions) (ImportSummary, error) {
	began := time.Now()
	im := &importer{store: s, o: o, now: s.now, models: importModels{}, summary: ImportSummary{Errors: []corpus.Fault{}}}
	if im.o.Batch <= 0 {
		im.o.Batch = importBatchMessages
	}
	if im.o.Log == nil {
		im.o.Log = slog.New(slog.DiscardHandler)
	}
	err := im.open(ctx, s)
	if err == nil {
		err = im.run(ctx, records)
		im.close()
	}
	im.summary.Seconds = time.Since(began).Seconds()
	if err != nil {
		return im.summary, fmt.Errorf("import: %w", err)
	}
	return im.summary, nil
}

// importer is one import under way.
type importer struct {
	o       ImportOptions
	conn    *pgx.Conn
	models  importModels
	users   importUsers
	summary ImportSummary
	// staged says that this session has its tables for known messages.
	staged bool
	// orphans says that there may be messages that wait for their parent.
	orphans bool
	rows    importRows // memory that is used again
	tally   *tallying  // of the transaction under way
	store   *Store
	now     func() time.Time
	known   importRows
}

// run reads ahead in a goroutine and takes in batch by batch.
func (im *importer) run(ctx context.Context, records iter.Seq2[*corpus.Record, error]) error {
	ahead := readAhead(ctx, records)
	defer ahead.stop()
	batch := newImportBatch()
	flush := func() error {
		if err := im.commit(ctx, batch); err != nil {
			return err
		}
		ahead.release(batch.weight)
		batch = newImportBatch()
		return nil
	}
	for line := range ahead.lines {
		switch {
		case line.err != nil:
			return line.err
		case line.fault != nil:
			im.summary.Bytes += int64(line.fault.Size)
			im.summary.reject(*line.fault)
			continue
		case line.record == nil: // the reader waits for room
			if err := flush(); err != nil {
				return err
			}
			continue
		}
		im.summary.Bytes += int64(line.record.Size)
		if !batch.add(line.record, line.weight) {
			if err := flush(); err != nil {
				return err
			}
			batch.add(line.record, line.weight)
		}
		if batch.full(im.o.Batch) {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := flush(); err != nil {
		return err
	}
	return im.finish(ctx)
}

// commit takes a batch in, in one transaction. Somebody else who wrote the
// same rows at the same moment makes it begin again.
func (im *importer) commit(ctx context.Context, b *importBatch) error {
	if len(b.items) == 0 {
		return nil
	}
	for try := 1; ; try++ {
		done, err := im.attempt(ctx, func(tx pgx.Tx, done *ImportSummary) error { return im.apply(ctx, tx, b, done) })
		if err == nil {
			im.summary.add(done)
			if im.o.Progress != nil {
				im.o.Progress(im.summary)
			}
			return nil
		}
		if !importAgain(err) || try == importTries || ctx.Err() != nil {
			return fmt.Errorf("lines before %s are in; import the same files again to go on: %w", b.begins(), err)
		}
		im.o.Log.Debug("a batch of the import begins again", "try", try, "error", err)
	}
}

// attempt runs work in a transaction, has the counters of signals follow, and
// forgets on failure what it learnt.
func (im *importer) attempt(ctx context.Context, work func(pgx.Tx, *ImportSummary) error) (ImportSummary, error) {
	var done ImportSummary
	staged, orphans := im.staged, im.orphans
	err := pgx.BeginFunc(ctx, im.conn, func(tx pgx.Tx) error {
		var err error
		if im.tally, err = im.store.tallying(ctx, tx); err != nil {
			return err
		}
		im.tally.languages = true
		if err := work(tx, &done); err != nil || im.o.DryRun {
			return err
		}
		if err := im.tally.settle(ctx, tx, im.now()); err != nil {
			return fmt.Errorf("count signals: %w", err)
		}
		return nil
	})
	im.tally.finish()
	if err != nil {
		im.staged, im.orphans = staged, orphans
		im.models.forget()
		im.users.forget()
	}
	return done, err
}

// importAgain says whether an error comes of other people's writing only.
func importAgain(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code {
	case "23505", "40001", "40P01": // unique_violation, serialization_failure, deadlock_detected
		return true
	}
	return false
}

// importNil is a UUID column's null.
var importNil uuid.UUID
