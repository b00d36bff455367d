package store

import (
	"context"
	"strings"

	"treewarden/store/params"
	"treewarden/store/versions"
)

// versioned is the aspect of what is kept in versions.
type versioned[T interface{ Same(T) bool }] struct {
	versions.Kept[T]
	// put puts another T in force as the next version, and logs the change.
	put func(d *actionTx, now, next T) error
}

func (versioned[T]) event() string { return "" }

// saveVersion puts what change makes of the T in force in its place. first is any T, on
// which the change is tried before. kind has one aspect, which is that T. The reason of
// the act is the note of the version.
func saveVersion[T interface{ Same(T) bool }](
	ctx context.Context, s *Store, actor Actor, kind Kind, first T, change func(T) (T, map[string]string), act Act,
) (Outcome, error) {
	if err := need(actor, kind.Permission); err != nil {
		return Outcome{}, err
	}
	_, wrong := change(first)
	if err := params.CheckReason(act.Reason, true); err != nil {
		wrong["note"] = "Give a note of 3 to 500 characters that says why."
	}
	if len(wrong) > 0 {
		return Outcome{}, Invalid(wrong)
	}
	v := kind.aspects[0].(versioned[T])
	act.Kind, act.Target, act.Reason = kind.Name, v.ID, strings.TrimSpace(act.Reason)
	return s.perform(ctx, actor, act, kind, func(d *actionTx) error {
		now, err := v.Lock(d.Ctx, d.Conn)
		if err != nil {
			return err
		}
		if err := d.checkVersion(now.Number); err != nil {
			return err
		}
		next, wrong := change(now.Of)
		switch {
		case len(wrong) > 0:
			return Invalid(wrong)
		case next.Same(now.Of):
			return errUnchanged
		}
		return v.put(d, now.Of, next)
	})
}

// made tells that the action makes a version.
func (d *actionTx) made() versions.Made {
	return versions.Made{Author: d.actor.Name, AuthorID: d.actor.id(), At: d.at, Action: &d.id}
}

// undo restores what an action replaced, as a new version. It does not compare the
// numbers of versions, so that a later change that was undone is no conflict.
func (v versioned[T]) undo(d *actionTx, id int64) error {
	before, after, found, err := v.Change(d.Ctx, d.Conn, id)
	if err != nil || !found {
		return err
	}
	now, err := v.Lock(d.Ctx, d.Conn)
	if err != nil {
		return err
	}
	if !now.Of.Same(after) {
		return d.laterThan(id, v.Name, v.ID, v.Name)
	}
	return v.put(d, now.Of, before)
}
