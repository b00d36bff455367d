package store

import (
	"github.com/google/uuid"

	"treewarden/policy"
)

// Actor is who does something: a signed-in person, a key, the command line or
// the program itself. Every method that shows or changes something takes one,
// so that permission is checked here and not only at a route.
type Actor struct {
	UserID uuid.UUID // Nil for the program itself and the command line
	Name   string
	Role   string
	Via    string // "session", "key", "cli" or "system"
	Policy *policy.Policy
}

// May says whether the actor holds a permission. The program itself and its
// command line, which holds the database, may do everything.
func (a Actor) May(permission policy.Permission) bool {
	if a.trusted() {
		return true
	}
	return a.Policy != nil && a.Policy.Allows(a.Role, permission)
}

func (a Actor) trusted() bool { return a.Via == "cli" || a.Via == "system" }

// System is the program itself, for what it does on its own.
var System = Actor{Name: "treewarden", Role: policy.Admin, Via: "system"}

// CommandLine is whoever runs the program's commands.
var CommandLine = Actor{Name: "command line", Role: policy.Admin, Via: "cli"}

// id is the actor's row in users, null for the program and its command line.
func (a Actor) id() any {
	if a.UserID == uuid.Nil {
		return nil
	}
	return a.UserID
}
