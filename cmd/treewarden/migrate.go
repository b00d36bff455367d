package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"treewarden/migrations"
)

// MigrateCmd applies or lists the migrations of the schema.
type MigrateCmd struct {
	Up     MigrateUpCmd     `cmd:"" default:"1" help:"Apply the missing migrations. Every other command does this too."`
	Status MigrateStatusCmd `cmd:"" help:"List the migrations and when they were applied."`
}

// MigrateUpCmd applies the missing migrations.
type MigrateUpCmd struct{}

// Run prints how many migrations were applied.
func (c *MigrateUpCmd) Run(app *App) error {
	applied, err := app.Migrate(app.Context())
	if err != nil {
		return err
	}
	if applied == 0 {
		_, err = fmt.Fprintln(app.Stdout, "the schema is up to date")
	} else {
		_, err = fmt.Fprintf(app.Stdout, "applied %s\n", plural(applied, "migration"))
	}
	return err
}

// MigrateStatusCmd lists the migrations. It applies none, so that an operator
// can look before an update.
type MigrateStatusCmd struct{}

// Run prints a line for each migration.
func (c *MigrateStatusCmd) Run(app *App) error {
	url, err := app.URL(app.Context())
	if err != nil {
		return err
	}
	states, err := migrations.Status(app.Context(), url)
	if err != nil {
		return app.explain(err)
	}
	w := tabwriter.NewWriter(app.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MIGRATION\tAPPLIED")
	for _, s := range states {
		applied := "no"
		if s.Applied() {
			applied = s.AppliedAt.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%s\n", s.Name, applied)
	}
	return w.Flush()
}

// plural writes a number with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
