package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/corpus"
	"treewarden/store"
	"treewarden/store/storetest"
)

// holding begins a transaction that holds locks until its end.
func holding(t *testing.T, s *store.Store, sql string, args ...any) pgx.Tx {
	t.Helper()
	tx, err := storetest.DB(t, s).Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tx.Rollback(ctx); err != nil && !errors.Is(err, pgx.ErrTxClosed) {
			t.Error(err)
		}
	})
	if _, err := tx.Exec(ctx, sql, args...); err != nil {
		t.Fatal(err)
	}
	return tx
}

// commit ends a transaction, and so releases its locks.
func commit(t *testing.T, tx pgx.Tx) {
	t.Helper()
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
}

// waiting waits up to 20 seconds until n sessions wait for locks.
func waiting(t *testing.T, s *store.Store, n int) {
	t.Helper()
	for range 4000 {
		if one(t, s, "SELECT count(*) FROM pg_stat_activity "+
			"WHERE datname = current_database() AND wait_event_type = 'Lock'") == fmt.Sprint(n) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("there are not %d sessions that wait for locks", n)
}

// TestForeignKeysToUsersBlockNoAction holds the lock that a new row with a foreign
// key to a user takes (a counter, a message). Its writer already holds trees, and an
// action on the user locks trees later, so it must not wait for that lock.
func TestForeignKeysToUsersBlockNoAction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	holding(t, w.Store, "SELECT FROM users WHERE user_id IN ($1, $2) FOR KEY SHARE", w.troll, w.other)
	short, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	ban, err := w.Act(short, w.admin, store.Act{Kind: "ban", Target: w.troll, Reason: "must not wait",
		Params: store.BanParams{Messages: "delete"}})
	if err != nil {
		t.Fatalf("ban: %v", err)
	}
	if _, err := w.Undo(short, w.admin, ban.Action.ID, "must not wait", false, ""); err != nil {
		t.Errorf("undo: %v", err)
	}
	if _, err := w.Ingest(short, store.CommandLine, []byte(event("user", "user_id", w.other, "display_name", "Renamed")+
		"\n"+
		event("reaction", "message_id", w.prompt, "user_id", w.other, "emoji", "-1"))); err != nil {
		t.Errorf("ingest: %v", err)
	}
}

// TestImportLocksTreesInOrder checks that an import that waits for a tree holds no
// tree with a higher id.
func TestImportLocksTreesInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	low := w.prompt
	high := storetest.Tree(t, w.Store, storetest.Node{Author: w.troll})[0]
	if bytes.Compare(low[:], high[:]) > 0 {
		low, high = high, low
	}
	tx := holding(t, w.Store, "SELECT FROM trees WHERE tree_id = $1 FOR UPDATE", low)
	done := make(chan struct{})
	go func() {
		defer close(done)
		lines := ""
		for _, parent := range []uuid.UUID{high, low} {
			lines += fmt.Sprintf(`{"message_id": %q, "parent_id": %q, "user_id": %q, "role": "assistant", "text": "x"}`+"\n",
				uuid.New(), parent, w.other)
		}
		summary, err := w.Import(ctx, corpus.NewReader(strings.NewReader(lines), "two").All(), store.ImportOptions{})
		if err != nil || summary.Messages != 2 {
			t.Errorf("the import returned %+v, %v", summary, err)
		}
	}()
	waiting(t, w.Store, 1)
	if _, err := tx.Exec(ctx, "SELECT FROM trees WHERE tree_id = $1 FOR UPDATE NOWAIT", high); err != nil {
		t.Errorf("the import holds the later tree: %v", err)
	}
	if err := tx.Commit(ctx); err != nil && tx.Rollback(ctx) != nil {
		t.Fatal(err)
	}
	<-done
}

// TestBanWaitsForReaction bans a user while their reaction waits for its tree. The
// ban waits for the reaction and then removes its count.
func TestBanWaitsForReaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rater := w.moderator
	tx := holding(t, w.Store, "SELECT FROM trees WHERE tree_id = $1 FOR UPDATE", w.prompt)
	done := make(chan error, 2)
	act := func(actor store.Actor, a store.Act) {
		a.Reason = "at once"
		_, err := w.Act(ctx, actor, a)
		done <- err
	}
	go act(rater, store.Act{Kind: "react", Target: w.prompt, Params: store.ReactParams{Emoji: "red_flag", Op: "add"}})
	waiting(t, w.Store, 1)
	go act(w.admin, store.Act{Kind: "ban", Target: rater.UserID})
	waiting(t, w.Store, 2)
	commit(t, tx)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	wantOne(t, w.Store, "0", "SELECT sum(red_flags) FROM user_signals WHERE user_id = $1 AND grain = 0", w.troll)
	verify(t, w.Store)
}
