package store_test

import (
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/storetest"
)

// told is one signal that somebody was given, as plain Go finds it in the base
// tables. It is written from spec and not from the program's SQL, so that the
// two can contradict each other.
type told struct {
	signal scoring.Signal
	n      int64
	at     *time.Time // null: it belongs to no frame but the whole
	by     uuid.UUID  // the message
	own    bool       // counts for the formula treewarden
	old    bool       // counts for Open-Assistant's
}

// oracle is what all users were told, what they wrote, and how toxic it is.
type oracle struct {
	signals    map[uuid.UUID][]told
	written    map[uuid.UUID][]*time.Time
	classifier map[uuid.UUID][]measured
	people     map[uuid.UUID][]measured
}

// measured is a sum of n toxicities.
type measured struct {
	sum float64
	n   int64
	at  *time.Time
}

// oracleMessage is a message with all that speaks for or against its author.
type oracleMessage struct {
	MessageID, TreeID uuid.UUID
	Parent, UserID    *uuid.UUID
	Created           *time.Time
	Deleted           bool
	DeletedRoot       *uuid.UUID
	DeletedAt         *time.Time
	Review            *bool
	ReviewAt          *time.Time
	State             string
	Emojis            []int64 // of an aggregate: red flags, upvotes, downvotes; null: none
	Means             map[string]store.Label
	Toxicity          *float64
	ToxicAt           *time.Time
	Record            bool // it has a reaction record
	Reactions         []oracleGiven
	Votes, Reports    []oracleGiven
}

// oracleGiven is what one person gave a message.
type oracleGiven struct {
	UserID uuid.UUID          `json:"user"`
	Banned bool               `json:"banned"`
	At     time.Time          `json:"at"`
	Emoji  string             `json:"emoji"`
	Status string             `json:"status"`
	Labels map[string]float64 `json:"labels"`
}

// oracleSQL reads the base tables, row by row; it counts nothing.
var oracleSQL = func() string {
	given := func(table, columns string) string {
		return `coalesce((SELECT jsonb_agg(jsonb_build_object('user', g.user_id, 'at', g.at, 'banned', u.banned_at IS NOT NULL, ` + columns + `))
			FROM ` + table + ` g JOIN users u USING (user_id) WHERE g.tree_id = m.tree_id AND g.message_id = m.message_id), '[]')`
	}
	var labels, means string
	for i, name := range scoring.LabelNames {
		if i > 0 {
			labels, means = labels+", ", means+", "
		}
		labels += "'" + name + "', g." + name
		means += "'" + name + "', jsonb_build_object('value', l." + name + ", 'count', coalesce(l." + name + "_count, 0))"
	}
	return `SELECT m.message_id, m.tree_id, m.parent_id AS parent, m.user_id, nullif(m.created_date, '-infinity') AS created, m.deleted, m.deleted_root, m.deleted_at,
			m.review_result AS review, m.review_at, t.state, CASE WHEN e.message_id IS NOT NULL THEN ARRAY[e.red_flags, e.upvotes, e.downvotes]::bigint[] END AS emojis,
			CASE WHEN l.message_id IS NULL THEN '{}' ELSE jsonb_build_object(` + means + `) END AS means,
			(SELECT max(toxicity) FROM classifier_outputs o WHERE o.tree_id = m.tree_id AND o.message_id = m.message_id) AS toxicity,
			(SELECT nullif(min(at), '-infinity') FROM classifier_outputs o WHERE o.tree_id = m.tree_id AND o.message_id = m.message_id) AS toxic_at,
			e.message_id IS NOT NULL OR EXISTS (SELECT FROM reactions r WHERE r.tree_id = m.tree_id AND r.message_id = m.message_id) AS record,
			` + given("reactions", "'emoji', g.emoji") + ` AS reactions, ` + given("label_votes", "'labels', jsonb_strip_nulls(jsonb_build_object("+labels+"))") + ` AS votes,
			` + given("reports", "'status', g.status") + ` AS reports
		FROM messages m JOIN trees t USING (tree_id) LEFT JOIN emoji_aggregates e USING (tree_id, message_id) LEFT JOIN label_aggregates l USING (tree_id, message_id)
		WHERE m.user_id IS NOT NULL`
}()

// votedLabels are the labels of which a vote is a signal.
var votedLabels = map[string]scoring.Signal{
	"spam": scoring.SpamLabels, "lang_mismatch": scoring.LangMismatch, "not_appropriate": scoring.NotAppropriate,
	"pii":         scoring.PII,
	"hate_speech": scoring.HateSpeech, "sexual_content": scoring.SexualContent,
	"political_content": scoring.PoliticalContent,
}

// newOracle reads the whole database.
func newOracle(q *sequence) *oracle {
	o := &oracle{map[uuid.UUID][]told{}, map[uuid.UUID][]*time.Time{}, map[uuid.UUID][]measured{},
		map[uuid.UUID][]measured{}}
	rows, err := storetest.DB(q.t, q.Store).Query(ctx, oracleSQL)
	if err != nil {
		q.fail("read the base tables: %v", err)
	}
	messages, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[oracleMessage])
	if err != nil {
		q.fail("read the base tables: %v", err)
	}
	for _, m := range messages {
		o.hear(m)
	}
	return o
}

// hear takes in what a message tells of its author.
func (o *oracle) hear(m oracleMessage) {
	author := *m.UserID
	o.written[author] = append(o.written[author], m.Created)
	tell := func(signal scoring.Signal, n int64, at *time.Time, own, old bool) {
		o.signals[author] = append(o.signals[author], told{signal, n, at, m.MessageID, own, old})
	}
	old := !m.Deleted && m.Record
	if m.Emojis != nil {
		for i, signal := range []scoring.Signal{scoring.RedFlags, scoring.Upvotes, scoring.Downvotes} {
			tell(signal, m.Emojis[i], m.Created, true, old)
		}
	}
	for label, signal := range votedLabels {
		if mean := m.Means[label]; mean.Value != nil {
			tell(signal, int64(math.RoundToEven(*mean.Value*float64(mean.Count))), m.Created, true, old)
		}
	}
	if mean := m.Means["toxicity"]; mean.Value != nil {
		o.people[author] = append(o.people[author], measured{*mean.Value * float64(mean.Count), int64(mean.Count), m.Created})
	}
	counts := func(g oracleGiven) bool { return !g.Banned && g.UserID != author }
	for _, r := range m.Reactions {
		if signal, ok := map[string]scoring.Signal{"+1": scoring.Upvotes, "-1": scoring.Downvotes,
			"red_flag": scoring.RedFlags}[r.Emoji]; ok {
			tell(signal, 1, &r.At, counts(r), old)
		}
	}
	for _, v := range m.Votes {
		for label, value := range v.Labels {
			if signal, ok := votedLabels[label]; ok && value >= 0.5 {
				tell(signal, 1, &v.At, counts(v), old)
			}
			if label == "toxicity" && counts(v) {
				o.people[author] = append(o.people[author], measured{value, 1, &v.At})
			}
		}
	}
	for _, r := range m.Reports {
		if r.Status == "open" || r.Status == "upheld" {
			tell(scoring.RedFlags, 1, &r.At, counts(r), old)
		}
	}
	if m.Parent == nil && m.State == "aborted_low_grade" {
		tell(scoring.SpamPrompts, 1, m.Created, true, true)
	}
	if m.Parent != nil && m.Review != nil && !*m.Review {
		tell(scoring.Rejected, 1, orElse(m.ReviewAt, m.Created), true, old)
	}
	if m.Deleted && m.DeletedRoot != nil && *m.DeletedRoot == m.MessageID {
		tell(scoring.Deleted, 1, orElse(m.DeletedAt, m.Created), true, old)
	}
	if m.Toxicity != nil {
		o.classifier[author] = append(o.classifier[author], measured{*m.Toxicity, 1, m.Created})
		if *m.Toxicity >= scoring.Treewarden.ToxicFrom {
			at := m.Created
			if at == nil || m.ToxicAt != nil && m.ToxicAt.After(*at) {
				at = m.ToxicAt
			}
			tell(scoring.ToxicMessages, 1, at, true, old)
		}
	}
}

func orElse(at, other *time.Time) *time.Time {
	if at != nil {
		return at
	}
	return other
}
