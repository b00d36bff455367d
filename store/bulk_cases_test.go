package store_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/jobs"
	"treewarden/store/selection"
	"treewarden/store/storetest"
)

// TestBulkClosesCases does each kind of act once message by message and once in bulk, with
// and without the choice to close the open cases: both leave the same cases open and the
// same flags decided, and so do their undos.
func TestBulkClosesCases(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{selection.Delete, selection.Reject, selection.Accept, selection.Ban, selection.Halt} {
		for _, closing := range []bool{false, true} {
			t.Run(fmt.Sprint(kind, " ", closing), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				second := storetest.Tree(t, w.Store, storetest.Node{Author: w.other, Replies: []storetest.Node{{Author: w.troll}}})
				rater := storetest.User(t, w.Store, "Rater")
				storetest.Exec(t, w.Store, "UPDATE messages SET review_result = NULL")
				// A flag on each message, and two on one; the case on second[1] is held by somebody else.
				for _, id := range []uuid.UUID{w.prompt, w.reply, w.deep, second[0], second[1]} {
					accepted(t, w.Store, redFlagged(id, rater, "add"), reported(id, rater, "spam"))
				}
				accepted(t, w.Store, reported(w.reply, w.other, "me too"))
				storetest.Exec(t, w.Store, `INSERT INTO emoji_aggregates (tree_id, message_id, red_flags)
					SELECT tree_id, message_id, 2 FROM message_trees WHERE message_id = $1`, w.reply)
				if err := w.RebuildScores(ctx); err != nil {
					t.Fatal(err)
				}
				held := caseOn(t, w.Store, w.admin, second[1])
				if _, err := w.Claim(ctx, w.admin, held.ID); err != nil {
					t.Fatal(err)
				}
				before := flagsAndCases(t, w.Store)

				ids := []uuid.UUID{w.reply, second[0], second[1]}
				var one []int64
				for _, a := range singles(kind, w, second, store.CloseParams{CloseCases: closing}) {
					one = append(one, act(t, w.Store, w.moderator, a).Action.ID)
				}
				single := flagsAndCases(t, w.Store)
				if (single == before) == closing {
					t.Errorf("the single acts leave %s", single)
				}
				verify(t, w.Store)
				for _, id := range slices.Backward(one) {
					if _, err := w.Undo(ctx, w.moderator, id, "to do it in bulk", false, ""); err != nil {
						t.Fatal(err)
					}
				}
				if now := flagsAndCases(t, w.Store); now != before {
					t.Fatalf("the undos leave %s", diff(before, now))
				}

				p := bulk(kind, ids...)
				p.CloseCases = closing
				preview := previewed(t, w.Store, w.moderator, p)
				p.Expected, p.ExpectedSet = &preview.Expected, preview.Set
				done := actBulk(t, w.Store, w.moderator, p)
				if now := flagsAndCases(t, w.Store); now != single {
					t.Errorf("in bulk, it leaves other cases: %s", diff(single, now))
				}
				closed := one64(t, w.Store, `SELECT count(*) FROM action_objects WHERE aspect = 'case'
					AND action_id = (SELECT id FROM actions WHERE seq = $1)`, done.Action.ID)
				if want := map[bool]int64{true: preview.Counts.OpenCases}[closing]; closed != want ||
					preview.Counts.OpenCases == 0 {
					t.Errorf("it closed %d cases; the preview says %d", closed, preview.Counts.OpenCases)
				}
				verify(t, w.Store)
				undone, err := w.Undo(ctx, w.moderator, done.Action.ID, "too early", false, "")
				if err != nil || undone.Affected != done.Affected {
					t.Errorf("the undo did %+v of %+v, %v", undone.Affected, done.Affected, err)
				}
				if now := flagsAndCases(t, w.Store); now != before {
					t.Errorf("the undo leaves %s", diff(before, now))
				}
				verify(t, w.Store)
			})
		}
	}
}

// singles returns the single acts that do what a kind of bulk act does to the reply and
// both messages of the second tree.
func singles(kind string, w world, second []uuid.UUID, closing store.CloseParams) []store.Act {
	review := func(id uuid.UUID, result string) store.Act {
		return store.Act{Kind: "review", Target: id, Params: store.ReviewParams{Result: result, Close: closing}}
	}
	switch kind {
	case selection.Delete:
		return []store.Act{{Kind: "delete", Target: w.reply, Params: closing},
			{Kind: "delete", Target: second[0], Params: closing}}
	case selection.Reject:
		return []store.Act{review(w.reply, "rejected"), review(second[0], "rejected"), review(second[1], "rejected")}
	case selection.Accept:
		return []store.Act{review(w.reply, "accepted"), review(second[0], "accepted"), review(second[1], "accepted")}
	case selection.Halt:
		return []store.Act{{Kind: "halt", Target: w.prompt, Params: closing},
			{Kind: "halt", Target: second[0], Params: closing}}
	}
	return []store.Act{{Kind: "ban", Target: w.troll, Params: store.BanParams{Close: closing}},
		{Kind: "ban", Target: w.other, Params: store.BanParams{Close: closing}}}
}

// flagsAndCases returns the cases, reports and red flags with what was decided about them.
func flagsAndCases(t *testing.T, s *store.Store) string {
	t.Helper()
	return one(t, s, `SELECT string_agg(line, E'\n' ORDER BY line) FROM (
		SELECT 'case on ' || message_id || ': ' || status || ' ' || coalesce(outcome, '') || ' ' ||
			coalesce(claimed_by::text, '') AS line FROM cases
		UNION ALL SELECT 'report on ' || message_id || ' by ' || user_id || ': ' || status FROM reports
		UNION ALL SELECT 'red flag on ' || message_id || ' by ' || user_id || ': ' || coalesce(decision, '') FROM reactions
		UNION ALL SELECT 'imported on ' || message_id || ': ' || decided_flags || ' ' || dismissed_flags
			FROM emoji_aggregates) l`)
}

// one64 returns a number that a query finds.
func one64(t *testing.T, s *store.Store, sql string, args ...any) (n int64) {
	t.Helper()
	if err := storetest.DB(t, s).QueryRow(ctx, sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestBulkClosingNeedsTheQueue refuses to close cases for a person who may not work in
// the queue, also as a preview, and for a list.
func TestBulkClosingNeedsTheQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	accepted(t, w.Store, reported(w.reply, storetest.User(t, w.Store, "Rater"), "spam"))
	list, _ := newList(t, w, "Spam")
	p := bulk(selection.List, w.reply)
	p.List, p.CloseCases = &list, true
	var invalid store.Invalid
	if _, _, err := w.Bulk(ctx, w.admin, store.Act{Reason: "a test"}, p); !errors.As(err, &invalid) ||
		invalid["close_cases"] == "" {
		t.Errorf("for a list: %v", err)
	}
	roles := slices.Clone(w.Policy().Roles())
	for i := range roles {
		if roles[i].Name == policy.Moderator {
			without(policy.QueueWork)(&roles[i])
		}
	}
	if _, err := w.ChangePolicy(ctx, store.CommandLine, store.PolicyChange{
		Roles: roles, Reason: "No queue."}); err != nil {
		t.Fatal(err)
	}
	actor := reread(t, w.Store, w.moderator).Actor
	p = bulk(selection.Delete, w.reply)
	p.CloseCases = true
	var forbidden *store.Forbidden
	for _, preview := range []bool{true, false} {
		request := store.Act{Kind: "bulk", Target: uuid.New(), Reason: "a test", Preview: preview, Params: p}
		if _, err := w.Act(ctx, actor, request); !errors.As(err, &forbidden) || forbidden.Permission != policy.QueueWork {
			t.Errorf("preview %v: %v", preview, err)
		}
	}
	p.CloseCases = false
	actBulk(t, w.Store, actor, p)
}

// TestBulkClosesManyCases closes the cases of 10,000 messages of one tree and opens them
// again. The time grows with their number, not with its square: 30 s is many times what
// is needed, and a third of what the square took.
func TestBulkClosesManyCases(t *testing.T) {
	t.Parallel()
	const n = 10_000
	w := newWorld(t)
	storetest.Exec(t, w.Store, `WITH added AS (INSERT INTO messages
		(tree_id, message_id, parent_id, user_id, role, text, lang,
			depth, created_date)
		SELECT $1, gen_random_uuid(), $1, $2, 'assistant', 'buy now', 'eo', 1, now() FROM generate_series(1, $3::int)
		RETURNING tree_id, message_id)
		INSERT INTO message_trees (message_id, tree_id) SELECT message_id, tree_id FROM added`, w.prompt, w.other, n)
	rater := storetest.User(t, w.Store, "Rater")
	storetest.Exec(t, w.Store, `INSERT INTO reactions (tree_id, message_id, user_id, emoji, at)
		SELECT tree_id, message_id, $1, 'red_flag', now() FROM messages WHERE text = 'buy now'`, rater)
	storetest.Exec(t, w.Store, `INSERT INTO reports (tree_id, message_id, user_id, reason, at, status)
		SELECT tree_id, message_id, $1, 'spam', now(), 'open' FROM messages WHERE text = 'buy now'`, rater)
	if err := w.RebuildScores(ctx); err != nil {
		t.Fatal(err)
	}
	p := store.BulkParams{Act: selection.Act{Kind: selection.Reject, Expected: new(int64(n))}}
	p.On.Filter, p.CloseCases = &store.MessageFilter{Lang: "eo"}, true
	count := func() int64 {
		return one64(t, w.Store, "SELECT count(*) FROM cases WHERE status = 'open'")
	}
	storetest.Exec(t, w.Store, "ANALYZE cases, reports, reactions, messages, message_trees")
	if count() != n {
		t.Fatalf("%d cases are open", count())
	}
	began := time.Now()
	done, err := w.Act(ctx, w.admin, store.Act{Kind: "bulk", Target: uuid.New(), Reason: "a wave of spam", Params: p})
	if err != nil || done.Affected.Messages != n || count() != 0 {
		t.Fatalf("%+v, %v; %d cases are open", done.Affected, err, count())
	}
	closed := time.Since(began)
	began = time.Now()
	if _, err := w.Undo(ctx, w.admin, done.Action.ID, "too early", false, ""); err != nil || count() != n {
		t.Fatalf("the undo: %v; %d cases are open", err, count())
	}
	if opened := time.Since(began); closed > 30*time.Second || opened > 30*time.Second {
		t.Errorf("closed in %v, opened in %v", closed, opened)
	}
	verify(t, w.Store)
}

// TestBulkJobsReportProgress performs each kind of bulk act on 1,200 targets as a job,
// and its undo: the job names the total, ends with all done, and what it reports in
// between never goes back and comes to the total.
func TestBulkJobsReportProgress(t *testing.T) {
	t.Parallel()
	const n = 1200
	w := newWorld(t)
	storetest.Exec(t, w.Store, `WITH users AS (INSERT INTO users (user_id, display_name, auth_method, username)
			SELECT gen_random_uuid(), 'Spammer ' || i, 'local', 'spammer' || i FROM generate_series(1, $1::int) i
			RETURNING user_id),
		trees AS (INSERT INTO trees (tree_id, user_id, state, active, created_date, lang)
			SELECT gen_random_uuid(), user_id, 'growing', true, now(), 'en' FROM users RETURNING tree_id, user_id),
		messages AS (INSERT INTO messages
		(tree_id, message_id, user_id, role, text, lang, depth, created_date)
			SELECT tree_id, tree_id, user_id, 'prompter', 'buy now', 'eo', 0, now() FROM trees RETURNING tree_id)
		INSERT INTO message_trees (message_id, tree_id) SELECT tree_id, tree_id FROM messages`, n)
	if err := w.RebuildScores(ctx); err != nil {
		t.Fatal(err)
	}
	list, _ := newList(t, w, "Spam")
	for _, kind := range selection.Kinds {
		p := store.BulkParams{Act: selection.Act{Kind: kind, Expected: new(int64(n))}}
		p.On.Filter = &store.MessageFilter{Lang: "eo"}
		if kind == selection.List {
			p.List = &list
		}
		var seen []int64
		watch := func(done int64) { seen = append(seen, done) }
		check := func(what string) {
			t.Helper()
			if len(seen) < 2 || !slices.IsSorted(seen) || seen[len(seen)-1] != n {
				t.Errorf("%s %s reports %v", what, kind, seen)
			}
			seen = nil
		}
		_, job, err := w.Bulk(ctx, w.admin, store.Act{Reason: "a wave of spam"}, p)
		if err != nil || job == nil || job.Total != n || job.Done != 0 {
			t.Fatalf("%s: %+v, %v", kind, job, err)
		}
		ended := ranJob(t, w, job, n, watch)
		check("job")
		_, job, err = w.UndoOrQueue(ctx, w.admin, *ended.Action, "too early", "")
		if err != nil || job == nil || job.Total != n {
			t.Fatalf("undo of %s: %+v, %v", kind, job, err)
		}
		ranJob(t, w, job, n, watch)
		check("undo of")
		verify(t, w.Store)
	}
}

// ranJob runs a job and returns it as it ended: all done.
func ranJob(t *testing.T, w world, job *jobs.Job, total int64, watch func(int64)) jobs.Job {
	t.Helper()
	if err := w.RunJobsWatched(ctx, watch); err != nil {
		t.Fatal(err)
	}
	ended, err := w.Job(ctx, w.admin, job.JobID)
	if err != nil || ended.State != jobs.Done || ended.Done != total || ended.Total != total || ended.Action == nil {
		t.Fatalf("the job ended as %+v, %v", ended, err)
	}
	return ended
}

// TestBulkOnOtherTargets refuses an act whose targets are as many as the preview counted,
// but others, also where a list is applied.
func TestBulkOnOtherTargets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tree := func(author uuid.UUID) uuid.UUID {
		return storetest.Tree(t, w.Store, storetest.Node{Author: author, Text: "buy now"})[0]
	}
	storetest.Exec(t, w.Store, "UPDATE messages SET text = 'other'")
	kept, gone := tree(w.other), tree(w.troll)
	filter := &store.MessageFilter{Q: `"buy now"`}
	kinds := map[string]store.BulkPreview{}
	for _, kind := range []string{selection.Delete, selection.Reject, selection.Ban, selection.Halt} {
		storetest.Exec(t, w.Store, "UPDATE messages SET review_result = NULL")
		p := store.BulkParams{Act: selection.Act{Kind: kind, On: selection.On{Filter: filter}}}
		kinds[kind] = previewed(t, w.Store, w.moderator, p)
		if again := previewed(t, w.Store, w.moderator, bulk(kind, gone, kept)); again.Set != kinds[kind].Set ||
			again.Expected != 2 {
			t.Errorf("%s: the same messages in another order are %s and %s", kind, again.Set, kinds[kind].Set)
		}
	}
	list, _ := newList(t, w, "Spam")
	add(t, w, list, kept)
	add(t, w, list, gone)
	applied, err := w.PreviewList(ctx, w.admin, store.Act{Target: list, Reason: "preview"})
	if err != nil || applied.Set != kinds[selection.Delete].Set {
		t.Fatalf("the preview of the list is %+v, %v", applied, err)
	}
	// One goes, another comes.
	act(t, w.Store, w.admin, store.Act{Kind: "delete", Target: gone})
	added := tree(storetest.User(t, w.Store, "New"))
	add(t, w, list, added)
	storetest.Exec(t, w.Store, "UPDATE messages SET review_result = NULL")
	before := state(t, w.Store)
	var conflict *store.Conflict
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		p := store.BulkParams{Act: selection.Act{Kind: kind, On: selection.On{Filter: filter},
			Expected: new(int64(2)), ExpectedSet: kinds[kind].Set}}
		if _, _, err := w.Bulk(ctx, w.moderator, store.Act{Reason: "a test"}, p); !errors.As(err, &conflict) ||
			conflict.Expected == nil || *conflict.Expected != 2 || !strings.Contains(conflict.Why, "other things") {
			t.Errorf("%s on others: %v", kind, err)
		}
	}
	apply := store.Act{Kind: "apply_list", Target: list, Reason: "a test",
		Params: store.ApplyParams{Expected: new(int64(2)), ExpectedSet: applied.Set}}
	if _, err := w.Act(ctx, w.admin, apply); !errors.As(err, &conflict) || conflict.Expected == nil ||
		*conflict.Expected != 2 {
		t.Errorf("the list on others: %v", err)
	}
	if state(t, w.Store) != before {
		t.Error("a refused act changed something")
	}
	p := store.BulkParams{Act: selection.Act{Kind: selection.Delete, On: selection.On{Filter: filter}}}
	preview := previewed(t, w.Store, w.moderator, p)
	p.Expected, p.ExpectedSet = &preview.Expected, preview.Set
	actBulk(t, w.Store, w.moderator, p)
}
