package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/store/audit"
	"treewarden/store/chain"
	"treewarden/store/db"
	"treewarden/store/policies"
	"treewarden/store/proof"
	"treewarden/store/sessions"
	"treewarden/store/similar"
)

// commit writes the counters, the log's entry and the events for front ends, and
// commits. The first round trip ends with the lock on the end of the chain; the
// second writes the entry and commits, so that the lock is held briefly.
func (d *actionTx) commit() (Action, error) {
	l := chain.Link{
		ID: d.id, At: d.at, ActorName: d.actor.Name, ActorRole: d.actor.Role, Via: d.actor.Via, Kind: d.kind.Name,
		TargetType: d.targetType, TargetID: d.targetID, TargetLabel: d.label, StaffAuthor: d.staffAuthor,
		Undoes: d.undoes, Undoable: d.kind.Undoable, Reason: d.act.Reason,
		Messages: d.affected.Messages, OthersMessages: d.affected.OthersMessages,
		Trees: d.affected.Trees, Users: d.affected.Users,
	}
	if d.actor.UserID != uuid.Nil {
		l.ActorID = &d.actor.UserID
	}
	if slices.Contains(d.aspects, aspect(textAspect)) {
		if err := similar.RefreshEdited(d.Ctx, d.Conn, d.id); err != nil {
			return Action{}, err
		}
	}
	if err := d.endSessions(); err != nil {
		return Action{}, err
	}
	var actor currentActor
	d.queueActorAgain(&actor)
	if err := d.update.Settle(d.Ctx, d.Conn, &d.Batch, d.at); err != nil {
		return Action{}, err
	}
	d.store.boards.Announce(&d.Batch, d.update.Changed)
	d.keepKey()
	// These are the states of the target itself; action_objects holds those of
	// all objects.
	d.Each([]any{&l.Before, &l.After, &l.ObjectsHash}, func() {},
		`SELECT coalesce(jsonb_object_agg(aspect, before)::text, '{}'), coalesce(jsonb_object_agg(aspect, after)::text, '{}'),
		`+fmt.Sprintf(chain.ObjectsHash, "$1")+` FROM action_objects WHERE action_id = $1 AND object_id = $2`, d.id, d.act.Target)
	found := false
	d.Each([]any{&l.Seq, &l.PrevHash}, func() { found = true }, "SELECT seq + 1, hash FROM action_chain FOR UPDATE")
	if err := d.Flush(); err != nil {
		return Action{}, err
	}
	if err := d.sameActor(actor); err != nil {
		return Action{}, err
	}
	if !found {
		return Action{}, errNoChain // not ErrNotFound, which means a missing target
	}
	l.DetailHash = l.Detail()
	var err error
	if l.Hash, err = l.Sum(l.PrevHash); err != nil {
		return Action{}, err
	}
	d.Queue(chain.InsertSQL,
		l.Seq, l.ID, l.At, l.ActorID, l.ActorName, l.ActorRole, l.Via, l.Kind, l.TargetType, l.TargetID, l.TargetLabel,
		l.StaffAuthor, l.Undoes, l.Undoable, l.Messages, l.OthersMessages, l.Trees, l.Users, l.Reason, l.Before, l.After,
		l.DetailHash, l.ObjectsHash, l.PrevHash, l.Hash)
	d.Queue("UPDATE action_chain SET seq = $1, hash = $2", l.Seq, l.Hash)
	d.writeEvents()
	d.sent = true
	if err := d.Commit(false); err != nil {
		return Action{}, err
	}
	return actionOf(l, d.undoesNumber), nil
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
	action, err := d.inLog(ctx)
	switch {
	case errors.Is(err, ErrNotFound):
		return Action{}, cause
	case err != nil:
		return Action{}, errors.Join(ErrUnsure, cause, err)
	}
	return action, nil
}

// inLog reads the action from the log after the transaction that may have written
// it has ended: until then it holds the end of the chain.
func (d *actionTx) inLog(ctx context.Context) (action Action, err error) {
	err = pgx.BeginFunc(ctx, d.store.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT FROM action_chain FOR UPDATE"); err != nil {
			return err
		}
		action, err = audit.ByKey(ctx, tx, d.id)
		return err
	})
	return action, err
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

// actionOf returns an entry of the log as an Action. undoes is the number of the
// action that it undoes.
func actionOf(l chain.Link, undoes *int64) Action {
	return Action{
		ID: l.Seq, Seq: l.Seq, Key: l.ID, At: l.At, ActorID: l.ActorID, ActorName: l.ActorName, ActorRole: l.ActorRole, Via: l.Via,
		Kind: l.Kind, TargetType: l.TargetType, TargetID: l.TargetID, TargetLabel: l.TargetLabel,
		StaffAuthor: l.StaffAuthor, Undoes: undoes, Undoable: l.Undoable,
		Affected: Affected{
			Messages: l.Messages, OthersMessages: l.OthersMessages, Trees: l.Trees, Users: l.Users,
		}, Reason: l.Reason,
		Before: l.Before, After: l.After, Hash: hex.EncodeToString(l.Hash), PrevHash: hex.EncodeToString(l.PrevHash),
	}
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
	if len(queries) > 0 {
		d.Queue(`INSERT INTO events (at, action_id, kind, payload) SELECT $2, $1, kind, payload FROM (
			`+strings.Join(queries, "\nUNION ALL ")+`) e ORDER BY rank, object_id`, d.id, d.at)
	}
}

// ChainStatus is the end of the log's chain, BrokenChain the first entry at which
// it is broken.
type (
	ChainStatus = chain.Status
	BrokenChain = chain.Broken
)

// ChainStatus returns the end of the chain as action_chain stores it.
func (s *Store) ChainStatus(ctx context.Context) (ChainStatus, error) {
	var status ChainStatus
	var hash []byte
	err := s.pool.QueryRow(ctx, "SELECT c.seq, c.hash, a.at FROM action_chain c LEFT JOIN actions a ON a.seq = c.seq").
		Scan(&status.Seq, &hash, &status.At)
	status.Hash = hex.EncodeToString(hash)
	return status, db.Translate(err)
}

// errNoChain is the error of every action while the end of the log is unknown.
var errNoChain = errors.New("the row of action_chain was removed: nothing can be added to the log; run audit " +
	"verify, then restore it from a backup")

// VerifyChain verifies the whole log in one snapshot. It returns the end of the
// chain, or a *BrokenChain for the first entry that was changed, removed or
// inserted.
func (s *Store) VerifyChain(ctx context.Context) (status ChainStatus, err error) {
	err = s.snapshot(ctx, func(tx pgx.Tx) (err error) {
		status, err = chain.Verify(ctx, tx)
		return err
	})
	return status, err
}

// VerifyLog is VerifyChain, and compares the state of things with the log. kept is a
// former end of the chain that was kept elsewhere; the log must still hold it. Nil is
// none. differences are sentences, at most 100 of each kind.
func (s *Store) VerifyLog(ctx context.Context, kept *ChainStatus) (status ChainStatus, differences []string, err error) {
	err = s.snapshot(ctx, func(tx pgx.Tx) (err error) {
		if status, err = chain.Verify(ctx, tx); err != nil {
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
	return status, differences, err
}

// snapshot runs do in one snapshot of the database.
func (s *Store) snapshot(ctx context.Context, do func(pgx.Tx) error) error {
	return db.Translate(pgx.BeginTxFunc(ctx, s.pool,
		pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, do))
}

// ExportActions writes the whole log as JSON lines, the oldest first. The last
// line holds the total and the end of the chain.
func (s *Store) ExportActions(ctx context.Context, actor Actor, w io.Writer) error {
	if err := need(actor, policy.AuditAll); err != nil {
		return err
	}
	return audit.Export(ctx, s.pool, w)
}
