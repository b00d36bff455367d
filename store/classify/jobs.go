package classify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"treewarden/scoring/classifier"
	"treewarden/scoring/classifier/guard"
	"treewarden/store/db"
	"treewarden/store/jobs"
	"treewarden/store/messages"
)

// maxOpen is the maximum number of runs that wait or go on.
const maxOpen = 20

// Order is a run that somebody orders from the page or by the API.
type Order struct {
	Model   string `json:"model"`
	Missing bool   `json:"missing"` // only messages without an output for their text
	Lang    string `json:"lang,omitempty"`
	// Line is a line of filters of messages, such as "role:prompter deleted:include". By
	// default, deleted messages are classified too.
	Line string `json:"q,omitempty"`
}

// options returns the options of the run.
func (o Order) options() Options {
	options := Options{Missing: o.Missing, Lang: o.Lang}
	if o.Line != "" {
		options.Filter = &messages.Filter{Q: o.Line, Deleted: "include"}
		if strings.Contains(o.Line, "deleted:") {
			options.Filter.Deleted = "" // the line says it
		}
	}
	return options
}

// Run is the run of an order.
type Run struct {
	jobs.Job
	Order Order `json:"order" db:"-"`
}

// Access is somebody's access to the classifiers. The package store makes it for actors who
// may see the scoring.
type Access struct {
	*Runner
	Ordering error // why the actor may not order a run, or nil
	Person   uuid.UUID
	Via      string
}

// ErrOtherRequest means that the Idempotency-Key of an order was used for another one.
var ErrOtherRequest = errors.New("the Idempotency-Key was used for another order")

// Order queues a run of an active model. A wrong field is a db.Invalid.
func (r Access) Order(ctx context.Context, o Order, idempotencyKey string) (Run, error) {
	if r.Ordering != nil {
		return Run{}, r.Ordering
	}
	active, err := db.Collect[struct{ Name string }](ctx, r.Pool, `SELECT name FROM classifier_models
		WHERE active ORDER BY name`)
	if err != nil {
		return Run{}, err
	}
	wrong := db.Invalid{}
	names := make([]string, len(active))
	for i, m := range active {
		names[i] = m.Name
	}
	if !slices.Contains(names, o.Model) {
		wrong["model"] = "Choose a classifier that runs here: " + strings.Join(names, ", ") + "."
	}
	w := &run{model: Model{Name: o.Model}, o: o.options()}
	if _, _, err := w.page(message{}, 0, 1); err != nil {
		wrong["q"] = err.Error()
	}
	if len(wrong) > 0 {
		return Run{}, wrong
	}
	var open int
	if err := r.Pool.QueryRow(ctx, "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running') AND kind = $1",
		jobs.ClassifyKind).Scan(&open); err != nil {
		return Run{}, db.Translate(err)
	}
	if open >= maxOpen {
		return Run{}, db.Invalid{"model": fmt.Sprintf("%d runs wait or go on already. Wait until one of them has ended.",
			open)}
	}
	request, err := jobs.NewRequest(uuid.Nil, "", o)
	if err != nil {
		return Run{}, err
	}
	job, err := jobs.Add(ctx, r.Pool, jobs.Job{JobID: jobs.ID(r.Person, idempotencyKey), Kind: jobs.ClassifyKind,
		Actor: r.Person, Via: r.Via, Request: request})
	if err != nil {
		return Run{}, err
	}
	if !job.Asks(jobs.ClassifyKind, request) {
		return Run{}, ErrOtherRequest
	}
	return runOf(job)
}

// runOf returns the run of a job.
func runOf(job jobs.Job) (Run, error) {
	run := Run{Job: job}
	if err := json.Unmarshal(job.Act().Params, &run.Order); err != nil {
		return run, fmt.Errorf("read the order of run %s: %w", job.JobID, err)
	}
	return run, nil
}

// Runs returns the last runs that people ordered, the newest first.
func (r *Runner) Runs(ctx context.Context, limit int) ([]Run, error) {
	found, err := db.Collect[jobs.Job](ctx, r.Pool, "SELECT "+jobs.Columns+` FROM jobs j WHERE j.kind = $1
		ORDER BY j.created_at DESC, j.job_id LIMIT $2`, jobs.ClassifyKind, limit)
	if err != nil {
		return nil, err
	}
	all := make([]Run, len(found))
	for i, job := range found {
		if all[i], err = runOf(job); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// later returns how a run waits for its classifier after an error, or the error itself if it
// is not the classifier's.
func (m Model) later(err error) error {
	var failed *classifier.Error
	var closed *guard.OpenError
	l := &jobs.Later{After: again}
	switch {
	case errors.As(err, &closed):
		l.Why = closed.Last
	case errors.As(err, &failed):
		l.Why, l.After = failed.Message, max(l.After, failed.RetryAfter)
	default:
		return err
	}
	if s := m.Guard.State(); s.Phase == guard.Open {
		l.After = time.Until(s.NextTry)
	} else if closed != nil {
		l.After = time.Until(closed.Until)
	}
	l.Why = fmt.Sprintf("The classifier %s fails: %s", m.Name, l.Why)
	return l
}

// RunJobs does the runs that people ordered, one after the other. It is to be run every
// second. may returns an error if the person who ordered a run may not any more. A run
// whose classifier fails waits, says so, and goes on when the classifier is asked again. An
// error for which isFinal is true ends a run as failed; another one has it taken up again
// later.
func (r *Runner) RunJobs(
	ctx context.Context, models []Model, may func(context.Context, jobs.Job) error, isFinal func(error) bool,
) error {
	do := func(ctx context.Context, job jobs.Job, progress func(int64)) error {
		if err := may(ctx, job); err != nil {
			return err
		}
		ordered, err := runOf(job)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(models, func(m Model) bool { return m.Name == ordered.Order.Model })
		if at < 0 {
			return db.Malformed("There is no classifier " + ordered.Order.Model + " in the configuration any more.")
		}
		o := ordered.Order.options()
		o.Progress = func(p Progress) { progress(job.Done + p.Done) }
		done, err := r.Run(ctx, models[at], o)
		if err != nil {
			return models[at].later(err)
		}
		return jobs.SetTotal(ctx, r.Pool, job.JobID, job.Done+done.Done)
	}
	return jobs.RunKind(ctx, r.Pool, jobs.ClassifyKind, do, isFinal)
}
