package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/migrations"
	"treewarden/store/exports"
)

// exported are the tables that an export with all filters off reads.
var exported = []string{"trees", "messages", "emoji_aggregates", "label_aggregates", "label_votes", "reactions",
	"classifier_models", "classifier_outputs"}

// imported are the tables that an import fills, in the order that foreign keys require.
var imported = []string{"users", "trees", "messages", "message_trees", "emoji_aggregates", "label_aggregates",
	"classifier_models", "classifier_outputs", "user_signals", "user_languages"}

// leastOfCopy is the least speed of an export and of an import, as a share of that of a
// COPY of the same rows.
const leastOfCopy = 0.3

// measureExport exports everything to a file in each format, and imports the file of
// trees into an empty database. It compares each with a COPY of the same rows.
func (b *bench) measureExport(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp(b.folder, "export-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	found, err := column[int64](ctx, b.ours, "SELECT count(*) FROM messages")
	if err != nil {
		return err
	}
	messages := float64(found[0])
	if _, err := b.copyOut(ctx, b.url, dir, exported); err != nil { // it reads the rows from disk
		return err
	}
	var trees string
	for _, format := range exports.Formats {
		plain, err := b.copyOut(ctx, b.url, dir, exported)
		if err != nil {
			return err
		}
		file := filepath.Join(dir, "export."+format)
		took, peak, err := b.web.watched("export", "--out", file, "--format", format, "--state", exports.AllStates,
			"--include-deleted", "--include-spam", "--include-synthetic", "--export-labels", "--export-events")
		if err != nil {
			return err
		}
		const how = "treewarden export, everything; COPY … TO STDOUT of the same tables, both into files"
		b.rate("export of "+format+", messages a second, against COPY", messages/plain.Seconds(), messages/took.Seconds(),
			leastOfCopy, how)
		b.memory("export of "+format+", the process's memory at its peak", peak, how)
		if format == exports.Trees {
			trees = file
		} else if err := os.Remove(file); err != nil {
			return err
		}
	}
	return b.measureImport(ctx, dir, trees, messages)
}

// measureImport imports a file into an empty database, and copies the rows that this
// made into another one.
func (b *bench) measureImport(ctx context.Context, dir, file string, messages float64) (err error) {
	for _, table := range exported { // the space is needed
		if err := os.Remove(filepath.Join(dir, table)); err != nil {
			return err
		}
	}
	into, remove, err := b.emptyDatabase(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	importing := *b.web
	importing.url = into
	took, peak, err := importing.watched("import", file)
	if err != nil {
		return err
	}
	if _, err := b.copyOut(ctx, into, dir, imported); err != nil {
		return err
	}
	copied, removeCopy, err := b.emptyDatabase(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeCopy()) }()
	plain, err := b.copyIn(ctx, copied, dir, imported)
	if err != nil {
		return err
	}
	const how = "treewarden import into an empty database; COPY … FROM STDIN of the rows that it made"
	b.rate("import of trees, messages a second, against COPY", messages/plain.Seconds(), messages/took.Seconds(),
		leastOfCopy, how)
	b.memory("import of trees, the process's memory at its peak", peak, how)
	return nil
}

// emptyDatabase makes a database on the same server with the program's tables. It also
// returns what removes it.
func (b *bench) emptyDatabase(ctx context.Context) (address string, remove func() error, err error) {
	u, err := url.Parse(b.url)
	if err != nil {
		return "", nil, err
	}
	name := "bench_" + uuid.NewString()[:8]
	if _, err := b.ours.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", nil, err
	}
	remove = func() error {
		_, err := b.ours.Exec(context.WithoutCancel(ctx), "DROP DATABASE "+name)
		return err
	}
	u.Path = "/" + name
	if _, err := migrations.Up(ctx, u.String()); err != nil {
		return "", nil, errors.Join(err, remove())
	}
	return u.String(), remove, nil
}

// copyOut copies tables into files of their names, and returns the time.
func (b *bench) copyOut(ctx context.Context, address, dir string, tables []string) (time.Duration, error) {
	return b.copyTables(ctx, address, tables, func(conn *pgx.Conn, table string) error {
		file, err := os.Create(filepath.Join(dir, table))
		if err != nil {
			return err
		}
		defer file.Close()
		if _, err := conn.PgConn().CopyTo(ctx, file, "COPY "+table+" TO STDOUT"); err != nil {
			return err
		}
		return file.Sync() // as the export does
	})
}

// copyIn fills tables from files of their names, and returns the time.
func (b *bench) copyIn(ctx context.Context, address, dir string, tables []string) (time.Duration, error) {
	return b.copyTables(ctx, address, tables, func(conn *pgx.Conn, table string) error {
		file, err := os.Open(filepath.Join(dir, table))
		if err != nil {
			return err
		}
		defer file.Close()
		_, err = conn.PgConn().CopyFrom(ctx, file, "COPY "+table+" FROM STDIN")
		return err
	})
}

// copyTables calls do for each table, with one connection, and returns the time.
func (b *bench) copyTables(ctx context.Context, address string, tables []string,
	do func(conn *pgx.Conn, table string) error) (time.Duration, error) {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return b.timed(func() error {
		for _, table := range tables {
			if err := do(conn, table); err != nil {
				return fmt.Errorf("copy %s: %w", table, err)
			}
		}
		return nil
	})
}
