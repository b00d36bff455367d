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
	"treewarden/store/tables"
)

// What one transaction of an import takes at most. More would not be faster,
// and would lose more when the program is killed.
const (
	batchMessages = 10_000
	batchBytes    = 32 << 20
)

// analyzedFrom is how many new messages make it worth while to count the
// tables for the planner at once, instead of when the server comes round to it.
const analyzedFrom = 2000

// Options says how to import.
type Options struct {
	// DryRun reads and checks everything and writes nothing.
	DryRun bool
	// Batch is how many messages a transaction takes at most; 0 is 10,000.
	Batch int
	// Log is told what takes long; nil is silent.
	Log *slog.Logger
	// Progress is called after each batch with what was done until then.
	Progress func(Summary)
}

// Importer is what an import works with.
type Importer struct {
	// Connection is how the import reaches the database: by one of its own.
	Connection *pgx.ConnConfig
	Now        func() time.Time
	Threshold  *counters.Threshold
	Publisher  counters.Publisher
}

// Run takes records in. On an error, the summary tells what was committed until
// then.
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

// run is one import under way.
type run struct {
	o       Options
	conn    *pgx.Conn
	models  tables.Models
	users   authorCache
	summary Summary
	// staged says that this session has its tables for known messages.
	staged bool
	// orphans says that there may be messages that wait for their parent.
	orphans   bool
	rows      tableRows        // memory that is used again
	update    *counters.Update // of the transaction under way
	into      Importer
	knownRows tableRows
}

// run reads ahead in a goroutine and takes in batch by batch.
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

// commit takes a batch in, in one transaction. Somebody else who wrote the
// same rows at the same moment makes it begin again.
func (im *run) commit(ctx context.Context, b *batch) error {
	if len(b.items) == 0 {
		return nil
	}
	var done Summary
	if err := db.Retry(ctx, func() (err error) {
		done, err = im.attempt(ctx, func(tx pgx.Tx, done *Summary) error { return im.apply(ctx, tx, b, done) })
		return err
	}); err != nil {
		return fmt.Errorf("lines before %s are in; import the same files again to go on: %w", b.begins(), err)
	}
	im.summary.add(done)
	if im.o.Progress != nil {
		im.o.Progress(im.summary)
	}
	return nil
}

// attempt runs work in a transaction, has the counters of signals follow, and
// forgets on failure what it learnt.
func (im *run) attempt(ctx context.Context, work func(pgx.Tx, *Summary) error) (Summary, error) {
	var done Summary
	staged, orphans := im.staged, im.orphans
	err := pgx.BeginFunc(ctx, im.conn, func(tx pgx.Tx) error {
		var err error
		if im.update, err = counters.Begin(ctx, tx, im.into.Threshold); err != nil {
			return err
		}
		im.update.CountLanguages = true
		if err := work(tx, &done); err != nil || im.o.DryRun {
			return err
		}
		batch := &pgx.Batch{}
		if err := im.update.Settle(ctx, tx, batch, im.into.Now()); err != nil {
			return fmt.Errorf("count signals: %w", err)
		}
		im.into.Publisher.Announce(batch, im.update.Changed)
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
	}
	return done, err
}
