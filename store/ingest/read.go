package ingest

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/tables"
)

// learnModels reads or creates the models and outputs of lines whose message is
// known or in the request.
func (in *run) learnModels() error {
	var names []string
	var messages []uuid.UUID
	there := map[uuid.UUID]bool{}
	for _, item := range in.items {
		switch item.kind {
		case "classifier_output":
			names, messages = append(names, *item.Model), append(messages, item.message)
		case "message":
			there[item.message] = true
		}
	}
	if len(names) == 0 {
		return nil
	}
	var name string
	var id int16
	var outputs []string
	in.Each([]any{&name, &id, &outputs}, func() { in.models[name] = tables.NewModel(id, outputs) },
		"SELECT name, model_id, outputs FROM classifier_models WHERE name = ANY ($1)", names)
	var message uuid.UUID
	in.Each([]any{&message}, func() { there[message] = true },
		"SELECT message_id FROM message_trees WHERE message_id = ANY ($1)", db.IDArray(messages))
	if err := in.Flush(); err != nil {
		return err
	}
	for _, item := range in.items {
		if item.kind == "classifier_output" && !in.events[item.event].taken && there[item.message] {
			if err := in.learnModel(item); err != nil {
				return err
			}
		}
	}
	return nil
}

// learnModel adds missing outputs of a line's model, or sets the line's fault.
func (in *run) learnModel(item *lineItem) error {
	said := map[string]map[string]*float64{*item.Model: item.Scores}
	if in.models.Knows(said) {
		return nil
	}
	err := in.models.Register(in.Ctx, in.Conn, said, false)
	var full tables.ErrModelFull
	switch {
	case errors.As(err, &full):
		item.fault = refuse("too_many", "The model %.60q would have more than %d outputs.", *item.Model, tables.MaxOutputs)
	case errors.Is(err, tables.ErrManyModels):
		item.fault = refuse("too_many", "There would be more than %d models.", tables.MaxModels)
	default:
		return err
	}
	return nil
}

// question holds the objects that the lines refer to.
type question struct {
	trees    []uuid.UUID
	messages map[uuid.UUID]wanted
	// reactions is the number of lines about reactions; each removes at most one.
	reactions int
}

// wanted selects what to read of a message: its text, if a line contains the
// message, and its reactions, if a line adds feedback to it.
type wanted struct{ text, record bool }

func (in *run) question() (asked question) {
	asked.messages = make(map[uuid.UUID]wanted, len(in.items))
	for _, item := range in.items {
		asks := asked.messages[item.message]
		switch item.kind {
		case "user":
			continue
		case "tree":
			asked.trees = append(asked.trees, item.tree)
			continue
		case "message":
			asks.text = true
			if item.parent == nil {
				asked.trees = append(asked.trees, item.message)
			} else if _, known := asked.messages[*item.parent]; !known {
				asked.messages[*item.parent] = wanted{} // only its tree is needed
			}
		case "reaction":
			asked.reactions++
			asks.record = true
		default:
			asks.record = true
		}
		asked.messages[item.message] = asks
	}
	return asked
}

// lockTrees locks the trees that lines refer to in the order of their ids, and
// reads them and their messages. A message that is added in between to another
// tree is not seen.
func (in *run) lockTrees() {
	asked := in.question()
	in.trees, in.messages = make(map[uuid.UUID]*knownTree, len(asked.trees)),
		make(map[uuid.UUID]*knownMessage, len(asked.messages))
	ids := db.IDArray(slices.Collect(maps.Keys(asked.messages)))
	var t knownTree
	in.Each([]any{&t.id, &t.state, &t.byStaff}, func() {
		known := t
		known.was = t.state
		in.trees[t.id] = &known
	}, `SELECT tree_id, state, state_by_staff FROM trees
		WHERE tree_id = ANY ($1::uuid[] || ARRAY(SELECT tree_id FROM message_trees WHERE message_id = ANY ($2)))
		ORDER BY tree_id FOR UPDATE`, db.IDArray(asked.trees), ids)
	if len(ids) == 0 {
		return
	}
	texts, records := make([]bool, len(ids)), make([]bool, len(ids))
	for i, id := range ids {
		asks := asked.messages[id.Bytes]
		texts[i], records[i] = asks.text, asks.record
	}
	var m knownMessage
	in.Each([]any{&m.id, &m.tree, &m.parent, &m.author, &m.created, &m.depth, &m.role, &m.deleted, &m.deletedAt,
		&m.deletedBy, &m.root, &m.byStaff, &m.text, &m.record, &m.reactions}, func() {
		if in.trees[m.tree] != nil {
			known := m
			in.messages[m.id] = &known
		}
	}, `SELECT m.message_id, m.tree_id, m.parent_id, m.user_id, m.created_date, m.depth, m.role,
			m.deleted, m.deleted_at, m.deleted_action, m.deleted_root, m.deletion_by_staff,
			CASE WHEN i.text THEN m.text END,
			i.record AND (SELECT true FROM emoji_aggregates z
				WHERE z.tree_id = m.tree_id AND z.message_id = m.message_id) IS NOT NULL,
			CASE WHEN i.record THEN (SELECT count(*) FROM (SELECT FROM reactions z
				WHERE z.tree_id = m.tree_id AND z.message_id = m.message_id LIMIT $4) z) ELSE 0 END
		FROM unnest($1::uuid[], $2::boolean[], $3::boolean[]) i(id, text, record),
			LATERAL (SELECT m.* FROM message_trees d
				JOIN messages m ON m.tree_id = d.tree_id AND m.message_id = d.message_id
				WHERE d.message_id = i.id LIMIT 1) m`, ids, texts, records, asked.reactions+1)
}

// knownFeedback is the feedback in the database that lines may change: that of
// their users on their messages, and the outputs for these messages. The trees
// are locked, so that it does not change.
type knownFeedback struct {
	votes     map[raterKey]*knownVote
	reactions map[reactionKey]pgtype.Timestamptz
	dismissed map[reactionKey]bool // red flags that a case dismissed
	reports   map[raterKey]*knownReports
	outputs   map[uuid.UUID]map[int16]knownOutput
	given     map[givenKey]bool // what people gave in the console, or took back there
}

// knownReports are the reports of one user on a message that count.
type knownReports struct {
	first pgtype.Timestamptz
	open  bool // one of them is open
}

// knownVote holds a user's labels that count.
type knownVote struct {
	at     pgtype.Timestamptz
	labels map[string]*float64
}

// knownOutput is the part of a classifier's output that scores need.
type knownOutput struct {
	model    string
	toxicity *float64
	at       pgtype.Timestamptz
}

// readFeedback reads the known feedback of the kinds of the lines.
func (in *run) readFeedback() {
	in.feedback = knownFeedback{
		votes:     map[raterKey]*knownVote{},
		reactions: map[reactionKey]pgtype.Timestamptz{},
		dismissed: map[reactionKey]bool{},
		reports:   map[raterKey]*knownReports{},
		outputs:   map[uuid.UUID]map[int16]knownOutput{},
		given:     map[givenKey]bool{},
	}
	type pairs struct{ messages, users []uuid.UUID }
	asked := map[string]*pairs{}
	want := func(kind string, item *lineItem) {
		if asked[kind] == nil {
			asked[kind] = &pairs{}
		}
		p := asked[kind]
		p.messages, p.users = append(p.messages, item.message), append(p.users, item.user)
	}
	for _, item := range in.items {
		want(item.kind, item)
		switch { // a red flag and reports of one user count as one
		case item.kind == "report":
			want("reaction", item)
		case item.kind == "reaction" && *item.Emoji == counters.RedFlag:
			want("report", item)
		}
	}
	var who raterKey
	var at pgtype.Timestamptz
	key := []any{&who.tree, &who.message, &who.user}
	ask := func(kind string, targets []any, do func(), sql string) {
		if p := asked[kind]; p != nil {
			in.Each(append(slices.Clone(key), targets...), do, sql, db.IDArray(p.messages), db.IDArray(p.users))
		}
	}
	values := make([]*float64, len(counters.CountedNames))
	voted := []any{&at}
	for i := range values {
		voted = append(voted, &values[i])
	}
	ask("label", voted, func() {
		vote := &knownVote{at: at, labels: make(map[string]*float64, len(values))}
		for i, name := range counters.CountedNames {
			vote.labels[name] = values[i]
		}
		in.feedback.votes[who] = vote
	}, feedbackVotesSQL)
	var emoji string
	var dismissed bool
	ask("reaction", []any{&emoji, &at, &dismissed}, func() {
		in.feedback.reactions[reactionKey{who, emoji}] = at
		in.feedback.dismissed[reactionKey{who, emoji}] = dismissed
	}, feedbackSQL("reactions", "g.emoji, g.at, g.decision IS NOT DISTINCT FROM 'dismissed'", ""))
	var given pairs
	for _, kind := range []string{"label", "reaction", "report"} {
		if p := asked[kind]; p != nil {
			given.messages, given.users = append(given.messages, p.messages...), append(given.users, p.users...)
		}
	}
	if len(given.messages) > 0 {
		in.readGiven(given.messages, given.users)
	}
	var open bool
	ask("report", []any{&at, &open}, func() {
		known := in.feedback.reports[who]
		if known == nil {
			known = &knownReports{first: at}
			in.feedback.reports[who] = known
		}
		if db.CompareTimes(at, known.first) < 0 {
			known.first = at
		}
		known.open = known.open || open
	}, feedbackSQL("reports", "g.at, g.status = 'open'", "g.status IN ('open', 'upheld')"))
	if p := asked["classifier_output"]; p != nil {
		var model int16
		var known knownOutput
		in.Each([]any{&who.message, &model, &known.model, &known.toxicity, &known.at}, func() {
			if in.feedback.outputs[who.message] == nil {
				in.feedback.outputs[who.message] = map[int16]knownOutput{}
			}
			in.feedback.outputs[who.message][model] = known
		}, `SELECT o.message_id, o.model_id, k.name, o.toxicity, o.at FROM message_trees d
			JOIN classifier_outputs o ON o.tree_id = d.tree_id AND o.message_id = d.message_id
			JOIN classifier_models k USING (model_id)
			WHERE d.message_id = ANY ($1)`, db.IDArray(p.messages))
	}
}

// feedbackSQL returns a query for feedback in a table g by messages and users in
// two arrays.
func feedbackSQL(table, columns, where string) string {
	if columns != "" {
		columns = ", " + columns
	}
	if where != "" {
		where = " AND " + where
	}
	return `SELECT g.tree_id, g.message_id, g.user_id` + columns +
		` FROM unnest($1::uuid[], $2::uuid[]) i(message, rater), LATERAL (SELECT g.* FROM message_trees d
		JOIN ` + table + ` g ON g.tree_id = d.tree_id AND g.message_id = d.message_id AND g.user_id = i.rater` + where + `
		WHERE d.message_id = i.message OFFSET 0) g`
}

var feedbackVotesSQL = feedbackSQL("label_votes", "g.at, g."+strings.Join(counters.CountedNames, ", g."), "")
