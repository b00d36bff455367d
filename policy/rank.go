package policy

import (
	"fmt"
	"strings"
)

// rank orders roles. Users may act only on users of a lower rank, except that
// admins may act on admins. A policy cannot change this.
var rank = map[string]int{General: 0, Collector: 0, Moderator: 1, DataLead: 1, Admin: 2}

// KnownRole reports whether a role exists.
func KnownRole(role string) bool { _, ok := rank[role]; return ok }

// Refusal is the error text of a rank rule that forbids an act.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// MayActOn checks the rank rules for an act on a user: not on oneself, and only
// on lower ranks, except among admins. It returns a Refusal or nil.
func MayActOn(actorRole, targetRole string, self bool) error {
	switch {
	case self:
		return Refusal("Nobody acts on themselves. Ask another member of staff.")
	case actorRole == Admin:
		return nil
	case rank[targetRole] >= rank[actorRole]:
		return Refusal(fmt.Sprintf("%s may not act on %s: their rank is not below yours. Ask an admin.",
			capital(withArticle(actorRole)), withArticle(targetRole)))
	}
	return nil
}

// MayGrant checks that the actor's role holds every permission of the granted
// role. It returns a Refusal or nil.
func (p *Policy) MayGrant(actorRole, role string) error {
	for _, info := range All {
		if p.Allows(role, info.Permission) && !p.Allows(actorRole, info.Permission) {
			return Refusal(fmt.Sprintf("%s may not make anybody %s: that role may %s, and yours may not.",
				capital(withArticle(actorRole)), withArticle(role), info.Does))
		}
	}
	if rank[role] > rank[actorRole] {
		return Refusal(fmt.Sprintf("%s may not make anybody %s: that rank is above yours.",
			capital(withArticle(actorRole)), withArticle(role)))
	}
	return nil
}

// Title returns a role's name on pages: "data lead".
func Title(role string) string {
	if role == DataLead {
		return "data lead"
	}
	return role
}

// withArticle returns a role's name with "a" or "an".
func withArticle(role string) string {
	if role == Admin {
		return "an " + role
	}
	return "a " + Title(role)
}

func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
