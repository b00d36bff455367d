package store

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/audit"
)

// What the package audit reads, by the names that users of a Store know.
type (
	Action       = audit.Action
	ActionFilter = audit.Filter
	Affected     = audit.Affected
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
func (s *Store) ActionDetail(ctx context.Context, actor Actor, id int64, target uuid.UUID, page Page) (audit.Detail, error) {
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

var errOthersAction = &Forbidden{
	policy.AuditAll, "You see your own actions, and those on the user, message or tree that you look at. Open the action " +
		"from there.",
}

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
