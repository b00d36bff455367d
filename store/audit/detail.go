package audit

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"treewarden/store/db"
)

// Detail is an action with what it touched, and the names for what its states refer
// to by ids.
type Detail struct {
	Action
	Messages Touched
	Trees    Touched
	Users    Touched
	// Names are the display names of the users that the states name, and of those
	// that the action touched.
	Names map[uuid.UUID]string
	// Numbers are the numbers of actions by their ids in the database, which stand in
	// the states.
	Numbers map[int64]int64
}

// Touched are the objects of a type that an action changed: a page of their ids, and
// their number.
type Touched struct {
	db.List[uuid.UUID]
	Total int64
}

// DetailOf reads what an action touched. The page is one of its messages; of trees
// and users it reads the first ones.
func DetailOf(ctx context.Context, c db.Conn, a Action, page db.Page) (Detail, error) {
	d := Detail{Action: a, Names: map[uuid.UUID]string{}, Numbers: map[int64]int64{}}
	var err error
	if d.Messages, err = touchedBy(ctx, c, a, page, "message", "list_item", "candidate"); err != nil {
		return d, err
	}
	first := db.Page{Limit: page.Limit}
	if d.Trees, err = touchedBy(ctx, c, a, first, "tree"); err != nil {
		return d, err
	}
	if d.Users, err = touchedBy(ctx, c, a, first, "user"); err != nil {
		return d, err
	}
	named := references{ids: d.Users.Items}
	named.collect(a.Before)
	named.collect(a.After)
	return d, d.readNames(ctx, c, named)
}

type touchedRow struct {
	db.Keyed
	ObjectID uuid.UUID
}

func touchedBy(ctx context.Context, c db.Conn, a Action, page db.Page, types ...string) (t Touched, err error) {
	if err := c.QueryRow(ctx, `SELECT count(DISTINCT object_id) FROM action_objects
		WHERE action_id = $1 AND object_type = ANY ($2::text[])`, a.Key, types).Scan(&t.Total); err != nil {
		return t, db.Translate(err)
	}
	q := db.Query{Columns: "o.object_id"}
	q.From = "(SELECT DISTINCT object_id FROM action_objects WHERE action_id = " + q.Arg(a.Key) +
		" AND object_type = ANY (" + q.Arg(types) + "::text[])) o"
	rows, next, prev, err := db.Fetch[touchedRow](ctx, c, q,
		db.Order{Name: "touched", Keys: []db.Key{{Expr: "o.object_id", Typ: "uuid"}}}, page)
	for _, r := range rows {
		t.Items = append(t.Items, r.ObjectID)
	}
	t.Next, t.Prev = next, prev
	return t, err
}

// references are the ids that states name.
type references struct {
	ids  []uuid.UUID // of anything
	keys []int64     // of actions, in the database
}

func (r *references) collect(state json.RawMessage) {
	decoder := json.NewDecoder(bytes.NewReader(state))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) == nil {
		r.walk("", value)
	}
}

func (r *references) walk(name string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			if len(name) > 36 { // such as label:UUID
				r.walk("", name[len(name)-36:])
			}
			r.walk(name, inner)
		}
	case []any:
		for _, inner := range v {
			r.walk("", inner)
		}
	case string:
		if id, err := uuid.Parse(v); err == nil {
			r.ids = append(r.ids, id)
		}
	case json.Number:
		if key, err := v.Int64(); err == nil && name == "action" {
			r.keys = append(r.keys, key)
		}
	}
}

func (d *Detail) readNames(ctx context.Context, c db.Conn, named references) error {
	type name struct {
		UserID      uuid.UUID
		DisplayName string
	}
	names, err := db.Collect[name](ctx, c, "SELECT user_id, display_name FROM users WHERE user_id = ANY ($1::uuid[])",
		db.IDArray(named.ids))
	if err != nil {
		return err
	}
	for _, n := range names {
		d.Names[n.UserID] = n.DisplayName
	}
	type number struct{ ID, Seq int64 }
	numbers, err := db.Collect[number](ctx, c, "SELECT id, seq FROM actions WHERE id = ANY ($1::bigint[])", named.keys)
	for _, n := range numbers {
		d.Numbers[n.ID] = n.Seq
	}
	return err
}

// CountUndone counts what an undo with an id in the database changed. changed is
// false if that is nothing. The target is that of the undone action, which affected undone;
// restored is the number of messages that the undo restored.
func CountUndone(
	ctx context.Context, c db.Conn, id int64, target uuid.UUID, targetType string, restored int64, undone Affected,
) (counts Affected, changed bool, err error) {
	many := targetType == "list" || targetType == "bulk"
	if many && restored > 0 && undone == (Affected{Messages: restored, OthersMessages: undone.OthersMessages}) {
		return undone, true, nil // all that the action deleted, and nothing else
	}
	if many {
		// The authors of many messages are not read.
		err = c.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (SELECT FROM list_items i
				WHERE i.list_id = $2 AND i.message_id = o.object_id))
			FROM action_objects o WHERE o.action_id = $1 AND o.aspect = 'deletion'`, id, target).
			Scan(&counts.Messages, &counts.OthersMessages)
	} else {
		err = c.QueryRow(ctx, `WITH touched AS (SELECT m.user_id FROM action_objects o
			JOIN messages m ON m.tree_id = o.tree_id AND m.message_id = o.object_id
			WHERE o.action_id = $1 AND o.aspect = 'deletion'),
		author AS (SELECT CASE WHEN $3 = 'user' THEN $2 ELSE
			(SELECT m.user_id FROM message_trees x
				JOIN messages m ON m.tree_id = x.tree_id AND m.message_id = x.message_id
				WHERE x.message_id = $2) END AS id)
		SELECT count(*), count(*) FILTER (WHERE t.user_id IS DISTINCT FROM author.id)
		FROM touched t, author`, id, target, targetType).Scan(&counts.Messages, &counts.OthersMessages)
	}
	if err != nil {
		return counts, false, err
	}
	var all, other int64
	// The cases that an act on users, trees or many messages closed are not its targets.
	err = c.QueryRow(ctx, `SELECT count(*),
			count(DISTINCT object_id) FILTER (WHERE object_type IN ('message', 'list_item', 'candidate')
				AND aspect <> 'deletion' AND (aspect <> 'case' OR $2 = 'message'))
				+ coalesce(max((before->>'found')::bigint) FILTER (WHERE aspect = 'candidates'), 0),
			count(DISTINCT object_id) FILTER (WHERE object_type = 'tree'),
			count(DISTINCT object_id) FILTER (WHERE object_type = 'user')
		FROM action_objects WHERE action_id = $1`, id, targetType).Scan(&all, &other, &counts.Trees, &counts.Users)
	if counts.Messages == 0 {
		counts.Messages = other
	}
	return counts, all > 0, err
}

// Actor is a person or key that can have acted.
type Actor struct {
	UserID      uuid.UUID
	DisplayName string
	IsKey       bool
}

// Actors lists staff and keys by name: at most 500.
func Actors(ctx context.Context, c db.Conn) ([]Actor, error) {
	return db.Collect[Actor](ctx, c, `SELECT user_id, display_name, auth_method = 'key' AS is_key FROM users
		WHERE role <> 'general' ORDER BY auth_method = 'key', lower(display_name), user_id LIMIT 500`)
}
