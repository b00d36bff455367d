package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"treewarden/policy"
)

// ErrNotFound says that the thing asked for does not exist.
var ErrNotFound = errors.New("there is nothing here under this id")

// Malformed is a request that cannot be read at all: an id that is no UUID, an
// unknown choice, a cursor that this program did not write.
type Malformed string

func (m Malformed) Error() string { return string(m) }

// Invalid names the fields that are wrong, as programs call them, and why.
type Invalid map[string]string

// Error calls the fields as people do.
func (i Invalid) Error() string {
	parts := make([]string, 0, len(i))
	for _, field := range slices.Sorted(maps.Keys(i)) {
		parts = append(parts, forPeople.Replace(field)+": "+i[field])
	}
	return strings.Join(parts, "; ")
}

// forPeople writes the name of a field in words: "display name" and, of what
// stands within another, "weights, red flags".
var forPeople = strings.NewReplacer("_", " ", ".", ", ", "[", ", ", "]", "")

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
