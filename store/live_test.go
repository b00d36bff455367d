package store_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/storetest"
)

// boardRow returns a user's row on the board of all users by the formula treewarden;
// ok is false if there is none.
func boardRow(t *testing.T, s *store.Store, window scoring.Window, user uuid.UUID) (row store.BoardRow, ok bool) {
	t.Helper()
	return boardRowBy(t, s, window, user, scoring.Treewarden)
}

func boardRowBy(t *testing.T, s *store.Store, window scoring.Window, user uuid.UUID,
	formula scoring.Formula) (row store.BoardRow, ok bool) {
	t.Helper()
	page, err := s.Board(ctx, store.CommandLine, store.BoardFilter{Window: window, Formula: formula, Status: "all",
		Parts: true, Page: store.Page{Limit: 200}})
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(page.Items, func(r store.BoardRow) bool { return r.UserID == user })
	if at < 0 {
		return row, false
	}
	return page.Items[at], true
}

// eventually waits up to 30 seconds for the effect of another process.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 3000 {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("after 30 seconds there is still no effect: %s", what)
}

// TestBoardsOfTwoProcesses checks that each kind of change by one process shows on
// its own boards at once, and soon on the boards of another process.
func TestBoardsOfTwoProcesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := storetest.Another(t, w.Store)
	changed, stop, err := other.WatchBoards(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	steps := []struct {
		what  string
		do    func()
		holds func(row store.BoardRow) bool
	}{
		{"a report by ingest", func() {
			accepted(t, w.Store, event("report", "message_id", w.prompt, "user_id", w.other, "reason", "spam"))
		}, func(row store.BoardRow) bool { return row.RedFlags == 1 }},
		{"a label", func() {
			act(t, w.Store, w.moderator, store.Act{Kind: "label", Target: w.prompt,
				Params: store.LabelParams{Labels: map[string]float64{"spam": 1}}})
		}, func(row store.BoardRow) bool { return row.Spam == 1 }},
		{"another name", func() {
			act(t, w.Store, w.moderator, store.Act{Kind: "update_user", Target: w.troll,
				Params: store.UserPatch{DisplayName: new("Renamed")}})
		}, func(row store.BoardRow) bool { return row.DisplayName == "Renamed" }},
		{"a name by ingest", func() {
			accepted(t, w.Store, event("user", "user_id", w.other, "display_name", "Also renamed"))
		}, nil},
		{"a message in another language by ingest", func() {
			accepted(t, w.Store, event("message", "message_id", uuid.New(), "parent_id", w.prompt, "user_id", w.troll, "role",
				"assistant", "text", "bonjour", "lang", "fr"))
		}, func(row store.BoardRow) bool { return slices.Contains(row.Languages, "fr") && row.Messages == 4 }},
		{"a ban", func() {
			act(t, w.Store, w.moderator, store.Act{Kind: "ban", Target: w.troll})
		}, func(row store.BoardRow) bool { return row.Status == store.Banned }},
		{"an import", func() {
			importText(t, w.Store, `{"message_id": "`+uuid.NewString()+`", "parent_id": "`+w.prompt.String()+`", "user_id": "`+
				w.troll.String()+`", "role": "assistant", "text": "x", "lang": "de", "emojis": {"-1": 7}}`)
		}, func(row store.BoardRow) bool { return row.Downvotes == 7 }},
		{"a rebuild", func() {
			storetest.Exec(t, w.Store, "UPDATE user_signals SET red_flags = 77")
			storetest.Exec(t, w.Store, "UPDATE emoji_aggregates SET red_flags = 3")
			if err := w.RebuildScores(ctx); err != nil {
				t.Fatal(err)
			}
		}, func(row store.BoardRow) bool { return row.RedFlags == 4 }},
	}
	for _, step := range steps {
		step.do()
		if step.holds == nil {
			step.holds = func(store.BoardRow) bool {
				row, _ := boardRow(t, other, scoring.Total, w.other)
				return row.DisplayName == "Also renamed"
			}
		}
		if row, ok := boardRow(t, w.Store, scoring.Total, w.troll); !ok || step.what != "a name by ingest" &&
			!step.holds(row) {
			t.Errorf("%s: its own board has %+v", step.what, row)
		}
		eventually(t, step.what, func() bool {
			row, ok := boardRow(t, other, scoring.Total, w.troll)
			return ok && step.holds(row)
		})
		select {
		case <-changed:
		case <-time.After(30 * time.Second):
			t.Errorf("%s: the watcher was not notified", step.what)
		}
		for len(changed) > 0 {
			<-changed
		}
	}
	verify(t, w.Store)
}

// TestBoardsListenAgain ends the connection that listens for changes. The boards
// miss no change.
func TestBoardsListenAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := storetest.Another(t, w.Store)
	if err := other.WarmBoards(ctx); err != nil {
		t.Fatal(err)
	}
	storetest.Exec(t, w.Store, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "+
		"current_database() AND query LIKE 'LISTEN %'")
	accepted(t, w.Store, event("report", "message_id", w.prompt, "user_id", w.other, "reason", "spam"))
	eventually(t, "the report", func() bool {
		row, _ := boardRow(t, other, scoring.Total, w.troll)
		return row.RedFlags == 1
	})
}

// TestWindowsFollowTheClock checks that signals leave the day, the week and the
// month as time passes without a change, on old boards and on newly loaded ones.
func TestWindowsFollowTheClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now()
	var clock sync.Mutex
	at := now
	readClock := func() time.Time {
		clock.Lock()
		defer clock.Unlock()
		return at
	}
	w.SetClock(readClock)
	accepted(t, w.Store, event("report", "message_id", w.prompt, "user_id", w.other, "reason", "spam", "at",
		now.Add(-time.Minute)))
	flags := func(s *store.Store) (counts [4]int64) {
		for i, window := range scoring.Windows {
			row, _ := boardRow(t, s, window, w.troll)
			counts[i] = row.RedFlags
		}
		return counts
	}
	fresh := func() *store.Store {
		s := storetest.Another(t, w.Store)
		s.SetClock(readClock)
		return s
	}
	for _, step := range []struct {
		on   time.Duration
		want [4]int64
	}{
		{0, [4]int64{1, 1, 1, 1}}, {23 * time.Hour, [4]int64{1, 1, 1, 1}}, {26 * time.Hour, [4]int64{0, 1, 1, 1}},
		{9 * 24 * time.Hour, [4]int64{0, 0, 1, 1}}, {32 * 24 * time.Hour, [4]int64{0, 0, 0, 1}},
		{26 * time.Hour, [4]int64{0, 1, 1, 1}}, // the clock was set back
	} {
		clock.Lock()
		at = now.Add(step.on)
		clock.Unlock()
		if got := flags(w.Store); got != step.want {
			t.Errorf("after %v the red flags of day, week, month and total are %v, want %v", step.on, got, step.want)
		}
		if got := flags(fresh()); got != step.want {
			t.Errorf("after %v a new process counts %v, want %v", step.on, got, step.want)
		}
		verify(t, w.Store)
	}
	clock.Lock()
	at = now.Add(60 * 24 * time.Hour)
	clock.Unlock()
	if err := w.ForgetCounters(ctx); err != nil {
		t.Fatal(err)
	}
	wantOne(t, w.Store, "0", "SELECT count(*) FROM user_signals WHERE grain > 0")
	if got := flags(w.Store); got != [4]int64{0, 0, 0, 1} {
		t.Errorf("without the counters of old days, the red flags are %v", got)
	}
	verify(t, w.Store)
}
