package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"treewarden/scoring"
	"treewarden/scoring/classifier/config"
	"treewarden/scoring/classifier/guard"
	"treewarden/scoring/classifier/linear"
	"treewarden/store"
	"treewarden/store/classify"
	"treewarden/store/messages"
)

// measureClassify runs the embedded classifier over texts alone, on one core and on all,
// and then over all messages of the database, as "classify --missing" does.
func (b *bench) measureClassify(ctx context.Context) (err error) {
	const leastOnOneCore, leastOfPure = 25_000, 0.5
	texts, err := column[string](ctx, b.ours, "SELECT text FROM messages ORDER BY tree_id, message_id LIMIT 50000")
	if err != nil {
		return err
	}
	// A server would count the figures of the collection anew meanwhile, which takes a core.
	b.web.stop()
	b.web = nil
	defer func() {
		if err == nil {
			b.web, err = startProgram(ctx, b.folder, b.url)
		}
	}()
	model := linear.Default()
	one, err := b.pure(ctx, model, texts, 1)
	if err != nil {
		return err
	}
	b.add(row{Figure: "embedded classifier, messages a second on one core", Ours: fmt.Sprintf("%.0f/s", one),
		Target: fmt.Sprintf("≥ %d/s", leastOnOneCore), Holds: verdictOf(one >= leastOnOneCore), How: "linear.Model.Classify"})
	if err := b.removeEmbedded(ctx); err != nil {
		return err
	}
	cores := runtime.GOMAXPROCS(0)
	before, err := b.pure(ctx, model, texts, cores)
	if err != nil {
		return err
	}
	access, err := b.store.Classifiers(store.CommandLine)
	if err != nil {
		return err
	}
	began := time.Now()
	done, err := access.Run(ctx, embeddedModel(), classify.Options{Missing: true})
	if err != nil {
		return err
	}
	ours := float64(done.Done) / time.Since(began).Seconds()
	after, err := b.pure(ctx, model, texts, cores)
	if err != nil {
		return err
	}
	figure := fmt.Sprintf("classify all %d messages, a second, against the pure classifier on all cores", done.Done)
	b.rate(figure, (before+after)/2, ours, leastOfPure, "classify.Runner.Run, as classify --missing; "+
		"linear.Model.Classify on as many goroutines as cores, before and after it")
	return b.measureRemote(ctx, access)
}

// embeddedModel is the embedded classifier as "classify --missing" runs it.
func embeddedModel() classify.Model {
	cores := runtime.GOMAXPROCS(0)
	return classify.Model{Name: scoring.EmbeddedClassifier, Toxicity: "toxicity", Batch: 2048, Workers: cores + 1,
		Guard: guard.New(linear.Default(), guard.Options{Batch: 256, Parallel: cores})}
}

// removeEmbedded removes the outputs of the embedded classifier that do not count: the
// generated messages have outputs of another one.
func (b *bench) removeEmbedded(ctx context.Context) error {
	_, err := b.ours.Exec(ctx, `DELETE FROM classifier_outputs o USING classifier_models c
		WHERE c.model_id = o.model_id AND c.name = $1 AND EXISTS (SELECT FROM classifier_outputs a
			WHERE a.tree_id = o.tree_id AND a.message_id = o.message_id AND a.model_id <> o.model_id
				AND a.toxicity IS NOT NULL)`, scoring.EmbeddedClassifier)
	return err
}

// measureRemote measures how busy a run keeps a classifier behind a server that takes
// 50 ms for each batch and 4 requests at once.
func (b *bench) measureRemote(ctx context.Context, access classify.Access) error {
	const (
		name     = "bench-remote"
		pause    = 50 * time.Millisecond
		parallel = 4
		leastOf  = 0.95
	)
	var requests, texts atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Texts []string }
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		time.Sleep(pause)
		scores := make([]map[string]float64, len(asked.Texts))
		for i := range scores {
			scores[i] = map[string]float64{"toxicity": 0.5, "insult": 0.25, "threat": 0.125}
		}
		requests.Add(1)
		texts.Add(int64(len(scores)))
		_ = json.NewEncoder(w).Encode(map[string]any{"scores": scores})
	}))
	defer server.Close()
	chosen, err := config.Parse(strings.NewReader(fmt.Sprintf(`{"embedded": false, "classifiers": [
		{"name": %q, "kind": "plain", "url": %q, "parallel": %d, "toxicity": ""}]}`, name, server.URL, parallel)))
	if err != nil {
		return err
	}
	built, err := config.Build(chosen, nil)
	if err != nil {
		return err
	}
	m := classify.Model{Name: name, Guard: built[0].Guard, Batch: built[0].Limits.Batch, Workers: 2 * parallel}
	length := max(time.Duration(float64(20*time.Second)*b.effort), time.Second)
	running, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	began := time.Now()
	_, err = access.Run(running, m, classify.Options{Missing: true})
	seconds := time.Since(began).Seconds()
	if err != nil && (running.Err() == nil || ctx.Err() != nil) {
		return fmt.Errorf("classify by a server: %w", err)
	}
	b.rate(fmt.Sprintf("requests a second to a server of %v a batch, %d at once, of those it can answer", pause, parallel),
		parallel/pause.Seconds(), float64(requests.Load())/seconds, leastOf,
		fmt.Sprintf("classify.Runner.Run, kind plain, batches of %d: %.0f messages a second", m.Batch,
			float64(texts.Load())/seconds))
	_, err = b.ours.Exec(ctx, `DELETE FROM classifier_outputs o USING classifier_models c
		WHERE c.model_id = o.model_id AND c.name = $1`, name)
	return err
}

// measureBesideClassify measures ingest and boards while the embedded classifier runs
// over all messages, on half of the processors as serve runs it.
func (b *bench) measureBesideClassify(ctx context.Context) (err error) {
	idle, err := b.repeat(2000, 5*time.Second, func(int) error { return b.readBoard(ctx) })
	if err != nil {
		return err
	}
	if err := b.removeEmbedded(ctx); err != nil {
		return err
	}
	access, err := b.store.Classifiers(store.CommandLine)
	if err != nil {
		return err
	}
	// The plain rows of new messages have no counts, and are removed in the end: no output
	// of theirs may count.
	now := time.Now()
	all := classify.Options{Filter: &messages.Filter{Deleted: "include", Until: &now},
		Workers: max(1, runtime.GOMAXPROCS(0)/2)}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		var err error
		for err == nil {
			_, err = access.Run(running, embeddedModel(), all)
		}
		if running.Err() != nil {
			err = nil
		}
		ended <- err
	}()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()
	busy, err := b.repeat(2000, 20*time.Second, func(int) error { return b.readBoard(ctx) })
	if err != nil {
		return err
	}
	b.atMost("board page while a classifier runs, p99 against its p99 alone", idle.percentile(99), busy.percentile(99), 5,
		"GET "+boardPath+string(scoring.Day)+" beside classify.Runner.Run")
	return b.ingestBeside(ctx, " while a classifier runs")
}

// pure returns how many texts the classifier classifies a second on some goroutines, each
// on its share again and again.
func (b *bench) pure(ctx context.Context, model *linear.Model, texts []string, goroutines int) (float64, error) {
	length := max(time.Duration(float64(3*time.Second)*b.effort), 50*time.Millisecond)
	g, ctx := errgroup.WithContext(ctx)
	var done atomic.Int64
	began := time.Now()
	for i := range goroutines {
		share := texts[len(texts)*i/goroutines : len(texts)*(i+1)/goroutines]
		g.Go(func() error {
			for left := share; time.Since(began) < length; {
				if len(left) == 0 {
					left = share
				}
				n := min(256, len(left))
				if _, err := model.Classify(ctx, left[:n]); err != nil {
					return err
				}
				left = left[n:]
				done.Add(int64(n))
			}
			return nil
		})
	}
	err := g.Wait()
	return float64(done.Load()) / time.Since(began).Seconds(), err
}
