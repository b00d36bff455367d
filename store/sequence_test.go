package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// TestCountersInRandomSequences runs random sequences of all changes of a score: all
// kinds of actions and their undos, lines of every type from front ends, imports of
// known messages with other data, bans that end, and time. After each step it
// compares all counters with the base tables, and after some steps every board with
// the oracle.
func TestCountersInRandomSequences(t *testing.T) {
	t.Parallel()
	done := map[string]bool{}
	seeds := []uint64{1, 2, 3, 4, 1795706981913901049, uint64(time.Now().UnixNano())}
	if testing.Short() {
		seeds = seeds[4:] // too few for all kinds of changes to succeed
	}
	for _, seed := range seeds {
		q := newSequence(t, seed)
		for i := range 50 {
			if i%15 == 10 {
				q.checkInsights()
			}
			q.step()
		}
		q.check()
		if _, err := q.VerifyChain(ctx); err != nil {
			q.fail("the chain: %v", err)
		}
		_, differences, err := q.VerifyLog(ctx, nil)
		if err != nil || strings.Contains(strings.Join(differences, "\n"), "the figures of") {
			q.fail("the figures: %v, %v", differences, err)
		}
		q.checkInsights()
		for name := range q.succeeded {
			done[name] = true
		}
		q.Close()
	}
	if testing.Short() {
		return
	}
	for _, k := range countedKinds {
		if !done[k.Name] {
			t.Errorf("no sequence did %s", k.Name)
		}
	}
	for _, name := range []string{"undo", "ingest", "import", "clock", "end bans", "formula"} {
		if !done[name] {
			t.Errorf("no sequence did: %s", name)
		}
	}
}

// countedKinds are the kinds of actions that may change what counts. Scores do not
// read lists.
var countedKinds = slices.DeleteFunc(slices.Clone(store.Kinds), func(k store.Kind) bool { return k.Target == "list" })

// node holds the values of a message that do not change, so that new lines about it
// cause no conflict.
type node struct {
	id, parent, tree uuid.UUID // parent is Nil for a prompt
	role, text       string
}

// sequence is the state of a random sequence.
type sequence struct {
	*store.Store
	t         *testing.T
	random    *rand.Rand
	seed      uint64
	now       time.Time
	clock     *sync.Mutex // protects now: goroutines of the boards read it
	staff     []store.Actor
	users     []uuid.UUID
	nodes     []node
	missing   []node  // parents of imported replies that are not imported yet
	acts      []int64 // the ids of actions that can be undone
	log       []string
	succeeded map[string]bool
}

// newSequence makes ten users and a dozen trees. Its clock begins 120 days ago: bans
// that end by this clock must also be over by the clock of the database.
func newSequence(t *testing.T, seed uint64) *sequence {
	t.Helper()
	q := &sequence{Store: storetest.New(t), t: t, seed: seed, random: rand.New(rand.NewPCG(seed, 0)),
		now: time.Now().UTC().AddDate(0, 0, -120).Truncate(time.Second), clock: new(sync.Mutex),
		succeeded: map[string]bool{}}
	q.SetClock(func() time.Time {
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
		for range q.random.IntN(4) {
			lines = append(lines, q.message(q.reply(q.nodes[len(q.nodes)-1]), q.user()))
		}
	}
	accepted(t, q.Store, lines...)
	// Staff are authors too, so that some of their actions are on their own messages.
	q.users = append(q.users, q.staff[1].UserID, q.staff[2].UserID)
	return q
}

// fail ends the test with the log of all steps.
func (q *sequence) fail(format string, args ...any) {
	q.t.Helper()
	q.t.Fatalf("seed %d, at %s, after\n%s\n%s", q.seed, q.now.Format(time.RFC3339), strings.Join(q.log, "\n"),
		fmt.Sprintf(format, args...))
}

// id returns a random id, always the same for a seed.
func (q *sequence) id() uuid.UUID {
	var id uuid.UUID
	for i := range id {
		id[i] = byte(q.random.UintN(256))
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id
}

func pick[T any](q *sequence, from ...T) T { return from[q.random.IntN(len(from))] }

func (q *sequence) user() uuid.UUID { return pick(q, q.users...) }

func (q *sequence) node() node { return pick(q, q.nodes...) }

// at returns a random date for a signal, from 40 days before now to 20 hours after.
func (q *sequence) at() time.Time {
	span := pick(q, time.Hour, 30*time.Hour, 8*24*time.Hour, 40*24*time.Hour)
	ahead := pick(q, 0, 0, time.Hour, 20*time.Hour)
	return q.now.Add(ahead - time.Duration(q.random.Int64N(int64(span)))).Truncate(time.Second)
}

// reply makes a reply to a message.
func (q *sequence) reply(to node) node {
	return node{id: q.id(), parent: to.id, tree: to.tree,
		role: map[string]string{"prompter": "assistant", "assistant": "prompter"}[to.role], text: "a reply"}
}

// message returns the line of a front end for a new message, and adds it to nodes.
func (q *sequence) message(n node, author uuid.UUID) string {
	q.nodes = append(q.nodes, n)
	var parent any
	if n.parent != uuid.Nil {
		parent = n.parent
	}
	return event("message", "message_id", n.id, "parent_id", parent, "user_id", author, "role", n.role, "text", n.text,
		"lang", pick(q, "en", "de"), "created_date", q.at())
}

// step does one random thing and compares all counters.
func (q *sequence) step() {
	q.t.Helper()
	switch percent := q.random.IntN(100); {
	case percent < 45:
		kind := pick(q, countedKinds...)
		make, ok := q.makers()[kind.Name]
		if !ok {
			q.t.Fatalf("makers has no function for %s", kind.Name)
		}
		act := make()
		act.Kind, act.Reason = kind.Name, "a random action"
		outcome, err := q.Act(ctx, pick(q, q.staff...), act)
		q.acted(kind.Name, fmt.Sprintf("%+v", act), outcome, err)
	case percent < 60 && len(q.acts) > 0:
		id := pick(q, q.acts...)
		outcome, err := q.Undo(ctx, pick(q, q.staff...), id, "a random undo", false, "")
		q.acted("undo", fmt.Sprint(id), outcome, err)
	case percent < 75:
		q.ingest()
	case percent < 85:
		q.importMore()
	case percent < 89:
		n, err := q.EndExpiredBans(ctx)
		q.did("end bans", fmt.Sprint(n), err)
		q.succeeded["end bans"] = n > 0 || q.succeeded["end bans"]
	case percent < 93:
		q.choose()
	default:
		q.passTime()
	}
	faults, err := q.VerifyScores(ctx)
	if err != nil || len(faults) > 0 {
		q.fail("the counters: %+v, %v", faults, err)
	}
	if q.random.IntN(20) == 0 {
		q.check()
	}
}

// did logs a step and fails on any error except a refusal.
func (q *sequence) did(name, what string, err error) {
	q.t.Helper()
	q.log = append(q.log, fmt.Sprintf("%3d %s: %s %s: %v", len(q.log)+1, q.now.Format(time.DateTime), name, what, err))
	if unlessRefused(err) != nil {
		q.fail("%s: %v", name, err)
	}
	q.succeeded[name] = q.succeeded[name] || err == nil && name != "end bans"
}

// unlessRefused returns nil for an error that refuses an action: a conflict, a missing
// permission or invalid values. It returns other errors unchanged.
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

// passTime moves the clock by minutes to weeks, or to the beginning of the next hour,
// day or week.
func (q *sequence) passTime() {
	step := time.Duration(q.random.Int64N(int64(pick(q, 50*time.Minute, 26*time.Hour, 9*24*time.Hour, 40*24*time.Hour))))
	whole := pick(q, 0, 0, time.Hour, 24*time.Hour, 7*24*time.Hour)
	q.clock.Lock()
	if whole > 0 {
		q.now = q.now.Truncate(whole).Add(whole)
	} else {
		q.now = q.now.Add(step).Truncate(time.Second)
	}
	q.clock.Unlock()
	var err error
	forget := q.random.IntN(3) == 0
	if forget {
		err = q.ForgetCounters(ctx)
	}
	q.did("clock", fmt.Sprint("forget hours: ", forget), err)
}
