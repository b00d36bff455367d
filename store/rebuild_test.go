package store_test

import (
	"testing"

	"treewarden/scoring"
	"treewarden/store/storetest"
)

// TestRebuildOfOneMessage makes both connections of a recount read reactions of the
// same message, so that the race detector can find a data race.
func TestRebuildOfOneMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const flags = 2000
	storetest.Exec(t, w.Store, `INSERT INTO users (user_id, display_name, username)
		SELECT gen_random_uuid(), 'Rater ' || n, 'rater ' || n FROM generate_series(1, $1::int) n`, flags)
	storetest.Exec(t, w.Store, `INSERT INTO reactions (tree_id, message_id, user_id, emoji, at)
		SELECT m.tree_id, m.message_id, u.user_id, 'red_flag', now() FROM message_trees m, users u
		WHERE m.message_id = $1 AND u.display_name LIKE 'Rater %'`, w.reply)
	if err := w.RebuildScores(ctx); err != nil {
		t.Fatal(err)
	}
	if row := board(t, w.Store, w.moderator, scoring.Total, scoring.Treewarden)[w.other]; row.RedFlags != flags {
		t.Errorf("%d red flags were counted of %d", row.RedFlags, flags)
	}
	verify(t, w.Store)
}
