//go:build unix

// Package storetest gives each test a migrated PostgreSQL database of its own.
//
// All tests of a machine share one server, kept in memory where that is a file
// system, else among the temporary files: it is set up once, started by the first test that needs it, also in another
// package, and stopped by the last. TREEWARDEN_TEST_DATABASE_URL names a server
// to use instead; its role must be allowed to create databases.
//
// A package with more than a few tests keeps the server between them:
//
//	func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
package storetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The names of our databases; the rest is hexadecimal or decimal digits.
const (
	templatePrefix = "treewarden_template_"
	testPrefix     = "treewarden_test_"
)

// Main runs a package's tests on one server. It returns the exit status.
func Main(m *testing.M) int {
	// The server is started by the first test that wants it, not here: a run
	// of tests that need none is quick, and works where there is no PostgreSQL.
	server.Lock()
	server.users++
	server.kept = true
	server.Unlock()
	status := m.Run()
	server.dropping.Wait()
	server.kept = false // what outlives the tests is dropped at once
	if err := errors.Join(server.dropped, leave()); err != nil {
		fmt.Fprintln(os.Stderr, "storetest:", err)
		return max(status, 1)
	}
	return status
}

// Database returns the URL of an empty, migrated database that nobody else
// uses. It is dropped when the test has ended. Tests may run in parallel.
func Database(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := join(ctx); err != nil {
		t.Fatal("storetest: ", err)
	}
	name := testPrefix + strconv.FormatInt(time.Now().Unix(), 10) + "_" + random()
	if err := create(ctx, name); err != nil {
		t.Fatal("storetest: ", errors.Join(err, leave()))
	}
	t.Cleanup(func() {
		// The server waits a tenth of a second for connections that have just been closed.
		// The next test need not, where Main does.
		if server.kept {
			server.dropping.Go(func() {
				if err := errors.Join(drop(name), leave()); err != nil {
					server.Lock()
					defer server.Unlock()
					server.dropped = errors.Join(server.dropped, fmt.Errorf("drop the database of %s: %w", t.Name(), err))
				}
			})
			return
		}
		// Not the test's context, which has ended by now. FORCE, because a
		// connection that the test forgot must not keep the database.
		if err := errors.Join(drop(name), leave()); err != nil {
			t.Error("storetest: ", err)
		}
	})
	return withDatabase(server.adminURL, name)
}

// drop removes a database. It may meet an autovacuum worker, which only a
// superuser may end: that one is waited for.
func drop(name string) error {
	for try := 1; ; try++ {
		_, err := server.admin.Exec(context.Background(), `DROP DATABASE `+pgx.Identifier{name}.Sanitize()+` WITH (FORCE)`)
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != "42501" && pg.Code != "55006" || try == 300 {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// join starts the server for the first of this process's users and makes sure
// of the template.
func join(ctx context.Context) (err error) {
	server.Lock()
	defer server.Unlock()
	if server.admin == nil {
		if err := open(ctx); err != nil {
			return errors.Join(err, shut())
		}
	}
	server.users++
	return nil
}

// leave ends a use; the last one lets go of the server.
func leave() error {
	server.Lock()
	defer server.Unlock()
	if server.users--; server.users > 0 {
		return nil
	}
	return shut()
}

// withDatabase is the address of another database in the same server.
func withDatabase(address, database string) string {
	if u, err := url.Parse(address); err == nil && strings.HasPrefix(u.Scheme, "postgres") {
		u.Path, u.RawPath = "/"+database, ""
		query := u.Query()
		query.Del("dbname")
		query.Del("database")
		u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
		if u.Host == "" && u.User == nil { // URL.String drops the slashes of an empty host
			return u.Scheme + "://" + u.EscapedPath() + "?" + u.RawQuery
		}
		return u.String()
	}
	return address + " dbname=" + database // keywords and values, the last one wins
}

func random() string {
	var b [6]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
