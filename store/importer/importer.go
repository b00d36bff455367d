// Package importer takes files of trees and messages into the database.
package importer

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"treewarden/corpus"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/derived"
	"treewarden/store/events"
	"treewarden/store/tables"
)

// The limits of one transaction of an import. Larger ones would not be faster,
// and would lose more work when the program is killed.
const (
	batchMessages = 10_000
	batchBytes    = 32 << 20
)

// analyzedFrom is the number of new messages from which the import runs ANALYZE
// itself instead of leaving it to the server.
const analyzedFrom = 2000

// Options are the options of an import.
type Options struct {
	// DryRun reads and checks everything and writes nothing.
	DryRun bool
	// Batch is the maximum number of messages of a transaction; 0 is 10,000.
	Batch int
	// Log receives messages about long waits; nil discards them.
	Log *slog.Logger
	// Progress is called after each batch with the summary so far.
	Progress func(Summary)
}

// Importer holds the dependencies of an import.
type Importer struct {
	// Connection is the configuration of the import's own connection.
	Connection *pgx.ConnConfig
	Now        func() time.Time
	Rules      *counters.RuleCache
	Publisher  counters.Publisher
}

// Run imports records. On an error, the summary counts what was committed before
// it.
func (into Importer) Run(ctx context.Context, records iter.Seq2[*corpus.Record, error], o Options) (Summary, error) {
	began := time.Now()
	im := &run{into: into, o: o, models: tables.Models{}, summary: Summary{Errors: []corpus.Fault{}}}
	if im.o.Batch <= 0 {
		im.o.Batch = batchMessages
	}
	if im.o.Log == nil {
		im.o.Log = slog.New(slog.DiscardHandler)
	}
	err := im.open(ctx)
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

// run is a running import.
type run struct {
	o       Options
	conn    *pgx.Conn
	models  tables.Models
	users   authorCache
	summary Summary
	// staged reports whether the temporary tables for known messages exist.
	staged bool
	// orphans reports whether there may be orphans.
	orphans   bool
	rows      tableRows        // reused memory
	update    *counters.Update // of the current transaction
	late      events.Late      // of the current transaction
	into      Importer
	knownRows tableRows
	current   *batch // the one that apply imports
	// versions reports whether messages came in several versions in one import, and
	// written holds the transactions of this one.
	versions bool
	written  map[int64]bool
	deriver  derived.Deriver
}

// run reads ahead in a goroutine and imports the batches.
func (im *run) run(ctx context.Context, records iter.Seq2[*corpus.Record, error]) error {
	ahead := readAhead(ctx, records)
	defer ahead.stop()
	batch := newBatch()
	flush := func() error {
		if err := im.commit(ctx, batch); err != nil {
			return err
		}
		ahead.release(batch.weight)
		batch = newBatch()
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

// commit imports a batch in one transaction. It retries after a conflict with
// concurrent writes.
func (im *run) commit(ctx context.Context, b *batch) error {
	if len(b.items) == 0 {
		return nil
	}
	var done Summary
	if err := db.Retry(ctx, func() (err error) {
		done, err = im.attempt(ctx, func(tx pgx.Tx, done *Summary) error { return im.apply(ctx, tx, b, done) })
		return err
	}); err != nil {
		return fmt.Errorf("the lines before %s are imported; import the same files again to continue: %w", b.begins(), err)
	}
	im.summary.add(done)
	if im.o.Progress != nil {
		im.o.Progress(im.summary)
	}
	return nil
}

// attempt runs work in a transaction and updates the counters. On failure it
// resets the caches.
func (im *run) attempt(ctx context.Context, work func(pgx.Tx, *Summary) error) (Summary, error) {
	var done Summary
	var id int64 // of the transaction
	staged, orphans := im.staged, im.orphans
	err := pgx.BeginFunc(ctx, im.conn, func(tx pgx.Tx) error {
		var err error
		if im.update, err = counters.Begin(ctx, tx, im.into.Rules); err != nil {
			return err
		}
		im.update.CountLanguages = true
		im.late = events.Late{}
		if err := work(tx, &done); err != nil || im.o.DryRun {
			return err
		}
		if err := tx.QueryRow(ctx, `SELECT pg_current_xact_id()::xid::text::bigint`).Scan(&id); err != nil {
			return fmt.Errorf("read the transaction's id: %w", err)
		}
		batch := &pgx.Batch{}
		if err := im.update.Settle(ctx, tx, batch, im.into.Now()); err != nil {
			return fmt.Errorf("count signals: %w", err)
		}
		im.into.Publisher.Announce(batch, im.update.Changed)
		im.late.Queue(batch, im.into.Now())
		if err := db.SendBatch(ctx, tx, batch); err != nil {
			return fmt.Errorf("count signals: %w", err)
		}
		return nil
	})
	if im.update != nil {
		im.into.Publisher.Mark(im.update.Changed)
	}
	if err != nil {
		im.staged, im.orphans = staged, orphans
		im.models.Forget()
		im.users.forget()
		return done, err
	}
	im.written[id] = true
	return done, nil
}
