package classify

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
)

// MaxCounted is up to where queued and failed messages are counted. A higher number means
// that there are more.
const MaxCounted = 100_000

// shownFailures is the number of failures of a model that are listed.
const shownFailures = 5

// Status is what the database knows of the classifiers.
type Status struct {
	// AsOf is when the messages were counted, or nil if they never were. The queues and the
	// failures are those of now.
	AsOf   *time.Time
	Models []ModelStatus
	// Messages counts the messages by language.
	Messages map[string]int64
}

// ModelStatus is what the database knows of one classifier.
type ModelStatus struct {
	ID      int16 `db:"model_id"`
	Name    string
	Active  bool // new and edited messages are queued for it
	Outputs []string
	Waiting
	// Covered counts the messages with an output, by language.
	Covered map[string]int64 `db:"-"`
	// Newest are the newest failures, the last one first.
	Newest []Failure `db:"-"`
}

// Waiting is what a classifier has yet to do. The numbers end after MaxCounted.
type Waiting struct {
	Queued         int64
	OldestQueuedAt *time.Time
	Failures       int64
}

// Failure is a message that a classifier refuses.
type Failure struct {
	MessageID uuid.UUID `json:"message_id"`
	Error     string    `json:"error"`
	At        time.Time `json:"at"`
}

// waitingSQL has the columns of Waiting for a model c. The queue is read in the order in
// which messages are due. The oldest of more than MaxCounted messages may be one that was
// put back, which is not among them.
var waitingSQL = fmt.Sprintf(`q.queued, q.oldest_queued_at,
	(SELECT count(*) FROM (SELECT FROM classifier_failures f WHERE f.model_id = c.model_id LIMIT %[1]d) f) AS failures
	FROM classifier_models c CROSS JOIN LATERAL (SELECT count(*) AS queued, min(queued_at) AS oldest_queued_at
		FROM (SELECT queued_at FROM classifier_queue w WHERE w.model_id = c.model_id ORDER BY due_at LIMIT %[1]d) w) q`,
	MaxCounted+1)

// Status returns the state of all classifiers. The messages are not counted while somebody
// waits: the numbers are those of the insights.
func (r Access) Status(ctx context.Context) (Status, error) {
	s := Status{Messages: map[string]int64{}}
	err := db.InSnapshot(ctx, r.Pool, func(tx pgx.Tx) error { return s.read(ctx, tx) })
	return s, err
}

func (s *Status) read(ctx context.Context, tx pgx.Tx) (err error) {
	if err := tx.QueryRow(ctx, "SELECT max(greatest(as_of, updated_at)) FROM insight_state").Scan(&s.AsOf); err != nil {
		return fmt.Errorf("read when the messages were counted: %w", err)
	}
	s.Models, err = db.Collect[ModelStatus](ctx, tx,
		`SELECT c.model_id, c.name, c.active, c.outputs, `+waitingSQL+` ORDER BY c.name`)
	if err != nil {
		return fmt.Errorf("read the classifiers: %w", err)
	}
	at := make(map[int16]*ModelStatus, len(s.Models))
	for i := range s.Models {
		s.Models[i].Covered = map[string]int64{}
		at[s.Models[i].ID] = &s.Models[i]
	}
	type count struct {
		ModelID int16
		Lang    string
		N       int64
	}
	all, err := db.Collect[count](ctx, tx, `SELECT 0::smallint AS model_id, key AS lang, n FROM insight_collection
		WHERE of = 'messages' AND by = 'lang' AND lang = '' AND frame = 'total'`)
	if err != nil {
		return fmt.Errorf("read the numbers of messages: %w", err)
	}
	for _, c := range all {
		s.Messages[c.Lang] = c.N
	}
	// A message counts once, whatever the number of its outputs.
	covered, err := db.Collect[count](ctx, tx, `SELECT model_id, lang, max(n)::bigint AS n FROM (
			SELECT model_id, lang, output, sum(messages) AS n FROM insight_outputs GROUP BY model_id, lang, output) o
		GROUP BY model_id, lang`)
	if err != nil {
		return fmt.Errorf("read the numbers of messages with outputs: %w", err)
	}
	for _, c := range covered {
		if m := at[c.ModelID]; m != nil {
			m.Covered[c.Lang] = c.N
		}
	}
	return s.readFailures(ctx, tx, at)
}

// readFailures reads the newest failures.
func (s *Status) readFailures(ctx context.Context, tx pgx.Tx, at map[int16]*ModelStatus) error {
	type failure struct {
		ModelID int16
		Failure
	}
	newest, err := db.Collect[failure](ctx, tx, `SELECT c.model_id, f.message_id, f.error, f.at FROM classifier_models c
		CROSS JOIN LATERAL (SELECT message_id, error, at FROM classifier_failures f WHERE f.model_id = c.model_id
			ORDER BY at DESC, message_id LIMIT $1) f ORDER BY c.model_id, f.at DESC, f.message_id`, shownFailures)
	if err != nil {
		return fmt.Errorf("read the failures of classifiers: %w", err)
	}
	for _, f := range newest {
		at[f.ModelID].Newest = append(at[f.ModelID].Newest, f.Failure)
	}
	return nil
}

// WithoutOutput returns the number of messages that no classifier has given an output. If
// it is not exact, it is the most that there can be: it is not counted which messages
// several classifiers have in common.
func (s Status) WithoutOutput() (n int64, exact bool) {
	exact = true
	for lang, all := range s.Messages {
		most, models := int64(0), 0
		for _, m := range s.Models {
			if c := m.Covered[lang]; c > 0 {
				most, models = max(most, c), models+1
			}
		}
		n += max(all-most, 0)
		exact = exact && (models < 2 || most >= all)
	}
	return n, exact
}

// Waiting returns what each active classifier has yet to do, by name.
func (r *Runner) Waiting(ctx context.Context) (map[string]Waiting, error) {
	type row struct {
		Name string
		Waiting
	}
	found, err := db.Collect[row](ctx, r.Pool, "SELECT c.name, "+waitingSQL+" WHERE c.active")
	if err != nil {
		return nil, err
	}
	all := make(map[string]Waiting, len(found))
	for _, f := range found {
		all[f.Name] = f.Waiting
	}
	return all, nil
}

// RetryFailures queues the messages again that an active model refused, and returns their
// number.
func (r Access) RetryFailures(ctx context.Context, model string) (n int64, err error) {
	if r.Ordering != nil {
		return 0, r.Ordering
	}
	err = db.Retry(ctx, func() error {
		return pgx.BeginFunc(ctx, r.Pool, func(tx pgx.Tx) error {
			var id int16
			if err := tx.QueryRow(ctx, "SELECT model_id FROM classifier_models WHERE name = $1 AND active", model).
				Scan(&id); err != nil {
				return err
			}
			done, err := tx.Exec(ctx, `WITH again AS (DELETE FROM classifier_failures WHERE model_id = $1
					RETURNING tree_id, message_id)
				INSERT INTO classifier_queue (model_id, tree_id, message_id)
				SELECT $1, m.tree_id, m.message_id FROM again JOIN messages m USING (tree_id, message_id)
				ORDER BY m.tree_id, m.message_id
				ON CONFLICT (model_id, tree_id, message_id) DO UPDATE SET due_at = now()`, id)
			n = done.RowsAffected()
			return err
		})
	})
	return n, db.Translate(err)
}
