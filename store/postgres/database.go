//go:build unix

package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// prepareDatabases makes the program's role and database, each when missing.
func (s *Server) prepareDatabases(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.address(superuser, "postgres"))
	if err != nil {
		return fmt.Errorf("reach the PostgreSQL on %s: %w", s.folder.dir, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))

	var role, database bool
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1), EXISTS (SELECT FROM pg_database WHERE datname = $2)`,
		programRole, programDatabase).Scan(&role, &database)
	if err != nil {
		return fmt.Errorf("look for the program's database: %w", err)
	}
	if !role {
		// It reads the server's statistics and may ask for a checkpoint, which
		// the benchmark does, but it cannot touch the server's files.
		if _, err := conn.Exec(ctx, `CREATE ROLE treewarden LOGIN CREATEDB IN ROLE pg_monitor, pg_checkpoint`); err != nil {
			return fmt.Errorf("make the program's role: %w", err)
		}
	}
	if !database {
		if _, err := conn.Exec(ctx, `CREATE DATABASE treewarden OWNER treewarden`); err != nil {
			return fmt.Errorf("make the program's database: %w", err)
		}
	}
	return nil
}

// createDatabase makes a database of the program's role when it is missing.
func (s *Server) createDatabase(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, s.address(programRole, "postgres"))
	if err != nil {
		return fmt.Errorf("reach the PostgreSQL on %s: %w", s.folder.dir, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))

	var exists bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&exists); err != nil || exists {
		return err
	}
	_, err = conn.Exec(ctx, `CREATE DATABASE `+pgx.Identifier{name}.Sanitize())
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && (pgErr.Code == "42P04" || pgErr.Code == "23505") {
		return nil // another process made it in this moment
	}
	return err
}
