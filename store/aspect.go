package store

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"treewarden/store/tables"
)

// aspect is one side of a thing that actions change. The log keeps its state
// before and after, and an undo puts back what was there before.
type aspect interface {
	// undo puts this aspect of all objects of an action back, or returns a
	// Conflict where it is no longer as the action left it.
	undo(d *actionTx, action int64) error
	// event is a query for the events that front ends must act on where action $1
	// changed the aspect (kind, payload, object_id and its rank among events);
	// empty where there are none.
	event() string
}

// columnAspect is an aspect that is columns of the object's own row, with its
// whole state as one jsonb value.
type columnAspect struct {
	name   string
	object string // user, message or tree
	// state reads the value from a row o of the object's table; restore is the
	// SET list that writes it back from a jsonb s.
	state, restore string
	// tells is the event that follows from a change; the zero value is none.
	tells event
}

// event says what front ends are told, as SQL over a row of action_objects.
type event struct {
	kind, payload string
	when          string // a condition; empty is always
	rank          int    // its place among the events of one action
}

func (a columnAspect) event() string {
	if a.tells.kind == "" {
		return ""
	}
	where := ""
	if a.tells.when != "" {
		where = " AND " + a.tells.when
	}
	return fmt.Sprintf("SELECT %s AS kind, %s AS payload, %d AS rank, object_id FROM action_objects WHERE action_id = "+
		"$1 AND aspect = '%s'%s",
		a.tells.kind, a.tells.payload, a.tells.rank, a.name, where)
}

// The aspects that are columns of the object's own row.
var (
	banAspect = columnAspect{
		name: "ban", object: "user",
		state: `CASE WHEN o.banned_at IS NOT NULL THEN jsonb_build_object('since', o.banned_at, 'until', o.banned_until,
			'reason', o.ban_reason, 'by', o.banned_by, 'action', o.ban_action) END`,
		restore: `banned_at = (s->>'since')::timestamptz, banned_until = (s->>'until')::timestamptz,
			ban_reason = s->>'reason', banned_by = (s->>'by')::uuid, ban_action = (s->>'action')::bigint`,
		tells: event{
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
		name: "role", object: "user", state: "to_jsonb(o.role)", restore: "role = s #>> '{}'",
	}

	deletionAspect = columnAspect{
		name: "deletion", object: "message",
		state: `jsonb_build_object('deleted', o.deleted, 'at', o.deleted_at, 'action', o.deleted_action,
			'root', o.deleted_root, 'by_staff', o.deletion_by_staff)`,
		restore: `deleted = (s->>'deleted')::boolean, deleted_at = (s->>'at')::timestamptz,
			deleted_action = (s->>'action')::bigint, deleted_root = (s->>'root')::uuid,
			deletion_by_staff = (s->>'by_staff')::boolean`,
		tells: event{
			kind:    "CASE WHEN (after->>'deleted')::boolean THEN 'delete' ELSE 'undelete' END",
			payload: "json_build_object('message_id', object_id, 'message_tree_id', tree_id)",
			when:    "before->>'deleted' <> after->>'deleted'", rank: 2,
		},
	}
	textAspect = columnAspect{
		name: "text", object: "message",
		state:   `jsonb_build_object('text', o.text, 'edited', o.edited)`,
		restore: `text = s->>'text', edited = (s->>'edited')::boolean`,
		tells: event{
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
		tells: event{
			kind:    "CASE WHEN after->>'state' = '" + tables.Halted + "' THEN 'halt' ELSE 'resume' END",
			payload: "json_build_object('message_tree_id', object_id, 'state', after->'state')", rank: 3,
		},
	}
)

// feedbackAspect is an aspect that is a person's rows on a message, by its kind.
type feedbackAspect string

func (feedbackAspect) event() string { return "" }

// The aspects that are a person's row on a message; their name in the log
// carries the person, and for reactions the emoji: "reaction:+1:UUID".
const (
	labelAspect    = "label"
	reactionAspect = "reaction"
	reportAspect   = "report"
)

func rowAspect(kind string, parts ...string) string {
	return kind + ":" + strings.Join(parts, ":")
}

// parseFeedbackAspect reads a rowAspect again.
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

// table and keys of the objects.
func (a columnAspect) table() string { return a.object + "s" }

func (a columnAspect) id() string { return a.object + "_id" }

// match joins a row o of the object's table with a row of another relation
// that has id and, for messages, tree_id.
func (a columnAspect) match(other string) string {
	if a.object == "message" {
		return "o.tree_id = " + other + ".tree_id AND o.message_id = " + other + ".id"
	}
	return "o." + a.id() + " = " + other + ".id"
}

// tree is the expression for the tree of a row o; null for a user.
func (a columnAspect) tree() string {
	if a.object == "user" {
		return "NULL::uuid"
	}
	return "o.tree_id"
}

// changeSQL changes one aspect of the rows that the relation chosen (id, and
// for messages tree_id) names, and writes down its value before and after.
// chosen is a list of CTEs of which the last is called chosen; set may refer
// to its columns. $1 is the action. It returns the number of rows that
// changed as the number of rows affected.
func (a columnAspect) changeSQL(chosen, set string) string {
	// The row as it was is joined within the UPDATE, by its key: joined to what
	// came of it afterwards, of which the planner knows no number, every row would
	// be compared with every other.
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

// conflictSQL finds an object of action $1 whose aspect is no longer as the
// action left it.
func (a columnAspect) conflictSQL() string {
	return fmt.Sprintf(`SELECT w.object_id FROM (SELECT object_id, object_id AS id, tree_id, after FROM action_objects
		WHERE action_id = $1 AND object_type = '%s' AND aspect = '%s') w
		LEFT JOIN %s o ON %s WHERE %s IS DISTINCT FROM w.after LIMIT 1`,
		a.object, a.name, a.table(), a.match("w"), a.state)
}

// undoSQL puts back what was before action $2.
func (a columnAspect) undoSQL() string {
	return a.changeSQL(fmt.Sprintf(`chosen AS (SELECT object_id AS id, tree_id, before AS s FROM action_objects
		WHERE action_id = $2 AND object_type = '%s' AND aspect = '%s')`, a.object, a.name), a.restore)
}
