// Package ingest takes lines of front ends into the database.
package ingest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/events"
	"treewarden/store/tables"
)

// Result counts the lines of one ingest by their outcome.
type Result struct {
	Accepted  int     `json:"accepted"`
	Duplicate int     `json:"duplicate"` // ingested before
	Rejected  int     `json:"rejected"`
	Errors    []Fault `json:"errors"` // one for each rejected line, in order
}

// errDuplicate is the error of a line without changes.
var errDuplicate = errors.New("taken in before")

// Ingester holds the dependencies of an ingest.
type Ingester struct {
	// Sender is the user of the key that sends the lines; Nil is the command line.
	Sender uuid.UUID
	// RequireActive is a statement that fails unless user $1 is active.
	RequireActive string

	Pool      *pgxpool.Pool
	Now       func() time.Time
	Rules     *counters.RuleCache
	Publisher counters.Publisher
}

// Run ingests lines: JSON objects, one a line. It retries after a conflict with
// concurrent writes.
func (e Ingester) Run(ctx context.Context, lines []byte) (Result, error) {
	items, faults := parse(lines, e.Now())
	var done Result
	if err := db.Retry(ctx, func() error {
		done = Result{Errors: slices.Clone(faults)}
		return e.once(ctx, items, &done)
	}); err != nil {
		return Result{}, err
	}
	done.Rejected = len(done.Errors)
	slices.SortFunc(done.Errors, func(a, b Fault) int { return a.Line - b.Line })
	if done.Errors == nil {
		done.Errors = []Fault{}
	}
	return done, nil
}

// once is one attempt. BEGIN and COMMIT are part of other round trips, so that a
// request of one line takes two.
func (e Ingester) once(ctx context.Context, items []*lineItem, done *Result) error {
	if len(items) == 0 {
		return nil
	}
	c, err := db.Acquire(ctx, e.Pool)
	if err != nil {
		return err
	}
	defer c.Release() // closes the connection if a transaction is still open
	update, err := counters.Begin(ctx, c, e.Rules)
	if err != nil {
		return err
	}
	defer func() { e.Publisher.Mark(update.Changed) }()
	in := &run{
		Pipe: db.Pipe{Conn: c, Ctx: ctx}, now: e.Now(), items: items, sender: e.Sender, requireActive: e.RequireActive,
		models: tables.Models{}, update: update, publisher: e.Publisher,
	}
	for _, step := range []func(*Result) error{in.read, in.take, in.store} {
		if err := step(done); err != nil {
			in.Rollback()
			return err
		}
	}
	return nil
}

// run is one attempt at an ingest. Locks are taken in the order of actions:
// events by id (taken only here), models, users by id, trees by id, counters.
type run struct {
	db.Pipe
	now    time.Time
	items  []*lineItem
	sender uuid.UUID
	// requireActive is Ingester.RequireActive.
	requireActive string

	events    map[string]*knownEvent
	users     map[uuid.UUID]*knownUser
	trees     map[uuid.UUID]*knownTree
	messages  map[uuid.UUID]*knownMessage
	models    tables.Models
	feedback  knownFeedback
	changes   changes
	update    *counters.Update
	publisher counters.Publisher
	// late are the new messages below those that an action deleted.
	late events.Late
	// weighed reports whether a count used the rule of toxicity.
	weighed bool
}

// read locks the objects of the lines and reads them. It takes one round trip,
// unless there are lines about users or models, which are settled before trees
// are locked.
func (in *run) read(done *Result) error {
	for _, item := range in.items {
		item.fault = nil
	}
	in.Queue("BEGIN")
	plan := planOnce
	if len(in.items) > fewLines {
		plan = planEach
	}
	in.Queue(plan)
	in.claim()
	if err := in.learnModels(); err != nil {
		return err
	}
	if in.lockUsers() {
		if err := in.Flush(); err != nil {
			return err
		}
		if err := in.takeUsers(done); err != nil {
			return err
		}
	}
	in.lockTrees()
	in.readFeedback()
	return in.Flush()
}

// planEach and planOnce are the settings of the planner. For few lines, planning
// takes longer than running, and statements by key have the same plan anyway. For
// reads of many lines, a plan for that number is worth it. Writes always use one
// plan, because the checks of foreign keys follow the same setting, row by row.
const (
	planEach = "SET LOCAL plan_cache_mode = force_custom_plan"
	planOnce = "SET LOCAL plan_cache_mode = force_generic_plan"
	fewLines = 10
)

// take applies the lines that are not about users, in memory.
func (in *run) take(done *Result) error {
	in.changes.reset()
	for _, item := range in.items {
		if item.kind != "user" {
			in.settle(done, item, in.place)
		}
	}
	return nil
}

// settle applies one line and records its outcome.
func (in *run) settle(done *Result, item *lineItem, take func(*lineItem) error) {
	err := error(nil)
	event := in.events[item.event]
	switch {
	case event.taken && event.digest != uuid.Nil && event.digest != item.digest:
		err = refuse(idReused, "The id %.60q was used for another event; each event needs its own id.", item.event)
	case event.taken:
		err = errDuplicate
	case item.fault != nil:
		err = item.fault
	default:
		err = take(item)
	}
	var fault *Fault
	if err == nil || errors.Is(err, errDuplicate) {
		event.take(item)
	}
	switch {
	case err == nil:
		done.Accepted++
		in.changes.active(item)
	case errors.As(err, &fault):
		fault.Line = item.line
		item.fault = fault
		done.Errors = append(done.Errors, *fault)
	default:
		done.Duplicate++
	}
}
