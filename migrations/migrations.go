// Package migrations holds the schema as numbered SQL files and applies them.
//
// The files are forward only: a change of mind is a new file. They are embedded,
// so that the program needs nothing but itself to set up an empty database.
package migrations

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed *.sql
var files embed.FS

// lockPeriod and lockTries bound how long an instance waits while another one
// migrates: a second between tries, an hour in all, because an index over ten
// million messages takes its time and giving up early would help nobody.
const (
	lockPeriod = 1
	lockTries  = 3600
)

// ErrNewer says that the database was migrated by a newer version of this
// program. Nothing may be written to it by this one.
var ErrNewer = errors.New("the database is newer than this program")

// State is one migration and what the database knows about it.
type State struct {
	Version   int64
	Name      string    // the file's name, such as 0001_people.sql
	AppliedAt time.Time // zero when it has not been applied
}

// Applied says whether the database has this migration.
func (s State) Applied() bool { return !s.AppliedAt.IsZero() }

// Up applies every migration that the database lacks, in order, and returns how
// many it applied. Each runs in a transaction of its own unless its file says
// otherwise. Instances that start together wait for one another, and all but
// the first find nothing to do. A database that is newer than this program is
// left alone, with an error that wraps [ErrNewer].
func Up(ctx context.Context, databaseURL string) (applied int, err error) {
	err = withProvider(ctx, databaseURL, func(db *sql.DB, p *goose.Provider) error {
		results, err := p.Up(ctx)
		if err != nil {
			return fmt.Errorf("apply migrations: %w", err)
		}
		applied = len(results)
		// Asked again: a newer program may have migrated while this one waited.
		return refuseNewer(ctx, db, p)
	})
	return applied, err
}

// Status lists every migration that this program knows, oldest first, and when
// the database got it. A database that is newer is an error that wraps [ErrNewer].
func Status(ctx context.Context, databaseURL string) (states []State, err error) {
	err = withProvider(ctx, databaseURL, func(_ *sql.DB, p *goose.Provider) error {
		list, err := p.Status(ctx)
		if err != nil {
			return fmt.Errorf("read the state of the migrations: %w", err)
		}
		for _, m := range list {
			states = append(states, State{Version: m.Source.Version, Name: path.Base(m.Source.Path), AppliedAt: m.AppliedAt})
		}
		return nil
	})
	return states, err
}

// Fingerprint identifies the schema that these files make: it changes whenever
// one of them is added or edited. Test databases are kept by it.
func Fingerprint() string {
	hash := sha256.New()
	names, err := fs.Glob(files, "*.sql") // sorted
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			panic(err) // it is embedded
		}
		fmt.Fprintf(hash, "%s %d\n%s", name, len(text), text)
	}
	return hex.EncodeToString(hash.Sum(nil)[:8])
}

func withProvider(ctx context.Context, databaseURL string, do func(*sql.DB, *goose.Provider) error) error {
	// Parsed as a pool's address, because that is what the program is given:
	// pool_max_conns and the like would reach the server as settings otherwise.
	config, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return fmt.Errorf("read the database URL: %w", err)
	}
	db := stdlib.OpenDB(*config.ConnConfig)
	defer db.Close()

	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(lockPeriod, lockTries))
	if err != nil {
		return fmt.Errorf("prepare the migration lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	if err := refuseNewer(ctx, db, provider); err != nil {
		return err
	}
	return do(db, provider)
}

// refuseNewer compares versions with a query of its own, because the
// provider's own question creates its table, unlocked, in a fresh database.
func refuseNewer(ctx context.Context, db *sql.DB, p *goose.Provider) error {
	var migrated bool
	if err := db.QueryRowContext(ctx, `SELECT to_regclass($1) IS NOT NULL`,
		goose.DefaultTablename).Scan(&migrated); err != nil {
		return fmt.Errorf("reach the database: %w", err)
	}
	if !migrated {
		return nil
	}
	var current int64
	err := db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM `+goose.DefaultTablename+
		` WHERE is_applied`).Scan(&current)
	if err != nil {
		return fmt.Errorf("read the database's version: %w", err)
	}
	sources := p.ListSources()
	if known := sources[len(sources)-1].Version; current > known {
		return fmt.Errorf("%w: it is at migration %d, this program knows up to %d; run the newer program, or restore a "+
			"backup made before it", ErrNewer, current, known)
	}
	return nil
}
