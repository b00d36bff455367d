package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"treewarden/admin"
	"treewarden/demo"
	"treewarden/policy"
	"treewarden/scoring/classifier/config"
	"treewarden/store"
	"treewarden/store/storetest"
)

func TestMain(m *testing.M) {
	status := storetest.Main(m)
	for _, l := range outliving {
		l.end()
		if l.failed {
			status = max(status, 1)
		}
	}
	os.Exit(status)
}

// world is a console that tests share: its database, its server, its staff.
type world struct {
	store *store.Store
	base  string                 // http://127.0.0.1:PORT
	staff map[string]store.Actor // by role
	// configured are the classifiers of the server.
	configured []config.Configured
}

// newWorld serves a console on an empty database, with an account for each
// role, until all tests have ended.
func newWorld(t *testing.T) *world {
	t.Helper()
	chromium(t) // before the long work, because it may skip the test
	l := &lasting{TB: t}
	outliving = append(outliving, l)
	w := &world{store: storetest.New(l), staff: map[string]store.Actor{}}
	for _, role := range []string{policy.Admin, policy.Moderator, policy.DataLead} {
		user, err := w.store.CreateStaff(t.Context(), store.CommandLine, role, role, "")
		if err != nil {
			t.Fatal(err)
		}
		w.staff[role] = store.Actor{UserID: user.UserID, Name: user.DisplayName, Role: role, Via: "session",
			Policy: w.store.Policy()}
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	w.configured = configuredClassifiers(t)
	app := admin.New(admin.Config{Store: w.store, Log: log, Version: "test", Classifiers: w.configured}).App()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = app.Listener(listener) }() // ends when the app shuts down
	l.Cleanup(func() {
		if err := app.ShutdownWithTimeout(5 * time.Second); err != nil {
			l.Errorf("the server did not stop: %v", err)
		}
	})
	w.base = "http://" + listener.Addr().String()
	return w
}

// demonstration returns the console on the demonstration corpus. The first test
// that needs it makes it. Its seed is fixed; its dates end now, because the
// time frames of the board do too.
func demonstration(t *testing.T) *world {
	t.Helper()
	chromium(t)
	theDemonstration.Do(func() {
		w := newWorld(t)
		corpus := demo.Generate(demo.Options{Seed: 1, Now: time.Now()})
		if err := demo.Load(t.Context(), w.store, corpus); err != nil {
			t.Fatal(err)
		}
		w.moderate(t, corpus)
		figures, err := w.store.Insights(store.CommandLine)
		if err == nil {
			err = figures.Count(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		theDemonstration.world = w
	})
	if theDemonstration.world == nil {
		t.Fatal("the demonstration could not be made, see the first test that needed it")
	}
	return theDemonstration.world
}

var theDemonstration struct {
	sync.Once
	world *world
}

// signInPath makes a one-time link for the account of a role.
func (w *world) signInPath(t *testing.T, role string) string {
	t.Helper()
	token, err := w.store.SignInLink(t.Context(), store.CommandLine, w.staff[role].Name)
	if err != nil {
		t.Fatal(err)
	}
	return "/sign-in/link?token=" + token
}

// act does an action without the browser.
func (w *world) act(t *testing.T, role string, act store.Act) store.Action {
	t.Helper()
	outcome, err := w.store.Act(t.Context(), w.staff[role], act)
	if err != nil {
		t.Fatalf("%s of %s: %v", act.Kind, act.Target, err)
	}
	return outcome.Action
}

// lasting keeps the state that a test makes for the next tests.
type lasting struct {
	testing.TB
	cleanups []func()
	failed   bool
}

// outliving ends after all tests.
var outliving []*lasting

func (l *lasting) Cleanup(f func())         { l.cleanups = append(l.cleanups, f) }
func (l *lasting) Context() context.Context { return context.Background() }
func (l *lasting) Helper()                  {}

func (l *lasting) Error(args ...any) {
	l.failed = true
	fmt.Fprintln(os.Stderr, args...)
}

func (l *lasting) Errorf(format string, args ...any) { l.Error(fmt.Sprintf(format, args...)) }

func (l *lasting) end() {
	for i := len(l.cleanups) - 1; i >= 0; i-- {
		l.cleanups[i]()
	}
}
