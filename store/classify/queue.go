package classify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"treewarden/scoring/classifier"
	"treewarden/scoring/classifier/guard"
	"treewarden/store/db"
)

// lease is the time after which a message of the queue is taken again: its process was
// killed, or cannot reach the database.
const lease = 2 * time.Minute

// again is the time after which a message is taken again whose classifier failed.
const again = 10 * time.Second

// Work classifies the queued messages of a model, one batch after the other, until none is
// due or the classifier fails. It is to be run every second, by every process that has the
// model: they share the work. It returns the number of messages that are done.
func (r *Runner) Work(ctx context.Context, m Model) (done int, err error) {
	model, err := r.model(ctx, m.Name, nil)
	if err != nil {
		return 0, db.Translate(err)
	}
	for {
		if s := m.Guard.State(); s.Phase == guard.Open {
			return done, nil
		}
		taken, err := r.take(ctx, model.ID, m.Batch)
		if err != nil || len(taken) == 0 {
			return done, db.Translate(err)
		}
		good, refused, err := m.classify(ctx, taken)
		if err != nil {
			return done, errors.Join(r.putBack(ctx, model.ID, taken, err), err)
		}
		if _, err := r.write(ctx, m, good, refused); err != nil {
			return done, db.Translate(err)
		}
		done += len(taken)
	}
}

// take takes messages that are due from the queue of a model. Nobody else takes them before
// the lease ends.
func (r *Runner) take(ctx context.Context, model int16, limit int) ([]message, error) {
	rows, err := r.Pool.Query(ctx, `WITH due AS (SELECT tree_id, message_id FROM classifier_queue
			WHERE model_id = $1 AND due_at <= now() ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED),
		taken AS (UPDATE classifier_queue q SET due_at = now() + $3::interval FROM due
			WHERE q.model_id = $1 AND q.tree_id = due.tree_id AND q.message_id = due.message_id
			RETURNING q.tree_id, q.message_id)
		SELECT m.tree_id, m.message_id, m.version, m.text FROM taken t
		JOIN messages m ON m.tree_id = t.tree_id AND m.message_id = t.message_id`, model, limit, lease)
	if err != nil {
		return nil, err
	}
	return collect(rows)
}

// putBack makes messages due again after an error of their classifier.
func (r *Runner) putBack(ctx context.Context, model int16, taken []message, cause error) error {
	wait := again
	var asked *classifier.Error
	if errors.As(cause, &asked) {
		wait = max(wait, asked.RetryAfter)
	}
	trees, ids := keys(taken)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if _, err := r.Pool.Exec(ctx, `UPDATE classifier_queue q SET due_at = least(q.due_at, now() + $4::interval)
		FROM `+ofKeys("q"), model, db.IDArray(trees),
		db.IDArray(ids), wait); err != nil {
		return fmt.Errorf("put messages back into the queue of a classifier: %w", err)
	}
	return nil
}
