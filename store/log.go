package store

import (
	"context"

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
// any action by its id, because the pages of users and messages show it too.
func (s *Store) Action(ctx context.Context, actor Actor, id int64) (Action, error) {
	if !actor.May(policy.AuditAll) {
		if err := need(actor, policy.AuditOwn); err != nil {
			return Action{}, err
		}
	}
	return audit.ByID(ctx, s.pool, id)
}

// Actions lists actions, the newest first. Without the permission audit.all it
// lists the actor's own, or all actions on the target of the filter.
func (s *Store) Actions(ctx context.Context, actor Actor, f ActionFilter) (List[Action], error) {
	if !actor.May(policy.AuditAll) {
		if err := need(actor, policy.AuditOwn); err != nil {
			return List[Action]{}, err
		}
		if f.Target == "" && f.Concerning == nil {
			f.Own = &actor.UserID
		}
	}
	if f.Kind != "" {
		if _, ok := KindNamed(f.Kind); !ok {
			return List[Action]{}, Malformed("There is no kind of action " + f.Kind + ".")
		}
	}
	return audit.List(ctx, s.pool, f)
}

// RecentReasons returns the actor's last reasons for a kind of action, the newest
// first. A form offers them.
func (s *Store) RecentReasons(ctx context.Context, actor Actor, kind string) ([]string, error) {
	return audit.RecentReasons(ctx, s.pool, actor.UserID, kind)
}
