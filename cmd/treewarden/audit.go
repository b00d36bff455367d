package main

import (
	"bufio"
	"errors"
	"fmt"

	"treewarden/store"
)

// AuditCmd checks and exports the log of actions.
type AuditCmd struct {
	Verify AuditVerifyCmd `cmd:"" help:"Walk the log's hash chain and name the first entry that does not hold."`
	Export AuditExportCmd `cmd:"" help:"Print all actions as JSON lines, and the total."`
}

// AuditVerifyCmd walks the hash chain.
type AuditVerifyCmd struct{}

// Run prints the chain's length and head, or the first broken entry.
func (c *AuditVerifyCmd) Run(app *App) error {
	s, err := app.Store(app.Context())
	if err != nil {
		return err
	}
	status, err := s.VerifyChain(app.Context())
	var broken *store.BrokenChain
	if errors.As(err, &broken) {
		fmt.Fprintln(app.Stdout, broken)
		return fmt.Errorf("the audit log was changed past this program (%w); compare it with a backup or an earlier export",
			errFaults)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(app.Stdout, "%s, chain holds, head %s\n", plural(int(status.Seq), "action"), status.Hash)
	return err
}

// AuditExportCmd exports the log.
type AuditExportCmd struct{}

// Run prints a line for each action, the oldest first, and {"total": N}.
func (c *AuditExportCmd) Run(app *App) error {
	s, err := app.Store(app.Context())
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(app.Stdout, 64<<10)
	if err := s.ExportActions(app.Context(), store.CommandLine, w); err != nil {
		return err
	}
	return w.Flush()
}
