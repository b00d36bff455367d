package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"treewarden/migrations"
	"treewarden/scoring/classifier/config"
	"treewarden/store"
	"treewarden/store/postgres"
)

// App holds what a command works with. The first call of Store opens the store,
// so that a command without need of a database starts none.
type App struct {
	Settings
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Log    *slog.Logger

	ctx    context.Context // a command lives as long as its context
	server *postgres.Server
	url    string
	store  *store.Store
	// configured are the classifiers, once they were read.
	configured []config.Configured
}

func (a *App) prepare(command string) { a.Log = newLog(a.Settings, command, a.Stderr) }

// Context ends when the program receives a signal to stop.
func (a *App) Context() context.Context { return a.ctx }

// URL returns the address of the database. Without a configured address it
// starts the program's own PostgreSQL, unless it runs already.
func (a *App) URL(ctx context.Context) (string, error) {
	switch {
	case a.DatabaseConnections != 0 && a.DatabaseConnections < store.MinConnections:
		return "", usageError(fmt.Sprintf("--database-connections (TREEWARDEN_DATABASE_CONNECTIONS) is %d; give %d or more, "+
			"or 0 for the default", a.DatabaseConnections, store.MinConnections))
	case a.url != "":
	case a.DatabaseURL != "":
		a.url = a.DatabaseURL
	default:
		server, err := postgres.Start(ctx, postgres.Options{DataDir: a.DataDir, BinDir: a.PostgresBin, Log: a.Log,
			Connections: a.DatabaseConnections})
		if err != nil {
			return "", err
		}
		a.server, a.url = server, server.URL("")
	}
	return a.url, nil
}

// Migrate brings the schema up to date and returns the number of applied
// migrations. It refuses a database that a newer version of the program made.
func (a *App) Migrate(ctx context.Context) (int, error) {
	url, err := a.URL(ctx)
	if err != nil {
		return 0, err
	}
	applied, err := migrations.Up(ctx, url)
	if err != nil {
		return 0, a.explain(err)
	}
	if applied > 0 {
		a.Log.Info("migrated the database", "migrations", applied)
	}
	return applied, nil
}

// explain adds advice to an error of the database.
func (a *App) explain(err error) error {
	if a.DatabaseURL == "" || errors.Is(err, migrations.ErrNewer) || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w; check --database-url (TREEWARDEN_DATABASE_URL)", err)
}

// withLog adds the log of the program's own PostgreSQL to an error.
func (a *App) withLog(err error) error {
	if a.server == nil {
		return err
	}
	return a.server.Explain(err)
}

// Store opens the migrated database. App.Close closes the store.
func (a *App) Store(ctx context.Context) (*store.Store, error) {
	if a.store != nil {
		return a.store, nil
	}
	if _, err := a.Migrate(ctx); err != nil {
		return nil, err
	}
	s, err := store.OpenWith(ctx, a.url, a.DatabaseConnections)
	if err != nil {
		return nil, a.explain(err)
	}
	a.store = s
	return s, nil
}

// Revive starts the program's own PostgreSQL again if it has ended by itself.
func (a *App) Revive(ctx context.Context) error {
	if a.server == nil {
		return nil
	}
	again, err := a.server.Revive(ctx)
	if again {
		a.Log.Warn("PostgreSQL had ended and was started again", "data_dir", a.DataDir)
	}
	return err
}

// Close ends the connections, and the use of the program's own PostgreSQL.
func (a *App) Close() error {
	if a.store != nil {
		a.store.Close()
		a.store = nil
	}
	if a.server != nil {
		server := a.server
		a.server = nil
		return server.Stop()
	}
	return nil
}
