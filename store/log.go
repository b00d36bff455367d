package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/store/db"
)

type actionRow struct {
	db.Keyed
	ID, Seq                   int64
	At                        time.Time
	ActorID                   *uuid.UUID
	ActorName, ActorRole, Via string
	Kind                      string
	TargetType, TargetID      string
	TargetLabel               string
	StaffAuthor               bool
	Undoes, UndoneBy          *int64
	Undoable                  bool
	Messages, OthersMessages  int64
	Trees, Users              int64
	Reason                    string
	Before, After             json.RawMessage
	PrevHash, Hash            []byte
}

const actionColumns = `a.id, a.seq, a.at, a.actor_id, a.actor_name, a.actor_role, a.via, a.kind,
	a.target_type, a.target_id, a.target_label, a.staff_author, a.undoes, b.id AS undone_by, a.undoable,
	a.messages, a.others_messages, a.trees, a.users, a.reason, a.before, a.after, a.prev_hash, a.hash`

const actionTables = `actions a LEFT JOIN actions b ON b.undoes = a.id`

func (r actionRow) action() Action {
	return Action{
		ID: r.ID, Seq: r.Seq, At: r.At,
		ActorID: r.ActorID, ActorName: r.ActorName, ActorRole: r.ActorRole, Via: r.Via, Kind: r.Kind,
		TargetType: r.TargetType, TargetID: r.TargetID, TargetLabel: r.TargetLabel, StaffAuthor: r.StaffAuthor,
		Undoes: r.Undoes, UndoneBy: r.UndoneBy, Undoable: r.Undoable,
		Affected: Affected{r.Messages, r.OthersMessages, r.Trees, r.Users},
		Reason:   r.Reason, Before: r.Before, After: r.After,
		Hash: hex.EncodeToString(r.Hash), PrevHash: hex.EncodeToString(r.PrevHash),
	}
}

func actionByID(ctx context.Context, c db.Conn, id int64) (Action, error) {
	rows, err := c.Query(ctx, "SELECT "+actionColumns+db.NoCursorKey+" FROM "+actionTables+" WHERE a.id = $1", id)
	if err != nil {
		return Action{}, db.Translate(err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[actionRow])
	return r.action(), db.Translate(err)
}

// Action returns one action. An actor without the permission audit.all may read
// any action by its id, because the pages of users and messages show it too.
func (s *Store) Action(ctx context.Context, actor Actor, id int64) (Action, error) {
	if !actor.May(policy.AuditAll) {
		if err := need(actor, policy.AuditOwn); err != nil {
			return Action{}, err
		}
	}
	return actionByID(ctx, s.pool, id)
}

// Actions lists actions, the newest first. Without the permission audit.all it
// lists the actor's own, or all actions on the target of the filter.
func (s *Store) Actions(ctx context.Context, actor Actor, f ActionFilter) (List[Action], error) {
	q := db.Query{Columns: actionColumns, From: actionTables}
	if !actor.May(policy.AuditAll) {
		if err := need(actor, policy.AuditOwn); err != nil {
			return List[Action]{}, err
		}
		if f.Target == "" && f.Concerning == nil {
			q.Where("a.actor_id = ?", actor.UserID)
		}
	}
	if f.Actor != nil {
		q.Where("a.actor_id = ?", *f.Actor)
	}
	if f.ActorName != "" {
		ids, err := s.actorsNamed(ctx, f.ActorName)
		if err != nil {
			return List[Action]{}, err
		}
		q.Where("a.actor_id = ANY (?::uuid[])", db.IDArray(ids))
	}
	if f.Kind != "" {
		if _, ok := KindNamed(f.Kind); !ok {
			return List[Action]{}, Malformed("There is no kind of action " + f.Kind + ".")
		}
		q.Where("a.kind = ?", f.Kind)
	}
	if f.Target != "" {
		target, err := uuid.Parse(f.Target)
		if err != nil {
			return List[Action]{}, Malformed("target is the id of a user, message or tree.")
		}
		q.Where(`(a.target_id = ? OR a.id IN (`+touching+`))`, target.String(), target)
	}
	if f.Concerning != nil {
		q.Where(`(a.target_id = ? OR a.id IN (`+touching+`
			UNION SELECT o.action_id FROM messages m JOIN action_objects o ON o.object_type = 'message'
				AND o.object_id = m.message_id WHERE m.user_id = ?))`,
			f.Concerning.String(), *f.Concerning, *f.Concerning)
	}
	if f.Since != nil {
		q.Where("a.at >= ?", *f.Since)
	}
	if f.Until != nil {
		q.Where("a.at < ?", *f.Until)
	}
	rows, next, prev, err := db.Fetch[actionRow](ctx, s.pool, q,
		db.Order{Name: "actions", Desc: true, Keys: []db.Key{{Expr: "a.id", Typ: "bigint"}}}, f.Page)
	if err != nil {
		return List[Action]{}, err
	}
	actions := make([]Action, len(rows))
	for i, r := range rows {
		actions[i] = r.action()
	}
	return List[Action]{Items: actions, Next: next, Prev: prev}, nil
}

// actorsNamed finds staff and former staff by name: the display name in upper or
// lower case, or the username.
func (s *Store) actorsNamed(ctx context.Context, name string) ([]uuid.UUID, error) {
	rows, err := s.pool.Query(ctx, `SELECT u.user_id FROM users u
		WHERE (lower(u.display_name) = lower($1) OR u.auth_method = 'local' AND u.username = $1)
		AND (u.role <> 'general' OR EXISTS (SELECT FROM actions a WHERE a.actor_id = u.user_id))`, db.ToText(name))
	if err != nil {
		return nil, db.Translate(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err == nil && len(ids) == 0 {
		err = Malformed(fmt.Sprintf("there is no member of staff, and no key, named %q", name))
	}
	return ids, db.Translate(err)
}

// touching is a query for the actions that changed an object.
const touching = `SELECT o.action_id FROM action_objects o
	WHERE o.object_id = ? AND o.object_type IN ('user', 'message', 'tree', 'formula')`

// RecentReasons returns the actor's last reasons for a kind of action, the newest
// first. A form offers them.
func (s *Store) RecentReasons(ctx context.Context, actor Actor, kind string) ([]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT reason FROM (SELECT id, reason FROM actions
			WHERE actor_id = $1 AND kind = $2 AND reason <> '' ORDER BY id DESC LIMIT 50) r
		GROUP BY reason ORDER BY max(id) DESC LIMIT 8`, actor.UserID, kind)
	if err != nil {
		return nil, db.Translate(err)
	}
	reasons, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return reasons, db.Translate(err)
}
