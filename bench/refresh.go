package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/scoring"
	"treewarden/store"
)

// since returns the beginning of a time frame, or the zero time if it has none.
func (b *bench) since(window scoring.Window) time.Time {
	midnight := b.end.UTC().Truncate(24 * time.Hour)
	switch window {
	case scoring.Day:
		return b.end.Add(-24 * time.Hour)
	case scoring.Week:
		return midnight.AddDate(0, 0, -7)
	case scoring.Month:
		return midnight.AddDate(0, 0, -30)
	}
	return time.Time{}
}

// measureRefresh times how Open-Assistant and how this program make four
// boards.
func (b *bench) measureRefresh(ctx context.Context) error {
	took, err := b.inTurns(3, time.Minute, func(int) error {
		for _, window := range scoring.Windows {
			if err := b.refresh(ctx, window); err != nil {
				return err
			}
		}
		return nil
	}, func(int) error { return b.coldBoards(ctx) })
	if err != nil {
		return err
	}
	// Open-Assistant's page is measured on a table without the dead rows of its
	// refreshes.
	if _, err := b.ref.Exec(ctx, "VACUUM ANALYZE troll_stats"); err != nil {
		return err
	}
	b.faster("all four boards from the counters, against the refresh", took[0].median(), took[1].median(), 25,
		"a new store: WarmBoards, then store.Board of each frame; the refresh: sql/legacy.sql")
	return nil
}

// coldBoards does the work of a program that has just started: it reads all
// counters and ranks all users in each time frame.
func (b *bench) coldBoards(ctx context.Context) error {
	s, err := store.Open(ctx, b.url)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.WarmBoards(ctx); err != nil {
		return err
	}
	for _, window := range scoring.Windows {
		if _, err := s.Board(ctx, store.CommandLine, boardOf(window, 100)); err != nil {
			return err
		}
	}
	return nil
}

// standing holds what Open-Assistant collects about a user.
type standing struct {
	flags, up, down, spamPrompts int64
	labels                       [7]int64
	means                        [5]pgtype.Float8
}

// score is Open-Assistant's formula. Its first label, spam, does not count.
func (s *standing) score() int64 {
	score := 3*s.flags - s.up + s.down + s.spamPrompts
	for _, n := range s.labels[1:] {
		score += n
	}
	return score
}

// refresh makes one of Open-Assistant's boards again, as Open-Assistant does
// every few minutes to hours.
func (b *bench) refresh(ctx context.Context, window scoring.Window) error {
	return pgx.BeginTxFunc(ctx, b.ref, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		users, err := b.gather(ctx, tx, window)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, legacy["stats_clear"], string(window)); err != nil {
			return err
		}
		if err := b.insertStats(ctx, tx, window, users); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, legacy["stats_rank"], string(window))
		return err
	})
}

// gather runs the three queries of the refresh.
func (b *bench) gather(ctx context.Context, tx pgx.Tx, window scoring.Window) (map[uuid.UUID]*standing, error) {
	condition, args := "", []any{}
	if since := b.since(window); !since.IsZero() {
		condition, args = "AND m.created_date >= $1", []any{since}
	}
	users := map[uuid.UUID]*standing{}
	var id uuid.UUID
	var read standing
	for _, q := range []struct {
		name    string
		targets []any
		take    func(*standing)
	}{
		{"emoji_counts", []any{&id, &read.up, &read.down, &read.flags},
			func(s *standing) { s.up, s.down, s.flags = read.up, read.down, read.flags }},
		{"spam_prompts", []any{&id, &read.spamPrompts}, func(s *standing) { s.spamPrompts = read.spamPrompts }},
		{"label_sums", []any{&id, &read.labels[0], &read.labels[1], &read.labels[2], &read.labels[3], &read.labels[4],
			&read.labels[5], &read.labels[6],
			&read.means[0], &read.means[1], &read.means[2], &read.means[3], &read.means[4]}, func(s *standing) {
			s.labels,
				s.means = read.labels, read.means
		}},
	} {
		rows, err := tx.Query(ctx, strings.Replace(legacy[q.name], "/*since*/", condition, 1), args...)
		if err != nil {
			return nil, err
		}
		if _, err := pgx.ForEachRow(rows, q.targets, func() error {
			if users[id] == nil {
				users[id] = &standing{}
			}
			q.take(users[id])
			return nil
		}); err != nil {
			return nil, fmt.Errorf("%s: %w", q.name, err)
		}
	}
	return users, nil
}

// statsChunk is the number of rows of literals that Open-Assistant's driver
// puts into a statement.
const statsChunk = 1000

func (b *bench) insertStats(ctx context.Context, tx pgx.Tx, window scoring.Window,
	users map[uuid.UUID]*standing) error {
	base := "NULL"
	if since := b.since(window); !since.IsZero() {
		base = "'" + since.Format(time.RFC3339) + "'::timestamptz"
	}
	var sql strings.Builder
	n := 0
	for id, s := range users {
		if sql.Len() == 0 {
			sql.WriteString(legacy["stats_insert"] + " ")
		} else {
			sql.WriteByte(',')
		}
		fmt.Fprintf(&sql, "('%s'::uuid,%s,'%s'::timestamptz,'%s',%d,NULL,%d,%d,%d,%d",
			id, base, b.end.Format(time.RFC3339), window, s.score(), s.flags, s.up, s.down, s.spamPrompts)
		for _, mean := range s.means {
			if mean.Valid {
				fmt.Fprintf(&sql, ",%v", mean.Float64)
			} else {
				sql.WriteString(",NULL")
			}
		}
		for _, n := range s.labels {
			fmt.Fprintf(&sql, ",%d", n)
		}
		sql.WriteByte(')')
		if n++; n%statsChunk == 0 || n == len(users) {
			if _, err := tx.Exec(ctx, sql.String(), pgx.QueryExecModeSimpleProtocol); err != nil {
				return err
			}
			sql.Reset()
		}
	}
	return nil
}
