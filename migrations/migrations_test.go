package migrations_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"treewarden/migrations"
	"treewarden/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

func exec(t *testing.T, address, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestInstancesThatStartTogether(t *testing.T) {
	address := storetest.Database(t)
	exec(t, address, `DROP SCHEMA public CASCADE; CREATE SCHEMA public`)
	var (
		wait    sync.WaitGroup
		mu      sync.Mutex
		applied int
	)
	for range 3 {
		wait.Go(func() {
			n, err := migrations.Up(t.Context(), address)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			applied += n
			mu.Unlock()
		})
	}
	wait.Wait()

	states, err := migrations.Status(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	if applied != len(states) {
		t.Errorf("%d migrations were applied, there are %d", applied, len(states))
	}
	for _, s := range states {
		if !s.Applied() {
			t.Errorf("%s is not applied", s.Name)
		}
	}
}

func TestStatusOfAnEmptyDatabase(t *testing.T) {
	address := storetest.Database(t)
	exec(t, address, `DROP SCHEMA public CASCADE; CREATE SCHEMA public`)
	states, err := migrations.Status(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range states {
		if s.Applied() || s.Version != int64(i+1) || !strings.HasSuffix(s.Name, ".sql") {
			t.Errorf("got %+v", s)
		}
	}
}

func TestRefusesANewerDatabase(t *testing.T) {
	address := storetest.Database(t)
	exec(t, address, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)`)
	if _, err := migrations.Up(t.Context(), address); !errors.Is(err, migrations.ErrNewer) {
		t.Errorf("Up: %v", err)
	}
	_, err := migrations.Status(t.Context(), address)
	if !errors.Is(err, migrations.ErrNewer) || !strings.Contains(err.Error(), "9999") {
		t.Errorf("Status: %v", err)
	}
}

func TestUnreachableDatabase(t *testing.T) {
	for _, address := range []string{"postgres:///x?host=/nowhere&user=u", "postgres://%zz", "not an address"} {
		if _, err := migrations.Up(t.Context(), address); err == nil {
			t.Errorf("%s: no error", address)
		}
	}
}

// TestFiles holds what the names promise: numbered without gaps, forward only.
func TestFiles(t *testing.T) {
	names, err := filepath.Glob("*.sql")
	if err != nil || len(names) == 0 {
		t.Fatal("no migrations", err)
	}
	pattern := regexp.MustCompile(`^(\d{4})_[a-z0-9_]+\.sql$`)
	for i, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		match := pattern.FindStringSubmatch(name)
		if match == nil || strings.TrimLeft(match[1], "0") != strconv.Itoa(i+1) {
			t.Errorf("%s: want a name like %04d_what_it_does.sql", name, i+1)
		}
		if !strings.Contains(string(text), "-- +goose Up") || strings.Contains(string(text), "-- +goose Down") {
			t.Errorf("%s: want a part \"-- +goose Up\" and none for the way back", name)
		}
	}
}
