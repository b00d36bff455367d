package store

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"treewarden/store/accounts"
	"treewarden/store/tables"
)

// aspect is a part of an object that actions change. The log keeps its state
// before and after. An undo restores the state before.
type aspect interface {
	// undo restores this aspect of all objects of an action. It returns a
	// Conflict if the aspect has changed since the action.
	undo(d *actionTx, action int64) error
	// event returns a query for the events of action $1 that front ends must act
	// on (kind, payload, object_id and its rank among events). It is empty if
	// there are none.
	event() string
}

// columnAspect is an aspect stored in columns of the object's own row. Its state
// is one jsonb value.
type columnAspect struct {
	name   string
	object string // user, message, tree or list
	// state reads the value from a row o of the object's table. restore is the
	// SET list that writes it back from a jsonb s.
	state, restore string
	// ended is a condition on a jsonb s: the state has ended by itself, so that it
	// equals no state at all. Empty is never.
	ended string
	// eventOf is the event of a change; the zero value is none.
	eventOf event
}

// standing returns the expression for a jsonb state, null if it has ended.
func (a columnAspect) standing(state string) string {
	if a.ended == "" {
		return state
	}
	return "(SELECT CASE WHEN NOT coalesce(" + a.ended + ", false) THEN s END FROM (SELECT " + state + " AS s) s)"
}

// event describes an event for front ends, as SQL over a row of action_objects.
type event struct {
	kind, payload string
	when          string // a condition; empty is always
	rank          int    // its place among the events of one action
}

func (a columnAspect) event() string {
	if a.eventOf.kind == "" {
		return ""
	}
	where := ""
	if a.eventOf.when != "" {
		where = " AND " + a.eventOf.when
	}
	return fmt.Sprintf(`SELECT %s AS kind, %s AS payload, %d AS rank, object_id
		FROM action_objects WHERE action_id = $1 AND aspect = '%s'%s`,
		a.eventOf.kind, a.eventOf.payload, a.eventOf.rank, a.name, where)
}

// The aspects that are columns of the object's own row.
var (
	banAspect = columnAspect{
		name: "ban", object: "user",
		state: `CASE WHEN o.banned_at IS NOT NULL THEN jsonb_build_object('since', o.banned_at, 'until', o.banned_until,
			'reason', o.ban_reason, 'by', o.banned_by, 'action', o.ban_action) END`,
		restore: `banned_at = (s->>'since')::timestamptz, banned_until = (s->>'until')::timestamptz,
			ban_reason = s->>'reason', banned_by = (s->>'by')::uuid, ban_action = (s->>'action')::bigint`,
		ended: "(s->>'until')::timestamptz <= now()",
		eventOf: event{
			kind:    "CASE WHEN after IS NULL THEN 'unban' ELSE 'ban' END",
			payload: "json_build_object('user_id', object_id, 'until', after->'until')", rank: 1,
		},
	}
	nameAspect = columnAspect{
		name: "display_name", object: "user", state: "to_jsonb(o.display_name)", restore: "display_name = s #>> '{}'",
	}
	notesAspect = columnAspect{
		name: "notes", object: "user", state: "to_jsonb(o.notes)", restore: "notes = s #>> '{}'",
	}
	leaderboardAspect = columnAspect{
		name: "show_on_leaderboard", object: "user",
		state: "to_jsonb(o.show_on_leaderboard)", restore: "show_on_leaderboard = s::boolean",
	}
	roleAspect = columnAspect{
		name: "role", object: "user", state: "to_jsonb(o.role)", restore: accounts.RestoreRoleSQL,
	}

	deletionAspect = columnAspect{
		name: "deletion", object: "message",
		state: `jsonb_build_object('deleted', o.deleted, 'at', o.deleted_at, 'action', o.deleted_action,
			'root', o.deleted_root, 'by_staff', o.deletion_by_staff)`,
		restore: `deleted = (s->>'deleted')::boolean, deleted_at = (s->>'at')::timestamptz,
			deleted_action = (s->>'action')::bigint, deleted_root = (s->>'root')::uuid,
			deletion_by_staff = (s->>'by_staff')::boolean`,
		eventOf: event{
			kind:    "CASE WHEN (after->>'deleted')::boolean THEN 'delete' ELSE 'undelete' END",
			payload: "json_build_object('message_id', object_id, 'message_tree_id', tree_id)",
			when:    "before->>'deleted' <> after->>'deleted'", rank: 2,
		},
	}
	textAspect = columnAspect{
		name: "text", object: "message",
		state:   `jsonb_build_object('text', o.text, 'edited', o.edited)`,
		restore: `text = s->>'text', edited = (s->>'edited')::boolean`,
		eventOf: event{
			kind:    "'edit'",
			payload: "json_build_object('message_id', object_id, 'message_tree_id', tree_id, 'text', after->'text')", rank: 2,
		},
	}
	reviewAspect = columnAspect{
		name: "review", object: "message",
		state: `jsonb_build_object('result', o.review_result, 'at', o.review_at, 'by_staff', o.review_by_staff)`,
		restore: `review_result = (s->>'result')::boolean, review_at = (s->>'at')::timestamptz,
			review_by_staff = (s->>'by_staff')::boolean`,
	}

	stateAspect = columnAspect{
		name: "state", object: "tree",
		state: `jsonb_build_object('state', o.state, 'active', o.active, 'halted_state', o.halted_state,
			'halted_active', o.halted_active, 'by_staff', o.state_by_staff)`,
		restore: `state = s->>'state', active = (s->>'active')::boolean, halted_state = s->>'halted_state',
			halted_active = (s->>'halted_active')::boolean, state_by_staff = (s->>'by_staff')::boolean`,
		eventOf: event{
			kind:    "CASE WHEN after->>'state' = '" + tables.Halted + "' THEN 'halt' ELSE 'resume' END",
			payload: "json_build_object('message_tree_id', object_id, 'state', after->'state')", rank: 3,
		},
	}
)

// feedbackAspect is an aspect stored in a user's rows on a message, by its kind.
type feedbackAspect string

func (feedbackAspect) event() string { return "" }

// The kinds of feedback. The name of the aspect in the log holds the user's id
// and, for reactions, the emoji: "reaction:+1:UUID".
const (
	labelAspect    = "label"
	reactionAspect = "reaction"
	reportAspect   = "report"
)

func rowAspect(kind string, parts ...string) string {
	return kind + ":" + strings.Join(parts, ":")
}

// parseFeedbackAspect parses a name made by rowAspect.
func parseFeedbackAspect(name string) (kind, emoji string, user uuid.UUID, err error) {
	kind, rest, ok := strings.Cut(name, ":")
	if !ok {
		return "", "", user, fmt.Errorf("aspect %q names no person", name)
	}
	id := rest
	if kind == reactionAspect {
		emoji, id, _ = strings.Cut(rest, ":")
	}
	user, err = uuid.Parse(id)
	return kind, emoji, user, err
}

// table returns the name of the objects' table.
func (a columnAspect) table() string { return a.object + "s" }

func (a columnAspect) id() string { return a.object + "_id" }

// match returns the condition that joins a row o of the object's table with a row
// of another relation that has id and, for messages, tree_id.
func (a columnAspect) match(other string) string {
	if a.object == "message" {
		return "o.tree_id = " + other + ".tree_id AND o.message_id = " + other + ".id"
	}
	return "o." + a.id() + " = " + other + ".id"
}

// tree returns the expression for the tree of a row o, NULL for a user or a list.
func (a columnAspect) tree() string {
	if a.object == "message" || a.object == "tree" {
		return "o.tree_id"
	}
	return "NULL::uuid"
}

// changeSQL returns a statement that changes one aspect of the rows in the
// relation chosen (id, and for messages tree_id) and logs its value before and
// after. chosen is a list of CTEs; the last is named chosen, and set may refer to
// its columns. $1 is the action. The rows affected are the rows changed.
func (a columnAspect) changeSQL(chosen, set string) string {
	// The old row is joined within the UPDATE, by its key. If it were joined to
	// the changed rows, for which the planner has no estimate, every row would be
	// compared with every other.
	same := "old.id = chosen.id"
	if a.object == "message" {
		same += " AND old.tree_id = chosen.tree_id"
	}
	return fmt.Sprintf(`WITH RECURSIVE %s,
		changed AS (UPDATE %s o SET %s, version = o.version + 1
			FROM chosen JOIN (SELECT o.%s AS id, %s AS tree_id, %s AS before FROM %s o) old ON %s
			WHERE %s RETURNING old.id, old.tree_id, old.before, %s AS after)
		INSERT INTO action_objects (action_id, object_type, object_id, aspect, tree_id, before, after)
		SELECT $1, '%s', id, '%s', tree_id, before, after FROM changed WHERE before IS DISTINCT FROM after`,
		chosen, a.table(), set, a.id(), a.tree(), a.state, a.table(), same, a.match("chosen"), a.state, a.object, a.name)
}

// conflictSQL returns a query for an object of action $1 whose aspect has changed
// since the action. That a state has ended by itself is no change.
func (a columnAspect) conflictSQL() string {
	return fmt.Sprintf(`SELECT w.object_id
		FROM (SELECT object_id, object_id AS id, tree_id, after FROM action_objects
			WHERE action_id = $1 AND object_type = '%s' AND aspect = '%s') w
		LEFT JOIN %s o ON %s WHERE %s IS DISTINCT FROM %s LIMIT 1`,
		a.object, a.name, a.table(), a.match("w"), a.standing(a.state), a.standing("w.after"))
}

// undoSQL returns a statement that restores the state before action $2.
func (a columnAspect) undoSQL() string {
	return a.changeSQL(fmt.Sprintf(`chosen AS (SELECT object_id AS id, tree_id, %s AS s FROM action_objects
		WHERE action_id = $2 AND object_type = '%s' AND aspect = '%s')`, a.standing("before"), a.object, a.name), a.restore)
}
