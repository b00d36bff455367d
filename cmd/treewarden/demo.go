package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"treewarden/demo"
	"treewarden/store"
)

// DemoCmd serves the console on a generated collection.
type DemoCmd struct {
	Scale int    `help:"Size of the collection: N times 300 users and 2,000 trees." default:"1" placeholder:"N"`
	Seed  uint64 `help:"Another seed gives another collection." default:"1" placeholder:"N"`
}

// Run fills an empty database, serves it, and prints how to sign in once it
// answers.
func (c *DemoCmd) Run(app *App) error {
	if c.Scale < 1 || c.Scale > 1000 {
		return usageError("--scale is a number from 1 to 1000")
	}
	listener, err := listen(app)
	if err != nil {
		return err
	}
	defer listener.Close()
	ctx, cancel := context.WithCancel(app.Context())
	defer cancel()
	s, err := app.Store(ctx)
	if err != nil {
		return err
	}
	if err := c.fill(ctx, app, s); err != nil {
		return err
	}
	links, err := signInLinks(ctx, app, s, "http://"+reachable(listener.Addr()))
	if err != nil {
		return err
	}
	go func() {
		if err := welcome(ctx, app, listener.Addr(), links); err != nil && ctx.Err() == nil {
			app.Log.Error("the console does not answer", "error", err)
		}
	}()
	return serve(app, s, listener)
}

// fill generates a collection for an empty database, and makes the
// demonstration's staff act on it.
func (c *DemoCmd) fill(ctx context.Context, app *App, s *store.Store) error {
	empty, err := s.Empty(ctx)
	if err != nil {
		return err
	}
	corpus := demo.Corpus{}
	if empty {
		app.Log.Info("generating a collection", "users", 300*c.Scale, "trees", 2000*c.Scale, "seed", c.Seed)
		corpus = demo.Generate(demo.Options{Seed: c.Seed, Scale: c.Scale, Now: time.Now()})
		app.Log.Info("loading it", "messages", len(corpus.Messages),
			"votes", len(corpus.Votes), "reactions", len(corpus.Reactions))
		if empty, err = demo.Fill(ctx, s, corpus); err != nil {
			return err
		}
	}
	staff, err := demo.EnsureStaff(ctx, s)
	if err != nil || !empty {
		return err
	}
	return demo.Moderate(ctx, app.Log, s, staff, corpus)
}

// signInLinks makes a new link for each account of the demonstration that may
// sign in, and explains why the others may not.
func signInLinks(ctx context.Context, app *App, s *store.Store, address string) (string, error) {
	there, err := s.Staff(ctx, store.CommandLine)
	if err != nil {
		return "", err
	}
	staff := make(map[string]string) // their status
	for _, u := range there {
		staff[u.Username] = u.Status
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n  Treewarden runs at %s\n\n  These links sign you in, each once within 24 hours:\n\n", address)
	for _, name := range demo.Staff {
		switch status, ok := staff[name]; {
		case !ok:
			fmt.Fprintf(&b, "    %-10s is no longer staff\n", name)
			continue
		case status == store.Banned:
			fmt.Fprintf(&b, "    %-10s is banned\n", name)
			continue
		}
		token, err := s.SignInLink(ctx, store.CommandLine, name)
		if err != nil {
			return "", fmt.Errorf("make a sign-in link for %s: %w", name, err)
		}
		fmt.Fprintf(&b, "    %-10s %s/sign-in/link?token=%s\n", name, address, url.QueryEscape(token))
	}
	where := "the database given by --database-url"
	if app.DatabaseURL == "" {
		where = app.DataDir
	}
	fmt.Fprintf(&b, "\n  Each start prints new ones. The data stays in %s. Ctrl+C stops.\n\n", where)
	return b.String(), nil
}

// welcome prints the links once the console answers, so that a person who
// follows one at once gets a page.
func welcome(ctx context.Context, app *App, addr net.Addr, links string) error {
	ready := "http://" + reachable(addr) + "/readyz"
	for deadline := time.Now().Add(time.Minute); ; {
		err := probe(ctx, ready)
		if err == nil {
			_, err = fmt.Fprint(app.Stdout, links)
			return err
		}
		if time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func probe(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New("GET " + address + " answers " + answer.Status)
	}
	return nil
}
