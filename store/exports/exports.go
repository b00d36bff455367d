// Package exports writes the trees and messages of the database to files, and checks
// such files.
package exports

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/corpus"
	"treewarden/corpus/spreadsheet"
	"treewarden/store/chain"
	"treewarden/store/db"
	"treewarden/store/versions"
)

// The numbers of trees and messages that are read at once. Memory depends on them and
// on the largest tree, not on the size of the database.
const (
	treesAtOnce    = 1000
	messagesAtOnce = 2000
)

// Access is somebody's access to exports. The package store makes it for actors who may
// export.
type Access struct {
	Pool *pgxpool.Pool
	Now  func() time.Time
	By   string // the name of the actor
}

// Options are the options of an export.
type Options struct {
	Filters
	File    string // the name in the manifest
	Gzip    bool   // not with Parquet, which is compressed in itself
	Program string // the version of the program
	// Progress is called now and then with the messages that were looked at, and all.
	Progress func(done, total int64)
}

// Checked returns the filters with their defaults, or a db.BadParameter.
func (o Options) Checked() (Filters, error) {
	f, err := o.Filters.Checked()
	if err == nil && o.Gzip && f.Format == Parquet {
		err = wrong("format", "a Parquet file is compressed in itself, and not once more: choose a name that does not end "+
			"with .gz.")
	}
	return f, err
}

// Write writes a file and returns its manifest. All of it is one snapshot of the
// database. The same filters give the same bytes until the database changes.
func (a Access) Write(ctx context.Context, to io.Writer, o Options) (Manifest, error) {
	f, err := o.Checked()
	if err != nil {
		return Manifest{}, err
	}
	m := Manifest{File: o.File, Format: f.Format, Gzip: o.Gzip, Filters: f, Program: "treewarden " + o.Program, By: a.By}
	out := newOutput(to, o.Gzip)
	file := newEncoder(f.Format, out)
	err = a.inSnapshot(ctx, func(tx pgx.Tx) error {
		m.At = a.Now().UTC().Truncate(time.Microsecond)
		if m.Log, err = chain.End(ctx, tx); err != nil {
			return fmt.Errorf("read the end of the log: %w", err)
		}
		formula, err := versions.Formula.InForce(ctx, tx)
		if err != nil {
			return fmt.Errorf("read the formula: %w", err)
		}
		m.Formula = Formula{formula.Name, formula.Version}
		r := run{tx: tx, f: f, m: &m, progress: o.Progress, each: file.write}
		if err := file.begin(); err != nil {
			return err
		}
		if err := r.all(ctx); err != nil {
			return err
		}
		return file.end()
	})
	ended := out.end()
	if err == nil {
		err = ended
	}
	if err != nil {
		return m, fmt.Errorf("export: %w", err)
	}
	m.SHA256, m.Bytes = out.sum(), out.size
	return m, nil
}

// inSnapshot runs do in one snapshot of the database, however long it takes.
func (a Access) inSnapshot(ctx context.Context, do func(tx pgx.Tx) error) error {
	return db.InSnapshot(ctx, a.Pool, func(tx pgx.Tx) error {
		for _, sql := range []string{
			"SET LOCAL statement_timeout = 0", "SET LOCAL idle_in_transaction_session_timeout = 0",
		} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return do(tx)
	})
}

// run is one pass over the database in its snapshot.
type run struct {
	tx       pgx.Tx
	f        Filters
	m        *Manifest // its counts, lists and what is not held are filled in
	each     func(record *corpus.Record) error
	progress func(done, total int64)

	reader     *reader
	anonymizer *anonymizer
	losses     []loss
	left       int64 // messages that were left out
	reported   time.Time
}

// all goes over all trees in the order of their ids.
func (r *run) all(ctx context.Context) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	steps, stop := make(chan step, 1), make(chan struct{})
	go r.readAhead(ctx, steps, stop)
	last, full, err := r.some(steps)
	close(stop)
	for range steps { // the connection is free again when the reader has ended
	}
	if err == nil && full {
		err = r.leaveRest(ctx, last)
	}
	if err != nil {
		return err
	}
	if r.m.Out.Messages+r.left != r.m.In.Messages {
		return fmt.Errorf("%d messages of %d were counted; the tables were changed outside this program",
			r.m.Out.Messages+r.left, r.m.In.Messages)
	}
	for i := range r.losses {
		if l := &r.losses[i]; l.rows > 0 {
			r.m.NotHeld = append(r.m.NotHeld, l.String())
		}
	}
	return nil
}

// step is what is read at once.
type step struct {
	trees []tree
	batch *batch
	err   error
}

// readAhead reads trees with their messages, while others are written, until stop is
// closed.
func (r *run) readAhead(ctx context.Context, steps chan<- step, stop <-chan struct{}) {
	defer close(steps)
	send := func(s step) bool {
		select {
		case steps <- s:
			return s.err == nil
		case <-stop:
			return false
		}
	}
	for after := uuid.Nil; ; {
		trees, err := readTrees(ctx, r.tx, after, treesAtOnce)
		if err != nil {
			send(step{err: fmt.Errorf("read trees: %w", err)})
			return
		}
		if len(trees) == 0 {
			return
		}
		after = trees[len(trees)-1].id
		for len(trees) > 0 {
			n := r.together(trees)
			if !send(r.read(ctx, trees[:n])) {
				return
			}
			trees = trees[n:]
		}
	}
}

// begin counts what there is and prepares the queries.
func (r *run) begin(ctx context.Context) (err error) {
	r.m.LeftOut = LeftOut{Trees: map[string]int64{}, Messages: map[string]int64{}}
	r.m.Languages, r.m.Roles = Numbers{}, Numbers{}
	r.losses = lossesOf(r.f.Format)
	r.anonymizer = newAnonymizer(r.f.Seed)
	if err := r.tx.QueryRow(ctx, "SELECT (SELECT count(*) FROM trees), (SELECT count(*) FROM messages)").
		Scan(&r.m.In.Trees, &r.m.In.Messages); err != nil {
		return fmt.Errorf("count messages: %w", err)
	}
	if err := r.f.findUser(ctx, r.tx); err != nil {
		return err
	}
	var ids []uuid.UUID
	if r.m.Lists, ids, err = findLists(ctx, r.tx, r.f.WithoutList); err != nil {
		return err
	}
	if r.m.NotHeld, err = r.f.notHeld(ctx, r.tx); err != nil {
		return err
	}
	r.reader, err = newReader(ctx, r.tx, r.f, ids)
	return err
}

// together returns how many of the next trees are read at once.
func (r *run) together(trees []tree) int {
	messages := 0
	for i := range trees {
		if r.f.treeReason(&trees[i]) == "" {
			messages += trees[i].messages
		}
		if messages >= messagesAtOnce {
			return i + 1
		}
	}
	return len(trees)
}

// read reads the messages of some trees.
func (r *run) read(ctx context.Context, trees []tree) step {
	var ids []uuid.UUID
	for i := range trees {
		if r.f.treeReason(&trees[i]) == "" {
			ids = append(ids, trees[i].id)
		}
	}
	b, err := r.reader.messages(ctx, ids)
	if err != nil {
		err = fmt.Errorf("read messages: %w", err)
	}
	return step{trees, b, err}
}

// some goes over the trees that were read, and returns the last one. full reports that
// the limit was reached.
func (r *run) some(steps <-chan step) (last uuid.UUID, full bool, err error) {
	for s := range steps {
		if s.err != nil {
			return last, false, s.err
		}
		for i := range s.trees {
			t := &s.trees[i]
			last = t.id
			if why := r.f.treeReason(t); why != "" {
				r.leave(why, 1, int64(t.messages))
			} else if err := r.tree(t, s.batch.trees[t.id]); err != nil {
				return last, false, err
			}
			if r.f.Limit > 0 && r.m.Out.Trees == int64(r.f.Limit) {
				return last, true, nil
			}
		}
		r.report()
	}
	return last, false, nil
}

// leave counts trees that are left out as a whole.
func (r *run) leave(why string, trees, messages int64) {
	if trees > 0 {
		r.m.LeftOut.Trees[why] += trees
	}
	if messages > 0 {
		r.m.LeftOut.Messages[why] += messages
		r.left += messages
	}
}

// leaveRest counts the trees after the last one.
func (r *run) leaveRest(ctx context.Context, after uuid.UUID) error {
	var trees, messages int64
	if err := r.tx.QueryRow(ctx, `SELECT (SELECT count(*) FROM trees WHERE tree_id > $1),
		(SELECT count(*) FROM messages WHERE tree_id > $1)`, after).Scan(&trees, &messages); err != nil {
		return fmt.Errorf("count the trees beyond the limit: %w", err)
	}
	r.leave(overLimit, trees, messages)
	return nil
}

// tree writes what is kept of a tree.
func (r *run) tree(t *tree, nodes []node) error {
	if len(nodes) == 0 {
		r.leave(noMessage, 1, 0)
		return nil
	}
	done := r.f.choose(nodes)
	for why, n := range done.leftOut {
		r.leave(why, 0, n)
	}
	if len(done.messages) == 0 {
		r.leave(noneKept, 1, 0)
		return nil
	}
	r.m.Out.Trees++
	r.m.Out.Messages += int64(len(done.messages))
	r.m.Blanked += done.blanked
	about := corpus.Tree{
		ID: &t.id, State: &t.state, Origin: t.origin,
		GoalTreeSize: t.goal, MaxDepth: t.maxDepth, MaxChildrenCount: t.maxChildren,
	}
	if r.f.Format == Trees {
		return r.write(&corpus.Record{Prompt: true, Tree: about, Messages: done.messages})
	}
	for i := range done.messages {
		one := corpus.Record{Tree: about, Messages: done.messages[i : i+1]}
		one.Messages[0].Depth = 0
		if one.Messages[0].ParentID != nil { // what is only about the tree stands beside its prompt
			one.Tree = corpus.Tree{ID: about.ID, State: about.State}
		}
		if err := r.write(&one); err != nil {
			return err
		}
	}
	return nil
}

// write passes a record on, and counts what is in it.
func (r *run) write(record *corpus.Record) error {
	if err := r.anonymizer.record(record); err != nil {
		return err
	}
	r.m.Out.Lines++
	for i := range record.Messages {
		lang := record.Messages[i].Lang
		if lang != nil && r.f.Format == CSV { // it counts as it is in the file
			lang = new(spreadsheet.Defuse(*lang))
		}
		r.m.Languages.add(lang)
		r.m.Roles.add(&record.Messages[i].Role)
	}
	for i := range r.losses {
		if r.losses[i].Of(record) {
			r.losses[i].rows++
		}
	}
	return r.each(record)
}

// report reports progress, at most ten times a second.
func (r *run) report() {
	if r.progress != nil && time.Since(r.reported) > 100*time.Millisecond {
		r.reported = time.Now()
		r.progress(r.m.Out.Messages+r.left, r.m.In.Messages)
	}
}
