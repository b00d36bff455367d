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

// A Subset is the part of the counts of messages that one kind of change affects.
// Counting only that part before and after saves most of the work for many
// messages. Subsets share no source and column, so that a transaction can watch
// several; Watch overlaps with all of them.
type Subset struct {
	sql     string
	columns []int // the columns of the query after author and hour
}

// watchedSubset is a subset that a transaction watches.
type watchedSubset struct {
	Subset
	args     []any
	messages int    // of a deletion: their number
	ahead    *ahead // the counts at the end, if they are made in the meantime
}

// hourly are the groups of counters: author and hour.
var hourly = []string{"m.user_id", "date_trunc('hour', {at})"}

// newSubset returns a subset of branches that count columns, after a WITH clause.
func newSubset(with string, columns, branches []string) Subset {
	f := Subset{sql: with + sumSQL(columns, branches, len(hourly)), columns: make([]int, len(columns))}
	for i, column := range columns {
		f.columns[i] = columnAt[column]
	}
	return f
}

// deletionSubset is the part that a deletion affects, of messages by their keys
// ($3, $4): all of Open-Assistant's signals, and the deletion by staff. The
// condition on the reaction record is evaluated once per message. Rows that say no to
// all, such as most labels, are not grouped. Signals before a
// time ($5) count without a date, and before another one ($6) by day: for many
// messages, most groups would be hours that no row is kept for.
var deletionSubset = deletionSubsetOf("m.deleted, m.deleted_at, m.deleted_root")

// deletionSubsetOf returns deletionSubset for messages in a state: the columns deleted,
// deleted_at and deleted_root.
func deletionSubsetOf(state string) Subset {
	hourly := []string{hourly[0], "CASE WHEN {at} < $5 THEN '-infinity' WHEN {at} < $6 " +
		"THEN date_trunc('day', {at}, 'UTC') ELSE " + hourly[1] + " END"}
	counted := append(slices.Clone(LegacyColumns), "deleted")
	var branches []string
	for fact, src := range sources {
		if _, ok := src.counts["deleted"]; ok {
			branches = append(branches, src.branch(counted, "touched_messages m", "", hourly))
		} else if src.signals() && !src.evenDeleted {
			// The CTE counting has Open-Assistant's conditions.
			src.rater, src.evenDeleted = "", true
			src.where = src.adds(LegacyColumns)
			if Fact(fact) == ReactionCounts { // the CTE has read them
				src.join = "CROSS JOIN LATERAL (SELECT m.red_flags, m.dismissed_flags, m.upvotes, m.downvotes) e"
			}
			branches = append(branches, src.branch(counted, "counting m", "", hourly))
		}
	}
	return newSubset(`WITH touched_messages AS MATERIALIZED (SELECT
			m.tree_id, m.message_id, m.parent_id, m.user_id, m.created_date,
			m.review_result, m.review_at, `+state+`
			FROM `+touched+` WHERE m.user_id IS NOT NULL),
		counting AS MATERIALIZED (SELECT m.*, e.red_flags, e.dismissed_flags, e.upvotes, e.downvotes
			FROM touched_messages m LEFT `+on("emoji_aggregates", "e")+`
			WHERE NOT m.deleted AND (e.message_id IS NOT NULL OR `+hasReaction+`))
		`, counted, branches)
}

// FeedbackSubset is the part from the feedback of users ($1), which their ban affects.
var FeedbackSubset = func() Subset {
	var counted, branches []string
	var giving []source
	for _, src := range sources {
		if src.rater == "" {
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
		// The condition is added below, so that the rows of banned users are not read.
		condition := "g.user_id = ANY ($1) AND " + src.ofRater()
		src.join, src.rater = src.joined(), ""
		branches = append(branches, src.branch(counted, "messages m", condition, hourly))
	}
	return newSubset("", counted, branches)
}()

// StateSubset is the part from the states of trees ($1): prompts that are spam.
var StateSubset = func() Subset {
	counted := []string{string(scoring.SpamPrompts), scoring.LegacyPrefix + string(scoring.SpamPrompts)}
	branch := sources[SpamPrompt].branch(counted, "messages m", "m.tree_id = ANY ($1)", hourly)
	return newSubset("", counted, []string{branch})
}()

// ToxicitySubset is the part from the outputs of classifiers, of messages by their keys
// ($3, $4). $1 and $2 are RuleArgs.
var ToxicitySubset = func() Subset {
	counted := []string{scoring.Columns[scoring.ToxicitySumColumn], scoring.Columns[scoring.ToxicityCountColumn],
		string(scoring.ToxicMessages), scoring.LegacyPrefix + string(scoring.ToxicMessages)}
	return newSubset("", counted, []string{
		sources[Toxicity].branch(counted, touched, "", hourly), sources[ToxicMessage].branch(counted, touched, "", hourly),
	})
}()

// errWatchedTwice is a bug in the caller: changes would count twice.
var errWatchedTwice = errors.New("a transaction watches all that messages contribute and a part of it")

// WatchSubset counts a subset before a change and has it counted again at the
// end. The trees of the messages are locked already.
func (t *Update) WatchSubset(ctx context.Context, c db.Conn, f Subset, args ...any) error {
	if len(t.known) > 0 {
		return errWatchedTwice
	}
	t.subsets = append(t.subsets, watchedSubset{Subset: f, args: args})
	return t.countSubset(ctx, c, t.subsets[len(t.subsets)-1], -1)
}

// CountSubset has a subset counted at the end that counts nothing before.
func (t *Update) CountSubset(f Subset, args ...any) {
	t.subsets = append(t.subsets, watchedSubset{Subset: f, args: args})
}

// countSubset adds the counts of a subset, times a sign.
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

// sumSQL returns a query that sums branches, with a number of groups before the columns.
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

// columnAt maps each column to its index in scoring.Counters.
var columnAt = func() map[string]int {
	at := map[string]int{}
	for i, column := range scoring.Columns {
		at[column] = i
	}
	return at
}()
