package insights

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
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
	Model    int16
	Output   string
	Lang     string
	Deleted  bool
	Accepted int8 // -1 rejected, 0 pending
}

func (k outputKey) review() string {
	switch k.Accepted {
	case 1:
		return Accepted
	case -1:
		return Rejected
	}
	return Pending
}

// listKey names the messages of a list with an output.
type listKey struct {
	List   uuid.UUID
	Model  int16
	Output string
}

// pairKey names an output of the messages that are deleted, or are not.
type pairKey struct {
	Model   int16
	Output  string
	Deleted bool
}

// pair holds the sums of the messages that have both: x is the output.
type pair struct {
	N                int64
	X, Y, XX, YY, XY float64
}

func (p *pair) add(o pair) {
	p.N += o.N
	p.X, p.Y, p.XX, p.YY, p.XY = p.X+o.X, p.Y+o.Y, p.XX+o.XX, p.YY+o.YY, p.XY+o.XY
}

// writerKey names the messages of a user in a role, by its place in Roles. Those in any
// role are the sum.
type writerKey struct {
	User uuid.UUID
	Role int8
}

// perWindow are numbers of messages by time frame.
type perWindow [scoring.NumWindows]int64

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

// listsSQL reads the outputs of the messages on lists, removed ones too, of the trees
// after $1 up to $2.
const listsSQL = `SELECT i.list_id, o.model_id, o.scores FROM list_items i
	JOIN classifier_outputs o ON o.message_id = i.message_id
	WHERE o.tree_id > $1 AND o.tree_id <= $2
		AND i.message_id = ANY (ARRAY(SELECT message_id FROM messages WHERE tree_id > $1 AND tree_id <= $2))`

// countOutputs adds the outputs of classifiers.
func (p *part) countOutputs(ctx context.Context, tx pgx.Tx, names names, after, last uuid.UUID) error {
	if err := db.EachRaw(ctx, tx, outputsSQL, func(raw [][]byte) { p.message(names, raw) }, after, last); err != nil {
		return fmt.Errorf("count the outputs of classifiers: %w", err)
	}
	if err := db.EachRaw(ctx, tx, listsSQL, func(raw [][]byte) {
		list, model := uuid.UUID(raw[0]), int16(binary.BigEndian.Uint16(raw[1]))
		eachFloat(raw[2], func(i int, x float64) {
			if output, ok := names.at(model, i); ok {
				at(p.Lists, listKey{list, model, output}).Add(welch.Sample{N: 1, Sum: x, Squares: x * x})
			}
		})
	}, after, last); err != nil {
		return fmt.Errorf("count the outputs of classifiers by list: %w", err)
	}
	return nil
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

// message adds a row of outputsSQL.
func (p *part) message(names names, raw [][]byte) {
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
		p.judge(rangeKey{model, output}, lang, x, said)
		at(p.Outputs, outputKey{model, output, lang, deleted, accepted}).Add(welch.Sample{N: 1, Sum: x, Squares: x * x})
		of := at(p.Pairs, pairKey{model, output, deleted})
		for label := range of {
			if labels[label] != nil {
				y := db.ReadFloat8(labels[label])
				of[label].add(pair{1, x, y, x * x, y * y, x * y})
			}
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

// whole is a count of everything.
type whole struct {
	part
	parts  []keptPart
	starts []any // of time frames
}

// A part has SmallPart trees. In a collection of more than manyParts of them parts are
// larger, so that the figures of all parts take little memory.
const (
	SmallPart = 1000
	manyParts = 1000
)

// endOfTrees is the last of all ids of trees.
var endOfTrees = uuid.Max

// count counts everything in a transaction of one snapshot.
func (a Access) count(ctx context.Context, tx pgx.Tx, asOf time.Time) (*whole, error) {
	var trees int
	if err := tx.QueryRow(ctx, "SELECT count(*) FROM trees").Scan(&trees); err != nil {
		return nil, err
	}
	w := &whole{part: *newPart()}
	starts, size := frameStarts(asOf), max(cmp.Or(a.Part, SmallPart), trees/manyParts)
	err := eachPart(ctx, tx, uuid.Nil, endOfTrees, size, starts, func(p *part, k keptPart) {
		w.add(p, 1)
		w.parts = append(w.parts, k)
	})
	if err != nil {
		return nil, err
	}
	w.starts = starts
	return w, nil
}

// eachPart counts the trees after one up to another, in parts of so many trees, and calls
// do with each part. The nil id is no tree's: it stands for the one before the first.
func eachPart(ctx context.Context, tx pgx.Tx, after, last uuid.UUID, trees int, starts []any,
	do func(*part, keptPart)) error {
	names, err := outputNames(ctx, tx)
	if err != nil {
		return err
	}
	for after != last {
		end := last
		if err := tx.QueryRow(ctx, `SELECT tree_id FROM trees WHERE tree_id > $1 AND tree_id <= $2
			ORDER BY tree_id OFFSET $3 LIMIT 1`, after, last, trees-1).Scan(&end); err != nil &&
			!errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		p := newPart()
		if err := p.count(ctx, tx, names, after, end, starts); err != nil {
			return err
		}
		figures, err := p.encode()
		if err != nil {
			return err
		}
		do(p, keptPart{end, p.Trees, figures, p.Ranges})
		after = end
	}
	return nil
}

// frameStarts returns the starts of all time frames but the whole, which are arguments of
// queries.
func frameStarts(asOf time.Time) (starts []any) {
	for _, frame := range scoring.Windows {
		if since, ok := frame.Since(asOf); ok {
			starts = append(starts, since)
		}
	}
	return starts
}
