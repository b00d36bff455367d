package store_test

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// countingProxy forwards the traffic between a store and its database. It counts
// round trips: how often the store sends after an answer of the database.
type countingProxy struct {
	address string
	trips   atomic.Int64
}

// newCountingProxy serves until the test ends.
func newCountingProxy(t testing.TB, config *pgx.ConnConfig) *countingProxy {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	network, address := "tcp", net.JoinHostPort(config.Host, fmt.Sprint(config.Port))
	if strings.HasPrefix(config.Host, "/") {
		network, address = "unix", fmt.Sprintf("%s/.s.PGSQL.%d", config.Host, config.Port)
	}
	p := &countingProxy{address: listener.Addr().String()}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial(network, address)
			if err != nil {
				_ = client.Close()
				continue
			}
			var answered atomic.Bool
			go relay(server, client, func() {
				if answered.Swap(false) {
					p.trips.Add(1)
				}
			})
			go relay(client, server, func() { answered.Store(true) })
		}
	}()
	return p
}

// relay copies data from one side to the other, and calls each for every piece.
func relay(to, from net.Conn, each func()) {
	defer to.Close()
	piece := make([]byte, 64<<10)
	for {
		n, err := from.Read(piece)
		if n > 0 {
			each()
			if _, err := to.Write(piece[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return // the deferred Close makes the other side end too
		}
	}
}

// openCounted opens a store whose round trips are counted.
func openCounted(t testing.TB) (*store.Store, *countingProxy) {
	t.Helper()
	address := storetest.Database(t)
	config, err := pgx.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	p := newCountingProxy(t, config)
	counted := url.URL{Scheme: "postgres", User: url.UserPassword(config.User, config.Password), Host: p.address,
		Path:     config.Database,
		RawQuery: "sslmode=disable&pool_max_conns=1"}
	s, err := store.Open(ctx, counted.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, p
}

// acted does an action and returns its number of round trips. It also undoes the
// action.
func (p *countingProxy) acted(t testing.TB, s *store.Store, actor store.Actor, request store.Act) (trips int64) {
	t.Helper()
	before := p.trips.Load()
	outcome, err := s.Act(ctx, actor, request)
	if err != nil {
		t.Fatal(err)
	}
	trips = p.trips.Load() - before
	if _, err := s.Undo(ctx, actor, outcome.Action.ID, "for the next one", false, ""); err != nil {
		t.Fatal(err)
	}
	return trips
}

// newCountedActs makes a small tree and returns a ban of its author and a delete
// of its prompt.
func newCountedActs(t testing.TB) (s *store.Store, p *countingProxy, actor store.Actor, acts map[string]store.Act) {
	s, p = openCounted(t)
	shipped, err := policy.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	staff, err := s.CreateStaff(ctx, store.CommandLine, "mod", policy.Moderator, "")
	if err != nil {
		t.Fatal(err)
	}
	actor = store.Actor{UserID: staff.UserID, Name: "mod", Role: policy.Moderator, Via: "session", Policy: shipped}
	author, prompt, reply := uuid.New(), uuid.New(), uuid.New()
	lines := strings.Join([]string{
		event("user", "user_id", author, "display_name", "troll"),
		event("message", "message_id", prompt, "user_id", author, "role", "prompter", "text", "x"),
		event("message", "message_id", reply, "parent_id", prompt, "user_id", author, "role", "assistant", "text", "y"),
	}, "\n")
	if done, err := s.Ingest(ctx, store.CommandLine, []byte(lines)); err != nil || done.Rejected > 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	return s, p, actor, map[string]store.Act{
		"ban":    {Kind: "ban", Target: author, Reason: "to be counted"},
		"delete": {Kind: "delete", Target: prompt, Reason: "to be counted"},
	}
}

// TestRoundTrips limits the round trips of a ban and a delete. During each round
// trip, they hold locks on users, trees and the end of the log.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	s, p, actor, acts := newCountedActs(t)
	for kind, most := range map[string]int64{"ban": 8, "delete": 8} {
		p.acted(t, s, actor, acts[kind]) // the first run also prepares statements
		if trips := p.acted(t, s, actor, acts[kind]); trips > most {
			t.Errorf("a %s takes %d round trips, want at most %d", kind, trips, most)
		}
	}
}

// BenchmarkAct does and undoes a ban and a delete. It reports the round trips of the
// action without the undo.
func BenchmarkAct(b *testing.B) {
	s, p, actor, acts := newCountedActs(b)
	for _, kind := range []string{"ban", "delete"} {
		b.Run(kind, func(b *testing.B) {
			var trips int64
			for b.Loop() {
				trips += p.acted(b, s, actor, acts[kind])
			}
			b.ReportMetric(float64(trips)/float64(b.N), "round-trips/op")
		})
	}
}
