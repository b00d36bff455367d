package store

import (
	"errors"
	"fmt"

	"treewarden/policy"
	"treewarden/store/db"
)

// The errors of the package db that handlers and commands know.
type (
	// Malformed is a request that cannot be decoded, BadParameter one with a wrong
	// parameter in its query.
	Malformed    = db.Malformed
	BadParameter = db.BadParameter
	// Invalid maps the invalid fields to reasons.
	Invalid = db.Invalid
)

var (
	// ErrNotFound means that the requested object does not exist.
	ErrNotFound = db.ErrNotFound
	// ErrUnavailable means that the database cannot be reached now.
	ErrUnavailable = db.ErrUnavailable
)

// Forbidden is an act that the actor may not perform, because of a missing
// permission or a rank rule.
type Forbidden struct {
	// Permission is the missing permission; empty for a rank rule.
	Permission policy.Permission
	Why        string
}

func (f *Forbidden) Error() string { return f.Why }

// Conflict is an act on an object that has changed since the actor read it.
type Conflict struct {
	Why string
	// Version is the target's current version, 0 if it has none.
	Version int
	// Action is the action that caused the conflict, if any.
	Action *Action
	// Expected is the number of objects that the act would change now, if the
	// conflict is that the actor expected another one.
	Expected *int64
}

func (c *Conflict) Error() string { return c.Why }

// ErrUnsure means that the connection was lost while an action was saved, so that
// it is not known whether it was done.
var ErrUnsure = errors.New("it is not known whether this was done")

// need returns a Forbidden unless the actor holds the permission.
func need(actor Actor, permission policy.Permission) error {
	if actor.May(permission) {
		return nil
	}
	return &Forbidden{permission, fmt.Sprintf("You may not %s: your role (%s) lacks the permission %s.",
		permission.Does(), actor.Policy.Title(actor.Role), permission)}
}
