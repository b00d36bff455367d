package store

import (
	"github.com/google/uuid"

	"treewarden/policy"
)

// Actor is a signed-in person, a key, the command line or the program itself.
// Every method that reads or changes data takes one, so that permission is
// checked here and not only at a route.
type Actor struct {
	UserID uuid.UUID // Nil for the program itself and the command line
	Name   string
	Role   string
	Via    string // "session", "key", "cli" or "system"
	// Languages is the person's own limit of languages; nil is none.
	Languages []string
	Policy    *policy.Policy // nil for the program itself and the command line
}

// May reports whether the actor holds a permission. The program itself and its
// command line may do everything.
func (a Actor) May(permission policy.Permission) bool {
	return a.trusted() || a.Policy.Allows(a.Role, permission)
}

// MayActOn checks the rank rules for an act on a user, and that only who manages
// keys acts on the user of a key: without the key, a front end delivers nothing. It
// returns a Forbidden or nil.
func (a Actor) MayActOn(user User) error {
	if err := a.Policy.MayActOn(a.Role, user.Role, user.UserID == a.UserID); err != nil {
		return &Forbidden{Why: err.Error()}
	}
	if user.AuthMethod == "key" && !a.May(policy.KeyManage) {
		return &Forbidden{policy.KeyManage, "This user is an API key. Ask somebody who manages keys to revoke it."}
	}
	return nil
}

// policyFor returns the policy that decides about an actor: the program itself and
// its command line bring none.
func (s *Store) policyFor(actor Actor) *policy.Policy {
	if actor.trusted() {
		return s.Policy()
	}
	return actor.Policy
}

func (a Actor) trusted() bool { return a.Via == "cli" || a.Via == "system" }

// System is the actor of actions of the program itself.
var System = Actor{Name: "treewarden", Role: policy.Admin, Via: "system"}

// CommandLine is the actor of the program's commands.
var CommandLine = Actor{Name: "command line", Role: policy.Admin, Via: "cli"}

// id returns the actor's user id, nil for the program and its command line.
func (a Actor) id() *uuid.UUID {
	if a.UserID == uuid.Nil {
		return nil
	}
	return &a.UserID
}
