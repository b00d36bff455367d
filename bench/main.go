// Bench measures this program against Open-Assistant's own design, on the same
// rows in the same server, in one run, and prints a table.
//
//	go run ./bench [-scale S,M] [-only board,ingest] [-dir FOLDER] [-keep]
//
// S has the size of the published corpus (13,500 users, 160,000 messages), M
// ten times that. Only the ratios within a run have a meaning: absolute figures
// depend on the machine. A missed target is reported, but is not a failure.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options holds the flags of the command line.
type options struct {
	dir  string // empty means a temporary folder, removed at the end
	keep bool
	only []string
	end  time.Time
}

func command(ctx context.Context) error {
	scales := flag.String("scale", "S", "sizes, one after the other: S, M, or x and a multiple of S, such as S,x0.1")
	dir := flag.String("dir", "", "folder of the server's data, a subfolder for each size; kept, and used again by the "+
		"next run (default: a temporary one)")
	keep := flag.Bool("keep", false, "leave the server running, with the data")
	only := flag.String("only", "", "sections to measure; load: none (default: all of "+sectionNames()+")")
	until := flag.String("end", "", "when the collection ends, such as 2026-01-02T15:00:00Z (default: now)")
	flag.Parse()
	o := options{dir: *dir, keep: *keep, end: time.Now()}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	if *until != "" {
		var err error
		if o.end, err = time.Parse(time.RFC3339, *until); err != nil {
			return err
		}
	}
	var before *bench
	for scale := range strings.SplitSeq(*scales, ",") {
		b, err := o.run(ctx, scale)
		if err != nil {
			return err
		}
		if before != nil && before.boardPage > 0 && b.boardPage > 0 {
			b.atMost("board page, total, against the one at the size before", before.boardPage, b.boardPage, 1.5, "store.Board")
		}
		fmt.Printf("\n## %s: %s\n\n%s\n%s\n", scale, b.size, b.settings, b.markdown())
		if missed := b.missed(); len(missed) > 0 {
			fmt.Printf("These miss their target (targets are meant for M): %s.\n", strings.Join(missed, "; "))
		}
		before = b
	}
	return nil
}

// run measures at one size.
func (o options) run(ctx context.Context, scale string) (b *bench, err error) {
	factor, err := parseScale(scale)
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(cmp.Or(o.dir, os.TempDir()), "treewarden-bench-"+scale)
	server, url, err := startServer(ctx, folder)
	if err != nil {
		return nil, err
	}
	if !o.keep {
		defer func() {
			err = errors.Join(err, server.Stop())
			if o.dir == "" {
				err = errors.Join(err, os.RemoveAll(folder))
			}
		}()
	}
	logf := func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
	logf("database: %s", url)
	b = &bench{table: table{logf: logf}, url: url, effort: 1, folder: folder}
	return b, b.run(ctx, factor, o.end, o.only)
}

// run loads and measures.
func (b *bench) run(ctx context.Context, factor float64, end time.Time, only []string) (err error) {
	l := &loading{url: b.url, scale: factor, end: end.UTC().Truncate(time.Microsecond), watch: stopwatch{log: b.logf}}
	if b.end, err = l.load(ctx); err != nil {
		return err
	}
	return b.measure(ctx, only)
}

// parseScale reads S, M or x<factor>.
func parseScale(text string) (float64, error) {
	switch text {
	case "S":
		return 1, nil
	case "M":
		return 10, nil
	}
	factor, err := strconv.ParseFloat(strings.TrimPrefix(text, "x"), 64)
	if err != nil || !strings.HasPrefix(text, "x") || factor < 0.005 || factor > 100 {
		return 0, fmt.Errorf("a scale is S, M, or x and a number such as x0.1, not %q", text)
	}
	return factor, nil
}
