package store

import (
	"context"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store/cases"
	"treewarden/store/versions"
)

// PriorityVersion is one version of the weights that order the queue.
type PriorityVersion struct {
	scoring.Priority
	versions.Made
}

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
	latest, err := versions.Priority.Latest(ctx, s.pool, shownVersions)
	if err != nil {
		return QueuePriority{}, err
	}
	all := make([]PriorityVersion, len(latest))
	for i, v := range latest {
		all[i] = PriorityVersion{v.Of, v.Made}
	}
	return QueuePriority{all[0], all[1:]}, nil
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
	Name: "set_priority", Target: versions.Priority.Name,
	Title: "Change queue order", Button: "Save as new version", Past: "Changed the queue order",
	Permission: policy.ScoringSave, Undoable: true, NeedsReason: true,
	aspects: []aspect{versioned[scoring.Priority]{versions.Priority, (*actionTx).putPriority}},
}

// SavePriority puts other weights in force as a new version with a note. Version and
// the outcome are as in SaveFormula.
func (s *Store) SavePriority(ctx context.Context, actor Actor, weights map[string]float64, note string, version *int,
	idempotencyKey string) (Outcome, error) {
	change := func(p scoring.Priority) (scoring.Priority, map[string]string) { return p.With(weights) }
	return saveVersion(ctx, s, actor, setPriority, scoring.DefaultPriority, change,
		Act{Reason: note, Version: version, IdempotencyKey: idempotencyKey, Params: weights})
}

// putPriority puts the next version of the weights in force and logs the change.
func (d *actionTx) putPriority(now, next scoring.Priority) error {
	d.label = "queue order"
	next.Version, next.Note = now.Version+1, d.act.Reason
	d.update.Changed.Priority = !d.act.Preview
	return versions.Priority.Replace(d.Ctx, d.Conn, now, versions.Version[scoring.Priority]{Of: next, Made: d.made()})
}
