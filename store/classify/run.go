package classify

import (
	"context"
	"sync"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"treewarden/corpus/search"
	"treewarden/store/db"
	"treewarden/store/derived"
	"treewarden/store/messages"
)

// Options choose what a run classifies.
type Options struct {
	// Missing leaves out messages that have an output of the model for the text that they
	// have now, and those that it refused.
	Missing bool
	// Lang is a language with its varieties; empty is all.
	Lang string
	// Filter narrows further. Its line has filters only, no words to search for.
	Filter *messages.Filter
	// Limit is the maximum number of messages; 0 is all.
	Limit int64
	// Workers is the number of batches at once; 0 is as many as keep the model busy.
	Workers int
	// Progress is called with the numbers so far, by one goroutine at a time.
	Progress func(Progress)
}

// Progress counts what a run has done.
type Progress struct {
	Done    int64 `json:"done"`    // messages with a new output
	Refused int64 `json:"refused"` // messages that the classifier refused
	// Skipped are messages that changed while they were classified, and those whose output
	// came from outside, which is never overwritten.
	Skipped int64 `json:"skipped"`
	// Parts are those of the collection that are done, of AllParts.
	Parts    int `json:"parts"`
	AllParts int `json:"all_parts"`
}

// parts is the number of parts of a collection, by the first byte of the tree's id.
const parts = 256

// lockClass is the first key of the advisory locks of parts, less the model's id.
const lockClass = 0x636c0000

// Run classifies messages that are there. It may be stopped at any time: what is written
// stays, and a run with Missing goes on with the rest. Runs of several processes share the
// work: a part that another one is at is left to it.
func (r *Runner) Run(ctx context.Context, m Model, o Options) (Progress, error) {
	model, err := r.model(ctx, m.Name, nil)
	if err != nil {
		return Progress{}, db.Translate(err)
	}
	w := &run{runner: r, model: m, id: model.ID, o: o, left: o.Limit, all: Progress{AllParts: parts}}
	w.back = sync.NewCond(&w.mu)
	if _, _, err := w.page(message{}, 0, 1); err != nil {
		return Progress{}, err
	}
	if w.locks, err = db.Acquire(ctx, r.Pool); err != nil {
		return Progress{}, db.Translate(err)
	}
	defer func() {
		w.locks.Conn().Close(context.WithoutCancel(ctx)) // no lock stays, whatever happened
		w.locks.Release()
	}()
	workers := o.Workers
	if workers <= 0 {
		workers = max(m.Workers, 1)
	}
	g, inGroup := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for part := range parts {
		if inGroup.Err() != nil {
			break
		}
		g.Go(func() error { return w.part(inGroup, part) })
	}
	err = g.Wait()
	return w.all, db.Translate(err)
}

// run is a run over the messages that are there.
type run struct {
	runner *Runner
	model  Model
	id     int16
	o      Options

	locking sync.Mutex
	locks   *pgxpool.Conn

	mu   sync.Mutex
	left int64 // of the limit, if there is one
	held int   // workers that may give back some of the limit
	back *sync.Cond
	all  Progress
}

// errWords is the error of a filter with words.
const errWords = db.Malformed("A run of a classifier takes a line of filters, such as lang:de or deleted:only, " +
	"without words to search for.")

// page returns the query for the messages of a part that follow another one, and its
// arguments.
func (w *run) page(last message, part, limit int) (string, []any, error) {
	q := db.Query{Columns: "m.tree_id, m.message_id, m.version, m.text"}
	q.From = "messages m"
	if w.o.Filter != nil {
		q.From += " JOIN trees t ON t.tree_id = m.tree_id"
	}
	model := q.Arg(w.id)
	q.From += ` LEFT JOIN classifier_outputs o
		ON o.tree_id = m.tree_id AND o.message_id = m.message_id AND o.model_id = ` + model
	if w.o.Missing {
		q.Where(`(o.message_id IS NULL OR o.run_here AND ` + derived.StaleSQL + `)
			AND NOT EXISTS (SELECT FROM classifier_failures f WHERE f.model_id = ` + model + `
				AND f.tree_id = m.tree_id AND f.message_id = m.message_id AND f.text_hash = ` + derived.HashSQL("m.text") + ")")
	} else {
		q.Where("coalesce(o.run_here, true)")
	}
	if w.o.Lang != "" {
		q.WithinLanguages("m.lang", []string{w.o.Lang})
	}
	if len(w.model.Languages) > 0 {
		q.WithinLanguages("m.lang", w.model.Languages)
	}
	if f := w.o.Filter; f != nil {
		line, err := search.Parse(f.Q)
		if err == nil && len(line.Groups) > 0 {
			err = errWords
		}
		if err == nil {
			err = f.Narrow(&q)
		}
		if err != nil {
			return "", nil, err
		}
	}
	if last == (message{}) {
		q.Where("m.tree_id >= ?", uuid.UUID{byte(part)})
	} else {
		// The first condition lets any index begin there.
		q.Where("m.tree_id >= ? AND (m.tree_id, m.message_id) > (?, ?)", last.tree, last.tree, last.id)
	}
	if part+1 < parts {
		q.Where("m.tree_id < ?", uuid.UUID{byte(part + 1)})
	}
	sql, args := q.SQL()
	return sql + " ORDER BY m.tree_id, m.message_id LIMIT " + q.Arg(limit), append(args, limit), nil
}

// part classifies the messages of a part, unless another process is at it.
func (w *run) part(ctx context.Context, part int) error {
	free, err := w.lock(ctx, "pg_try_advisory_lock", part)
	if err != nil {
		return err
	}
	if free {
		err = w.pages(ctx, part)
		if _, e := w.lock(context.WithoutCancel(ctx), "pg_advisory_unlock", part); err == nil {
			err = e
		}
	}
	if err == nil {
		w.add(Progress{Parts: 1})
	}
	return err
}

// lock calls a function for the lock of a part. All locks of a run belong to one connection.
func (w *run) lock(ctx context.Context, function string, part int) (done bool, err error) {
	w.locking.Lock()
	defer w.locking.Unlock()
	err = w.locks.QueryRow(ctx, "SELECT "+function+"($1, $2)", lockClass+int32(w.id), part).Scan(&done)
	return done, err
}

// pages classifies the messages of a part, page by page.
func (w *run) pages(ctx context.Context, part int) error {
	var last message
	for {
		limit := w.reserve(w.model.Batch)
		if limit == 0 {
			return nil
		}
		found, err := w.read(ctx, last, part, limit)
		w.giveBack(limit - len(found))
		if err != nil {
			return err
		}
		if len(found) > 0 {
			good, refused, err := w.model.classify(ctx, found)
			if err != nil {
				return err
			}
			written, err := w.runner.write(ctx, w.model, good, refused)
			if err != nil {
				return err
			}
			w.add(Progress{Done: int64(written), Refused: int64(len(refused)), Skipped: int64(len(good) - written)})
			last = found[len(found)-1]
		}
		if len(found) < limit {
			return nil
		}
	}
}

func (w *run) read(ctx context.Context, last message, part, limit int) ([]message, error) {
	sql, args, err := w.page(last, part, limit)
	if err != nil {
		return nil, err
	}
	// A plan for any part would read whole tables for each page.
	rows, err := w.runner.Pool.Query(ctx, sql, append([]any{pgx.QueryExecModeCacheDescribe}, args...)...)
	if err != nil {
		return nil, err
	}
	return collect(rows)
}

// collect reads messages.
func collect(rows pgx.Rows) (all []message, err error) {
	var m message
	_, err = pgx.ForEachRow(rows, []any{&m.tree, &m.id, &m.version, &m.text}, func() error {
		all = append(all, m)
		return nil
	})
	return all, err
}

// reserve takes up to n messages of the limit, and returns 0 if none is left. giveBack must
// follow.
func (w *run) reserve(n int) int {
	if w.o.Limit == 0 {
		return n
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.left == 0 && w.held > 0 {
		w.back.Wait()
	}
	n = int(min(int64(n), w.left))
	if n > 0 {
		w.left -= int64(n)
		w.held++
	}
	return n
}

// giveBack gives back messages of the limit that were not there.
func (w *run) giveBack(n int) {
	if w.o.Limit == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left += int64(n)
	w.held--
	w.back.Broadcast()
}

// add adds to the progress and reports it.
func (w *run) add(p Progress) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all.Done, w.all.Refused, w.all.Skipped = w.all.Done+p.Done, w.all.Refused+p.Refused, w.all.Skipped+p.Skipped
	w.all.Parts += p.Parts
	if w.o.Progress != nil {
		w.o.Progress(w.all)
	}
}
