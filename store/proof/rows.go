package proof

import (
	"fmt"

	"treewarden/store/candidates"
	"treewarden/store/cases"
	"treewarden/store/figures"
	"treewarden/store/lists"
	"treewarden/store/tables"
)

// rowChecks compare what actions keep in rows of their own: the feedback of staff,
// the items of lists, the verdicts on candidates, the cases and their figures; and outputs of
// classifiers, which have no foreign keys.
func rowChecks() []check {
	item, candidate := lists.ItemAspect, candidates.Aspect
	all := []check{
		feedback("label", "label_votes v", "coalesce(w.after->'labels', '{}') = "+tables.VotesSQL),
		feedback("reaction", "reactions v", "true"),
		feedback("report", "reports v", "true"),
		unloggedFeedback("label", "label_votes", "'label:' || v.user_id"),
		unloggedFeedback("reaction", "reactions", "'reaction:' || v.emoji || ':' || v.user_id"),
		unloggedFeedback("report", "reports", "'report:' || v.user_id"),
		drift(lists.ItemObject, item, "'item ' || w.id || ' of list ' || w.owner",
			"list_items i ON i.list_id = w.owner AND i.message_id = w.id",
			"CASE WHEN i.list_id IS NOT NULL THEN "+lists.ItemStateSQL+" END IS DISTINCT FROM w.after"),
		noAction("list_items", unlogged(lists.ItemObject, "o.message_id", "'"+item+":' || o.list_id"),
			"'item ' || o.message_id || ' is on list ' || o.list_id"),
		{`SELECT 'case ' || c.case_id || ' was decided, by no action in the log' FROM cases c
			WHERE c.status = 'decided' AND NOT EXISTS (SELECT FROM action_objects l WHERE l.action_id = c.action_id
				AND l.object_type = 'message' AND l.object_id = c.message_id AND l.aspect = 'case'
				AND (l.after->>'case')::bigint = c.case_id AND l.after->>'outcome' = c.outcome)`},
		{`SELECT 'case ' || (w.after->>'case') || ' is not as action ' || w.seq || ' left it'
			FROM (SELECT DISTINCT ON (l.object_id, l.after->>'case') l.object_id, l.tree_id, l.after, x.id, x.seq
				FROM action_objects l JOIN actions x ON x.id = l.action_id
				WHERE l.object_type = 'message' AND l.aspect = 'case' ORDER BY l.object_id, l.after->>'case', x.seq DESC) w
			LEFT JOIN cases c ON c.tree_id = w.tree_id AND c.message_id = w.object_id AND c.case_id = (w.after->>'case')::bigint
			WHERE c.case_id IS NULL OR (w.after->>'status' = 'decided') <> (c.status = 'decided')
				OR c.status = 'decided' AND c.action_id <> w.id`},
		{`SELECT 'message ' || f.message_id || ' has open reports or red flags, and no open case'
			FROM (SELECT tree_id, message_id FROM reports WHERE status = 'open'
				UNION SELECT tree_id, message_id FROM reactions WHERE emoji = 'red_flag' AND decision IS NULL) f
			WHERE NOT EXISTS (SELECT FROM cases c WHERE c.tree_id = f.tree_id AND c.message_id = f.message_id
				AND c.status = 'open')`},
		{cases.DriftSQL},
		{`SELECT 'an output of model ' || o.model_id || ' is of message ' || o.message_id || ', which is not there'
			FROM classifier_outputs o
			WHERE NOT EXISTS (SELECT FROM messages m WHERE m.tree_id = o.tree_id AND m.message_id = o.message_id)`},
		{`SELECT DISTINCT 'outputs are of model ' || o.model_id || ', which is not there' FROM classifier_outputs o
			WHERE NOT EXISTS (SELECT FROM classifier_models c WHERE c.model_id = o.model_id)`},
		{`SELECT 'list ' || l.list_id || ' says that it has ' || l.items || ' items; it has ' || i.n
			FROM lists l CROSS JOIN LATERAL (SELECT count(*) FROM list_items i WHERE i.list_id = l.list_id) i(n)
			WHERE i.n <> l.items`},
		drift(candidates.Object, candidate, "'candidate ' || w.id || ' of list ' || w.owner",
			"list_candidates c ON c.list_id = w.owner AND c.message_id = w.id",
			"CASE WHEN c.verdict IS NOT NULL THEN "+candidates.StateSQL+" END IS DISTINCT FROM w.after"),
		noAction("list_candidates", "o.verdict IS NOT NULL AND "+
			unlogged(candidates.Object, "o.message_id", "'"+candidate+":' || o.list_id"),
			"'candidate ' || o.message_id || ' of list ' || o.list_id || ' was decided'"),
	}
	for _, sql := range figures.DriftSQL {
		all = append(all, check{sql})
	}
	return all
}

// drift finds rows that are not as the last action w on them left them. Their
// aspect in the log is the given one, with the owner's id (a list or a user) at its
// end. thing names a row, join is its table with its condition, differs compares it.
func drift(object, aspect, thing, join, differs string) check {
	return check{fmt.Sprintf(`SELECT %[3]s || ' is not as action ' || w.seq || ' left it'
		FROM (SELECT DISTINCT ON (l.object_id, l.aspect) l.object_id AS id, l.tree_id, l.aspect,
				right(l.aspect, 36)::uuid AS owner, l.after, x.seq, x.undoes
			FROM action_objects l JOIN actions x ON x.id = l.action_id
			WHERE l.object_type = '%[1]s' AND l.aspect LIKE '%[2]s:%%' ORDER BY l.object_id, l.aspect, x.seq DESC) w
		LEFT JOIN %[4]s WHERE %[5]s`, object, aspect, thing, join, differs)}
}

// feedback is drift for one kind of feedback of staff, rows v. Front ends may speak
// for a person while they are no member of staff, and after an undo, so that it
// leaves out undos and feedback from before the last change of the person's role.
func feedback(kind, table, equal string) check {
	also := map[string]string{
		"reaction": " AND v.emoji = split_part(w.aspect, ':', 2)",
		// A person has several reports on a message once cases have decided them, maybe of
		// one moment. One of them must be the one that the action left.
		"report": ` AND v.status <> 'withdrawn' AND v.at = (w.after->>'at')::timestamptz
			AND btrim(v.reason) = btrim(w.after->>'reason')`,
	}[kind]
	return drift("message", kind, "'the "+kind+" of user ' || w.owner || ' on message ' || w.id",
		table+" ON v.tree_id = w.tree_id AND v.message_id = w.id AND v.user_id = w.owner"+also,
		`w.undoes IS NULL AND EXISTS (SELECT FROM users u WHERE u.user_id = w.owner AND u.role <> 'general')
			AND NOT EXISTS (SELECT FROM action_objects r JOIN actions x ON x.id = r.action_id
				WHERE r.object_type = 'user' AND r.object_id = w.owner AND r.aspect = 'role' AND x.seq > w.seq)
			AND CASE WHEN w.after IS NULL OR v.user_id IS NULL THEN (w.after IS NULL) <> (v.user_id IS NULL)
				ELSE NOT ((w.after->>'at')::timestamptz = v.at AND `+equal+`) END`)
}

// unloggedFeedback finds feedback of accounts by no action. Front ends cannot speak
// for an account.
func unloggedFeedback(kind, table, aspect string) check {
	return check{fmt.Sprintf(`SELECT 'the %[1]s of user ' || v.user_id || ' on message ' || v.message_id
			|| ' was given by no action in the log'
		FROM %[2]s v JOIN users u ON u.user_id = v.user_id AND u.account
		WHERE %[3]s`, kind, table, unlogged("message", "v.message_id", aspect))}
}
