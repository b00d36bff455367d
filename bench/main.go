// Bench measures this program against the reference's own design, on the same
// rows in the same server, in one run.
//
//	go run ./bench -scale S|M|x<factor> [-only board,refresh,…] [-dir FOLDER] [-keep]
//
// S has the size of the published corpus (13,500 users, 160,000 messages), M ten
// times that. Only ratios within a run mean anything.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
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

func command(ctx context.Context) (err error) {
	scale := flag.String("scale", "S", "size: S, M, or x and a multiple of S, such as x0.1")
	dir := flag.String("dir", "", "folder of the server's data; kept, and used again by the next run (default: a temporary one)")
	keep := flag.Bool("keep", false, "leave the server running, with the data")
	until := flag.String("end", "", "when the collection ends, such as 2026-01-02T15:00:00Z (default: now)")
	flag.Parse()
	factor, err := parseScale(*scale)
	if err != nil {
		return err
	}
	end := time.Now()
	if *until != "" {
		if end, err = time.Parse(time.RFC3339, *until); err != nil {
			return err
		}
	}
	folder := *dir
	if folder == "" {
		folder = defaultDir(*scale)
	}
	server, url, err := startServer(ctx, folder)
	if err != nil {
		return err
	}
	if !*keep {
		defer func() {
			err = errors.Join(err, server.Stop())
			if *dir == "" {
				err = errors.Join(err, os.RemoveAll(folder))
			}
		}()
	}
	log := func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
	log("database: %s", url)
	l := &loading{url: url, scale: factor, end: end.UTC().Truncate(time.Microsecond), watch: stopwatch{log: log}}
	_, err = l.load(ctx)
	return err
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
		return 0, fmt.Errorf("-scale is S, M, or x and a number such as x0.1, not %q", text)
	}
	return factor, nil
}
