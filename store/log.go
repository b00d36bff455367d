package store

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/store/audit"
	"treewarden/store/chain"
	"treewarden/store/db"
	"treewarden/store/derived"
	"treewarden/store/events"
	"treewarden/store/policies"
	"treewarden/store/proof"
	"treewarden/store/sessions"
	"treewarden/store/tables"
)

// The log and its events, by the names that users of a Store know.
type (
	Action       = audit.Action
	ActionFilter = audit.Filter
	Affected     = audit.Affected
	// ChainStatus is the end of the log's chain, BrokenChain the first entry at which
	// it is broken.
	ChainStatus = chain.Status
	BrokenChain = chain.Broken
	// Event is what front ends must act on, Events are those after one of them.
	Event  = events.Event
	Events = events.Events
)

// Action returns one action. An actor without the permission audit.all may read
// their own actions, and those on the target that they look at: the id of a user,
// of one of their messages, of a tree or of a list; uuid.Nil is none.
func (s *Store) Action(ctx context.Context, actor Actor, id int64, target uuid.UUID) (Action, error) {
	if actor.May(policy.AuditAll) {
		return audit.ByID(ctx, s.pool, id)
	}
	if err := need(actor, policy.AuditOwn); err != nil {
		return Action{}, err
	}
	action, err := audit.ByID(ctx, s.pool, id)
	switch {
	case err != nil || action.ActorID != nil && *action.ActorID == actor.UserID:
		return action, err
	case target == uuid.Nil || slices.Contains(settingsKinds(), action.Kind):
		return Action{}, errOthersAction
	}
	touches, err := audit.Touches(ctx, s.pool, action, target)
	if err == nil && !touches {
		err = errOthersAction
	}
	if err != nil {
		return Action{}, err
	}
	return action, nil
}

// ActionDetail returns an action that the actor may read, as by Action, with what it
// touched.
func (s *Store) ActionDetail(
	ctx context.Context, actor Actor, id int64, target uuid.UUID, page Page,
) (audit.Detail, error) {
	action, err := s.Action(ctx, actor, id, target)
	if err != nil {
		return audit.Detail{}, err
	}
	return audit.DetailOf(ctx, s.pool, action, page)
}

// ActionActors lists those whose actions the actor may ask for.
func (s *Store) ActionActors(ctx context.Context, actor Actor) ([]audit.Actor, error) {
	if err := need(actor, policy.AuditAll); err != nil {
		return nil, err
	}
	return audit.Actors(ctx, s.pool)
}

var errOthersAction = &Forbidden{policy.AuditAll, "You see your own actions, and those on the user, message or tree " +
	"that you look at. Open the action from there."}

// settingsKinds returns the names of the kinds of actions on accounts, keys, roles
// and formulas. Only actors with the permission audit.all see those of others.
func settingsKinds() []string {
	names := make([]string, len(logged))
	for i, kind := range logged {
		names[i] = kind.Name
	}
	return names
}

// Actions lists actions, the newest first. Without the permission audit.all it
// lists the actor's own, or all actions on the target of the filter.
func (s *Store) Actions(ctx context.Context, actor Actor, f ActionFilter) (List[Action], error) {
	if err := limitToVisible(actor, &f); err != nil {
		return List[Action]{}, err
	}
	if f.Kind != "" {
		if _, ok := KindNamed(f.Kind); !ok {
			return List[Action]{}, BadParameter{Name: "kind",
				Malformed: Malformed("There is no kind of action " + f.Kind + ".")}
		}
	}
	return audit.List(ctx, s.pool, f)
}

// limitToVisible limits a filter to the actions that an actor may see.
func limitToVisible(actor Actor, f *ActionFilter) error {
	if actor.May(policy.AuditAll) {
		return nil
	}
	if f.Target == "" && f.Concerning == nil {
		f.Own = &actor.UserID
	}
	f.Settings = &audit.Settings{Kinds: settingsKinds(), Own: actor.UserID}
	return need(actor, policy.AuditOwn)
}

// RecentReasons returns the actor's last reasons for a kind of action, the newest
// first. A form offers them.
func (s *Store) RecentReasons(ctx context.Context, actor Actor, kind string) ([]string, error) {
	return audit.RecentReasons(ctx, s.pool, actor.UserID, kind)
}

// ChainStatus returns the end of the chain as action_chain stores it.
func (s *Store) ChainStatus(ctx context.Context) (ChainStatus, error) {
	return chain.End(ctx, s.pool)
}

// VerifyChain verifies the whole log in one snapshot. It returns the end of the
// chain, or a *BrokenChain for the first entry that was changed, removed or
// inserted.
func (s *Store) VerifyChain(ctx context.Context) (status ChainStatus, err error) {
	err = db.InSnapshot(ctx, s.pool, func(tx pgx.Tx) (err error) {
		status, err = chain.Verify(ctx, tx)
		return err
	})
	return status, err
}

// VerifyLog is VerifyChain, and compares the state of things with the log. kept is a
// former end of the chain that was kept elsewhere; the log must still hold it. Nil is
// none. differences are sentences, at most 100 of each kind.
func (s *Store) VerifyLog(ctx context.Context, kept *ChainStatus) (end ChainStatus, differences []string, err error) {
	err = db.InSnapshot(ctx, s.pool, func(tx pgx.Tx) (err error) {
		if end, err = chain.Verify(ctx, tx); err != nil {
			return err
		}
		if kept != nil {
			if err := chain.Holds(ctx, tx, *kept); err != nil {
				return err
			}
		}
		differences, err = proof.State(ctx, tx)
		return err
	})
	return end, differences, err
}

// ExportActions writes the whole log as JSON lines, the oldest first. The last
// line holds the total and the end of the chain.
func (s *Store) ExportActions(ctx context.Context, actor Actor, w io.Writer) error {
	if err := need(actor, policy.AuditAll); err != nil {
		return err
	}
	return audit.Export(ctx, s.pool, w)
}

// Events returns up to 200 events after an id, in the order of their ids, which
// is the order of the commits. If there are none, it waits for one until wait is
// over or the context ends.
func (s *Store) Events(ctx context.Context, actor Actor, after int64, wait time.Duration) (Events, error) {
	if err := need(actor, policy.EventsRead); err != nil {
		return Events{}, err
	}
	found, err := events.Wait(ctx, s.pool, after, wait)
	if err == nil && len(found.Items) > 0 { // the actor may have waited since the request began
		err = s.stillMay(ctx, actor, policy.EventsRead)
	}
	return found, err
}

// commit writes the counters, the log's entry and the events for front ends, and
// commits. The first round trip ends with the lock on the end of the chain; the
// second writes the entry and commits, so that the lock is held briefly.
func (d *actionTx) commit() (Action, error) {
	l := chain.Link{
		ID: d.id, At: d.at, ActorID: d.actor.id(), ActorName: d.actor.Name, ActorRole: d.actor.Role, Via: d.actor.Via,
		Kind:       d.kind.Name,
		TargetType: d.targetType, TargetID: d.targetID, TargetLabel: d.label, StaffAuthor: d.staffAuthor,
		Undoes: d.undoes, Undoable: d.kind.Undoable, Reason: d.act.Reason,
		Messages: d.affected.Messages, OthersMessages: d.affected.OthersMessages,
		Trees: d.affected.Trees, Users: d.affected.Users,
	}
	if slices.Contains(d.aspects, aspect(textAspect)) {
		if err := derived.RefreshEdited(d.Ctx, d.Conn, d.id); err != nil {
			return Action{}, err
		}
	}
	if err := d.endSessions(); err != nil {
		return Action{}, err
	}
	d.flagged.Queue(&d.Batch, &d.update.Changed)
	var actor currentActor
	d.queueActorAgain(&actor)
	if err := d.update.Settle(d.Ctx, d.Conn, &d.Batch, d.at); err != nil {
		return Action{}, err
	}
	d.store.boards.Announce(&d.Batch, d.update.Changed)
	d.keepKey()
	d.Queue(tables.NoteActionSQL, d.id)
	l.QueueRead(&d.Pipe, d.act.Target)
	if err := d.Flush(); err != nil {
		return Action{}, err
	}
	if err := d.sameActor(actor); err != nil {
		return Action{}, err
	}
	if err := l.QueueWrite(&d.Pipe); err != nil {
		return Action{}, err
	}
	d.writeEvents()
	d.sent = true
	if err := d.Commit(false); err != nil {
		return Action{}, err
	}
	return audit.Of(l, d.undoesNumber), nil
}

// afterCommit finds out what became of an action whose COMMIT got no answer, such as
// when the connection was lost. It returns the action if it stands in the log, the
// cause if it does not, and ErrUnsure if it cannot be known.
func (d *actionTx) afterCommit(cause error) (Action, error) {
	if db.IsRefused(cause) {
		return Action{}, cause
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.Ctx), 5*time.Second)
	defer cancel()
	action, err := audit.ByKeyAfterWrite(ctx, d.store.pool, d.id)
	switch {
	case errors.Is(err, ErrNotFound):
		return Action{}, cause
	case err != nil:
		return Action{}, errors.Join(ErrUnsure, cause, err)
	}
	return action, nil
}

// endSessions queues the end of the sessions and links of those whom the action
// keeps out.
func (d *actionTx) endSessions() error {
	has := func(a aspect) bool { return slices.Contains(d.aspects, a) }
	switch {
	case has(policyAspect{}):
		entering, err := policies.Entering(d.Ctx, d.Conn)
		if err != nil {
			return err
		}
		sessions.QueueEndOutside(&d.Batch, entering)
	case has(banAspect) || has(roleAspect):
		sessions.QueueEndLost(&d.Batch, d.id, d.store.policyFor(d.actor))
	}
	return nil
}

// writeEvents queues the statement that inserts the events of the aspects that
// the action changed. An undo creates the same events as an action with the same
// effect.
func (d *actionTx) writeEvents() {
	var queries []string
	for _, a := range d.aspects {
		if sql := a.event(); sql != "" {
			queries = append(queries, sql)
		}
	}
	events.QueueInsert(&d.Pipe, d.id, d.at, queries)
}
