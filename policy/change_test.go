package policy_test

import (
	"slices"
	"strings"
	"testing"

	"treewarden/policy"
)

// edited returns the shipped policy with changes of its roles.
func edited(t *testing.T, changes ...func([]policy.Role) []policy.Role) *policy.Policy {
	t.Helper()
	shipped, err := policy.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	roles := slices.Clone(shipped.Roles())
	for i := range roles {
		roles[i].Permissions = slices.Clone(roles[i].Permissions)
	}
	for _, change := range changes {
		roles = change(roles)
	}
	p, err := policy.New(roles)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// alter changes the role of a name.
func alter(name string, change func(*policy.Role)) func([]policy.Role) []policy.Role {
	return func(roles []policy.Role) []policy.Role {
		for i := range roles {
			if roles[i].Name == name {
				change(&roles[i])
			}
		}
		return roles
	}
}

func grant(permissions ...policy.Permission) func(*policy.Role) {
	return func(r *policy.Role) { r.Permissions = append(r.Permissions, permissions...) }
}

func withdraw(permission policy.Permission) func(*policy.Role) {
	return func(r *policy.Role) {
		r.Permissions = slices.DeleteFunc(r.Permissions, func(p policy.Permission) bool { return p == permission })
	}
}

// TestMayChange lets people change roles, but not give what they do not have, nor
// lose their own access.
func TestMayChange(t *testing.T) {
	t.Parallel()
	lead := policy.Subject{Role: policy.DataLead}
	admin := policy.Subject{Role: policy.Admin}
	manager := alter(policy.DataLead, grant(policy.PolicyManage))
	german := policy.Role{
		Name: "german", Title: "German moderator", Rank: 1, Permissions: []policy.Permission{policy.Read},
		Languages: []string{"de"},
	}
	added := func(r policy.Role) func([]policy.Role) []policy.Role {
		return func(roles []policy.Role) []policy.Role { return append(roles, r) }
	}
	everywhere := german
	everywhere.Languages = nil
	high := german
	high.Rank = 2
	for name, c := range map[string]struct {
		before, after *policy.Policy
		who           policy.Subject
		refused       string
	}{
		"nothing":                     {edited(t), edited(t), admin, ""},
		"an admin takes a permission": {edited(t), edited(t, alter(policy.Moderator, withdraw(policy.UserBan))), admin, ""},
		"an admin gives one":          {edited(t), edited(t, alter(policy.Moderator, grant(policy.AuditAll))), admin, ""},
		"a new role":                  {edited(t), edited(t, added(german)), admin, ""},
		"what one has": {edited(t, manager), edited(t, manager, alter(policy.Moderator, grant(policy.AuditAll))), lead,
			""},
		"what one lacks": {edited(t, manager), edited(t, manager, alter(policy.DataLead, grant(policy.UserBan))), lead,
			"You may not let a data lead ban and unban"},
		"a new role with what one lacks": {edited(t, manager), edited(t, manager, added(policy.Role{
			Name: "banner", Title: "banner", Permissions: []policy.Permission{policy.UserBan}})), lead,
			"you may not do so yourself"},
		"own access": {edited(t, manager), edited(t), lead, "This would take your own access"},
		"own languages": {edited(t, manager), edited(t, manager, alter(policy.DataLead, func(r *policy.Role) {
			r.Languages = []string{"de"}
		})), lead, "limited to fewer languages"},
		"a higher role": {edited(t, manager), edited(t, manager, alter(policy.Admin, withdraw(policy.KeyManage))), lead,
			"its rank is above yours"},
		"a rank above one's own": {edited(t, manager), edited(t, manager, added(high)), lead, "a rank above yours"},
		"languages beyond one's own": {edited(t, manager), edited(t, manager, added(everywhere)),
			policy.Subject{Role: policy.DataLead, Languages: []string{"de"}}, "languages that you may not act on"},
		"one's own languages": {edited(t, manager), edited(t, manager, added(german)),
			policy.Subject{Role: policy.DataLead, Languages: []string{"de", "fr"}}, ""},
	} {
		err := policy.MayChange(c.before, c.after, c.who)
		if (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%s: got %v, want %q", name, err, c.refused)
		}
	}
}

// TestSame compares policies by their roles, whatever the order of permissions.
func TestSame(t *testing.T) {
	t.Parallel()
	shuffled := edited(t, alter(policy.Moderator, func(r *policy.Role) { slices.Reverse(r.Permissions) }))
	if !edited(t).Same(shuffled) {
		t.Error("the order of permissions makes another policy")
	}
	for name, other := range map[string]*policy.Policy{
		"permission": edited(t, alter(policy.Moderator, withdraw(policy.UserBan))),
		"title":      edited(t, alter(policy.Moderator, func(r *policy.Role) { r.Title = "keeper" })),
		"rank":       edited(t, alter(policy.Moderator, func(r *policy.Role) { r.Rank = 0 })),
		"languages":  edited(t, alter(policy.Moderator, func(r *policy.Role) { r.Languages = []string{"de"} })),
	} {
		if edited(t).Same(other) || other.Same(edited(t)) {
			t.Errorf("a policy with another %s is the same", name)
		}
	}
}
