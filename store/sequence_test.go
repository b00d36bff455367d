package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// TestCountersFollowWhateverHappens drives random sequences of everything that
// changes a score: all kinds of actions and their undos, lines of every type
// from front ends, imports that bring more about what is known, bans that end,
// and time. After each step all counters must be those of the base tables, and
// now and then every board must be the one that plain Go finds in them.
func TestCountersFollowWhateverHappens(t *testing.T) {
	t.Parallel()
	done := map[string]bool{}
	for _, seed := range []uint64{1, 2, 3, 4, 1795706981913901049, uint64(time.Now().UnixNano())} {
		q := newSequence(t, seed)
		for range 50 {
			q.step()
		}
		q.check()
		if _, err := q.VerifyChain(ctx); err != nil {
			q.fail("the chain: %v", err)
		}
		for name := range q.succeeded {
			done[name] = true
		}
		q.Close()
	}
	for _, k := range store.Kinds {
		if !done[k.Name] {
			t.Errorf("no sequence did %s", k.Name)
		}
	}
	for _, name := range []string{"undo", "ingest", "import", "clock", "end bans"} {
		if !done[name] {
			t.Errorf("no sequence did: %s", name)
		}
	}
}

// node is a message as far as lines about it must agree with what is known.
type node struct {
	id, parent, tree uuid.UUID // parent is Nil for a prompt
	role, text       string
}

// sequence is a random sequence under way.
type sequence struct {
	*store.Store
	t         *testing.T
	dice      *rand.Rand
	seed      uint64
	now       time.Time
	clock     *sync.Mutex // held to set now, and where another goroutine reads it
	staff     []store.Actor
	users     []uuid.UUID
	nodes     []node
	waiting   []node // messages that other lines name as parent, and that have not come
	acts      []int64
	log       []string
	succeeded map[string]bool
}

// newSequence makes ten users and a dozen trees. Its clock begins months ago,
// so that bans end while it runs: the database has a clock of its own.
func newSequence(t *testing.T, seed uint64) *sequence {
	t.Helper()
	q := &sequence{Store: storetest.New(t), t: t, seed: seed, dice: rand.New(rand.NewPCG(seed, 0)), // a test's dice
		now: time.Now().UTC().AddDate(0, 0, -120).Truncate(time.Second), clock: new(sync.Mutex),
		succeeded: map[string]bool{}}
	q.SetClock(func() time.Time { // the boards ask it too, from goroutines of their own
		q.clock.Lock()
		defer q.clock.Unlock()
		return q.now
	})
	for range 2 {
		q.staff = append(q.staff, storetest.Staff(t, q.Store, policy.Admin))
	}
	q.staff = append(q.staff, storetest.Staff(t, q.Store, policy.Moderator))
	var lines []string
	for i := range 10 {
		q.users = append(q.users, q.id())
		lines = append(lines, event("user", "user_id", q.users[i], "at", q.at()))
	}
	for range 12 {
		prompt := node{id: q.id(), role: "prompter", text: "a prompt"}
		prompt.tree = prompt.id
		lines = append(lines, event("tree", "message_tree_id", prompt.tree, "state", "growing"), q.message(prompt, q.user()))
		for range q.dice.IntN(4) {
			lines = append(lines, q.message(q.reply(q.nodes[len(q.nodes)-1]), q.user()))
		}
	}
	accepted(t, q.Store, lines...)
	// Staff who wrote: acts aim at their messages, and what they give to them is their own.
	q.users = append(q.users, q.staff[1].UserID, q.staff[2].UserID)
	return q
}

// fail ends the test with the steps that led here.
func (q *sequence) fail(format string, args ...any) {
	q.t.Helper()
	q.t.Fatalf("seed %d, at %s, after\n%s\n%s", q.seed, q.now.Format(time.RFC3339), strings.Join(q.log, "\n"),
		fmt.Sprintf(format, args...))
}

// id is an id by the dice, so that a seed makes the same sequence again.
func (q *sequence) id() uuid.UUID {
	var id uuid.UUID
	for i := range id {
		id[i] = byte(q.dice.UintN(256))
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id
}

func pick[T any](q *sequence, from ...T) T { return from[q.dice.IntN(len(from))] }

func (q *sequence) user() uuid.UUID { return pick(q, q.users...) }

func (q *sequence) node() node { return pick(q, q.nodes...) }

// at is a moment that signals carry: mostly of the last hours and days, at
// times long ago, or a little ahead of our clock.
func (q *sequence) at() time.Time {
	span := pick(q, time.Hour, 30*time.Hour, 8*24*time.Hour, 40*24*time.Hour)
	return q.now.Add(pick(q, 0, 0, time.Hour,
		20*time.Hour) - time.Duration(q.dice.Int64N(int64(span)))).Truncate(time.Second)
}

// reply makes a reply to a message; it counts as known from now on.
func (q *sequence) reply(to node) node {
	return node{id: q.id(), parent: to.id, tree: to.tree,
		role: map[string]string{"prompter": "assistant", "assistant": "prompter"}[to.role], text: "a reply"}
}

// message is the line of a front end that brings a message.
func (q *sequence) message(n node, author uuid.UUID) string {
	q.nodes = append(q.nodes, n)
	var parent any
	if n.parent != uuid.Nil {
		parent = n.parent
	}
	return event("message", "message_id", n.id, "parent_id", parent, "user_id", author, "role", n.role, "text", n.text,
		"lang", pick(q, "en", "de"), "created_date", q.at())
}

// step does one thing by the dice, and compares all counters.
func (q *sequence) step() {
	q.t.Helper()
	switch dice := q.dice.IntN(100); {
	case dice < 45:
		kind := pick(q, store.Kinds...)
		make, ok := q.makers()[kind.Name]
		if !ok {
			q.t.Fatalf("the dice know no %s", kind.Name)
		}
		act := make()
		act.Kind, act.Reason = kind.Name, "the dice fell so"
		outcome, err := q.Act(ctx, pick(q, q.staff...), act)
		q.acted(kind.Name, fmt.Sprintf("%+v", act), outcome, err)
	case dice < 60 && len(q.acts) > 0:
		id := pick(q, q.acts...)
		outcome, err := q.Undo(ctx, pick(q, q.staff...), id, "the dice fell back", false, "")
		q.acted("undo", fmt.Sprint(id), outcome, err)
	case dice < 75:
		q.ingest()
	case dice < 85:
		q.importMore()
	case dice < 89:
		n, err := q.EndExpiredBans(ctx)
		q.did("end bans", fmt.Sprint(n), err)
		q.succeeded["end bans"] = n > 0 || q.succeeded["end bans"]
	default:
		q.passTime()
	}
	faults, err := q.VerifyScores(ctx)
	if err != nil || len(faults) > 0 {
		q.fail("the counters: %+v, %v", faults, err)
	}
	if q.dice.IntN(20) == 0 {
		q.check()
	}
}

// did logs a step, and fails on an error that is no refusal.
func (q *sequence) did(name, what string, err error) {
	q.t.Helper()
	q.log = append(q.log, fmt.Sprintf("%3d %s: %s %s: %v", len(q.log)+1, q.now.Format(time.DateTime), name, what, err))
	if unlessRefused(err) != nil {
		q.fail("%s: %v", name, err)
	}
	q.succeeded[name] = q.succeeded[name] || err == nil && name != "end bans"
}

// unlessRefused drops errors that say why an act may not be done.
func unlessRefused(err error) error {
	var forbidden *store.Forbidden
	var invalid store.Invalid
	if isConflict(err) || errors.As(err, &forbidden) || errors.As(err, &invalid) {
		return nil
	}
	return err
}

func (q *sequence) acted(name, what string, outcome store.Outcome, err error) {
	q.t.Helper()
	q.did(name, what, err)
	if err == nil && outcome.Action.ID != 0 && outcome.Action.Undoable {
		q.acts = append(q.acts, outcome.Action.ID)
	}
}

// passTime moves the clock: by minutes to weeks, or to the moment in which an
// hour, a day or a week begins.
func (q *sequence) passTime() {
	step := time.Duration(q.dice.Int64N(int64(pick(q, 50*time.Minute, 26*time.Hour, 9*24*time.Hour, 40*24*time.Hour))))
	whole := pick(q, 0, 0, time.Hour, 24*time.Hour, 7*24*time.Hour)
	q.clock.Lock()
	if whole > 0 {
		q.now = q.now.Truncate(whole).Add(whole)
	} else {
		q.now = q.now.Add(step).Truncate(time.Second)
	}
	q.clock.Unlock()
	var err error
	forget := q.dice.IntN(3) == 0
	if forget {
		err = q.ForgetCounters(ctx)
	}
	q.did("clock", fmt.Sprint("forget hours: ", forget), err)
}
