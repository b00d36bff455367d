package main

import (
	"context"
	"os"
	"testing"
	"time"

	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// TestWholeRun runs all sections on a tiny collection, so that the benchmark
// keeps working, and checks that both designs produce the same board.
func TestWholeRun(t *testing.T) {
	ctx := t.Context()
	b := &bench{table: table{logf: t.Logf}, url: storetest.Database(t), effort: 0.02, folder: t.TempDir()}
	if err := b.run(ctx, 0.01, time.Now(), []string{"refresh"}); err != nil {
		t.Fatal(err)
	}
	sameBoards(t, b)
	if err := b.measure(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if len(b.rows) < 30 {
		t.Errorf("the table has %d rows:\n%s", len(b.rows), b.markdown())
	}
	last := b.rows[len(b.rows)-1]
	if last.How != "treewarden score verify" || last.Holds != holds {
		t.Errorf("after the run: %+v", last)
	}
}

func TestFigures(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.00 ms", 40 * time.Microsecond: "0.04 ms", 9_990 * time.Microsecond: "9.99 ms", 71 * time.Millisecond: "71.0 ms",
		999 * time.Millisecond: "999 ms", time.Second: "1.00 s", 43_600 * time.Millisecond: "43.6 s",
		75_600 * time.Second: "75600 s",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
	var even spans
	for i := range 200 {
		even = append(even, time.Duration(200-i)*time.Millisecond)
	}
	if even.median() != 101*time.Millisecond || even.percentile(99) != 199*time.Millisecond ||
		even.percentile(100) != 200*time.Millisecond {
		t.Errorf("median %v, p99 %v, most %v", even.median(), even.percentile(99), even.percentile(100))
	}
	for text, want := range map[string]float64{"S": 1, "M": 10, "x0.25": 0.25, "0.25": 0, "L": 0, "x0": 0, "x": 0} {
		if got, err := parseScale(text); got != want || (err != nil) != (want == 0) {
			t.Errorf("scale %s: got %v, %v", text, got, err)
		}
	}
	figures := table{logf: t.Logf}
	figures.faster("half as fast", time.Second, 2*time.Second, 1, "")
	figures.atMost("twice as dear", time.Second, 2*time.Second, 2, "")
	if missed := figures.missed(); len(missed) != 1 || missed[0] != "half as fast" {
		t.Errorf("missed: %q", missed)
	}
}

// sameBoards compares all scores of the time frame total by Open-Assistant's
// formula.
func sameBoards(t *testing.T, b *bench) {
	t.Helper()
	ctx := context.Background()
	if err := b.open(ctx); err != nil {
		t.Fatal(err)
	}
	defer b.close()
	theirs, err := b.legacyRows(ctx, scoring.Total, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	ours := map[string]store.BoardRow{}
	filter := store.BoardFilter{Window: scoring.Total, Formula: scoring.OpenAssistant,
		Status: store.Active, Page: store.Page{Limit: 200}}
	for {
		board, err := b.store.Board(ctx, store.CommandLine, filter)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range board.Items {
			ours[row.UserID.String()] = row
		}
		if board.Next == nil {
			break
		}
		filter.Cursor = *board.Next
	}
	if len(theirs) < 100 {
		t.Errorf("Open-Assistant's board has %d users", len(theirs))
	}
	for _, want := range theirs {
		got, ok := ours[want.UserID]
		delete(ours, want.UserID)
		if !ok || int(got.Score) != want.Score || int(got.RedFlags) != want.Flags || int(got.Upvotes) != want.Up ||
			int(got.Downvotes) != want.Down ||
			int(got.Spam) != want.Spam+want.SpamPrompts {
			t.Errorf("Open-Assistant has %+v, we have %+v", want, got)
		}
	}
	for _, row := range ours { // users whose messages are all deleted
		if row.Score != 0 {
			t.Errorf("Open-Assistant does not have %+v", row)
		}
	}
}
