// Command treewarden serves the moderation console and does its work on the
// command line: it imports, exports, scores, makes accounts and keys, and checks the
// audit log. Without a database URL it runs its own PostgreSQL.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the build (-ldflags "-X main.version=…").
var version = ""

// The exit statuses.
const (
	done   = 0
	failed = 1 // the work failed or found faults
	misuse = 2 // the command line was wrong
)

// errFaults is the error of a command that did its work and found faults, such
// as lines that an import refused. Wrap it with the faults.
var errFaults = errors.New("faults were found")

// usageError is an error in a command line that only the command itself can
// find.
type usageError string

func (e usageError) Error() string { return string(e) }

// exit carries a status out of the parser, which ends some commands (--help) by
// itself.
type exit int

func main() {
	// If a reader goes away (treewarden audit export | head), the signal must
	// not kill the program before it has closed its database. Writing then
	// returns an error instead.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The second signal ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run runs one command line and returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (status int) {
	out := &output{to: stdout}
	app := &App{ctx: ctx, Stdin: stdin, Stdout: out, Stderr: stderr}
	err := app.run(args)
	if err == nil {
		err = out.err
	}
	var parse *kong.ParseError
	var usage usageError
	switch {
	case err == nil:
		return done
	case errors.Is(err, syscall.EPIPE):
		return failed // the reader is gone: no error to report, but the output is incomplete
	case errors.As(err, &parse):
		fmt.Fprintf(stderr, "treewarden: %s; %q lists commands and flags\n", oneLine(err), "treewarden help")
		return misuse
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "treewarden: %s\n", oneLine(err))
		return misuse
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "treewarden: interrupted; run the command again to continue")
		return failed
	}
	fmt.Fprintf(stderr, "treewarden: %s\n", oneLine(err))
	return failed
}

// run parses a command line and runs its command.
func (a *App) run(args []string) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exit:
			if r != done {
				err = usageError("the command line was wrong")
			}
		default:
			panic(r)
		}
	}()
	var commands commandLine
	parser, err := newParser(&commands, a)
	if err != nil {
		return fmt.Errorf("set up the command line: %w", err)
	}
	if len(args) == 0 {
		return usageError(`which command? "treewarden help" lists them; ` +
			`"treewarden demo" shows the console with made-up data`)
	}
	command, err := parser.Parse(args)
	if err != nil {
		return err
	}
	a.Settings = commands.Settings
	a.prepare(command.Command())
	defer func() { err = errors.Join(err, a.Close()) }()
	return a.withLog(command.Run(a))
}

// oneLine joins the lines of an error.
func oneLine(err error) string {
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' })
	for i, line := range lines {
		lines[i] = strings.Join(strings.Fields(line), " ")
	}
	return strings.Join(lines, "; ")
}

// output is the standard output. It keeps the first error, so that no command
// reports success if its output was lost.
type output struct {
	to  io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.to.Write(p)
	if err != nil && o.err == nil {
		o.err = fmt.Errorf("write to standard output: %w", err)
	}
	return n, err
}

// programVersion returns the version that the build set, or else the version
// that Go knows of the source.
func programVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (v == "" || v == "(devel)") {
			v = "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return v
}
