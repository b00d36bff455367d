// Package audit reads the log: what staff did, to what, and why. The package store
// writes it.
package audit

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/store/chain"
	"treewarden/store/db"
)

// Affected counts the objects that an action changed. OthersMessages are the
// messages that are not by the target user or the author of the target message.
type Affected struct {
	Messages       int64 `json:"messages"`
	OthersMessages int64 `json:"others_messages"`
	Trees          int64 `json:"trees"`
	Users          int64 `json:"users"`
}

// Most returns the number of the objects of which the action changed most.
func (a Affected) Most() int64 { return max(a.Messages, a.Trees, a.Users) }

// Action is an entry of the log. It is never changed or removed.
type Action struct {
	ID          int64           `json:"id"`  // its number: its place in the hash chain
	Seq         int64           `json:"seq"` // the same, by its former name
	Key         int64           `json:"-"`   // its id in the database, which no outsider sees
	At          time.Time       `json:"at"`
	ActorID     *uuid.UUID      `json:"actor_id"`
	ActorName   string          `json:"actor_name"`
	ActorRole   string          `json:"actor_role"`
	Via         string          `json:"via"`
	Kind        string          `json:"kind"`
	TargetType  string          `json:"target_type"` // user, message, tree, list, bulk, formula, priority, action, key
	TargetID    string          `json:"target_id"`
	TargetLabel string          `json:"target_label"`
	StaffAuthor bool            `json:"staff_author"` // the message's author was staff
	Undoes      *int64          `json:"undoes"`
	UndoneBy    *int64          `json:"undone_by"`
	Undoable    bool            `json:"undoable"`
	Affected    Affected        `json:"affected"`
	Reason      string          `json:"reason"`
	Before      json.RawMessage `json:"before"`
	After       json.RawMessage `json:"after"`
	Hash        string          `json:"hash"` // hex
	PrevHash    string          `json:"prev_hash"`

	// UndoesKind is the kind of the action that it undoes.
	UndoesKind string `json:"-"`
	// Quote is what a page shows of the target message or tree, set by the page.
	// A text can be hidden from its reader, so that no page shows TargetLabel.
	Quote string `json:"-"`
}

type row struct {
	db.Keyed
	Seq, Key                  int64
	At                        time.Time
	ActorID                   *uuid.UUID
	ActorName, ActorRole, Via string
	Kind                      string
	TargetType, TargetID      string
	TargetLabel               string
	StaffAuthor               bool
	Undoes, UndoneBy          *int64
	UndoesKind                string
	Undoable                  bool
	Messages, OthersMessages  int64
	Trees, Users              int64
	Reason                    string
	Before, After             json.RawMessage
	PrevHash, Hash            []byte
}

const columns = `a.seq, a.id AS key, a.at, a.actor_id, a.actor_name, a.actor_role, a.via, a.kind,
	a.target_type, a.target_id, a.target_label, a.staff_author, u.seq AS undoes,
	coalesce(u.kind, '') AS undoes_kind, b.seq AS undone_by, a.undoable,
	a.messages, a.others_messages, a.trees, a.users, a.reason, a.before, a.after, a.prev_hash, a.hash`

const tables = `actions a LEFT JOIN actions b ON b.undoes = a.id LEFT JOIN actions u ON u.id = a.undoes`

func (r row) action() Action {
	return Action{
		ID: r.Seq, Seq: r.Seq, Key: r.Key, At: r.At,
		ActorID: r.ActorID, ActorName: r.ActorName, ActorRole: r.ActorRole, Via: r.Via, Kind: r.Kind,
		TargetType: r.TargetType, TargetID: r.TargetID, TargetLabel: r.TargetLabel, StaffAuthor: r.StaffAuthor,
		Undoes: r.Undoes, UndoesKind: r.UndoesKind, UndoneBy: r.UndoneBy, Undoable: r.Undoable,
		Affected: Affected{r.Messages, r.OthersMessages, r.Trees, r.Users},
		Reason:   r.Reason, Before: r.Before, After: r.After,
		Hash: hex.EncodeToString(r.Hash), PrevHash: hex.EncodeToString(r.PrevHash),
	}
}

// Of returns an entry that was just written as an Action. undoes is the number of the
// action that it undoes.
func Of(l chain.Link, undoes *int64) Action {
	return Action{
		ID: l.Seq, Seq: l.Seq, Key: l.ID, At: l.At,
		ActorID: l.ActorID, ActorName: l.ActorName, ActorRole: l.ActorRole, Via: l.Via,
		Kind: l.Kind, TargetType: l.TargetType, TargetID: l.TargetID, TargetLabel: l.TargetLabel,
		StaffAuthor: l.StaffAuthor, Undoes: undoes, Undoable: l.Undoable,
		Affected: Affected{
			Messages: l.Messages, OthersMessages: l.OthersMessages, Trees: l.Trees, Users: l.Users,
		}, Reason: l.Reason,
		Before: l.Before, After: l.After, Hash: hex.EncodeToString(l.Hash), PrevHash: hex.EncodeToString(l.PrevHash),
	}
}

// ByID returns the action of a number, or ErrNotFound.
func ByID(ctx context.Context, c db.Conn, number int64) (Action, error) {
	return one(ctx, c, "a.seq", number)
}

// ByKey returns the action of an id in the database, or ErrNotFound.
func ByKey(ctx context.Context, c db.Conn, key int64) (Action, error) {
	return one(ctx, c, "a.id", key)
}

// ByKeyAfterWrite is ByKey after the transaction that may have written the action has
// ended: until then it holds the end of the chain.
func ByKeyAfterWrite(ctx context.Context, pool *pgxpool.Pool, key int64) (action Action, err error) {
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT FROM action_chain FOR UPDATE"); err != nil {
			return err
		}
		action, err = ByKey(ctx, tx, key)
		return err
	})
	return action, err
}

// LastOn returns the last action on an object, nil if there is none.
func LastOn(ctx context.Context, c db.Conn, objectType string, object uuid.UUID) (*Action, error) {
	return last(ctx, c, "o.object_type = $1 AND o.object_id = $2", objectType, object)
}

// LaterThan returns the last action after another one that changed an aspect of an object,
// nil if there is none. The chain has the order of commits: an action takes its id before
// its locks, so that one with a lower id may have been the later one.
func LaterThan(
	ctx context.Context, c db.Conn, key int64, objectType string, object uuid.UUID, aspect string,
) (*Action, error) {
	return last(ctx, c, `o.object_type = $1 AND o.object_id = $2 AND o.aspect = $3
		AND a.seq > (SELECT seq FROM actions WHERE id = $4)`, objectType, object, aspect, key)
}

func last(ctx context.Context, c db.Conn, where string, args ...any) (*Action, error) {
	var key int64
	err := c.QueryRow(ctx, "SELECT a.id FROM action_objects o JOIN actions a ON a.id = o.action_id WHERE "+where+
		" ORDER BY a.seq DESC LIMIT 1", args...).Scan(&key)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	action, err := ByKey(ctx, c, key)
	return &action, err
}

func one(ctx context.Context, c db.Conn, column string, value int64) (Action, error) {
	rows, err := c.Query(ctx, "SELECT "+columns+db.NoCursorKey+" FROM "+tables+" WHERE "+column+" = $1", value)
	if err != nil {
		return Action{}, db.Translate(err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[row])
	return r.action(), db.Translate(err)
}

// Filter narrows the audit log. Target is the id of a user, message or
// tree, and selects all actions that changed it.
type Filter struct {
	Actor *uuid.UUID
	// Own limits the list to the actions of a person.
	Own *uuid.UUID
	// Settings hides kinds of actions, save those of a person. Nil hides none.
	Settings *Settings
	// ActorName is a member of staff or a key; an unknown name is Malformed.
	ActorName string
	Kind      string
	Target    string
	// Concerning is a user, and selects actions on them and on their messages.
	Concerning *uuid.UUID
	Since      *time.Time
	Until      *time.Time
	db.Page
}

// Settings are kinds of actions that are shown only to their own actor.
type Settings struct {
	Kinds []string
	Own   uuid.UUID
}

// Touches reports whether an action is on a target or changed it: a user, one of
// their messages, a message, a tree or a list.
func Touches(ctx context.Context, c db.Conn, a Action, target uuid.UUID) (touches bool, err error) {
	if a.TargetID == target.String() {
		return true, nil
	}
	err = c.QueryRow(ctx, `SELECT EXISTS (SELECT FROM action_objects o WHERE o.action_id = $1 AND (o.object_id = $2
		OR o.object_type = 'message' AND EXISTS (SELECT FROM messages m
			WHERE m.tree_id = o.tree_id AND m.message_id = o.object_id AND m.user_id = $2)))`, a.Key, target).Scan(&touches)
	return touches, db.Translate(err)
}

// List returns one page of the actions, the newest first.
func List(ctx context.Context, c db.Conn, f Filter) (db.List[Action], error) {
	q := db.Query{Columns: columns, From: tables}
	if err := f.narrow(ctx, c, &q); err != nil {
		return db.List[Action]{}, err
	}
	rows, next, prev, err := db.Fetch[row](ctx, c, q,
		db.Order{Name: "actions", Desc: true, Keys: []db.Key{{Expr: "a.seq", Typ: "bigint"}}}, f.Page)
	if err != nil {
		return db.List[Action]{}, err
	}
	actions := make([]Action, len(rows))
	for i, r := range rows {
		actions[i] = r.action()
	}
	return db.List[Action]{Items: actions, Next: next, Prev: prev}, nil
}

// Last returns the last actions that a filter finds, the newest first, and the number of
// all that it finds. The page of the filter is not used.
func Last(ctx context.Context, c db.Conn, f Filter, limit int) (last []Action, all int, err error) {
	q := db.Query{Columns: columns + ", count(*) OVER () AS total" + db.NoCursorKey, From: tables}
	if err := f.narrow(ctx, c, &q); err != nil {
		return nil, 0, err
	}
	type counted struct {
		row
		Total int
	}
	sql, args := q.SQL()
	rows, err := db.Collect[counted](ctx, c, sql+" ORDER BY a.seq DESC LIMIT "+strconv.Itoa(limit), args...)
	for _, r := range rows {
		last, all = append(last, r.action()), r.Total
	}
	return last, all, err
}

// narrow adds the conditions of the filter on actions a.
func (f Filter) narrow(ctx context.Context, c db.Conn, q *db.Query) error {
	if f.Own != nil {
		q.Where("a.actor_id = ?", *f.Own)
	}
	if f.Settings != nil {
		q.Where("(a.actor_id = ? OR a.kind <> ALL (?::text[]))", f.Settings.Own, f.Settings.Kinds)
	}
	if f.Actor != nil {
		q.Where("a.actor_id = ?", *f.Actor)
	}
	if f.ActorName != "" {
		ids, err := actorsNamed(ctx, c, f.ActorName)
		if err != nil {
			return err
		}
		q.Where("a.actor_id = ANY (?::uuid[])", db.IDArray(ids))
	}
	if f.Kind != "" {
		q.Where("a.kind = ?", f.Kind)
	}
	if f.Target != "" {
		target, err := uuid.Parse(f.Target)
		if err != nil {
			return db.BadParameter{Name: "target", Malformed: "target is the id of a user, message or tree."}
		}
		q.Where("a.id IN ("+touching+")", target.String(), target)
	}
	if f.Concerning != nil {
		q.Where(`a.id IN (`+touching+`
			UNION SELECT o.action_id FROM messages m JOIN action_objects o ON o.object_type = 'message'
				AND o.object_id = m.message_id WHERE m.user_id = ?)`,
			f.Concerning.String(), *f.Concerning, *f.Concerning)
	}
	if f.Since != nil {
		q.Where("a.at >= ?", *f.Since)
	}
	if f.Until != nil {
		q.Where("a.at < ?", *f.Until)
	}
	return nil
}

// actorsNamed finds staff and former staff by name: the display name in upper or
// lower case, or the username.
func actorsNamed(ctx context.Context, c db.Conn, name string) ([]uuid.UUID, error) {
	rows, err := c.Query(ctx, `SELECT u.user_id FROM users u
		WHERE (`+db.NamedSQL("u.display_name", "$1")+` OR u.auth_method = 'local' AND u.username = $1)
		AND (u.role <> 'general' OR EXISTS (SELECT FROM actions a WHERE a.actor_id = u.user_id))`, db.ToText(name))
	if err != nil {
		return nil, db.Translate(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err == nil && len(ids) == 0 {
		err = db.BadParameter{Name: "actor",
			Malformed: db.Malformed(fmt.Sprintf("there is no member of staff, and no key, named %q", name))}
	}
	return ids, db.Translate(err)
}

// Targets are the types of targets that actions have.
var Targets = []string{"user", "message", "tree", "list", "bulk", "formula", "priority", "policy"}

// touching is a query for the actions on an object, and for those that changed it. It
// begins with the object, so that it does not read the whole log.
var touching = `SELECT t.id FROM actions t
	WHERE t.target_type IN ('` + strings.Join(Targets, "', '") + `') AND t.target_id = ?
	UNION SELECT o.action_id FROM action_objects o
		WHERE o.object_id = ? AND o.object_type IN ('user', 'message', 'tree', 'formula', 'priority')`

// RecentReasons returns the actor's last reasons for a kind of action, the newest
// first. A form offers them.
func RecentReasons(ctx context.Context, c db.Conn, actor uuid.UUID, kind string) ([]string, error) {
	rows, err := c.Query(ctx, `SELECT reason FROM (SELECT id, reason FROM actions
			WHERE actor_id = $1 AND kind = $2 AND reason <> '' ORDER BY id DESC LIMIT 50) r
		GROUP BY reason ORDER BY max(id) DESC LIMIT 8`, actor, kind)
	if err != nil {
		return nil, db.Translate(err)
	}
	reasons, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return reasons, db.Translate(err)
}

// Export writes the whole log as JSON lines, the oldest first. The last line holds
// the total.
func Export(ctx context.Context, c db.Conn, w io.Writer) error {
	encoder := json.NewEncoder(w)
	var total int64
	rows, err := c.Query(ctx, "SELECT "+columns+db.NoCursorKey+" FROM "+tables+" ORDER BY a.seq")
	if err != nil {
		return db.Translate(err)
	}
	defer rows.Close()
	for rows.Next() {
		r, err := pgx.RowToStructByName[row](rows)
		if err != nil {
			return db.Translate(err)
		}
		if err := encoder.Encode(r.action()); err != nil {
			return fmt.Errorf("write the log: %w", err)
		}
		total++
	}
	if err := rows.Err(); err != nil {
		return db.Translate(err)
	}
	if err := encoder.Encode(map[string]int64{"total": total}); err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	return nil
}

// WasActed reports whether an earlier request of an actor with the Idempotency-Key acted.
func WasActed(ctx context.Context, c db.Conn, actor uuid.UUID, key string) (acted bool, err error) {
	err = c.QueryRow(ctx, "SELECT EXISTS (SELECT FROM idempotency_keys WHERE actor_id = $1 AND key = $2)",
		actor, key).Scan(&acted)
	return acted, db.Translate(err)
}
