// Package counters counts signals: which facts of a message count for its author
// (Fact), the counters that are kept by difference (Update), and everything counted
// anew (Rebuild, Verify). It does not know the boards that show the counts.
package counters

import (
	"fmt"
	"slices"
	"strings"

	"treewarden/scoring"
	"treewarden/store/tables"
)

// source is one source of signals: rows joined to a message m, each with a date
// and a count for some columns of user_signals.
type source struct {
	join   string // after "messages m"
	at     string
	where  string
	counts map[string]string
	// rater is the expression for the user who gave the signal, for sources that
	// have one; it is joined as g. Signals by banned users and by authors
	// themselves do not count.
	rater string
	// first is the condition that a row is the first that its rater gave, for sources
	// of which one rater's rows count as one. An empty one means that all count.
	first string
	// recorded reports whether a row of the source implies a reaction record.
	recorded bool
	// evenDeleted makes Open-Assistant's way count deleted messages too.
	evenDeleted bool
}

// labelCountsSQL returns the expressions for each label's votes and the toxicity
// label's mean. In the arguments, %[1]s is the label.
func labelCountsSQL(votes, sum, count string) map[string]string {
	counts := map[string]string{
		scoring.Columns[scoring.LabelToxicitySumColumn]:   fmt.Sprintf(sum, scoring.ToxicityLabel),
		scoring.Columns[scoring.LabelToxicityCountColumn]: fmt.Sprintf(count, scoring.ToxicityLabel),
	}
	for _, label := range countedLabels {
		counts[string(label.Signal)] = fmt.Sprintf(votes, label.Name)
	}
	return counts
}

// maxPeople is the maximum number of raters of one message in the author's mean
// toxicity, so that sums in units of 10⁻¹² fit a bigint.
const maxPeople = 1000

var countedPeople = fmt.Sprintf("least(l.%%[1]s_count, %d)", maxPeople)

// labelAggregateCounts returns the expressions for imported labels, l.
func labelAggregateCounts() map[string]string {
	return labelCountsSQL("coalesce(round(l.%[1]s * l.%[1]s_count), 0)::bigint",
		"coalesce(round(l.%[1]s::numeric * "+countedPeople+" * 1e12), 0)::bigint",
		"CASE WHEN l.%[1]s IS NULL THEN 0 ELSE coalesce("+countedPeople+", 0) END")
}

// on returns the JOIN of a table with message m.
func on(table, alias string) string {
	return fmt.Sprintf("JOIN %[1]s %[2]s ON %[2]s.tree_id = m.tree_id AND %[2]s.message_id = m.message_id", table, alias)
}

// sameRater selects the rows z of a table on the message and by the rater of a row.
func sameRater(table, row string) string {
	return fmt.Sprintf(`SELECT FROM %[1]s z WHERE z.tree_id = %[2]s.tree_id AND z.message_id = %[2]s.message_id
			AND z.user_id = %[2]s.user_id`, table, row)
}

// notDismissed is the condition that a case did not dismiss a reaction.
func notDismissed(reaction string) string { return reaction + ".decision IS DISTINCT FROM 'dismissed'" }

// A Fact is a kind of information on a message that counts for its author.
type Fact int

// The facts. Each has a source below.
const (
	Written        Fact = iota // the message itself
	ReactionCounts             // imported counts of reactions
	LabelMeans                 // imported means of labels with the numbers of raters
	Reaction                   // one user's reaction
	Vote                       // one user's labels
	Report                     // one user's report
	Rejection                  // reviewers rejected it
	SpamPrompt                 // its tree was aborted for low grade
	Deletion                   // staff deleted it
	Toxicity                   // toxicity by classifiers that count
	ToxicMessage               // toxic by a classifier that counts
	numFacts
)

// sources holds the source of each fact. $1 and $2 are RuleArgs.
var sources = [numFacts]source{
	Written: {
		at: "m.created_date", counts: map[string]string{"messages": "1"},
	},
	ReactionCounts: {
		join: on("emoji_aggregates", "e"), at: "m.created_date", recorded: true,
		counts: map[string]string{
			"red_flags": "e.red_flags - e.dismissed_flags", "upvotes": "e.upvotes", "downvotes": "e.downvotes",
		},
	},
	LabelMeans: {
		// votes = round(mean × number of raters)
		join: on("label_aggregates", "l"), at: "m.created_date",
		counts: labelAggregateCounts(),
	},
	Reaction: {
		join: on("reactions", "r"), at: "r.at", rater: "r.user_id", recorded: true,
		first: "(r.emoji <> 'red_flag' OR NOT EXISTS (" + sameRater("reports", "r") + `
			AND z.at < r.at AND z.status IN ('open', 'upheld')))`,
		where: "r.emoji IN (" + quoted(reactionSignals) + ") AND " + notDismissed("r"),
		counts: map[string]string{
			"red_flags": "(r.emoji = 'red_flag')::int", "upvotes": "(r.emoji = '+1')::int", "downvotes": "(r.emoji = '-1')::int",
		},
	},
	Vote: {
		join: on("label_votes", "v"), at: "v.at", rater: "v.user_id",
		counts: labelCountsSQL("coalesce((v.%[1]s >= "+yesFromSQL+")::int, 0)",
			"coalesce(round(v.%[1]s::numeric * 1e12), 0)::bigint", "(v.%[1]s IS NOT NULL)::int"),
	},
	Report: {
		join: on("reports", "p"), at: "p.at", rater: "p.user_id",
		// A red flag comes before a report of the same time.
		first: "NOT EXISTS (" + sameRater("reactions", "p") + ` AND z.at <= p.at
			AND z.emoji = 'red_flag' AND ` + notDismissed("z") + `) AND NOT EXISTS (` + sameRater("reports", "p") + `
			AND (z.at, z.report_id) < (p.at, p.report_id) AND z.status IN ('open', 'upheld'))`,
		where:  "p.status IN ('open', 'upheld')",
		counts: map[string]string{"red_flags": "1"},
	},
	Rejection: {
		at:     "coalesce(m.review_at, m.created_date)",
		where:  "m.review_result = false AND m.parent_id IS NOT NULL",
		counts: map[string]string{"rejected": "1"},
	},
	SpamPrompt: {
		join: "JOIN trees t ON t.tree_id = m.tree_id", at: "m.created_date", evenDeleted: true,
		where:  "m.parent_id IS NULL AND t.state = '" + tables.SpamState + "'",
		counts: map[string]string{"spam_prompts": "1"},
	},
	Deletion: {
		// An imported deletion was made by staff at its origin. Replies deleted
		// with a subtree have another root.
		at:     "coalesce(m.deleted_at, m.created_date)",
		where:  "m.deleted AND m.deleted_root = m.message_id",
		counts: map[string]string{"deleted": "1"},
	},
	Toxicity: {
		join: classifierToxicity, at: "m.created_date",
		counts: map[string]string{"toxicity_sum": "round(x.toxicity::numeric * 1e12)::bigint", "toxicity_count": "1"},
	},
	ToxicMessage: {
		join: classifierToxicity, at: "greatest(x.at, m.created_date)",
		where:  "x.toxicity >= $1::float8",
		counts: map[string]string{"toxic_messages": "1"},
	},
}

// hasRecord is Open-Assistant's condition that a message m has a reaction record.
const (
	hasRecord = `(EXISTS (SELECT FROM emoji_aggregates z WHERE z.tree_id = m.tree_id AND z.message_id = m.message_id)
	OR ` + hasReaction + ")"
	hasReaction = "EXISTS (SELECT FROM reactions z WHERE z.tree_id = m.tree_id AND z.message_id = m.message_id)"
)

// CountSQL returns a query that counts from every source for the messages m of a
// relation (FROM item) that fulfil a condition. The groups are expressions on m
// or the date, written {at}. The columns of the result are the groups g1, g2 …
// and then scoring.Columns. $1 and $2 are RuleArgs.
func CountSQL(from, where string, groups ...string) string {
	return countOf(sources[:], scoring.Columns, from, where, groups...)
}

// countOf is like CountSQL for some sources and columns.
func countOf(sources []source, columns []string, from, where string, groups ...string) string {
	branches := make([]string, len(sources))
	for i, src := range sources {
		branches[i] = src.branch(columns, from, where, groups)
	}
	return sumSQL(columns, branches, len(groups))
}

// branch returns a query that counts from one source.
func (src source) branch(columns []string, from, where string, groups []string) string {
	selected := make([]string, 0, len(groups)+len(columns))
	for _, group := range groups {
		selected = append(selected, strings.ReplaceAll(group, "{at}", src.at))
	}
	for _, column := range columns {
		name, legacy := strings.CutPrefix(column, scoring.LegacyPrefix)
		count, ok := src.counts[name]
		switch condition := src.condition(legacy); {
		case !ok:
			selected = append(selected, "0")
		case condition == "" || name == "messages":
			selected = append(selected, "sum("+count+")")
		default:
			selected = append(selected, "coalesce(sum("+count+") FILTER (WHERE "+condition+"), 0)")
		}
	}
	conditions := []string{"m.user_id IS NOT NULL"}
	for _, c := range []string{where, src.where} {
		if c != "" {
			conditions = append(conditions, "("+strings.ReplaceAll(c, "{at}", src.at)+")")
		}
	}
	numbers := make([]string, len(groups))
	for i := range groups {
		numbers[i] = fmt.Sprint(i + 1)
	}
	return fmt.Sprintf("SELECT %s FROM %s %s WHERE %s GROUP BY %s",
		strings.Join(selected, ", "), from, src.joined(), strings.Join(conditions, " AND "), strings.Join(numbers, ", "))
}

// joined returns the joins with a message m.
func (src source) joined() string {
	if src.rater == "" {
		return src.join
	}
	return src.join + " JOIN users g ON g.user_id = " + src.rater
}

// adds returns the source's condition, and that a row adds to one of some columns.
func (src source) adds(columns []string) string {
	var counts, zeros []string
	for _, column := range columns {
		if count, ok := src.counts[strings.TrimPrefix(column, scoring.LegacyPrefix)]; ok && count != "1" {
			counts, zeros = append(counts, count), append(zeros, "0")
		}
	}
	if len(counts) == 0 {
		return src.where
	}
	adds := "(" + strings.Join(counts, ", ") + ") <> (" + strings.Join(zeros, ", ") + ")"
	if src.where == "" {
		return adds
	}
	return "(" + src.where + ") AND " + adds
}

// signals reports whether a source has signals that Open-Assistant counts too.
func (src source) signals() bool {
	for column := range src.counts {
		if slices.Contains(LegacyColumns, scoring.LegacyPrefix+column) {
			return true
		}
	}
	return false
}

// countsFromRater is the condition on a signal from g on message m. An expired
// ban counts until it is removed, so that it ends at one time for all counters.
const countsFromRater = "g.banned_at IS NULL AND g.user_id <> m.user_id"

// ofRater is the condition on a row of a source with a rater by the current rules.
func (src source) ofRater() string {
	if src.first == "" {
		return countsFromRater
	}
	return countsFromRater + " AND " + src.first
}

// condition returns the rule of Fact.counts as SQL, for one way of counting.
func (src source) condition(legacy bool) string {
	switch {
	case legacy && src.evenDeleted:
		return ""
	case legacy && src.recorded:
		return "NOT m.deleted"
	case legacy:
		return "NOT m.deleted AND " + hasRecord
	case src.rater != "":
		return src.ofRater()
	}
	return ""
}

// LegacyRecordSQL counts, in Open-Assistant's way, the signals of messages that
// depend on a reaction record. The messages are not deleted. Its columns are
// LegacyColumns.
var LegacyRecordSQL = func() string {
	var depending []source
	for _, src := range sources {
		if src.signals() && !src.recorded && !src.evenDeleted {
			src.recorded = true
			depending = append(depending, src)
		}
	}
	return countOf(depending, LegacyColumns, touched, "NOT m.deleted", hourly...)
}()

var LegacyColumns = scoring.Columns[scoring.NumSignals : 2*scoring.NumSignals]
