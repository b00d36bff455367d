package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/jobs"
	"treewarden/store/lists"
	"treewarden/store/selection"
	"treewarden/store/storetest"
)

// bulk returns the parameters of a bulk act on messages.
func bulk(kind string, ids ...uuid.UUID) store.BulkParams {
	return store.BulkParams{Act: selection.Act{Kind: kind, On: selection.On{IDs: ids}}}
}

// previewed returns the preview of a bulk act.
func previewed(t *testing.T, s *store.Store, actor store.Actor, p store.BulkParams) store.BulkPreview {
	t.Helper()
	preview, err := s.PreviewBulk(ctx, actor, store.Act{Reason: "preview"}, p)
	if err != nil {
		t.Fatalf("preview %s: %v", p.Kind, err)
	}
	return preview
}

// actBulk performs a bulk act that is no job.
func actBulk(t *testing.T, s *store.Store, actor store.Actor, p store.BulkParams) store.Outcome {
	t.Helper()
	outcome, job, err := s.Bulk(ctx, actor, store.Act{Reason: "a wave of spam"}, p)
	if err != nil || job != nil {
		t.Fatalf("%s: %+v, %v", p.Kind, job, err)
	}
	return outcome
}

// TestBulk previews, does and undoes each kind of bulk act on several trees.
func TestBulk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	second := storetest.Tree(t, w.Store, storetest.Node{Author: w.other, Replies: []storetest.Node{{Author: w.troll}}})
	storetest.React(t, w.Store, second[0], w.troll, "red_flag", time.Now())
	if err := w.RebuildScores(ctx); err != nil {
		t.Fatal(err)
	}
	list, _ := newList(t, w, "Spam")
	add(t, w, list, w.reply)
	ids := []uuid.UUID{w.reply, second[0], w.deleted, w.reply, uuid.New()}
	for _, c := range []struct {
		kind     string
		affected store.Affected
		counts   selection.Counts
		check    string // the number of what changed
		label    string
	}{
		{selection.Delete, store.Affected{Messages: 4, OthersMessages: 2},
			selection.Counts{Messages: 4, OthersMessages: 2, Trees: 2, Users: 2, Unchanged: 1, Missing: 1, OpenCases: 1},
			"SELECT count(*) FROM messages WHERE deletion_by_staff", "delete 4 messages"},
		{selection.Reject, store.Affected{Messages: 3},
			selection.Counts{Messages: 3, Trees: 2, Users: 1, Missing: 1, OpenCases: 1},
			"SELECT count(*) FROM messages WHERE review_result = false AND review_by_staff", "mark 3 messages as spam"},
		{selection.Ban, store.Affected{Users: 1}, selection.Counts{Messages: 3, Trees: 2, Users: 1, Missing: 1, OpenCases: 1},
			"SELECT count(*) FROM users WHERE banned_at IS NOT NULL", "ban 1 user"},
		{selection.Halt, store.Affected{Trees: 2},
			selection.Counts{Messages: 3, Trees: 2, Users: 1, Missing: 1, OpenCases: 1},
			"SELECT count(*) FROM trees WHERE state = 'halted_by_moderator'", "stop 2 trees"},
		{selection.List, store.Affected{Messages: 2},
			selection.Counts{Messages: 2, Trees: 2, Users: 1, Unchanged: 1, Missing: 1},
			"SELECT count(*) - 1 FROM list_items", "add 2 messages to the list “Spam”"},
	} {
		p := bulk(c.kind, ids...)
		if c.kind == selection.List {
			p.List = &list
		}
		before := state(t, w.Store)
		preview := previewed(t, w.Store, w.moderator, p)
		if preview.Affected != c.affected || preview.Counts != c.counts || preview.Expected != c.affected.Most() ||
			len(preview.Sample) == 0 {
			t.Errorf("%s: the preview is %+v", c.kind, preview)
		}
		if state(t, w.Store) != before {
			t.Errorf("%s: the preview changed something", c.kind)
		}
		p.Expected = &preview.Expected
		done := actBulk(t, w.Store, w.moderator, p)
		if done.Affected != c.affected || done.Action.TargetType != "bulk" || done.Action.TargetLabel != c.label {
			t.Errorf("%s: done %+v", c.kind, done)
		}
		wantOne(t, w.Store, fmt.Sprint(c.affected.Most()), c.check)
		verify(t, w.Store)
		if again := actBulk(t, w.Store, w.moderator, bulkAgain(p)); !again.Unchanged {
			t.Errorf("%s again: %+v", c.kind, again)
		}
		undone, err := w.Undo(ctx, w.moderator, done.Action.ID, "too early", false, "")
		if err != nil || undone.Affected != c.affected {
			t.Errorf("%s: the undo did %+v, %v", c.kind, undone.Affected, err)
		}
		if now := state(t, w.Store); now != before {
			t.Errorf("%s: the undo does not bring back what was: %s", c.kind, diff(before, now))
		}
		verify(t, w.Store)
		if _, err := w.Undo(ctx, w.moderator, done.Action.ID, "once more", false, ""); !isConflict(err) {
			t.Errorf("%s: undone twice: %v", c.kind, err)
		}
	}
}

// bulkAgain returns the parameters without the number that a preview counted.
func bulkAgain(p store.BulkParams) store.BulkParams {
	p.Expected = nil
	return p
}

// TestBulkOnFilterAndWave acts on what a filter finds, and on the messages of a wave.
func TestBulkOnFilterAndWave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const text = "You have won the great lottery of our town, call us before the end of the week to get your prize."
	var spam []uuid.UUID
	for i, author := range []uuid.UUID{w.troll, w.other, w.troll} {
		spam = append(spam, storetest.Tree(t, w.Store, storetest.Node{Author: author, Text: fmt.Sprint(text, " ", i)})[0])
	}
	// The transactions of other tests on the same server delay the comparison.
	eventually(t, "all of the wave are in it", func() bool {
		if err := w.KeepUpTexts(ctx); err != nil {
			t.Fatal(err)
		}
		return one(t, w.Store, "SELECT coalesce(max(messages), 0)::text FROM waves") == fmt.Sprint(len(spam))
	})
	before := state(t, w.Store)
	var p store.BulkParams
	p.Kind = selection.Delete
	p.On.Filter = &store.MessageFilter{Q: "lottery", User: &w.troll}
	done := actBulk(t, w.Store, w.moderator, p)
	wantOne(t, w.Store, "2", "SELECT count(*) FROM messages WHERE deletion_by_staff AND user_id = $1", w.troll)
	if _, err := w.Undo(ctx, w.moderator, done.Action.ID, "too early", false, ""); err != nil {
		t.Fatal(err)
	}
	var wave uuid.UUID
	if err := storetest.DB(t, w.Store).QueryRow(ctx, "SELECT wave_id FROM waves").Scan(&wave); err != nil {
		t.Fatal(err)
	}
	p = store.BulkParams{}
	p.Kind, p.On.Wave = selection.Delete, &wave
	done = actBulk(t, w.Store, w.moderator, p)
	if done.Affected.Messages != int64(len(spam)) {
		t.Errorf("of the wave: %+v", done.Affected)
	}
	if _, err := w.Undo(ctx, w.moderator, done.Action.ID, "too early", false, ""); err != nil {
		t.Fatal(err)
	}
	if state(t, w.Store) != before {
		t.Error("the undo does not bring back what was")
	}
	// One of the wave goes, another one comes: as many, but others than in the preview.
	preview := previewed(t, w.Store, w.moderator, p)
	act(t, w.Store, w.admin, store.Act{Kind: "delete", Target: spam[0]})
	storetest.Tree(t, w.Store, storetest.Node{Author: w.other, Text: fmt.Sprint(text, " ", len(spam))})
	eventually(t, "the new one is in the wave", func() bool {
		if err := w.KeepUpTexts(ctx); err != nil {
			t.Fatal(err)
		}
		return previewed(t, w.Store, w.moderator, p).Set != preview.Set && previewed(t, w.Store, w.moderator, p).Expected == 3
	})
	var conflict *store.Conflict
	p.Expected, p.ExpectedSet = &preview.Expected, preview.Set
	if _, _, err := w.Bulk(ctx, w.moderator, store.Act{Reason: "a test"}, p); !errors.As(err, &conflict) ||
		!strings.Contains(conflict.Why, "other things") {
		t.Errorf("a wave with others: %v", err)
	}
	p.Expected, p.ExpectedSet = nil, ""
	p.On.Wave = new(uuid.New())
	if _, _, err := w.Bulk(ctx, w.moderator, store.Act{Reason: "a test"}, p); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a wave that does not exist: %v", err)
	}
}

// TestBulkProtects bans neither staff nor the actor nor those whose rank is too high, and
// leaves out what staff reviewed otherwise. Other kinds act on messages and trees whoever
// wrote them.
func TestBulkProtects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	of := func(author uuid.UUID) uuid.UUID { return storetest.Tree(t, w.Store, storetest.Node{Author: author})[0] }
	peer := storetest.Staff(t, w.Store, policy.Moderator)
	ids := []uuid.UUID{of(w.moderator.UserID), of(peer.UserID), of(w.admin.UserID), of(w.troll)}
	list, _ := newList(t, w, "All")
	for _, c := range []struct {
		actor store.Actor
		want  selection.Protected
	}{
		{w.moderator, selection.Protected{Self: 1, NotPermitted: 2}},
		{w.admin, selection.Protected{Self: 1, Staff: 2}},
	} {
		for _, kind := range selection.Kinds {
			p := bulk(kind, ids...)
			want, expected := selection.Protected{}, int64(4)
			switch kind {
			case selection.List:
				p.List = &list
			case selection.Ban:
				want, expected = c.want, 1
			case selection.Accept:
				storetest.Exec(t, w.Store, "UPDATE messages SET review_result = NULL")
			}
			preview := previewed(t, w.Store, c.actor, p)
			if preview.Counts.Protected != want || preview.Expected != expected {
				t.Errorf("%s by %s: %+v", kind, c.actor.Role, preview)
			}
			done := actBulk(t, w.Store, c.actor, p)
			if done.Affected.Most() != expected {
				t.Errorf("%s by %s did %+v", kind, c.actor.Role, done.Affected)
			}
			if _, err := w.Undo(ctx, c.actor, done.Action.ID, "too early", false, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	wantOne(t, w.Store, "2", `SELECT count(DISTINCT o.action_id) FROM action_objects o
		JOIN actions a ON a.id = o.action_id AND a.kind = 'bulk' WHERE o.object_type = 'user'`)
	wantOne(t, w.Store, "0", `SELECT count(*) FROM action_objects WHERE object_type = 'user' AND object_id = ANY ($1)`,
		[]uuid.UUID{w.moderator.UserID, peer.UserID, w.admin.UserID})

	act(t, w.Store, peer, store.Act{Kind: "review", Target: w.reply, Params: store.ReviewParams{Result: "accepted"}})
	preview := previewed(t, w.Store, w.moderator, bulk(selection.Reject, w.reply, w.deep))
	if preview.Counts.Protected != (selection.Protected{Decided: 1}) || preview.Expected != 1 {
		t.Errorf("what staff accepted: %+v", preview)
	}
}

// TestBulkChanged refuses a bulk act if another number would change than the preview
// counted. What staff did meanwhile stays.
func TestBulkChanged(t *testing.T) {
	t.Parallel()
	for kind, meanwhile := range map[string]store.Act{
		selection.Delete: {Kind: "delete"},
		selection.Reject: {Kind: "review", Params: store.ReviewParams{Result: "accepted"}},
		selection.Ban:    {Kind: "ban"},
		selection.Halt:   {Kind: "halt"},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			storetest.Exec(t, w.Store, "UPDATE messages SET review_result = NULL")
			one := storetest.Tree(t, w.Store, storetest.Node{Author: w.troll})[0]
			two := storetest.Tree(t, w.Store, storetest.Node{Author: w.other})[0]
			storetest.Exec(t, w.Store, "UPDATE messages SET review_result = NULL")
			p := bulk(kind, one, two)
			expected := previewed(t, w.Store, w.moderator, p).Expected
			if expected != 2 {
				t.Fatalf("the preview counts %d", expected)
			}
			if meanwhile.Target = two; kind == selection.Ban {
				meanwhile.Target = w.other
			}
			act(t, w.Store, w.admin, meanwhile)
			before := state(t, w.Store)
			p.Expected = &expected
			var conflict *store.Conflict
			if _, _, err := w.Bulk(ctx, w.moderator, store.Act{Reason: "a test"}, p); !errors.As(err, &conflict) ||
				conflict.Expected == nil || *conflict.Expected != 1 {
				t.Fatalf("with another number: %v", err)
			}
			if state(t, w.Store) != before {
				t.Error("the refused act changed something")
			}
			p.Expected = conflict.Expected
			done := actBulk(t, w.Store, w.moderator, p)
			wantOne(t, w.Store, "1",
				"SELECT count(*) FROM action_objects WHERE action_id = (SELECT id FROM actions WHERE seq = $1)",
				done.Action.ID)
			if _, err := w.Undo(ctx, w.moderator, done.Action.ID, "too early", false, ""); err != nil {
				t.Fatal(err)
			}
			if state(t, w.Store) != before {
				t.Error("the undo does not leave what staff did meanwhile")
			}
			verify(t, w.Store)
		})
	}
}

// TestBulkAtOnce performs two bulk acts on the same messages at once: one acts, the
// other finds nothing to do.
func TestBulkAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var ids []uuid.UUID
	for range 20 {
		ids = append(ids, storetest.Tree(t, w.Store, storetest.Node{Author: w.troll})[0])
	}
	for _, kind := range []string{selection.Delete, selection.Ban, selection.Halt} {
		expected := previewed(t, w.Store, w.moderator, bulk(kind, ids...)).Expected
		var both sync.WaitGroup
		var mu sync.Mutex
		acted, refused := 0, 0
		for i, actor := range []store.Actor{w.moderator, w.admin} {
			both.Go(func() {
				mine := slices.Clone(ids)
				if i == 1 {
					slices.Reverse(mine)
				}
				p := bulk(kind, mine...)
				p.Expected = &expected
				outcome, _, err := w.Bulk(ctx, actor, store.Act{Reason: "a test"}, p)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil && outcome.Affected.Most() == expected:
					acted++
				case isConflict(err):
					refused++
				default:
					t.Errorf("%s: %+v, %v", kind, outcome, err)
				}
			})
		}
		both.Wait()
		if acted != 1 || refused != 1 {
			t.Errorf("%s: %d acted and %d were refused", kind, acted, refused)
		}
		verify(t, w.Store)
	}
}

// TestBulkPermissions checks who may act in bulk, on how many, and by which kind.
func TestBulkPermissions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lead := storetest.Staff(t, w.Store, policy.DataLead)
	many := storetest.Tree(t, w.Store,
		storetest.Node{Author: w.troll, Replies: slices.Repeat([]storetest.Node{{}}, 100)})[1:]
	try := func(actor store.Actor, p store.BulkParams) error {
		_, _, err := w.Bulk(ctx, actor, store.Act{Reason: "a test"}, p)
		return err
	}
	var forbidden *store.Forbidden
	var invalid store.Invalid
	if err := try(lead, bulk(selection.Delete, w.deep)); !errors.As(err, &forbidden) ||
		forbidden.Permission != policy.BulkAct {
		t.Errorf("a data lead: %v", err)
	}
	hundred, more := int64(100), int64(101)
	if err := try(w.moderator, bulk(selection.Reject, many...)); err != nil {
		t.Errorf("100 by a moderator: %v", err)
	}
	over := bulk(selection.Delete, append(slices.Clone(many), w.deep)...)
	if err := try(w.admin, over); !errors.As(err, &invalid) || invalid["expected"] == "" {
		t.Errorf("101 without their number: %v", err)
	}
	over.Expected = &hundred
	if err := try(w.admin, over); !isConflict(err) {
		t.Errorf("101 with another number: %v", err)
	}
	over.Expected = &more
	if err := try(w.moderator, over); !errors.As(err, &forbidden) || forbidden.Permission != policy.BulkLarge {
		t.Errorf("101 by a moderator: %v", err)
	}
	if preview := previewed(t, w.Store, w.moderator, over); preview.Expected != more {
		t.Errorf("a moderator previews %+v", preview)
	}
	if err := try(w.admin, over); err != nil {
		t.Errorf("101 by an admin: %v", err)
	}
	// A role that may act in bulk, but not ban.
	roles := slices.Clone(w.Policy().Roles())
	for i := range roles {
		if roles[i].Name == policy.Moderator {
			without(policy.UserBan)(&roles[i])
		}
	}
	if _, err := w.ChangePolicy(ctx, store.CommandLine, store.PolicyChange{Roles: roles, Reason: "No bans."}); err != nil {
		t.Fatal(err)
	}
	actor := reread(t, w.Store, w.moderator).Actor
	if err := try(actor, bulk(selection.Ban, w.reply)); !errors.As(err, &forbidden) ||
		forbidden.Permission != policy.UserBan {
		t.Errorf("a ban without the permission: %v", err)
	}
}

// TestBulkLanguages leaves out what is outside the languages of the actor: messages,
// authors who write another one, and trees.
func TestBulkLanguages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	actor := storetest.Staff(t, w.Store, policy.Moderator)
	limit := func(languages ...string) {
		t.Helper()
		storetest.Exec(t, w.Store, "UPDATE users SET languages = $1 WHERE user_id = $2", languages, actor.UserID)
	}
	one, two := storetest.User(t, w.Store, "One"), storetest.User(t, w.Store, "Two")
	ids := []uuid.UUID{
		storetest.Tree(t, w.Store, storetest.Node{Author: one, Lang: "de"})[0],
		storetest.Tree(t, w.Store, storetest.Node{Author: two, Lang: "en"})[0],
	}
	for _, kind := range []string{selection.Delete, selection.Reject, selection.Ban, selection.Halt} {
		foreign := actBulk(t, w.Store, actor, bulk(kind, ids[1]))
		limit("de")
		var forbidden *store.Forbidden
		if _, err := w.Undo(ctx, actor, foreign.Action.ID, "a test", false, ""); !errors.As(err, &forbidden) {
			t.Errorf("%s: the undo in another language: %v", kind, err)
		}
		limit()
		if _, err := w.Undo(ctx, actor, foreign.Action.ID, "a test", false, ""); err != nil {
			t.Errorf("%s: the undo without a limit: %v", kind, err)
		}
		limit("de")
		before := state(t, w.Store)
		preview := previewed(t, w.Store, actor, bulk(kind, ids...))
		if preview.Counts.Protected != (selection.Protected{Language: 1}) || preview.Expected != 1 {
			t.Errorf("%s: %+v", kind, preview)
		}
		done := actBulk(t, w.Store, actor, bulk(kind, ids...))
		wantOne(t, w.Store, "0", `SELECT count(*) FROM action_objects o JOIN actions a ON a.id = o.action_id
			WHERE a.seq = $1 AND o.object_id IN ($2, $3)`, done.Action.ID, ids[1], two)
		if _, err := w.Undo(ctx, actor, done.Action.ID, "too early", false, ""); err != nil {
			t.Errorf("%s: the undo: %v", kind, err)
		}
		if now := state(t, w.Store); now != before {
			t.Errorf("%s: not all came back: %s", kind, diff(before, now))
		}
		limit()
	}
}

// TestBulkAsJob deletes more messages than one request may: the process is killed, the
// job goes on and acts once, and so does its undo.
func TestBulkAsJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := storetest.Tree(t, w.Store, storetest.Node{Author: w.troll, Replies: slices.Repeat([]storetest.Node{{}}, 501)})
	before := state(t, w.Store)
	expected := int64(len(ids))
	var p store.BulkParams
	p.Kind, p.Expected, p.On.Filter = selection.Delete, &expected, &store.MessageFilter{Tree: &ids[0]}
	request := store.Act{Reason: "a wave of spam", IdempotencyKey: "once"}
	queue := func() jobs.Job {
		t.Helper()
		outcome, job, err := w.Bulk(ctx, w.admin, request, p)
		if err != nil || job == nil || outcome.Action.ID != 0 {
			t.Fatalf("%+v %+v %v", outcome, job, err)
		}
		return *job
	}
	run := func(id uuid.UUID) jobs.Job {
		t.Helper()
		if err := w.RunJobs(ctx); err != nil {
			t.Fatal(err)
		}
		job, err := w.Job(ctx, w.admin, id)
		if err != nil {
			t.Fatal(err)
		}
		return job
	}
	job := queue()
	if job.Total != expected || queue().JobID != job.JobID || state(t, w.Store) != before {
		t.Errorf("the job is %+v", job)
	}
	storetest.Exec(t, w.Store, "UPDATE jobs SET state = 'running', heartbeat = now() - interval '1 minute'") // killed
	job = run(job.JobID)
	if job.State != jobs.Done || job.Done != expected || job.Action == nil {
		t.Fatalf("then the job is %+v", job)
	}
	storetest.Exec(t, w.Store, "UPDATE jobs SET state = 'queued', action_id = NULL") // killed after its commit
	if again := run(job.JobID); again.Action == nil || *again.Action != *job.Action {
		t.Errorf("run again: %+v", again)
	}
	wantOne(t, w.Store, "1", "SELECT count(*) FROM actions WHERE kind = 'bulk'")
	verify(t, w.Store)
	_, undo, err := w.UndoOrQueue(ctx, w.admin, *job.Action, "too early", "")
	if err != nil || undo == nil || undo.Total != expected {
		t.Fatalf("the undo: %+v, %v", undo, err)
	}
	storetest.Exec(t, w.Store,
		"UPDATE jobs SET state = 'running', heartbeat = now() - interval '1 minute' WHERE job_id = $1",
		undo.JobID)
	if done := run(undo.JobID); done.State != jobs.Done || done.Action == nil {
		t.Errorf("then the undo is %+v", done)
	}
	if now := state(t, w.Store); now != before {
		t.Errorf("the undo does not bring back what was: %s", diff(before, now))
	}
	verify(t, w.Store)
	// A number that does not hold any more ends the job.
	request.IdempotencyKey = "twice"
	job = queue()
	act(t, w.Store, w.moderator, store.Act{Kind: "delete", Target: ids[1]})
	if job = run(job.JobID); job.State != jobs.Failed || !strings.Contains(job.Error, "another number") {
		t.Errorf("with another number the job is %+v", job)
	}
}

// TestBulkRefuses checks the errors of the parameters.
func TestBulkRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, past := uuid.New(), time.Now().Add(-time.Hour)
	archived, _ := newList(t, w, "Old")
	act(t, w.Store, w.admin,
		store.Act{Kind: "update_list", Target: archived, Params: store.ListParams{Archived: new(true)}})
	for field, all := range map[string][]selection.Act{
		"kind": {{On: selection.On{IDs: []uuid.UUID{id}}}, {Kind: "erase", On: selection.On{IDs: []uuid.UUID{id}}}},
		"on": {{Kind: "delete"}, {Kind: "delete", On: selection.On{IDs: []uuid.UUID{}}},
			{Kind: "delete", On: selection.On{IDs: []uuid.UUID{id}, Wave: &id}},
			{Kind: "delete", On: selection.On{IDs: make([]uuid.UUID, selection.Most+1)}}},
		"list": {{Kind: "list", On: selection.On{IDs: []uuid.UUID{id}}},
			{Kind: "list", List: &id, On: selection.On{IDs: []uuid.UUID{id}}},
			{Kind: "delete", List: &id, On: selection.On{IDs: []uuid.UUID{id}}}},
		"until": {{Kind: "ban", Until: &past, On: selection.On{IDs: []uuid.UUID{id}}},
			{Kind: "delete", Until: new(time.Now().Add(time.Hour)), On: selection.On{IDs: []uuid.UUID{id}}}},
		"expected": {{Kind: "delete", Expected: new(int64(-1)), On: selection.On{IDs: []uuid.UUID{id}}}},
	} {
		for i, p := range all {
			var invalid store.Invalid
			_, _, err := w.Bulk(ctx, w.admin, store.Act{Reason: "a test"}, store.BulkParams{Act: p})
			if !errors.As(err, &invalid) || invalid[field] == "" {
				t.Errorf("%s, case %d: %v", field, i, err)
			}
		}
	}
	p := bulk(selection.List, w.reply)
	p.List = &archived
	if _, _, err := w.Bulk(ctx, w.admin, store.Act{Reason: "a test"}, p); !isConflict(err) {
		t.Errorf("an archived list: %v", err)
	}
	if items, err := w.ListItems(ctx, w.admin, archived, lists.ItemFilter{}); err != nil || len(items.Items) > 0 {
		t.Errorf("it has %+v, %v", items, err)
	}
}

// TestBulkInRandomSequences mixes bulk acts with all other changes of a score, and
// compares all counters after each.
func TestBulkInRandomSequences(t *testing.T) {
	t.Parallel()
	did, closed := map[string]bool{}, int64(0)
	for seed := range uint64(2) {
		q := newSequence(t, seed+11)
		for range 30 {
			request := q.bulk()
			request.Kind, request.Reason = "bulk", "a random bulk act"
			p, _ := request.Params.(store.BulkParams)
			outcome, err := q.Act(ctx, pick(q, q.staff...), request)
			q.acted("bulk", fmt.Sprintf("%+v", p.Act), outcome, err)
			did[p.Kind] = did[p.Kind] || err == nil && !outcome.Unchanged
			faults, err := q.VerifyScores(ctx)
			if err != nil || len(faults) > 0 {
				q.fail("the counters: %+v, %v", faults, err)
			}
			q.step()
			_, differences, err := q.VerifyLog(ctx, nil)
			differences = slices.DeleteFunc(differences, func(d string) bool {
				return !strings.Contains(d, "case") && !strings.Contains(d, "the figures of the queue")
			})
			if err != nil || len(differences) > 0 {
				q.fail("the cases and their log: %v, %v", differences, err)
			}
		}
		q.check()
		if _, err := q.VerifyChain(ctx); err != nil {
			q.fail("the chain: %v", err)
		}
		closed += one64(t, q.Store, `SELECT count(*) FROM action_objects o JOIN actions a ON a.id = o.action_id
			WHERE a.kind = 'bulk' AND o.aspect = 'case'`)
	}
	if closed == 0 {
		t.Error("no bulk act closed a case")
	}
	for _, kind := range selection.Kinds {
		if kind != selection.List && !did[kind] { // lists change no score
			t.Errorf("no sequence did %s", kind)
		}
	}
}
