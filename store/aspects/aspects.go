// Package aspects tells how the parts of users, messages, trees and lists that
// actions change are read, changed and restored, and which events follow.
package aspects

import (
	"cmp"
	"fmt"

	"treewarden/store/accounts"
	"treewarden/store/tables"
)

// Column is a part of an object that actions change, stored in columns of the
// object's own row. Its state is one jsonb value.
type Column struct {
	Name   string
	Object string // user, message, tree or list
	// State reads the value from a row o of the object's table. Restore is the
	// SET list that writes it back from a jsonb s.
	State, Restore string
	// Ended is a condition on a jsonb s: the state has ended by itself, so that it
	// equals no state at all. Empty is never.
	Ended string
	// Event is the event of a change; the zero value is none.
	Event Event
}

// standing returns the expression for a jsonb state, null if it has ended.
func (a Column) standing(state string) string {
	if a.Ended == "" {
		return state
	}
	return "(SELECT CASE WHEN NOT coalesce(" + a.Ended + ", false) THEN s END FROM (SELECT " + state + " AS s) s)"
}

// Event describes an event for front ends, as SQL over a row of action_objects.
type Event struct {
	kind, payload string
	when          string // a condition; empty is always
	rank          int    // its place among the events of one action
}

// EventSQL returns a query for the events of action $1 that front ends must act
// on (kind, payload, object_id and its rank among events). It is empty if there
// are none.
func (a Column) EventSQL() string {
	if a.Event.kind == "" {
		return ""
	}
	where := ""
	if a.Event.when != "" {
		where = " AND " + a.Event.when
	}
	return fmt.Sprintf(`SELECT %s AS kind, %s AS payload, %d AS rank, object_id
		FROM action_objects WHERE action_id = $1 AND aspect = '%s'%s`,
		a.Event.kind, a.Event.payload, a.Event.rank, a.Name, where)
}

// The aspects that are columns of the object's own row.
var (
	Ban = Column{
		Name: "ban", Object: "user",
		State: `CASE WHEN o.banned_at IS NOT NULL THEN jsonb_build_object('since', o.banned_at, 'until', o.banned_until,
			'reason', o.ban_reason, 'by', o.banned_by, 'action', o.ban_action) END`,
		Restore: `banned_at = (s->>'since')::timestamptz, banned_until = (s->>'until')::timestamptz,
			ban_reason = s->>'reason', banned_by = (s->>'by')::uuid, ban_action = (s->>'action')::bigint`,
		Ended: "(s->>'until')::timestamptz <= now()",
		Event: Event{
			kind:    "CASE WHEN after IS NULL THEN 'unban' ELSE 'ban' END",
			payload: "json_build_object('user_id', object_id, 'until', after->'until')", rank: 1,
		},
	}
	DisplayName = Column{
		Name: "display_name", Object: "user", State: "to_jsonb(o.display_name)", Restore: "display_name = s #>> '{}'",
	}
	Notes = Column{
		Name: "notes", Object: "user", State: "to_jsonb(o.notes)", Restore: "notes = s #>> '{}'",
	}
	Leaderboard = Column{
		Name: "show_on_leaderboard", Object: "user",
		State: "to_jsonb(o.show_on_leaderboard)", Restore: "show_on_leaderboard = s::boolean",
	}
	Role = Column{
		Name: "role", Object: "user", State: "to_jsonb(o.role)", Restore: accounts.RestoreRoleSQL,
	}

	Deletion = Column{
		Name: "deletion", Object: "message",
		State: `jsonb_build_object('deleted', o.deleted, 'at', o.deleted_at, 'action', o.deleted_action,
			'root', o.deleted_root, 'by_staff', o.deletion_by_staff)`,
		Restore: `deleted = (s->>'deleted')::boolean, deleted_at = (s->>'at')::timestamptz,
			deleted_action = (s->>'action')::bigint, deleted_root = (s->>'root')::uuid,
			deletion_by_staff = (s->>'by_staff')::boolean`,
		Event: Event{
			kind:    "CASE WHEN (after->>'deleted')::boolean THEN 'delete' ELSE 'undelete' END",
			payload: "json_build_object('message_id', object_id, 'message_tree_id', tree_id)",
			when:    "before->>'deleted' <> after->>'deleted'", rank: 2,
		},
	}
	Text = Column{
		Name: "text", Object: "message",
		State:   `jsonb_build_object('text', o.text, 'edited', o.edited)`,
		Restore: `text = s->>'text', edited = (s->>'edited')::boolean`,
		Event: Event{
			kind:    "'edit'",
			payload: "json_build_object('message_id', object_id, 'message_tree_id', tree_id, 'text', after->'text')", rank: 2,
		},
	}
	Review = Column{
		Name: "review", Object: "message",
		State: `jsonb_build_object('result', o.review_result, 'at', o.review_at, 'by_staff', o.review_by_staff)`,
		Restore: `review_result = (s->>'result')::boolean, review_at = (s->>'at')::timestamptz,
			review_by_staff = (s->>'by_staff')::boolean`,
	}

	State = Column{
		Name: "state", Object: "tree",
		State: `jsonb_build_object('state', o.state, 'active', o.active, 'halted_state', o.halted_state,
			'halted_active', o.halted_active, 'by_staff', o.state_by_staff)`,
		Restore: `state = s->>'state', active = (s->>'active')::boolean, halted_state = s->>'halted_state',
			halted_active = (s->>'halted_active')::boolean, state_by_staff = (s->>'by_staff')::boolean`,
		Event: Event{
			kind:    "CASE WHEN after->>'state' = '" + tables.Halted + "' THEN 'halt' ELSE 'resume' END",
			payload: "json_build_object('message_tree_id', object_id, 'state', after->'state')", rank: 3,
		},
	}
)

// table returns the name of the objects' table.
func (a Column) table() string { return a.Object + "s" }

func (a Column) id() string { return a.Object + "_id" }

// match returns the condition that joins a row o of the object's table with a row
// of another relation that has id and, for messages, tree_id.
func (a Column) match(other string) string {
	if a.Object == "message" {
		return "o.tree_id = " + other + ".tree_id AND o.message_id = " + other + ".id"
	}
	return "o." + a.id() + " = " + other + ".id"
}

// tree returns the expression for the tree of a row o, NULL for a user or a list.
func (a Column) tree() string {
	if a.Object == "message" || a.Object == "tree" {
		return "o.tree_id"
	}
	return "NULL::uuid"
}

// ChangeSQL returns a statement that changes one aspect of the rows in the
// relation chosen (id, and for messages tree_id) and logs its value before and
// after. chosen is a list of CTEs; the last is named chosen, and set may refer to
// its columns. $1 is the action. The rows affected are the rows changed.
func (a Column) ChangeSQL(chosen, set string) string {
	return a.changed(chosen, set, "") + a.log()
}

// changed returns the CTEs chosen and changed, which changes the rows. returning is a
// list of columns of chosen, each after a comma.
func (a Column) changed(chosen, set, returning string) string {
	// The old row is joined within the UPDATE, by its key. If it were joined to
	// the changed rows, for which the planner has no estimate, every row would be
	// compared with every other.
	same := "old.id = chosen.id"
	if a.Object == "message" {
		same += " AND old.tree_id = chosen.tree_id"
	}
	return fmt.Sprintf(`WITH RECURSIVE %s,
		changed AS (UPDATE %s o SET %s, version = o.version + 1
			FROM chosen JOIN (SELECT o.%s AS id, %s AS tree_id, %s AS before FROM %s o) old ON %s
			WHERE %s RETURNING old.id, old.tree_id, old.before, %s AS after%s)
		`, chosen, a.table(), set, a.id(), a.tree(), a.State, a.table(), same, a.match("chosen"), a.State, returning)
}

// log returns the statement that logs what changed holds.
func (a Column) log() string {
	return fmt.Sprintf(`INSERT INTO action_objects (action_id, object_type, object_id, aspect, tree_id, before, after)
		SELECT $1, '%s', id, '%s', tree_id, before, after FROM changed WHERE before IS DISTINCT FROM after`, a.Object, a.Name)
}

// undoSQL returns a query that restores the state before action $2 of the objects that
// fulfil a condition. It returns the number of rows changed, and the id of an object whose
// aspect has changed since the action, null if there is none; that a state has ended by
// itself is no change.
//
// It changes messages in the order of their keys. In any other order, a large undo would
// read each page many times.
func (a Column) undoSQL(where string) string {
	chosen := fmt.Sprintf(`chosen AS (SELECT object_id AS id, tree_id, %s AS s, after AS last FROM %s%s
		ORDER BY tree_id, object_id)`, a.standing("before"), a.loggedSQL("$2"), where)
	if a.Ended == "" {
		// An object that is as the action left it has its states before and after the undo in
		// the log, so that its row is read once, and its state written once.
		return fmt.Sprintf(`WITH %[1]s,
			changed AS (UPDATE %[2]s o SET %[3]s, version = o.version + 1 FROM chosen
				WHERE %[4]s AND %[5]s IS NOT DISTINCT FROM chosen.last
				RETURNING chosen.id, chosen.tree_id, chosen.last AS before, chosen.s AS after),
			logged AS (%[6]s RETURNING object_id)
			SELECT (SELECT count(*) FROM logged), CASE WHEN (SELECT count(*) FROM changed) < (SELECT count(*) FROM chosen)
				THEN (SELECT chosen.id FROM chosen JOIN %[2]s o ON %[4]s WHERE %[5]s IS DISTINCT FROM chosen.last LIMIT 1) END`,
			chosen, a.table(), a.Restore, a.match("chosen"), a.State, a.log())
	}
	return fmt.Sprintf(`%s, logged AS (%s RETURNING object_id)
		SELECT (SELECT count(*) FROM logged), (SELECT id FROM changed WHERE %s IS DISTINCT FROM %s LIMIT 1)`,
		a.changed(chosen, a.Restore, ", chosen.last"), a.log(), a.standing("before"), a.standing("last"))
}

// DriftSQL returns a query for the objects that are not as the last action on the
// aspect left them, each as a sentence. when is a condition on the object's row o and
// the last action w.
func (a Column) DriftSQL(when string) string {
	return fmt.Sprintf(`SELECT '%[1]s ' || w.id || ': %[2]s is not as action ' || w.seq || ' left it'
		FROM (SELECT DISTINCT ON (l.object_id) l.object_id AS id, l.tree_id, l.after, x.seq
			FROM action_objects l JOIN actions x ON x.id = l.action_id
			WHERE l.object_type = '%[1]s' AND l.aspect = '%[2]s' ORDER BY l.object_id, x.seq DESC) w
		LEFT JOIN %[3]s o ON %[4]s
		WHERE (%[5]s) IS NOT FALSE AND %[6]s IS DISTINCT FROM %[7]s`,
		a.Object, a.Name, a.table(), a.match("w"), when, a.standing(a.State), a.standing("w.after"))
}

// MissedEventSQL returns a query for the events of all actions that are not there,
// each as a sentence. It is empty if the aspect has none.
func (a Column) MissedEventSQL() string {
	if a.Event.kind == "" {
		return ""
	}
	return fmt.Sprintf(`SELECT 'the event of action ' || x.seq || ' on %[1]s ' || e.object_id ||
			' is missing or was changed'
		FROM (SELECT l.action_id, l.object_id, %[2]s AS kind, %[3]s AS payload FROM action_objects l
			WHERE l.aspect = '%[4]s' AND (%[5]s)) e
		JOIN actions x ON x.id = e.action_id
		WHERE NOT EXISTS (SELECT FROM events v WHERE v.action_id = e.action_id AND v.kind = e.kind
			AND v.payload::text = e.payload::text)`,
		a.Object, a.Event.kind, a.Event.payload, a.Name, cmp.Or(a.Event.when, "true"))
}

// The aspects of an account that its actions change, besides those of every user.
var (
	Languages = Column{
		Name: "languages", Object: "user", State: "to_jsonb(o.languages)",
		Restore: "languages = CASE WHEN s IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(s)) END",
	}
	Username = Column{
		Name: "username", Object: "user", State: "to_jsonb(o.username)", Restore: "username = s #>> '{}'",
	}
)

// List is the list itself, without its items. A list whose creation was
// undone is removed.
var List = Column{
	Name: "list", Object: "list",
	State: `CASE WHEN NOT o.removed THEN jsonb_build_object('name', o.name, 'kind', o.kind, 'note', o.note,
		'archived', o.archived) END`,
	Restore: `removed = s IS NULL, name = coalesce(s->>'name', name), kind = coalesce(s->>'kind', kind),
		note = coalesce(s->>'note', note), archived = coalesce((s->>'archived')::boolean, archived)`,
}
