package store_test

import (
	"bytes"
	"errors"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// losingProxy forwards the traffic between a store and its database. When it is
// armed, it cuts the connection instead of forwarding the answer to the COMMIT of a
// transaction that inserted something, and may take no further connection. The boards
// commit transactions in the background that only read.
type losingProxy struct {
	listener       net.Listener
	armed, forGood atomic.Bool
	open           sync.Map // the clients
}

func newLosingProxy(t *testing.T, config *pgx.ConnConfig) *losingProxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	p := &losingProxy{listener: listener}
	network, address := pgconn.NetworkAddress(config.Host, config.Port)
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
			p.open.Store(client, true)
			go relay(server, client, func() {})
			go p.answer(client, server)
		}
	}()
	return p
}

// answer relays the answers of the database.
func (p *losingProxy) answer(client, server net.Conn) {
	defer client.Close()
	defer server.Close()
	piece, wrote := make([]byte, 64<<10), false
	for {
		n, err := server.Read(piece)
		wrote = wrote || bytes.Contains(piece[:n], []byte("INSERT 0 "))
		committed := bytes.Contains(piece[:n], []byte("COMMIT\x00"))
		if committed && wrote && p.armed.CompareAndSwap(true, false) {
			if p.forGood.Load() {
				_ = p.listener.Close()
				p.open.Range(func(other, _ any) bool {
					_ = other.(net.Conn).Close() // the map holds only connections
					return true
				})
			}
			return
		}
		wrote = wrote && !committed
		if n > 0 {
			if _, err := client.Write(piece[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// TestConnectionLostDuringCommit loses the connection after the database committed.
// The action looks for itself in the log; if the database is away by then, it says
// that it is not known whether it was done.
func TestConnectionLostDuringCommit(t *testing.T) {
	t.Parallel()
	plain := storetest.New(t)
	config := storetest.DB(t, plain).Config().ConnConfig
	p := newLosingProxy(t, config)
	through := url.URL{Scheme: "postgres", User: url.UserPassword(config.User, config.Password),
		Host: p.listener.Addr().String(), Path: config.Database, RawQuery: "sslmode=disable&pool_max_conns=1"}
	s, err := store.Open(ctx, through.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	keeper := storetest.Staff(t, plain, policy.Moderator)
	first, second := storetest.User(t, plain, "First"), storetest.User(t, plain, "Second")
	p.armed.Store(true)
	done, err := s.Act(ctx, keeper, store.Act{Kind: "ban", Target: first, Reason: "because"})
	if err != nil || done.Action.ID == 0 || done.Action.Kind != "ban" || done.Affected.Users != 1 || p.armed.Load() {
		t.Fatalf("the ban: %+v, %v", done, err)
	}
	if action, err := s.Action(ctx, keeper, done.Action.ID, uuid.Nil); err != nil || action.Hash != done.Action.Hash {
		t.Errorf("the log holds %+v, %v", action, err)
	}
	p.forGood.Store(true)
	p.armed.Store(true)
	if _, err := s.Act(ctx, keeper, store.Act{Kind: "ban", Target: second,
		Reason: "because"}); !errors.Is(err, store.ErrUnsure) {
		t.Errorf("the second ban: %v, want it to be unsure", err)
	}
}
