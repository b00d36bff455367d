package store_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// eventsOf returns the kinds of the events about a message, in order.
func eventsOf(t testing.TB, s *store.Store, message string) string {
	t.Helper()
	return one(t, s, `SELECT coalesce(string_agg(kind, ' ' ORDER BY id), '') FROM events
		WHERE payload->>'message_id' = $1`, message)
}

// TestLateRepliesFallWithTheDeletion brings messages below a message that staff
// deleted, by every path: they are deleted with it, come back with it, and front ends
// get the events (fault 7).
func TestLateRepliesFallWithTheDeletion(t *testing.T) {
	t.Parallel()
	author := `"user_id": "` + testID(90) + `"`
	nested := func(id, parent int, more string) string { return strings.TrimSpace(line(id, parent, more)) }
	paths := map[string]struct {
		before string // imported before the deletion
		late   string // imported after it
		lines  []string
	}{
		"a reply":              {late: line(4, 2, author)},
		"a reply to a reply":   {late: line(4, 3, author)},
		"replies line by line": {late: line(6, 5, author) + line(4, 3, author) + line(5, 4, author)},
		"a subtree":            {late: line(4, 2, author+`, "replies": [`+nested(5, 4, author)+`]`)},
		"the whole tree again": {late: `{"message_tree_id": "` + testID(1) + `", "prompt": ` + nested(1, 0,
			`"replies": [`+nested(2, 1, `"replies": [`+nested(4, 2, author)+`]`)+`]`) + "}\n"},
		"an orphan":               {before: line(5, 4, author), late: line(4, 3, author)},
		"an orphan with its tree": {before: line(6, 5, "") + line(5, 4, ""), late: line(1, 0, "") + line(4, 2, "")},
		"ingest": {lines: []string{event("user", "user_id", testID(91)),
			event("message", "message_id", testID(4), "parent_id", testID(3), "user_id", testID(91), "role", "assistant",
				"text", "late"),
			event("message", "message_id", testID(5), "parent_id", testID(4), "user_id", testID(91), "role", "prompter",
				"text", "later")}},
		"ingest, then an orphan": {before: line(5, 4, author), late: line(9, 0, ""), lines: []string{
			event("user", "user_id", testID(91)), event("message", "message_id", testID(4), "parent_id", testID(3),
				"user_id", testID(91), "role", "assistant", "text", "late")}},
	}
	for name, path := range paths {
		for _, how := range []string{"delete", "ban"} {
			for _, back := range []string{"undo", "restore"} {
				t.Run(name+", "+how+", "+back, func(t *testing.T) {
					t.Parallel()
					s := storetest.New(t)
					moderator := storetest.Staff(t, s, policy.Moderator)
					troll := uuid.MustParse(testID(99))
					importText(t, s, line(1, 0, "")+line(2, 1, `"user_id": "`+troll.String()+`"`)+line(3, 2, "")+path.before)
					act := func(do store.Act) store.Outcome { return act(t, s, moderator, do) }
					var done store.Outcome
					if how == "ban" {
						done = act(store.Act{Kind: "ban", Target: troll, Params: store.BanParams{Messages: "delete"}})
					} else {
						done = act(store.Act{Kind: "delete", Target: uuid.MustParse(testID(2))})
					}
					if len(path.lines) > 0 {
						accepted(t, s, path.lines...)
					}
					importText(t, s, path.late)
					late := one(t, s, `SELECT string_agg(message_id::text, ' ' ORDER BY depth, message_id) FROM messages
						WHERE message_id BETWEEN $1 AND $2`, testID(4), testID(8))
					for _, id := range strings.Fields(late) {
						wantOne(t, s, fmt.Sprintf("(t,%d,%s,t)", done.Action.Key, testID(2)), `SELECT
							(deleted, deleted_action, deleted_root, deletion_by_staff) FROM messages WHERE message_id = $1`, id)
						if got := eventsOf(t, s, id); got != "delete" {
							t.Errorf("the events of %s are %q", id, got)
						}
					}
					verify(t, s)
					before := dump(t, s, true)
					importText(t, s, path.late)
					if d := diff(before, dump(t, s, true)); d != "" {
						t.Errorf("a second import changed something: %s", d)
					}
					switch {
					case back == "undo":
						if _, err := s.Undo(ctx, moderator, done.Action.ID, "it was right", false, ""); err != nil {
							t.Fatal(err)
						}
					case how == "ban":
						act(store.Act{Kind: "unban", Target: troll, Params: store.UnbanParams{Messages: "restore"}})
					default:
						act(store.Act{Kind: "undelete", Target: uuid.MustParse(testID(2))})
					}
					wantOne(t, s, "0", "SELECT count(*) FROM messages WHERE deleted")
					for _, id := range strings.Fields(late) {
						if got := eventsOf(t, s, id); got != "delete undelete" {
							t.Errorf("the events of %s are %q", id, got)
						}
					}
					verify(t, s)
				})
			}
		}
	}
}

// TestLateRepliesKeepWhatTheFileSays checks that an import keeps what a file says of
// deletions that are not those of staff.
func TestLateRepliesKeepWhatTheFileSays(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	moderator := storetest.Staff(t, s, policy.Moderator)
	importText(t, s, line(1, 0, "")+line(2, 1, "")+line(3, 1, `"deleted": true`))
	done := act(t, s, moderator, store.Act{Kind: "delete", Target: uuid.MustParse(testID(2))})
	importText(t, s, line(4, 2, `"deleted": true`)+line(5, 3, "")+line(6, 1, ""))
	if _, err := s.Undo(ctx, moderator, done.Action.ID, "it was right", false, ""); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[int]string{2: "false", 3: "true", 4: "true", 5: "false", 6: "false"} {
		wantOne(t, s, want, "SELECT deleted FROM messages WHERE message_id = $1", testID(id))
	}
	// Below a message that came back, nothing falls any more.
	importText(t, s, line(8, 2, ""))
	wantOne(t, s, "false", "SELECT deleted FROM messages WHERE message_id = $1", testID(8))
	verify(t, s)
}
