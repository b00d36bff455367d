package rings_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/rings"
	"treewarden/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// target is a message of a test. The lower its number, the more popular it is.
type target struct {
	id uuid.UUID
	at time.Time
}

// site is a generated site of 90 days.
type site struct {
	*rand.Rand
	t       *testing.T
	store   *store.Store
	pool    *pgxpool.Pool
	targets []target
	rows    [][]any // reactions
	gave    map[string]bool
}

const days = 90

func newSite(t *testing.T, messages int) *site {
	s := &site{Rand: rand.New(rand.NewPCG(7, 7)), t: t, store: storetest.New(t), gave: map[string]bool{}}
	s.pool = storetest.DB(t, s.store)
	begin := time.Now().Add(-days * 24 * time.Hour).Truncate(time.Second)
	var trees, written [][]any
	for range messages {
		one := target{uuid.New(), begin.Add(time.Duration(s.Int64N(int64((days - 1) * 24 * time.Hour))))}
		s.targets = append(s.targets, one)
		trees = append(trees, []any{one.id, "growing", 9, 5, 3, "en", one.at})
		written = append(written, []any{one.id, one.id, one.at, "prompter", "en", "a message", 0, 3, true})
	}
	s.copy("trees", "tree_id,state,goal_tree_size,max_depth,max_children_count,lang,created_date", trees)
	s.copy("messages", "tree_id,message_id,created_date,role,lang,text,depth,review_count,review_result", written)
	storetest.Exec(t, s.store, "INSERT INTO message_trees (message_id, tree_id) SELECT message_id, tree_id FROM messages")
	return s
}

func (s *site) copy(table, columns string, rows [][]any) {
	s.t.Helper()
	if _, err := s.pool.CopyFrom(s.t.Context(), pgx.Identifier{table}, strings.Split(columns, ","),
		pgx.CopyFromRows(rows)); err != nil {
		s.t.Fatal(err)
	}
}

// users makes users with a name and a number each.
func (s *site) users(name string, n int) (ids []uuid.UUID) {
	s.t.Helper()
	for i := range n {
		ids = append(ids, storetest.User(s.t, s.store, fmt.Sprint(name, " ", i)))
	}
	return ids
}

// vote lets a user vote against a target once, a while after it was written.
func (s *site) vote(user uuid.UUID, one target, after time.Duration) {
	key := user.String() + one.id.String()
	if !s.gave[key] {
		s.gave[key] = true
		s.rows = append(s.rows, []any{one.id, one.id, user, []string{"red_flag", "-1"}[s.IntN(2)], one.at.Add(after)})
	}
}

// hours returns a time of up to n hours.
func (s *site) hours(n int) time.Duration {
	return time.Duration(s.Int64N(int64(n) * int64(time.Hour)))
}

// honest lets users vote against n targets each, popular ones more often, over 20 hours.
func (s *site) honest(users []uuid.UUID, n int) {
	for _, user := range users {
		for range n {
			at := s.Float64()
			s.vote(user, s.targets[int(at*at*float64(len(s.targets)))], s.hours(20))
		}
	}
}

// write writes the votes, and makes the statistics that autovacuum would.
func (s *site) write() {
	s.t.Helper()
	s.copy("reactions", "tree_id,message_id,user_id,emoji,at", s.rows)
	s.rows = nil
	storetest.Exec(s.t, s.store, "ANALYZE reactions, reports")
}

func (s *site) of(user uuid.UUID) []rings.Partner {
	s.t.Helper()
	partners, err := rings.Of(s.t.Context(), s.pool, user)
	if err != nil {
		s.t.Fatal(err)
	}
	return partners
}

// TestRing finds a ring of four among 200 honest raters, and nobody else.
func TestRing(t *testing.T) {
	t.Parallel()
	s := newSite(t, 800)
	honest, ring, active := s.users("Honest", 200), s.users("Ring", 4), s.users("Active", 4)
	staff := storetest.Staff(t, s.store, policy.Moderator).UserID
	s.honest(honest, 30)
	s.honest(ring, 10)
	for _, one := range s.targets[:300] { // two vote on everything popular, within hours
		s.vote(active[0], one, s.hours(3))
		s.vote(active[1], one, s.hours(3))
	}
	for _, one := range s.targets[:150] { // and two on what is most popular, at once
		s.vote(active[2], one, time.Hour+time.Duration(s.IntN(1200))*time.Second)
		s.vote(active[3], one, time.Hour+time.Duration(s.IntN(1200))*time.Second)
	}
	// The ring takes messages that are not popular. One of the four reports them.
	var common []target
	for _, i := range s.Perm(500)[:25] {
		common = append(common, s.targets[300+i])
	}
	for _, one := range common {
		start := s.hours(20)
		for _, user := range append([]uuid.UUID{staff}, ring[:3]...) {
			s.vote(user, one, start+time.Duration(s.IntN(240))*time.Second)
		}
		storetest.Exec(t, s.store, `INSERT INTO reports (tree_id, message_id, user_id, reason, at, status)
			VALUES ($1, $1, $2, 'bad', $3, 'dismissed')`, one.id, ring[3], one.at.Add(start+2*time.Minute))
	}
	s.write()
	// Deleted messages and banned raters count as before.
	storetest.Exec(t, s.store, "UPDATE messages SET deleted = true, deleted_root = message_id WHERE message_id = $1",
		common[0].id)
	storetest.Exec(t, s.store, "UPDATE users SET banned_at = now() WHERE user_id = $1", ring[1])

	for i, user := range ring {
		partners := s.of(user)
		if len(partners) != 3 {
			t.Fatalf("ring member %d has the partners %+v", i, partners)
		}
		for _, p := range partners {
			if !slices.Contains(ring, p.UserID) || p.UserID == user || p.Banned != (p.UserID == ring[1]) ||
				!strings.HasPrefix(p.Name, "Ring ") {
				t.Errorf("ring member %d has the partner %+v", i, p)
			}
			if p.Shared < 25 || p.Shared > 27 || p.Given < p.Shared || p.Expected <= 0.2 || p.Expected > 4 || p.Chance > 1e-9 {
				t.Errorf("the figures of member %d: %+v", i, p)
			}
			if len(p.Targets) != rings.Named {
				t.Errorf("%d targets are named", len(p.Targets))
			}
			for _, id := range p.Targets {
				if p.Shared == 25 && !slices.ContainsFunc(common, func(one target) bool { return one.id == id }) {
					t.Errorf("%s is no common target", id)
				}
			}
		}
	}
	for _, user := range append(append([]uuid.UUID{staff}, active...), honest...) {
		if partners := s.of(user); len(partners) != 0 {
			t.Errorf("a rater outside the ring has the partners %+v", partners)
		}
	}
	if partners := s.of(s.users("Silent", 1)[0]); partners == nil || len(partners) != 0 {
		t.Errorf("a user without votes has the partners %v", partners)
	}

	pairs, err := rings.Among(t.Context(), s.pool, append([]uuid.UUID{staff, ring[2], ring[0], ring[1]}, honest[:10]...))
	if err != nil || len(pairs) != 3 {
		t.Fatalf("the pairs of three of the ring are %+v, %v", pairs, err)
	}
	seen := map[string]bool{}
	for _, p := range pairs {
		key := []string{p.UserID.String(), p.With.UserID.String()}
		slices.Sort(key)
		if seen[key[0]+key[1]] || p.UserID == p.With.UserID || p.With.UserID == ring[3] {
			t.Errorf("the pair %+v", p)
		}
		seen[key[0]+key[1]] = true
	}
	for name, users := range map[string][]uuid.UUID{"honest": honest[:20], "active": active, "nobody": nil,
		"one": ring[:1], "one of the ring": {ring[0], honest[0], staff}} {
		if pairs, err := rings.Among(t.Context(), s.pool, users); err != nil || pairs == nil || len(pairs) != 0 {
			t.Errorf("%s: the pairs %+v, %v", name, pairs, err)
		}
	}
}

// TestTimesBetweenVotes checks what counts as together, for two who vote on the same.
func TestTimesBetweenVotes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		apart  time.Duration
		shared int
	}{
		"at once":            {0, 8},
		"at the limit":       {scoring.RingWithin, 8},
		"before":             {-scoring.RingWithin, 8},
		"just after it":      {scoring.RingWithin + time.Second, 0},
		"hours apart, daily": {3 * time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, 300)
			s.honest(s.users("Honest", 40), 40)
			pair := s.users("Pair", 2)
			for _, one := range s.targets[200:208] {
				s.vote(pair[0], one, time.Hour)
				s.vote(pair[1], one, time.Hour+test.apart)
			}
			s.write()
			partners := s.of(pair[0])
			if test.shared == 0 && len(partners) != 0 ||
				test.shared > 0 && (len(partners) != 1 || partners[0].Shared != test.shared || partners[0].UserID != pair[1]) {
				t.Errorf("the partners are %+v", partners)
			}
		})
	}
}

// TestWithdrawnAndUpvotes checks that only votes against a message count.
func TestWithdrawnAndUpvotes(t *testing.T) {
	t.Parallel()
	s := newSite(t, 300)
	s.honest(s.users("Honest", 40), 40)
	pair, fans := s.users("Pair", 2), s.users("Fan", 2)
	for _, one := range s.targets[200:220] {
		for _, user := range pair {
			storetest.Exec(t, s.store, `INSERT INTO reports (tree_id, message_id, user_id, reason, at, status)
				VALUES ($1, $1, $2, 'bad', $3, 'withdrawn')`, one.id, user, one.at)
		}
		for _, user := range fans {
			s.rows = append(s.rows, []any{one.id, one.id, user, "+1", one.at})
		}
	}
	s.write()
	for _, user := range append(pair, fans...) {
		if partners := s.of(user); len(partners) != 0 {
			t.Errorf("the partners are %+v", partners)
		}
	}
	storetest.Exec(t, s.store, "UPDATE reports SET status = 'open' WHERE user_id = ANY ($1)", pair)
	if partners := s.of(pair[0]); len(partners) != 1 || partners[0].Shared != 20 {
		t.Errorf("once they stand: %+v", partners)
	}
}

// TestBusyPartner estimates the targets of a partner with more reactions than are read.
func TestBusyPartner(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2000)
	s.honest(s.users("Honest", 60), 60)
	pair := s.users("Pair", 2)
	for _, one := range s.targets[1000:1040] {
		s.vote(pair[0], one, 2*time.Hour)
		s.vote(pair[1], one, 2*time.Hour+time.Minute)
	}
	for _, one := range s.targets {
		for _, emoji := range []string{"+1", "_skip_reply", "_skip_labeling"} {
			s.rows = append(s.rows, []any{one.id, one.id, pair[1], emoji, one.at.Add(time.Hour)})
		}
	}
	s.write()
	partners := s.of(pair[0])
	if len(partners) != 1 || partners[0].Shared != 40 || partners[0].Given < 40 || partners[0].Given > 60 {
		t.Errorf("the partners are %+v", partners)
	}
	// Of the busy one's newest reactions, those of the oldest targets are not read.
	partners = s.of(pair[1])
	if len(partners) != 1 || partners[0].Shared < 20 || partners[0].Shared >= 40 {
		t.Errorf("the partners of the busy one are %+v", partners)
	}
}

// TestBounds checks that the newest votes are looked at, and so many of each target.
func TestBounds(t *testing.T) {
	t.Parallel()
	s := newSite(t, 6000)
	s.honest(s.users("Honest", 150), 60)
	slices.SortFunc(s.targets, func(a, b target) int { return a.at.Compare(b.at) })
	pair := s.users("Pair", 2)
	for _, user := range pair { // more than are looked at, at the same times
		for i := range rings.Limit + 100 {
			s.vote(user, s.targets[10*i], time.Hour)
		}
	}
	s.write()
	partners := s.of(pair[0])
	if len(partners) != 1 || partners[0].Shared != rings.Limit || partners[0].Given != rings.Limit ||
		len(partners[0].Targets) != rings.Named || partners[0].Targets[0] != s.targets[10*(rings.Limit+99)].id {
		t.Errorf("the partners are %+v", partners)
	}
	// A target with more reactions than are read.
	popular := s.users("Popular", rings.PerTarget+50)
	for _, user := range popular {
		s.vote(user, s.targets[701], time.Hour)
	}
	s.write()
	if partners := s.of(popular[0]); len(partners) != 0 {
		t.Errorf("a popular target makes the partners %+v", partners)
	}
}

// TestPlan checks that the queries read by indexes, and no whole table, once there is a
// number of votes.
func TestPlan(t *testing.T) {
	t.Parallel()
	s := newSite(t, 4000)
	users := s.users("Honest", 300)
	s.honest(users, 400)
	s.write()
	for name, query := range map[string]struct {
		sql  string
		args []any
	}{
		"the partners of a user": {rings.PartnersSQL, []any{users[0], rings.Limit, rings.ReadLimit, rings.PerTarget,
			scoring.RingWithin, rings.Compared, scoring.RingTargets, rings.Named}},
		"the pairs among some": {rings.PairsSQL, []any{users[:20], rings.ReadLimit, scoring.RingWithin, scoring.RingTargets,
			rings.Judged}},
	} {
		rows, err := s.pool.Query(t.Context(), "EXPLAIN "+query.sql, query.args...)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		plan := strings.Join(lines, "\n")
		if strings.Contains(plan, "Seq Scan on reactions") || !strings.Contains(plan, "reactions_by_user") {
			t.Errorf("%s: the plan reads the whole table:\n%s", name, plan)
		}
	}
}
