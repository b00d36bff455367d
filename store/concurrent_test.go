package store_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/corpus"
	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/storetest"
)

// TestManyWritersAtOnce writes about a few users and trees from many goroutines,
// through ingests, imports, actions and undos. No writer gets an error because of another
// one, but for a wait that is too long on a slow machine: then it tries again, as it is
// told to. No deadlock occurs, and no count is lost.
func TestManyWritersAtOnce(t *testing.T) {
	t.Parallel()
	const writers, rounds, flags = 16, 10, 5
	seed := uint64(time.Now().UnixNano())
	q := newSequence(t, seed)
	q.users = q.users[:5]
	q.nodes = q.nodes[:12]
	hot, author := uuid.New(), uuid.New()
	accepted(t, q.Store, event("user", "user_id", author),
		event("message", "message_id", hot, "user_id", author, "role", "prompter", "text", "flag me"))

	var wait sync.WaitGroup
	for i := range writers {
		w := *q // all writers share the store; each has its own random numbers
		w.random = rand.New(rand.NewPCG(seed, uint64(i)+1))
		w.staff = append(w.staff[:len(w.staff):len(w.staff)], storetest.Staff(t, q.Store, policy.Admin))
		wait.Go(func() {
			for round := range rounds {
				if err := whileBusy(func() error { return w.write(round) }); err != nil {
					t.Errorf("writer %d of seed %d, round %d: %v", i, seed, round, err)
				}
				if round%2 == 0 && round/2 < flags {
					rater := uuid.New()
					lines := event("user", "user_id", rater) + "\n" +
						event("reaction", "message_id", hot, "user_id", rater, "emoji", "red_flag")
					var done store.Ingested
					err := whileBusy(func() (err error) {
						done, err = q.Ingest(ctx, store.CommandLine, []byte(lines))
						return err
					})
					if err != nil || done.Accepted != 2 {
						t.Errorf("writer %d of seed %d, round %d: a red flag: %+v, %v", i, seed, round, done, err)
					}
				}
			}
		})
	}
	wait.Wait()
	q.log = []string{"many writers at once"}
	if row := board(t, q.Store, q.staff[0], scoring.Total, scoring.Treewarden)[author]; row.RedFlags != writers*flags {
		t.Errorf("%d red flags were counted of %d", row.RedFlags, writers*flags)
	}
	verify(t, q.Store)
	q.check()
	q.Close() // a connection reports its deadlocks when it ends, at the latest
	wantOne(t, q.Store, "0", "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
}

// TestWritersOfThreeInstances writes about a few users and trees through three
// instances at once. No count is lost, the log and the state of things agree, and all
// instances come to show the same boards. TREEWARDEN_WALK_STEPS is the number of
// steps, 90 if it is not set.
func TestWritersOfThreeInstances(t *testing.T) {
	t.Parallel()
	steps := 90
	if text := os.Getenv("TREEWARDEN_WALK_STEPS"); text != "" {
		var err error
		if steps, err = strconv.Atoi(text); err != nil {
			t.Fatalf("TREEWARDEN_WALK_STEPS: %v", err)
		}
	}
	seed := uint64(time.Now().UnixNano())
	q := newSequence(t, seed)
	q.users, q.nodes = q.users[:5], q.nodes[:12]
	instances := []*store.Store{q.Store, storetest.Another(t, q.Store), storetest.Another(t, q.Store)}
	var wait sync.WaitGroup
	for i, instance := range instances {
		if i > 0 {
			instance.SetClock(func() time.Time { return q.now }) // no step moves the clock
		}
		w := *q
		w.Store, w.random = instance, rand.New(rand.NewPCG(seed, uint64(i)+1))
		wait.Go(func() {
			for round := range steps / len(instances) {
				if err := whileBusy(func() error { return w.write(round) }); err != nil {
					t.Errorf("instance %d of seed %d, round %d: %v", i, seed, round, err)
				}
			}
		})
	}
	wait.Wait()
	q.log = []string{"three instances at once"}
	verify(t, q.Store)
	for _, formula := range scoring.Formulas {
		want := board(t, q.Store, q.staff[0], scoring.Total, formula)
		for i, instance := range instances[1:] {
			eventually(t, fmt.Sprintf("instance %d shows the board of the first (seed %d)", i+2, seed), func() bool {
				got := board(t, instance, q.staff[0], scoring.Total, formula)
				for user, row := range want {
					if unlike(got[user], row) != "" {
						return false
					}
				}
				return len(got) == len(want)
			})
		}
	}
	q.check()
}

// write does one random thing. It returns errors except refusals.
func (q *sequence) write(round int) error {
	switch q.random.IntN(8) {
	case 0, 1, 2:
		return q.submit()
	case 3:
		return q.importAtOnce(round)
	case 4, 5:
		kind := pick(q, "label", "react", "report", "review", "edit", "halt", "resume")
		act := q.makers()[kind]()
		act.Kind, act.Reason = kind, "at once"
		_, err := q.Act(ctx, pick(q, q.staff...), act)
		return unlessRefused(err)
	}
	kind := pick(q, "ban", "ban", "unban", "delete", "update_user", "undelete")
	act := q.makers()[kind]()
	act.Kind, act.Reason = kind, "at once"
	outcome, err := q.Act(ctx, q.staff[0], act)
	if err == nil && outcome.Action.ID != 0 && q.random.IntN(2) == 0 {
		_, err = q.Undo(ctx, q.staff[0], outcome.Action.ID, "and back", false, "")
	}
	return unlessRefused(err)
}

// submit ingests lines of all types about the few messages that all writers share.
func (q *sequence) submit() error {
	var lines []string
	for range 8 {
		n, rater := q.node(), q.user()
		lines = append(lines, pick(q,
			event("label", "message_id", n.id, "user_id", rater, "labels", q.labels()),
			event("reaction", "message_id", n.id, "user_id", rater, "emoji", pick(q, "+1", "-1", "red_flag"), "op",
				pick(q, "add", "remove")),
			event("report", "message_id", n.id, "user_id", rater, "reason", "at once"),
			event("message", "message_id", q.id(), "parent_id", n.id, "user_id", rater, "role", "prompter", "text", "x", "lang",
				"en"),
			event("message", "message_id", q.id(), "user_id", rater, "role", "prompter", "text", "x", "lang", "de"),
			event("classifier_output", "message_id", n.id, "model", pick(q, "m", "n", q.id().String()), "scores",
				map[string]float64{"toxicity": q.random.Float64()}),
			event("tree", "message_tree_id", n.tree, "state", pick(q, "growing", "aborted_low_grade")),
			event("user", "user_id", rater, "display_name", q.id().String()),
			event("user", "user_id", q.id())))
	}
	_, err := q.Ingest(ctx, store.CommandLine, []byte(strings.Join(lines, "\n")))
	return err
}

// importAtOnce imports new data of a few known messages, and a new reply.
func (q *sequence) importAtOnce(round int) error {
	lines := []string{q.exported(q.reply(q.node()))}
	seen := map[uuid.UUID]bool{}
	for range 3 {
		if n := q.node(); !seen[n.id] {
			seen[n.id] = true
			lines = append(lines, q.exported(n))
		}
	}
	text := strings.Join(lines, "\n") + "\n"
	summary, err := q.Import(ctx, corpus.NewReader(strings.NewReader(text), fmt.Sprint(round)).All(),
		store.ImportOptions{})
	if err == nil && summary.Rejected > 0 {
		err = fmt.Errorf("the import refused %+v", summary.Errors)
	}
	return err
}
