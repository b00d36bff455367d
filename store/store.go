// Package store holds the domain's types and all SQL. Each method runs in one
// transaction and checks the actor's permission itself.
package store

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/policy"
	"treewarden/store/boards"
	"treewarden/store/classify"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/messages"
	"treewarden/store/policies"
	"treewarden/store/queue"
	"treewarden/store/versions"
)

// MinConnections is the least number of connections of a store.
const MinConnections = db.MinConnections

// Store is the database. It is safe for concurrent use.
type Store struct {
	pool   *pgxpool.Pool // for reads, and for changes that are no actions
	pools  *db.Pools
	clock  atomic.Pointer[func() time.Time] // replaced by tests
	boards *boards.Boards
	cases  *queue.Index // follows the database with the boards
	// policies is what roles may do. Actors bring the version that was in force when
	// they were read.
	policies policies.InForce
	// rules caches the rule by which the counters count toxicity.
	rules counters.RuleCache
	// searchAtOnce is the number of messages up to which a search for candidates is
	// not made a job, and the number of messages that a preview looks at.
	searchAtOnce int // 200,000; less in tests
	searcher     messages.Searcher
	classifiers  *classify.Runner
}

// Open connects to the database at a URL. It does not migrate it.
func Open(ctx context.Context, url string) (*Store, error) { return OpenWith(ctx, url, 0) }

// OpenWith is like Open, with a number of connections; with 0 it is the default.
func OpenWith(ctx context.Context, url string, connections int) (*Store, error) {
	pools, err := db.OpenPools(ctx, url, connections)
	if err != nil {
		return nil, err
	}
	pool := pools.Reads
	s := &Store{pool: pool, pools: pools, searchAtOnce: 200_000, cases: queue.New(), searcher: messages.Searcher{
		Pool: pools.Searches, Limit: messages.SearchTime, Frequencies: new(messages.Frequencies)}}
	s.SetClock(time.Now)
	s.boards = boards.New(pool, s.now, &s.rules, s.cases, func(ctx context.Context) (w boards.Weights, err error) {
		if w.Formula, err = versions.Formula.InForce(ctx, pool); err == nil {
			w.Priority, err = versions.Priority.InForce(ctx, pool)
		}
		return w, err
	}, func(ctx context.Context) {
		// A request reads the policy anew if this fails.
		if _, err := s.policies.Read(ctx, pool); err != nil && ctx.Err() == nil {
			slog.Warn("cannot read what roles may do", "error", err)
		}
	})
	s.classifiers = &classify.Runner{Pool: pool, Now: s.now, Rules: &s.rules, Publisher: s.boards}
	if _, err := s.policies.Read(ctx, pool); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close ends all connections.
func (s *Store) Close() {
	s.boards.Close()
	s.pools.Close()
}

// Ready checks that the database answers.
func (s *Store) Ready(ctx context.Context) error { return s.pool.Ping(ctx) }

// Policy returns the policy that is in force as far as this process has heard. A
// person brings the version that was in force when they were read.
func (s *Store) Policy() *policy.Policy { return s.policies.Held() }

// SetClock replaces the clock, for tests.
func (s *Store) SetClock(now func() time.Time) { s.clock.Store(&now) }

// SetSearchTime sets the time after which a search is cut, for tests.
func (s *Store) SetSearchTime(limit time.Duration) { s.searcher.Limit = limit }

// now returns the current time.
func (s *Store) now() time.Time { return (*s.clock.Load())() }
