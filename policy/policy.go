// Package policy decides who may do what: permissions by role, which an
// installation may change, and the rank rules, which it may not.
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

// The roles that ship. General and Collector never enter the console.
const (
	General   = "general"
	Collector = "collector"
	Moderator = "moderator"
	DataLead  = "data_lead"
	Admin     = "admin"
)

// Roles lists the roles that ship, from the least to the most powerful.
var Roles = []string{General, Collector, Moderator, DataLead, Admin}

// Policy says which role holds which permission. It is never changed once
// made, so that any number of goroutines may ask it at once: a new policy is
// a new Policy.
type Policy struct {
	enforcer *casbin.Enforcer
}

// Shipped returns the policy that comes with the program.
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

// Grant gives one role one permission.
type Grant struct {
	Role       string
	Permission Permission
}

// New makes a policy of grants. It refuses permissions that do not exist, so
// that a misspelt line never takes a right away in silence.
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

// Allows says whether a role holds a permission. An error of the enforcer is
// a no.
func (p *Policy) Allows(role string, permission Permission) bool {
	ok, err := p.enforcer.Enforce(role, string(permission))
	return err == nil && ok
}

// Holders lists the roles that hold a permission, from the least powerful.
func (p *Policy) Holders(permission Permission) []string {
	var holders []string
	for _, role := range Roles {
		if p.Allows(role, permission) {
			holders = append(holders, role)
		}
	}
	return holders
}

// EntersConsole says whether a role may sign in to the console.
func (p *Policy) EntersConsole(role string) bool { return p.Allows(role, Read) }
