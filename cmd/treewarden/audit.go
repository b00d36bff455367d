package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"treewarden/store"
)

// AuditCmd checks and exports the log of actions.
type AuditCmd struct {
	Verify     AuditVerifyCmd     `cmd:"" help:"Verify the log's hash chain, and compare the database with the log."`
	Checkpoint AuditCheckpointCmd `cmd:"" help:"Print the end of the log. Keep it elsewhere, for audit verify later."`
	Export     AuditExportCmd     `cmd:"" help:"Print all actions as JSON Lines, and the total."`
}

// AuditVerifyCmd walks the hash chain.
type AuditVerifyCmd struct {
	Checkpoint string `help:"File with a checkpoint that the log must contain; - is standard input." placeholder:"FILE"`
}

// Run prints the chain's length and head, or the first broken entry and what differs
// from the log.
func (c *AuditVerifyCmd) Run(app *App) error {
	kept, err := c.checkpoint(app)
	if err != nil {
		return err
	}
	s, err := app.Store(app.Context())
	if err != nil {
		return err
	}
	status, differences, err := s.VerifyLog(app.Context(), kept)
	var broken *store.BrokenChain
	if errors.As(err, &broken) {
		fmt.Fprintln(app.Stdout, broken)
		return fmt.Errorf("the audit log was changed outside this program (%w); "+
			"compare it with a backup or an earlier export",
			errFaults)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(app.Stdout, "%s, chain holds, head %s\n", plural(int(status.Seq), "action"), status.Hash)
	for _, difference := range differences {
		fmt.Fprintln(app.Stdout, difference)
	}
	if len(differences) > 0 {
		return fmt.Errorf("the log is intact, but the database was changed outside this program in %s (%w); check "+
			"each place, and repeat the action or restore a backup", plural(len(differences), "place"), errFaults)
	}
	return nil
}

// checkpoint reads the checkpoint, nil if none was named.
func (c *AuditVerifyCmd) checkpoint(app *App) (*store.ChainStatus, error) {
	if c.Checkpoint == "" {
		return nil, nil
	}
	from := app.Stdin
	if c.Checkpoint != "-" {
		file, err := os.Open(c.Checkpoint)
		if err != nil {
			return nil, fmt.Errorf("open the checkpoint: %w", err)
		}
		defer file.Close()
		from = file
	}
	text, err := io.ReadAll(io.LimitReader(from, 1<<16))
	if err != nil {
		return nil, fmt.Errorf("read the checkpoint: %w", err)
	}
	var kept store.ChainStatus
	if err := json.Unmarshal(text, &kept); err != nil || kept.Seq < 0 || kept.Seq > 0 && len(kept.Hash) != 64 {
		return nil, fmt.Errorf("%s is no checkpoint: write one by audit checkpoint > FILE", c.Checkpoint)
	}
	return &kept, nil
}

// AuditCheckpointCmd prints the end of the log.
type AuditCheckpointCmd struct{}

// Run prints the number, the hash and the time of the last entry as one JSON object.
func (c *AuditCheckpointCmd) Run(app *App) error {
	s, err := app.Store(app.Context())
	if err != nil {
		return err
	}
	status, err := s.ChainStatus(app.Context())
	if err != nil {
		return err
	}
	text, err := json.Marshal(status)
	if err != nil {
		return fmt.Errorf("write the checkpoint: %w", err)
	}
	_, err = fmt.Fprintln(app.Stdout, string(text))
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
