package ingest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/corpus"
	"treewarden/scoring"
	"treewarden/store/db"
	"treewarden/store/derived"
	"treewarden/store/tables"
)

// store writes everything with its counters and commits, in one round trip unless
// the counters need more.
func (in *run) store(*Result) error {
	if err := in.count(); err != nil {
		return err
	}
	if len(in.items) > fewLines {
		in.Queue(planOnce)
	}
	in.storeTrees()
	in.storeMessages()
	if err := in.storeLabels(); err != nil {
		return err
	}
	in.storeReactions()
	in.storeReports()
	in.storeOutputs()
	in.touchedCases().Queue(&in.Batch, &in.update.Changed) // reads the outputs
	in.storeActivity()
	in.storeEvents()
	if len(in.trees) > 0 {
		in.Queue(tables.NoteChangesSQL, db.IDArray(slices.Collect(maps.Keys(in.trees))))
	}
	in.update.Write(&in.Batch, in.now, in.weighed)
	in.publisher.Announce(&in.Batch, in.update.Changed)
	in.late.Queue(&in.Batch, in.now)
	if in.sender != uuid.Nil {
		in.Queue(in.requireActive, in.sender)
	}
	return in.Commit(in.weighed)
}

// treeFrom is the FROM item of trees in lines.
const treeFrom = `unnest($1::uuid[], $2::text[], $3::boolean[], $4::boolean[], $5::text[], $6::text[],
		$7::integer[], $8::integer[], $9::integer[], $10::timestamptz[], $11::uuid[])
	s(id, state, active, restated, lang, origin, goal, depth, children, created, author)`

func (in *run) storeTrees() {
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
		} else if !t.changed {
			continue
		}
		r.ids, r.states, r.active, r.restated = append(r.ids, t.id), append(r.states, t.state),
			append(r.active, corpus.ActiveState(t.state)), append(r.restated, t.restated)
		r.langs, r.origins = append(r.langs, t.lang), append(r.origins, t.origin)
		r.goals, r.depths, r.widths = append(r.goals, t.goal), append(r.depths, t.depth), append(r.widths, t.children)
		r.created, r.authors = append(r.created, t.created), append(r.authors, t.author)
	}
	args := func(r rows) []any {
		return []any{
			r.ids, r.states, r.active, r.restated, r.langs, r.origins,
			r.goals, r.depths, r.widths, r.created, r.authors,
		}
	}
	if len(made.ids) > 0 {
		in.Queue(`INSERT INTO trees (tree_id, state, active, lang, origin,
				goal_tree_size, max_depth, max_children_count, created_date, user_id)
			SELECT id, state, active, lang, origin, goal, depth, children, coalesce(created, '-infinity'), author
			FROM `+treeFrom+` ORDER BY id`, args(made)...)
	}
	if len(said.ids) == 0 {
		return
	}
	in.Queue(`UPDATE trees t SET
			state = CASE WHEN s.restated THEN s.state ELSE t.state END,
			active = CASE WHEN s.restated THEN s.active ELSE t.active END,
			lang = coalesce(s.lang, t.lang), origin = coalesce(s.origin, t.origin),
			goal_tree_size = coalesce(s.goal, t.goal_tree_size), max_depth = coalesce(s.depth, t.max_depth),
			max_children_count = coalesce(s.children, t.max_children_count),
			created_date = coalesce(s.created, t.created_date), user_id = coalesce(s.author, t.user_id),
			version = t.version + 1
		FROM `+treeFrom+` WHERE t.tree_id = s.id
			AND (s.restated, coalesce(s.lang, t.lang), coalesce(s.origin, t.origin),
				coalesce(s.goal, t.goal_tree_size), coalesce(s.depth, t.max_depth),
				coalesce(s.children, t.max_children_count), coalesce(s.created, t.created_date),
				coalesce(s.author, t.user_id))
			IS DISTINCT FROM (false, t.lang, t.origin, t.goal_tree_size, t.max_depth,
				t.max_children_count, t.created_date, t.user_id)`, args(said)...)
}

func (in *run) storeMessages() {
	n := len(in.changes.messages)
	if n == 0 {
		return
	}
	trees, ids, parents, authors := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]*uuid.UUID, n), make([]uuid.UUID, n)
	created, roles, langs := make([]*time.Time, n), make([]string, n), make([]*string, n)
	texts, models := make([]string, n), make([]*string, n)
	depths, synthetic, deleted, byStaff := make([]int, n), make([]bool, n), make([]bool, n), make([]bool, n)
	deletedAt, deletedBy, roots := make([]*time.Time, n), make([]*int64, n), make([]*uuid.UUID, n)
	for i, m := range in.changes.messages {
		item := m.item
		trees[i], ids[i], parents[i], authors[i], created[i] = m.tree, m.id, m.parent, item.user, &item.at
		roles[i], langs[i], texts[i], models[i], depths[i] = m.role, item.Lang, *m.text, item.ModelName, m.depth
		synthetic[i], deleted[i], byStaff[i] = item.Synthetic != nil && *item.Synthetic, m.deleted, m.byStaff
		deletedAt[i], deletedBy[i], roots[i] = m.deletedAt, m.deletedBy, m.root
		if m.deletedBy != nil {
			in.late.Add(m.tree, m.id, *m.deletedBy)
		}
	}
	in.Queue(`INSERT INTO message_trees (message_id, tree_id) SELECT * FROM unnest($1::uuid[], $2::uuid[]) m(id, tree)
		ORDER BY id`, db.IDArray(ids), db.IDArray(trees))
	in.Queue(`INSERT INTO messages (tree_id, message_id, parent_id, user_id, created_date, role, lang, text,
			model_name, depth, synthetic, deleted, deletion_by_staff, deleted_at, deleted_action, deleted_root)
		SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::timestamptz[],
			$6::text[], $7::text[], $8::text[], $9::text[], $10::integer[], $11::boolean[],
			$12::boolean[], $13::boolean[], $14::timestamptz[], $15::bigint[], $16::uuid[])`,
		db.IDArray(trees), db.IDArray(ids), parents, db.IDArray(authors), created, roles, langs, texts, models, depths,
		synthetic, deleted, byStaff, deletedAt, deletedBy, roots)
	sql, args := derived.Insert(trees, ids, created, langs, texts)
	in.Queue(sql, args...)
	derived.QueueOutputs(&in.Batch, trees, ids)
}

// insertLabelsSQL and replaceLabelsSQL insert and replace users' labels from
// arrays.
var insertLabelsSQL, replaceLabelsSQL = func() (string, string) {
	arrays := make([]string, len(scoring.LabelNames))
	for i := range scoring.LabelNames {
		arrays[i] = fmt.Sprintf("$%d::float8[]", i+6)
	}
	names := tables.EachLabel("%[1]s", ", ")
	from := `FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::text[], ` +
		strings.Join(arrays, ", ") + `) s(tree, message, rater, at, other, ` + names + `)`
	return `INSERT INTO label_votes (tree_id, message_id, user_id, at, other, ` + names +
			`) SELECT tree, message, rater, at, other::jsonb, ` + names + ` ` + from,
		`UPDATE label_votes v SET at = s.at, other = s.other::jsonb, ` + tables.EachLabel("%[1]s = s.%[1]s", ", ") + ` ` +
			from + `
			WHERE v.tree_id = s.tree AND v.message_id = s.message AND v.user_id = s.rater`
}()

// labelRows holds rows of label_votes by column.
type labelRows struct {
	trees, messages, users []uuid.UUID
	at                     []time.Time
	others                 []*string
	columns                [scoring.NumLabels]pgtype.FlatArray[pgtype.Float8] // in the order of scoring.Labels
}

func (r *labelRows) add(who raterKey, item *lineItem) error {
	r.trees, r.messages = append(r.trees, who.tree), append(r.messages, who.message)
	r.users, r.at = append(r.users, who.user), append(r.at, item.at)
	left := len(item.Labels)
	for i, name := range scoring.LabelNames {
		var column pgtype.Float8
		if value := item.Labels[name]; value != nil {
			column = pgtype.Float8{Float64: *value, Valid: true}
			left--
		}
		r.columns[i] = append(r.columns[i], column)
	}
	other, err := otherLabels(item.Labels, left)
	r.others = append(r.others, other)
	return err
}

func (in *run) storeLabels() error {
	var made, replaced labelRows
	for who, item := range in.changes.labels {
		r := &made
		if in.feedback.votes[who] != nil {
			r = &replaced
		}
		if err := r.add(who, item); err != nil {
			return err
		}
	}
	for sql, r := range map[string]*labelRows{insertLabelsSQL: &made, replaceLabelsSQL: &replaced} {
		if len(r.trees) == 0 {
			continue
		}
		args := []any{db.IDArray(r.trees), db.IDArray(r.messages), db.IDArray(r.users), r.at, r.others}
		for i := range scoring.LabelNames {
			args = append(args, r.columns[i])
		}
		in.Queue(sql, args...)
	}
	return nil
}

// otherLabels encodes the n labels without a column.
func otherLabels(labels map[string]*float64, n int) (*string, error) {
	if n == 0 {
		return nil, nil
	}
	other := make(map[string]*float64, n)
	for name, value := range labels {
		if !scoring.IsLabel(name) {
			other[name] = value
		}
	}
	text, err := json.Marshal(other)
	if err != nil {
		return nil, fmt.Errorf("write labels: %w", err)
	}
	return new(string(text)), nil
}
