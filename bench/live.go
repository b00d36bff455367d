package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
)

// measureSignal times one signal: until the board shows it, and its cost.
func (b *bench) measureSignal(ctx context.Context) error {
	w, err := b.watchSomebody(ctx)
	if err != nil {
		return err
	}
	idle, err := b.repeat(200, 30*time.Second, func(int) error { return w.shown(ctx) })
	if err != nil {
		return err
	}
	how := "POST /api/v1/ingest, then GET " + w.path + " until it shows"
	b.within("one label shows on the board, idle, p50", idle.median(), 0, how)
	b.within("one label shows on the board, idle, p99", idle.percentile(99), 50*time.Millisecond, how)

	// In turns, so that a change in the machine's speed affects both.
	var plain, ours spans
	var left submissions
	bare, sending := w.collector.half(0), w.collector.half(1)
	for range b.count(300) {
		row, line := bare.submit("label"), lines(sending.submit("label"))
		left = append(left, row)
		began := time.Now()
		if err := pgx.BeginFunc(ctx, b.ours, func(tx pgx.Tx) error { return submissions{row}.plain(ctx, tx) }); err != nil {
			return err
		}
		half := time.Now()
		if done, err := b.store.Ingest(ctx, store.CommandLine, line); err != nil || done.Accepted != 1 {
			return fmt.Errorf("ingest one line: %+v, %w", done, err)
		}
		plain, ours = append(plain, half.Sub(began)), append(ours, time.Since(half))
	}
	b.atMost("cost of one signal, p50, against a plain insert of its row", plain.median(), ours.median(), 2,
		"store.Ingest, one label a call; INSERT INTO label_votes in a transaction")
	return left.remove(ctx, b)
}

// signalRate is the number of signals per second under load, in batches.
const (
	signalRate  = 500
	signalBatch = 50
	readers     = 4
)

// measureUnderLoad times how soon the board shows one signal while many others
// come in and clients read boards.
func (b *bench) measureUnderLoad(ctx context.Context) error {
	crowd, err := b.newCollector(ctx) // first, so that it does not use the watched user
	if err != nil {
		return err
	}
	w, err := b.watchSomebody(ctx)
	if err != nil {
		return err
	}
	length := max(time.Duration(float64(20*time.Second)*b.effort), time.Second)
	loaded, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var wait sync.WaitGroup
	var sent, pages atomic.Int64
	var failed atomic.Pointer[error]
	try := func(do func() error) {
		if err := do(); err != nil {
			failed.Store(&err)
			cancel()
		}
	}
	began := time.Now()
	wait.Go(func() { b.sendSteadily(ctx, loaded.Done(), crowd, &sent, try) })
	for i := range readers {
		wait.Go(func() {
			for n := i; loaded.Err() == nil; n++ {
				try(func() error {
					pages.Add(1)
					return b.web.get(ctx, b.keys[policy.Admin], boardPath+string(scoring.Windows[n%len(scoring.Windows)]), nil)
				})
			}
		})
	}
	var took spans
	for loaded.Err() == nil {
		start := time.Now()
		err := w.shown(ctx) // without the limit, so that the last one finishes
		if err != nil {
			failed.Store(&err)
			break
		}
		took = append(took, time.Since(start))
	}
	cancel()
	seconds := time.Since(began).Seconds()
	wait.Wait()
	if p := failed.Load(); p != nil {
		return *p
	}
	how := fmt.Sprintf("as above, with %d signals a second by ingest in batches of %d and %d clients reading boards",
		signalRate, signalBatch, readers)
	b.within("one label shows on the board, under load, p50", took.median(), 0, how)
	b.within("one label shows on the board, under load, p99", took.percentile(99), time.Second, how)
	rate := float64(sent.Load()) / seconds
	b.add(row{Figure: "signals a second meanwhile", Ours: fmt.Sprintf("%.0f/s", rate),
		Target: fmt.Sprintf("%d/s", signalRate), Holds: verdictOf(rate >= 0.95*signalRate),
		How: fmt.Sprintf("and %.0f board pages a second", float64(pages.Load())/seconds)})
	return nil
}

// sendSteadily ingests batches at a steady rate, with a limit on concurrent
// ones. It returns after stop, when the running batches are done.
func (b *bench) sendSteadily(ctx context.Context, stop <-chan struct{}, c *collector, sent *atomic.Int64,
	try func(func() error)) {
	var wait sync.WaitGroup
	defer wait.Wait()
	room := make(chan bool, 4)
	tick := time.NewTicker(time.Second * signalBatch / signalRate)
	defer tick.Stop()
	for {
		batch := make([]submission, signalBatch)
		for i := range batch {
			batch[i] = c.submit([]string{"label", "reaction"}[i%2])
		}
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		room <- true
		wait.Go(func() {
			try(func() error {
				err := b.web.ingest(ctx, b.keys[policy.Collector], lines(batch...))
				if err == nil {
					sent.Add(signalBatch)
				}
				return err
			})
			<-room
		})
	}
}

// watched is a user of the board whose row is observed.
type watched struct {
	bench     *bench
	collector *collector
	user      uuid.UUID
	path      string
	message   placed      // the user's newest one, which gets the labels
	raters    []uuid.UUID // who did not label it yet
	spam      int64
}

// watchSomebody makes a user, by ingest.
func (b *bench) watchSomebody(ctx context.Context) (*watched, error) {
	c, err := b.newCollector(ctx)
	if err != nil {
		return nil, err
	}
	id, name := uuid.New(), "Watched "+c.run
	line := fmt.Sprintf(`{"type": "user", "id": "bench-%s-user", "user_id": %q, `+
		`"display_name": %[3]q, "auth_method": "email", "username": %[3]q}`, c.run, id, name)
	if err := b.web.ingest(ctx, b.keys[policy.Collector], []byte(line)); err != nil {
		return nil, err
	}
	path := "/api/v1/trollboard?status=all&q=" + url.QueryEscape(name)
	w := &watched{bench: b, collector: c, user: id, path: path}
	return w, w.write(ctx)
}

// write makes a message of the user, which everybody else can label once.
func (w *watched) write(ctx context.Context) error {
	id := uuid.New()
	line := fmt.Sprintf(`{"type": "message", "id": "bench-%s", "message_id": %[1]q, "user_id": %[2]q, `+
		`"role": "prompter", "text": "Look at me", "lang": "en"}`, id, w.user)
	if err := w.bench.web.ingest(ctx, w.bench.keys[policy.Collector], []byte(line)); err != nil {
		return err
	}
	w.message = placed{Tree: id, Message: id, Author: w.user, Role: "prompter"}
	seen := map[uuid.UUID]bool{w.user: true}
	for _, m := range w.collector.around {
		if !seen[m.Author] {
			seen[m.Author] = true
			w.raters = append(w.raters, m.Author)
		}
	}
	if len(w.raters) == 0 {
		return errors.New("nobody can label the watched message")
	}
	w.collector.random.Shuffle(len(w.raters), func(i, j int) { w.raters[i], w.raters[j] = w.raters[j], w.raters[i] })
	return nil
}

var errUnseen = errors.New("the signal did not show within a minute")

// shown sends one label and reads the board until the row includes it.
func (w *watched) shown(ctx context.Context) error {
	if len(w.raters) == 0 {
		if err := w.write(ctx); err != nil {
			return err
		}
	}
	s := w.collector.submit("label")
	s.about, s.user, w.raters = w.message, w.raters[0], w.raters[1:]
	if err := w.bench.web.ingest(ctx, w.bench.keys[policy.Collector], lines(s)); err != nil {
		return err
	}
	w.spam++
	for began := time.Now(); time.Since(began) < time.Minute; {
		var board struct {
			Items []struct {
				Spam int64 `json:"spam"`
			} `json:"items"`
		}
		if err := w.bench.web.get(ctx, w.bench.keys[policy.Admin], w.path, &board); err != nil {
			return err
		}
		if len(board.Items) == 1 && board.Items[0].Spam == w.spam {
			return nil
		}
	}
	return errUnseen
}
