package store

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// aspect is one side of a thing that actions change, with its whole state as
// one jsonb value: undo compares that value with what the action left, and
// puts back what was there before.
type aspect struct {
	name   string
	object string // user, message or tree
	// state reads the value from a row o of the object's table; restore is the
	// SET list that writes it back from a jsonb s.
	state, restore string
}

// The aspects that are columns of the object's own row.
var (
	banAspect = aspect{"ban", "user",
		`CASE WHEN o.banned_at IS NOT NULL THEN jsonb_build_object('since', o.banned_at, 'until', o.banned_until, 'reason', o.ban_reason, 'by', o.banned_by, 'action', o.ban_action) END`,
		`banned_at = (s->>'since')::timestamptz, banned_until = (s->>'until')::timestamptz, ban_reason = s->>'reason', banned_by = (s->>'by')::uuid, ban_action = (s->>'action')::bigint`}
	nameAspect        = aspect{"display_name", "user", "to_jsonb(o.display_name)", "display_name = s #>> '{}'"}
	notesAspect       = aspect{"notes", "user", "to_jsonb(o.notes)", "notes = s #>> '{}'"}
	leaderboardAspect = aspect{"show_on_leaderboard", "user", "to_jsonb(o.show_on_leaderboard)", "show_on_leaderboard = s::boolean"}
	roleAspect        = aspect{"role", "user", "to_jsonb(o.role)", "role = s #>> '{}'"}

	deletionAspect = aspect{"deletion", "message",
		`jsonb_build_object('deleted', o.deleted, 'at', o.deleted_at, 'action', o.deleted_action, 'root', o.deleted_root, 'by_staff', o.deletion_by_staff)`,
		`deleted = (s->>'deleted')::boolean, deleted_at = (s->>'at')::timestamptz, deleted_action = (s->>'action')::bigint, deleted_root = (s->>'root')::uuid, deletion_by_staff = (s->>'by_staff')::boolean`}
	textAspect = aspect{"text", "message", `jsonb_build_object('text', o.text, 'edited', o.edited)`,
		`text = s->>'text', edited = (s->>'edited')::boolean`}
	reviewAspect = aspect{"review", "message", `jsonb_build_object('result', o.review_result, 'at', o.review_at, 'by_staff', o.review_by_staff)`,
		`review_result = (s->>'result')::boolean, review_at = (s->>'at')::timestamptz, review_by_staff = (s->>'by_staff')::boolean`}

	stateAspect = aspect{"state", "tree",
		`jsonb_build_object('state', o.state, 'active', o.active, 'halted_state', o.halted_state, 'halted_active', o.halted_active, 'by_staff', o.state_by_staff)`,
		`state = s->>'state', active = (s->>'active')::boolean, halted_state = s->>'halted_state', halted_active = (s->>'halted_active')::boolean, state_by_staff = (s->>'by_staff')::boolean`}
)

var columnAspects = []aspect{banAspect, nameAspect, notesAspect, leaderboardAspect, roleAspect, deletionAspect, textAspect, reviewAspect, stateAspect}

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
func (a aspect) table() string { return a.object + "s" }

func (a aspect) id() string { return a.object + "_id" }

// match joins a row o of the object's table with a row of another relation
// that has id and, for messages, tree_id.
func (a aspect) match(other string) string {
	if a.object == "message" {
		return "o.tree_id = " + other + ".tree_id AND o.message_id = " + other + ".id"
	}
	return "o." + a.id() + " = " + other + ".id"
}

// tree is the expression for the tree of a row o; null for a user.
func (a aspect) tree() string {
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
func (a aspect) changeSQL(chosen, set string) string {
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
func (a aspect) conflictSQL() string {
	return fmt.Sprintf(`SELECT w.object_id FROM (SELECT object_id, object_id AS id, tree_id, after FROM action_objects WHERE action_id = $1 AND object_type = '%s' AND aspect = '%s') w
		LEFT JOIN %s o ON %s WHERE %s IS DISTINCT FROM w.after LIMIT 1`,
		a.object, a.name, a.table(), a.match("w"), a.state)
}

// undoSQL puts back what was before action $2.
func (a aspect) undoSQL() string {
	return a.changeSQL(fmt.Sprintf(`chosen AS (SELECT object_id AS id, tree_id, before AS s FROM action_objects
		WHERE action_id = $2 AND object_type = '%s' AND aspect = '%s')`, a.object, a.name), a.restore)
}
