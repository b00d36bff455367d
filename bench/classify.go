package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"treewarden/scoring"
	"treewarden/scoring/classifier/guard"
	"treewarden/scoring/classifier/linear"
	"treewarden/store"
	"treewarden/store/classify"
)

// measureClassify runs the embedded classifier over texts alone, on one core and on all,
// and then over all messages of the database, as "classify --missing" does.
func (b *bench) measureClassify(ctx context.Context) error {
	const leastOnOneCore, leastOfPure = 25_000, 0.5
	texts, err := column[string](ctx, b.ours, "SELECT text FROM messages ORDER BY tree_id, message_id LIMIT 50000")
	if err != nil {
		return err
	}
	model := linear.Default()
	one, err := pure(ctx, model, texts, 1)
	if err != nil {
		return err
	}
	b.add(row{Figure: "embedded classifier, messages a second on one core", Ours: fmt.Sprintf("%.0f/s", one),
		Target: fmt.Sprintf("≥ %d/s", leastOnOneCore), Holds: verdictOf(one >= leastOnOneCore), How: "linear.Model.Classify"})
	cores := runtime.GOMAXPROCS(0)
	all, err := pure(ctx, model, texts, cores)
	if err != nil {
		return err
	}
	// The generated messages have outputs of another model. Those of the embedded one do not
	// count beside them, and can be removed.
	if _, err := b.ours.Exec(ctx, `DELETE FROM classifier_outputs o USING classifier_models c
		WHERE c.model_id = o.model_id AND c.name = $1 AND EXISTS (SELECT FROM classifier_outputs a
			WHERE a.tree_id = o.tree_id AND a.message_id = o.message_id AND a.model_id <> o.model_id
				AND a.toxicity IS NOT NULL)`, scoring.EmbeddedClassifier); err != nil {
		return err
	}
	access, err := b.store.Classifiers(store.CommandLine)
	if err != nil {
		return err
	}
	m := classify.Model{Name: scoring.EmbeddedClassifier, Toxicity: "toxicity", Batch: 2048, Workers: cores + 1,
		Guard: guard.New(model, guard.Options{Batch: 256, Parallel: cores})}
	began := time.Now()
	done, err := access.Run(ctx, m, classify.Options{Missing: true})
	if err != nil {
		return err
	}
	ours := float64(done.Done) / time.Since(began).Seconds()
	figure := fmt.Sprintf("classify all %d messages, a second, against the pure classifier on all cores", done.Done)
	b.rate(figure, all, ours,
		leastOfPure, "classify.Runner.Run, as classify --missing; linear.Model.Classify on as many goroutines as cores")
	return nil
}

// pure returns how many texts the classifier classifies a second on some goroutines.
func pure(ctx context.Context, model *linear.Model, texts []string, goroutines int) (float64, error) {
	g, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for i := range goroutines {
		share := texts[len(texts)*i/goroutines : len(texts)*(i+1)/goroutines]
		g.Go(func() error {
			for len(share) > 0 {
				n := min(256, len(share))
				if _, err := model.Classify(ctx, share[:n]); err != nil {
					return err
				}
				share = share[n:]
			}
			return nil
		})
	}
	err := g.Wait()
	return float64(len(texts)) / time.Since(began).Seconds(), err
}
