package policy

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxRank is the highest rank of a role.
const MaxRank = 100

const maxTitle = 60 // characters

var roleName = regexp.MustCompile(`^[a-z][a-z0-9_]{1,39}$`)

// keepsAccess holds what admins need to change a policy back: to sign in, to change
// what roles may do, and to manage accounts and their roles.
var keepsAccess = []Permission{Read, UserRole, PolicyManage, StaffManage, Account}

// Faults is an error that tells what is wrong with roles, by field:
// "roles[2].permissions".
type Faults map[string]string

func (f Faults) Error() string {
	lines := make([]string, 0, len(f))
	for _, field := range slices.Sorted(maps.Keys(f)) {
		lines = append(lines, field+": "+f[field])
	}
	return strings.Join(lines, " ")
}

// err returns the faults as an error, nil if there are none.
func (f Faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

func (f Faults) add(field, why string) {
	if before := f[field]; before != "" {
		why = before + " " + why
	}
	f[field] = why
}

// roleCheck checks one role and collects faults of it.
type roleCheck struct {
	Role
	index  int
	faults Faults
}

func (c roleCheck) wrong(field, format string, args ...any) {
	c.faults.add(fmt.Sprintf("roles[%d].%s", c.index, field), fmt.Sprintf(format, args...))
}

// outside reports whether the role is a built-in one without the console.
func (c roleCheck) outside() bool { return c.Name == General || c.Name == Collector }

// checkRoles returns all faults of roles.
func checkRoles(roles []Role) Faults {
	faults := Faults{}
	top := MaxRank
	for _, role := range roles {
		if role.Name == Admin {
			top = max(role.Rank, 1)
		}
	}
	names, titles := map[string]bool{}, map[string]bool{}
	for i, role := range roles {
		c := roleCheck{role, i, faults}
		c.checkName(names)
		c.checkTitle(titles)
		c.checkRank(top)
		c.checkPermissions()
		c.checkLanguages()
	}
	for _, builtIn := range []string{General, Collector, Admin} {
		if !names[builtIn] {
			faults.add("roles", "The role "+builtIn+" is missing. It is built in and stays.")
		}
	}
	return faults
}

func (c roleCheck) checkName(taken map[string]bool) {
	switch {
	case !roleName.MatchString(c.Name):
		c.wrong("name", "A name has 2 to 40 of the characters a to z, 0 to 9 and _, and begins with a letter.")
	case taken[c.Name]:
		c.wrong("name", "Another role has the name %s.", c.Name)
	}
	taken[c.Name] = true
}

func (c roleCheck) checkTitle(taken map[string]bool) {
	key := strings.ToLower(c.Title)
	seen := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }
	hidden := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	switch {
	case !strings.ContainsFunc(c.Title, seen):
		c.wrong("title", "A title holds at least one letter or digit.")
	case strings.ContainsFunc(c.Title, hidden):
		c.wrong("title", "This title holds characters that cannot be seen.")
	case strings.Join(strings.Fields(c.Title), " ") != c.Title:
		c.wrong("title", "A title has single spaces between its words, and none around them.")
	case utf8.RuneCountInString(c.Title) > maxTitle:
		c.wrong("title", "A title has at most %d characters.", maxTitle)
	case taken[key]:
		c.wrong("title", "Another role has the title %s.", c.Title)
	}
	taken[key] = true
}

// checkRank checks the rank; top is the rank of admins.
func (c roleCheck) checkRank(top int) {
	switch {
	case c.Rank < 0 || c.Rank > MaxRank:
		c.wrong("rank", "A rank is a number from 0 to %d.", MaxRank)
	case c.outside() && c.Rank != 0:
		c.wrong("rank", "The rank of the role %s is 0.", c.Name)
	case c.Name == Admin && c.Rank == 0:
		c.wrong("rank", "The rank of admins is above 0: they act on all others.")
	case c.Rank > top:
		c.wrong("rank", "No rank is above that of admins, which is %d.", top)
	}
}

func (c roleCheck) checkPermissions() {
	has := map[Permission]bool{}
	for _, permission := range c.Permissions {
		switch {
		case !permission.known():
			c.wrong("permissions", "There is no permission %q.", permission)
		case has[permission]:
			c.wrong("permissions", "The permission %s stands here twice.", permission)
		case permission == Read && c.outside():
			c.wrong("permissions", "The role %s never enters the console: it cannot have %s.", c.Name, permission)
		}
		has[permission] = true
	}
	for _, permission := range keepsAccess {
		if c.Name == Admin && !has[permission] {
			c.wrong("permissions", "Admins keep %s: without it, nobody could change this back.", permission)
		}
	}
}

func (c roleCheck) checkLanguages() {
	switch {
	case c.Languages == nil:
		return
	case c.Name == Admin:
		c.wrong("languages", "Admins act on all languages.")
		return
	}
	if why := LimitFault(c.Languages); why != "" {
		c.wrong("languages", "%s", why)
	}
}

// LimitFault returns what is wrong with a limit of languages, or "".
func LimitFault(limit []string) string {
	if limit != nil && len(limit) == 0 {
		return "Give at least one language, or null for all."
	}
	var faults []string
	for i, lang := range limit {
		if why := languageFault(lang); why != "" {
			faults = append(faults, why)
		} else if Covers(append([]string{}, limit[:i]...), lang) {
			faults = append(faults, "The language "+lang+" is within another one that stands here.")
		}
	}
	return strings.Join(faults, " ")
}
