package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"treewarden/admin"
	"treewarden/migrations"
	"treewarden/store"
)

// shutdownTime is the time limit of running requests during a shutdown. A
// request has 10 seconds.
const shutdownTime = 12 * time.Second

// deriveInterval is the time between two updates of the indexes of texts.
// Longer ones sort more at once, which is cheaper; shorter ones find more soon.
const deriveInterval = 10 * time.Second

// ServeCmd serves the console and the API.
type ServeCmd struct{}

// Run serves until the program receives a signal to stop.
func (c *ServeCmd) Run(app *App) error {
	listener, err := listen(app)
	if err != nil {
		return err
	}
	defer listener.Close()
	s, err := app.Store(app.Context())
	if err != nil {
		return err
	}
	app.Log.Info("serving", "address", "http://"+reachable(listener.Addr()), "version", programVersion())
	return serve(app, s, listener)
}

// listen takes the address before anything else starts: a port in use should
// not cost the start of a database.
func listen(app *App) (net.Listener, error) {
	if _, err := clientConnections(app.MaxConnections, app.Log); err != nil {
		return nil, err // before a database starts
	}
	if _, err := app.classifiers(); err != nil {
		return nil, err
	}
	if app.Listen == "" {
		return nil, usageError("--listen (TREEWARDEN_LISTEN) is empty; give an address such as 127.0.0.1:8080")
	}
	if !readsAsAddress(app.Context(), app.Listen) {
		return nil, usageError(fmt.Sprintf("--listen (TREEWARDEN_LISTEN) is %q, which is no address with a port; give one "+
			"such as 127.0.0.1:8080", app.Listen))
	}
	listener, err := new(net.ListenConfig).Listen(app.Context(), "tcp", app.Listen)
	switch {
	case err == nil:
		return listener, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("the address %s is in use, perhaps by another Treewarden; stop that one, or choose another "+
			"address with --listen (TREEWARDEN_LISTEN)", app.Listen)
	}
	return nil, fmt.Errorf("cannot listen on %q: %w; give an address such as 127.0.0.1:8080 with --listen "+
		"(TREEWARDEN_LISTEN)", app.Listen, err)
}

// readsAsAddress reports whether an address has the form of one, whether or not
// this machine has it.
func readsAsAddress(ctx context.Context, address string) bool {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	_, err = net.DefaultResolver.LookupPort(ctx, "tcp", port)
	return err == nil
}

// reachable returns the address under which a person on this machine reaches a
// listening address.
func reachable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return addr.String()
	}
	return fmt.Sprintf("127.0.0.1:%d", tcp.Port)
}

// serve answers requests and does scheduled work until the program receives a
// signal to stop. It finishes the running requests first.
func serve(app *App, s *store.Store, listener net.Listener) error {
	connections, err := clientConnections(app.MaxConnections, app.Log)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(app.Context())
	defer cancel()
	configured, err := app.classifiers()
	if err != nil {
		return err
	}
	classifiers, err := s.Classifiers(store.CommandLine)
	if err != nil {
		return err
	}
	models := servedModels(configured)
	if err := classifiers.Register(ctx, models); err != nil {
		return err
	}
	outage := admin.NewOutage(ctx, app.Log, s.Ready)
	server := admin.New(admin.Config{
		Store: s, Log: app.Log, Version: programVersion(), Secure: app.Secure,
		TrustedProxies: app.TrustedProxies, Classifiers: configured,
		Ready: (&readiness{store: s, url: app.url}).check, Outage: outage,
	})

	var background sync.WaitGroup
	background.Go(func() {
		if err := s.WarmBoards(ctx); err != nil && ctx.Err() == nil {
			app.Log.Warn("the boards could not be read at the start; they are read on first use", "error", err)
		}
	})
	background.Go(func() {
		every(ctx, time.Second, outage, app.Log, "end timed bans",
			func(ctx context.Context) error { return endBans(ctx, app, s) })
	})
	background.Go(func() {
		every(ctx, time.Second, outage, app.Log, "do jobs", s.RunJobs)
	})
	background.Go(func() {
		every(ctx, time.Second, outage, app.Log, "write exports",
			func(ctx context.Context) error { return s.RunExports(ctx, programVersion()) })
	})
	background.Go(func() {
		every(ctx, deriveInterval, outage, app.Log, "keep up what is derived from texts", s.KeepUpTexts)
	})
	background.Go(func() {
		every(ctx, time.Second, outage, app.Log, "count the figures of the insights", keepInsights(s))
	})
	background.Go(func() {
		every(ctx, time.Second, outage, app.Log, "run classifiers over messages",
			func(ctx context.Context) error { return s.RunClassifiers(ctx, models) })
	})
	for _, m := range models {
		background.Go(func() {
			every(ctx, time.Second, outage, app.Log, "classify new messages with "+m.Name,
				func(ctx context.Context) error {
					_, err := classifiers.Work(ctx, m)
					return err
				})
		})
	}
	background.Go(func() {
		every(ctx, time.Second, outage, app.Log, "bring PostgreSQL back", app.Revive)
	})
	background.Go(func() {
		every(ctx, time.Hour, outage, app.Log, "forget the hours and days that no score counts any more", s.ForgetCounters)
	})
	background.Go(func() {
		every(ctx, time.Minute, outage, app.Log, "remove old links and failures to sign in", s.ForgetSignIns)
	})
	background.Go(func() {
		<-ctx.Done()
		if err := server.Shutdown(shutdownTime); err != nil {
			app.Log.Warn("some requests were cut off", "error", err)
		}
	})
	err = server.Serve(listener, connections)
	cancel()
	background.Wait()
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// endBans ends the timed bans that are over.
func endBans(ctx context.Context, app *App, s *store.Store) error {
	ended, err := s.EndExpiredBans(ctx)
	if ended > 0 {
		app.Log.Info("timed bans have ended", "users", ended)
	}
	return err
}

// every runs a chore at an interval until the context ends. It logs a failure
// once and not at each try: the database may be away for long.
func every(ctx context.Context, interval time.Duration, outage *admin.Outage, log *slog.Logger, chore string,
	do func(context.Context) error) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		switch err := do(ctx); {
		case err == nil:
			failing = false
		case ctx.Err() != nil || outage.Failed(err): // it logs the outage once
		case !failing:
			failing = true
			log.Error("cannot "+chore+" for now", "error", err)
		}
	}
}

// schemaCheck is the lifetime of a cached check of the schema. A check needs a
// connection of its own.
const schemaCheck = 15 * time.Second

// readiness reports whether the program can serve: the database answers, and
// its schema is the one that this program knows.
type readiness struct {
	store *store.Store
	url   string

	mu      sync.Mutex
	checked time.Time
}

func (r *readiness) check(ctx context.Context) error {
	if err := r.store.Ready(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.checked) < schemaCheck {
		return nil
	}
	states, err := migrations.Status(ctx, r.url)
	if err != nil {
		return err
	}
	for _, s := range states {
		if !s.Applied() {
			return fmt.Errorf("the migration %s is not applied", s.Name)
		}
	}
	r.checked = time.Now()
	return nil
}
