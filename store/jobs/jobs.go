// Package jobs keeps long work that goes on without its request: a queue in the
// database, from which every process takes. The package store does the work.
package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"treewarden/store/db"
	"treewarden/store/tables"
)

// The states of a job.
const (
	Queued    = "queued"
	Running   = "running"
	Done      = "done"
	Failed    = "failed"
	Cancelled = "cancelled"
)

// The kinds of jobs that are no actions: one writes an export, one runs a classifier. Each
// has a queue of its own, so that no act of staff waits for long work.
const (
	ExportKind   = "export"
	ClassifyKind = "classify"
)

// lost is the time without a heartbeat after which a running job is taken up
// again: its process was killed, or cannot reach the database.
const lost = 30 * time.Second

// Job is long work.
type Job struct {
	JobID uuid.UUID `json:"job_id"`
	Kind  string    `json:"kind"` // the kind of its action, ExportKind or ClassifyKind
	State string    `json:"state"`
	// Done and Total count objects. Total is 0 as long as it is unknown. A job that has to
	// begin again keeps the furthest that it came.
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
	// Action is the action that the job led to. It is null until the job is done,
	// and where nothing had to be changed.
	Action *int64 `json:"action"`
	Error  string `json:"error"`
	// WaitsFor is why an open job does not go on. It stays while the job is tried again, until
	// it gets further.
	WaitsFor  string     `json:"waits_for" description:"why it does not go on, such as a classifier's error; else empty"`
	NextTry   *time.Time `json:"next_try" description:"when it is tried again if it waits; null while it is tried"`
	Actor     uuid.UUID  `json:"actor"`
	ActorName string     `json:"actor_name"`
	CreatedAt time.Time  `json:"created_at"`
	EndedAt   *time.Time `json:"ended_at"`

	Via     string          `json:"-"`
	Request json.RawMessage `json:"-"`
}

// Request is the act of a job, as the job keeps it.
type Request struct {
	Target uuid.UUID       `json:"target"`
	Reason string          `json:"reason"`
	Params json.RawMessage `json:"params"`
}

// NewRequest writes down an act.
func NewRequest(target uuid.UUID, reason string, params any) (json.RawMessage, error) {
	written, err := json.Marshal(params)
	if err == nil {
		written, err = json.Marshal(Request{target, reason, written})
	}
	if err != nil {
		return nil, fmt.Errorf("write down the request: %w", err)
	}
	return written, nil
}

// Act returns the act of a job. It is empty if it cannot be read.
func (j Job) Act() (r Request) {
	if json.Unmarshal(j.Request, &r) != nil {
		return Request{}
	}
	return r
}

// IsOpen reports whether a job has not ended.
func (j Job) IsOpen() bool { return j.State == Queued || j.State == Running }

// ID returns the id of the job of a person's request: the same for the same
// Idempotency-Key.
func ID(person uuid.UUID, idempotencyKey string) uuid.UUID {
	if idempotencyKey == "" {
		return uuid.New()
	}
	return uuid.NewSHA1(person, []byte(idempotencyKey))
}

// Columns are the columns of a Job, of the table jobs as j. The column error of an open job is
// what it waits for, and the column heartbeat of a queued one when it is tried again.
var Columns = `j.job_id, j.kind, j.state, j.done, j.total,
	` + tables.NumberSQL("j.action_id") + ` AS action,
	CASE WHEN j.state IN ('queued', 'running') THEN '' ELSE j.error END AS error,
	CASE WHEN j.state IN ('queued', 'running') THEN j.error ELSE '' END AS waits_for,
	CASE WHEN j.state = 'queued' AND j.error <> '' THEN j.heartbeat END AS next_try, j.actor_id AS actor,
	coalesce((SELECT display_name FROM users WHERE user_id = j.actor_id), '') AS actor_name, j.created_at, j.ended_at,
	j.via, j.request`

// Add queues a job. If there is one with its id, Add leaves that as it is.
func Add(ctx context.Context, c db.Conn, j Job) (Job, error) {
	if _, err := c.Exec(ctx, `INSERT INTO jobs (job_id, kind, actor_id, via, request, state, total)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
		j.JobID, j.Kind, j.Actor, j.Via, j.Request, Queued, j.Total); err != nil {
		return Job{}, db.Translate(err)
	}
	return ByID(ctx, c, j.JobID)
}

// ByID returns a job, or ErrNotFound.
func ByID(ctx context.Context, c db.Conn, id uuid.UUID) (Job, error) {
	return one(db.Collect[Job](ctx, c, "SELECT "+Columns+" FROM jobs j WHERE j.job_id = $1", id))
}

// Open returns the jobs on a target that have not ended, the oldest first.
func Open(ctx context.Context, c db.Conn, target uuid.UUID) ([]Job, error) {
	return db.Collect[Job](ctx, c, "SELECT "+Columns+` FROM jobs j WHERE j.state IN ('queued', 'running')
		AND j.request->>'target' = $1::text ORDER BY j.created_at`, target.String())
}

func one(found []Job, err error) (Job, error) {
	if err == nil && len(found) == 0 {
		err = db.ErrNotFound
	}
	if err != nil {
		return Job{}, err
	}
	return found[0], nil
}

// take takes the oldest job of a kind that is due or was lost, of an action if the kind is
// empty, and marks it as running. It returns ErrNotFound if there is none.
func take(ctx context.Context, c db.Conn, kind string) (Job, error) {
	return one(db.Collect[Job](ctx, c, `UPDATE jobs j SET state = $1, heartbeat = now() WHERE j.job_id = (
			SELECT job_id FROM jobs
			WHERE (state = $2 AND coalesce(heartbeat <= now(), true)
					OR state = $1 AND heartbeat < now() - $3::interval)
				AND CASE WHEN kind = ANY ($4) THEN kind ELSE '' END = $5
			ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED)
		RETURNING `+Columns, Running, Queued, lost, []string{ExportKind, ClassifyKind}, kind))
}

// SetTotal says how many objects a job works on, as soon as that is known.
func SetTotal(ctx context.Context, c db.Conn, id uuid.UUID, total int64) error {
	_, err := c.Exec(ctx, "UPDATE jobs SET total = greatest(total, $2) WHERE job_id = $1", id, total)
	return db.Translate(err)
}

// putBack has a running job wait. One that somebody cancelled ends.
func putBack(ctx context.Context, c db.Conn, id uuid.UUID, l *Later) error {
	_, err := c.Exec(ctx, `UPDATE jobs SET state = CASE WHEN cancel THEN $3 ELSE $2 END,
		ended_at = CASE WHEN cancel THEN now() END, error = CASE WHEN cancel THEN '' ELSE $4 END,
		heartbeat = now() + $5::interval WHERE job_id = $1`,
		id, Queued, Cancelled, db.ToText(l.Why), max(l.After, 0))
	return db.Translate(err)
}

// Beat says that a job is running, and how far it is. It reports whether somebody
// cancelled it. A job that got further waits for nothing.
func Beat(ctx context.Context, c db.Conn, id uuid.UUID, done, total int64) (cancelled bool, err error) {
	err = c.QueryRow(ctx, `UPDATE jobs SET heartbeat = now(), done = greatest(done, $2),
			total = greatest(total, $3), error = CASE WHEN $2 > done THEN '' ELSE error END WHERE job_id = $1
		RETURNING cancel`, id, done, total).Scan(&cancelled)
	return cancelled, db.Translate(err)
}

// End ends a job. The action is 0 if there is none. A job that is not done has changed
// nothing, unless it ran a classifier: what that has written stays.
func End(ctx context.Context, c db.Conn, id uuid.UUID, state string, action int64, why string) error {
	_, err := c.Exec(ctx, `UPDATE jobs SET state = $2, action_id = nullif($3, 0), error = $4, ended_at = now(),
		done = CASE WHEN $2 = 'done' THEN total WHEN kind = $5 THEN done ELSE 0 END WHERE job_id = $1`,
		id, state, action, db.ToText(why), ClassifyKind)
	return db.Translate(err)
}

// Cancel cancels a job: a queued one ends at once, a running one at its next
// heartbeat. It does nothing to a job that has ended.
func Cancel(ctx context.Context, c db.Conn, id uuid.UUID) (Job, error) {
	if _, err := c.Exec(ctx, `UPDATE jobs SET cancel = true, error = '',
		state = CASE WHEN state = 'queued' THEN 'cancelled' ELSE state END,
		ended_at = CASE WHEN state = 'queued' THEN now() ELSE ended_at END
		WHERE job_id = $1 AND state IN ('queued', 'running')`, id); err != nil {
		return Job{}, db.Translate(err)
	}
	return ByID(ctx, c, id)
}
