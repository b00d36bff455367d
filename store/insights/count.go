package insights

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/scoring/welch"
	"treewarden/store/db"
	"treewarden/store/derived"
	"treewarden/store/tables"
)

// The groups of messages by their review.
const (
	Accepted = "accepted"
	Rejected = "rejected"
	Pending  = "pending"
)

// AnyRole is the role of the figures of all messages.
const AnyRole = "any"

// Roles are the roles by which contributions are counted.
var Roles = []string{AnyRole, "prompter", "assistant"}

// MaxTop is the number of users who are named of those who wrote most.
const MaxTop = 200

// outputKey names the messages of which the outputs of a classifier are summed.
type outputKey struct {
	model    int16
	output   string
	lang     string
	deleted  bool
	accepted int8 // -1 rejected, 0 pending
}

func (k outputKey) review() string {
	switch k.accepted {
	case 1:
		return Accepted
	case -1:
		return Rejected
	}
	return Pending
}

// listKey names the messages of a list with an output.
type listKey struct {
	list   uuid.UUID
	model  int16
	output string
}

// pairKey names an output of the messages that are deleted, or are not.
type pairKey struct {
	model   int16
	output  string
	deleted bool
}

// pair holds the sums of the messages that have both: x is the output.
type pair struct {
	n                int64
	x, y, xx, yy, xy float64
}

// authorsKey names the users who wrote so many messages.
type authorsKey struct {
	role     string
	frame    scoring.Window
	messages int64
}

// top is a user who wrote much.
type top struct {
	user     uuid.UUID
	messages int64
}

// topKey names those who wrote most.
type topKey struct {
	role  string
	frame scoring.Window
}

// counted holds all figures.
type counted struct {
	outputs map[outputKey]*welch.Sample
	lists   map[listKey]*welch.Sample
	pairs   map[pairKey]*[scoring.NumLabels]pair
	authors map[authorsKey]int64 // users
	top     map[topKey][]top
	raters  map[ratersKey]*agreed

	ranges    map[rangeKey]*valueRange
	agreement map[agreementKey]*histogram

	collection map[collectionKey]collectionCount
}

// LangSQL is the language by which a message m is counted.
const LangSQL = "coalesce(nullif(m.lang, ''), '" + policy.Undetermined + "')"

// labelMeans are the mean human labels of a message, from what files brought, l, and from
// single votes, v, as tables.LabelTotalsSQL has them.
var labelMeans = tables.EachLabel(`CASE WHEN coalesce(v.%[1]s_n, 0) = 0 THEN
			CASE WHEN l.%[1]s_count IS NOT NULL THEN l.%[1]s END
		ELSE (coalesce(l.%[1]s * l.%[1]s_count, 0) + v.%[1]s_sum) / (coalesce(l.%[1]s_count, 0) + v.%[1]s_n) END`, ",\n\t\t")

// outputsSQL reads the messages with outputs of the trees after $1 up to $2.
var outputsSQL = `SELECT o.model_id, o.scores, ` + LangSQL + `, m.deleted, m.review_result, ` + labelMeans + `,
		` + decisionSQL + `, o.text_hash IS NOT NULL AND ` + derived.StaleSQL + `
	FROM messages m
	JOIN classifier_outputs o ON o.tree_id = m.tree_id AND o.message_id = m.message_id
	LEFT JOIN label_aggregates l ON l.tree_id = m.tree_id AND l.message_id = m.message_id
	LEFT JOIN (SELECT tree_id, message_id, ` +
	tables.EachLabel("sum(%[1]s) AS %[1]s_sum, count(%[1]s) AS %[1]s_n", ", ") + `
		FROM label_votes WHERE tree_id > $1 AND tree_id <= $2 GROUP BY tree_id, message_id) v
		ON v.tree_id = m.tree_id AND v.message_id = m.message_id
	LEFT JOIN (` + upheldSQL + `) u ON u.tree_id = m.tree_id AND u.message_id = m.message_id
	WHERE m.tree_id > $1 AND m.tree_id <= $2 AND o.tree_id > $1 AND o.tree_id <= $2`

// listsSQL reads the outputs of the messages on lists.
const listsSQL = `SELECT i.list_id, o.model_id, o.scores FROM list_items i JOIN lists USING (list_id)
	JOIN message_trees t ON t.message_id = i.message_id
	JOIN classifier_outputs o ON o.tree_id = t.tree_id AND o.message_id = i.message_id
	WHERE NOT lists.removed`

// treesAtOnce is the number of trees that are read by one query, so that memory stays
// bounded.
const treesAtOnce = 2000

// count counts everything in a transaction of one snapshot.
func count(ctx context.Context, tx pgx.Tx, asOf time.Time) (*counted, error) {
	c := &counted{outputs: map[outputKey]*welch.Sample{}, lists: map[listKey]*welch.Sample{},
		pairs:   map[pairKey]*[scoring.NumLabels]pair{},
		authors: map[authorsKey]int64{}, top: map[topKey][]top{}, raters: map[ratersKey]*agreed{},
		ranges: map[rangeKey]*valueRange{}, agreement: map[agreementKey]*histogram{}}
	names, err := outputNames(ctx, tx)
	if err != nil {
		return nil, err
	}
	after := uuid.Nil
	for {
		// The nil id is no tree's: it stands for the one before the first.
		var last *uuid.UUID
		if err := tx.QueryRow(ctx, `SELECT (array_agg(tree_id ORDER BY tree_id DESC))[1] FROM (SELECT tree_id FROM trees
			WHERE tree_id > $1 ORDER BY tree_id LIMIT $2) t`, after, treesAtOnce).Scan(&last); err != nil {
			return nil, err
		}
		if last == nil {
			break
		}
		if err := db.EachRaw(ctx, tx, outputsSQL, func(raw [][]byte) { c.message(names, raw) }, after, *last); err != nil {
			return nil, fmt.Errorf("count the outputs of classifiers: %w", err)
		}
		if err := c.countRaters(ctx, tx, after, *last); err != nil {
			return nil, err
		}
		after = *last
	}
	if err := db.EachRaw(ctx, tx, listsSQL, func(raw [][]byte) {
		list, model := uuid.UUID(raw[0]), int16(binary.BigEndian.Uint16(raw[1]))
		eachFloat(raw[2], func(i int, x float64) {
			if output, ok := names.at(model, i); ok {
				add(c.lists, listKey{list, model, output}, x)
			}
		})
	}); err != nil {
		return nil, fmt.Errorf("count the outputs of classifiers by list: %w", err)
	}
	if err := c.countCollection(ctx, tx, asOf); err != nil {
		return nil, err
	}
	return c, c.countAuthors(ctx, tx, asOf)
}

// names are the names of the outputs of each model.
type names map[int16][]string

func (n names) at(model int16, i int) (string, bool) {
	if i >= len(n[model]) {
		return "", false
	}
	return n[model][i], true
}

func outputNames(ctx context.Context, tx pgx.Tx) (names, error) {
	all := names{}
	rows, err := tx.Query(ctx, "SELECT model_id, outputs FROM classifier_models")
	if err != nil {
		return nil, err
	}
	var id int16
	var outputs []string
	_, err = pgx.ForEachRow(rows, []any{&id, &outputs}, func() error {
		all[id], outputs = outputs, nil
		return nil
	})
	return all, err
}

// add adds a value to the sums of a key.
func add[K comparable](to map[K]*welch.Sample, key K, x float64) {
	s := to[key]
	if s == nil {
		s = new(welch.Sample)
		to[key] = s
	}
	s.Add(welch.Sample{N: 1, Sum: x, Squares: x * x})
}

// message adds a row of outputsSQL.
func (c *counted) message(names names, raw [][]byte) {
	model := int16(binary.BigEndian.Uint16(raw[0]))
	lang, deleted := string(raw[2]), raw[3][0] != 0
	var accepted int8
	if raw[4] != nil {
		accepted = 2*int8(raw[4][0]) - 1
	}
	labels, decision, stale := raw[5:5+scoring.NumLabels], raw[5+scoring.NumLabels], raw[6+scoring.NumLabels][0] != 0
	var said []verdict
	if !stale {
		var room [3]verdict
		said = verdicts(room[:0], labels, decision)
	}
	eachFloat(raw[1], func(i int, x float64) {
		output, ok := names.at(model, i)
		if !ok {
			return
		}
		c.judge(rangeKey{model, output}, lang, x, said)
		add(c.outputs, outputKey{model, output, lang, deleted, accepted}, x)
		of := c.pairs[pairKey{model, output, deleted}]
		if of == nil {
			of = new([scoring.NumLabels]pair)
			c.pairs[pairKey{model, output, deleted}] = of
		}
		for label := range of {
			if labels[label] == nil {
				continue
			}
			y, p := db.ReadFloat8(labels[label]), &of[label]
			p.n++
			p.x, p.y, p.xx, p.yy, p.xy = p.x+x, p.y+y, p.xx+x*x, p.yy+y*y, p.xy+x*y
		}
	})
}

// eachFloat calls do with the values of a double precision[] in PostgreSQL's binary
// format, those that are null or no number left out.
func eachFloat(raw []byte, do func(i int, x float64)) {
	const head, dimension = 12, 8 // dimensions, flags, type; then length and first index of each
	if len(raw) < head+dimension {
		return // no elements
	}
	n := int(binary.BigEndian.Uint32(raw[head:]))
	raw = raw[head+dimension:]
	for i := range n {
		length := int32(binary.BigEndian.Uint32(raw))
		if raw = raw[4:]; length < 0 {
			continue // null
		}
		if x := db.ReadFloat8(raw); !math.IsNaN(x) && !math.IsInf(x, 0) {
			do(i, x)
		}
		raw = raw[length:]
	}
}

// authorsSQL counts the messages of each user by role and time frame: $1 to $3 are the
// starts of all frames but the whole.
var authorsSQL = func() string {
	columns := make([]string, len(scoring.Windows))
	for i, frame := range scoring.Windows {
		columns[i] = fmt.Sprintf("count(*) FILTER (WHERE created_date >= $%d)", i+1)
		if frame == scoring.Total {
			columns[i] = "count(*)"
		}
	}
	return "SELECT user_id, role, " + strings.Join(columns, ", ") +
		" FROM messages WHERE user_id IS NOT NULL GROUP BY user_id, role"
}()

// frameStarts returns the arguments of authorsSQL.
func frameStarts(asOf time.Time) (starts []any) {
	for _, frame := range scoring.Windows {
		if since, ok := frame.Since(asOf); ok {
			starts = append(starts, since)
		}
	}
	return starts
}

// countAuthors counts who wrote how much.
func (c *counted) countAuthors(ctx context.Context, tx pgx.Tx, asOf time.Time) error {
	byRole := map[string]map[uuid.UUID][]int64{}
	for _, role := range Roles {
		byRole[role] = map[uuid.UUID][]int64{}
	}
	if err := db.EachRaw(ctx, tx, authorsSQL, func(raw [][]byte) {
		user := uuid.UUID(raw[0])
		for _, role := range []string{AnyRole, string(raw[1])} {
			w := byRole[role][user]
			if w == nil {
				w = make([]int64, len(scoring.Windows))
				byRole[role][user] = w
			}
			for i := range w {
				w[i] += db.ReadInt8(raw[2+i])
			}
		}
	}, frameStarts(asOf)...); err != nil {
		return fmt.Errorf("count the messages of users: %w", err)
	}
	for role, users := range byRole {
		for i, frame := range scoring.Windows {
			var all []top
			for user, w := range users {
				if w[i] > 0 {
					c.authors[authorsKey{role, frame, w[i]}]++
					all = append(all, top{user, w[i]})
				}
			}
			c.top[topKey{role, frame}] = highest(all)
		}
	}
	return nil
}

// highest sorts users by their messages, and returns the first of them.
func highest(all []top) []top {
	slices.SortFunc(all, func(a, b top) int {
		return cmp.Or(cmp.Compare(b.messages, a.messages), bytes.Compare(a.user[:], b.user[:]))
	})
	return all[:min(MaxTop, len(all))]
}
