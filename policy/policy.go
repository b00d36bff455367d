// Package policy defines the permissions of roles, which an installation may
// change, and the rank rules, which it may not.
package policy

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
	"github.com/casbin/casbin/v2/persist"
)

//go:embed model.conf
var modelConf string

//go:embed policy.csv
var shippedCSV string

// groupPrefix begins the name of a group in a policy: a holder of permissions
// that roles inherit. It is not a role, because no role has such a name.
const groupPrefix = "group:"

// Policy decides what roles may do. It is immutable and safe for concurrent use:
// a changed policy is a new Policy. A nil Policy knows no role and allows nothing.
type Policy struct {
	enforcer *casbin.Enforcer
	roles    []Role         // by rank, then as given
	byName   map[string]int // places in roles
	answers  sync.Map       // of question to bool: what the enforcer answered
}

// question is what was asked of the enforcer. Each is asked once, because its rules
// never change: an answer takes 0.1 µs, whereas the enforcer goes through all rules.
type question struct {
	role, own  string // own is the person's own limit of languages
	permission Permission
	language   string
}

// subject is a Subject as the matcher of the model sees it.
type subject struct {
	Role        string
	OfRole, Own []string // the role's limit of languages, and the person's own
}

// Model holds the rules of a policy while an Adapter reads or writes them. A rule
// is p (role, permission), g (role, role whose permissions it inherits) or p2
// (role, title, rank, languages: * or codes with spaces between them).
type Model = model.Model

// Adapter reads and writes the rules of a policy. Every adapter of casbin is one.
type Adapter interface {
	LoadPolicy(rules Model) error
	SavePolicy(rules Model) error
}

// New returns a policy of roles. Its error is a Faults if they are not valid.
// Roles do not inherit from each other: each has the permissions it lists.
func New(roles []Role) (*Policy, error) {
	if err := checkRoles(roles).err(); err != nil {
		return nil, err
	}
	rules, err := model.NewModelFromString(modelConf)
	if err != nil {
		return nil, fmt.Errorf("read the policy model: %w", err)
	}
	for _, role := range roles {
		line := []string{role.Name, role.Title, strconv.Itoa(role.Rank), formatLimit(role.Languages)}
		if err := rules.AddPolicy("p", "p2", line); err != nil {
			return nil, fmt.Errorf("add the role %s: %w", role.Name, err)
		}
		for _, permission := range role.Permissions {
			if err := rules.AddPolicy("p", "p", []string{role.Name, string(permission)}); err != nil {
				return nil, fmt.Errorf("grant %s to %s: %w", permission, role.Name, err)
			}
		}
	}
	return fromRules(rules)
}

// Load returns the policy whose rules an adapter reads. Its error is a Faults if
// the rules are not valid.
func Load(from Adapter) (*Policy, error) {
	rules, err := model.NewModelFromString(modelConf)
	if err != nil {
		return nil, fmt.Errorf("read the policy model: %w", err)
	}
	if err := from.LoadPolicy(rules); err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	return fromRules(rules)
}

// Save writes the rules of the policy, those of inheritance too.
func (p *Policy) Save(to Adapter) error {
	if err := to.SavePolicy(p.enforcer.GetModel()); err != nil {
		return fmt.Errorf("write the policy: %w", err)
	}
	return nil
}

// Shipped returns the built-in policy.
func Shipped() (*Policy, error) { return Load(csvAdapter(shippedCSV)) }

// csvAdapter reads rules from lines of CSV.
type csvAdapter string

func (a csvAdapter) LoadPolicy(rules Model) error {
	for line := range strings.Lines(string(a)) {
		if err := persist.LoadPolicyLine(strings.TrimSpace(line), rules); err != nil {
			return fmt.Errorf("the line %q: %w", line, err)
		}
	}
	return nil
}

func (a csvAdapter) SavePolicy(Model) error { return fmt.Errorf("the shipped policy is read only") }

// fromRules returns the policy of rules. It fails for an unknown role or
// permission, so that a misspelt rule does not silently remove a right.
func fromRules(rules Model) (*Policy, error) {
	for _, kind := range []*model.Assertion{rules["p"]["p"], rules["p"]["p2"], rules["g"]["g"]} {
		for _, line := range kind.Policy {
			if len(line) != len(kind.Tokens) {
				return nil, fmt.Errorf("the rule %q has %d fields", line, len(line))
			}
		}
	}
	enforcer, err := casbin.NewEnforcer(rules)
	if err != nil {
		return nil, fmt.Errorf("make the enforcer: %w", err)
	}
	if err := enforcer.BuildRoleLinks(); err != nil {
		return nil, fmt.Errorf("link the roles: %w", err)
	}
	enforcer.AddFunction("covers", func(args ...any) (any, error) {
		return Covers(args[0].([]string), args[1].(string)), nil
	})
	faults := checkRules(rules)
	roles := make([]Role, len(rules["p"]["p2"].Policy))
	for i, line := range rules["p"]["p2"].Policy {
		if roles[i], err = readRole(line, enforcer); err != nil {
			return nil, err
		}
	}
	maps.Copy(faults, checkRoles(roles))
	if err := faults.err(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(roles, func(a, b Role) int { return a.Rank - b.Rank })
	p := &Policy{enforcer: enforcer, roles: roles, byName: make(map[string]int, len(roles))}
	for i, role := range roles {
		p.byName[role.Name] = i
	}
	return p, nil
}

// checkRules returns faults of rules that belong to no role.
func checkRules(rules Model) Faults {
	faults := Faults{}
	known := func(name string) bool {
		return strings.HasPrefix(name, groupPrefix) ||
			slices.ContainsFunc(rules["p"]["p2"].Policy, func(line []string) bool { return line[0] == name })
	}
	for _, line := range rules["p"]["p"].Policy {
		if !known(line[0]) {
			faults.add("roles", fmt.Sprintf("A rule grants %s to %q, which is no role.", line[1], line[0]))
		}
		if !Permission(line[1]).known() {
			faults.add("roles", fmt.Sprintf("A rule grants %q to %s, which is no permission.", line[1], line[0]))
		}
	}
	for _, line := range rules["g"]["g"].Policy {
		for _, name := range line {
			if !known(name) {
				faults.add("roles", fmt.Sprintf("%q takes part in inheritance and is no role.", name))
			}
		}
	}
	return faults
}

// readRole reads a role, with the permissions that it has and inherits.
func readRole(line []string, enforcer *casbin.Enforcer) (Role, error) {
	rank, err := strconv.Atoi(line[2])
	if err != nil {
		return Role{}, fmt.Errorf("the rank of the role %s: %w", line[0], err)
	}
	grants, err := enforcer.GetImplicitPermissionsForUser(line[0])
	if err != nil {
		return Role{}, fmt.Errorf("collect the permissions of %s: %w", line[0], err)
	}
	has := make(map[Permission]bool, len(grants))
	for _, grant := range grants {
		has[Permission(grant[1])] = true
	}
	role := Role{Name: line[0], Title: line[1], Rank: rank, Permissions: []Permission{}, Languages: readLimit(line[3])}
	for _, info := range All {
		if has[info.Permission] {
			role.Permissions = append(role.Permissions, info.Permission)
		}
	}
	return role, nil
}

// formatLimit writes a limit of languages as in a rule.
func formatLimit(limit []string) string {
	if limit == nil {
		return "*"
	}
	return strings.Join(limit, " ")
}

// readLimit reads a limit of languages from a rule.
func readLimit(text string) []string {
	if text == "*" {
		return nil
	}
	return strings.Fields(text)
}

// Decide reports whether somebody may use a permission on something in a language;
// "" is an act on something that has none, Undetermined a message without one.
// It is false on an error of the enforcer.
func (p *Policy) Decide(who Subject, permission Permission, language string) bool {
	role, ok := p.Role(who.Role)
	if !ok || !permission.known() {
		return false
	}
	q := question{role.Name, "*", permission, representative(language, role.Languages, who.Languages)}
	if who.Languages != nil {
		q.own = strings.Join(who.Languages, "\x00")
	}
	if answer, ok := p.answers.Load(q); ok {
		return answer.(bool)
	}
	answer, err := p.enforcer.Enforce(subject{role.Name, role.Languages, who.Languages}, string(permission), q.language)
	if err != nil {
		return false
	}
	p.answers.Store(q, answer)
	return answer
}

// Allows reports whether a role holds a permission, for whatever language.
func (p *Policy) Allows(role string, permission Permission) bool {
	return p.Decide(Subject{Role: role}, permission, "")
}

// Languages returns the languages that somebody may act on: what is within the
// limits of the role and of the person; nil is no limit.
func (p *Policy) Languages(who Subject) []string {
	role, _ := p.Role(who.Role)
	return intersection(role.Languages, who.Languages)
}

// Holders returns the roles that hold a permission, the least powerful first.
func (p *Policy) Holders(permission Permission) []string {
	var holders []string
	for _, role := range p.Names() {
		if p.Allows(role, permission) {
			holders = append(holders, role)
		}
	}
	return holders
}

// EntersConsole reports whether a role may sign in to the console.
func (p *Policy) EntersConsole(role string) bool { return p.Allows(role, Read) }
