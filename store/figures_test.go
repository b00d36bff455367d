package store_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/cases"
	"treewarden/store/figures"
	"treewarden/store/proof"
	"treewarden/store/storetest"
)

// figured is a world with decisions of two moderators in two languages, one of each
// outcome and one more, and a case that is open.
type figured struct {
	world
	now    time.Time
	second store.Actor
	german []uuid.UUID
	halted int64 // the action
}

func newFigured(t *testing.T) figured {
	t.Helper()
	now := time.Now().Truncate(time.Hour).Add(30 * time.Minute)
	f := figured{world: newWorld(t), now: now}
	f.SetClock(func() time.Time { return now })
	f.second = storetest.Staff(t, f.Store, policy.Moderator)
	rater := storetest.User(t, f.Store, "Rater")
	for _, name := range []string{"Author", "Another", "Third", "Fourth", "Fifth"} {
		f.german = append(f.german, storetest.Tree(t, f.Store, storetest.Node{Author: storetest.User(t, f.Store, name),
			Lang: "de"})[0])
	}
	for _, r := range []struct {
		message uuid.UUID
		ago     time.Duration
	}{{f.prompt, 3 * time.Minute}, {f.reply, 2 * time.Hour}, {f.german[0], 2 * 24 * time.Hour},
		{f.german[1], 10 * 24 * time.Hour}, {f.german[3], 6 * time.Hour}, {f.german[4], 5 * time.Hour}} {
		storetest.Report(t, f.Store, r.message, rater, "spam", f.now.Add(-r.ago))
	}
	// Red flags of files only: not measured.
	storetest.Exec(t, f.Store, `INSERT INTO emoji_aggregates (tree_id, message_id, red_flags) VALUES ($1, $1, 3)`,
		f.german[2])
	if err := f.RebuildScores(ctx); err != nil {
		t.Fatal(err)
	}
	on := func(message uuid.UUID) store.Case { return caseOn(t, f.Store, f.admin, message) }
	decide(t, f.Store, f.moderator, on(f.prompt), store.ResolveParams{Outcome: cases.Dismiss})
	decide(t, f.Store, f.moderator, on(f.reply), store.ResolveParams{Outcome: cases.Delete})
	f.halted = decide(t, f.Store, f.second, on(f.german[0]), store.ResolveParams{Outcome: cases.Halt}).Action.ID
	decide(t, f.Store, f.second, on(f.german[1]), store.ResolveParams{Outcome: cases.Reject})
	decide(t, f.Store, f.second, on(f.german[2]), store.ResolveParams{Outcome: cases.Dismiss})
	// A ban elsewhere that closes the cases of the user is a decision too.
	act(t, f.Store, f.second, store.Act{Kind: "ban", Target: *on(f.german[3]).UserID,
		Params: store.BanParams{Close: store.CloseParams{CloseCases: true}}})
	return f
}

func (f figured) figures(t *testing.T, filter figures.Filter) figures.Queue {
	t.Helper()
	q, err := f.QueueFigures(ctx, f.moderator, filter)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// decided returns the numbers of decisions by key.
func decided(groups []figures.Group) map[string]int64 {
	found := map[string]int64{}
	for _, g := range groups {
		found[g.Key] = g.Decided
	}
	return found
}

func wantDecided(t *testing.T, what string, groups []figures.Group, want map[string]int64) {
	t.Helper()
	found := decided(groups)
	for key, n := range want {
		if found[key] != n {
			t.Errorf("%s: %d decisions of %s, want %d", what, found[key], key, n)
		}
	}
	if len(found) != len(want) {
		t.Errorf("%s: %v, want %v", what, found, want)
	}
}

// TestQueueFigures checks the figures of decisions of every outcome by two moderators in
// two languages, before and after an undo and a second decision, against an independent
// count.
func TestQueueFigures(t *testing.T) {
	t.Parallel()
	f := newFigured(t)
	verify(t, f.Store)
	q := f.figures(t, figures.Filter{})
	first, second := f.moderator.UserID.String(), f.second.UserID.String()
	wantDecided(t, "outcomes", q.Outcomes, map[string]int64{cases.Dismiss: 2, cases.Delete: 1, cases.Halt: 1,
		cases.Reject: 1, cases.Ban: 1})
	wantDecided(t, "languages", q.Languages, map[string]int64{"en": 2, "de": 4})
	wantDecided(t, "moderators", q.Moderators, map[string]int64{first: 2, second: 4})
	if q.All.Decided != 6 || q.All.Undone != 0 || q.All.Dismissed != 2 || *q.All.Share != 1./3 {
		t.Errorf("all: %+v", q.All)
	}
	// 3 minutes, 2 hours, 6 hours, 2 days, 10 days.
	if w := q.All.First; w.Cases != 5 || !slices.Equal(w.Classes, []int64{1, 0, 0, 1, 1, 0, 1, 0, 1}) ||
		*w.Median.Most != 12*3600 || w.P90.Most != nil || w.Seconds != 180+8*3600+12*24*3600 {
		t.Errorf("the times to the first decision: %+v", w)
	}
	if len(q.Open) != 1 || q.Open[0].Lang != "de" || !slices.Equal(q.Open[0].Classes, []int{0, 0, 1, 0, 0, 0}) {
		t.Errorf("open: %+v", q.Open)
	}
	var inPeriods int64
	for _, p := range q.Periods {
		inPeriods += p.Decided()
	}
	if inPeriods != 6 || q.Step != "hour" || len(q.Periods) != 1 {
		t.Errorf("%d decisions in %d periods of a %s", inPeriods, len(q.Periods), q.Step)
	}

	// The language at the decision counts, and the first decision stays the first.
	storetest.Exec(t, f.Store, "UPDATE messages SET lang = 'fr' WHERE message_id = $1", f.german[0])
	if err := f.RebuildScores(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Undo(ctx, f.admin, f.halted, "a mistake", false, ""); err != nil {
		t.Fatal(err)
	}
	verify(t, f.Store)
	later := f.now.Add(2 * time.Hour)
	f.SetClock(func() time.Time { return later })
	decide(t, f.Store, f.moderator, caseOn(t, f.Store, f.admin, f.german[0]), store.ResolveParams{Outcome: cases.Dismiss})
	verify(t, f.Store)
	q = f.figures(t, figures.Filter{})
	if q.All.Decided != 7 || q.All.Undone != 1 || q.All.First.Cases != 5 {
		t.Errorf("after an undo and another decision: %+v", q.All)
	}
	for _, g := range q.Outcomes {
		if want := map[string]int64{cases.Halt: 1}[g.Key]; g.Undone != want {
			t.Errorf("%d decisions of %s are undone, want %d", g.Undone, g.Key, want)
		}
	}
	wantDecided(t, "languages", q.Languages, map[string]int64{"en": 2, "de": 4, "fr": 1})

	for _, c := range []struct {
		name   string
		filter figures.Filter
		want   int64
	}{
		{"a language", figures.Filter{Lang: "de"}, 4},
		{"two languages", figures.Filter{Within: []string{"EN", "fr"}}, 3},
		{"a moderator", figures.Filter{Moderator: &f.second.UserID}, 4},
		{"the program", figures.Filter{Moderator: &uuid.Nil}, 0},
		{"later", figures.Filter{Since: new(later.Add(-time.Hour))}, 1},
		{"before", figures.Filter{Until: new(later.Add(-time.Hour))}, 6},
		{"long ago", figures.Filter{Until: new(later.AddDate(-1, 0, 0))}, 0},
		{"ever", figures.Filter{Since: new(time.Time{}), Until: new(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))}, 7},
	} {
		if n := f.figures(t, c.filter).All.Decided; n != c.want {
			t.Errorf("%s: %d decisions, want %d", c.name, n, c.want)
		}
	}
	for _, wrong := range []figures.Filter{{Since: &f.now, Until: &f.now},
		{Since: new(f.now.Add(time.Hour)), Until: &f.now}} {
		if _, err := f.QueueFigures(ctx, f.moderator, wrong); err == nil {
			t.Errorf("%+v is taken", wrong)
		}
	}
	if _, err := f.QueueFigures(ctx, store.Actor{}, figures.Filter{}); err == nil {
		t.Error("nobody may read the figures")
	}
}

// TestQueriesOfFigures runs the queries that the figures name: they give the same.
func TestQueriesOfFigures(t *testing.T) {
	t.Parallel()
	f := newFigured(t)
	db := storetest.DB(t, f.Store)
	for _, filter := range []figures.Filter{{}, {Lang: "de", Moderator: &f.second.UserID}, {Lang: "it's $1"},
		{Within: []string{"de", "x'$2"}, Step: "day"}} {
		q := f.figures(t, filter)
		for name, groups := range map[string][]figures.Group{figures.ByOutcome: q.Outcomes, figures.ByLang: q.Languages,
			figures.ByModerator: q.Moderators} {
			rows, err := db.Query(ctx, q.Queries[name])
			if err != nil {
				t.Fatal(err)
			}
			found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (figures.Group, error) {
				values, err := row.Values()
				if err != nil {
					return figures.Group{}, err
				}
				key, _ := values[0].(string)
				n, _ := values[2].(int64)
				return figures.Group{Key: key, Counts: figures.Counts{Decided: n}}, nil
			})
			if err != nil {
				t.Fatalf("%v\n%s", err, q.Queries[name])
			}
			wantDecided(t, name, found, decided(groups))
		}
		rows, err := db.Query(ctx, q.Queries[figures.ByPeriod])
		if err != nil {
			t.Fatal(err)
		}
		var all, n int64
		var at time.Time
		var outcome string
		if _, err := pgx.ForEachRow(rows, []any{&at, &outcome, &n}, func() error { all += n; return nil }); err != nil ||
			all != q.All.Decided {
			t.Errorf("%d decisions by time, want %d (%v)\n%s", all, q.All.Decided, err, q.Queries[figures.ByPeriod])
		}
		open := 0
		for _, a := range q.Open {
			open += a.Cases
		}
		var counted int
		if err := db.QueryRow(ctx, "SELECT coalesce(sum(cases), 0) FROM ("+strings.TrimSuffix(q.Queries[figures.Open], ";")+
			") q").Scan(&counted); err != nil || counted != open {
			t.Errorf("%d open cases, want %d (%v)\n%s", counted, open, err, q.Queries[figures.Open])
		}
	}
}

// TestFiguresAreProved changes the figures, and what they count, past the program.
func TestFiguresAreProved(t *testing.T) {
	t.Parallel()
	f := newFigured(t)
	for _, sql := range []string{
		"UPDATE queue_hours SET decided = decided + 1 WHERE outcome = 'ban'",
		"UPDATE queue_hours SET undone = 1 WHERE outcome = 'halt'",
		"UPDATE queue_hours SET lang = 'fr' WHERE outcome = 'delete'",
		"UPDATE queue_hours SET waited_seconds = waited_seconds + 1 WHERE outcome = 'halt'",
		"UPDATE queue_hours SET waited_5m = waited_5m + 1 WHERE outcome = 'halt'",
		"DELETE FROM queue_hours WHERE outcome = 'reject'",
		"UPDATE cases SET lang = 'fr' WHERE outcome = 'ban'",
		"UPDATE cases SET decided_at = decided_at - interval '1 day' WHERE outcome = 'ban'",
	} {
		tx := holding(t, f.Store, sql)
		found, err := proof.State(ctx, tx)
		if err != nil || !strings.Contains(strings.Join(found, "\n"), "the figures of the queue have") {
			t.Errorf("%s: %v, %v", sql, found, err)
		}
		if err := tx.Rollback(ctx); err != nil {
			t.Error(err)
		}
	}
}

// TestFiguresOfBefore runs the part of the migration that counts what was decided before
// it.
func TestFiguresOfBefore(t *testing.T) {
	t.Parallel()
	f := newFigured(t)
	migration, err := os.ReadFile("../migrations/0025_queue_figures.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, counts, found := strings.Cut(string(migration), "-- The decisions from before")
	if !found {
		t.Fatal("the migration has no such part")
	}
	tx := holding(t, f.Store, "UPDATE cases SET waited = NULL")
	for _, sql := range []string{"DELETE FROM queue_hours", "--" + counts} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	totals, err := figures.ReadTotals(ctx, tx)
	if err != nil {
		t.Fatal(err)
	}
	var all int64
	for _, d := range totals.Decisions {
		all += d.Decided
	}
	if all != 6 || totals.Waits["de"].Cases != 3 || totals.Waits["en"].Cases != 2 {
		t.Errorf("counted anew: %+v", totals)
	}
	different, err := proof.State(ctx, tx)
	if err != nil || strings.Contains(strings.Join(different, "\n"), "figures") {
		t.Errorf("the proof: %v, %v", different, err)
	}
}
