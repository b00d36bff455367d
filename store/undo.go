package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/store/aspects"
	"treewarden/store/audit"
	"treewarden/store/db"
	"treewarden/store/messages"
	"treewarden/store/params"
	"treewarden/store/selection"
)

// Undo undoes an action by a further one. It restores every aspect that the
// action changed, all or nothing. If a later action changed one of them, it
// returns a Conflict with that action.
func (s *Store) Undo(ctx context.Context, actor Actor, action int64, reason string, preview bool,
	idempotencyKey string) (Outcome, error) {
	return s.undoBy(ctx, actor, Act{Reason: reason, Preview: preview, IdempotencyKey: idempotencyKey}, action)
}

// undoBy is Undo with the reason, the key and the progress of an act.
func (s *Store) undoBy(ctx context.Context, actor Actor, act Act, action int64) (Outcome, error) {
	if !actor.May(policy.UndoAll) {
		if err := need(actor, policy.UndoOwn); err != nil {
			return Outcome{}, err
		}
	}
	if err := params.CheckReason(act.Reason, UndoKind.NeedsReason); err != nil {
		return Outcome{}, err
	}
	act.Kind, act.Target, act.Params = UndoKind.Name, uuid.Nil, undoParams{Action: action}
	return s.perform(ctx, actor, act, UndoKind, func(d *actionTx) error { return d.undo(action) })
}

func (d *actionTx) undo(number int64) error {
	action, err := audit.ByID(d.Ctx, d.Conn, number)
	if err != nil {
		return err
	}
	if err := d.mayUndo(action); err != nil {
		return err
	}
	id := action.Key
	d.undoes, d.undoesNumber = &action.Key, &action.ID
	d.targetType, d.targetID = action.TargetType, action.TargetID
	d.label, d.staffAuthor = action.TargetLabel, action.StaffAuthor
	if d.act.Target, err = uuid.Parse(action.TargetID); err != nil {
		return fmt.Errorf("action %d: %w", number, err)
	}
	if action.TargetType == "list" || action.Kind == bulkKind {
		if _, err := d.exec(`SELECT FROM lists WHERE list_id = $1 OR list_id IN (SELECT object_id FROM action_objects
			WHERE action_id = $2 AND object_type = 'list') FOR NO KEY UPDATE`, d.act.Target, id); err != nil {
			return err
		}
	}
	kind, _ := KindNamed(action.Kind)
	d.aspects, d.permission = kind.aspects, kind.Permission
	if kind.Name == bulkKind {
		if err := d.beginUndoOfBulk(id); err != nil {
			return err
		}
	}
	if err := d.lockObjects(id, action); err != nil {
		return err
	}
	// Another undo may have committed while this one waited for the locks.
	if action, err = audit.ByID(d.Ctx, d.Conn, number); err != nil {
		return err
	}
	if action.UndoneBy != nil {
		by, err := audit.ByID(d.Ctx, d.Conn, *action.UndoneBy)
		if err != nil {
			return err
		}
		return inTheWay(by, "This was undone already:")
	}
	if kind.Name == resolveKind {
		if err := d.mayUndoDecision(id); err != nil {
			return err
		}
	}
	if action.TargetType == "list" {
		if err := d.checkLanguages(d.permission, `SELECT tree_id, object_id FROM action_objects
			WHERE action_id = $1 AND object_type = 'message'`, id); err != nil {
			return err
		}
	}
	for _, a := range d.aspects {
		if err := a.undo(d, id); err != nil {
			return err
		}
	}
	changed := false
	if d.affected, changed, err = audit.CountUndone(d.Ctx, d.Conn, d.id, d.act.Target, d.targetType, d.restored,
		action.Affected); err == nil && !changed {
		return errUnchanged // such as a ban that ended by itself
	}
	if kind.Name == bulkKind { // what was selected is not in the log
		d.affected.OthersMessages = action.Affected.OthersMessages
	}
	return err
}

// restoreDeletion restores the replies below the messages that an undo restores.
// It returns a Conflict if an action deleted the parent of a restored message since.
// It looks at the topmost messages: the others came back with those above them.
func (d *actionTx) restoreDeletion(id int64) error {
	if err := d.restoreLateReplies(id); err != nil {
		return err
	}
	if d.update.NoneStay() { // StayDeletedSQL has looked for it
		return nil
	}
	return d.refuseDeleted(selection.DeletedAboveSQL, d.id)
}

// mayUndo checks that the actor may undo the action and that it is undoable.
func (d *actionTx) mayUndo(action Action) error {
	if !d.actor.May(policy.UndoAll) && (action.ActorID == nil || *action.ActorID != d.actor.UserID) {
		return &Forbidden{policy.UndoAll, "You may undo only your own actions. Ask the person who did it, or an admin."}
	}
	if !action.Undoable {
		kind, _ := KindNamed(action.Kind)
		return &Conflict{Why: "This action cannot be undone. " + kind.WhyNot, Action: &action}
	}
	// An undo also needs the permission of the action itself.
	kind, _ := KindNamed(action.Kind)
	if kind.Permission != policy.UserEdit {
		return need(d.actor, kind.Permission)
	}
	return nil
}

// lockObjects locks the objects that the action changed: users, then trees.
func (d *actionTx) lockObjects(id int64, action Action) error {
	rows, err := d.Query(d.Ctx, `SELECT object_id FROM action_objects
		WHERE action_id = $1 AND object_type = 'user' ORDER BY object_id`, id)
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return err
	}
	if len(ids) > 0 {
		locked, err := d.lockUsers(slices.Compact(ids)...)
		if err == nil {
			err = d.mayActOn(locked...)
		}
		if err != nil {
			return err
		}
	}
	d.label = action.TargetLabel
	inParts := d.only(deletionAspect, banAspect, stateAspect)
	touched, err := selection.LockUndone(d.Ctx, d.Conn, id, d.only(deletionAspect), inParts)
	if err != nil {
		return err
	}
	if inParts {
		return d.watchParts(id, action.Affected.Messages)
	}
	return d.watch(touched, id)
}

// only reports whether the action changes no counts but by some aspects. Cases that such
// an action closes are upheld, which changes no counts.
func (d *actionTx) only(some ...columnAspect) bool {
	return !slices.ContainsFunc(d.aspects, func(a aspect) bool {
		column, ok := a.(columnAspect)
		return a != aspect(caseAspect{}) && (!ok || !slices.Contains(some, column))
	})
}

// watchParts makes the counters follow the parts of the counts that an undo of bans, of
// deletions and of the states of trees changes. To count all would take much longer. n is
// about the number of messages.
func (d *actionTx) watchParts(id, n int64) error {
	if slices.Contains(d.aspects, aspect(deletionAspect)) && !d.act.Preview { // a preview is rolled back
		if err := d.update.WatchRestored(d.Ctx, d.Conn, d.store.pool, d.at, n,
			selection.TouchedByDeletionSQL, selection.StayDeletedSQL, id); err != nil {
			return err
		}
	}
	for _, part := range []struct {
		aspect aspect
		watch  func(...uuid.UUID) error
	}{{banAspect, d.watchFeedback}, {stateAspect, d.watchStates}} {
		if !slices.Contains(d.aspects, part.aspect) {
			continue
		}
		ids, err := d.ids("SELECT object_id FROM action_objects WHERE action_id = $1 AND aspect = $2", id,
			part.aspect.(columnAspect).Name)
		if err == nil && len(ids) > 0 {
			err = part.watch(ids...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// restoreLateReplies restores the messages that arrived below a deleted message
// after the undone action and were deleted with it.
func (d *actionTx) restoreLateReplies(id int64) error {
	late, err := d.change(deletionAspect, `chosen AS (SELECT m.tree_id, m.message_id AS id FROM late_replies l
		JOIN messages m ON m.tree_id = l.tree_id AND m.message_id = l.message_id AND m.deleted_action = $2
		WHERE l.action_id = $2)`,
		`deleted = false, deleted_at = NULL, deleted_action = NULL, deleted_root = NULL, deletion_by_staff = true`, id)
	d.restored += late
	return err
}

func (a columnAspect) undo(d *actionTx, id int64) error {
	if a.Name == textAspect.Name {
		if err := messages.ReviseBack(d.Ctx, d.Conn, id, d.actor.id(), d.at, d.id); err != nil {
			return err
		}
	}
	n, changed, err := a.Undo(d.Ctx, d.Conn, d.id, id, d.act.Progress)
	if a.Name == usernameAspect.Name {
		err = db.Taken(err, "name", "Another account has the former name by now. Rename that one first.")
	}
	if err != nil {
		return err
	}
	if changed != nil {
		return d.laterThan(id, a.Object, *changed, a.Name)
	}
	switch a.Name {
	case deletionAspect.Name:
		d.restored = n
		return d.restoreDeletion(id)
	case roleAspect.Name, languagesAspect.Name:
		if n == 0 {
			return nil
		}
		if err := d.mayRestoreRole(); err != nil {
			return err
		}
		return d.keepAnAdmin()
	case banAspect.Name:
		if n > 0 {
			return d.keepAnAdmin()
		}
	case listAspect.Name:
		return d.refuseItems()
	}
	return nil
}

// mayRestoreRole checks that the actor may grant the role and the languages that
// the target has after the undo.
func (d *actionTx) mayRestoreRole() error {
	var restored policy.Subject
	if err := d.QueryRow(d.Ctx, "SELECT role, languages FROM users WHERE user_id = $1", d.act.Target).
		Scan(&restored.Role, &restored.Languages); err != nil {
		return err
	}
	if d.permission == policy.StaffManage {
		return d.store.checkGrant(d.actor, restored, policy.StaffManage)
	}
	return d.checkGrantable(restored)
}

// undo restores the former feedback of the action's actor.
func (feedbackAspect) undo(d *actionTx, id int64) error {
	changes, err := aspects.ChangedFeedback(d.Ctx, d.Conn, id)
	if err != nil {
		return err
	}
	for _, c := range changes {
		now, err := c.Read(d.Ctx, d.Conn)
		if err != nil {
			return err
		}
		if !now.Same(c.After) {
			return d.laterThan(id, "message", c.Message, c.Name())
		}
		if err := d.writeFeedback(c.Feedback, c.Author, c.Before); err != nil {
			return err
		}
		if err := d.logFeedback(c.Feedback, c.After, c.Before); err != nil {
			return err
		}
	}
	return nil
}

// laterThan returns a Conflict with the later action that changed the same aspect
// of the same object.
func (d *actionTx) laterThan(id int64, objectType string, object uuid.UUID, aspect string) error {
	later, err := audit.LaterThan(d.Ctx, d.Conn, id, objectType, object, aspect)
	switch {
	case err != nil:
		return err
	case later == nil:
		return &Conflict{Why: "An import has changed this " + objectType + " since (" + object.String() +
			"), so that it cannot be put back as it was."}
	}
	return inTheWay(*later, "A later change blocks this:")
}

// standsInTheWay returns a Conflict with the action of an id in the database.
func (d *actionTx) standsInTheWay(key int64, why string) error {
	action, err := audit.ByKey(d.Ctx, d.Conn, key)
	if err != nil {
		return err
	}
	return inTheWay(action, why)
}

func inTheWay(action Action, why string) error {
	kind, _ := KindNamed(action.Kind)
	return &Conflict{
		Why:    fmt.Sprintf("%s action %d, “%s” by %s.", why, action.ID, kind.Title, action.ActorName),
		Action: &action,
	}
}
