//go:build unix

package storetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/store"
	"treewarden/store/derived"
)

// pools holds, for each store of a test, connections for plain SQL.
var pools sync.Map

// connections is the number of connections of a test's store. Many tests share one
// server.
const connections = 12

// New returns a store on a migrated, empty database of its own.
func New(t testing.TB) *store.Store {
	t.Helper()
	url := Database(t)
	s, err := store.OpenWith(context.Background(), url, connections)
	if err != nil {
		t.Fatalf("open the test's store: %v", err)
	}
	t.Cleanup(s.Close)
	pool, err := pgxpool.New(context.Background(), url)
	if err != nil {
		t.Fatalf("open the test's database: %v", err)
	}
	t.Cleanup(pool.Close)
	pools.Store(s, pool)
	t.Cleanup(func() { pools.Delete(s) })
	return s
}

// Another opens another store on the database of a store made by New, as another
// process would.
func Another(t testing.TB, s *store.Store) *store.Store {
	t.Helper()
	other, err := store.OpenWith(context.Background(), DB(t, s).Config().ConnString(), connections)
	if err != nil {
		t.Fatalf("open the test's database again: %v", err)
	}
	t.Cleanup(other.Close)
	return other
}

// DB gives plain SQL on the database of a store made by New, for what a test
// must arrange or look at past the store.
func DB(t testing.TB, s *store.Store) *pgxpool.Pool {
	t.Helper()
	pool, ok := pools.Load(s)
	if !ok {
		t.Fatal("this store was not made by storetest.New")
	}
	return pool.(*pgxpool.Pool) // the map holds only pools
}

// Exec runs SQL on the store's database.
func Exec(t testing.TB, s *store.Store, sql string, args ...any) {
	t.Helper()
	if _, err := DB(t, s).Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// User makes a contributor.
func User(t testing.TB, s *store.Store, name string) uuid.UUID {
	t.Helper()
	id := uuid.New()
	Exec(t, s, "INSERT INTO users (user_id, display_name, username) VALUES ($1, $2, $1::uuid::text)", id, name)
	return id
}

// Staff makes an account of a role and returns it as an actor of a session.
func Staff(t testing.TB, s *store.Store, role string) store.Actor {
	t.Helper()
	id := uuid.New()
	name := role + " " + id.String()[:8]
	Exec(t, s, `INSERT INTO users (user_id, display_name, username, role, account)
		VALUES ($1, $2, $2, $3, true)`, id, name, role)
	return store.Actor{UserID: id, Name: name, Role: role, Via: "session", Policy: s.Policy()}
}

// Node describes a message and its replies. The zero value of a field takes
// a plain default: text "a message", language en, date an hour ago, roles in
// turn from prompter.
type Node struct {
	Author  uuid.UUID
	Text    string
	Lang    string
	At      time.Time
	Deleted bool // as if it came deleted in an import
	Replies []Node
}

// Tree makes a growing tree of messages, each accepted, and returns their
// ids, parents before their replies (depth first); the first is the tree's.
func Tree(t testing.TB, s *store.Store, prompt Node) []uuid.UUID {
	t.Helper()
	tree := uuid.New()
	Exec(t, s, `INSERT INTO trees (tree_id, state, active, goal_tree_size, max_depth, max_children_count, lang,
		created_date, user_id)
		VALUES ($1, 'growing', true, 12, 5, 3, coalesce(nullif($2, ''), 'en'), $3, nullif($4::uuid, $5::uuid))`,
		tree, prompt.Lang, prompt.date(), prompt.Author, uuid.Nil)
	ids := addNode(t, s, tree, tree, nil, nil, prompt, 0)
	if err := derived.Refresh(context.Background(), DB(t, s),
		"SELECT tree_id, message_id FROM messages WHERE tree_id = $1",
		tree); err != nil {
		t.Fatal(err)
	}
	count(t, s)
	return ids
}

// Derive brings what is derived from texts up to what plain SQL changed.
func Derive(t testing.TB, s *store.Store) {
	t.Helper()
	if err := derived.Refresh(context.Background(), DB(t, s), "SELECT tree_id, message_id FROM messages"); err != nil {
		t.Fatal(err)
	}
}

// count brings the counters up to what plain SQL changed.
func count(t testing.TB, s *store.Store) {
	t.Helper()
	if err := s.RebuildScores(context.Background()); err != nil {
		t.Fatalf("count the signals: %v", err)
	}
}

func (n Node) date() time.Time {
	if n.At.IsZero() {
		return time.Now().Add(-time.Hour).Truncate(time.Second)
	}
	return n.At
}

func addNode(t testing.TB, s *store.Store, tree, id uuid.UUID, parent, deletedRoot *uuid.UUID, n Node,
	depth int) []uuid.UUID {
	t.Helper()
	role, text := [2]string{"prompter", "assistant"}[depth%2], n.Text
	if text == "" {
		text = "a message"
	}
	if !n.Deleted {
		deletedRoot = nil
	} else if deletedRoot == nil {
		deletedRoot = &id
	}
	Exec(t, s, `INSERT INTO messages (tree_id, message_id, parent_id, user_id, created_date, role, lang, text, depth,
		review_count, review_result, deleted, deleted_root)
		VALUES ($1, $2, $3, nullif($4::uuid, $5::uuid), $6, $7, coalesce(nullif($8, ''), 'en'), $9, $10, 3, true, $11, $12)`,
		tree, id, parent, n.Author, uuid.Nil, n.date(), role, n.Lang, text, depth, n.Deleted, deletedRoot)
	Exec(t, s, "INSERT INTO message_trees (message_id, tree_id) VALUES ($1, $2)", id, tree)
	ids := []uuid.UUID{id}
	for _, reply := range n.Replies {
		ids = append(ids, addNode(t, s, tree, uuid.New(), &id, deletedRoot, reply, depth+1)...)
	}
	return ids
}

// React lets a user react to a message.
func React(t testing.TB, s *store.Store, message, user uuid.UUID, emoji string, at time.Time) {
	t.Helper()
	Exec(t, s, `INSERT INTO reactions (tree_id, message_id, user_id, emoji, at)
		SELECT tree_id, message_id, $2, $3, $4 FROM message_trees WHERE message_id = $1`, message, user, emoji, at)
	count(t, s)
}

// Report lets a user report a message.
func Report(t testing.TB, s *store.Store, message, user uuid.UUID, reason string, at time.Time) {
	t.Helper()
	Exec(t, s, `INSERT INTO reports (tree_id, message_id, user_id, reason, at)
		SELECT tree_id, message_id, $2, $3, $4 FROM message_trees WHERE message_id = $1`, message, user, reason, at)
	count(t, s)
}

// Vote lets a user give a message one label.
func Vote(t testing.TB, s *store.Store, message, user uuid.UUID, label string, value float64, at time.Time) {
	t.Helper()
	Exec(t, s, `INSERT INTO label_votes (tree_id, message_id, user_id, at, `+label+`)
		SELECT tree_id, message_id, $2, $3, $4 FROM message_trees WHERE message_id = $1
		ON CONFLICT (tree_id, message_id, user_id) DO UPDATE SET `+label+` = excluded.`+label, message, user, at, value)
	count(t, s)
}
