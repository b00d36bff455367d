package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"treewarden/policy"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/tables"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// actionTx is an action under way: its transaction, and what the audit row will
// say. Locks are taken in one order, so that no two actions wait for each
// other: admins or the user, then trees by id, then the end of the chain.
type actionTx struct {
	pgx.Tx
	ctx   context.Context // an actionTx lives as long as one call
	store *Store
	actor Actor
	act   Act
	kind  Kind

	id          int64
	at          time.Time
	targetType  string
	targetID    string
	label       string // the target's name for people
	undoes      *int64
	author      *uuid.UUID // whose messages are no others': the user, or who wrote the message aimed at
	staffAuthor bool
	affected    Affected
	request     []byte // SHA-256 of what was asked for
	update      *counters.Update
}

// exec runs one statement of the action and returns the rows it affected.
func (d *actionTx) exec(sql string, args ...any) (int64, error) {
	tag, err := d.Exec(d.ctx, sql, args...)
	return tag.RowsAffected(), err
}

// watch lets the counters of signals follow whatever happens to the messages that
// a query (tree_id, message_id) names. Their trees are locked already.
func (d *actionTx) watch(query string, args ...any) error {
	if d.act.Preview {
		return nil // nothing will have changed
	}
	return d.update.Watch(d.ctx, d.Tx, query, args...)
}

// watchMessage is watch for one message.
func (d *actionTx) watchMessage(m Message) error {
	return d.watch("SELECT $1::uuid, $2::uuid", m.TreeID, m.MessageID)
}

// ids runs a query for ids.
func (d *actionTx) ids(query string, args ...any) ([]uuid.UUID, error) {
	rows, err := d.Query(d.ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// change runs an aspect's changeSQL; $1 is the action.
func (d *actionTx) change(a aspect, chosen, set string, args ...any) (int64, error) {
	return d.exec(a.changeSQL(chosen, set), append([]any{d.id}, args...)...)
}

// errPreview rolls a preview back.
var errPreview = errors.New("preview")

// Act does one action, or previews it: the whole change, its audit row and
// the events for front ends commit together or not at all. It returns
// Forbidden, Invalid, Conflict, Malformed or ErrNotFound for what people can
// mend. Where nothing was to be changed (the same label again) it logs nothing
// and the outcome's action has no id.
func (s *Store) Act(ctx context.Context, actor Actor, act Act) (Outcome, error) {
	kind, ok := KindNamed(act.Kind)
	if !ok || kind.do == nil {
		return Outcome{}, Malformed("There is no action " + act.Kind + ".")
	}
	permission := kind.Permission
	if kind.Name == "update_user" && act.Patch.roleOnly() {
		permission = policy.UserRole
	}
	if err := need(actor, permission); err != nil {
		return Outcome{}, err
	}
	if err := checkReason(act.Reason, kind.NeedsReason); err != nil {
		return Outcome{}, err
	}
	return s.perform(ctx, actor, act, kind, kind.do)
}

// checkReason holds a reason to 3 to 500 characters.
func checkReason(reason string, needed bool) error {
	n := utf8.RuneCountInString(strings.TrimSpace(reason))
	switch {
	case n == 0 && !needed:
		return nil
	case n < 3 || n > 500:
		return Invalid{"reason": "Give a reason of 3 to 500 characters; it stands in the audit log."}
	}
	return checkText("reason", reason)
}

// checkText refuses what PostgreSQL cannot hold as text.
func checkText(field, text string) error {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return Invalid{field: "This text holds bytes that are not text (NUL or broken UTF-8)."}
	}
	return nil
}

// perform runs an action in a transaction, again where the database broke it
// off for another one's sake.
func (s *Store) perform(ctx context.Context, actor Actor, act Act, kind Kind, do func(*actionTx) error) (Outcome, error) {
	var outcome Outcome
	err := db.Retry(ctx, func() (err error) {
		outcome, err = s.performOnce(ctx, actor, act, kind, do)
		return err
	})
	if errors.Is(err, errUnchanged) {
		return Outcome{Preview: act.Preview}, nil
	}
	return outcome, db.Translate(err)
}

func (s *Store) performOnce(ctx context.Context, actor Actor, act Act, kind Kind, do func(*actionTx) error) (Outcome, error) {
	outcome := Outcome{Preview: act.Preview}
	var update *counters.Update
	defer func() {
		if update != nil {
			s.boards.Mark(update.Changed)
		}
	}()
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
		if update, err = counters.Begin(ctx, tx, &s.threshold); err != nil {
			return err
		}
		d := &actionTx{update: update, Tx: tx, ctx: ctx, store: s, actor: actor, act: act, kind: kind, at: s.now().UTC().Truncate(time.Microsecond)}
		asked, err := json.Marshal(act)
		if err != nil {
			return fmt.Errorf("write down the request: %w", err)
		}
		sum := sha256.Sum256(asked)
		d.request = sum[:]
		if act.Target != uuid.Nil {
			d.targetType, d.targetID = kind.Target, act.Target.String()
		}
		if done, err := d.doneBefore(); err != nil || done != nil {
			if done != nil {
				outcome.Action, outcome.Affected = *done, done.Affected
			}
			return err
		}
		if err := tx.QueryRow(ctx, "SELECT nextval('action_ids')").Scan(&d.id); err != nil {
			return err
		}
		if err := do(d); err != nil {
			return err
		}
		outcome.Affected = d.affected
		if act.Preview {
			outcome.Action = Action{Kind: kind.Name, Undoable: kind.Undoable, TargetType: d.targetType, TargetID: d.targetID,
				TargetLabel: d.label, Undoes: d.undoes, Affected: d.affected, At: d.at, ActorName: actor.Name, ActorRole: actor.Role, StaffAuthor: d.staffAuthor}
			return errPreview
		}
		if err := d.noteUsers(); err != nil {
			return err
		}
		batch := &pgx.Batch{}
		if err := update.Settle(ctx, tx, batch, d.at); err != nil {
			return err
		}
		s.boards.Announce(batch, update.Changed)
		if err := db.SendBatch(ctx, tx, batch); err != nil {
			return err
		}
		action, err := d.append()
		outcome.Action = action
		return err
	})
	if errors.Is(err, errPreview) {
		err = nil
	}
	return outcome, err
}

// noteUsers notes the users whose own rows the action changed, for the boards.
func (d *actionTx) noteUsers() error {
	if d.targetType != "user" {
		return nil
	}
	users, err := d.ids("SELECT DISTINCT object_id FROM action_objects WHERE action_id = $1 AND object_type = 'user'", d.id)
	d.update.Changed.Add(users...)
	return err
}

// doneBefore finds the action of an earlier request with the same
// Idempotency-Key, and keeps the key for this one.
func (d *actionTx) doneBefore() (*Action, error) {
	if d.act.IdempotencyKey == "" || d.act.Preview {
		return nil, nil
	}
	if len(d.act.IdempotencyKey) > 200 || checkText("", d.act.IdempotencyKey) != nil {
		return nil, Malformed("An Idempotency-Key has at most 200 characters.")
	}
	// Requests with the same key wait for each other here.
	if _, err := d.Exec(d.ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", d.actor.UserID.String()+d.act.IdempotencyKey); err != nil {
		return nil, err
	}
	var action int64
	var before []byte
	err := d.QueryRow(d.ctx, "SELECT action_id, request FROM idempotency_keys WHERE actor_id = $1 AND key = $2", d.actor.UserID, d.act.IdempotencyKey).
		Scan(&action, &before)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(before, d.request) {
		return nil, &Conflict{Why: "This Idempotency-Key was used for another request. Send a new one."}
	}
	done, err := actionByID(d.ctx, d.Tx, action)
	return &done, err
}

// keepKey remembers which action a request with an Idempotency-Key made.
func (d *actionTx) keepKey() error {
	if d.act.IdempotencyKey == "" {
		return nil
	}
	_, err := d.Exec(d.ctx, "INSERT INTO idempotency_keys (actor_id, key, request, action_id) VALUES ($1, $2, $3, $4)",
		d.actor.UserID, d.act.IdempotencyKey, d.request, d.id)
	return err
}

// lockUser locks the user that an action aims at and checks the rank rules.
// Rows that only name the user, such as the log's, can be written meanwhile: who
// gives messages something locks itself by lockGiver.
// The rows of all admins are locked first where an admin is the target, so
// that the last two cannot demote each other at once. The locks leave foreign
// keys alone: whoever writes a row that names a user, a counter among them,
// holds trees by then, for which the action may have to wait.
func (d *actionTx) lockUser(id uuid.UUID) (User, error) {
	if _, err := d.exec(`SELECT FROM users WHERE role = 'admin' AND EXISTS (SELECT FROM users WHERE user_id = $1 AND role = 'admin')
		ORDER BY user_id FOR NO KEY UPDATE`, id); err != nil {
		return User{}, err
	}
	if _, err := d.exec("SELECT FROM users WHERE user_id = $1 FOR NO KEY UPDATE", id); err != nil {
		return User{}, err
	}
	user, err := userByID(d.ctx, d.Tx, id)
	if err != nil {
		return user, err
	}
	d.label = user.DisplayName
	if !d.actor.trusted() {
		if err := policy.MayActOn(d.actor.Role, user.Role, user.UserID == d.actor.UserID); err != nil {
			return user, &Forbidden{Why: err.Error()}
		}
	}
	return user, nil
}

// lockGiver keeps the actor from being banned or unbanned while they give
// something to a message. It comes before the tree.
func (d *actionTx) lockGiver() error {
	_, err := d.exec("SELECT FROM users WHERE user_id = $1 FOR SHARE", d.actor.UserID)
	return err
}

// keepAnAdmin refuses what would leave the console without an admin. Where
// there was none to begin with, what touches no admin goes on.
func (d *actionTx) keepAnAdmin() error {
	var admins, touched int
	if err := d.QueryRow(d.ctx, `SELECT (SELECT count(*) FROM users u WHERE u.role = 'admin' AND u.auth_method <> 'key' AND (`+tables.UserStatusSQL+`) = 'active'),
			(SELECT count(*) FROM action_objects o JOIN users u ON u.user_id = o.object_id WHERE o.action_id = $1 AND (u.role = 'admin' OR o.before #>> '{}' = 'admin'))`,
		d.id).Scan(&admins, &touched); err != nil {
		return err
	}
	if admins == 0 && touched > 0 {
		return &Forbidden{Why: "This would leave the console without an admin. Make somebody else an admin first."}
	}
	return nil
}

// lockTree locks a tree and reads what actions look at.
func (d *actionTx) lockTree(id uuid.UUID) (t lockedTree, err error) {
	t.id = id
	err = d.QueryRow(d.ctx, `SELECT t.state, t.active, t.halted_state, t.halted_active, t.version,
			EXISTS (SELECT FROM users u WHERE u.user_id = t.user_id AND u.role <> 'general')
		FROM trees t WHERE t.tree_id = $1 FOR UPDATE OF t`, id).
		Scan(&t.state, &t.active, &t.haltedState, &t.haltedActive, &t.version, &t.staffAuthor)
	return t, err
}

type lockedTree struct {
	id           uuid.UUID
	state        string
	active       bool
	haltedState  *string
	haltedActive *bool
	version      int
	staffAuthor  bool
}

// lockMessage locks the tree of the message that an action aims at, and reads
// the message.
func (d *actionTx) lockMessage(id uuid.UUID) (Message, error) {
	tree, err := treeOf(d.ctx, d.Tx, id)
	if err != nil {
		return Message{}, err
	}
	if _, err := d.lockTree(tree); err != nil {
		return Message{}, err
	}
	found, err := selectMessages(d.ctx, d.Tx, "WHERE m.tree_id = $1 AND m.message_id = $2", tree, id)
	if err != nil {
		return Message{}, err
	}
	if len(found) == 0 {
		return Message{}, ErrNotFound
	}
	m := found[0]
	d.label = excerpt(m.Text)
	d.author = m.UserID
	d.staffAuthor = m.AuthorRole != nil && *m.AuthorRole != policy.General
	return m, nil
}

// excerpt is the beginning of a text, on one line.
func excerpt(text string) string {
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) > 80 {
		return string(runes[:79]) + "…"
	}
	return string(runes)
}

// checkVersion refuses to act on something that has changed since it was seen.
func (d *actionTx) checkVersion(current int) error {
	if d.act.Version == nil || *d.act.Version == current {
		return nil
	}
	c := &Conflict{Why: "Somebody changed this since you opened it. Look at what they did, then do it again if it is still right.", Version: current}
	return d.withLatest(c)
}

// withLatest adds to a conflict the last action on the target.
func (d *actionTx) withLatest(c *Conflict) error {
	var last int64
	err := d.QueryRow(d.ctx, `SELECT max(action_id) FROM action_objects WHERE object_type = $1 AND object_id = $2 AND action_id <> $3 HAVING count(*) > 0`,
		d.targetType, d.act.Target, d.id).Scan(&last)
	if errors.Is(err, pgx.ErrNoRows) {
		return c
	}
	if err != nil {
		return err
	}
	action, err := actionByID(d.ctx, d.Tx, last)
	if err != nil {
		return err
	}
	c.Action = &action
	return c
}
