//go:build unix

package storetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"treewarden/migrations"
)

// What killed tests left is removed after these times.
const (
	testLife     = 3 * time.Hour
	templateLife = 7 * 24 * time.Hour
)

// templateLock is the advisory lock under which a template is made.
const templateLock = 0x7472656577

// ensureTemplate makes the migrated database that tests copy, once for each
// state of the migrations, whichever process comes first.
func ensureTemplate(ctx context.Context) error {
	conn, err := server.admin.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("reach the tests' PostgreSQL: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, templateLock); err != nil {
		return fmt.Errorf("wait for the template database: %w", err)
	}
	defer conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, templateLock)

	server.template = templatePrefix + migrations.Fingerprint()
	// It is closed to connections once it is complete.
	var complete bool
	err = conn.QueryRow(ctx, `SELECT NOT datallowconn FROM pg_database WHERE datname = $1`,
		server.template).Scan(&complete)
	if complete {
		return nil
	}
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("look for the template database: %w", err)
	}
	sweep(ctx, conn.Conn())
	name := pgx.Identifier{server.template}.Sanitize()
	for _, sql := range []string{`DROP DATABASE IF EXISTS ` + name, `CREATE DATABASE ` + name} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("make the template database: %w", err)
		}
	}
	if _, err := migrations.Up(ctx, withDatabase(server.adminURL, server.template)); err != nil {
		return fmt.Errorf("migrate the template database: %w", err)
	}
	made := strconv.FormatInt(time.Now().Unix(), 10)
	for _, sql := range []string{`COMMENT ON DATABASE ` + name + ` IS '` + made + `'`, `ALTER DATABASE ` + name +
		` ALLOW_CONNECTIONS false`} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("finish the template database: %w", err)
		}
	}
	return nil
}

// create copies the template. Another process may have made the template and
// still be closing its connection, or one with other migrations may sweep it.
func create(ctx context.Context, name string) error {
	// Through the log, page by page, a copy and its removal take four times the processor's time.
	sql := `CREATE DATABASE ` + pgx.Identifier{name}.Sanitize() + ` TEMPLATE ` +
		pgx.Identifier{server.template}.Sanitize() + ` STRATEGY file_copy`
	for {
		_, err := server.admin.Exec(ctx, sql)
		var pgErr *pgconn.PgError
		if !errors.As(err, &pgErr) || pgErr.Code != "55006" { // object_in_use
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// sweep drops what killed tests and former migrations left. It is a courtesy:
// what cannot be dropped is in use, or goes another time.
func sweep(ctx context.Context, conn *pgx.Conn) {
	rows, err := conn.Query(ctx, `SELECT datname, coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database
		WHERE starts_with(datname, $1) OR starts_with(datname, $2)`, testPrefix, templatePrefix)
	if err != nil {
		return
	}
	type database struct{ Name, Comment string }
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[database])
	if err != nil {
		return
	}
	for _, db := range found {
		made, life := db.Comment, templateLife
		if rest, ok := strings.CutPrefix(db.Name, testPrefix); ok {
			made, _, _ = strings.Cut(rest, "_")
			life = testLife
		}
		seconds, err := strconv.ParseInt(made, 10, 64)
		if err == nil && time.Since(time.Unix(seconds, 0)) > life {
			_, err = conn.Exec(ctx, `DROP DATABASE IF EXISTS `+pgx.Identifier{db.Name}.Sanitize())
		}
		if err != nil {
			slog.Debug("storetest: kept an old database", "name", db.Name, "error", err)
		}
	}
}
