// Package policy defines the permissions of roles, which an installation may
// change, and the rank rules, which it may not.
package policy

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"strings"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
)

//go:embed model.conf
var modelConf string

//go:embed policy.csv
var shippedCSV string

// The built-in roles. General and Collector have no access to the console.
const (
	General   = "general"
	Collector = "collector"
	Moderator = "moderator"
	DataLead  = "data_lead"
	Admin     = "admin"
)

// Roles holds the built-in roles, from the least to the most powerful.
var Roles = []string{General, Collector, Moderator, DataLead, Admin}

// Policy maps roles to permissions. It is immutable and safe for concurrent use:
// a changed policy is a new Policy.
type Policy struct {
	enforcer *casbin.Enforcer
}

// Shipped returns the built-in policy.
func Shipped() (*Policy, error) {
	reader := csv.NewReader(strings.NewReader(shippedCSV))
	reader.TrimLeadingSpace = true
	lines, err := reader.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read the shipped policy: %w", err)
	}
	grants := make([]Grant, len(lines))
	for i, line := range lines {
		grants[i] = Grant{Role: line[1], Permission: Permission(line[2])}
	}
	return New(grants)
}

// Grant grants one permission to one role.
type Grant struct {
	Role       string
	Permission Permission
}

// New returns a policy of grants. It fails for unknown permissions, so that a
// misspelt line does not silently remove a right.
func New(grants []Grant) (*Policy, error) {
	m, err := model.NewModelFromString(modelConf)
	if err != nil {
		return nil, fmt.Errorf("read the policy model: %w", err)
	}
	enforcer, err := casbin.NewEnforcer(m)
	if err != nil {
		return nil, fmt.Errorf("make the enforcer: %w", err)
	}
	known := make(map[Permission]bool, len(All))
	for _, info := range All {
		known[info.Permission] = true
	}
	for _, g := range grants {
		if !known[g.Permission] {
			return nil, fmt.Errorf("the policy grants %q to %s, which is no permission", g.Permission, g.Role)
		}
		if _, err := enforcer.AddPolicy(g.Role, string(g.Permission)); err != nil {
			return nil, fmt.Errorf("grant %s to %s: %w", g.Permission, g.Role, err)
		}
	}
	return &Policy{enforcer}, nil
}

// Allows reports whether a role holds a permission. It is false on an error of
// the enforcer.
func (p *Policy) Allows(role string, permission Permission) bool {
	ok, err := p.enforcer.Enforce(role, string(permission))
	return err == nil && ok
}

// Holders returns the roles that hold a permission, the least powerful first.
func (p *Policy) Holders(permission Permission) []string {
	var holders []string
	for _, role := range Roles {
		if p.Allows(role, permission) {
			holders = append(holders, role)
		}
	}
	return holders
}

// EntersConsole reports whether a role may sign in to the console.
func (p *Policy) EntersConsole(role string) bool { return p.Allows(role, Read) }
