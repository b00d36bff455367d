package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

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
		var tally *tallying
		err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
			if tally, err = s.tallying(ctx, tx); err != nil {
				return err
			}
			in := &ingest{Tx: tx, ctx: ctx, now: s.now(), items: items, models: importModels{}, tally: tally}
			return in.run(&done)
		})
		tally.finish()
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

// ingest is one try to take lines in. Locks are taken in the order of every
// action: events by id (which nobody else takes), models, users by id, trees
// by id, counters.
type ingest struct {
	pgx.Tx
	ctx   context.Context //nolint:containedctx // an ingest lives as long as one call
	now   time.Time
	items []*ingestItem

	fresh    map[string]bool // events of this request that nobody sent before
	users    map[uuid.UUID]*ingestUser
	trees    map[uuid.UUID]*ingestTree
	messages map[uuid.UUID]*ingestMessage
	models   importModels
	write    ingestWrite
	tally    *tallying
}

func (in *ingest) exec(sql string, args ...any) error {
	_, err := in.Exec(in.ctx, sql, args...)
	return err
}

// each runs a query and calls do for each row, scanned into targets.
func (in *ingest) each(targets []any, do func(), sql string, args ...any) error {
	rows, err := in.Query(in.ctx, sql, args...)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, targets, func() error {
		do()
		return nil
	})
	return err
}

// run takes the lines in.
func (in *ingest) run(done *Ingested) error {
	if len(in.items) == 0 {
		return nil
	}
	for _, item := range in.items {
		item.fault = nil
	}
	if err := in.claim(); err != nil {
		return err
	}
	trees, err := in.lookUp()
	if err != nil {
		return err
	}
	for _, step := range []func() error{
		in.learnModels,
		in.lockUsers,
		func() error { return in.takeUsers(done) },
		func() error { return in.lockTrees(trees) },
		in.readMessages,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	in.write.reset()
	for _, item := range in.items {
		if item.kind != "user" {
			in.settle(done, item, in.place)
		}
	}
	if err := in.store(); err != nil {
		return err
	}
	return in.release()
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
func (in *ingest) claim() error {
	ids := make([]string, len(in.items))
	for i, item := range in.items {
		ids[i] = item.event
	}
	in.fresh = make(map[string]bool, len(ids))
	var id string
	return in.each([]any{&id}, func() { in.fresh[id] = true }, `INSERT INTO ingest_events (event_id, at)
		SELECT id, $2 FROM unnest($1::text[]) i(id) GROUP BY id ORDER BY id ON CONFLICT DO NOTHING RETURNING event_id`, ids, in.now)
}

// release forgets the events of lines that were not taken in, so that they
// can be sent again once what they lacked is there.
func (in *ingest) release() error {
	var ids []string
	for id, unused := range in.fresh {
		if unused {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return in.exec("DELETE FROM ingest_events WHERE event_id = ANY ($1)", ids)
}

// lookUp finds, before anything is locked, the trees that lines speak of.
func (in *ingest) lookUp() (trees []uuid.UUID, err error) {
	var ids []uuid.UUID
	for _, item := range in.items {
		switch item.kind {
		case "user":
			continue
		case "tree":
			trees = append(trees, item.tree)
			continue
		case "message":
			if item.parent == nil {
				trees = append(trees, item.message)
			} else {
				ids = append(ids, *item.parent)
			}
		}
		ids = append(ids, item.message)
	}
	in.messages = make(map[uuid.UUID]*ingestMessage, len(ids))
	var message, tree uuid.UUID
	err = in.each([]any{&message, &tree}, func() {
		in.messages[message] = &ingestMessage{id: message, tree: tree}
		trees = append(trees, tree)
	}, `SELECT d.message_id, d.tree_id FROM message_trees d JOIN messages m ON m.tree_id = d.tree_id AND m.message_id = d.message_id
		WHERE d.message_id = ANY ($1)`, ids)
	return trees, err
}

// learnModels makes sure that the models and outputs of lines whose message is
// known, or comes with them, are known.
func (in *ingest) learnModels() error {
	coming := map[uuid.UUID]bool{}
	for _, item := range in.items {
		if item.kind == "message" {
			coming[item.message] = true
		}
		if item.kind != "classifier_output" || !in.fresh[item.event] || in.messages[item.message] == nil && !coming[item.message] {
			continue
		}
		said := map[string]map[string]*float64{*item.Model: item.Scores}
		if in.models.knows(said) {
			continue
		}
		err := in.models.register(in.ctx, in.Tx, said, false)
		var full modelFull
		switch {
		case errors.As(err, &full):
			item.fault = ingestFault("too_many", "The model %.60q would have more than %d outputs.", *item.Model, importOutputs)
		case errors.Is(err, errManyModels):
			item.fault = ingestFault("too_many", "There would be more than %d models.", importModelsMost)
		case err != nil:
			return err
		}
	}
	return nil
}
