package policy

import (
	"slices"
	"strings"
)

// The built-in roles. General and Collector have no access to the console.
const (
	General   = "general"
	Collector = "collector"
	Moderator = "moderator"
	DataLead  = "data_lead"
	Admin     = "admin"
)

// Roles holds the names of the shipped roles, from the least to the most
// powerful. The roles in force are those of a Policy.
var Roles = []string{General, Collector, Moderator, DataLead, Admin}

// Role is a role of a policy.
type Role struct {
	Name string `json:"name"`
	// Title is the name on pages, as it stands within a sentence: "data lead",
	// "German moderator".
	Title string `json:"title"`
	// Rank orders roles. Users act only on users of a lower rank.
	Rank        int          `json:"rank"`
	Permissions []Permission `json:"permissions"`
	// Languages limits acts to these languages; nil is no limit. "pt" is for "pt"
	// and "pt-BR", "pt-BR" for "pt-BR" alone.
	Languages []string `json:"languages"`
}

// Subject is somebody with a role, and the limit of languages that is their own,
// besides the role's. They act on what is within both limits.
type Subject struct {
	Role      string
	Languages []string // nil is no limit, an empty list allows no language
}

// Roles returns all roles, by rank and then in the order in which they were
// given. The caller may not change them.
func (p *Policy) Roles() []Role {
	if p == nil {
		return nil
	}
	return p.roles
}

// Names returns the names of all roles, in the order of Roles.
func (p *Policy) Names() []string {
	names := make([]string, 0, len(p.Roles()))
	for _, role := range p.Roles() {
		names = append(names, role.Name)
	}
	return names
}

// Entering returns the names of the roles that enter the console.
func (p *Policy) Entering() []string {
	return slices.DeleteFunc(p.Names(), func(role string) bool { return !p.EntersConsole(role) })
}

// Demotions returns all pairs of roles of which the second has the lower rank.
func (p *Policy) Demotions() (from, to []string) {
	for _, was := range p.Roles() {
		for _, now := range p.Roles() {
			if now.Rank < was.Rank {
				from, to = append(from, was.Name), append(to, now.Name)
			}
		}
	}
	return from, to
}

// Role returns the role of a name, and whether there is one.
func (p *Policy) Role(name string) (Role, bool) {
	if p == nil {
		return Role{}, false
	}
	i, ok := p.byName[name]
	if !ok {
		return Role{}, false
	}
	return p.roles[i], true
}

// KnownRole reports whether a role exists.
func (p *Policy) KnownRole(role string) bool { _, ok := p.Role(role); return ok }

// Title returns a role's name on pages: "data lead". A role that no longer exists
// may still stand in the log, and has its plain name.
func (p *Policy) Title(role string) string {
	if r, ok := p.Role(role); ok {
		return r.Title
	}
	return strings.ReplaceAll(role, "_", " ")
}
