package policy

import (
	"fmt"
	"strings"
)

// rank orders roles: nobody acts on a user of a rank above or equal to their
// own, save an admin on another admin. No policy lifts this.
var rank = map[string]int{General: 0, Collector: 0, Moderator: 1, DataLead: 1, Admin: 2}

// KnownRole says whether a role exists.
func KnownRole(role string) bool { _, ok := rank[role]; return ok }

// Refusal is a rank rule that forbids an act; its text is for people.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// MayActOn checks the rank rules for an act on a user: nobody on themselves,
// nobody upward or sideways, save admins among themselves. It returns a
// Refusal or nil.
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

// MayGrant checks that an actor gives away no more than they hold: a role
// whose every permission is theirs too. It returns a Refusal or nil.
func (p *Policy) MayGrant(actorRole, role string) error {
	for _, info := range All {
		if p.Allows(role, info.Permission) && !p.Allows(actorRole, info.Permission) {
			return Refusal(fmt.Sprintf("%s may not make anybody %s: that role may %s, and yours may not.",
				capital(withArticle(actorRole)), withArticle(role), info.Does))
		}
	}
	if rank[role] > rank[actorRole] {
		return Refusal(fmt.Sprintf("%s may not make anybody %s: that rank is above yours.", capital(withArticle(actorRole)),
			withArticle(role)))
	}
	return nil
}

// Title writes a role's name for people: "data lead".
func Title(role string) string {
	if role == DataLead {
		return "data lead"
	}
	return role
}

// withArticle writes a role's name after "a" or "an".
func withArticle(role string) string {
	if role == Admin {
		return "an " + role
	}
	return "a " + Title(role)
}

func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
