package store_test

import (
	"testing"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// feedbackLines returns a line of each kind under a user's id that says something
// other than a spam label, a red flag, an upvote and a report.
func feedbackLines(message, user uuid.UUID) map[string]string {
	return map[string]string{
		"label": event("label", "message_id", message, "user_id", user, "labels", map[string]float64{"quality": 1}),
		"no flag": event("reaction", "message_id", message, "user_id", user, "emoji", "red_flag",
			"op", "remove"),
		"another vote": event("reaction", "message_id", message, "user_id", user, "emoji", "-1"),
		"report":       event("report", "message_id", message, "user_id", user, "reason", "by a front end"),
	}
}

// TestIngestDoesNotSpeakForStaff checks that lines of front ends change nothing that
// a person gave in the console, and are refused under the ids of accounts and keys
// (fault 41).
func TestIngestDoesNotSpeakForStaff(t *testing.T) {
	t.Parallel()
	for name, account := range map[string]bool{"an account": true, "a contributor who became staff": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			staff := w.moderator
			if !account {
				id := storetest.User(t, w.Store, "Helper")
				storetest.Exec(t, w.Store, "UPDATE users SET role = 'moderator', auth_method = 'discord' WHERE user_id = $1", id)
				staff = store.Actor{UserID: id, Name: "Helper", Role: policy.Moderator, Via: "session", Policy: w.Policy()}
			}
			give := func(kind string, params any) {
				act(t, w.Store, staff, store.Act{Kind: kind, Target: w.reply, Params: params})
			}
			give("label", store.LabelParams{Labels: map[string]float64{"spam": 1}})
			give("react", store.ReactParams{Emoji: "red_flag", Op: "add"})
			give("react", store.ReactParams{Emoji: "+1", Op: "add"})
			give("report", nil)
			before := dump(t, w.Store, true)
			want := "staff_gave"
			if account {
				want = "staff_user"
			}
			for what, line := range feedbackLines(w.reply, staff.UserID) {
				if code := refused(t, w.Store, line); code != want {
					t.Errorf("%s: %s, want %s", what, code, want)
				}
			}
			if d := diff(before, dump(t, w.Store, true)); d != "" {
				t.Errorf("refused lines changed something: %s", d)
			}
			message := event("message", "message_id", uuid.New(), "parent_id", w.reply, "user_id", staff.UserID,
				"role", "prompter", "text", "x")
			if account {
				if code := refused(t, w.Store, message); code != "staff_user" {
					t.Errorf("a message: %s", code)
				}
				for what, line := range feedbackLines(w.deep, staff.UserID) {
					if code := refused(t, w.Store, line); code != "staff_user" {
						t.Errorf("%s on another message: %s", what, code)
					}
				}
				return
			}
			// A contributor still contributes, also what they have not given in the console.
			accepted(t, w.Store, message, event("label", "message_id", w.deep, "user_id", staff.UserID, "labels",
				map[string]float64{"spam": 0}), event("reaction", "message_id", w.reply, "user_id", staff.UserID, "emoji",
				"_skip_reply"))
			// What they took back in the console stays so.
			give("react", store.ReactParams{Emoji: "red_flag", Op: "remove"})
			again := event("reaction", "message_id", w.reply, "user_id", staff.UserID, "emoji", "red_flag")
			if code := refused(t, w.Store, again); code != "staff_gave" {
				t.Errorf("a flag that was taken back: %s", code)
			}
			verify(t, w.Store)
		})
	}
}

// TestIngestAfterAnUndoneLabel checks that the label of a contributor who is staff is
// the front end's again after the undo of theirs.
func TestIngestAfterAnUndoneLabel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	storetest.Exec(t, w.Store, "UPDATE users SET role = 'moderator' WHERE user_id = $1", w.other)
	staff := store.Actor{UserID: w.other, Role: policy.Moderator, Via: "session", Policy: w.Policy()}
	label := func(value float64) string {
		return event("label", "message_id", w.reply, "user_id", w.other, "labels", map[string]float64{"spam": value})
	}
	accepted(t, w.Store, label(0.25))
	done := act(t, w.Store, staff, store.Act{Kind: "label", Target: w.reply,
		Params: store.LabelParams{Labels: map[string]float64{"spam": 1}}})
	if code := refused(t, w.Store, label(0)); code != "staff_gave" {
		t.Errorf("a label over one of the console: %s", code)
	}
	if _, err := w.Undo(ctx, staff, done.Action.ID, "it was wrong", false, ""); err != nil {
		t.Fatal(err)
	}
	wantOne(t, w.Store, "0.25", "SELECT spam FROM label_votes WHERE user_id = $1", w.other)
	accepted(t, w.Store, label(0.75))
	wantOne(t, w.Store, "0.75", "SELECT spam FROM label_votes WHERE user_id = $1", w.other)
	verify(t, w.Store)
}

// TestIngestDoesNotStopTrees checks that a line gives no tree the state that only
// staff give, and takes it from none (fault 41).
func TestIngestDoesNotStopTrees(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	state := func(tree any, state string) string { return event("tree", "message_tree_id", tree, "state", state) }
	before := one(t, w.Store, "SELECT (state, active) FROM trees WHERE tree_id = $1", w.prompt)
	for _, tree := range []any{w.prompt, uuid.New()} {
		if code := refused(t, w.Store, state(tree, "halted_by_moderator")); code != "staff_state" {
			t.Errorf("a tree is stopped by a line: %s", code)
		}
	}
	wantOne(t, w.Store, before, "SELECT (state, active) FROM trees WHERE tree_id = $1", w.prompt)
	wantOne(t, w.Store, "0", "SELECT count(*) FROM trees WHERE state = 'halted_by_moderator'")
	act(t, w.Store, w.moderator, store.Act{Kind: "halt", Target: w.prompt})
	accepted(t, w.Store, state(w.prompt, "halted_by_moderator"), state(w.prompt, "growing")) // what front ends heard
	wantOne(t, w.Store, "halted_by_moderator", "SELECT state FROM trees WHERE tree_id = $1", w.prompt)
	// A tree that came stopped stays so until staff restart it.
	importText(t, w.Store, line(1, 0, `"tree_state": "halted_by_moderator"`))
	accepted(t, w.Store, state(testID(1), "growing"))
	wantOne(t, w.Store, "halted_by_moderator", "SELECT state FROM trees WHERE tree_id = $1", testID(1))
	act(t, w.Store, w.moderator, store.Act{Kind: "resume", Target: uuid.MustParse(testID(1))})
	if got := one(t, w.Store, "SELECT state FROM trees WHERE tree_id = $1", testID(1)); got == "halted_by_moderator" {
		t.Errorf("the tree was not restarted: %s", got)
	}
	verify(t, w.Store)
}
