package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/audit"
	"treewarden/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

var ctx = context.Background()

// state returns as JSON all rows that actions change, without versions, history and
// figures: the first decision of a case stays the first after its undo.
func state(t *testing.T, s *store.Store) string {
	t.Helper()
	var all string
	err := storetest.DB(t, s).QueryRow(ctx, `SELECT jsonb_pretty(jsonb_build_object(
		'users', (SELECT jsonb_agg(to_jsonb(u) - 'version' ORDER BY u.user_id) FROM users u),
		'trees', (SELECT jsonb_agg(to_jsonb(t) - 'version' ORDER BY t.tree_id) FROM trees t),
		'messages', (SELECT jsonb_agg(to_jsonb(m) - 'version' ORDER BY m.message_id) FROM messages m),
		'votes', (SELECT jsonb_agg(to_jsonb(v) ORDER BY v.message_id, v.user_id) FROM label_votes v),
		'reactions', (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.message_id, r.user_id, r.emoji) FROM reactions r),
		'reports', (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.report_id) FROM reports r
			WHERE status <> 'withdrawn'),
		'cases', (SELECT jsonb_agg(to_jsonb(c) - 'waited' ORDER BY c.case_id) FROM cases c WHERE status <> 'withdrawn'),
		'lists', (SELECT jsonb_agg(to_jsonb(l) - 'version' ORDER BY l.list_id) FROM lists l WHERE NOT removed),
		'items', (SELECT jsonb_agg(to_jsonb(i) ORDER BY i.list_id, i.item_id) FROM list_items i),
		'candidates', (SELECT jsonb_agg(to_jsonb(c) ORDER BY c.list_id, c.message_id) FROM list_candidates c)))`).
		Scan(&all)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func act(t *testing.T, s *store.Store, actor store.Actor, a store.Act) store.Outcome {
	t.Helper()
	if a.Reason == "" {
		a.Reason = "because of the test"
	}
	outcome, err := s.Act(ctx, actor, a)
	if err != nil {
		t.Fatalf("%s: %v", a.Kind, err)
	}
	return outcome
}

func verify(t testing.TB, s *store.Store) {
	t.Helper()
	_, differences, err := s.VerifyLog(ctx, nil)
	if err != nil {
		t.Errorf("the chain: %v", err)
	}
	for _, difference := range differences {
		if !strings.Contains(difference, " has the role ") { // the accounts of the tests
			t.Errorf("the log and the state: %s", difference)
		}
	}
	faults, err := s.VerifyScores(ctx)
	if err != nil || len(faults) > 0 {
		t.Errorf("the counters: %+v, %v", faults, err)
	}
}

// world is a store with a troll, another user, and a tree of their messages: a
// prompt by the troll, a reply by the other user, a reply to that by the troll,
// and a branch that was deleted before it was imported.
type world struct {
	*store.Store
	moderator, admin      store.Actor
	troll, other          uuid.UUID
	prompt, reply, deep   uuid.UUID
	deleted, belowDeleted uuid.UUID
}

func newWorld(t *testing.T) world {
	t.Helper()
	w := world{Store: storetest.New(t)}
	w.moderator, w.admin = storetest.Staff(t, w.Store, policy.Moderator), storetest.Staff(t, w.Store, policy.Admin)
	w.troll, w.other = storetest.User(t, w.Store, "Troll"), storetest.User(t, w.Store, "Other")
	ids := storetest.Tree(t, w.Store, storetest.Node{Author: w.troll, Text: "the prompt", Replies: []storetest.Node{
		{Author: w.other, Replies: []storetest.Node{{Author: w.troll}}},
		{Author: w.other, Deleted: true, Replies: []storetest.Node{{Author: w.troll, Deleted: true}}},
	}})
	w.prompt, w.reply, w.deep, w.deleted, w.belowDeleted = ids[0], ids[1], ids[2], ids[3], ids[4]
	return w
}

// TestEveryActionIsUndone previews, does and undoes each kind of action.
func TestEveryActionIsUndone(t *testing.T) {
	name, notes, hide, role := "New name", "a note", false, policy.Moderator
	until := time.Now().Add(time.Hour)
	list, listKind, listed := "A list", "bad", uuid.New()
	created := store.Act{Kind: "create_list", Params: store.ListParams{Name: &list, Kind: &listKind}}
	filled := store.Act{Kind: "add_to_list", Params: store.AddParams{Items: []store.NewItem{{MessageID: listed}}}}
	var rule store.FindParams
	rule.Rule.ShorterThan = 1000
	found := store.Act{Kind: "find_candidates", Params: rule}
	prepared := map[string][]store.Act{
		"unban": {{Kind: "ban"}}, "undelete": {{Kind: "delete"}}, "resume": {{Kind: "halt"}},
		"update_list": {created}, "add_to_list": {created}, "remove_from_list": {created, filled},
		"apply_list": {created, {Kind: "add_to_list"}}, "find_candidates": {created},
		"accept_candidates": {created, found}, "refuse_candidates": {created, found},
		"resolve": {{Kind: "report"}},
	}
	acts := []store.Act{
		{Kind: "ban", Params: store.BanParams{Messages: "delete", Trees: "halt", Until: &until}}, {Kind: "unban"},
		{Kind: "update_user", Params: store.UserPatch{DisplayName: &name, Notes: &notes, ShowOnLeaderboard: &hide,
			Role: &role}},
		{Kind: "delete"}, {Kind: "undelete"}, {Kind: "edit", Params: store.EditParams{Text: "another text"}},
		{Kind: "review", Params: store.ReviewParams{Result: "rejected"}},
		{Kind: "label", Params: store.LabelParams{Labels: map[string]float64{"spam": 1, "quality": 0.25}}},
		{Kind: "react", Params: store.ReactParams{Emoji: "+1", Op: "add"}},
		{Kind: "report"}, {Kind: "halt"}, {Kind: "resume"},
		created, {Kind: "update_list", Params: store.ListParams{Note: &notes}}, filled,
		{Kind: "remove_from_list", Params: store.RemoveParams{Items: []uuid.UUID{listed}}}, {Kind: "apply_list"},
		found, {Kind: "accept_candidates"}, {Kind: "refuse_candidates"},
		{Kind: "bulk", Params: bulk("reject")}, // on the reply, see below
		{Kind: "resolve", Params: store.ResolveParams{Case: 1, Outcome: "ban", Messages: "delete", Trees: "halt"}},
	}
	tried := map[string]bool{}
	for _, a := range acts {
		tried[a.Kind] = true
		t.Run(a.Kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			kind, _ := store.KindNamed(a.Kind)
			target := map[string]uuid.UUID{"user": w.troll, "message": w.reply, "tree": w.prompt,
				"list": uuid.New(), "bulk": uuid.New()}[kind.Target]
			for _, p := range prepared[a.Kind] {
				p.Target = target
				if p.Kind == "add_to_list" && p.Params == nil {
					p.Params = store.AddParams{Items: []store.NewItem{{MessageID: w.reply}}}
				}
				act(t, w.Store, w.admin, p)
			}
			if a.Kind == "accept_candidates" || a.Kind == "refuse_candidates" {
				a.Params = store.VerdictParams{Items: []uuid.UUID{w.reply, w.deep}}
			}
			if a.Kind == "bulk" {
				a.Params = bulk("reject", w.reply, w.deep)
			}
			before := state(t, w.Store)
			a.Target = target
			preview := a
			preview.Preview = true
			previewed := act(t, w.Store, w.admin, preview)
			if now := state(t, w.Store); now != before {
				t.Error("the preview changed something")
			}
			done := act(t, w.Store, w.admin, a)
			if previewed.Affected != done.Affected {
				t.Errorf("previewed %+v, done %+v", previewed.Affected, done.Affected)
			}
			if state(t, w.Store) == before {
				t.Error("the action changed nothing")
			}
			if !kind.Undoable {
				t.Fatalf("%s is not undoable", a.Kind)
			}
			undone, err := w.Undo(ctx, w.admin, done.Action.ID, "it was a mistake", false, "")
			if err != nil {
				t.Fatalf("undo: %v", err)
			}
			if undone.Affected != done.Affected {
				t.Errorf("done %+v, undone %+v", done.Affected, undone.Affected)
			}
			if now := state(t, w.Store); now != before {
				t.Errorf("the undo did not restore the state from before:\n%s\n---\n%s", before, now)
			}
			var conflict *store.Conflict
			if _, err := w.Undo(ctx, w.admin, done.Action.ID, "once more", false, ""); !errors.As(err, &conflict) ||
				conflict.Action == nil || conflict.Action.ID != undone.Action.ID {
				t.Errorf("undone twice: %v", err)
			}
			verify(t, w.Store)
		})
	}
	for _, k := range store.Kinds {
		if !tried[k.Name] {
			t.Errorf("no test does %s", k.Name)
		}
	}
}

// TestUndeleteRestoresWhatTheDeleteRemoved deletes a reply, and then the prompt above
// it.
func TestUndeleteRestoresWhatTheDeleteRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	inner := act(t, w.Store, w.moderator, store.Act{Kind: "delete", Target: w.reply})
	if want := (store.Affected{Messages: 2, OthersMessages: 1}); inner.Affected != want {
		t.Errorf("the inner delete affected %+v, want %+v", inner.Affected, want)
	}
	outer := act(t, w.Store, w.moderator, store.Act{Kind: "delete", Target: w.prompt})
	if want := (store.Affected{Messages: 1}); outer.Affected != want {
		t.Errorf("the outer delete affected %+v, want %+v", outer.Affected, want)
	}
	var conflict *store.Conflict
	if _, err := w.Undo(ctx, w.moderator, inner.Action.ID, "inner first", false, ""); !errors.As(err, &conflict) ||
		conflict.Action == nil || conflict.Action.ID != outer.Action.ID {
		t.Errorf("the inner delete was undone below a deleted prompt: %v", err)
	}
	act(t, w.Store, w.moderator, store.Act{Kind: "undelete", Target: w.prompt})
	after := map[uuid.UUID]bool{}
	for _, id := range []uuid.UUID{w.prompt, w.reply, w.deep, w.deleted, w.belowDeleted} {
		m, err := w.Message(ctx, w.moderator, id)
		if err != nil {
			t.Fatal(err)
		}
		after[id] = m.Deleted
	}
	want := map[uuid.UUID]bool{w.prompt: false, w.reply: true, w.deep: true, w.deleted: true, w.belowDeleted: true}
	if fmt.Sprint(after) != fmt.Sprint(want) {
		t.Errorf("deleted after undelete: %v, want %v", after, want)
	}
	// One delete removed both, so undelete restores both.
	act(t, w.Store, w.moderator, store.Act{Kind: "undelete", Target: w.deep})
	if m, _ := w.Message(ctx, w.moderator, w.reply); m.Deleted {
		t.Error("undelete restored only a part of the deleted messages")
	}
	verify(t, w.Store)
}

func TestDeletingATrollsMessagesKeepsTheScore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now()
	storetest.React(t, w.Store, w.prompt, w.other, "red_flag", now)
	storetest.Vote(t, w.Store, w.deep, w.other, "spam", 1, now)
	storetest.React(t, w.Store, w.deep, w.troll, "+1", now) // by the author, so it does not count
	score := func() float64 {
		s, err := w.Score(ctx, w.moderator, w.troll, scoring.Total, scoring.Treewarden)
		if err != nil {
			t.Fatal(err)
		}
		return s.Score
	}
	if got := score(); got != 3+1 {
		t.Errorf("before: %v, want 4", got)
	}
	act(t, w.Store, w.moderator, store.Act{Kind: "delete", Target: w.prompt})
	if got := score(); got != 3+1+3 {
		t.Errorf("after the delete: %v, want 7 (3 for a delete by staff)", got)
	}
	ban := act(t, w.Store, w.moderator, store.Act{Kind: "ban", Target: w.other})
	if got := score(); got != 3 {
		t.Errorf("with the rater banned: %v, want 3", got)
	}
	if _, err := w.Undo(ctx, w.moderator, ban.Action.ID, "wrong one", false, ""); err != nil {
		t.Fatal(err)
	}
	if got := score(); got != 7 {
		t.Errorf("with the ban undone: %v, want 7", got)
	}
	for _, status := range []string{"active", "all"} {
		board, err := w.Board(ctx, w.moderator, store.BoardFilter{Window: scoring.Day, Formula: scoring.Treewarden,
			Status: status})
		if err != nil {
			t.Fatal(err)
		}
		if len(board.Items) != 2 || board.Items[0].UserID != w.troll || board.Items[0].Score != 7 ||
			board.Items[0].Rank != 1 {
			t.Errorf("the board (%s): %+v", status, board.Items)
		}
	}
}

func TestRankRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	general := policy.General
	lead := storetest.Staff(t, w.Store, policy.DataLead)
	for _, c := range []struct {
		name   string
		actor  store.Actor
		target uuid.UUID
	}{
		{"a moderator on an admin", w.moderator, w.admin.UserID}, {"a moderator on a data lead", w.moderator, lead.UserID},
		{"an admin on themselves", w.admin, w.admin.UserID}, {"a data lead on any user", lead, w.troll},
	} {
		var forbidden *store.Forbidden
		if _, err := w.Act(ctx, c.actor, store.Act{Kind: "ban", Target: c.target, Reason: "just because"}); !errors.As(err,
			&forbidden) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	// The command line has every permission, but it cannot demote the last admin.
	var forbidden *store.Forbidden
	if _, err := w.Act(ctx, store.CommandLine, store.Act{Kind: "update_user", Target: w.admin.UserID,
		Params: store.UserPatch{Role: &general}}); !errors.As(err, &forbidden) {
		t.Errorf("the last admin was demoted: %v", err)
	}
	second := storetest.Staff(t, w.Store, policy.Admin)
	storetest.Exec(t, w.Store, "UPDATE users SET password_hash = 'a hash' WHERE user_id = $1", second.UserID)
	act(t, w.Store, second, store.Act{Kind: "ban", Target: w.admin.UserID})
}

func TestVerifyChainDetectsTampering(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"a changed reason":   "UPDATE actions SET reason = 'nothing happened' WHERE seq = 2",
		"a changed actor":    "UPDATE actions SET actor_name = 'somebody' WHERE seq = 1",
		"a changed before":   `UPDATE actions SET before = '{}' WHERE seq = 1`,
		"a removed row":      "DELETE FROM actions WHERE seq = 2",
		"a removed last row": "DELETE FROM actions WHERE seq = 3",
		"a changed object":   `UPDATE action_objects SET after = '1' WHERE action_id = (SELECT min(id) FROM actions)`,
		"a removed object":   "DELETE FROM action_objects WHERE action_id = (SELECT min(id) FROM actions)",
		"a removed end":      "DELETE FROM action_chain",
		"a changed end":      "UPDATE action_chain SET hash = sha256('another')",
		"an object of no action": "INSERT INTO action_objects (action_id, object_type, object_id, aspect) VALUES (1000, " +
			"'user', gen_random_uuid(), 'ban')",
		"an inserted row": "INSERT INTO actions SELECT id + 100, seq + 3, at, actor_id, actor_name, actor_role, " +
			"via, kind, target_type, target_id, target_label, staff_author, undoes, undoable, messages, others_messages, " +
			"trees, users, reason, before, after, detail_hash, objects_hash, prev_hash, hash FROM actions WHERE seq = 1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			act(t, w.Store, w.moderator, store.Act{Kind: "delete", Target: w.reply})
			act(t, w.Store, w.moderator, store.Act{Kind: "halt", Target: w.prompt})
			act(t, w.Store, w.admin, store.Act{Kind: "ban", Target: w.troll})
			verify(t, w.Store)
			if !strings.HasPrefix(sql, "INSERT") && !strings.Contains(sql, "action_chain") {
				if _, err := storetest.DB(t, w.Store).Exec(ctx, sql); err == nil {
					t.Error("the database allows this statement")
				}
			}
			storetest.Exec(t, w.Store, "ALTER TABLE actions DISABLE TRIGGER USER")
			storetest.Exec(t, w.Store, "ALTER TABLE action_objects DISABLE TRIGGER USER")
			storetest.Exec(t, w.Store, sql)
			var broken *store.BrokenChain
			if _, err := w.VerifyChain(ctx); !errors.As(err, &broken) {
				t.Errorf("VerifyChain returned %v", err)
			}
		})
	}
}

func TestRetriedRequestActsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := store.Act{Kind: "delete", Target: w.reply, IdempotencyKey: "one"}
	first, second := act(t, w.Store, w.moderator, a), act(t, w.Store, w.moderator, a)
	if first.Action.ID != second.Action.ID || first.Affected != second.Affected {
		t.Errorf("first %+v, second %+v", first, second)
	}
	a.Target, a.Reason = w.prompt, "another request"
	var conflict *store.Conflict
	if _, err := w.Act(ctx, w.moderator, a); !errors.As(err, &conflict) {
		t.Errorf("another request with the same key: %v", err)
	}
	undo, err := w.Undo(ctx, w.moderator, first.Action.ID, "a mistake", false, "two")
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.Undo(ctx, w.moderator, first.Action.ID, "a mistake", false, "two")
	if err != nil || again.Action.ID != undo.Action.ID {
		t.Errorf("the retried undo: %+v, %v", again.Action, err)
	}
}

func TestTimedBansEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	until := time.Now().Add(3 * time.Second) // a slow machine still makes the ban in time
	ban := act(t, w.Store, w.moderator, store.Act{Kind: "ban", Target: w.troll, Params: store.BanParams{Until: &until}})
	time.Sleep(time.Until(until) + 50*time.Millisecond)
	if u, _ := w.User(ctx, w.moderator, w.troll, scoring.Treewarden); u.Status != store.Active {
		t.Errorf("after its end the status is %s", u.Status)
	}
	if n, err := w.EndExpiredBans(ctx); n != 1 || err != nil {
		t.Errorf("ended %d bans: %v", n, err)
	}
	if n, err := w.EndExpiredBans(ctx); n != 0 || err != nil {
		t.Errorf("ended %d bans a second time: %v", n, err)
	}
	actions, err := w.Actions(ctx, w.admin, store.ActionFilter{Target: w.troll.String()})
	if err != nil || len(actions.Items) != 2 || actions.Items[0].Kind != "unban" ||
		actions.Items[0].ActorName != store.System.Name {
		t.Errorf("the log holds %+v, %v", actions.Items, err)
	}
	if done, err := w.Undo(ctx, w.moderator, ban.Action.ID, "too late now", false, ""); err != nil || !done.Unchanged {
		t.Errorf("undo of an ended ban: %+v, %v", done, err)
	}
	verify(t, w.Store)
}

// TestActionsAtOnce runs many actions on one tree at the same time. One
// succeeds, the others return a conflict, none deadlocks, and the chain is valid.
func TestActionsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	results := make(chan error, 24)
	for i := range 24 {
		a := []store.Act{
			{Kind: "delete", Target: w.prompt}, {Kind: "delete", Target: w.reply}, {Kind: "halt", Target: w.prompt},
			{Kind: "ban", Target: w.troll, Params: store.BanParams{Messages: "delete", Trees: "halt"}},
		}[i%4]
		a.Reason = "all at once"
		go func() {
			_, err := w.Act(ctx, w.moderator, a)
			results <- err
		}()
	}
	for range 24 {
		err := <-results
		var conflict *store.Conflict
		if err != nil && !errors.As(err, &conflict) {
			t.Error(err)
		}
	}
	verify(t, w.Store)
}

func TestLogHoldsBeforeAndAfter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	done := act(t, w.Store, w.moderator, store.Act{Kind: "edit", Target: w.reply,
		Params: store.EditParams{Text: "a better text"}})
	var after struct{ Text struct{ Text string } }
	if err := json.Unmarshal(done.Action.After, &after); err != nil || after.Text.Text != "a better text" {
		t.Errorf("after is %s (%v)", done.Action.After, err)
	}
	revisions, err := w.Revisions(ctx, w.moderator, w.reply)
	if err != nil || len(revisions) != 2 || !revisions[0].Original || revisions[1].Text != "a better text" {
		t.Errorf("revisions %+v, %v", revisions, err)
	}
}

func isConflict(err error) bool {
	var conflict *store.Conflict
	return errors.As(err, &conflict)
}

// TestTargetsAreKnown checks that the log finds the actions of every kind by their
// target.
func TestTargetsAreKnown(t *testing.T) {
	t.Parallel()
	kinds := slices.Clone(store.Kinds)
	for _, name := range []string{"set_formula", "set_priority", "set_policy", "create_staff", "create_key"} {
		kind, ok := store.KindNamed(name)
		if !ok {
			t.Errorf("there is no kind %s", name)
		}
		kinds = append(kinds, kind)
	}
	for _, kind := range kinds {
		if !slices.Contains(audit.Targets, kind.Target) {
			t.Errorf("%s has the target %q, by which the log finds no action", kind.Name, kind.Target)
		}
	}
}
