package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/store/accounts"
	"treewarden/store/audit"
	"treewarden/store/cases"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/messages"
	"treewarden/store/params"
	"treewarden/store/users"
)

// actionTx is an action in its transaction. Locks are taken in one order, so that
// no two actions deadlock: admins or the user, then trees by id, then counters,
// then the end of the log's chain.
type actionTx struct {
	db.Pipe
	store *Store
	actor Actor
	act   Act
	kind  Kind
	// permission is the permission of the act or, for an undo, of the undone action.
	permission policy.Permission
	// aspects are the aspects of the kind or, for an undo, of the undone kind.
	aspects []aspect

	id           int64
	at           time.Time
	targetType   string
	targetID     string
	label        string     // the target's name in the log
	undoes       *int64     // the id of the action that it undoes
	undoesNumber *int64     // and its number
	author       *uuid.UUID // the target user, or the author of the target message
	staffAuthor  bool
	affected     Affected
	restored     int64  // the messages that an undo restored
	request      []byte // SHA-256 of the act as JSON
	update       *counters.Update
	lockedTrees  []uuid.UUID   // set by lockTrees
	flagged      cases.Touched // the messages whose red flags or reports change
	began        currentActor
	sent         bool // COMMIT was sent
}

// exec runs one statement of the action and returns the rows it affected.
func (d *actionTx) exec(sql string, args ...any) (int64, error) {
	tag, err := d.Exec(d.Ctx, sql, args...)
	return tag.RowsAffected(), err
}

// watch makes the counters of signals follow the messages that a query for
// tree_id and message_id returns. Their trees are locked already.
func (d *actionTx) watch(query string, args ...any) error {
	if d.act.Preview {
		return nil // a preview is rolled back
	}
	return d.update.Watch(d.Ctx, d.Conn, query, args...)
}

// watchMessage is like watch for one message.
func (d *actionTx) watchMessage(m Message) error {
	return d.watch("SELECT $1::uuid, $2::uuid", m.TreeID, m.MessageID)
}

// ids runs a query and returns its ids.
func (d *actionTx) ids(query string, args ...any) ([]uuid.UUID, error) {
	rows, err := d.Query(d.Ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// change runs the aspect's ChangeSQL; $1 is the action.
func (d *actionTx) change(a columnAspect, chosen, set string, args ...any) (int64, error) {
	return d.exec(a.ChangeSQL(chosen, set), append([]any{d.id}, args...)...)
}

// Act performs or previews one action. The change, its audit row and the events
// for front ends commit together or not at all. Act returns Forbidden, Invalid,
// Conflict, Malformed or ErrNotFound for errors of the caller. If there is
// nothing to change (the same label again), it logs nothing and the outcome's
// action has no id.
func (s *Store) Act(ctx context.Context, actor Actor, act Act) (Outcome, error) {
	kind, ok := KindNamed(act.Kind)
	if !ok || kind.do == nil {
		return Outcome{}, Malformed("There is no action " + act.Kind + ".")
	}
	if err := need(actor, permissionOf(kind, act)); err != nil {
		return Outcome{}, err
	}
	if err := params.CheckReason(act.Reason, kind.NeedsReason); err != nil {
		return Outcome{}, err
	}
	if params, ok := act.Params.(preparer); ok {
		prepared, err := params.prepare(ctx, s, act)
		if err != nil {
			return Outcome{}, err
		}
		act.Params = prepared
	}
	return s.perform(ctx, actor, act, kind, kind.do)
}

// permissionOf returns the permission that an act needs.
func permissionOf(kind Kind, act Act) policy.Permission {
	if params, ok := act.Params.(interface{ Permission() policy.Permission }); ok {
		return params.Permission()
	}
	return kind.Permission
}

// preparer are parameters of an action that reads much before it begins.
type preparer interface {
	// prepare returns the parameters with what was read.
	prepare(ctx context.Context, s *Store, act Act) (any, error)
}

// perform runs an action in a transaction. It retries after a deadlock or a
// serialization failure.
func (s *Store) perform(
	ctx context.Context, actor Actor, act Act, kind Kind, do func(*actionTx) error,
) (Outcome, error) {
	act.Reason = strings.TrimSpace(act.Reason)
	asked, err := json.Marshal(act)
	if err != nil {
		return Outcome{}, fmt.Errorf("write down the request: %w", err)
	}
	request := sha256.Sum256(asked)
	var outcome Outcome
	var last *actionTx
	actor.Policy = s.policyFor(actor)
	err = db.Retry(ctx, func() error {
		outcome = Outcome{Preview: act.Preview}
		c, release, err := s.pools.Act(ctx, act.Preview)
		if err != nil {
			return err
		}
		defer release()
		update, err := counters.Begin(ctx, c, &s.rules)
		if err != nil {
			return err
		}
		defer update.Close()
		defer func() { s.boards.Mark(update.Changed) }()
		d := &actionTx{
			Pipe: db.Pipe{Conn: c, Ctx: ctx}, store: s, actor: actor, act: act, kind: kind, aspects: kind.aspects,
			permission: permissionOf(kind, act),
			at:         s.now().UTC().Truncate(time.Microsecond), request: request[:], update: update,
		}
		if act.Target != uuid.Nil {
			d.targetType, d.targetID = kind.Target, act.Target.String()
		}
		defer d.Rollback() // does nothing after a commit
		last = d
		return d.run(do, &outcome)
	})
	if err != nil && last != nil && last.sent {
		outcome.Action, err = last.afterCommit(err)
	}
	if errors.Is(err, errUnchanged) {
		return Outcome{Preview: act.Preview, Unchanged: true}, nil
	}
	return outcome, db.Translate(err)
}

// run runs the action and commits it. It does not commit a preview or a repeated
// request.
func (d *actionTx) run(do func(*actionTx) error, outcome *Outcome) error {
	done, err := d.begin()
	if err != nil {
		return err
	}
	if done != nil {
		outcome.Action, outcome.Affected, outcome.Repeated = *done, done.Affected, true
		return nil
	}
	if err := do(d); err != nil {
		return err
	}
	if err := d.checkLanguage(d.permission); err != nil {
		return err
	}
	outcome.Affected = d.affected
	if d.act.Preview {
		outcome.Action = Action{
			Kind: d.kind.Name, Undoable: d.kind.Undoable, TargetType: d.targetType, TargetID: d.targetID,
			TargetLabel: d.label, Undoes: d.undoesNumber, Affected: d.affected, At: d.at,
			ActorName: d.actor.Name, ActorRole: d.actor.Role, StaffAuthor: d.staffAuthor,
		}
		return nil
	}
	outcome.Action, err = d.commit()
	return err
}

// begin begins the transaction, takes the action's id and reads the actor as they are now. It
// returns the action of an earlier request with the same Idempotency-Key. Requests with the
// same key wait for each other here.
func (d *actionTx) begin() (done *Action, err error) {
	d.Queue("BEGIN")
	var before int64
	var request []byte
	if key := d.act.IdempotencyKey; key != "" && !d.act.Preview {
		if len(key) > 200 || params.CheckText("", key) != nil {
			return nil, Malformed("An Idempotency-Key has at most 200 characters.")
		}
		d.Queue("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", d.actor.UserID.String()+key)
		d.Each([]any{&before, &request}, func() {},
			"SELECT action_id, request FROM idempotency_keys WHERE actor_id = $1 AND key = $2", d.actor.UserID, key)
	}
	if d.act.Preview {
		d.id = -1 - rand.Int64N(math.MaxInt64-1) // a preview uses up no number
	} else {
		d.Each([]any{&d.id}, func() {}, "SELECT nextval('action_ids')")
	}
	var actor currentActor
	d.queueActor(&actor)
	if err := d.Flush(); err != nil {
		return nil, err
	}
	if err := d.takeActor(actor); err != nil || before == 0 {
		return nil, err
	}
	if !bytes.Equal(request, d.request) {
		return nil, &Conflict{Why: "This Idempotency-Key was used for another request. Send a new one."}
	}
	action, err := audit.ByKey(d.Ctx, d.Conn, before)
	return &action, err
}

// keepKey stores the action of a request with an Idempotency-Key.
func (d *actionTx) keepKey() {
	if d.act.IdempotencyKey != "" {
		d.Queue("INSERT INTO idempotency_keys (actor_id, key, request, action_id) VALUES ($1, $2, $3, $4)",
			d.actor.UserID, d.act.IdempotencyKey, d.request, d.id)
	}
}

// lockUser locks the target user and checks the rank rules. The lock admits new
// rows that refer to the user, such as those of the log; a user leaving feedback
// is locked by lockRater. If the target is an admin, lockUser locks the rows of
// all admins first, so that the last two admins cannot demote each other at once.
// The locks do not conflict with foreign keys: a transaction that inserts a row
// with a user id, such as a counter, may hold trees that the action waits for.
func (d *actionTx) lockUser(id uuid.UUID) (User, error) {
	locked, err := d.lockUsers(id)
	if err == nil && len(locked) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return User{}, err
	}
	d.label = locked[0].DisplayName
	return locked[0], d.mayActOn(locked...)
}

// lockUsers is lockUser for several users, without the check and the label.
func (d *actionTx) lockUsers(ids ...uuid.UUID) (locked []User, err error) {
	of := db.IDArray(ids)
	d.Queue(`SELECT FROM users WHERE role = 'admin' AND EXISTS (SELECT FROM users WHERE user_id = ANY ($1)
		AND role = 'admin') ORDER BY user_id FOR NO KEY UPDATE`, of)
	d.Queue("SELECT FROM users WHERE user_id = ANY ($1) ORDER BY user_id FOR NO KEY UPDATE", of)
	d.Batch.Queue(users.ByIDsSQL, of).Query(func(rows pgx.Rows) (err error) {
		locked, err = users.All(rows)
		return err
	})
	if err := d.Flush(); err != nil {
		return nil, err
	}
	if !d.act.Preview {
		d.update.Changed.Add(ids...)
	}
	return locked, nil
}

// mayActOn checks the rank rules for an act on users.
func (d *actionTx) mayActOn(users ...User) error {
	for _, user := range users {
		if d.actor.trusted() {
			break
		}
		if err := d.actor.MayActOn(user); err != nil {
			return err
		}
	}
	return nil
}

// lockRater prevents a ban or unban of the actor while the action adds feedback
// to a message. It precedes the lock of the tree.
func (d *actionTx) lockRater() error {
	_, err := d.exec("SELECT FROM users WHERE user_id = $1 FOR SHARE", d.actor.UserID)
	return err
}

// keepAnAdmin returns a Forbidden if the action leaves the console without an
// admin who can sign in. If there was none before, actions that change no admin are allowed.
func (d *actionTx) keepAnAdmin() error {
	none, err := accounts.NoAdminLeft(d.Ctx, d.Conn, d.id)
	if err != nil {
		return err
	}
	if none {
		return &Forbidden{Why: "This would leave the console without an admin who can sign in. Make somebody else an " +
			"admin first, and give them a password or an invitation."}
	}
	return nil
}

// lockMessage locks the tree of the target message and reads the message.
func (d *actionTx) lockMessage(id uuid.UUID) (Message, error) {
	const tree = "(SELECT tree_id FROM message_trees WHERE message_id = $1)"
	d.Queue("SELECT FROM trees WHERE tree_id = "+tree+" FOR UPDATE", id)
	var found []Message
	messageSQL := messages.SelectSQL("", "WHERE m.tree_id = "+tree+" AND m.message_id = $1")
	d.Batch.Queue(messageSQL, id).Query(func(rows pgx.Rows) (err error) {
		found, err = messages.Read(rows)
		return err
	})
	if err := d.Flush(); err != nil {
		return Message{}, err
	}
	if len(found) == 0 {
		return Message{}, ErrNotFound
	}
	m := found[0]
	d.label = messages.Excerpt(m.Text)
	d.author = m.UserID
	d.staffAuthor = m.AuthorRole != nil && *m.AuthorRole != policy.General
	return m, nil
}

// checkVersion returns a Conflict if the target has changed since the actor read
// it.
func (d *actionTx) checkVersion(current int) error {
	if d.act.Version == nil || *d.act.Version == current {
		return nil
	}
	c := &Conflict{Why: "Somebody changed this since you opened it. Look at their change, then do it again if it is " +
		"still right.", Version: current}
	return d.withLatest(c)
}

// withLatest adds the last action on the target to a conflict.
func (d *actionTx) withLatest(c *Conflict) (err error) {
	if c.Action, err = audit.LastOn(d.Ctx, d.Conn, d.targetType, d.act.Target); err != nil {
		return err
	}
	return c
}

// errUnchanged ends an action that has nothing to change. The action is not
// logged, and perform returns no error.
var errUnchanged = errors.New("nothing to change")
