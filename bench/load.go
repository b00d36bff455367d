package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"treewarden/migrations"
	"treewarden/store"
	"treewarden/store/derived"
	"treewarden/store/waves"
)

//go:embed sql/tables.sql
var legacyTables string

//go:embed sql/indexes.sql
var legacyIndexes string

//go:embed sql/keys.sql
var legacyKeys string

//go:embed sql/translate.sql
var translateSQL string

// loading fills an empty database with the same collection for both designs:
// the legacy's tables in the schema legacy, ours in public.
type loading struct {
	url   string
	scale float64
	end   time.Time // the end of the collection
	watch stopwatch
}

// load fills a database, or brings the schema of a filled one up to date. It
// returns the end of the collection.
func (l *loading) load(ctx context.Context) (time.Time, error) {
	began := time.Now()
	l.watch.last = began
	migrated, err := migrations.Up(ctx, l.url)
	if err != nil {
		return l.end, err
	}
	end, err := l.loaded(ctx)
	if err != nil {
		return l.end, err
	}
	steps := []func(context.Context) error{l.loadLegacy, l.translate, l.rebuild, l.derive, l.count, l.vacuum,
		l.remember}
	if end != nil {
		l.end, steps = *end, []func(context.Context) error{l.derive}
		if migrated > 0 {
			steps = []func(context.Context) error{l.rebuild, l.derive, l.count, l.vacuum}
		}
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return l.end, err
		}
	}
	l.watch.last = began
	l.watch.lap("all of it")
	return l.end, nil
}

// loaded returns the end of the collection in the database, or nil if there is
// none.
func (l *loading) loaded(ctx context.Context) (end *time.Time, err error) {
	err = l.with(ctx, "public", func(conn *pgx.Conn) error {
		var there bool
		if err := conn.QueryRow(ctx, "SELECT to_regclass('legacy.loaded') IS NOT NULL").Scan(&there); err != nil ||
			!there {
			return err
		}
		var scale float64
		if err := conn.QueryRow(ctx, `SELECT "end", scale FROM legacy.loaded`).Scan(&end, &scale); err != nil {
			return err
		}
		if scale != l.scale {
			return fmt.Errorf("the folder holds a collection of scale x%g: remove it, or choose another with -dir", scale)
		}
		return nil
	})
	return end, err
}

func (l *loading) remember(ctx context.Context) error {
	return l.exec(ctx, "legacy", `CREATE TABLE loaded AS SELECT $1::timestamptz AS "end", $2::float8 AS scale`,
		l.end, l.scale)
}

// with runs work on a connection of its own, with the search path of one
// design.
func (l *loading) with(ctx context.Context, schema string, do func(*pgx.Conn) error) error {
	config, err := pgx.ParseConfig(l.url)
	if err != nil {
		return err
	}
	config.RuntimeParams["search_path"] = schema
	config.RuntimeParams["maintenance_work_mem"] = "1GB"
	config.RuntimeParams["work_mem"] = "512MB"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return do(conn)
}

func (l *loading) exec(ctx context.Context, schema, sql string, args ...any) error {
	return l.with(ctx, schema, func(conn *pgx.Conn) error {
		return execAll(ctx, conn, sql, args...)
	})
}

// execAll runs statements that are separated by semicolons, in a transaction.
func execAll(ctx context.Context, conn *pgx.Conn, sql string, args ...any) error {
	if len(args) == 0 {
		args = []any{pgx.QueryExecModeSimpleProtocol}
	}
	if _, err := conn.Exec(ctx, sql, args...); err != nil {
		return fmt.Errorf("%w in %.120q", err, sql)
	}
	return nil
}

// loadLegacy generates Open-Assistant's rows and builds its indexes.
func (l *loading) loadLegacy(ctx context.Context) error {
	if err := l.exec(ctx, "legacy", "DROP SCHEMA IF EXISTS legacy CASCADE; CREATE SCHEMA legacy;"+
		legacyTables); err != nil {
		return err
	}
	world := newWorld(l.scale, l.end)
	group, copying := errgroup.WithContext(ctx)
	group.SetLimit(2)
	for _, table := range generated {
		group.Go(func() error { return l.copy(copying, world, table) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	l.watch.lap("Open-Assistant's rows, generated and copied")

	ofMessages, ofRest := partStatements(legacyIndexes, " message ")
	if err := l.sideBySide(ctx, "legacy", ofMessages, ofRest); err != nil {
		return err
	}
	if err := l.exec(ctx, "legacy", legacyKeys); err != nil {
		return err
	}
	// The next steps join these tables.
	if err := l.exec(ctx, "legacy",
		"ANALYZE message, text_labels, message_emoji, message_toxicity, message_tree_state"); err != nil {
		return err
	}
	l.watch.lap("Open-Assistant's indexes and keys")
	return nil
}

// copy generates one table and pipes it into a COPY.
func (l *loading) copy(ctx context.Context, w *world, table string) error {
	return l.with(ctx, "legacy", func(conn *pgx.Conn) error {
		read, write := io.Pipe()
		defer read.Close() // ends the writer if the copy fails
		go func() { write.CloseWithError(w.generate(table, write)) }()
		_, err := conn.PgConn().CopyFrom(ctx, read, `COPY "`+table+`" FROM STDIN`)
		if err != nil {
			return fmt.Errorf("copy %s: %w", table, err)
		}
		return nil
	})
}

// sideBySide runs SQL on two connections.
func (l *loading) sideBySide(ctx context.Context, schema, a, b string) error {
	group, both := errgroup.WithContext(ctx)
	for _, sql := range []string{a, b} {
		group.Go(func() error { return l.exec(both, schema, sql) })
	}
	return group.Wait()
}

// translate makes our rows from Open-Assistant's. Our keys and indexes are
// dropped before and made again after it, exactly as the migrations define
// them.
func (l *loading) translate(ctx context.Context) error {
	parts := named(translateSQL)
	before, err := l.constraints(ctx)
	if err != nil {
		return err
	}
	if err := l.exec(ctx, "public", before.drop()); err != nil {
		return err
	}
	if err := l.exec(ctx, "public", parts["people"]); err != nil {
		return err
	}
	if err := l.sideBySide(ctx, "public", parts["messages"], parts["signals"]); err != nil {
		return err
	}
	l.watch.lap("our rows, from Open-Assistant's")
	if err := l.sideBySide(ctx, "public", before.build("messages"), before.buildRest("messages")); err != nil {
		return err
	}
	if err := l.exec(ctx, "public", before.relate()); err != nil {
		return err
	}
	after, err := l.constraints(ctx)
	if err != nil {
		return err
	}
	if !after.equal(before) {
		return fmt.Errorf("our schema is not what it was before loading: %v, %v", before, after)
	}
	l.watch.lap("our indexes and keys")
	return nil
}

func (l *loading) rebuild(ctx context.Context) error {
	if err := l.exec(ctx, "public", "ANALYZE"); err != nil {
		return err
	}
	s, err := store.Open(ctx, l.url)
	if err != nil {
		return err
	}
	defer s.Close()
	l.watch.lap("statistics")
	if err := s.RebuildScores(ctx); err != nil {
		return err
	}
	l.watch.lap("our scores, rebuilt from the base tables")
	return nil
}

// derive derives from the texts what an import and "serve" keep with them, as far as it is
// missing. Without it a search would find nothing, ingest would keep smaller indexes than it
// has, and "serve" would do it in the background of what is measured.
func (l *loading) derive(ctx context.Context) error {
	err := l.with(ctx, "public", func(conn *pgx.Conn) error {
		var there bool
		if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM message_terms)").Scan(&there); err != nil || there {
			return err
		}
		if err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return derived.DeriveAll(ctx, tx) }); err != nil {
			return err
		}
		if err := derived.KeepUp(ctx, conn); err != nil {
			return err
		}
		l.watch.lap("sketches and terms of our texts")
		return nil
	})
	if err != nil {
		return err
	}
	return l.with(ctx, "public", func(conn *pgx.Conn) error {
		for {
			more, err := waves.KeepUp(ctx, conn)
			if err != nil {
				return err
			}
			if !more {
				l.watch.lap("waves of similar messages")
				return nil
			}
		}
	})
}

// count counts the figures of the insights.
func (l *loading) count(ctx context.Context) error {
	s, err := store.Open(ctx, l.url)
	if err != nil {
		return err
	}
	defer s.Close()
	access, err := s.Insights(store.CommandLine)
	if err != nil {
		return err
	}
	if err := access.Count(ctx); err != nil {
		return err
	}
	l.watch.lap("figures of the insights")
	return nil
}

func (l *loading) vacuum(ctx context.Context) error {
	if err := l.exec(ctx, "public", "VACUUM ANALYZE"); err != nil {
		return err
	}
	if err := l.exec(ctx, "public", "CHECKPOINT"); err != nil {
		return err
	}
	l.watch.lap("vacuum and checkpoint")
	return nil
}
