//go:build unix

package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// prepareDatabase makes the program's role and its database where they are missing.
func (s *Server) prepareDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.address(superuser, "postgres"))
	if err != nil {
		return fmt.Errorf("reach the PostgreSQL on %s: %w", s.folder.dir, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))

	var role, database bool
	err = conn.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1), EXISTS (SELECT FROM pg_database WHERE datname = $2)`,
		programRole, programDatabase).Scan(&role, &database)
	if err != nil {
		return fmt.Errorf("look for the program's database: %w", err)
	}
	if !role {
		// The benchmark needs statistics and checkpoints. The role has no access
		// to the server's files.
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
