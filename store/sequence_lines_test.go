package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/corpus"
	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/selection"
	"treewarden/store/storetest"
)

// makers returns a function for each kind of action that makes a random one.
func (q *sequence) makers() map[string]func() store.Act {
	user := func() store.Act { return store.Act{Target: q.user()} }
	message := func() store.Act { return store.Act{Target: q.node().id} }
	tree := func() store.Act { return store.Act{Target: q.node().tree} }
	with := func(act func() store.Act, set func(*store.Act)) func() store.Act {
		return func() store.Act {
			a := act()
			set(&a)
			return a
		}
	}
	return map[string]func() store.Act{
		"unban": user, "undelete": message, "report": message, "resume": tree,
		"delete":  with(message, func(a *store.Act) { a.Params = q.closing() }),
		"halt":    with(tree, func(a *store.Act) { a.Params = q.closing() }),
		"resolve": q.decision,
		"ban": with(user, func(a *store.Act) {
			terms := store.BanParams{Messages: pick(q, "keep", "delete"), Trees: pick(q, "keep", "halt"),
				Close: q.closing()}
			if q.random.IntN(2) == 0 {
				terms.Until = new(q.now.Add(pick(q, time.Hour, 50*time.Hour, 400*24*time.Hour)))
			}
			a.Params = terms
		}),
		"update_user": with(user, func(a *store.Act) {
			a.Params = pick(q, store.UserPatch{DisplayName: new("name " + q.id().String())},
				store.UserPatch{Notes: new("a note")},
				store.UserPatch{Role: new(pick(q, policy.General, policy.Moderator))})
		}),
		"edit": with(message, func(a *store.Act) { a.Params = store.EditParams{Text: "text " + q.id().String()} }),
		"review": with(message, func(a *store.Act) {
			a.Params = store.ReviewParams{Result: pick(q, "accepted", "rejected", "pending"), Close: q.closing()}
		}),
		"label": with(message, func(a *store.Act) { a.Params = store.LabelParams{Labels: q.labels()} }),
		"react": with(message, func(a *store.Act) {
			a.Params = store.ReactParams{Emoji: pick(q, "+1", "-1", "red_flag", "rofl"), Op: pick(q, "add", "add", "remove")}
		}),
		"bulk": q.bulk,
	}
}

func (q *sequence) closing() store.CloseParams {
	return store.CloseParams{CloseCases: q.random.IntN(2) == 0}
}

// bulk acts on some random messages, or on all of a language.
func (q *sequence) bulk() store.Act {
	p := selection.Act{Kind: pick(q, "delete", "delete", "reject", "accept", "ban", "halt")}
	if q.random.IntN(4) == 0 {
		p.On.Filter = &store.MessageFilter{Lang: pick(q, "en", "de"), Deleted: "include"}
	} else {
		for range 1 + q.random.IntN(8) {
			p.On.IDs = append(p.On.IDs, q.node().id)
		}
	}
	if p.Kind == "ban" && q.random.IntN(2) == 0 {
		p.Until = new(q.now.Add(pick(q, time.Hour, 400*24*time.Hour)))
	}
	p.Close = q.closing()
	return store.Act{Target: q.id(), Params: store.BulkParams{Act: p}}
}

// decision decides a random open case in a random way. Without one it is refused.
func (q *sequence) decision() (a store.Act) {
	params := store.ResolveParams{Outcome: pick(q, "dismiss", "dismiss", "delete", "reject", "halt", "ban"),
		Cases: pick(q, "one", "author")}
	if params.Outcome == "ban" {
		params.Messages = pick(q, "keep", "delete")
	}
	err := storetest.DB(q.t, q.Store).QueryRow(ctx, `SELECT case_id, message_id FROM cases WHERE status = 'open'
		ORDER BY hashint8(case_id + $1) LIMIT 1`, q.random.IntN(1000)).Scan(&params.Case, &a.Target)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		params.Outcome = "none" // which is refused
	case err != nil:
		q.t.Fatal(err)
	}
	a.Params = params
	return a
}

func (q *sequence) labels() map[string]float64 {
	labels := map[string]float64{}
	for range 1 + q.random.IntN(3) {
		labels[pick(q, scoring.LabelNames...)] = float64(q.random.IntN(5)) / 4
	}
	return labels
}

// scores returns the scores of a classifier, some of them without a toxicity: a reward
// is no probability.
func (q *sequence) scores() map[string]float64 {
	return pick(q, map[string]float64{"toxicity": q.random.Float64()}, map[string]float64{"toxicity": q.random.Float64()},
		map[string]float64{"toxicity": 1.5 - 3*float64(q.random.IntN(2))}, map[string]float64{"reward": q.random.Float64()})
}

// choose puts a formula in force that counts the toxicity by other models.
func (q *sequence) choose() {
	q.t.Helper()
	classifier := pick(q, "", "", "m", "treewarden", "n, treewarden", "detoxify, m")
	outcome, err := q.SaveFormula(ctx, q.staff[0], scoring.Change{Classifier: &classifier}, "a random choice", nil, "")
	q.acted("formula", classifier, outcome, err)
}

// ingest sends one to six lines of random types by random users, also by banned
// users, by authors and by users who labelled the message before.
func (q *sequence) ingest() {
	q.t.Helper()
	var lines []string
	for range 1 + q.random.IntN(6) {
		n, rater := q.node(), q.user()
		switch q.random.IntN(8) {
		case 0, 1:
			lines = append(lines, event("label", "message_id", n.id, "user_id", rater, "labels", q.labels(), "at", q.at()))
		case 2, 3:
			lines = append(lines, event("reaction", "message_id", n.id, "user_id", rater, "emoji",
				pick(q, "+1", "-1", "red_flag", "_skip_reply"),
				"op", pick(q, "add", "add", "remove"), "at", q.at()))
		case 4:
			lines = append(lines, event("report", "message_id", n.id, "user_id", rater, "reason", "by ingest", "at", q.at()))
		case 5:
			// The ingest may refuse the reply; loadNodes finds it if not.
			reply := q.reply(n)
			lines = append(lines, q.message(reply, rater))
			q.nodes = q.nodes[:len(q.nodes)-1]
		case 6:
			lines = append(lines, event("classifier_output", "message_id", n.id, "model",
				pick(q, "m", "n", "treewarden"), "scores", q.scores(), "at", q.at()))
		case 7:
			lines = append(lines, event("tree", "message_tree_id", n.tree, "state", pick(q, "growing", "aborted_low_grade")),
				event("user", "user_id", rater, "display_name", "name "+q.id().String()))
		}
	}
	done, err := q.Ingest(ctx, store.CommandLine, []byte(strings.Join(lines, "\n")))
	q.did("ingest", strings.Join(lines, "\n    "), err)
	for _, fault := range done.Errors {
		if !slices.Contains([]string{"user_banned", "staff_user", "staff_gave"}, fault.Code) {
			q.fail("line %d was refused: %s", fault.Line, fault.Message)
		}
	}
	q.loadNodes()
}

// loadNodes sets nodes to the messages of the database.
func (q *sequence) loadNodes() {
	rows, err := storetest.DB(q.t, q.Store).Query(ctx,
		`SELECT message_id, coalesce(parent_id, '00000000-0000-0000-0000-000000000000'), tree_id, role, text
			FROM messages ORDER BY message_id`)
	if err != nil {
		q.fail("read the messages: %v", err)
	}
	defer rows.Close()
	q.nodes = nil
	for rows.Next() {
		var n node
		if err := rows.Scan(&n.id, &n.parent, &n.tree, &n.role, &n.text); err != nil {
			q.fail("read the messages: %v", err)
		}
		q.nodes = append(q.nodes, n)
	}
	if rows.Err() != nil {
		q.fail("read the messages: %v", rows.Err())
	}
}

// importMore imports a few messages: known ones with other data, new replies, and
// replies to messages that a later import adds.
func (q *sequence) importMore() {
	q.t.Helper()
	var lines []string
	seen := map[uuid.UUID]bool{}
	for range 1 + q.random.IntN(4) {
		n := q.node()
		switch choice := q.random.IntN(6); {
		case choice == 0:
			n = q.reply(n)
		case choice == 1 && len(q.missing) > 0:
			n, q.missing = q.missing[0], q.missing[1:]
		case choice == 2:
			parent := q.reply(n)
			q.missing = append(q.missing, parent)
			n = q.reply(parent)
		}
		if seen[n.id] {
			continue
		}
		seen[n.id] = true
		lines = append(lines, q.exported(n))
	}
	text := strings.Join(lines, "\n") + "\n"
	summary, err := q.Import(ctx, corpus.NewReader(strings.NewReader(text), "random.jsonl").All(),
		store.ImportOptions{Batch: 1 + q.random.IntN(4)})
	q.did("import", strings.Join(lines, "\n    "), err)
	if summary.Rejected > 0 {
		q.fail("the import refused: %+v", summary.Errors)
	}
	q.loadNodes()
}

// exported returns the line of a message, or of its tree, with a random part of the
// other data.
func (q *sequence) exported(n node) string {
	message := map[string]any{"message_id": n.id, "role": n.role, "text": n.text}
	if n.parent != uuid.Nil {
		message["parent_id"] = n.parent
	}
	may := func(name string, value any) {
		if q.random.IntN(2) == 0 {
			message[name] = value
		}
	}
	may("user_id", q.user())
	may("lang", pick(q, "en", "fr"))
	may("created_date", q.at())
	may("deleted", q.random.IntN(4) == 0)
	may("review_result", pick(q, true, false))
	may("emojis", map[string]int{"+1": q.random.IntN(4), "-1": q.random.IntN(4), "red_flag": q.random.IntN(3)})
	may("labels", map[string]any{pick(q, scoring.LabelNames...): map[string]any{"value": q.random.Float64(), "count": 1 +
		q.random.IntN(5)},
		"toxicity": map[string]any{"value": q.random.Float64(), "count": 1 + q.random.IntN(3)}})
	may("detoxify", q.scores())
	may("classifiers", map[string]any{pick(q, "m", "treewarden"): q.scores()})
	line := message
	if n.parent == uuid.Nil && q.random.IntN(2) == 0 {
		message["replies"] = []any{}
		line = map[string]any{"message_tree_id": n.tree, "tree_state": pick(q, "growing", "aborted_low_grade"),
			"prompt": message}
	}
	text, err := json.Marshal(line)
	if err != nil {
		panic(fmt.Sprint("write a line: ", err))
	}
	return string(text)
}
