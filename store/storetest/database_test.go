//go:build unix

package storetest

import (
	"context"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"treewarden/migrations"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

func connect(t *testing.T, address string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func TestDatabasesAreMigratedAndSeparate(t *testing.T) {
	first, second := Database(t), Database(t)
	states, err := migrations.Status(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(states, func(s migrations.State) bool { return !s.Applied() }) || len(states) == 0 {
		t.Errorf("not all migrations are applied: %+v", states)
	}
	if _, err := connect(t, first).Exec(t.Context(), `CREATE TABLE only_here ()`); err != nil {
		t.Fatal(err)
	}
	var there bool
	err = connect(t, second).QueryRow(t.Context(), `SELECT to_regclass('only_here') IS NOT NULL`).Scan(&there)
	if err != nil || there {
		t.Errorf("the second database has the first one's table: %t, %v", there, err)
	}
}

func TestDatabaseIsDropped(t *testing.T) {
	Database(t) // keeps the server open for the query at the end
	var name string
	t.Run("inner", func(t *testing.T) {
		conn, err := pgx.Connect(t.Context(), Database(t))
		if err != nil {
			t.Fatal(err)
		}
		// The connection stays open, as in a test that forgets to close it.
		if err := conn.QueryRow(t.Context(), `SELECT current_database()`).Scan(&name); err != nil {
			t.Fatal(err)
		}
	})
	server.dropping.Wait()
	var left bool
	err := server.admin.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`,
		name).Scan(&left)
	if err != nil || left {
		t.Errorf("database %s is left: %t, %v", name, left, err)
	}
}

func TestDatabasesInParallel(t *testing.T) {
	var seen sync.Map
	for range 8 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			address := Database(t)
			if _, twice := seen.LoadOrStore(address, true); twice {
				t.Errorf("two tests got %s", address)
			}
			if err := connect(t, address).Ping(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSweepDropsOldDatabases(t *testing.T) {
	Database(t) // opens the server
	conn, err := server.admin.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	old := testPrefix + "1000000000_" + random()
	if _, err := conn.Exec(t.Context(), `CREATE DATABASE `+old); err != nil {
		t.Fatal(err)
	}
	sweep(t.Context(), conn.Conn())
	rows, err := conn.Query(t.Context(), `SELECT datname FROM pg_database`)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(names, old) {
		t.Error("an old test database was kept")
	}
	if !slices.Contains(names, server.template) {
		t.Error("the template was dropped")
	}
}

func TestWithDatabase(t *testing.T) {
	for address, want := range map[string]string{
		"postgres:///postgres?host=%2Ftmp%2Fa%20b&user=u": "postgres:///x?host=%2Ftmp%2Fa%20b&user=u",
		"postgres://u:p%40@db:5433/main?sslmode=disable":  "postgres://u:p%40@db:5433/x?sslmode=disable",
		"postgresql://db/main?dbname=other":               "postgresql://db/x",
		"host=db user=u dbname=main":                      "host=db user=u dbname=main dbname=x",
	} {
		got := withDatabase(address, "x")
		if got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
		config, err := pgx.ParseConfig(got)
		if err != nil || config.Database != "x" {
			t.Errorf("%s does not name the database: %v", got, err)
		}
	}
}
