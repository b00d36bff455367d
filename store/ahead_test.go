package store_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// TestUndoOfManyIsCounted deletes a tree of 600 messages with feedback, and undoes it. So
// many messages are counted on another connection, unless some stay deleted.
func TestUndoOfManyIsCounted(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]string{
		"nothing since": "",
		"a late reply that came deleted": `WITH late AS (INSERT INTO messages (tree_id, message_id, parent_id, user_id,
				created_date, role, text, depth, deleted, deleted_root)
				SELECT tree_id, gen_random_uuid(), message_id, user_id, now(), 'assistant', 'late', 1, true, message_id
				FROM messages WHERE parent_id IS NULL RETURNING tree_id, message_id),
			placed AS (INSERT INTO message_trees (message_id, tree_id) SELECT message_id, tree_id FROM late),
			flagged AS (INSERT INTO reactions (tree_id, message_id, user_id, emoji, at)
				SELECT tree_id, message_id, user_id, 'red_flag', now() FROM late, users WHERE display_name = 'Other')
			INSERT INTO late_replies (action_id, tree_id, message_id) SELECT max(id), tree_id, message_id
				FROM actions, late GROUP BY 2, 3`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			ids := storetest.Tree(t, w.Store, storetest.Node{Author: w.troll,
				Replies: slices.Repeat([]storetest.Node{{Author: w.troll}}, 599)})
			raters := []store.Actor{storetest.Staff(t, w.Store, policy.Moderator), storetest.Staff(t, w.Store, policy.Admin)}
			for i, rater := range raters {
				for _, id := range ids[:40*(i+1)] {
					act(t, w.Store, rater,
						store.Act{Kind: "react", Target: id, Params: store.ReactParams{Emoji: "red_flag", Op: "add"}})
					act(t, w.Store, rater, store.Act{Kind: "label", Target: id,
						Params: store.LabelParams{Labels: map[string]float64{"spam": 1}}})
				}
			}
			sums := func(of uuid.UUID) string {
				t.Helper()
				return one(t, w.Store, `SELECT (sum(red_flags), sum(spam_labels), sum(legacy_red_flags), sum(legacy_spam_labels),
					coalesce(sum(deleted), 0))::text FROM user_signals WHERE user_id = $1`, of)
			}
			before := sums(w.troll)
			done := act(t, w.Store, w.admin, store.Act{Kind: "delete", Target: ids[0]})
			if now := sums(w.troll); now == before {
				t.Fatalf("the deletion changes no counts: %s", now)
			}
			if meanwhile != "" {
				storetest.Exec(t, w.Store, meanwhile)
			}
			if _, err := w.Undo(ctx, w.admin, done.Action.ID, "too early", false, ""); err != nil {
				t.Fatal(err)
			}
			if now := sums(w.troll); now != before {
				t.Errorf("after the undo %s, before %s", now, before)
			}
			if meanwhile == "" {
				verify(t, w.Store)
			}
		})
	}
}
