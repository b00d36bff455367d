package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"treewarden/store"
	"treewarden/store/exports"
)

// ExportCmd writes files of trees and messages, and checks them.
type ExportCmd struct {
	Write  ExportWriteCmd  `cmd:"" default:"withargs" help:"${help_write}"`
	Verify ExportVerifyCmd `cmd:"" help:"Check a file against its manifest, and against the database."`
}

// Help says where the flags are.
func (c *ExportCmd) Help() string {
	return `"treewarden export --out FILE" is "treewarden export write --out FILE"; "treewarden export write --help" ` +
		`lists its flags.`
}

// ExportWriteCmd writes one file. Its flags have the names and defaults of those of
// Open-Assistant's exporter.
type ExportWriteCmd struct {
	Out    string `required:"" help:"${help_out}" placeholder:"FILE"`
	Force  bool   `help:"Replace the file if it exists."`
	Card   bool   `help:"${help_card}"`
	Format string `enum:"trees,messages,csv,parquet," default:"" help:"${help_format}"`

	State            string `enum:"all,${states}," default:"" help:"${help_state}" placeholder:"STATE"`
	IncludeDeleted   bool   `help:"Deleted messages too."`
	DeletedOnly      bool   `help:"Only deleted messages."`
	IncludeSpam      bool   `help:"Messages with any result of the review (default: only accepted ones)."`
	SpamOnly         bool   `help:"Only rejected messages."`
	IncludeSynthetic bool   `help:"Trees with synthetic messages too."`
	SyntheticOnly    bool   `help:"Only synthetic messages."`
	User             string `help:"Only messages of the user with this id." placeholder:"ID"`
	Lang             string `help:"Only trees with a prompt in this language." placeholder:"LANG"`
	PromptsOnly      bool   `help:"Only prompts."`
	ExportLabels     bool   `help:"Write the means of labels."`
	ExportEvents     bool   `help:"Write the events of imported messages."`
	Limit            int    `help:"Maximum number of trees (0: all)." placeholder:"N"`
	AnonymizerSeed   string `help:"${help_anonymizer_seed}" placeholder:"SEED"`

	WithoutList       []string `sep:"none" help:"${help_without_list}" placeholder:"NAME_OR_ID"`
	WithoutBanned     bool     `help:"Leave out messages of banned users."`
	WithoutClassifier []string `sep:"none" help:"${help_without_classifier}" placeholder:"COMPARISON"`
	Since             string   `help:"${help_since}" placeholder:"TIME"`
	Until             string   `help:"Only messages before this time." placeholder:"TIME"`
	DeletedNodes      string   `enum:"drop,blank" default:"drop" help:"${help_deleted_nodes}"`
}

// gzip reports whether the file is compressed.
func (c *ExportWriteCmd) gzip() bool { return strings.HasSuffix(c.Out, ".gz") }

// filters returns the filters of the flags.
func (c *ExportWriteCmd) filters() (f exports.Filters, err error) {
	f, err = exports.Flags{
		Format: c.Format, State: c.State, IncludeDeleted: c.IncludeDeleted, DeletedOnly: c.DeletedOnly,
		IncludeSpam: c.IncludeSpam, SpamOnly: c.SpamOnly, IncludeSynthetic: c.IncludeSynthetic,
		SyntheticOnly: c.SyntheticOnly, User: c.User, Lang: c.Lang, PromptsOnly: c.PromptsOnly,
		ExportLabels: c.ExportLabels, ExportEvents: c.ExportEvents, Limit: c.Limit, AnonymizerSeed: c.AnonymizerSeed,
		WithoutList: c.WithoutList, WithoutBanned: c.WithoutBanned, WithoutClassifier: c.WithoutClassifier,
		Since: c.Since, Until: c.Until, DeletedNodes: c.DeletedNodes,
	}.Filters()
	if err == nil {
		f, err = exports.Options{Filters: f, Gzip: c.gzip()}.Checked()
	}
	return f, flagError(err)
}

// flagError makes an error about a filter one about its flag.
func flagError(err error) error {
	var bad store.BadParameter
	if errors.As(err, &bad) {
		return usageError("--" + strings.ReplaceAll(bad.Name, "_", "-") + ": " + strings.TrimSuffix(bad.Error(), "."))
	}
	return err
}

// Run writes the file and prints a line about it.
func (c *ExportWriteCmd) Run(app *App) error {
	f, err := c.filters()
	if err != nil {
		return err
	}
	if c.Out == "-" {
		return usageError("--out is the name of a file, because the manifest is written beside it; standard output has no " +
			"place for one")
	}
	if err := c.free(); err != nil {
		return err
	}
	s, err := app.Store(app.Context())
	if err != nil {
		return err
	}
	access, err := s.Exports(store.CommandLine)
	if err != nil {
		return err
	}
	var m exports.Manifest
	err = writeBeside(c.Out, func(file io.Writer) error {
		progress, end := app.messagesBar("exporting")
		defer end()
		m, err = access.Write(app.Context(), file, exports.Options{
			Filters: f, File: filepath.Base(c.Out), Gzip: c.gzip(), Program: programVersion(),
			Progress: progress,
		})
		return err
	}, func() error { return c.publish(&m) })
	if err != nil {
		return flagError(err)
	}
	left := m.In.Messages - m.Out.Messages
	_, err = fmt.Fprintf(app.Stdout, "wrote %s: %s, %s; left out %s; SHA-256 %s\n", c.Out,
		plural(int(m.Out.Trees), "tree"), plural(int(m.Out.Messages), "message"), plural(int(left), "message"), m.SHA256)
	return err
}

// manifestOf returns the name of the manifest of a file.
func manifestOf(file string) string { return file + ".manifest.json" }

// cardOf returns the name of the dataset card of a file.
func cardOf(file string) string { return file + ".README.md" }

// free checks that the file can be written and that nothing would be lost.
func (c *ExportWriteCmd) free() error {
	for _, name := range []string{c.Out, manifestOf(c.Out), cardOf(c.Out)} {
		info, err := os.Stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return fmt.Errorf("look for %s: %w", name, err)
		case info.IsDir():
			return fmt.Errorf("%s is a folder; name a file", name)
		case !c.Force:
			return fmt.Errorf("%s exists; name another file, or replace it with --force", name)
		case name == cardOf(c.Out) && !c.Card:
			return fmt.Errorf("%s tells of the former file; replace it too with --card, or move it away", name)
		}
	}
	if info, err := os.Stat(filepath.Dir(c.Out)); err != nil || !info.IsDir() {
		return fmt.Errorf("there is no folder %s to write %s to", filepath.Dir(c.Out), filepath.Base(c.Out))
	}
	return nil
}

// publish writes the manifest and the card, after the file was written beside its name.
// Of a file that is replaced, they go first, so that none ever stands beside another
// file.
func (c *ExportWriteCmd) publish(m *exports.Manifest) error {
	text, err := m.Text()
	if err != nil {
		return err
	}
	if err := c.free(); err != nil { // somebody may have written it meanwhile
		return err
	}
	for _, former := range []string{manifestOf(c.Out), cardOf(c.Out)} {
		if err := os.Remove(former); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the former manifest: %w", err)
		}
	}
	if c.Card {
		if err := writeText(cardOf(c.Out), m.Card()); err != nil {
			return err
		}
	}
	return writeText(manifestOf(c.Out), text)
}

// writeText writes a small file at once.
func writeText(name string, text []byte) error {
	return writeBeside(name, func(file io.Writer) error {
		_, err := file.Write(text)
		return err
	}, func() error { return nil })
}

// writeBeside writes a file under another name beside its own, and renames it when it is
// complete and ready has returned. On an error nothing is left of it.
func writeBeside(name string, write func(io.Writer) error, ready func() error) (err error) {
	beside := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+"."+rand.Text()[:8]+".part")
	file, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return fmt.Errorf("make the file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = file.Close() // it may be closed already
			err = errors.Join(err, os.Remove(beside))
		}
	}()
	if err := write(file); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("write the file: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("write the file: %w", err)
	}
	if err := ready(); err != nil {
		return err
	}
	if err := os.Rename(beside, name); err != nil {
		return fmt.Errorf("name the file: %w", err)
	}
	return nil
}

// messagesBar returns a function that shows progress on a terminal, or nil without one,
// and one that ends it.
func (a *App) messagesBar(what string) (progress func(done, total int64), end func()) {
	file, ok := a.Stderr.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil, func() {}
	}
	bar := progressbar.NewOptions64(1, progressbar.OptionSetWriter(file), progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish())
	return func(done, total int64) {
		bar.ChangeMax64(max(total, 1))
		_ = bar.Set64(done) // a failure to draw the bar is harmless
	}, func() { _ = bar.Finish() }
}
