package exports

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/corpus"
	"treewarden/scoring"
	"treewarden/store/db"
	"treewarden/store/messages"
	"treewarden/store/tables"
)

// tree is a tree without its messages.
type tree struct {
	id                          uuid.UUID
	state                       string
	origin, lang                *string
	goal, maxDepth, maxChildren *int
	messages                    int
	synthetic                   bool
}

// treesSQL reads the trees after one, in the order of their ids.
const treesSQL = `SELECT t.tree_id, t.state, t.origin, t.lang, t.goal_tree_size, t.max_depth, t.max_children_count,
		n.messages, n.synthetic
	FROM (SELECT * FROM trees WHERE tree_id > $1 ORDER BY tree_id LIMIT $2) t
	CROSS JOIN LATERAL (SELECT count(*) AS messages, coalesce(bool_or(m.synthetic), false) AS synthetic
		FROM messages m WHERE m.tree_id = t.tree_id) n
	ORDER BY t.tree_id`

// readTrees reads the next trees after one.
func readTrees(ctx context.Context, tx pgx.Tx, after uuid.UUID, limit int) (trees []tree, err error) {
	err = db.EachRaw(ctx, tx, treesSQL, func(raw [][]byte) {
		trees = append(trees, tree{
			id: uuid.UUID(raw[0]), state: string(raw[1]), origin: optionalText(raw[2]), lang: optionalText(raw[3]),
			goal: optionalInt(raw[4]), maxDepth: optionalInt(raw[5]), maxChildren: optionalInt(raw[6]),
			messages: int(db.ReadInt8(raw[7])), synthetic: raw[8][0] != 0,
		})
	}, after, limit)
	return trees, err
}

// reader reads the messages of trees. It reads tables as they are and puts their rows
// together here, which is several times as fast as doing it by subqueries.
type reader struct {
	tx     pgx.Tx
	f      Filters
	models map[int16]model
	sql    string
	args   []any // the first one holds the ids of the trees
	words  map[string]*string
}

// model is a classifier.
type model struct {
	name    string
	outputs []string
}

// newReader prepares the queries. lists are the ids of the lists to leave out.
func newReader(ctx context.Context, tx pgx.Tx, f Filters, lists []uuid.UUID) (*reader, error) {
	r := &reader{tx: tx, f: f, models: map[int16]model{}, words: map[string]*string{}}
	rows, err := tx.Query(ctx, "SELECT model_id, name, outputs FROM classifier_models")
	if err != nil {
		return nil, err
	}
	var id int16
	var m model
	if _, err := pgx.ForEachRow(rows, []any{&id, &m.name, &m.outputs}, func() error {
		r.models[id] = m
		m.outputs = nil
		return nil
	}); err != nil {
		return nil, err
	}
	q := db.Query{From: `messages m
		LEFT JOIN emoji_aggregates e ON e.tree_id = m.tree_id AND e.message_id = m.message_id`}
	q.Where("m.tree_id = ANY (?)", nil)
	listed, banned, classified, events, labels := "false", "false", "false", "NULL::json", ""
	if len(lists) > 0 {
		listed = "EXISTS (SELECT FROM list_items i WHERE i.message_id = m.message_id AND i.list_id = ANY (" +
			q.Arg(db.IDArray(lists)) + "))"
	}
	if f.WithoutBanned {
		banned = "coalesce(" + tables.UserBannedSQL + ", false)"
		q.From += " LEFT JOIN users u ON u.user_id = m.user_id"
	}
	for _, text := range f.WithoutClassifier {
		c, err := messages.ParseClassifier(text)
		if err == nil {
			err = messages.CheckOutput(ctx, tx, c)
		}
		if err != nil {
			return nil, err
		}
		classified += " OR coalesce(" + c.OutputSQL(&q) + " " + c.Operator + " " + q.Arg(c.Value) + ", false)"
	}
	if f.ExportEvents {
		events = "m.events"
	}
	if f.ExportLabels {
		labels = ", l.message_id IS NOT NULL, l.other, " + tables.EachLabel("l.%[1]s, l.%[1]s_count", ", ")
		q.From += " LEFT JOIN label_aggregates l ON l.tree_id = m.tree_id AND l.message_id = m.message_id"
	}
	q.Columns = `m.tree_id, m.message_id, m.parent_id, m.user_id, m.created_date, m.text, m.role, m.lang, m.review_count,
		m.review_result, m.deleted, m.rank, m.synthetic, m.model_name, m.edited, ` + events + ", " + listed + ", " + banned +
		", " + classified + ", e.message_id IS NOT NULL, e.upvotes, e.downvotes, e.red_flags, e.other" + labels
	r.sql, r.args = q.SQL()
	r.sql += " ORDER BY m.tree_id, m.depth, m.rank NULLS LAST, m.created_date, m.message_id"
	return r, nil
}

// batch holds the messages of some trees.
type batch struct {
	trees map[uuid.UUID][]node
	at    map[uuid.UUID]place
	err   error // in the JSON of a row
}

// place is the place of a message in a batch.
type place struct {
	tree  uuid.UUID
	index int
}

// messages reads all messages of some trees, and what belongs to them.
func (r *reader) messages(ctx context.Context, ids []uuid.UUID) (*batch, error) {
	b := &batch{trees: make(map[uuid.UUID][]node, len(ids)), at: map[uuid.UUID]place{}}
	trees := db.IDArray(ids)
	r.args[0] = trees
	err := db.EachRaw(ctx, r.tx, r.sql, func(raw [][]byte) { r.message(b, raw) }, r.args...)
	for _, read := range []func() error{
		func() error { return r.reactions(ctx, b, trees) },
		func() error { return r.votes(ctx, b, trees) },
		func() error { return r.outputs(ctx, b, trees) },
	} {
		if err == nil {
			err = read()
		}
	}
	if err == nil {
		err = b.err
	}
	return b, err
}

// message adds a row of the query of messages.
func (r *reader) message(b *batch, raw [][]byte) {
	id := uuid.UUID(raw[1])
	n := node{
		Message: corpus.Message{
			MessageID: id, ParentID: optionalID(raw[2]), UserID: optionalID(raw[3]),
			Text: string(raw[5]), Role: *r.word(raw[6]), Lang: r.word(raw[7]), ReviewCount: optionalInt(raw[8]),
			ReviewResult: optionalBool(raw[9]), Deleted: raw[10][0] != 0, Rank: optionalInt(raw[11]),
			Synthetic: raw[12][0] != 0, ModelName: r.word(raw[13]), Edited: raw[14][0] != 0,
			Emojis: b.emojis(raw[19:24]),
		},
		listed: raw[16][0] != 0, banned: raw[17][0] != 0, classified: raw[18][0] != 0,
	}
	if at := db.ReadMoment(raw[4]); at != db.Never {
		n.CreatedDate = new(at.Time())
	}
	if raw[15] != nil {
		n.Events = append(json.RawMessage{}, raw[15]...)
	}
	if r.f.ExportLabels {
		n.Labels = b.labels(raw[24:])
	}
	tree := uuid.UUID(raw[0])
	b.at[id] = place{tree, len(b.trees[tree])}
	b.trees[tree] = append(b.trees[tree], n)
}

// word returns a text that many messages share.
func (r *reader) word(raw []byte) *string {
	if raw == nil {
		return nil
	}
	if known, ok := r.words[string(raw)]; ok {
		return known
	}
	if len(r.words) > corpus.MaxNames {
		clear(r.words)
	}
	text := string(raw)
	r.words[text] = &text
	return &text
}

// node returns a message of the batch.
func (b *batch) node(id []byte) *node {
	at, ok := b.at[uuid.UUID(id)]
	if !ok {
		return nil
	}
	return &b.trees[at.tree][at.index]
}

// parse reads jsonb.
func (b *batch) parse(raw []byte, into any) {
	if err := json.Unmarshal(raw[1:], into); err != nil && b.err == nil { // the first byte is the version of the format
		b.err = fmt.Errorf("read %s: %w", raw[1:], err)
	}
}

// emojis reads imported reactions.
func (b *batch) emojis(raw [][]byte) map[string]int {
	if raw[0][0] == 0 {
		return nil
	}
	counts := map[string]int{}
	if raw[4] != nil {
		b.parse(raw[4], &counts)
		maps.DeleteFunc(counts, func(_ string, n int) bool { return n == 0 })
	}
	for i, name := range []string{"+1", "-1", "red_flag"} {
		if n := int(db.ReadInt4(raw[1+i])); n > 0 {
			counts[name] += n
		}
	}
	return counts
}

// labels reads imported labels.
func (b *batch) labels(raw [][]byte) map[string]corpus.Label {
	if raw[0][0] == 0 {
		return nil
	}
	labels := map[string]corpus.Label{}
	if raw[1] != nil {
		b.parse(raw[1], &labels)
	}
	for i, name := range scoring.LabelNames {
		if value, count := raw[2+2*i], raw[3+2*i]; count != nil {
			labels[name] = corpus.Label{Value: optionalFloat(value), Count: int(db.ReadInt4(count))}
		}
	}
	return labels
}

// reactions adds the reactions of single users.
func (r *reader) reactions(ctx context.Context, b *batch, trees any) error {
	return db.EachRaw(ctx, r.tx, `SELECT message_id, emoji, count(*) FROM reactions WHERE tree_id = ANY ($1)
		GROUP BY message_id, emoji`, func(raw [][]byte) {
		n := b.node(raw[0])
		if n == nil {
			return
		}
		if n.Emojis == nil {
			n.Emojis = map[string]int{}
		}
		n.Emojis[*r.word(raw[1])] += int(db.ReadInt8(raw[2]))
	}, trees)
}

// votes adds the labels of single users. They come in a fixed order, on which the last
// digits of their sums depend.
func (r *reader) votes(ctx context.Context, b *batch, trees any) error {
	if !r.f.ExportLabels {
		return nil
	}
	var of *node
	var sum voteSum
	err := db.EachRaw(ctx, r.tx, `SELECT v.message_id, v.other, `+tables.EachLabel("v.%[1]s", ", ")+`
		FROM label_votes v WHERE v.tree_id = ANY ($1) ORDER BY v.tree_id, v.message_id, v.user_id`, func(raw [][]byte) {
		if n := b.node(raw[0]); n != of {
			sum.addTo(of)
			of, sum = n, voteSum{}
		}
		for i, value := range raw[2:] {
			if value != nil {
				sum.known[i].add(db.ReadFloat8(value))
			}
		}
		if raw[1] != nil {
			var other map[string]float64
			b.parse(raw[1], &other)
			for name, value := range other {
				if sum.other == nil {
					sum.other = map[string]*mean{}
				}
				if sum.other[name] == nil {
					sum.other[name] = &mean{}
				}
				sum.other[name].add(value)
			}
		}
	}, trees)
	sum.addTo(of)
	return err
}

// voteSum sums the votes of one message.
type voteSum struct {
	known [scoring.NumLabels]mean
	other map[string]*mean
}

type mean struct {
	sum   float64
	count int
}

func (m *mean) add(value float64) { m.sum += value; m.count++ }

// addTo adds the votes to the labels that a message has from files.
func (s *voteSum) addTo(n *node) {
	if n == nil {
		return
	}
	if n.Labels == nil {
		n.Labels = map[string]corpus.Label{}
	}
	for i, name := range scoring.LabelNames {
		if m := s.known[i]; m.count > 0 {
			before := n.Labels[name]
			if before.Value != nil {
				m.sum += *before.Value * float64(before.Count)
			}
			m.count += before.Count
			n.Labels[name] = corpus.Label{Value: new(m.sum / float64(m.count)), Count: m.count}
		}
	}
	for name, m := range s.other {
		n.Labels[name] = corpus.Label{Value: new(m.sum / float64(m.count)), Count: m.count}
	}
}

// outputs adds the outputs of classifiers.
func (r *reader) outputs(ctx context.Context, b *batch, trees any) error {
	return db.EachRaw(ctx, r.tx, `SELECT message_id, model_id, scores FROM classifier_outputs WHERE tree_id = ANY ($1)`,
		func(raw [][]byte) {
			n := b.node(raw[0])
			m, known := r.models[int16(binary.BigEndian.Uint16(raw[1]))]
			if n == nil || !known {
				return
			}
			scores := map[string]*float64{}
			eachFloat(raw[2], func(i int, value float64) {
				if i < len(m.outputs) {
					scores[m.outputs[i]] = &value
				}
			})
			if len(scores) == 0 {
				return
			}
			if n.Classifiers == nil {
				n.Classifiers = map[string]map[string]*float64{}
			}
			n.Classifiers[m.name] = scores
		}, trees)
}

// eachFloat calls do for each number of a one-dimensional array; nulls are left out.
func eachFloat(raw []byte, do func(i int, value float64)) {
	const header = 20 // dimensions, flags, type of elements, length and lower bound
	if len(raw) < header {
		return
	}
	for i, rest := 0, raw[header:]; len(rest) >= 4; i++ {
		size := int(int32(binary.BigEndian.Uint32(rest)))
		rest = rest[4:]
		if size == 8 {
			do(i, db.ReadFloat8(rest))
			rest = rest[8:]
		}
	}
}

func optionalID(raw []byte) *uuid.UUID {
	if raw == nil {
		return nil
	}
	return new(uuid.UUID(raw))
}

func optionalText(raw []byte) *string {
	if raw == nil {
		return nil
	}
	return new(string(raw))
}

func optionalInt(raw []byte) *int {
	if raw == nil {
		return nil
	}
	return new(int(db.ReadInt4(raw)))
}

func optionalBool(raw []byte) *bool {
	if raw == nil {
		return nil
	}
	return new(raw[0] != 0)
}

func optionalFloat(raw []byte) *float64 {
	if raw == nil {
		return nil
	}
	return new(db.ReadFloat8(raw))
}
