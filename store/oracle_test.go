package store_test

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/storetest"
)

// oracleSignal is a signal of a user. Plain Go finds it in the base tables by rules
// that were written from the specification. These do not share code with the SQL of
// the program, so a fault in one of the two shows.
type oracleSignal struct {
	signal  scoring.Signal
	n       int64
	at      *time.Time // nil: it counts only in the total, in no shorter window
	message uuid.UUID
	current bool // counts for the formula treewarden
	legacy  bool // counts for the formula open-assistant
}

// oracle holds, for each user, the signals, the dates of the messages and the
// toxicities.
type oracle struct {
	signals    map[uuid.UUID][]oracleSignal
	written    map[uuid.UUID][]*time.Time
	classifier map[uuid.UUID][]toxicitySum
	labels     map[uuid.UUID][]toxicitySum
	counting   string // the models whose toxicity counts, as in the formula
}

// toxicitySum is the sum of n toxicities of a message.
type toxicitySum struct {
	sum float64
	n   int64
	at  *time.Time
}

// oracleMessage is a message with all data that gives its author signals.
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
	Emojis            []int64 // red flags, upvotes and downvotes of the aggregate; nil without one
	Means             map[string]store.Label
	Outputs           []oracleOutput
	Record            bool // it has a reaction record
	Reactions         []oracleFeedback
	Votes, Reports    []oracleFeedback
}

// oracleOutput is the output of a classifier for a message.
type oracleOutput struct {
	Model    string     `json:"model"`
	Toxicity *float64   `json:"toxicity"`
	At       *time.Time `json:"at"` // nil: it came with a file
}

// toxicity returns the toxicity that counts of a message, and when the first of the
// models that count saw it: the highest of those in classifier, or if that is empty of
// all but the embedded one, or if these have none that of the embedded one.
func (m oracleMessage) toxicity(classifier string) (highest *float64, first *time.Time) {
	names := strings.Split(classifier, ", ")
	chosen := []func(model string) bool{func(model string) bool { return slices.Contains(names, model) }}
	if classifier == "" {
		embedded := func(model string) bool { return model == "treewarden" }
		chosen = []func(model string) bool{func(model string) bool { return !embedded(model) }, embedded}
	}
	for _, counts := range chosen {
		undated := false
		first = nil
		for _, o := range m.Outputs {
			if !counts(o.Model) {
				continue
			}
			if o.Toxicity != nil && (highest == nil || *o.Toxicity > *highest) {
				highest = o.Toxicity
			}
			undated = undated || o.At == nil
			if first == nil || o.At != nil && o.At.Before(*first) {
				first = o.At
			}
		}
		if undated {
			first = nil
		}
		if highest != nil {
			break
		}
	}
	return highest, first
}

// oracleFeedback is a reaction, a vote or a report of one user.
type oracleFeedback struct {
	UserID uuid.UUID          `json:"user"`
	Banned bool               `json:"banned"`
	At     time.Time          `json:"at"`
	Emoji  string             `json:"emoji"`
	Status string             `json:"status"`
	Labels map[string]float64 `json:"labels"`
}

// oracleSQL reads the messages with the rows that belong to them. It counts nothing.
var oracleSQL = func() string {
	feedback := func(table, columns string) string {
		return `coalesce((SELECT jsonb_agg(jsonb_build_object(
				'user', g.user_id, 'at', g.at, 'banned', u.banned_at IS NOT NULL, ` + columns + `))
			FROM ` + table + ` g JOIN users u USING (user_id)
			WHERE g.tree_id = m.tree_id AND g.message_id = m.message_id), '[]')`
	}
	var labels, means string
	for i, name := range scoring.LabelNames {
		if i > 0 {
			labels, means = labels+", ", means+", "
		}
		labels += "'" + name + "', g." + name
		means += "'" + name + "', jsonb_build_object('value', l." + name + ", 'count', coalesce(l." + name + "_count, 0))"
	}
	return `SELECT m.message_id, m.tree_id, m.parent_id AS parent, m.user_id,
			nullif(m.created_date, '-infinity') AS created, m.deleted, m.deleted_root, m.deleted_at,
			m.review_result AS review, m.review_at, t.state,
			CASE WHEN e.message_id IS NOT NULL THEN ARRAY[e.red_flags - e.dismissed_flags, e.upvotes, e.downvotes]::bigint[]
				END AS emojis,
			CASE WHEN l.message_id IS NULL THEN '{}' ELSE jsonb_build_object(` + means + `) END AS means,
			coalesce((SELECT jsonb_agg(jsonb_build_object('model', k.name, 'toxicity', o.toxicity,
					'at', nullif(o.at, '-infinity')))
				FROM classifier_outputs o JOIN classifier_models k USING (model_id)
				WHERE o.tree_id = m.tree_id AND o.message_id = m.message_id), '[]') AS outputs,
			e.message_id IS NOT NULL OR EXISTS (SELECT FROM reactions r
				WHERE r.tree_id = m.tree_id AND r.message_id = m.message_id) AS record,
			` + feedback("reactions", "'emoji', g.emoji, 'status', g.decision") + ` AS reactions,
			` + feedback("label_votes", "'labels', jsonb_strip_nulls(jsonb_build_object("+labels+"))") + ` AS votes,
			` + feedback("reports", "'status', g.status") + ` AS reports
		FROM messages m JOIN trees t USING (tree_id)
			LEFT JOIN emoji_aggregates e USING (tree_id, message_id)
			LEFT JOIN label_aggregates l USING (tree_id, message_id)
		WHERE m.user_id IS NOT NULL`
}()

// votedLabels are the labels whose votes are signals.
var votedLabels = map[string]scoring.Signal{
	"spam": scoring.SpamLabels, "lang_mismatch": scoring.LangMismatch, "not_appropriate": scoring.NotAppropriate,
	"pii":         scoring.PII,
	"hate_speech": scoring.HateSpeech, "sexual_content": scoring.SexualContent,
	"political_content": scoring.PoliticalContent,
}

// newOracle reads the whole database.
func newOracle(q *sequence) *oracle {
	o := &oracle{map[uuid.UUID][]oracleSignal{}, map[uuid.UUID][]*time.Time{}, map[uuid.UUID][]toxicitySum{},
		map[uuid.UUID][]toxicitySum{}, inForce(q.t, q.Store).Classifier}
	rows, err := storetest.DB(q.t, q.Store).Query(ctx, oracleSQL)
	if err != nil {
		q.fail("read the base tables: %v", err)
	}
	messages, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[oracleMessage])
	if err != nil {
		q.fail("read the base tables: %v", err)
	}
	for _, m := range messages {
		o.add(m)
	}
	return o
}

// add adds the signals that a message gives its author.
func (o *oracle) add(m oracleMessage) {
	author := *m.UserID
	o.written[author] = append(o.written[author], m.Created)
	add := func(signal scoring.Signal, n int64, at *time.Time, current, legacy bool) {
		o.signals[author] = append(o.signals[author], oracleSignal{signal, n, at, m.MessageID, current, legacy})
	}
	legacy := !m.Deleted && m.Record
	if m.Emojis != nil {
		for i, signal := range []scoring.Signal{scoring.RedFlags, scoring.Upvotes, scoring.Downvotes} {
			add(signal, m.Emojis[i], m.Created, true, legacy)
		}
	}
	for label, signal := range votedLabels {
		if mean := m.Means[label]; mean.Value != nil {
			add(signal, int64(math.RoundToEven(*mean.Value*float64(mean.Count))), m.Created, true, legacy)
		}
	}
	if mean := m.Means["toxicity"]; mean.Value != nil {
		n := int64(mean.Count)
		o.labels[author] = append(o.labels[author], toxicitySum{*mean.Value * float64(n), n, m.Created})
	}
	counts := func(g oracleFeedback) bool { return !g.Banned && g.UserID != author }
	// flagged is when each user spoke against the message first, by a red flag or a
	// report.
	flagged := map[uuid.UUID]time.Time{}
	flag := func(g oracleFeedback) {
		add(scoring.RedFlags, 1, &g.At, false, legacy)
		if first, before := flagged[g.UserID]; counts(g) && (!before || g.At.Before(first)) {
			flagged[g.UserID] = g.At
		}
	}
	for _, r := range m.Reactions {
		switch r.Emoji {
		case "+1":
			add(scoring.Upvotes, 1, &r.At, counts(r), legacy)
		case "-1":
			add(scoring.Downvotes, 1, &r.At, counts(r), legacy)
		case "red_flag":
			if r.Status != "dismissed" {
				flag(r)
			}
		}
	}
	for _, v := range m.Votes {
		for label, value := range v.Labels {
			if signal, ok := votedLabels[label]; ok && value >= 0.5 {
				add(signal, 1, &v.At, counts(v), legacy)
			}
			if label == "toxicity" && counts(v) {
				o.labels[author] = append(o.labels[author], toxicitySum{value, 1, &v.At})
			}
		}
	}
	for _, r := range m.Reports {
		if r.Status == "open" || r.Status == "upheld" {
			flag(r)
		}
	}
	for _, at := range flagged {
		add(scoring.RedFlags, 1, &at, true, false)
	}
	if m.Parent == nil && m.State == "aborted_low_grade" {
		add(scoring.SpamPrompts, 1, m.Created, true, true)
	}
	if m.Parent != nil && m.Review != nil && !*m.Review {
		add(scoring.Rejected, 1, orElse(m.ReviewAt, m.Created), true, legacy)
	}
	if m.Deleted && m.DeletedRoot != nil && *m.DeletedRoot == m.MessageID {
		add(scoring.Deleted, 1, orElse(m.DeletedAt, m.Created), true, legacy)
	}
	if toxicity, first := m.toxicity(o.counting); toxicity != nil {
		o.classifier[author] = append(o.classifier[author], toxicitySum{*toxicity, 1, m.Created})
		if *toxicity >= scoring.Treewarden.ToxicFrom {
			at := m.Created
			if at == nil || first != nil && first.After(*at) {
				at = first
			}
			add(scoring.ToxicMessages, 1, at, true, legacy)
		}
	}
}

func orElse(at, other *time.Time) *time.Time {
	if at != nil {
		return at
	}
	return other
}
