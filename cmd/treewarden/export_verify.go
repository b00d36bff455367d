package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"treewarden/store"
	"treewarden/store/exports"
)

// ExportVerifyCmd checks a file against its manifest.
type ExportVerifyCmd struct {
	File           string `arg:"" help:"File of an export; FILE.manifest.json is its manifest."`
	Against        bool   `help:"Compare the file with what its filters give now, and the manifest with the audit log."`
	AnonymizerSeed string `help:"With --against: the seed of the export, if its ids were replaced." placeholder:"SEED"`
}

// Run prints what differs, and fails if something does.
func (c *ExportVerifyCmd) Run(app *App) error {
	if c.AnonymizerSeed != "" && !c.Against {
		return usageError("--anonymizer-seed is of use only with --against")
	}
	m, err := c.manifest()
	if err != nil {
		return err
	}
	file, err := os.Open(c.File)
	if err != nil {
		return fmt.Errorf("open the file: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("open the file: %w", err)
	}
	content, err := m.Read(file, info.Size(), c.Against)
	if err != nil {
		return err
	}
	differences := m.Differences(content)
	for _, difference := range differences {
		fmt.Fprintln(app.Stdout, difference)
	}
	if len(differences) > 0 {
		return fmt.Errorf("%s and its manifest differ in %s (%w); take both from where they were written, or export again",
			c.File, plural(len(differences), "way"), errFaults)
	}
	fmt.Fprintf(app.Stdout, "%s is what its manifest says: %s, %s, SHA-256 %s\n", c.File,
		plural(int(content.Trees), "tree"), plural(int(content.Messages), "message"), content.SHA256)
	if !c.Against {
		return nil
	}
	return c.against(app, m, content)
}

func (c *ExportVerifyCmd) manifest() (m exports.Manifest, err error) {
	name := manifestOf(c.File)
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("there is no manifest %s; an export writes it beside its file", name)
	}
	if err != nil {
		return m, fmt.Errorf("read the manifest: %w", err)
	}
	if m, err = exports.ReadManifest(text); err != nil {
		return m, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

// against compares the file with the database.
func (c *ExportVerifyCmd) against(app *App, m exports.Manifest, content exports.Content) error {
	s, err := app.Store(app.Context())
	if err != nil {
		return err
	}
	access, err := s.Exports(store.CommandLine)
	if err != nil {
		return err
	}
	progress, end := app.messagesBar("comparing")
	found, err := access.Compare(app.Context(), m, content, c.AnonymizerSeed, progress)
	end()
	if err != nil {
		return flagError(err)
	}
	if found.Same() {
		_, err := fmt.Fprintf(app.Stdout, "the same filters give the same file now; the log holds entry %d\n", m.Log.Seq)
		return err
	}
	for _, part := range []struct {
		what string
		ids  exports.Named
	}{
		{"in the file and the database, but different", found.Changed},
		{"in the database, but not in the file", found.Added},
		{"in the file, but not in the database", found.Gone},
	} {
		for _, id := range part.ids.IDs {
			fmt.Fprintf(app.Stdout, "%s\t%s\n", id, part.what)
		}
		if more := int(part.ids.Count) - len(part.ids.IDs); more > 0 {
			fmt.Fprintf(app.Stdout, "and %d more\t%s\n", more, part.what)
		}
	}
	changed := found.Changed.Count + found.Added.Count + found.Gone.Count
	if found.Broken != nil {
		fmt.Fprintln(app.Stdout, found.Broken)
		return fmt.Errorf("the audit log does not hold entry %d of the manifest, and the file differs in %s (%w); is this "+
			"the database of the export?", m.Log.Seq, plural(int(changed), "line"), errFaults)
	}
	return fmt.Errorf("the database gives another file now, which differs in %s (%w); export again to have it",
		plural(int(changed), "line"), errFaults)
}
