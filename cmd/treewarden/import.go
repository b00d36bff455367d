package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"treewarden/corpus"
	"treewarden/store"
)

// ImportCmd takes trees and messages from files into the database.
type ImportCmd struct {
	Files  []string `arg:"" name:"file" help:"JSON Lines (.jsonl, .jsonl.gz) of trees or messages; - is standard input."`
	JSON   bool     `name:"json" help:"Print the summary as one JSON object."`
	DryRun bool     `help:"Read and check everything, and write nothing."`
}

// standardInput is the name of standard input among the files.
const standardInput = "-"

// importLogged is the time between two progress lines in the log of an import
// without a terminal.
const importLogged = 5 * time.Second

// Run imports the files one after the other and prints a summary. It fails if
// lines were refused, but keeps the others.
func (c *ImportCmd) Run(app *App) error {
	size, err := c.check()
	if err != nil {
		return err
	}
	s, err := app.Store(app.Context())
	if err != nil {
		return err
	}
	source := importSource{app: app, files: c.Files, ignored: map[string]int{}}
	if file, ok := app.Stderr.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		source.bar = progressbar.NewOptions64(size, progressbar.OptionSetWriter(file),
			progressbar.OptionSetDescription("importing"),
			progressbar.OptionShowBytes(true), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish())
	}
	logged := time.Now()
	summary, err := s.Import(app.Context(), source.records(),
		store.ImportOptions{DryRun: c.DryRun, Log: app.Log, Progress: func(s store.ImportSummary) {
			if source.bar == nil && time.Since(logged) >= importLogged {
				logged = time.Now()
				app.Log.Info("importing", "bytes", s.Bytes, "messages", s.Messages,
					"updated", s.Updated, "unchanged", s.Unchanged, "rejected", s.Rejected)
			}
		}})
	if source.bar != nil {
		_ = source.bar.Finish() // a failure to clear the bar is harmless
	}
	alike := joinAlike(&summary)
	if printed := c.print(app, summary, &source, err == nil, alike); printed != nil {
		return printed
	}
	if err != nil {
		return err
	}
	return c.verdict(summary)
}

// check makes sure before the import that the files exist. It returns their
// total size, or -1 if that is unknown.
func (c *ImportCmd) check() (size int64, err error) {
	inputs := 0
	for _, name := range c.Files {
		if name == standardInput {
			if inputs++; inputs > 1 {
				return 0, usageError("- stands for standard input, which can be read only once")
			}
			size = -1
			continue
		}
		info, err := os.Stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return 0, fmt.Errorf("there is no file %s; nothing was imported", name)
		case err != nil:
			return 0, fmt.Errorf("read the file: %w; nothing was imported", err)
		case info.IsDir():
			return 0, fmt.Errorf("%s is a folder; name the files in it; nothing was imported", name)
		case !info.Mode().IsRegular():
			size = -1
		case size >= 0:
			size += info.Size()
		}
	}
	return size, nil
}

// importSource reads the files one after the other.
type importSource struct {
	app     *App
	files   []string
	bar     *progressbar.ProgressBar
	ignored map[string]int // keys that the format does not have, complete after the last file
}

func (s *importSource) records() iter.Seq2[*corpus.Record, error] {
	return func(yield func(*corpus.Record, error) bool) {
		for _, name := range s.files {
			if !s.read(name, yield) {
				return
			}
		}
	}
}

func (s *importSource) read(name string, yield func(*corpus.Record, error) bool) bool {
	from, called := s.app.Stdin, "standard input"
	if name != standardInput {
		file, err := os.Open(name)
		if err != nil {
			yield(nil, fmt.Errorf("open the file: %w", err))
			return false
		}
		defer file.Close()
		from, called = file, name
	}
	if s.bar != nil {
		from = io.TeeReader(from, s.bar)
	}
	reader := corpus.NewReader(from, called)
	for record, err := range reader.All() {
		if !yield(record, err) {
			return false
		}
	}
	for key, n := range reader.Ignored() {
		s.ignored[key] += n
	}
	return true
}

// print prints the summary. The list of ignored keys is complete only after the
// last file.
func (c *ImportCmd) print(app *App, summary store.ImportSummary, source *importSource, ended, alike bool) error {
	var ignored []string
	if ended {
		for _, key := range slices.Sorted(maps.Keys(source.ignored)) {
			ignored = append(ignored, fmt.Sprintf("%q (%s)", key, plural(source.ignored[key], "time")))
		}
	}
	if c.JSON {
		if len(ignored) > 0 {
			app.Log.Info("ignored keys that are not part of the format", "keys", strings.Join(ignored, ", "))
		}
		return json.NewEncoder(app.Stdout).Encode(summary)
	}
	number := func(n int64, noun string) string {
		if n == 1 {
			return "1 " + noun
		}
		return humanize.Comma(n) + " " + noun + "s"
	}
	var b strings.Builder
	if c.DryRun {
		b.WriteString("a dry run: nothing was written\n")
	}
	fmt.Fprintf(&b, "new      %s, %s, %s\n",
		number(summary.Trees, "tree"), number(summary.Messages, "message"), number(summary.Users, "user"))
	fmt.Fprintf(&b, "known    %s updated, %s unchanged\n", number(summary.Updated, "message"),
		humanize.Comma(summary.Unchanged))
	if n := summary.Superseded; n > 0 {
		fmt.Fprintf(&b, "versions %s replaced by a later one about the same message\n", number(n, "line"))
	}
	fmt.Fprintf(&b, "refused  %s; %s waiting for the parent\n", number(summary.Rejected, "line"),
		number(summary.Orphans, "orphan"))
	fmt.Fprintf(&b, "read     %s in %.1f s\n", humanize.Bytes(uint64(max(summary.Bytes, 0))), summary.Seconds)
	if len(ignored) > 0 {
		fmt.Fprintf(&b, "ignored  %s\n", strings.Join(ignored, ", "))
	}
	for i := range summary.Errors {
		fmt.Fprintln(&b, summary.Errors[i].Error())
	}
	if more := summary.Rejected + summary.Orphans - int64(len(summary.Errors)); more > 0 && !alike {
		fmt.Fprintf(&b, "and %s more\n", number(more, "line"))
	}
	_, err := io.WriteString(app.Stdout, b.String())
	return err
}

// joinAlike makes one fault of those of a file of another format: nothing was
// imported, and all lines were refused in the same way. It reports whether it did.
func joinAlike(s *store.ImportSummary) bool {
	if s.Rejected < 2 || s.Trees+s.Messages+s.Updated+s.Unchanged+s.Superseded+s.Orphans > 0 {
		return false
	}
	first := s.Errors[0]
	for _, f := range s.Errors {
		if f.File != first.File || f.Code != first.Code {
			return false
		}
	}
	first.Message = fmt.Sprintf("this file has another format: all of its %s lines were refused for the same reason: %s",
		humanize.Comma(s.Rejected), first.Message)
	s.Errors = []corpus.Fault{first}
	return true
}

// verdict returns an error if lines were refused.
func (c *ImportCmd) verdict(summary store.ImportSummary) error {
	if !summary.Faults() {
		return nil
	}
	rest := "all other lines were imported"
	if c.DryRun {
		rest = "nothing was written"
	}
	if len(summary.Errors) == 1 {
		return fmt.Errorf("%w: %s", errFaults, summary.Errors[0].Error())
	}
	return fmt.Errorf("%w: %s refused, %s waiting for the parent, %s; the summary shows the first %d",
		errFaults, plural(int(summary.Rejected), "line"), plural(int(summary.Orphans), "orphan"), rest, len(summary.Errors))
}
