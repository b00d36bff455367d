package store

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"treewarden/corpus"
)

// ingestWrite gathers what lines come to, so that each table is written once.
type ingestWrite struct {
	touched   map[uuid.UUID]*ingestMessage // known before, and given something
	messages  []*ingestMessage
	labels    map[giver]*ingestItem
	reactions map[reactor]*ingestReaction
	reports   map[giver]*ingestReport
	outputs   map[outputKey]*ingestOutput
	last      map[uuid.UUID]time.Time // when users last did something
}

// giver is somebody who gave a message something.
type giver struct{ tree, message, user uuid.UUID }

type reactor struct {
	giver
	emoji string
}

// ingestReaction is what becomes of one reaction: what was there is taken
// away, and one is added, or both.
type ingestReaction struct {
	remove bool
	add    *time.Time
}

type ingestReport struct {
	reason string
	at     time.Time
}

type outputKey struct {
	tree, message uuid.UUID
	model         int16
}

type ingestOutput struct {
	scores   []*float64
	toxicity *float64
	at       time.Time
}

func (w *ingestWrite) reset() {
	w.touched, w.messages = map[uuid.UUID]*ingestMessage{}, nil
	w.labels, w.reactions = map[giver]*ingestItem{}, map[reactor]*ingestReaction{}
	w.reports, w.outputs = map[giver]*ingestReport{}, map[outputKey]*ingestOutput{}
	w.last = map[uuid.UUID]time.Time{}
}

// active notes when the user of a line did something.
func (w *ingestWrite) active(item *ingestItem) {
	if w.last != nil && item.user != uuid.Nil && item.at.After(w.last[item.user]) {
		w.last[item.user] = item.at
	}
}

// label has a person's labels of a message replaced.
func (w *ingestWrite) label(m *ingestMessage, item *ingestItem) {
	w.labels[giver{m.tree, m.id, item.user}] = item
}

// reaction adds or removes one reaction. 👍 and 👎 exclude each other, and
// nobody gives them to themselves.
func (w *ingestWrite) reaction(m *ingestMessage, item *ingestItem) {
	who, emoji := giver{m.tree, m.id, item.user}, *item.Emoji
	opposite := map[string]string{"+1": "-1", "-1": "+1"}[emoji]
	if opposite != "" && m.author != nil && *m.author == item.user {
		return
	}
	of := func(emoji string) *ingestReaction {
		key := reactor{who, emoji}
		if w.reactions[key] == nil {
			w.reactions[key] = &ingestReaction{}
		}
		return w.reactions[key]
	}
	if item.Op != nil && *item.Op == "remove" {
		*of(emoji) = ingestReaction{remove: true}
		return
	}
	if r := of(emoji); r.add == nil {
		r.add = &item.at
	}
	if opposite != "" {
		*of(opposite) = ingestReaction{remove: true}
	}
}

// report joins a person's reasons, so that they count as one report.
func (w *ingestWrite) report(m *ingestMessage, item *ingestItem) {
	who, reason := giver{m.tree, m.id, item.user}, strings.TrimSpace(*item.Reason)
	if r := w.reports[who]; r == nil {
		w.reports[who] = &ingestReport{reason, item.at}
	} else if len(r.reason) < maxReportText {
		r.reason += "\n" + reason
	}
}

// output merges what a model says of a message.
func (w *ingestWrite) output(m *ingestMessage, item *ingestItem, model *importModel) {
	key := outputKey{m.tree, m.id, model.id}
	o := w.outputs[key]
	if o == nil {
		o = &ingestOutput{}
		w.outputs[key] = o
	}
	for name, value := range item.Scores {
		at := model.at[name]
		for len(o.scores) <= at {
			o.scores = append(o.scores, nil)
		}
		o.scores[at] = value
	}
	if t := toxicityOf(item.Scores); t != nil {
		o.toxicity = t
	}
	o.at = item.at
}

// store writes everything, with the counters that follow from it.
func (in *ingest) store() error {
	if err := in.watch(); err != nil {
		return err
	}
	for _, step := range []func() error{in.storeTrees, in.storeMessages, in.storeLabels, in.storeReactions, in.storeReports, in.storeOutputs, in.storeActivity} {
		if err := step(); err != nil {
			return err
		}
	}
	return in.tally.settle(in.ctx, in.Tx, in.now)
}

// watch counts what the messages that are touched contribute, before they are.
func (in *ingest) watch() error {
	in.tally.languages = len(in.write.messages) > 0
	var trees, messages, restated []uuid.UUID
	for _, m := range in.write.touched {
		trees, messages = append(trees, m.tree), append(messages, m.id)
	}
	if len(messages) > 0 {
		if err := in.tally.watch(in.ctx, in.Tx, "SELECT * FROM unnest($1::uuid[], $2::uuid[])", trees, messages); err != nil {
			return err
		}
	}
	for _, t := range in.trees {
		if t.restated && !t.fresh {
			restated = append(restated, t.id)
		}
	}
	if len(restated) > 0 {
		if err := in.tally.watch(in.ctx, in.Tx, "SELECT tree_id, message_id FROM messages WHERE tree_id = ANY ($1) AND parent_id IS NULL", restated); err != nil {
			return err
		}
	}
	trees, messages = nil, nil
	for _, m := range in.write.messages {
		trees, messages = append(trees, m.tree), append(messages, m.id)
	}
	if len(messages) > 0 {
		in.tally.take(trees, messages)
	}
	return nil
}

// ingestTreeFrom is what lines say of trees.
const ingestTreeFrom = `unnest($1::uuid[], $2::text[], $3::boolean[], $4::boolean[], $5::text[], $6::text[], $7::integer[], $8::integer[], $9::integer[], $10::timestamptz[], $11::uuid[])
	s(id, state, active, restated, lang, origin, goal, depth, children, created, author)`

func (in *ingest) storeTrees() error {
	type rows struct {
		ids                   []uuid.UUID
		states                []string
		active, restated      []bool
		langs, origins        []*string
		goals, depths, widths []*int
		created               []*time.Time
		authors               []*uuid.UUID
	}
	var made, said rows
	for _, t := range in.trees {
		r := &said
		if t.fresh {
			r = &made
		} else if !t.said {
			continue
		}
		r.ids, r.states, r.active, r.restated = append(r.ids, t.id), append(r.states, t.state), append(r.active, corpus.ActiveState(t.state)), append(r.restated, t.restated)
		r.langs, r.origins = append(r.langs, t.lang), append(r.origins, t.origin)
		r.goals, r.depths, r.widths = append(r.goals, t.goal), append(r.depths, t.depth), append(r.widths, t.children)
		r.created, r.authors = append(r.created, t.created), append(r.authors, t.author)
	}
	args := func(r rows) []any {
		return []any{r.ids, r.states, r.active, r.restated, r.langs, r.origins, r.goals, r.depths, r.widths, r.created, r.authors}
	}
	if len(made.ids) > 0 {
		if err := in.exec(`INSERT INTO trees (tree_id, state, active, lang, origin, goal_tree_size, max_depth, max_children_count, created_date, user_id)
			SELECT id, state, active, lang, origin, goal, depth, children, coalesce(created, '-infinity'), author FROM `+ingestTreeFrom+` ORDER BY id`, args(made)...); err != nil {
			return err
		}
	}
	if len(said.ids) == 0 {
		return nil
	}
	return in.exec(`UPDATE trees t SET state = CASE WHEN s.restated THEN s.state ELSE t.state END, active = CASE WHEN s.restated THEN s.active ELSE t.active END,
			lang = coalesce(s.lang, t.lang), origin = coalesce(s.origin, t.origin), goal_tree_size = coalesce(s.goal, t.goal_tree_size),
			max_depth = coalesce(s.depth, t.max_depth), max_children_count = coalesce(s.children, t.max_children_count),
			created_date = coalesce(s.created, t.created_date), user_id = coalesce(s.author, t.user_id), version = t.version + 1
		FROM `+ingestTreeFrom+` WHERE t.tree_id = s.id AND (s.restated, coalesce(s.lang, t.lang), coalesce(s.origin, t.origin), coalesce(s.goal, t.goal_tree_size),
				coalesce(s.depth, t.max_depth), coalesce(s.children, t.max_children_count), coalesce(s.created, t.created_date), coalesce(s.author, t.user_id))
			IS DISTINCT FROM (false, t.lang, t.origin, t.goal_tree_size, t.max_depth, t.max_children_count, t.created_date, t.user_id)`, args(said)...)
}

func (in *ingest) storeMessages() error {
	n := len(in.write.messages)
	if n == 0 {
		return nil
	}
	trees, ids, parents, authors := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]*uuid.UUID, n), make([]uuid.UUID, n)
	created, roles, langs, texts, models := make([]time.Time, n), make([]string, n), make([]*string, n), make([]string, n), make([]*string, n)
	depths, synthetic, deleted, byStaff := make([]int, n), make([]bool, n), make([]bool, n), make([]bool, n)
	deletedAt, deletedBy, roots := make([]*time.Time, n), make([]*int64, n), make([]*uuid.UUID, n)
	for i, m := range in.write.messages {
		item := m.item
		trees[i], ids[i], parents[i], authors[i], created[i] = m.tree, m.id, m.parent, item.user, item.at
		roles[i], langs[i], texts[i], models[i], depths[i] = m.role, item.Lang, *m.text, item.ModelName, m.depth
		synthetic[i], deleted[i], byStaff[i] = item.Synthetic != nil && *item.Synthetic, m.deleted, m.byStaff
		deletedAt[i], deletedBy[i], roots[i] = m.deletedAt, m.deletedBy, m.root
	}
	if err := in.exec(`INSERT INTO message_trees (message_id, tree_id) SELECT * FROM unnest($1::uuid[], $2::uuid[]) m(id, tree) ORDER BY id`, ids, trees); err != nil {
		return err
	}
	return in.exec(`INSERT INTO messages (tree_id, message_id, parent_id, user_id, created_date, role, lang, text, model_name, depth, synthetic,
			deleted, deletion_by_staff, deleted_at, deleted_action, deleted_root)
		SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::timestamptz[], $6::text[], $7::text[], $8::text[], $9::text[], $10::integer[],
			$11::boolean[], $12::boolean[], $13::boolean[], $14::timestamptz[], $15::bigint[], $16::uuid[])`,
		trees, ids, parents, authors, created, roles, langs, texts, models, depths, synthetic, deleted, byStaff, deletedAt, deletedBy, roots)
}

// ingestLabelsSQL replaces people's labels, given as arrays.
var ingestLabelsSQL = func() string {
	arrays := make([]string, len(LabelNames))
	for i := range LabelNames {
		arrays[i] = fmt.Sprintf("$%d::float8[]", i+6)
	}
	names := eachLabel("%[1]s", ", ")
	return `INSERT INTO label_votes (tree_id, message_id, user_id, at, other, ` + names + `)
		SELECT tree, message, giver, at, other::jsonb, ` + names + `
		FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::text[], ` + strings.Join(arrays, ", ") + `) v(tree, message, giver, at, other, ` + names + `)
		ON CONFLICT (tree_id, message_id, user_id) DO UPDATE SET at = excluded.at, other = excluded.other, ` + eachLabel("%[1]s = excluded.%[1]s", ", ")
}()

func (in *ingest) storeLabels() error {
	if len(in.write.labels) == 0 {
		return nil
	}
	var trees, messages, users []uuid.UUID
	var at []time.Time
	var others []*string
	columns := make([][]*float64, len(LabelNames))
	for who, item := range in.write.labels {
		trees, messages, users, at = append(trees, who.tree), append(messages, who.message), append(users, who.user), append(at, item.at)
		left := len(item.Labels)
		for i, name := range LabelNames {
			value := item.Labels[name]
			if value != nil {
				left--
			}
			columns[i] = append(columns[i], value)
		}
		other, err := otherLabels(item.Labels, left)
		if err != nil {
			return err
		}
		others = append(others, other)
	}
	args := []any{trees, messages, users, at, others}
	for _, column := range columns {
		args = append(args, column)
	}
	return in.exec(ingestLabelsSQL, args...)
}

// otherLabels writes the n labels that have no column of their own.
func otherLabels(labels map[string]*float64, n int) (*string, error) {
	if n == 0 {
		return nil, nil
	}
	other := make(map[string]*float64, n)
	for name, value := range labels {
		if !isLabel(name) {
			other[name] = value
		}
	}
	text, err := json.Marshal(other)
	if err != nil {
		return nil, fmt.Errorf("write labels: %w", err)
	}
	return new(string(text)), nil
}

func (in *ingest) storeReactions() error {
	type rows struct {
		trees, messages, users []uuid.UUID
		emojis                 []string
		at                     []time.Time
	}
	var gone, made rows
	for who, what := range in.write.reactions {
		add := func(r *rows) {
			r.trees, r.messages, r.users, r.emojis = append(r.trees, who.tree), append(r.messages, who.message), append(r.users, who.user), append(r.emojis, who.emoji)
		}
		if what.remove {
			add(&gone)
		}
		if what.add != nil {
			add(&made)
			made.at = append(made.at, *what.add)
		}
	}
	if len(gone.trees) > 0 {
		if err := in.exec(`DELETE FROM reactions r USING unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[]) g(tree, message, giver, emoji)
			WHERE r.tree_id = g.tree AND r.message_id = g.message AND r.user_id = g.giver AND r.emoji = g.emoji`, gone.trees, gone.messages, gone.users, gone.emojis); err != nil {
			return err
		}
	}
	if len(made.trees) == 0 {
		return nil
	}
	return in.exec(`INSERT INTO reactions (tree_id, message_id, user_id, emoji, at)
		SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[]) ON CONFLICT DO NOTHING`,
		made.trees, made.messages, made.users, made.emojis, made.at)
}

func (in *ingest) storeReports() error {
	if len(in.write.reports) == 0 {
		return nil
	}
	var trees, messages, users []uuid.UUID
	var reasons []string
	var at []time.Time
	for who, report := range in.write.reports {
		trees, messages, users = append(trees, who.tree), append(messages, who.message), append(users, who.user)
		reasons, at = append(reasons, report.reason), append(at, report.at)
	}
	return in.exec(`INSERT INTO reports AS r (tree_id, message_id, user_id, reason, at)
		SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[])
		ON CONFLICT (tree_id, message_id, user_id) WHERE status = 'open' DO UPDATE SET reason = r.reason || E'\n' || excluded.reason
		WHERE octet_length(r.reason) < $6`, trees, messages, users, reasons, at, maxReportText)
}

func (in *ingest) storeOutputs() error {
	if len(in.write.outputs) == 0 {
		return nil
	}
	var trees, messages []uuid.UUID
	var models []int16
	var toxicity []*float64
	var scores []string
	var at []time.Time
	for key, o := range in.write.outputs {
		trees, messages, models = append(trees, key.tree), append(messages, key.message), append(models, key.model)
		toxicity, scores, at = append(toxicity, o.toxicity), append(scores, floatArray(o.scores)), append(at, o.at)
	}
	return in.exec(`INSERT INTO classifier_outputs AS o (tree_id, message_id, model_id, toxicity, scores, at)
		SELECT tree, message, model, toxicity, scores::float8[], at
		FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::float8[], $5::text[], $6::timestamptz[]) s(tree, message, model, toxicity, scores, at)
		ON CONFLICT (tree_id, message_id, model_id) DO UPDATE SET at = excluded.at, toxicity = coalesce(excluded.toxicity, o.toxicity),
			scores = (SELECT array_agg(coalesce(excluded.scores[i], o.scores[i]) ORDER BY i)
				FROM generate_series(1, greatest(cardinality(o.scores), cardinality(excluded.scores))) i)`,
		trees, messages, models, toxicity, scores, at)
}

// floatArray writes an array as PostgreSQL reads it.
func floatArray(values []*float64) string {
	b := []byte{'{'}
	for i, value := range values {
		if i > 0 {
			b = append(b, ',')
		}
		if value == nil {
			b = append(b, "NULL"...)
		} else {
			b = strconv.AppendFloat(b, *value, 'g', -1, 64)
		}
	}
	return string(append(b, '}'))
}

// storeActivity moves the last activity of givers and authors up.
func (in *ingest) storeActivity() error {
	if len(in.write.last) == 0 {
		return nil
	}
	var ids []uuid.UUID
	var at []time.Time
	for id, last := range in.write.last {
		ids, at = append(ids, id), append(at, last)
	}
	in.tally.change(ids...)
	return in.exec(`UPDATE users u SET last_activity_date = a.at FROM unnest($1::uuid[], $2::timestamptz[]) a(id, at)
		WHERE u.user_id = a.id AND u.last_activity_date < a.at`, ids, at)
}
