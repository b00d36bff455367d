package admin

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/store/storetest"
)

// waitFor waits until a condition holds.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 6000 {
		if holds() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("it did not come about that %s", what)
}

// TestReadsGoOnUnderAFloodOfWriters holds the row of one tree while more actions,
// previews and lines for it arrive than there are connections. Pages answer, and the
// writers are told to try again, with nothing done (fault 34).
func TestReadsGoOnUnderAFloodOfWriters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	db := storetest.DB(t, w.store)
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	if _, err := tx.Exec(t.Context(), "SELECT FROM trees WHERE tree_id = (SELECT tree_id FROM messages WHERE "+
		"message_id = $1) FOR UPDATE", w.prompt); err != nil {
		t.Fatal(err)
	}
	count := func(sql string) (n int) {
		if err := db.QueryRow(t.Context(), sql).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	const before = `SELECT (SELECT count(*) FROM actions) + (SELECT count(*) FROM reactions)
		+ (SELECT count(*) FROM messages)`
	had := count(before)
	message := fmt.Sprintf("%s/messages/%s", apiPrefix, w.prompt)
	var mu sync.Mutex
	var answers []answer
	var all sync.WaitGroup
	flood := func(n int, send func(i int) answer) {
		for i := range n {
			all.Go(func() {
				a := send(i)
				mu.Lock()
				defer mu.Unlock()
				answers = append(answers, a)
			})
		}
	}
	mod, collector := *w.mod, *w.collector
	flood(24, func(int) answer {
		c := mod
		return c.send("POST", message+"/reactions", map[string]any{"emoji": "+1", "op": "add"})
	})
	flood(12, func(int) answer {
		c := mod
		return c.send("POST", message+"/delete", map[string]any{"reason": "a look first", "preview": true})
	})
	flood(24, func(int) answer {
		c := collector
		return c.ingestLines(fmt.Sprintf(`{"type": "message", "id": %q, "message_id": %q, "parent_id": %q, "user_id": %q, `+
			`"text": "Hm.", "role": "assistant", "lang": "en"}`, uuid.New(), uuid.New(), w.prompt, w.user))
	})
	waiting := func() int {
		return count("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
	}
	waitFor(t, "the writers wait", func() bool { return waiting() >= 4 })
	for range 5 {
		for _, path := range []string{"/trollboard", "/users/" + w.user.String(), "/messages/" + w.prompt.String(), "/readyz",
			"/"} {
			c := mod
			c.get(path).want(200)
		}
	}
	all.Wait()
	for _, a := range answers {
		// On a slow machine the time of a request may end before its turn comes.
		code := a.field("error", "code")
		if a.status != http.StatusServiceUnavailable || code != "busy" && code != "too_slow" ||
			a.header.Get("Retry-After") == "" {
			t.Errorf("a writer is told %d, Retry-After %q: %.300s", a.status, a.header.Get("Retry-After"), a.body)
		}
	}
	if len(answers) != 60 {
		t.Errorf("%d answers came, want 60", len(answers))
	}
	if has := count(before); has != had {
		t.Errorf("the refused writers left %d rows", has-had)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.mod.send("POST", message+"/reactions", map[string]any{"emoji": "+1", "op": "add"}).want(200)
}
