package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
)

// Ingested says what became of the lines of one ingest.
type Ingested struct {
	Accepted  int           `json:"accepted"`
	Duplicate int           `json:"duplicate"` // taken in before
	Rejected  int           `json:"rejected"`
	Errors    []IngestFault `json:"errors"` // one for each rejected line, in their order
}

// errDuplicate ends a line that has nothing new to say.
var errDuplicate = errors.New("taken in before")

// Ingest takes in what a front end saw: JSON objects, one a line. All good
// lines of a request are kept, with the counters that follow from them, in one
// transaction; bad ones are named. Lines work in their order: what one speaks
// of is there before it, or stands above it. An event that is sent again
// counts once, also when two requests bring it at the same moment.
//
// Whoever is banned submits nothing. What staff decided (a role, a ban, a
// name, a halt) no line overturns.
func (s *Store) Ingest(ctx context.Context, actor Actor, lines []byte) (Ingested, error) {
	if err := need(actor, policy.Ingest); err != nil {
		return Ingested{}, err
	}
	items, faults := parseIngest(lines, s.now())
	for try := 1; ; try++ {
		done := Ingested{Errors: slices.Clone(faults)}
		err := s.ingestOnce(ctx, items, &done)
		if errors.Is(err, errCountedOtherwise) && ctx.Err() == nil {
			try--
			continue
		}
		// Somebody else who wrote the same rows at the same moment makes it
		// begin again.
		if err != nil && importAgain(err) && try < importTries && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return Ingested{}, readError(err)
		}
		done.Rejected = len(done.Errors)
		slices.SortFunc(done.Errors, func(a, b IngestFault) int { return a.Line - b.Line })
		if done.Errors == nil {
			done.Errors = []IngestFault{}
		}
		return done, nil
	}
}

// ingestOnce is one try to take lines in. The transaction begins and ends
// within round trips that do more, so that a request of one line takes two.
func (s *Store) ingestOnce(ctx context.Context, items []*ingestItem, done *Ingested) error {
	if len(items) == 0 {
		return nil
	}
	c, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release() // which closes it where a transaction is still open
	tally, err := s.tallying(ctx, c)
	if err != nil {
		return err
	}
	defer tally.finish()
	in := &ingest{pipe: pipe{Conn: c, ctx: ctx}, now: s.now(), items: items, models: importModels{}, tally: tally}
	for _, step := range []func(*Ingested) error{in.read, in.take, in.store} {
		if err := step(done); err != nil {
			in.rollback()
			return err
		}
	}
	return nil
}

// ingest is one try to take lines in. Locks are taken in the order of every
// action: events by id (which nobody else takes), models, users by id, trees
// by id, counters.
type ingest struct {
	pipe
	now   time.Time
	items []*ingestItem

	fresh    map[string]bool // events of this request that nobody sent before
	users    map[uuid.UUID]*ingestUser
	trees    map[uuid.UUID]*ingestTree
	messages map[uuid.UUID]*ingestMessage
	models   importModels
	given    ingestGiven
	write    ingestWrite
	tally    *tallying
	// weighed says that something was counted by the threshold of toxicity.
	weighed bool
}

// read takes the locks that the lines ask for, and reads what they may change.
// All of it takes one round trip, unless lines are about users or models, which
// are settled before trees are locked.
func (in *ingest) read(done *Ingested) error {
	for _, item := range in.items {
		item.fault = nil
	}
	in.queue("BEGIN")
	plan := planOnce
	if len(in.items) > fewLines {
		plan = planEach
	}
	in.queue(plan)
	in.claim()
	if err := in.learnModels(); err != nil {
		return err
	}
	if in.lockUsers() {
		if err := in.flush(); err != nil {
			return err
		}
		if err := in.takeUsers(done); err != nil {
			return err
		}
	}
	in.lockTrees()
	in.readGiven()
	return in.flush()
}

// planEach and planOnce are how the database plans statements. Planning one for
// few lines takes longer than running it, and what goes by one key each goes
// the same way whatever the plan; to read for many lines, a plan that is made
// for as many is worth it. Writing holds to one plan always, because the checks
// of foreign keys follow the same rule, row by row.
const (
	planEach = "SET LOCAL plan_cache_mode = force_custom_plan"
	planOnce = "SET LOCAL plan_cache_mode = force_generic_plan"
	fewLines = 10
)

// take takes in, in memory, the lines that are not about users.
func (in *ingest) take(done *Ingested) error {
	in.write.reset()
	for _, item := range in.items {
		if item.kind != "user" {
			in.settle(done, item, in.place)
		}
	}
	return nil
}

// settle decides what becomes of one line.
func (in *ingest) settle(done *Ingested, item *ingestItem, take func(*ingestItem) error) {
	err := error(nil)
	switch {
	case !in.fresh[item.event]:
		err = errDuplicate
	case item.fault != nil:
		err = item.fault
	default:
		err = take(item)
	}
	var fault *IngestFault
	switch {
	case err == nil:
		in.fresh[item.event] = false // a line below with the same id is a duplicate
		done.Accepted++
		in.write.active(item)
	case errors.As(err, &fault):
		fault.Line = item.line
		item.fault = fault
		done.Errors = append(done.Errors, *fault)
	default:
		done.Duplicate++
	}
}

// claim writes down the events of the lines and finds those that are new.
// Whoever sends one of them at the same moment waits here.
func (in *ingest) claim() {
	ids := make([]string, len(in.items))
	for i, item := range in.items {
		ids[i] = item.event
	}
	in.fresh = make(map[string]bool, len(ids))
	var id string
	in.each([]any{&id}, func() { in.fresh[id] = true }, `INSERT INTO ingest_events (event_id, at)
		SELECT id, $2 FROM unnest($1::text[]) i(id) GROUP BY id ORDER BY id ON CONFLICT DO NOTHING RETURNING event_id`, ids, in.now)
}

// release forgets the events of lines that were not taken in, so that they
// can be sent again once what they lacked is there.
func (in *ingest) release() {
	var ids []string
	for id, unused := range in.fresh {
		if unused {
			ids = append(ids, id)
		}
	}
	if len(ids) > 0 {
		in.queue("DELETE FROM ingest_events WHERE event_id = ANY ($1)", ids)
	}
}
