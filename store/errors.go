package store

import (
	"fmt"

	"treewarden/policy"
)

// Forbidden is an act that the actor may not do: for want of a permission, or
// because a rank rule stands against it.
type Forbidden struct {
	// Permission is the one that is missing; empty where a rank rule forbids.
	Permission policy.Permission
	Why        string
}

func (f *Forbidden) Error() string { return f.Why }

// Conflict is an act that came too late: what it aimed at is no longer as the
// actor saw it.
type Conflict struct {
	Why string
	// Version is the target's current version, 0 where it has none.
	Version int
	// Action is what stands in the way, if an action does.
	Action *Action
}

func (c *Conflict) Error() string { return c.Why }

// need returns a Forbidden unless the actor holds the permission.
func need(actor Actor, permission policy.Permission) error {
	if actor.May(permission) {
		return nil
	}
	return &Forbidden{permission, fmt.Sprintf("You may not %s: your role (%s) lacks the permission %s.",
		permission.Does(), policy.Title(actor.Role), permission)}
}
