package insights_test

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/figures"
	"treewarden/store/proof"
	"treewarden/store/storetest"
)

// logged writes actions of some members of staff into the log, spread over a time up to
// now, one in ten of which undoes the one before it, and counts them as the migration does.
func logged(t testing.TB, s *store.Store, actions int, over time.Duration) {
	t.Helper()
	var people []uuid.UUID
	for i := range 20 {
		people = append(people, storetest.User(t, s, fmt.Sprint("Person ", i)))
	}
	storetest.Exec(t, s, `INSERT INTO actions (seq, id, at, actor_id, actor_name, actor_role, via, kind, target_type,
			target_id, target_label, undoes, undoable, reason, before, after, detail_hash, objects_hash, prev_hash, hash)
		SELECT n, n, now() - ($2::interval) * (1 - n::float8 / $1), CASE WHEN n % 21 > 0 THEN ($3::uuid[])[n % 21] END,
			coalesce('Person ' || nullif(n % 21, 0) - 1, 'command line'), 'moderator', 'web',
			CASE WHEN n % 10 = 0 THEN 'undo'
				ELSE (ARRAY['delete', 'review', 'ban', 'edit', 'label', 'resolve', 'halt'])[1 + n % 77 % 7] END,
			'message', gen_random_uuid(), 'A text of some length', CASE WHEN n % 10 = 0 THEN n - 1 END, true,
			repeat('a reason ', 10), '{"deleted": false}', '{"deleted": true}', sha256('a'), sha256('b'), sha256('c'),
			sha256(n::text::bytea)
		FROM generate_series(1, $1::int) n`, actions, over.String(), people)
	migration, err := os.ReadFile("../../migrations/0039_action_counts.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, counts, found := strings.Cut(string(migration), "-- The actions from before.")
	if !found {
		t.Fatal("the migration has no such part")
	}
	storetest.Exec(t, s, "DELETE FROM action_counts")
	storetest.Exec(t, s, counts)
	storetest.Exec(t, s, "ANALYZE actions")
	storetest.Exec(t, s, "ANALYZE action_counts")
}

// read reads the figures of staff.
func read(t testing.TB, s *store.Store, f figures.StaffFilter) figures.Staff {
	t.Helper()
	access, err := s.Insights(store.CommandLine)
	if err != nil {
		t.Fatal(err)
	}
	access.Own = f.Own // as the permission audit.all decides it
	found, err := access.Staff(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestStaffFiguresAreThoseOfTheLog compares the figures with the log, for times that begin
// and end anywhere in an hour.
func TestStaffFiguresAreThoseOfTheLog(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	logged(t, s, 600, 50*time.Hour)
	pool := storetest.DB(t, s)
	now := time.Now()
	person := read(t, s, figures.StaffFilter{}).People[0].Key
	id := uuid.MustParse(person)
	for _, length := range []time.Duration{10 * time.Second, 25 * time.Minute, time.Hour, 100 * time.Minute,
		30 * time.Hour, 100 * time.Hour} {
		for _, ago := range []time.Duration{0, 17 * time.Minute, 3*time.Hour + 1, 20 * time.Hour, 49 * time.Hour} {
			until := now.Add(-ago)
			since := until.Add(-length)
			for _, f := range []figures.StaffFilter{{}, {Kind: "ban"}, {Actor: &id}, {Actor: &uuid.Nil},
				{Own: &id, Actor: &uuid.Nil}, {Kind: "undo", Own: &id, Step: "hour"}, {Step: "month"}} {
				f.Since, f.Until = &since, &until
				compareWithLog(t, pool, f, read(t, s, f))
			}
		}
	}
	whole := now.UTC().Truncate(time.Hour)
	for _, hours := range []int{0, 1, 5} {
		since, until := whole.Add(-time.Duration(hours+2)*time.Hour), whole.Add(-time.Duration(hours)*time.Hour)
		f := figures.StaffFilter{Since: &since, Until: &until}
		compareWithLog(t, pool, f, read(t, s, f))
	}
}

// compareWithLog compares figures with what the log has in their time.
func compareWithLog(t *testing.T, pool *pgxpool.Pool, f figures.StaffFilter, found figures.Staff) {
	t.Helper()
	for _, by := range []struct {
		key    string
		groups []figures.ActionGroup
	}{{"a.kind", found.Kinds}, {"coalesce(a.actor_id, '" + uuid.Nil.String() + "')::text", found.People}} {
		rows, err := pool.Query(t.Context(), "SELECT "+by.key+`, count(*), count(u.id) FROM actions a LEFT JOIN actions u
			ON u.undoes = a.id WHERE a.at >= $1 AND a.at < $2 AND ($3 = '' OR a.kind = $3)
			AND ($4::uuid IS NULL OR coalesce(a.actor_id, '`+uuid.Nil.String()+`') = $4)
			AND ($5::uuid IS NULL OR a.actor_id = $5) GROUP BY 1`, found.Since, found.Until, f.Kind, f.Actor, f.Own)
		if err != nil {
			t.Fatal(err)
		}
		want, got := map[string]figures.ActionCounts{}, map[string]figures.ActionCounts{}
		for rows.Next() {
			var key string
			var n figures.ActionCounts
			if err := rows.Scan(&key, &n.Actions, &n.Undone); err != nil {
				t.Fatal(err)
			}
			want[key] = n
		}
		for _, g := range by.groups {
			got[g.Key] = g.ActionCounts
		}
		if rows.Err() != nil || !maps.Equal(got, want) {
			t.Errorf("%s from %s to %s of %+v: %v, want %v (%v)", by.key, found.Since, found.Until, f, got, want, rows.Err())
		}
	}
	var inPeriods figures.ActionCounts
	for _, p := range found.Periods {
		inPeriods.Actions += p.Actions
		inPeriods.Undone += p.Undone
	}
	if inPeriods != found.All {
		t.Errorf("%+v by time, want %+v", inPeriods, found.All)
	}
}

// TestActionCountsAreProved changes the counts past the program. Both checks find it, and
// neither finds anything while actions and undos are counted as they happen, or after they
// are counted again.
func TestActionCountsAreProved(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	message := storetest.Tree(t, s, storetest.Node{})[0]
	moderator := storetest.Staff(t, s, policy.Moderator)
	for range 2 {
		done, err := s.Act(t.Context(), moderator, store.Act{Kind: "delete", Target: message, Reason: "a reason"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Undo(t.Context(), moderator, done.Action.ID, "a mistake", false, ""); err != nil {
			t.Fatal(err)
		}
	}
	access, err := s.Insights(store.CommandLine)
	if err == nil {
		err = access.Count(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	faults := func() (byInsights, byProof string) {
		t.Helper()
		check, err := access.Verify(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		if err := pgx.BeginFunc(t.Context(), storetest.DB(t, s), func(tx pgx.Tx) (err error) {
			found, err = proof.State(t.Context(), tx)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return strings.Join(check.Found, "\n"), strings.Join(found, "\n")
	}
	if insights, proof := faults(); insights != "" || strings.Contains(proof, "figures") {
		t.Fatalf("nothing was changed: %s %s", insights, proof)
	}
	for _, g := range read(t, s, figures.StaffFilter{Own: &moderator.UserID}).Kinds {
		want := map[string]figures.ActionCounts{"delete": {Actions: 2, Undone: 2}, "undo": {Actions: 2}}[g.Key]
		if g.ActionCounts != want {
			t.Errorf("%s: %+v, want %+v", g.Key, g.ActionCounts, want)
		}
	}
	for _, sql := range []string{
		"UPDATE action_counts SET actions = actions + 1 WHERE kind = 'delete'",
		"UPDATE action_counts SET undone = undone + 1 WHERE kind = 'undo'",
		"DELETE FROM action_counts WHERE kind = 'delete'",
		"UPDATE action_counts SET kind = 'ban' WHERE kind = 'delete' AND step = 'day'",
	} {
		storetest.Exec(t, s, sql)
		insights, proof := faults()
		if !strings.Contains(insights, "action_counts") || !strings.Contains(proof, "the figures of the log have") {
			t.Errorf("%s: %q and %q", sql, insights, proof)
		}
		if err := access.CountActions(t.Context()); err != nil {
			t.Fatal(err)
		}
		if insights, proof := faults(); insights != "" || strings.Contains(proof, "figures") {
			t.Errorf("%s, and counted again: %q and %q", sql, insights, proof)
		}
	}
}

// BenchmarkStaff reads what staff did in a year with 500,000 actions, and in the week
// before now of another one.
func BenchmarkStaff(b *testing.B) {
	s := storetest.New(b)
	logged(b, s, 500_000, 365*24*time.Hour)
	since := time.Now().AddDate(-1, 0, 0)
	for _, c := range []struct {
		name string
		figures.StaffFilter
	}{{"year", figures.StaffFilter{Since: &since}}, {"week", figures.StaffFilter{}},
		{"kind", figures.StaffFilter{Since: &since, Kind: "ban"}}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				read(b, s, c.StaffFilter)
			}
		})
	}
}
