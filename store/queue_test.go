package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/db"
	"treewarden/store/storetest"
)

// queueOf returns the open cases by message.
func queueOf(t *testing.T, s *store.Store, actor store.Actor, f store.QueueFilter) map[uuid.UUID]store.Case {
	t.Helper()
	list, err := s.Queue(ctx, actor, f)
	if err != nil {
		t.Fatal(err)
	}
	found := map[uuid.UUID]store.Case{}
	for _, c := range list.Items {
		found[c.MessageID] = c
	}
	return found
}

// caseOn returns the open case on a message.
func caseOn(t *testing.T, s *store.Store, actor store.Actor, message uuid.UUID) store.Case {
	t.Helper()
	c, ok := queueOf(t, s, actor, store.QueueFilter{})[message]
	if !ok {
		t.Fatalf("no case on message %s", message)
	}
	return c
}

func reported(message, user uuid.UUID, reason string) string {
	return event("report", "message_id", message, "user_id", user, "reason", reason)
}

func redFlagged(message, user uuid.UUID, op string) string {
	return event("reaction", "message_id", message, "user_id", user, "emoji", "red_flag", "op", op)
}

func decide(t *testing.T, s *store.Store, actor store.Actor, c store.Case, p store.ResolveParams) store.Outcome {
	t.Helper()
	p.Case = c.ID
	return act(t, s, actor, store.Act{Kind: "resolve", Target: c.MessageID, Params: p})
}

// TestFlagsMakeCases checks that reports and red flags of one message make one case, in
// which everybody speaks once, and that the case goes when all of them are taken back.
func TestFlagsMakeCases(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rater, second := storetest.User(t, w.Store, "Rater"), storetest.User(t, w.Store, "Second")
	accepted(t, w.Store, redFlagged(w.prompt, rater, "add"), reported(w.prompt, rater, "spam"),
		reported(w.prompt, rater, "again"), redFlagged(w.prompt, second, "add"), reported(w.reply, second, "rude"),
		reported(w.deleted, second, "gone"))
	found := queueOf(t, w.Store, w.moderator, store.QueueFilter{})
	c := found[w.prompt]
	if len(found) != 3 || c.Reporters != 2 || len(c.Reports) != 1 || len(c.RedFlags) != 2 ||
		c.Reports[0].Reason != "spam\nagain" || c.UserID == nil || *c.UserID != w.troll || c.Status != "open" {
		t.Errorf("%d cases, the first %+v", len(found), c)
	}
	for kind, want := range map[string]int{"report": 3, "red_flag": 1} {
		if n := len(queueOf(t, w.Store, w.moderator, store.QueueFilter{Kind: kind})); n != want {
			t.Errorf("%d cases with a %s, want %d", n, kind, want)
		}
	}
	if gone := found[w.deleted].Gone; len(gone) != 1 || gone[0].What != "deleted" {
		t.Errorf("the case of a deleted message says %+v", gone)
	}
	lines, err := w.QueueLines(ctx, w.moderator, store.QueueFilter{})
	if err != nil || len(lines.Items) != 2 {
		t.Fatalf("%d lines, %v", len(lines.Items), err)
	}
	// A case goes with its last flag. A report cannot be taken back by a front end.
	accepted(t, w.Store, redFlagged(w.reply, rater, "add"))
	act(t, w.Store, w.moderator, store.Act{Kind: "report", Target: w.deep})
	before := caseOn(t, w.Store, w.moderator, w.deep)
	log, err := w.Actions(ctx, w.admin, store.ActionFilter{Kind: "report"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Undo(ctx, w.admin, log.Items[0].ID, "a mistake", false, ""); err != nil {
		t.Fatal(err)
	}
	if _, still := queueOf(t, w.Store, w.moderator, store.QueueFilter{})[w.deep]; still {
		t.Error("a case stays open without flags")
	}
	if _, err := w.Claim(ctx, w.moderator, before.ID); !isConflict(err) {
		t.Errorf("the claim of a withdrawn case: %v", err)
	}
	verify(t, w.Store)
}

// TestDismissedFlagsStopCounting checks that the flags of a dismissed case count neither
// for the score nor in favour of their raters, until an undo, and that a message
// reported again makes a new case that knows the old one.
func TestDismissedFlagsStopCounting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rater, second := storetest.User(t, w.Store, "Rater"), storetest.User(t, w.Store, "Second")
	storetest.Exec(t, w.Store,
		`INSERT INTO emoji_aggregates (tree_id, message_id, red_flags) VALUES ($1, $1, 3)`, w.prompt)
	if err := w.RebuildScores(ctx); err != nil {
		t.Fatal(err)
	}
	accepted(t, w.Store, redFlagged(w.prompt, rater, "add"), reported(w.prompt, second, "spam"))
	counted := func() int64 {
		verify(t, w.Store)
		return board(t, w.Store, w.admin, scoring.Total, scoring.Treewarden)[w.troll].RedFlags
	}
	c := caseOn(t, w.Store, w.moderator, w.prompt)
	if n := counted(); n != 5 || c.ImportedFlags != 3 {
		t.Fatalf("%d red flags count, want 5; case %+v", n, c)
	}
	trust := func(user uuid.UUID) int64 {
		detail, err := w.CaseDetail(ctx, w.moderator, c.ID, scoring.Total)
		if err != nil {
			t.Fatal(err)
		}
		return detail.Reporting[user].Dismissed
	}
	done := decide(t, w.Store, w.moderator, c, store.ResolveParams{Outcome: "dismiss"})
	if n := counted(); n != 0 {
		t.Errorf("%d red flags count after the dismissal", n)
	}
	if len(queueOf(t, w.Store, w.moderator, store.QueueFilter{})) != 0 || trust(rater) != 1 || trust(second) != 1 {
		t.Errorf("the case is open, or its raters have a record of %d and %d dismissed flags", trust(rater), trust(second))
	}
	accepted(t, w.Store, reported(w.prompt, second, "again"))
	again := caseOn(t, w.Store, w.moderator, w.prompt)
	detail, err := w.CaseDetail(ctx, w.moderator, again.ID, scoring.Total)
	if err != nil || again.ID == c.ID || len(detail.Former) != 1 || detail.Former[0].ID != c.ID ||
		*detail.Former[0].Outcome != "dismiss" || len(detail.Former[0].Reports) != 1 || len(detail.Former[0].RedFlags) != 1 {
		t.Errorf("the new case %d shows %+v, %v", again.ID, detail.Former, err)
	}
	if n := counted(); n != 1 {
		t.Errorf("%d red flags count after a new report", n)
	}
	// The undo makes one case of both.
	if _, err := w.Undo(ctx, w.moderator, done.Action.ID, "they were right", false, ""); err != nil {
		t.Fatal(err)
	}
	open := queueOf(t, w.Store, w.moderator, store.QueueFilter{})
	if len(open) != 1 || open[w.prompt].ID != c.ID || open[w.prompt].Reporters != 2 || open[w.prompt].ImportedFlags != 3 {
		t.Errorf("after the undo: %+v", open)
	}
	if n := counted(); n != 5 {
		t.Errorf("%d red flags count after the undo, want 5", n)
	}
	if trust(rater) != 0 {
		t.Error("the undo leaves the dismissal in the record of the rater")
	}
}

// TestOutcomes decides a case with each outcome, undoes it and decides it again.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	for outcome, check := range map[string]string{
		"delete": "SELECT deleted FROM messages WHERE message_id = $1",
		"reject": "SELECT review_result IS FALSE FROM messages WHERE message_id = $1",
		"halt":   "SELECT state = 'halted_by_moderator' FROM trees t JOIN messages m USING (tree_id) WHERE message_id = $1",
		"ban":    "SELECT banned_at IS NOT NULL FROM users u JOIN messages m USING (user_id) WHERE message_id = $1",
	} {
		t.Run(outcome, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			rater := storetest.User(t, w.Store, "Rater")
			accepted(t, w.Store, redFlagged(w.deep, rater, "add"), reported(w.deep, rater, "spam"),
				reported(w.prompt, rater, "x"))
			holds := func() (yes bool) {
				if err := storetest.DB(t, w.Store).QueryRow(ctx, check, w.deep).Scan(&yes); err != nil {
					t.Fatal(err)
				}
				return yes
			}
			for range 2 {
				c := caseOn(t, w.Store, w.moderator, w.deep)
				preview := store.Act{Kind: "resolve", Target: w.deep, Reason: "to look", Preview: true,
					Params: store.ResolveParams{Case: c.ID, Outcome: outcome}}
				previewed, err := w.Act(ctx, w.moderator, preview)
				if err != nil {
					t.Fatal(err)
				}
				done := decide(t, w.Store, w.moderator, c, store.ResolveParams{Outcome: outcome})
				if !holds() || previewed.Affected != done.Affected {
					t.Errorf("done: %v; previewed %+v, done %+v", holds(), previewed.Affected, done.Affected)
				}
				if open := queueOf(t, w.Store, w.moderator, store.QueueFilter{}); len(open) != 1 {
					t.Errorf("%d cases are open, want that of the prompt", len(open))
				}
				verify(t, w.Store)
				if _, err := w.Undo(ctx, w.moderator, done.Action.ID, "a mistake", false, ""); err != nil {
					t.Fatal(err)
				}
				if holds() {
					t.Error("the undo left it done")
				}
				verify(t, w.Store)
			}
			c := caseOn(t, w.Store, w.moderator, w.deep)
			decide(t, w.Store, w.moderator, c, store.ResolveParams{Outcome: outcome, Cases: "author"})
			if open := queueOf(t, w.Store, w.moderator, store.QueueFilter{}); len(open) != 0 {
				t.Errorf("%d cases of the author are left", len(open))
			}
			verify(t, w.Store)
		})
	}
}

// TestCasesOfWhatIsGone checks that a case says what was done elsewhere, that every
// outcome closes it, and that an action elsewhere closes it if asked to.
func TestCasesOfWhatIsGone(t *testing.T) {
	t.Parallel()
	for _, outcome := range []string{"dismiss", "delete", "reject", "halt", "ban"} {
		w := newWorld(t)
		rater := storetest.User(t, w.Store, "Rater")
		accepted(t, w.Store, reported(w.deep, rater, "spam"))
		act(t, w.Store, w.moderator, store.Act{Kind: "ban", Target: w.troll,
			Params: store.BanParams{Messages: "delete", Trees: "halt"}})
		accepted(t, w.Store, reported(w.prompt, rater, "also"))
		c := caseOn(t, w.Store, w.moderator, w.prompt)
		var gone []string
		for _, g := range c.Gone {
			if g.By == nil || g.At == nil || g.Action == nil {
				t.Errorf("nobody knows who %+v", g)
			}
			gone = append(gone, g.What)
		}
		if want := []string{"deleted", "halted", "banned"}; !slices.Equal(gone, want) {
			t.Errorf("the case says %v, want %v", gone, want)
		}
		decide(t, w.Store, w.admin, c, store.ResolveParams{Outcome: outcome, Cases: "author"})
		if open := queueOf(t, w.Store, w.moderator, store.QueueFilter{}); len(open) != 0 {
			t.Errorf("%s leaves %d cases open", outcome, len(open))
		}
		verify(t, w.Store)
	}
	w := newWorld(t)
	rater := storetest.User(t, w.Store, "Rater")
	for _, a := range []store.Act{
		{Kind: "delete", Target: w.prompt, Params: store.CloseParams{CloseCases: true}},
		{Kind: "ban", Target: w.troll, Params: store.BanParams{Close: store.CloseParams{CloseCases: true}}},
		{Kind: "halt", Target: w.prompt, Params: store.CloseParams{CloseCases: true}},
		{Kind: "review", Target: w.deep, Params: store.ReviewParams{Result: "rejected",
			Close: store.CloseParams{CloseCases: true}}},
	} {
		accepted(t, w.Store, reported(w.deep, rater, "spam"))
		done := act(t, w.Store, w.moderator, a)
		if open := queueOf(t, w.Store, w.moderator, store.QueueFilter{}); len(open) != 0 {
			t.Errorf("%s leaves %d cases open", a.Kind, len(open))
		}
		if _, err := w.Undo(ctx, w.moderator, done.Action.ID, "a mistake", false, ""); err != nil {
			t.Fatal(err)
		}
		caseOn(t, w.Store, w.moderator, w.deep)
		verify(t, w.Store)
	}
}

// TestOneHoldsACase checks that of twenty who claim a case at once one wins, that
// nobody else decides it, and that it is free when the holder leaves it, loses access,
// or shows no sign of life for ten minutes.
func TestOneHoldsACase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	accepted(t, w.Store, reported(w.prompt, storetest.User(t, w.Store, "Rater"), "spam"))
	c := caseOn(t, w.Store, w.moderator, w.prompt)
	people := make([]store.Actor, 20)
	for i := range people {
		people[i] = storetest.Staff(t, w.Store, policy.Moderator)
	}
	claim := func() (holder store.Actor) {
		t.Helper()
		var won atomic.Int32
		var all sync.WaitGroup
		for _, person := range people {
			all.Go(func() {
				claimed, err := w.Claim(ctx, person, c.ID)
				switch {
				case err == nil && *claimed.ClaimedBy == person.UserID:
					won.Add(1)
					holder = person
				case !isConflict(err):
					t.Errorf("claim: %v", err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d people hold the case", won.Load())
		}
		return holder
	}
	holder := claim()
	other := people[0]
	if other.UserID == holder.UserID {
		other = people[1]
	}
	resolve := store.Act{Kind: "resolve", Target: w.prompt, Reason: "a reason",
		Params: store.ResolveParams{Case: c.ID, Outcome: "dismiss"}}
	if _, err := w.Act(ctx, other, resolve); !isConflict(err) {
		t.Errorf("somebody else decides a case that is held: %v", err)
	}
	for assigned, want := range map[string]int{"none": 0, "any": 1, "me": 1} {
		if n := len(queueOf(t, w.Store, holder, store.QueueFilter{Assigned: assigned})); n != want {
			t.Errorf("assigned=%s: %d cases, want %d", assigned, n, want)
		}
	}
	if n := len(queueOf(t, w.Store, other, store.QueueFilter{Assigned: "me"})); n != 0 {
		t.Errorf("%d cases are assigned to somebody who holds none", n)
	}
	if err := w.Release(ctx, holder, c.ID); err != nil {
		t.Fatal(err)
	}
	holder = claim()
	// A banned holder's claim is free at once.
	act(t, w.Store, w.admin, store.Act{Kind: "ban", Target: holder.UserID})
	people = slices.DeleteFunc(people, func(a store.Actor) bool { return a.UserID == holder.UserID })
	if now := caseOn(t, w.Store, w.moderator, w.prompt); now.ClaimedBy != nil {
		t.Errorf("a banned moderator holds the case: %v", now.ClaimedBy)
	}
	holder = claim()
	// So is that of one who may no longer work in the queue.
	role := policy.DataLead
	act(t, w.Store, w.admin, store.Act{Kind: "update_user", Target: holder.UserID, Params: store.UserPatch{Role: &role}})
	people = slices.DeleteFunc(people, func(a store.Actor) bool { return a.UserID == holder.UserID })
	claim()
	later := time.Now().Add(11 * time.Minute)
	w.SetClock(func() time.Time { return later })
	decide(t, w.Store, claim(), c, store.ResolveParams{Outcome: "dismiss"})
	verify(t, w.Store)
}

// TestSkippedAndPostponed checks that a skipped case is not offered to the person any
// more, and a postponed one to nobody before its time.
func TestSkippedAndPostponed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rater := storetest.User(t, w.Store, "Rater")
	accepted(t, w.Store, reported(w.prompt, rater, "spam"), reported(w.reply, rater, "rude"))
	number := func(actor store.Actor, view string) int {
		t.Helper()
		return len(queueOf(t, w.Store, actor, store.QueueFilter{View: view}))
	}
	if err := w.SkipCase(ctx, w.moderator, caseOn(t, w.Store, w.moderator, w.prompt).ID); err != nil {
		t.Fatal(err)
	}
	waits, skipped, others := number(w.moderator, ""), number(w.moderator, "skipped"), number(w.admin, "")
	if waits != 1 || skipped != 1 || others != 2 {
		t.Errorf("%d wait, %d are skipped, %d wait for others; want 1, 1, 2", waits, skipped, others)
	}
	if err := w.TakeBackSkips(ctx, w.moderator); err != nil || number(w.moderator, "") != 2 {
		t.Errorf("%d wait when skipped ones are taken back, %v", number(w.moderator, ""), err)
	}
	now := time.Now()
	tomorrow := now.Add(24 * time.Hour)
	c := caseOn(t, w.Store, w.moderator, w.reply)
	if err := w.PostponeCase(ctx, w.moderator, c.ID, now.Add(-time.Hour)); err == nil {
		t.Error("a case is postponed to the past")
	}
	if err := w.PostponeCase(ctx, w.moderator, c.ID, tomorrow); err != nil {
		t.Fatal(err)
	}
	if waits, later := number(w.admin, ""), number(w.admin, "later"); waits != 1 || later != 1 {
		t.Errorf("%d wait, %d wait for a date; want 1, 1", waits, later)
	}
	done := decide(t, w.Store, w.moderator, c, store.ResolveParams{Outcome: "dismiss"})
	if _, err := w.Undo(ctx, w.moderator, done.Action.ID, "not so fast", false, ""); err != nil {
		t.Fatal(err)
	}
	if waits, later := number(w.admin, ""), number(w.admin, "later"); waits != 1 || later != 1 {
		t.Errorf("after an undo %d wait, %d wait for a date; want 1, 1", waits, later)
	}
	w.SetClock(func() time.Time { return tomorrow.Add(time.Minute) })
	if waits := number(w.admin, ""); waits != 2 {
		t.Errorf("%d wait after the date, want 2", waits)
	}
}

// TestOrderOfTheQueue checks the order by priority with its parts, pages in both
// directions, and that flags of banned people do not count.
func TestOrderOfTheQueue(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	moderator, admin := storetest.Staff(t, s, policy.Moderator), storetest.Staff(t, s, policy.Admin)
	raters := make([]uuid.UUID, 12)
	for i := range raters {
		raters[i] = storetest.User(t, s, fmt.Sprint("Rater ", i))
	}
	var lines []string
	var messages []uuid.UUID
	for i := range 12 {
		author := storetest.User(t, s, fmt.Sprint("Author ", i))
		messages = append(messages, storetest.Tree(t, s, storetest.Node{Author: author, Lang: []string{"en", "de"}[i%2]})[0])
		for _, rater := range raters[:i+1] {
			lines = append(lines, reported(messages[i], rater, "spam"))
		}
	}
	accepted(t, s, lines...)
	list, err := s.Queue(ctx, moderator, store.QueueFilter{})
	if err != nil || len(list.Items) != 12 {
		t.Fatalf("%d cases, %v", len(list.Items), err)
	}
	for i, c := range list.Items {
		if c.MessageID != messages[11-i] {
			t.Fatalf("case %d is on another message", i)
		}
		sum := 0.0
		for _, part := range c.Priority.Parts {
			sum += part.Points
		}
		if sum != c.Priority.Points || len(c.Priority.Parts) != len(scoring.PriorityParts) {
			t.Errorf("the parts of %+v", c.Priority)
		}
	}
	walk := func(back bool) (ids []int64) {
		f := store.QueueFilter{Page: store.Page{Limit: 5}}
		for {
			page, err := s.Queue(ctx, moderator, f)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range page.Items {
				ids = append(ids, c.ID)
			}
			next := page.Next
			if back {
				next = page.Prev
			}
			if next == nil {
				if !back && page.Prev != nil {
					back, ids = true, nil
					f.Cursor = *page.Prev
					continue
				}
				return ids
			}
			f.Cursor = *next
		}
	}
	if ids := walk(false); len(ids) != 10 { // the two pages before the last one
		t.Errorf("%d cases backwards, want 10: %v", len(ids), ids)
	}
	if german, err := s.Queue(ctx, moderator, store.QueueFilter{Within: []string{"de"}}); err != nil ||
		len(german.Items) != 6 {
		t.Errorf("%d German cases, %v", len(german.Items), err)
	}
	var conflict *store.Conflict
	for _, rater := range raters {
		if _, err := s.Act(ctx, admin, store.Act{Kind: "ban", Target: rater, Reason: "a troll"}); err != nil {
			t.Fatal(errors.As(err, &conflict), err)
		}
	}
	if list, err = s.Queue(ctx, moderator, store.QueueFilter{}); err != nil || len(list.Items) != 0 {
		t.Errorf("%d cases by banned people only, %v", len(list.Items), err)
	}
	verify(t, s)
}

// TestCasesFollowToxicity checks that the priority of an open case follows the highest
// toxicity of its message, whatever opened first.
func TestCasesFollowToxicity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	classified := func(model string, toxicity float64) string {
		return event("classifier_output", "message_id", w.prompt, "model", model,
			"scores", map[string]float64{"toxicity": toxicity})
	}
	toxicity := func() (value float64) {
		for _, part := range caseOn(t, w.Store, w.moderator, w.prompt).Priority.Parts {
			if part.Part == scoring.CaseToxicity {
				value = part.Value
			}
		}
		verify(t, w.Store)
		return value
	}
	rater := storetest.User(t, w.Store, "Rater")
	accepted(t, w.Store, classified("first", 0.25), reported(w.prompt, rater, "rude"))
	if got := toxicity(); got != 0.25 {
		t.Errorf("toxicity %v of a case that came with its output, want 0.25", got)
	}
	accepted(t, w.Store, classified("second", 0.5))
	if got := toxicity(); got != 0.5 {
		t.Errorf("toxicity %v after a second classifier, want 0.5", got)
	}
	accepted(t, w.Store, classified("second", 0.125))
	if got := toxicity(); got != 0.25 {
		t.Errorf("toxicity %v after the second one changed its mind, want 0.25", got)
	}
	storetest.Exec(t, w.Store, "UPDATE messages SET user_id = NULL WHERE message_id = $1", w.prompt)
	storetest.Exec(t, w.Store, "UPDATE cases SET user_id = NULL WHERE message_id = $1", w.prompt)
	if err := w.RebuildScores(ctx); err != nil {
		t.Fatal(err)
	}
	accepted(t, w.Store, classified("third", 0.75))
	if got := toxicity(); got != 0.75 {
		t.Errorf("toxicity %v of a message of nobody, want 0.75", got)
	}
}

// TestQueueBelowAToxicity checks the filter that leaves toxic cases out: those of unknown
// toxicity stay, and its cursors are its own.
func TestQueueBelowAToxicity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rater := storetest.User(t, w.Store, "Rater")
	storetest.Exec(t, w.Store, "INSERT INTO classifier_models (name, outputs) VALUES ('detoxify', '{toxicity}')")
	for message, toxicity := range map[uuid.UUID]float64{w.prompt: 0.4, w.reply: 0.7} {
		storetest.Exec(t, w.Store, `INSERT INTO classifier_outputs (tree_id, message_id, model_id, toxicity, scores)
			SELECT tree_id, message_id, 1, $2, '{}' FROM message_trees WHERE message_id = $1`, message, toxicity)
	}
	accepted(t, w.Store, reported(w.prompt, rater, "spam"), reported(w.reply, rater, "spam"),
		reported(w.deep, rater, "spam"))
	for below, want := range map[float64][]uuid.UUID{
		0: {w.deep}, 0.4: {w.deep}, 0.41: {w.deep, w.prompt}, 0.7: {w.deep, w.prompt}, 0.71: {w.deep, w.prompt, w.reply},
	} {
		found := queueOf(t, w.Store, w.moderator, store.QueueFilter{Below: &below})
		if len(found) != len(want) {
			t.Errorf("below %v are %d cases, want %d", below, len(found), len(want))
		}
		for _, message := range want {
			if _, ok := found[message]; !ok {
				t.Errorf("below %v a case is missing", below)
			}
		}
	}
	below := 0.5
	f := store.QueueFilter{Below: &below, Page: store.Page{Limit: 1}}
	first, err := w.Queue(ctx, w.moderator, f)
	if err != nil || first.Next == nil {
		t.Fatalf("no second page: %v", err)
	}
	f.Cursor = *first.Next
	if second, err := w.Queue(ctx, w.moderator, f); err != nil || len(second.Items) != 1 || second.Next != nil {
		t.Errorf("the second page has %d cases, %v", len(second.Items), err)
	}
	f.Below = nil
	if _, err := w.Queue(ctx, w.moderator, f); !errors.Is(err, db.ErrForeignCursor) {
		t.Errorf("its cursor without the filter: %v", err)
	}
}

// TestCasesDecidedTogether checks which cases of an author a decision about all of them
// is about: those in the languages of who decides, that nobody else holds, and that
// somebody flagged who is not banned. The case says their number before.
func TestCasesDecidedTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.Store
	author, rater, banned := storetest.User(t, s, "Author"), storetest.User(t, s, "Rater"), storetest.User(t, s, "Banned")
	var messages []uuid.UUID
	for _, lang := range []string{"de", "de-AT", "de", "de", "en"} {
		messages = append(messages, storetest.Tree(t, s, storetest.Node{Author: author, Lang: lang, Text: "nonsense"})[0])
	}
	for i, message := range messages {
		who := rater
		if i == 2 {
			who = banned
		}
		accepted(t, s, reported(message, who, "spam"))
	}
	held := caseOn(t, s, w.admin, messages[3])
	if _, err := w.Claim(ctx, w.admin, held.ID); err != nil {
		t.Fatal(err)
	}
	act(t, s, w.admin, store.Act{Kind: "ban", Target: banned, Reason: "a troll"})
	german := storetest.Staff(t, s, policy.Moderator)
	german.Languages = []string{"de"}
	storetest.Exec(t, s, "UPDATE users SET languages = '{de}' WHERE user_id = $1", german.UserID)
	first := caseOn(t, s, german, messages[0])
	detail, err := w.CaseDetail(ctx, german, first.ID, scoring.Total)
	if err != nil || detail.Together != 2 || detail.Unopened != 1 || len(detail.Others) != 3 {
		t.Errorf("the case says that %d are decided, %d not opened, with %d others; want 2, 1, 3; %v", detail.Together,
			detail.Unopened, len(detail.Others), err)
	}
	decide(t, s, german, first, store.ResolveParams{Outcome: "dismiss", Cases: "author"})
	open := queueOf(t, s, w.admin, store.QueueFilter{})
	if _, heldIs := open[messages[3]]; len(open) != 2 || !heldIs || open[messages[4]].ID == 0 {
		t.Errorf("%d cases wait, want the one that somebody holds and the English one: %v", len(open), open)
	}
	if err := w.Release(ctx, w.moderator, held.ID); err == nil {
		t.Error("somebody releases a case that somebody else holds")
	}
	if err := w.SkipCase(ctx, w.moderator, first.ID); err == nil {
		t.Error("a decided case is skipped")
	}
}
