package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/store/accounts"
	"treewarden/store/db"
	"treewarden/store/sessions"
)

// currentActor is an actor as the transaction of an action sees them.
type currentActor struct {
	active        bool
	role          string
	languages     []string
	policyVersion int
}

// errActorMoved makes an action begin again with the actor as they are now.
var errActorMoved = fmt.Errorf("the actor's access has changed: %w", db.ErrBeginAgain)

// queueActor queues the query for the actor as they are now. It does nothing for
// the program itself and its command line.
func (d *actionTx) queueActor(into *currentActor) {
	if !d.actor.trusted() {
		d.Each([]any{&into.role, &into.languages, &into.policyVersion}, func() { into.active = true },
			sessions.ActorSQL, d.actor.UserID)
	}
}

// takeActor continues with the actor as the transaction sees them: since the
// request began, they may have been banned, or may have another role.
func (d *actionTx) takeActor(now currentActor) error {
	if d.actor.trusted() {
		return nil
	}
	if !now.active {
		return errActorChanged
	}
	inForce, err := d.store.policies.At(d.Ctx, d.Conn, now.policyVersion)
	if err != nil {
		return err
	}
	d.actor.Role, d.actor.Languages, d.actor.Policy, d.began = now.role, now.languages, inForce, now
	if d.kind.Name == UndoKind.Name {
		return nil // mayUndo checks what the undone action needs
	}
	return need(d.actor, d.permission)
}

// queueActorAgain queues the query for the actor once more, after all other locks
// of the action. The actor is locked, so that whoever changes their access waits
// for the action, or the action sees the change.
func (d *actionTx) queueActorAgain(into *currentActor) {
	if !d.actor.trusted() {
		d.Queue("SELECT FROM users WHERE user_id = $1 FOR SHARE", d.actor.UserID)
		d.Queue("SELECT FROM api_keys WHERE user_id = $1 FOR SHARE", d.actor.UserID)
	}
	d.queueActor(into)
}

// sameActor returns errActorMoved unless the actor is as they were when the
// transaction began.
func (d *actionTx) sameActor(now currentActor) error {
	samePolicy := now.policyVersion == d.began.policyVersion || slices.Contains(d.aspects, aspect(policyAspect{}))
	if d.actor.trusted() || now.active && now.role == d.began.role && samePolicy &&
		accounts.SameLimit(now.languages, d.began.languages) {
		return nil
	}
	return errActorMoved
}

// stillMay reads an actor again, and returns a Forbidden if they are no longer active
// or do not hold a permission any more.
func (s *Store) stillMay(ctx context.Context, actor Actor, permission policy.Permission) error {
	if actor.trusted() {
		return nil
	}
	var now currentActor
	err := s.pool.QueryRow(ctx, sessions.ActorSQL, actor.UserID).Scan(&now.role, &now.languages, &now.policyVersion)
	if errors.Is(err, pgx.ErrNoRows) {
		return errActorChanged
	}
	if err != nil {
		return db.Translate(err)
	}
	actor.Role, actor.Languages = now.role, now.languages
	if actor.Policy, err = s.policies.At(ctx, s.pool, now.policyVersion); err != nil {
		return err
	}
	return need(actor, permission)
}
