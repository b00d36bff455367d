package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"treewarden/scoring/classifier/config"
	"treewarden/scoring/classifier/linear"
	"treewarden/store"
	"treewarden/store/classify"
)

// ClassifyCmd runs classifiers.
type ClassifyCmd struct {
	Run    ClassifyRunCmd    `cmd:"" default:"withargs" help:"Classify messages or texts. The word run can be left out."`
	Models ClassifyModelsCmd `cmd:"" help:"List the classifiers of the configuration."`
}

// Help says where the flags are.
func (c *ClassifyCmd) Help() string {
	return `"treewarden classify --missing" is "treewarden classify run --missing"; "treewarden classify run --help" lists
its flags. docs/classifiers.md tells of the file that --classifiers names.`
}

// ClassifyRunCmd runs one classifier over messages, or over texts that are given.
type ClassifyRunCmd struct {
	Model   string  `help:"The classifier (default: treewarden, the embedded one, or the only one)." placeholder:"NAME"`
	Missing bool    `help:"Only messages that lack an output of the classifier for the text that they have now."`
	Lang    string  `help:"Only messages in this language." placeholder:"LANG"`
	Limit   int64   `help:"Maximum number of messages (0: all)." placeholder:"N"`
	Workers int     `help:"Number of batches at once (0: as many as keep the classifier busy)." placeholder:"N"`
	Text    *string `help:"Print the scores of this text as JSON, and touch no message." xor:"texts" placeholder:"TEXT"`
	Lines   bool    `help:"${help_lines}" xor:"texts"`
}

// Run runs the classifier.
func (c *ClassifyRunCmd) Run(app *App) error {
	if c.Limit < 0 || c.Workers < 0 {
		return usageError("--limit and --workers are 0 or more")
	}
	if (c.Text != nil || c.Lines) && (c.Missing || c.Lang != "" || c.Limit > 0) {
		return usageError("--missing, --lang and --limit are for messages; leave them out with --text and --lines")
	}
	all, err := app.classifiers()
	if err != nil {
		return err
	}
	chosen, err := choose(all, c.Model)
	if err != nil {
		return err
	}
	switch {
	case c.Text != nil:
		return c.text(app, chosen)
	case c.Lines:
		return c.lines(app, chosen)
	}
	return c.messages(app, chosen)
}

// choose returns the classifier of a name, or the default one if the name is empty.
func choose(all []config.Configured, name string) (config.Configured, error) {
	if name == "" {
		if len(all) == 1 {
			return all[0], nil
		}
		name = config.DefaultName
	}
	names := make([]string, len(all))
	for i, m := range all {
		if names[i] = m.Name; m.Name == name {
			return m, nil
		}
	}
	if len(all) == 0 {
		return config.Configured{}, errors.New("no classifier is configured; docs/classifiers.md tells how to configure one")
	}
	return config.Configured{}, usageError(fmt.Sprintf("there is no classifier %q; give --model one of: %s", name,
		strings.Join(names, ", ")))
}

// text prints the scores of one text.
func (c *ClassifyRunCmd) text(app *App, m config.Configured) error {
	scores, err := m.Classify(app.Context(), []string{*c.Text})
	if err != nil {
		return fmt.Errorf("classifier %s: %w", m.Name, err)
	}
	return json.NewEncoder(app.Stdout).Encode(scores[0])
}

// atOnce is the maximum number of lines that are read before their scores are printed.
const atOnce = 2048

// lines prints the scores of each line of standard input. A line that comes late does not
// hold up the scores of those before it.
func (c *ClassifyRunCmd) lines(app *App, m config.Configured) error {
	ctx := app.Context()
	lines := make(chan string, atOnce)
	read := make(chan error, 1)
	go func() {
		defer close(lines)
		in := bufio.NewReaderSize(app.Stdin, 1<<20)
		for {
			line, err := in.ReadString('\n')
			if line != "" {
				select {
				case lines <- lineText(line):
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					read <- fmt.Errorf("read standard input: %w", err)
				}
				return
			}
		}
	}()
	out := bufio.NewWriterSize(app.Stdout, 1<<16)
	refused := 0
	for texts := []string{}; ; texts = texts[:0] {
		text, more := <-lines
		if !more {
			break
		}
		texts = append(texts, text)
		for more && len(texts) < atOnce {
			select {
			case text, more = <-lines:
				if more {
					texts = append(texts, text)
				}
				continue
			default:
			}
			break
		}
		results, err := m.Each(ctx, texts)
		if err != nil {
			return fmt.Errorf("classifier %s: %w", m.Name, err)
		}
		for i, r := range results {
			if r.Err != nil {
				refused++
				fmt.Fprintf(app.Stderr, "no scores of %.60q: %v\n", texts[i], r.Err)
				_, err = out.WriteString("{}\n")
			} else if line, e := json.Marshal(r.Scores); e != nil {
				err = e
			} else {
				_, err = out.Write(append(line, '\n'))
			}
			if err != nil {
				return fmt.Errorf("print scores: %w", err)
			}
		}
		if err := out.Flush(); err != nil {
			return fmt.Errorf("print scores: %w", err)
		}
	}
	select {
	case err := <-read:
		return err
	default:
	}
	if refused > 0 {
		return fmt.Errorf("the classifier has no scores of %s", plural(refused, "text"))
	}
	return ctx.Err()
}

// lineText returns the text of a line: a JSON string, or the line itself.
func lineText(line string) string {
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	var text string
	if strings.HasPrefix(line, `"`) && json.Unmarshal([]byte(line), &text) == nil {
		return text
	}
	return line
}

// messages runs the classifier over the messages of the database.
func (c *ClassifyRunCmd) messages(app *App, m config.Configured) error {
	s, err := app.Store(app.Context())
	if err != nil {
		return err
	}
	access, err := s.Classifiers(store.CommandLine)
	if err != nil {
		return err
	}
	draw, end := app.messagesBar("classifying")
	defer end()
	options := classify.Options{Missing: c.Missing, Lang: c.Lang, Limit: c.Limit, Workers: c.Workers}
	if draw != nil {
		options.Progress = func(p classify.Progress) {
			done := p.Done + p.Refused + p.Skipped // of all about as many as of the parts
			draw(done, done*int64(p.AllParts)/int64(max(p.Parts, 1)))
		}
	}
	began := time.Now()
	done, err := access.Run(app.Context(), modelOf(m), options)
	took := max(time.Since(began).Seconds(), 1e-3)
	line := fmt.Sprintf("%s: %s, %.0f a second", m.Name, plural(int(done.Done), "message"), float64(done.Done)/took)
	if done.Refused > 0 {
		line += "; refused " + plural(int(done.Refused), "message")
	}
	if done.Skipped > 0 {
		line += "; left out " + plural(int(done.Skipped), "message") + " that changed meanwhile"
	}
	if _, e := fmt.Fprintln(app.Stdout, line); err == nil {
		err = e
	}
	if app.Context().Err() != nil {
		return fmt.Errorf("stopped early (%w); what is done stays, and %q goes on with the rest", app.Context().Err(),
			"treewarden classify --missing")
	}
	return err
}

// ClassifyModelsCmd lists the classifiers.
type ClassifyModelsCmd struct{}

// Run prints the classifiers, one a line.
func (c *ClassifyModelsCmd) Run(app *App) error {
	all, err := app.classifiers()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(app.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tKIND\tLANGUAGES\tTOXICITY\tVERSION\tADDRESS")
	for _, m := range all {
		languages, toxicity := "all", "-"
		if len(m.Languages) > 0 {
			languages = strings.Join(m.Languages, ",")
		}
		if m.Toxicity != "" {
			toxicity = m.Toxicity
		}
		version, address := m.Version, m.URL
		if version == "" {
			version = "-"
		}
		if address == "" {
			address = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", m.Name, m.Kind, languages, toxicity, version, address)
	}
	return w.Flush()
}

// classifiers returns the classifiers of the configuration.
func (a *App) classifiers() ([]config.Configured, error) {
	if a.configured != nil {
		return a.configured, nil
	}
	chosen := config.Default()
	if a.Classifiers != "" {
		var err error
		if chosen, err = config.Load(a.Classifiers); err != nil {
			return nil, err
		}
	}
	embedded := linear.Default()
	for i := range chosen.Classifiers {
		if c := &chosen.Classifiers[i]; c.Kind == config.Embedded && c.Version == "" {
			c.Version = embedded.Version()
		}
	}
	all, err := config.Build(chosen, embedded)
	if err == nil {
		a.configured = all
	}
	return all, err
}

// embeddedBatch is the number of messages that are read and written together for the
// embedded classifier.
const embeddedBatch = 2048

// modelOf returns a classifier as a command runs it.
func modelOf(m config.Configured) classify.Model {
	model := classify.Model{Name: m.Name, Guard: m.Guard, Toxicity: m.Toxicity, Languages: slices.Clone(m.Languages),
		Batch: max(m.Limits.Batch, 1), Workers: 2 * max(m.Limits.Parallel, 1)}
	if m.Kind == config.Embedded {
		model.Batch, model.Workers = embeddedBatch, runtime.GOMAXPROCS(0)+1
	}
	return model
}

// servedModels returns classifiers as serve runs them. The embedded one leaves half of the
// processors to the people who use the console meanwhile.
func servedModels(all []config.Configured) []classify.Model {
	models := make([]classify.Model, len(all))
	for i, m := range all {
		models[i] = modelOf(m)
		if m.Kind == config.Embedded {
			models[i].Workers = max(1, runtime.GOMAXPROCS(0)/2)
		}
	}
	return models
}
