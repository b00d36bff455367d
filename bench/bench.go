package main

import (
	"context"
	_ "embed"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
)

//go:embed sql/legacy.sql
var legacySQL string

// legacy holds Open-Assistant's queries by name.
var legacy = named(legacySQL)

// bench measures on a loaded database.
type bench struct {
	table
	url    string
	end    time.Time // the end of the collection
	effort float64   // a factor for the number of repetitions
	folder string    // for the program that is built

	size, settings string // printed above the table

	store *store.Store
	ours  *pgxpool.Pool
	ref   *pgxpool.Pool
	web   *program
	keys  map[string]string // by role

	boardPage time.Duration // p50 of the first page of the board total, for the growth between scales
}

// section is a part of the run that a flag selects.
type section struct {
	name string
	run  func(*bench, context.Context) error
}

// sections lists the sections in their order: Open-Assistant's refresh fills
// the table that its page reads, searches come before what adds messages to our tables
// alone, and verify comes after all others.
var sections = []section{
	{"refresh", (*bench).measureRefresh},
	{"board", (*bench).measureBoard},
	{"http", (*bench).measureHTTP},
	{"search", (*bench).measureSearch},
	{"rebuild", (*bench).measureRebuild},
	{"signal", (*bench).measureSignal},
	{"busy", (*bench).measureUnderLoad},
	{"ingest", (*bench).measureIngest},
	{"delete", (*bench).measureDelete},
	{"ban", (*bench).measureBan},
	{"bulk", (*bench).measureBulk},
	{"lists", (*bench).measureLists},
	{"queue", (*bench).measureQueue},
	{"cursor", (*bench).measureCursors},
	{"try", (*bench).measureTry},
	{"insights", (*bench).measureInsights},
	{"export", (*bench).measureExport},
	{"classify", (*bench).measureClassify},
	{"beside", (*bench).measureBesideClassify},
	{"verify", (*bench).measureVerify},
}

// loadOnly is not a section: with it, the run loads and measures nothing.
const loadOnly = "load"

func sectionNames() string {
	names := make([]string, len(sections))
	for i, s := range sections {
		names[i] = s.name
	}
	return strings.Join(names, ",")
}

// measure opens what the sections need and runs the selected ones.
func (b *bench) measure(ctx context.Context, only []string) (err error) {
	for _, name := range only {
		if name != loadOnly && !slices.ContainsFunc(sections, func(s section) bool { return s.name == name }) {
			return fmt.Errorf("there is no section %q; it is one of %s", name, sectionNames())
		}
	}
	defer b.close()
	if err := b.open(ctx); err != nil {
		return err
	}
	if err := b.describe(ctx); err != nil {
		return err
	}
	for _, s := range sections {
		if len(only) > 0 && !slices.Contains(only, s.name) {
			continue
		}
		began := time.Now()
		if err := s.run(b, ctx); err != nil {
			return fmt.Errorf("measure %s: %w", s.name, err)
		}
		b.logf("-- %s took %s", s.name, span(time.Since(began)))
	}
	return nil
}

func (b *bench) open(ctx context.Context) (err error) {
	if b.store, err = store.Open(ctx, b.url); err != nil {
		return err
	}
	if b.ours, err = openPool(ctx, b.url, "public"); err != nil {
		return err
	}
	if b.ref, err = openPool(ctx, b.url, "legacy"); err != nil {
		return err
	}
	b.keys = map[string]string{}
	for _, role := range []string{policy.Admin, policy.Collector} {
		name := fmt.Sprintf("bench %s %s", role, uuid.NewString()[:8])
		if b.keys[role], err = b.store.CreateKey(ctx, store.CommandLine, name, role, nil); err != nil {
			return err
		}
	}
	b.web, err = startProgram(ctx, b.folder, b.url)
	return err
}

// describe returns the size of the data and the settings of the server and
// machine.
func (b *bench) describe(ctx context.Context) error {
	var counts []string
	for _, t := range []struct{ table, name string }{{"users", "users"}, {"trees", "trees"}, {"messages", "messages"},
		{"label_votes", "label rows"}, {"reactions", "reactions"}} {
		var n int64
		if err := b.ours.QueryRow(ctx, "SELECT count(*) FROM "+t.table).Scan(&n); err != nil {
			return err
		}
		counts = append(counts, fmt.Sprintf("%d %s", n, t.name))
	}
	b.size, b.settings = strings.Join(counts, ", "), ""
	for _, setting := range []string{"server_version", "shared_buffers", "work_mem", "effective_cache_size",
		"max_wal_size", "fsync", "synchronous_commit", "random_page_cost", "jit"} {
		var value string
		if err := b.ours.QueryRow(ctx, "SELECT current_setting($1)", setting).Scan(&value); err != nil {
			return err
		}
		b.settings += setting + " " + value + ", "
	}
	b.settings = fmt.Sprintf("PostgreSQL for both designs: %s%d cores.\n", b.settings, runtime.NumCPU())
	b.logf("%s\n%s", b.size, b.settings)
	return nil
}

func (b *bench) close() {
	if b.web != nil {
		b.web.stop()
		b.web = nil
	}
	for _, pool := range []*pgxpool.Pool{b.ours, b.ref} {
		if pool != nil {
			pool.Close()
		}
	}
	if b.store != nil {
		b.store.Close()
	}
}

// openPool opens connections with the search path of one design.
// Open-Assistant's page is measured with eight.
func openPool(ctx context.Context, url, schema string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = 8
	config.ConnConfig.RuntimeParams["search_path"] = schema
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	return pgxpool.NewWithConfig(ctx, config)
}

// count scales a number of repetitions by the effort, to at least 2.
func (b *bench) count(n int) int { return max(2, int(float64(n)*b.effort)) }

// repeat times an operation up to n times, or until the sum of the times is too
// long. The first time, which warms caches, does not count.
func (b *bench) repeat(n int, budget time.Duration, do func(i int) error) (spans, error) {
	took, err := b.inTurns(n, budget, do)
	return took[0], err
}

// inTurns is repeat for operations that are compared. They take turns, so that
// a change in the machine's speed affects all of them.
func (b *bench) inTurns(n int, budget time.Duration, operations ...func(i int) error) ([]spans, error) {
	took := make([]spans, len(operations))
	var began time.Time
	for i := range b.count(n) + 1 {
		for k, do := range operations {
			start := time.Now()
			if err := do(i); err != nil {
				return took, err
			}
			if i > 0 {
				took[k] = append(took[k], time.Since(start))
			}
		}
		if i == 0 {
			began = time.Now()
		} else if time.Since(began) > budget {
			break
		}
	}
	return took, nil
}

// drain runs a query of Open-Assistant and reads every row.
func (b *bench) drain(ctx context.Context, sql string, args ...any) error {
	rows, err := b.ref.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	for rows.Next() {
		rows.RawValues()
	}
	return rows.Err()
}

// column reads the values of a query of one column.
func column[T any](ctx context.Context, pool *pgxpool.Pool, sql string, args ...any) ([]T, error) {
	rows, err := pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[T])
}

// boardOf requests the first page of a board.
func boardOf(window scoring.Window, limit int) store.BoardFilter {
	return store.BoardFilter{Window: window, Formula: scoring.Treewarden, Status: store.Active,
		Sort: "score", Page: store.Page{Limit: limit}}
}
