package demo_test

import (
	"context"
	"testing"
	"time"

	"treewarden/demo"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/storetest"
)

// TestLoadKeepsEverything loads a generated corpus and counts its rows back.
func TestLoadKeepsEverything(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := storetest.New(t)
	c := demo.Generate(demo.Options{Seed: 3, Now: time.Now()})
	if err := demo.Load(ctx, s, c); err != nil {
		t.Fatal(err)
	}
	deleted := 0
	for _, m := range c.Messages {
		if m.Deleted {
			deleted++
		}
	}
	for _, x := range []struct {
		what, count string
		want        int
	}{
		{"users", "SELECT count(*) FROM users", len(c.Users)},
		{"trees", "SELECT count(*) FROM trees", len(c.Trees)},
		{"messages", "SELECT count(*) FROM messages JOIN message_trees USING (message_id, tree_id)", len(c.Messages)},
		{"deleted messages", "SELECT count(*) FROM messages WHERE deleted AND deleted_root IS NOT NULL", deleted},
		{"replies without a parent", "SELECT count(*) FROM messages m WHERE parent_id IS NOT NULL AND NOT EXISTS (SELECT " +
			"FROM messages p WHERE p.tree_id = m.tree_id AND p.message_id = m.parent_id AND p.depth = m.depth - 1)", 0},
		{"votes", "SELECT count(*) FROM label_votes WHERE spam IS NOT NULL AND political_content IS NULL", len(c.Votes)},
		{"reactions", "SELECT count(*) FROM reactions", len(c.Reactions)},
		{"reports", "SELECT count(*) FROM reports", len(c.Reports)},
		{"outputs", "SELECT count(*) FROM classifier_outputs WHERE toxicity = scores[1] AND cardinality(scores) = 7",
			len(c.Outputs)},
		{"dates to come", "SELECT count(*) FROM messages WHERE created_date > now()", 0},
	} {
		var got int
		if err := storetest.DB(t, s).QueryRow(ctx, x.count).Scan(&got); err != nil {
			t.Fatalf("%s: %v", x.what, err)
		}
		if got != x.want {
			t.Errorf("%d %s, want %d", got, x.what, x.want)
		}
	}
	if err := demo.Load(ctx, s, c); err == nil {
		t.Error("the same corpus went in twice")
	}
}

// TestLoadedTrollsLeadTheBoards checks that each time frame has a board, and
// that trolls are at the top of it.
func TestLoadedTrollsLeadTheBoards(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := storetest.New(t)
	now := time.Now()
	s.SetClock(func() time.Time { return now })
	c := demo.Generate(demo.Options{Seed: 3, Now: now})
	if err := demo.Load(ctx, s, c); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]demo.Kind{}
	for _, u := range c.Users {
		kinds[u.ID.String()] = u.Kind
	}
	for _, window := range scoring.Windows {
		board, err := s.Board(ctx, store.CommandLine, store.BoardFilter{Window: window, Formula: scoring.Treewarden,
			Status: "active", Page: store.Page{Limit: 5}})
		if err != nil {
			t.Fatal(err)
		}
		trolls := 0
		for _, row := range board.Items {
			if kinds[row.UserID.String()] != demo.Honest {
				trolls++
			}
		}
		if len(board.Items) < 5 || trolls < 3 {
			t.Errorf("%s: %d users on top, %d of them trolls", window, len(board.Items), trolls)
		}
	}
}

func TestFillLeavesACollectionAlone(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := storetest.New(t)
	if _, err := s.CreateStaff(ctx, store.CommandLine, "warden", "admin", ""); err != nil {
		t.Fatal(err)
	}
	if empty, err := s.Empty(ctx); err != nil || !empty {
		t.Fatalf("a database with staff only: empty is %v, %v", empty, err)
	}
	done := make(chan bool)
	for seed := range uint64(2) {
		go func() {
			filled, err := demo.Fill(ctx, s, demo.Generate(demo.Options{Seed: seed, Now: time.Now()}))
			if err != nil {
				t.Error(err)
			}
			done <- filled
		}()
	}
	if a, b := <-done, <-done; a == b {
		t.Errorf("two fills at once: %v and %v, want one to fill", a, b)
	}
	if empty, err := s.Empty(ctx); err != nil || empty {
		t.Errorf("after a fill: empty is %v, %v", empty, err)
	}
}

func BenchmarkLoad(b *testing.B) {
	c := demo.Generate(demo.Options{Seed: 3, Now: time.Now()})
	for b.Loop() {
		b.StopTimer()
		s := storetest.New(b)
		b.StartTimer()
		if err := demo.Load(context.Background(), s, c); err != nil {
			b.Fatal(err)
		}
	}
}
