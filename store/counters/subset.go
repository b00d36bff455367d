package counters

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/scoring"
	"treewarden/store/db"
)

// A Subset is the part of what messages contribute that one kind of change can
// move. To count that part alone, before and after, spares most of the work where
// many messages change. Subsets have no source and column in common, so that a
// transaction can watch several; all of a message (watch) has something of each.
type Subset struct {
	sql     string
	columns []int // which of columns the query counts, after author and hour
}

// watchedSubset is a subset that a transaction watches.
type watchedSubset struct {
	Subset
	args []any
}

// hourly is how counters group what is counted.
var hourly = []string{"m.user_id", "date_trunc('hour', {at})"}

// newSubset makes a subset of branches that count columns; with is put before them.
func newSubset(with string, columns, branches []string) Subset {
	f := Subset{sql: with + sumSQL(columns, branches, len(hourly)), columns: make([]int, len(columns))}
	for i, column := range columns {
		f.columns[i] = columnAt[column]
	}
	return f
}

// DeletionSubset is what goes and comes with a deletion, of messages by their keys
// ($2, $3): all that Open-Assistant counted, and that staff deleted it. The old
// console asks for a reaction record; it is asked for once a message.
var DeletionSubset = func() Subset {
	counted := append(slices.Clone(LegacyColumns), "deleted")
	var branches []string
	for _, src := range sources {
		if _, ok := src.counts["deleted"]; ok {
			branches = append(branches, src.branch(counted, "touched_messages m", "", hourly))
		} else if src.signals() && !src.evenDeleted {
			// What Open-Assistant asks for, counting asks of the message.
			src.giver, src.evenDeleted = "", true
			branches = append(branches, src.branch(counted, "counting m", "", hourly))
		}
	}
	return newSubset(`WITH touched_messages AS MATERIALIZED (SELECT m.tree_id, m.message_id, m.parent_id, m.user_id,
		m.created_date, m.review_result, m.review_at,
			m.deleted, m.deleted_at, m.deleted_root FROM `+touched+` WHERE m.user_id IS NOT NULL),
		counting AS MATERIALIZED (SELECT * FROM touched_messages m WHERE NOT m.deleted AND `+hasRecord+`)
		`, counted, branches)
}()

// FeedbackSubset is what the signals that one user ($1) gave count: their ban ends it.
var FeedbackSubset = func() Subset {
	var counted, branches []string
	var giving []source
	for _, src := range sources {
		if src.giver == "" {
			continue
		}
		for column := range src.counts {
			if !slices.Contains(counted, column) {
				counted = append(counted, column)
			}
		}
		giving = append(giving, src)
	}
	slices.Sort(counted)
	for _, src := range giving {
		src.join, src.giver = src.joined(), "" // the condition stands below, so that a banned user's rows are not even read
		branches = append(branches, src.branch(counted, "messages m", "g.user_id = $1 AND "+countsFromGiver, hourly))
	}
	return newSubset("", counted, branches)
}()

// StateSubset is what the states of trees ($1) count: prompts that are spam.
var StateSubset = func() Subset {
	counted := []string{string(scoring.SpamPrompts), scoring.LegacyPrefix + string(scoring.SpamPrompts)}
	return newSubset("", counted, []string{sources[SpamPrompt].branch(counted, "messages m", "m.tree_id = ANY ($1)",
		hourly)})
}()

// errWatchedTwice is a fault of the program: what changed would count twice.
var errWatchedTwice = errors.New("a transaction watches all that messages contribute and a part of it")

// WatchSubset counts a subset before what it counts changes, and has it counted
// again at the end. The trees of the messages are locked already.
func (t *Update) WatchSubset(ctx context.Context, c db.Conn, f Subset, args ...any) error {
	if len(t.known) > 0 {
		return errWatchedTwice
	}
	t.subsets = append(t.subsets, watchedSubset{f, args})
	return t.countSubset(ctx, c, t.subsets[len(t.subsets)-1], -1)
}

// countSubset adds, times a sign, what a subset comes to.
func (t *Update) countSubset(ctx context.Context, c db.Conn, of watchedSubset, sign int64) error {
	rows, err := c.Query(ctx, of.sql, of.args...)
	if err != nil {
		return err
	}
	var author uuid.UUID
	var at pgtype.Timestamptz
	sums := make([]int64, len(of.columns))
	targets := []any{&author, &at}
	for i := range sums {
		targets = append(targets, &sums[i])
	}
	_, err = pgx.ForEachRow(rows, targets, func() error {
		hour := t.Hour(author, at)
		for i, column := range of.columns {
			hour[column] += sign * sums[i]
		}
		return nil
	})
	return err
}

// sumSQL sums up branches, which have a number of groups before the columns.
func sumSQL(columns, branches []string, groups int) string {
	names, sums := make([]string, groups), make([]string, len(columns))
	for i := range names {
		names[i] = fmt.Sprintf("g%d", i+1)
	}
	for i, column := range columns {
		sums[i] = fmt.Sprintf("sum(%[1]s)::bigint AS %[1]s", column)
	}
	by := strings.Join(names, ", ")
	return fmt.Sprintf("SELECT %s, %s FROM (%s) AS counted(%s, %s) GROUP BY %s",
		by, strings.Join(sums, ", "), strings.Join(branches, "\nUNION ALL "), by, strings.Join(columns, ", "), by)
}

// columnAt is the place of each column in counters.
var columnAt = func() map[string]int {
	at := map[string]int{}
	for i, column := range scoring.Columns {
		at[column] = i
	}
	return at
}()
