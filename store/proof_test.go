package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/proof"
	"treewarden/store/storetest"
)

// TestStateAgainstLog changes past the program what actions had changed, or what none
// had: each is named. It tries what an owner of the database could do.
func TestStateAgainstLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := "Renamed"
	if _, err := w.CreateStaff(ctx, store.CommandLine, "keeper", policy.Moderator, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreateKey(ctx, store.CommandLine, "front end", policy.Collector, nil); err != nil {
		t.Fatal(err)
	}
	until := time.Now().Add(time.Hour)
	for _, a := range []store.Act{
		{Kind: "ban", Target: w.troll, Params: store.BanParams{Until: &until}},
		{Kind: "delete", Target: w.deep},
		{Kind: "edit", Target: w.reply, Params: store.EditParams{Text: "A better text"}},
		{Kind: "review", Target: w.reply, Params: store.ReviewParams{Result: "rejected"}},
		{Kind: "halt", Target: w.prompt},
		{Kind: "update_user", Target: w.other, Params: store.UserPatch{DisplayName: &name, Notes: &name}},
	} {
		a.Reason = "because"
		act(t, w.Store, w.admin, a)
	}
	for _, a := range []store.Act{
		{Kind: "label", Target: w.prompt, Params: store.LabelParams{Labels: map[string]float64{"quality": 0.25, "spam": 1}}},
		{Kind: "react", Target: w.prompt, Params: store.ReactParams{Emoji: "red_flag", Op: "add"}},
		{Kind: "report", Target: w.prompt, Reason: "spam"},
	} {
		act(t, w.Store, w.admin, a)
	}
	if _, err := w.SavePriority(ctx, w.admin, map[string]float64{"age": 2}, "because", nil, ""); err != nil {
		t.Fatal(err)
	}
	list, _ := newList(t, w, "bad")
	add(t, w, list, w.prompt, uuid.New())
	verify(t, w.Store)
	for name, c := range map[string]struct{ sql, says string }{
		"a ban lifted": {"UPDATE users SET banned_at = NULL, banned_until = NULL WHERE banned_at IS NOT NULL",
			"ban is not as action"},
		"a ban prolonged": {"UPDATE users SET banned_until = now() + interval '1 year' WHERE banned_at IS NOT NULL",
			"ban is not"},
		"a ban by nobody":   {"UPDATE users SET banned_at = now() WHERE banned_at IS NULL", "is banned, by no action"},
		"a role":            {"UPDATE users SET role = 'admin' WHERE username = 'keeper'", "role is not as action"},
		"a role of nobody":  {"UPDATE users SET role = 'admin' WHERE display_name = 'Renamed'", "has the role admin, by no"},
		"notes":             {"UPDATE users SET notes = 'x' WHERE display_name = 'Renamed'", "notes is not as action"},
		"a text":            {"UPDATE messages SET text = 'x' WHERE edited", "text is not as action"},
		"a deletion undone": {"UPDATE messages SET deleted = false WHERE deleted_action IS NOT NULL", "deletion is not as"},
		"a deletion by nobody": {"UPDATE messages SET deleted = true, deleted_action = 999 WHERE NOT deleted",
			"is deleted, by no action"},
		"a review":       {"UPDATE messages SET review_result = true WHERE review_by_staff", "review is not as action"},
		"a tree's state": {"UPDATE trees SET state = 'growing' WHERE state_by_staff", "state is not as action"},
		"a label":        {"UPDATE label_votes SET quality = 0.5", "the label of user"},
		"another label":  {`UPDATE label_votes SET other = '{"odd": 1}'`, "the label of user"},
		"a reaction":     {"DELETE FROM reactions", "the reaction of user"},
		"a report":       {"UPDATE reports SET status = 'withdrawn'", "the report of user"},
		"a reaction by nobody": {`INSERT INTO reactions (tree_id, message_id, user_id, emoji, at)
			SELECT tree_id, message_id, (SELECT user_id FROM users WHERE username = 'keeper'), '+1', now() FROM messages`,
			"was given by no action"},
		"an item":        {"DELETE FROM list_items WHERE text_md5 IS NULL", "is not as action"},
		"an item's note": {"UPDATE list_items SET note = 'x'", "is not as action"},
		"an output of nothing": {"INSERT INTO classifier_outputs (tree_id, message_id, model_id, scores) " +
			"SELECT tree_id, gen_random_uuid(), 0, '{}' FROM trees LIMIT 1", "is of message"},
		"an output of no model": {"INSERT INTO classifier_outputs (tree_id, message_id, model_id, scores) " +
			"SELECT tree_id, message_id, 32767, '{}' FROM messages LIMIT 1", "model 32767, which is not there"},
		"a number of items": {"UPDATE lists SET items = 7", "says that it has 7 items; it has 2"},
		"an item by nobody": {`INSERT INTO list_items (list_id, message_id, added_at, action_id)
			SELECT list_id, gen_random_uuid(), now(), 1 FROM lists`, "is on list"},
		"an event":         {"DELETE FROM events WHERE kind = 'ban'", "the event of action"},
		"an event changed": {"UPDATE events SET payload = '{}' WHERE kind = 'delete'", "the event of action"},
		"an event of nobody": {"INSERT INTO events (action_id, kind, payload) VALUES (999, 'ban', '{}')",
			"names an action that is not in the log"},
		"a version of a text": {"UPDATE revisions SET action_id = 999", "names an action that is not in the log"},
		"a trigger":           {"ALTER TABLE actions DISABLE TRIGGER actions_append_only", "the trigger actions_append_only"},
		"weights of the queue by nobody": {`INSERT INTO priority_versions (version, weights, note, author)
			VALUES (3, '{"age": 9}', 'x', 'x')`, "version 3 of the weights of the queue is not what an action saved"},
		"weights of the queue by another action": {`INSERT INTO priority_versions (version, weights, note, author, action_id)
			SELECT 3, '{"age": 9}', 'x', 'x', action_id FROM priority_versions WHERE version = 2`,
			"version 3 of the weights of the queue is not what an action saved"},
		"a trigger removed": {"DROP TRIGGER policy_versions_append_only ON policy_versions",
			"the trigger policy_versions_append_only"},
	} {
		t.Run(name, func(t *testing.T) {
			tx := holding(t, w.Store, c.sql)
			defer tx.Rollback(ctx)
			found, err := proof.State(ctx, tx)
			if err != nil || !strings.Contains(strings.Join(found, "\n"), c.says) {
				t.Errorf("%v, %v, want one with %q", found, err, c.says)
			}
		})
	}
}

// TestReportsOfOneMoment reports a message again after its case was decided, at the same
// moment and in other words: both reports are as the log says, and a change of the last
// one is found.
func TestReportsOfOneMoment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now().UTC().Truncate(time.Second)
	w.SetClock(func() time.Time { return now })
	report := store.Act{Kind: "report", Target: w.prompt, Reason: "spam"}
	act(t, w.Store, w.moderator, report)
	decide(t, w.Store, w.admin, caseOn(t, w.Store, w.admin, w.prompt), store.ResolveParams{Outcome: "dismiss"})
	act(t, w.Store, w.moderator, report)
	act(t, w.Store, w.moderator, report)
	verify(t, w.Store)
	tx := holding(t, w.Store, "UPDATE reports SET reason = 'spam' WHERE status = 'open'")
	defer tx.Rollback(ctx)
	found, err := proof.State(ctx, tx)
	if err != nil || !strings.Contains(strings.Join(found, "\n"), "the report of user "+w.moderator.UserID.String()) {
		t.Errorf("%v, %v", found, err)
	}
}

// TestCheckpoint keeps an end of the log, and cuts and rewrites the log past the
// program: the checkpoint tells, also where the chain itself holds.
func TestCheckpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	act(t, w.Store, w.admin, store.Act{Kind: "ban", Target: w.troll})
	act(t, w.Store, w.admin, store.Act{Kind: "unban", Target: w.troll})
	kept, err := w.ChainStatus(ctx)
	if err != nil || kept.Seq != 2 {
		t.Fatalf("%+v, %v", kept, err)
	}
	act(t, w.Store, w.admin, store.Act{Kind: "delete", Target: w.reply})
	if _, _, err := w.VerifyLog(ctx, &kept); err != nil {
		t.Errorf("a log that grew: %v", err)
	}
	var broken *store.BrokenChain
	other := kept
	other.Hash = strings.Repeat("0", 64)
	if _, _, err := w.VerifyLog(ctx, &other); !errors.As(err, &broken) || broken.Seq != 2 {
		t.Errorf("another hash: %v", err)
	}
	// The tail is cut, and what says where the log ends follows.
	storetest.Exec(t, w.Store, "ALTER TABLE actions DISABLE TRIGGER USER")
	storetest.Exec(t, w.Store, "ALTER TABLE action_objects DISABLE TRIGGER USER")
	storetest.Exec(t, w.Store, "DELETE FROM action_objects WHERE action_id IN (SELECT id FROM actions WHERE seq > 1)")
	storetest.Exec(t, w.Store, "DELETE FROM actions WHERE seq > 1")
	storetest.Exec(t, w.Store, "UPDATE action_chain SET (seq, hash) = (SELECT seq, hash FROM actions)")
	if _, err := w.VerifyChain(ctx); err != nil {
		t.Fatalf("the chain that was cut: %v", err)
	}
	if _, _, err := w.VerifyLog(ctx, &kept); !errors.As(err, &broken) || !strings.Contains(broken.Why, "ends before it") {
		t.Errorf("a log that was cut: %v", err)
	}
}
