package db_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/store/db"
	"treewarden/store/storetest"
)

// walked makes a table walked of the numbers n from 1 to 40, and returns their order as m.n.
func walked(t *testing.T) (*pgxpool.Pool, db.Order) {
	t.Helper()
	pool := storetest.DB(t, storetest.New(t))
	if _, err := pool.Exec(t.Context(), "CREATE TABLE walked AS SELECT n FROM generate_series(1, 40) n"); err != nil {
		t.Fatal(err)
	}
	return pool, db.Order{Name: "n", Keys: []db.Key{{Expr: "m.n", Typ: "integer"}}}
}

// TestWalkAfterATimeout walks without an index until the time for that is over, and goes on
// by the index, with statements that the connection has never run.
func TestWalkAfterATimeout(t *testing.T) {
	t.Parallel()
	pool, order := walked(t)
	walk := func() *db.Walk {
		return &db.Walk{
			Candidates: db.Query{Columns: "m.n::text", From: "walked m"}, All: db.Query{From: "walked m"},
			Order: order, Most: 3, Limit: time.Minute,
			Fits: func(texts []string) bool { return len(texts[0]) == 2 },
			Narrow: &db.Narrow{
				From: "walked w", Columns: "w.n", Where: func(q *db.Query) { q.Where("w.n % 5 = 0") },
				Order: order.Of("w"), Join: "m.n = w.n",
				Sift:  func(q *db.Query) { q.Where("m.n > ? AND pg_sleep(0.1) IS NOT NULL", 0) },
				Near:  40,
				First: 20 * time.Millisecond,
			},
		}
	}
	if err := db.Read(t.Context(), pool, func(s *db.Snapshot) error {
		found, cut, err := walk().Run(t.Context(), s)
		if got := fmt.Sprint(found); err == nil && (cut || got != "[[10] [15] [20]]") {
			t.Errorf("found %s, cut: %v", got, cut)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	// The time of the walk does not hold for what comes after it.
	if err := db.Read(t.Context(), pool, func(s *db.Snapshot) error {
		var timeouts []string
		for range 2 {
			var timeout string
			if err := s.QueryRow(t.Context(), "SELECT current_setting('statement_timeout')").Scan(&timeout); err != nil {
				return err
			}
			timeouts = append(timeouts, timeout)
			if _, _, err := walk().Run(t.Context(), s); err != nil {
				return err
			}
		}
		if len(slices.Compact(timeouts)) != 1 {
			t.Errorf("the time limits before and after a walk: %v", timeouts)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestAfterABriefWalk runs a statement that takes long to prepare after a walk with little
// time: the limit of the walk does not hold for it.
func TestAfterABriefWalk(t *testing.T) {
	t.Parallel()
	pool, order := walked(t)
	long := "SELECT 1 IN (0" + strings.Repeat(", 0", 300_000) + ")"
	if err := db.Read(t.Context(), pool, func(s *db.Snapshot) error {
		walk := &db.Walk{
			Candidates: db.Query{Columns: "m.n::text", From: "walked m"}, All: db.Query{From: "walked m"},
			Order: order, Most: 3, Limit: time.Nanosecond, Least: 20 * time.Millisecond,
			Fits: func([]string) bool { return true },
		}
		if _, _, err := walk.Run(t.Context(), s); err != nil {
			return err
		}
		batch := &pgx.Batch{}
		batch.Queue(long)
		return s.SendBatch(t.Context(), batch).Close()
	}); err != nil {
		t.Error(err)
	}
}

// TestWalkNear walks without an index over the nearest rows, and then by the index. All has a
// condition with an argument, and a look at its row 24 would fail.
func TestWalkNear(t *testing.T) {
	t.Parallel()
	pool, order := walked(t)
	for most, want := range map[int]string{
		2: "[[10] [20]]", 3: "[[10] [20] [25]]", 9: "[[10] [20] [25] [30] [35] [40]]",
	} {
		walk := &db.Walk{
			Candidates: db.Query{Columns: "m.n::text", From: "walked m JOIN walked o ON o.n = m.n"},
			All:        db.Query{From: "walked m"}, Order: order, Most: most, Limit: time.Minute,
			Fits: func(texts []string) bool { return len(texts[0]) == 2 },
			Narrow: &db.Narrow{
				From: "walked w", Columns: "w.n", Where: func(q *db.Query) { q.Where("w.n % ? = 0", 5) },
				Order: order.Of("w"), Join: "m.n = w.n",
				Sift: func(q *db.Query) { q.Where("m.n % ? = 0 AND 1 / (m.n - 24) < ?", 10, 2) },
				Near: 20, First: time.Minute,
			},
		}
		walk.All.Where("m.n > ?", 3)
		walk.Candidates.Where("m.n > ?", 3)
		if err := db.Read(t.Context(), pool, func(s *db.Snapshot) error {
			found, cut, err := walk.Run(t.Context(), s)
			if got := fmt.Sprint(found); err == nil && (cut || got != want) {
				t.Errorf("%d rows: found %s, cut: %v; want %s", most, got, cut, want)
			}
			return err
		}); err != nil {
			t.Fatalf("%d rows: %v", most, err)
		}
	}
}
