// Package raters compares a user's feedback with that of others on the same
// messages.
package raters

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"treewarden/scoring"
	"treewarden/store/db"
	"treewarden/store/rings"
)

// Limit is the maximum number of labelled messages, reactions and reports of a
// rater that are compared, each. It bounds the time for busy raters.
const Limit = 2000

// yesNoLabels and scaleLabels are the names of the labels by kind of answer.
var (
	yesNoLabels = labelsAnswered(scoring.YesNo)
	scaleLabels = labelsAnswered(scoring.Scale)
)

func labelsAnswered(by scoring.Answer) (names []string) {
	for _, l := range scoring.Labels {
		if l.Answer == by {
			names = append(names, l.Name)
		}
	}
	return names
}

// Rater measures how far a user's feedback agrees with that of others on the same
// messages. Others are users who are not banned, not the rater and not the
// message's author, and the raters behind imported aggregates. The rater's own
// messages are left out.
type Rater struct {
	UserID   uuid.UUID `json:"user_id"`
	Limit    int       `json:"limit"`    // of the latest labels, reactions and reports each
	Labelled int64     `json:"labelled"` // labelled messages, up to Limit
	Compared int64     `json:"compared"` // of these, messages with a common label by others
	// Agreement and Kappa are over all yes-or-no labels (scoring.Kappa); null
	// without data.
	N         int64             `json:"n"`
	Agreement *float64          `json:"agreement"`
	Kappa     *float64          `json:"kappa"`
	Labels    []Label           `json:"labels"`
	Scales    []ScaleDifference `json:"scales"`
	// Votes compares 👍 (yes) and 👎 (no) with the majority of the others' votes.
	Votes Label `json:"votes"`
	Flags Flags `json:"flags"`
	// Rings are users who vote against the same messages within minutes, far beyond
	// chance. It is a hint, and counts for nothing.
	Rings []rings.Partner `json:"rings" description:"a hint, which counts for nothing"`
}

// Label compares a rater's answers to one yes-or-no question with the majority of
// others. Messages without a majority are not counted.
type Label struct {
	Label string `json:"label"`
	N     int64  `json:"n"`
	scoring.Answers
	Agreement *float64 `json:"agreement"`
	Kappa     *float64 `json:"kappa"`
}

// ScaleDifference is the mean absolute difference, 0 to 1, between a rater's
// values for one label and the mean of others, over N messages.
type ScaleDifference struct {
	Label      string  `json:"label"`
	N          int64   `json:"n"`
	Difference float64 `json:"difference"`
}

// Flags counts the messages of others that a rater gave a red flag or reported, by
// outcome: the status of the message's reports; else upheld if staff later
// deleted the message or banned its author without an undo; else open.
type Flags struct {
	Given     int64 `json:"given"`
	Upheld    int64 `json:"upheld"`
	Dismissed int64 `json:"dismissed"`
	Open      int64 `json:"open"`
}

// Compare compares a user's feedback with that of others.
func Compare(ctx context.Context, c db.Conn, user uuid.UUID) (Rater, error) {
	r := Rater{UserID: user, Limit: Limit, Labels: []Label{}, Scales: []ScaleDifference{}}
	if err := r.readLabels(ctx, c); err != nil {
		return r, err
	}
	votes := []*int64{&r.Votes.BothYes, &r.Votes.OnlyRater, &r.Votes.OnlyOthers, &r.Votes.BothNo}
	if err := c.QueryRow(ctx, votesSQL, user, Limit).Scan(votes[0], votes[1], votes[2],
		votes[3]); err != nil {
		return r, err
	}
	r.Votes = newLabel("votes", r.Votes.Answers)
	if err := c.QueryRow(ctx, flagsSQL, user, Limit).
		Scan(&r.Flags.Given, &r.Flags.Upheld, &r.Flags.Dismissed, &r.Flags.Open); err != nil {
		return r, err
	}
	var err error
	r.Rings, err = rings.Of(ctx, c, user)
	return r, err
}

func newLabel(name string, a scoring.Answers) Label {
	return Label{name, a.N(), a, scoring.Agreement(a), scoring.Kappa(a)}
}

// labelRow is the result for one label. The row without a name counts the
// messages.
type labelRow struct {
	Label                                     *string
	BothYes, OnlyRater, OnlyOthers, BothNo, N int64
	Difference                                float64
	Labelled, Compared                        int64
}

func (r *Rater) readLabels(ctx context.Context, c db.Conn) error {
	rows, err := db.Collect[labelRow](ctx, c, labelsSQL, r.UserID, Limit)
	if err != nil {
		return err
	}
	found := map[string]labelRow{}
	for _, row := range rows {
		if row.Label == nil {
			r.Labelled, r.Compared = row.Labelled, row.Compared
			continue
		}
		found[*row.Label] = row
	}
	var all []scoring.Answers
	for _, name := range yesNoLabels {
		if row, ok := found[name]; ok {
			label := newLabel(name, scoring.Answers{
				BothYes: row.BothYes, OnlyRater: row.OnlyRater, OnlyOthers: row.OnlyOthers, BothNo: row.BothNo,
			})
			r.Labels, all, r.N = append(r.Labels, label), append(all, label.Answers), r.N+label.N
		}
	}
	for _, name := range scaleLabels {
		if row, ok := found[name]; ok {
			r.Scales = append(r.Scales, ScaleDifference{name, row.N, row.Difference})
		}
	}
	r.Agreement, r.Kappa = scoring.Agreement(all...), scoring.Kappa(all...)
	return nil
}

// labelsSQL compares a rater's latest labels by label. The labels of others are
// single votes and imported aggregates: the number, the number of yes, and the
// sum.
var labelsSQL = func() string {
	var sums, values []string
	for _, name := range append(append([]string{}, yesNoLabels...), scaleLabels...) {
		sums = append(sums, fmt.Sprintf(`count(o.%[1]s) AS %[1]s_n,
			count(*) FILTER (WHERE o.%[1]s >= 0.5) AS %[1]s_yes, coalesce(sum(o.%[1]s), 0) AS %[1]s_sum`, name))
		values = append(values, fmt.Sprintf(`('%[1]s', v.%[1]s, o.%[1]s_n + coalesce(l.%[1]s_count, 0),
			o.%[1]s_yes + coalesce(round(l.%[1]s * l.%[1]s_count), 0),
			o.%[1]s_sum + coalesce(l.%[1]s * l.%[1]s_count, 0))`, name))
	}
	return `WITH mine AS MATERIALIZED (SELECT * FROM label_votes WHERE user_id = $1 ORDER BY at DESC LIMIT $2),
		compared AS MATERIALIZED (SELECT m.message_id, x.label, x.mine >= 0.5 AS yes, 2 * x.yes > x.n AS others,
			2 * x.yes = x.n AS split, abs(x.mine - x.sum / nullif(x.n, 0)) AS difference
			FROM mine v
			JOIN messages m ON m.tree_id = v.tree_id AND m.message_id = v.message_id AND m.user_id IS DISTINCT FROM $1
			LEFT JOIN label_aggregates l ON l.tree_id = v.tree_id AND l.message_id = v.message_id
			CROSS JOIN LATERAL (SELECT ` + strings.Join(sums, ", ") + ` FROM label_votes o JOIN users u ON u.user_id = o.user_id
				WHERE o.tree_id = v.tree_id AND o.message_id = v.message_id AND ` + byOthers("o") + `) o
			CROSS JOIN LATERAL (VALUES ` + strings.Join(values, ", ") + `) x(label, mine, n, yes, sum)
			WHERE x.mine IS NOT NULL AND x.n > 0)
		SELECT label, count(*) FILTER (WHERE yes AND others) AS both_yes,
			count(*) FILTER (WHERE yes AND NOT others AND NOT split) AS only_rater,
			count(*) FILTER (WHERE NOT yes AND others) AS only_others,
			count(*) FILTER (WHERE NOT yes AND NOT others AND NOT split) AS both_no,
			count(*) AS n, avg(difference)::float8 AS difference, 0::bigint AS labelled, 0::bigint AS compared
		FROM compared GROUP BY label
		UNION ALL SELECT NULL, 0, 0, 0, 0, 0, 0, (SELECT count(*) FROM mine v
			JOIN messages m ON m.tree_id = v.tree_id AND m.message_id = v.message_id AND m.user_id IS DISTINCT FROM $1),
			(SELECT count(DISTINCT message_id) FROM compared)`
}()

// byOthers returns the condition that feedback on message m, joined with its
// rater u, counts and is not by the rater $1.
func byOthers(alias string) string {
	return fmt.Sprintf("%[1]s.user_id <> $1 AND %[1]s.user_id IS DISTINCT FROM m.user_id AND u.banned_at IS NULL", alias)
}

// votesSQL compares a rater's latest 👍 and 👎 with those of others.
var votesSQL = `SELECT count(*) FILTER (WHERE mine AND up > down), count(*) FILTER (WHERE mine AND up < down),
		count(*) FILTER (WHERE NOT mine AND up > down), count(*) FILTER (WHERE NOT mine AND up < down)
	FROM (SELECT r.emoji = '+1' AS mine, o.up + coalesce(e.upvotes, 0) AS up, o.down + coalesce(e.downvotes, 0) AS down
		FROM (SELECT * FROM reactions WHERE user_id = $1 ORDER BY at DESC LIMIT $2) r
		JOIN messages m ON m.tree_id = r.tree_id AND m.message_id = r.message_id AND m.user_id IS DISTINCT FROM $1
		LEFT JOIN emoji_aggregates e ON e.tree_id = r.tree_id AND e.message_id = r.message_id
		CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE o.emoji = '+1') AS up,
			count(*) FILTER (WHERE o.emoji = '-1') AS down
			FROM reactions o JOIN users u ON u.user_id = o.user_id WHERE o.tree_id = r.tree_id AND o.message_id = r.message_id
				AND ` + byOthers("o") + `) o
		WHERE r.emoji IN ('+1', '-1')) v`

// flagsSQL counts a rater's latest flags by outcome, a red flag and reports on one
// message once, by the most favourable report. A red flag has no status of
// its own; the status of the message's reports applies.
const flagsSQL = `WITH flags AS MATERIALIZED (SELECT DISTINCT ON (tree_id, message_id) tree_id, message_id,
			min(at) OVER (PARTITION BY tree_id, message_id) AS at, status
		FROM (SELECT tree_id, message_id, at, NULL AS status FROM (SELECT * FROM reactions WHERE user_id = $1
				ORDER BY at DESC LIMIT $2) r WHERE emoji = 'red_flag'
			UNION ALL SELECT tree_id, message_id, at, status FROM (SELECT * FROM reports WHERE user_id = $1
				ORDER BY at DESC LIMIT $2) p WHERE status <> 'withdrawn') f
		ORDER BY tree_id, message_id, array_position(ARRAY['upheld', 'dismissed', 'open'], status))
	SELECT count(*), count(*) FILTER (WHERE fate = 'upheld'), count(*) FILTER (WHERE fate = 'dismissed'),
		count(*) FILTER (WHERE fate = 'open') FROM (
		SELECT CASE WHEN f.status IN ('upheld', 'dismissed') THEN f.status
			WHEN f.status IS NULL AND 'upheld' = ANY (p.said) THEN 'upheld'
			WHEN f.status IS NULL AND 'dismissed' = ANY (p.said) THEN 'dismissed'
			WHEN m.deleted AND m.deletion_by_staff AND m.deleted_root = m.message_id AND m.deleted_at >= f.at THEN 'upheld'
			WHEN EXISTS (SELECT FROM action_objects o JOIN actions a ON a.id = o.action_id
				WHERE o.object_type = 'user' AND o.object_id = m.user_id AND o.aspect = 'ban' AND o.after IS NOT NULL
					AND a.undoes IS NULL AND a.at >= f.at AND NOT EXISTS (SELECT FROM actions b WHERE b.undoes = a.id)) THEN 'upheld'
			ELSE 'open' END AS fate
		FROM flags f
		JOIN messages m ON m.tree_id = f.tree_id AND m.message_id = f.message_id AND m.user_id IS DISTINCT FROM $1
		CROSS JOIN LATERAL (SELECT array_agg(p.status) AS said FROM reports p
			WHERE p.tree_id = f.tree_id AND p.message_id = f.message_id) p) outcomes`
