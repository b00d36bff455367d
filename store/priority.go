package store

import (
	"context"
	"strings"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store/cases"
	"treewarden/store/priorities"
)

// PriorityVersion is one version of the weights that order the queue.
type PriorityVersion = priorities.Version

// QueuePriority holds the weights in force and the earlier ones, the newest first.
type QueuePriority struct {
	PriorityVersion
	Earlier []PriorityVersion `json:"earlier"`
}

// QueuePriority returns the weights in force and the earlier versions.
func (s *Store) QueuePriority(ctx context.Context, actor Actor) (QueuePriority, error) {
	if err := need(actor, policy.ScoringRead); err != nil {
		return QueuePriority{}, err
	}
	versions, err := priorities.Latest(ctx, s.pool, shownVersions)
	if err != nil {
		return QueuePriority{}, err
	}
	return QueuePriority{versions[0], versions[1:]}, nil
}

// PriorityInForce returns the weights in force.
func (s *Store) PriorityInForce(ctx context.Context) (scoring.Priority, error) {
	weights, err := s.boards.WeightsInForce(ctx)
	return weights.Priority, err
}

// TryPriority compares the order of the queue with that by other weights.
func (s *Store) TryPriority(
	ctx context.Context, actor Actor, weights map[string]float64, window scoring.Window,
) (cases.Trial, error) {
	if err := need(actor, policy.ScoringRead); err != nil {
		return cases.Trial{}, err
	}
	desk, err := s.desk(ctx, actor, window, false)
	if err != nil {
		return cases.Trial{}, err
	}
	tried, wrong := desk.By.Priority.With(weights)
	if len(wrong) > 0 {
		return cases.Trial{}, Invalid(wrong)
	}
	return desk.Try(ctx, tried)
}

// setPriority is the kind of action that puts a new version of the weights in force.
var setPriority = Kind{
	Name: "set_priority", Target: priorities.Target,
	Title: "Change order of the queue", Button: "Save as new version", Past: "Changed the order of the queue",
	Permission: policy.ScoringSave, Undoable: true, NeedsReason: true,
	aspects: []aspect{priorityAspect{}},
}

// SavePriority puts other weights in force as a new version with a note. Version and
// the outcome are as in SaveFormula.
func (s *Store) SavePriority(ctx context.Context, actor Actor, weights map[string]float64, note string, version *int,
	idempotencyKey string) (Outcome, error) {
	if err := need(actor, policy.ScoringSave); err != nil {
		return Outcome{}, err
	}
	_, wrong := scoring.DefaultPriority.With(weights)
	if err := checkReason(note, true); err != nil {
		wrong["note"] = "Give a note of 3 to 500 characters that says why."
	}
	if len(wrong) > 0 {
		return Outcome{}, Invalid(wrong)
	}
	act := Act{Kind: setPriority.Name, Target: priorities.ID, Reason: strings.TrimSpace(note), Version: version,
		IdempotencyKey: idempotencyKey, Params: weights}
	return s.perform(ctx, actor, act, setPriority, func(d *actionTx) error {
		now, err := priorities.Lock(d.Ctx, d.Conn)
		if err != nil {
			return err
		}
		if err := d.checkVersion(now.Version); err != nil {
			return err
		}
		next, wrong := now.With(weights)
		if len(wrong) > 0 {
			return Invalid(wrong)
		}
		return d.putPriority(now, next)
	})
}

// putPriority puts the next version of the weights in force and logs the change.
func (d *actionTx) putPriority(now, next scoring.Priority) error {
	if next.Same(now) {
		return errUnchanged
	}
	d.label = "order of the queue"
	next.Version, next.Note = now.Version+1, d.act.Reason
	d.update.Changed.Priority = !d.act.Preview
	return priorities.Replace(d.Ctx, d.Conn, now,
		PriorityVersion{Priority: next, Author: d.actor.Name, AuthorID: d.actor.id(), At: d.at, Action: &d.id})
}

// priorityAspect is the aspect of the weights that actions change.
type priorityAspect struct{}

func (priorityAspect) event() string { return "" }

// undo restores the weights that an action replaced, as a new version. It compares
// weights, so that a later change that was undone is no conflict.
func (priorityAspect) undo(d *actionTx, id int64) error {
	before, after, found, err := priorities.Change(d.Ctx, d.Conn, id)
	if err != nil || !found {
		return err
	}
	now, err := priorities.Lock(d.Ctx, d.Conn)
	if err != nil {
		return err
	}
	if !now.Same(after) {
		return d.laterThan(id, priorities.Target, priorities.ID, priorities.Aspect)
	}
	return d.putPriority(now, before)
}
