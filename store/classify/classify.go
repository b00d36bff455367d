// Package classify runs classifiers over messages and keeps their outputs beside the
// messages. New and edited messages are queued by the transactions that write their texts,
// and a background worker takes them from there; a run goes over the messages that are there.
package classify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/scoring/classifier"
	"treewarden/scoring/classifier/guard"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/tables"
)

// Model is a classifier that this process runs.
type Model struct {
	Name  string
	Guard *guard.Guard
	// Toxicity is the output that may count as toxicity; empty is none, such as of a reward
	// model.
	Toxicity  string
	Languages []string // that it is run on, with their varieties; empty is all
	// Batch is the number of messages that are read, classified and written together, and
	// Workers the number of such batches at once that keep the classifier busy.
	Batch, Workers int
}

// stored returns the name under which an output is stored. An output named toxicity that may
// not count gets another name: by that one it would count after an export and an import.
func (m Model) stored(output string) string {
	if output == classifier.Toxicity && m.Toxicity != output {
		return "toxicity_score"
	}
	return output
}

// Runner runs classifiers on a database.
type Runner struct {
	Pool      *pgxpool.Pool
	Now       func() time.Time
	Rules     *counters.RuleCache
	Publisher counters.Publisher

	mu    sync.Mutex
	known map[string]*tables.Model
}

// Register makes the given models the active ones: new and edited messages are queued for
// them and no longer for others.
func (r *Runner) Register(ctx context.Context, models []Model) error {
	names := make([]string, len(models))
	for i, m := range models {
		names[i] = m.Name
	}
	return db.Translate(db.Retry(ctx, func() error {
		return pgx.BeginFunc(ctx, r.Pool, func(tx pgx.Tx) error {
			for _, m := range models {
				languages := make([]string, len(m.Languages))
				for i, l := range m.Languages {
					languages[i] = strings.ToLower(l)
				}
				if _, err := tables.RegisterModel(ctx, tx, m.Name, nil, false); err != nil {
					return err
				}
				if _, err := tx.Exec(ctx, `UPDATE classifier_models SET active = true, languages = $2
					WHERE name = $1 AND (active, languages) IS DISTINCT FROM (true, $2)`, m.Name, languages); err != nil {
					return err
				}
			}
			_, err := tx.Exec(ctx, "UPDATE classifier_models SET active = false WHERE active AND name <> ALL ($1)", names)
			if err == nil {
				_, err = tx.Exec(ctx, `DELETE FROM classifier_queue q USING classifier_models c
					WHERE c.model_id = q.model_id AND NOT c.active`)
			}
			return err
		})
	}))
}

// model returns the row of a model that has some outputs. It is added if it is missing.
func (r *Runner) model(ctx context.Context, name string, outputs []string) (*tables.Model, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.known[name]; known != nil && has(known, outputs) {
		return known, nil
	}
	var model *tables.Model
	if err := db.Retry(ctx, func() error {
		return pgx.BeginFunc(ctx, r.Pool, func(tx pgx.Tx) (err error) {
			model, err = tables.RegisterModel(ctx, tx, name, outputs, false)
			return err
		})
	}); err != nil {
		return nil, fmt.Errorf("register the outputs of model %q: %w", name, err)
	}
	if r.known == nil {
		r.known = map[string]*tables.Model{}
	}
	r.known[name] = model
	return model, nil
}

// has reports whether a model has some outputs.
func has(model *tables.Model, outputs []string) bool {
	return !slices.ContainsFunc(outputs, func(name string) bool {
		_, there := model.At[name]
		return !there
	})
}

// message is a message as a classifier saw it.
type message struct {
	tree, id uuid.UUID
	version  int
	text     string
}

// classify returns the scores of messages, and the messages that the classifier refuses
// with its reasons. With another error, none is known.
func (m Model) classify(ctx context.Context, messages []message) (good []scored, refused []refusal, err error) {
	texts := make([]string, len(messages))
	for i := range messages {
		texts[i] = messages[i].text
	}
	results, err := m.Guard.Each(ctx, texts)
	if err != nil {
		return nil, nil, err
	}
	for i, result := range results {
		if result.Err != nil {
			refused = append(refused, refusal{messages[i], result.Err.Error()})
		} else {
			good = append(good, scored{message: messages[i], scores: result.Scores})
		}
	}
	return good, refused, nil
}

// scored is a message with its outputs.
type scored struct {
	message
	scores classifier.Scores
	// These are set by arrange.
	ordered  []*float64 // in the order of the model's outputs; nil for one that is missing
	toxicity *float64   // what may count as toxicity, or nil
}

// refusal is a message that a classifier refuses.
type refusal struct {
	message
	why string
}
