package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
	"treewarden/store/storetest"
)

// logBuffer is a log that is read while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// TestOutageIsTwoLines lets 200 requests and probes fail while the database is away:
// the log has a line when it goes, and one with their number when it is back
// (fault 50).
func TestOutageIsTwoLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text := &logBuffer{}
	log := slog.New(slog.NewTextHandler(text, nil))
	name := ""
	database := storetest.DB(t, w.store)
	if err := database.QueryRow(t.Context(), "SELECT current_database()").Scan(&name); err != nil {
		t.Fatal(err)
	}
	// No connection may be opened for as long as the outage lasts.
	beside := database.Config().ConnConfig.Copy()
	beside.Database = "postgres"
	conn, err := pgx.ConnectConfig(t.Context(), beside)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	exec := func(sql string, args ...any) {
		if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	admit := func(allowed bool) { exec(fmt.Sprintf("ALTER DATABASE %q WITH ALLOW_CONNECTIONS %v", name, allowed)) }
	outage := NewOutage(t.Context(), log, w.store.Ready)
	outage.beat = 20 * time.Millisecond
	server := New(Config{Store: w.store, Log: log, Version: "test", Outage: outage})
	for round := range 2 {
		admit(false)
		exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
		for i := range 100 {
			c := *w.mod
			c.server = server
			c.get([]string{"/users", "/trollboard", apiPrefix + "/messages", "/readyz"}[i%4]).want(503)
		}
		if n := strings.Count(text.String(), "\n"); n != 2*round+1 {
			t.Fatalf("the log of an outage has %d lines, want %d:\n%.3000s", n, 2*round+1, text)
		}
		admit(true)
		waitFor(t, "the log says that the database is back", func() bool {
			return strings.Count(text.String(), "the database is back") == round+1
		})
		c := *w.mod
		c.server = server
		c.get("/users").want(200)
	}
	if n := strings.Count(text.String(), "failed=100 "); n != 2 {
		t.Errorf("the log counts other failures than were:\n%s", text)
	}
}

// TestTroubleIsCounted counts failures that come in floods while the database answers,
// and tells which errors belong to an outage.
func TestTroubleIsCounted(t *testing.T) {
	t.Parallel()
	text := &logBuffer{}
	outage := NewOutage(t.Context(), slog.New(slog.NewTextHandler(text, nil)), func(context.Context) error {
		return errors.New("still away")
	})
	outage.rest = 20 * time.Millisecond
	for range 50 {
		outage.delayed("busy", db.ErrBusy)
	}
	waitFor(t, "the log says that the trouble is over", func() bool {
		return strings.Contains(text.String(), "succeed again")
	})
	if got := text.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "failed=50 ") {
		t.Errorf("50 busy requests are logged as %s", got)
	}
	for _, x := range []struct {
		err  error
		want bool
	}{{nil, false}, {errors.New("another"), false}, {context.DeadlineExceeded, false}, {db.ErrUnavailable, true},
		{context.DeadlineExceeded, true}, {errors.New("another"), false}} {
		if got := outage.Failed(x.err); got != x.want {
			t.Errorf("Failed(%v) is %v", x.err, got)
		}
	}
}
