package policy_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"treewarden/policy"
)

func TestFaultsOfRoles(t *testing.T) {
	admin := slices.Index(policy.Roles, policy.Admin)
	// change changes one shipped role; add adds a role, whose place is 5.
	change := func(place int, do func(*policy.Role)) func([]policy.Role) []policy.Role {
		return func(roles []policy.Role) []policy.Role {
			do(&roles[place])
			return roles
		}
	}
	add := func(do func(*policy.Role)) func([]policy.Role) []policy.Role {
		return func(roles []policy.Role) []policy.Role {
			role := editor
			do(&role)
			return append(roles, role)
		}
	}
	remove := func(name string) func([]policy.Role) []policy.Role {
		return func(roles []policy.Role) []policy.Role {
			return slices.DeleteFunc(roles, func(r policy.Role) bool { return r.Name == name })
		}
	}
	named := func(name string) func(*policy.Role) { return func(r *policy.Role) { r.Name = name } }
	titled := func(title string) func(*policy.Role) { return func(r *policy.Role) { r.Title = title } }
	ranked := func(rank int) func(*policy.Role) { return func(r *policy.Role) { r.Rank = rank } }
	allowed := func(all ...policy.Permission) func(*policy.Role) { return func(r *policy.Role) { r.Permissions = all } }
	limited := func(all ...string) func(*policy.Role) {
		return func(r *policy.Role) { r.Languages = append([]string{}, all...) }
	}
	without := func(gone policy.Permission) func(*policy.Role) {
		return func(r *policy.Role) {
			r.Permissions = slices.DeleteFunc(slices.Clone(r.Permissions), func(p policy.Permission) bool { return p == gone })
		}
	}
	for name, c := range map[string]struct {
		edit       func([]policy.Role) []policy.Role
		field, why string
	}{
		"no general":            {remove(policy.General), "roles", "general"},
		"no collector":          {remove(policy.Collector), "roles", "collector"},
		"no admin":              {remove(policy.Admin), "roles", "admin"},
		"no moderator":          {remove(policy.Moderator), "", ""},
		"no data lead":          {remove(policy.DataLead), "", ""},
		"a good role":           {add(func(*policy.Role) {}), "", ""},
		"name in capitals":      {add(named("Editor")), "roles[5].name", "2 to 40"},
		"name of one letter":    {add(named("e")), "roles[5].name", "2 to 40"},
		"name of 40":            {add(named(strings.Repeat("e", 40))), "", ""},
		"name of 41":            {add(named(strings.Repeat("e", 41))), "roles[5].name", "2 to 40"},
		"name of a group":       {add(named("group:staff")), "roles[5].name", "2 to 40"},
		"name with a line end":  {add(named("editor\n")), "roles[5].name", "2 to 40"},
		"name twice":            {add(named(policy.Moderator)), "roles[5].name", "Another role"},
		"no title":              {add(titled("")), "roles[5].title", "at least one letter"},
		"a title of blanks":     {add(titled(" \u200b\u00a0")), "roles[5].title", "at least one letter"},
		"a title that turns":    {add(titled("edi\u202etor")), "roles[5].title", "cannot be seen"},
		"a title of two lines":  {add(titled("edi\ntor")), "roles[5].title", "cannot be seen"},
		"a title in broken":     {add(titled("edi\xfftor")), "roles[5].title", "cannot be seen"},
		"a title with a margin": {add(titled("editor ")), "roles[5].title", "single spaces"},
		"a title of 61":         {add(titled(strings.Repeat("é", 61))), "roles[5].title", "at most 60"},
		"a title of 60":         {add(titled(strings.Repeat("é", 60))), "", ""},
		"a title twice":         {add(titled("Data Lead")), "roles[5].title", "Another role"},
		"a rank below 0":        {add(ranked(-1)), "roles[5].rank", "from 0 to 100"},
		"a rank above all":      {add(ranked(101)), "roles[5].rank", "from 0 to 100"},
		"a rank above admins":   {add(ranked(3)), "roles[5].rank", "which is 2"},
		"a rank as admins":      {add(ranked(2)), "", ""},
		"admins at 100":         {change(admin, ranked(100)), "", ""},
		"admins at 0":           {change(admin, ranked(0)), "roles[4].rank", "above 0"},
		"general of rank 1":     {change(0, ranked(1)), "roles[0].rank", "general is 0"},
		"collector of rank 1":   {change(1, ranked(1)), "roles[1].rank", "collector is 0"},
		"a misspelt permission": {add(allowed("user.bann")), "roles[5].permissions", `"user.bann"`},
		"a permission twice":    {add(allowed(policy.Read, policy.Read)), "roles[5].permissions", "twice"},
		"no permission":         {add(allowed()), "", ""},
		"general in console":    {change(0, allowed(policy.Read)), "roles[0].permissions", "never enters"},
		"collector in console":  {change(1, allowed(policy.Read)), "roles[1].permissions", "never enters"},
		"admin without console": {change(admin, without(policy.Read)), "roles[4].permissions", "keep console.read"},
		"admin without staff":   {change(admin, without(policy.StaffManage)), "roles[4].permissions", "keep staff.manage"},
		"admin without role":    {change(admin, without(policy.UserRole)), "roles[4].permissions", "keep user.role"},
		"admin without account": {change(admin, without(policy.Account)), "roles[4].permissions", "keep account.own"},
		"admin without keys":    {change(admin, without(policy.KeyManage)), "", ""},
		"admin in German":       {change(admin, limited("de")), "roles[4].languages", "all languages"},
		"no language":           {add(limited()), "roles[5].languages", "or null"},
		"a language's name":     {add(limited("german")), "roles[5].languages", `"german"`},
		"a long language":       {add(limited(strings.Repeat("x", 99))), "roles[5].languages", "xxx…"},
		"two in one":            {add(limited("de fr")), "roles[5].languages", `"de fr"`},
		"an empty language":     {add(limited("")), "roles[5].languages", "such as en"},
		"undetermined":          {add(limited("und")), "roles[5].languages", `"und"`},
		"a language twice":      {add(limited("de", "DE")), "roles[5].languages", "DE is within"},
		"a language and a part": {add(limited("pt", "pt-BR")), "roles[5].languages", "pt-BR is within"},
		"good languages":        {add(limited("de", "pt-BR", "zh_Hant")), "", ""},
	} {
		_, err := policy.New(c.edit(shippedRoles(t)))
		var faults policy.Faults
		switch {
		case c.field == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.field != "" && !errors.As(err, &faults):
			t.Errorf("%s was taken: %v", name, err)
		case c.field != "" && (len(faults) != 1 || !strings.Contains(faults[c.field], c.why)):
			t.Errorf("%s: %v, want %q at %s", name, faults, c.why, c.field)
		}
	}
}

func TestAllFaultsAreToldAtOnce(t *testing.T) {
	_, err := policy.New(append(shippedRoles(t)[:4],
		policy.Role{Name: "x", Title: "\n", Rank: -1, Permissions: []policy.Permission{"a.b", "c.d"}, Languages: []string{}}))
	var faults policy.Faults
	if !errors.As(err, &faults) || len(faults) != 6 ||
		faults["roles[4].permissions"] != `There is no permission "a.b". There is no permission "c.d".` ||
		!strings.HasPrefix(faults.Error(), "roles: The role admin is missing.") {
		t.Errorf("got %v", err)
	}
}
