package policy_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"treewarden/policy"
)

// TestShippedTable repeats the table of roles and permissions as it was agreed
// with those who use the console; a change of policy.csv shows up here.
func TestShippedTable(t *testing.T) {
	p, err := policy.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	everyone := map[string]bool{policy.Moderator: true, policy.DataLead: true, policy.Admin: true}
	moderators := map[string]bool{policy.Moderator: true, policy.Admin: true}
	leads := map[string]bool{policy.DataLead: true, policy.Admin: true}
	admins := map[string]bool{policy.Admin: true}
	table := map[policy.Permission]map[string]bool{
		policy.Read: everyone, policy.Account: everyone, policy.AuditOwn: everyone, policy.MessageLabel: everyone,
		policy.ScoringRead: everyone,
		policy.ListRead:    everyone, policy.ListEdit: everyone,
		policy.MessageReact: moderators, policy.MessageReport: moderators,
		policy.UserEdit: moderators, policy.UserBan: moderators, policy.MessageDelete: moderators,
		policy.MessageEdit:   moderators,
		policy.MessageReview: moderators, policy.TreeHalt: moderators, policy.UndoOwn: moderators,
		policy.QueueWork: moderators, policy.BulkAct: moderators, policy.BulkLarge: admins,
		policy.AuditAll: leads, policy.ScoringSave: leads, policy.Export: leads,
		policy.UserPrivate: admins, policy.UserRole: admins, policy.UserErase: admins, policy.UndoAll: admins,
		policy.ListApply:    admins,
		policy.PolicyManage: admins, policy.StaffManage: admins, policy.KeyManage: admins,
		// Nobody grants what they do not hold, and admins make collectors' keys.
		policy.Ingest:     {policy.Collector: true, policy.Admin: true},
		policy.EventsRead: {policy.Collector: true, policy.Admin: true},
	}
	for _, info := range policy.All {
		may, ok := table[info.Permission]
		if !ok {
			t.Errorf("the table does not tell who has %s", info.Permission)
		}
		for _, role := range append([]string{"", "nobody"}, policy.Roles...) {
			if got := p.Allows(role, info.Permission); got != may[role] {
				t.Errorf("%q and %s: %v", role, info.Permission, got)
			}
		}
	}
}

// shipped returns the built-in policy.
func shipped(t testing.TB) *policy.Policy {
	p, err := policy.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// shippedRoles returns the built-in roles, to be changed.
func shippedRoles(t testing.TB) []policy.Role { return slices.Clone(shipped(t).Roles()) }

// with returns the policy of the shipped roles and others.
func with(t testing.TB, more ...policy.Role) *policy.Policy {
	p, err := policy.New(append(shippedRoles(t), more...))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var (
	germanModerator = policy.Role{Name: "german_moderator", Title: "German moderator", Rank: 1,
		Permissions: []policy.Permission{policy.Read, policy.UserBan, policy.MessageDelete, policy.ListRead},
		Languages:   []string{"de"}}
	editor = policy.Role{Name: "editor", Title: "editor",
		Permissions: []policy.Permission{policy.Read, policy.MessageEdit}}
	senior = policy.Role{Name: "senior", Title: "senior moderator", Rank: 2,
		Permissions: []policy.Permission{policy.Read, policy.UserBan, policy.UserRole, policy.UserEdit}}
)

// TestGivenRolesDecideLikeTheShippedRules makes a policy of the shipped roles: it has
// no inheritance, and the same answers.
func TestGivenRolesDecideLikeTheShippedRules(t *testing.T) {
	before, after := shipped(t), with(t)
	if !reflect.DeepEqual(before.Roles(), after.Roles()) {
		t.Errorf("%v became %v", before.Roles(), after.Roles())
	}
	for _, role := range before.Names() {
		for _, info := range policy.All {
			if before.Allows(role, info.Permission) != after.Allows(role, info.Permission) {
				t.Errorf("%s and %s differ", role, info.Permission)
			}
		}
	}
}

func TestShippedRoles(t *testing.T) {
	p := shipped(t)
	if !slices.Equal(p.Names(), policy.Roles) {
		t.Errorf("the roles are %v", p.Names())
	}
	for i, want := range []struct {
		title string
		rank  int
	}{{"general", 0}, {"collector", 0}, {"moderator", 1}, {"data lead", 1}, {"admin", 2}} {
		if r := p.Roles()[i]; r.Title != want.title || r.Rank != want.rank || r.Languages != nil {
			t.Errorf("got %+v, want %+v", r, want)
		}
	}
}

func TestRolesStandByRankAndThenAsGiven(t *testing.T) {
	p := with(t, senior, germanModerator, editor)
	want := []string{policy.General, policy.Collector, "editor", policy.Moderator, policy.DataLead, "german_moderator",
		policy.Admin, "senior"}
	if !slices.Equal(p.Names(), want) {
		t.Errorf("got %v, want %v", p.Names(), want)
	}
	editors := []string{"editor", policy.Moderator, policy.Admin}
	if holders := p.Holders(policy.MessageEdit); !slices.Equal(holders, editors) {
		t.Errorf("those who may edit messages are %v", holders)
	}
}

func TestARoleIsReadByItsJSONNames(t *testing.T) {
	text, err := json.Marshal([]policy.Role{editor, germanModerator})
	want := `[{"name":"editor","title":"editor","rank":0,` +
		`"permissions":["console.read","message.edit"],"languages":null},` +
		`{"name":"german_moderator","title":"German moderator","rank":1,"permissions":` +
		`["console.read","user.ban","message.delete","list.read"],"languages":["de"]}]`
	if err != nil || string(text) != want {
		t.Errorf("got %s, %v", text, err)
	}
}

func TestNobodyIsAGroupOrAnUnknownRole(t *testing.T) {
	var none *policy.Policy
	for role, p := range map[string]*policy.Policy{"group:staff": shipped(t), "nobody": shipped(t), policy.Admin: none} {
		if p.Allows(role, policy.Read) || p.KnownRole(role) || p.Explain(policy.Question{
			Who: policy.Subject{Role: role}, Permission: policy.Read}).Allowed {
			t.Errorf("%s entered", role)
		}
		if p.MayActOn(role, policy.Admin, false) == nil ||
			p.MayGrant(policy.Subject{Role: policy.Admin}, policy.Subject{Role: role}) == nil {
			t.Errorf("%s acted on an admin or was granted", role)
		}
	}
	if len(none.Roles()) != 0 || none.Title(policy.DataLead) != "data lead" {
		t.Error("no policy has roles, or cannot name one of the log")
	}
	if shipped(t).Allows(policy.Admin, "user.bann") {
		t.Error("an admin has a permission that does not exist")
	}
}

// memory is an adapter as a table of rules could be one: rules in rows.
type memory [][]string

func (m *memory) LoadPolicy(rules policy.Model) error {
	for _, row := range *m {
		if err := rules.AddPolicy(row[0][:1], row[0], row[1:]); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) SavePolicy(rules policy.Model) error {
	*m = nil
	for _, section := range []string{"p", "g"} {
		for kind, lines := range rules[section] {
			for _, line := range lines.Policy {
				*m = append(*m, append([]string{kind}, line...))
			}
		}
	}
	return nil
}

func TestAPolicyIsSavedAndLoaded(t *testing.T) {
	quoted := editor
	quoted.Title = `editor, "second" class`
	for name, p := range map[string]*policy.Policy{"shipped": shipped(t), "given": with(t, germanModerator, quoted)} {
		var rules memory
		if err := p.Save(&rules); err != nil {
			t.Fatal(err)
		}
		again, err := policy.Load(&rules)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(p.Roles(), again.Roles()) {
			t.Errorf("%s: %v became %v", name, p.Roles(), again.Roles())
		}
		q := policy.Question{Who: policy.Subject{Role: policy.Admin}, Permission: policy.UserBan}
		if before, after := p.Explain(q), again.Explain(q); !reflect.DeepEqual(before, after) {
			t.Errorf("%s: the reasons %v became %v", name, before, after)
		}
	}
}

func TestAWrongRuleIsNotLoaded(t *testing.T) {
	for name, c := range map[string]struct{ rule []string }{
		"a misspelt permission":    {[]string{"p", policy.Moderator, "user.bann"}},
		"a grant to nobody":        {[]string{"p", "nobody", "user.ban"}},
		"inheritance from nobody":  {[]string{"g", policy.Moderator, "nobody"}},
		"a rank in words":          {[]string{"p2", "editor", "editor", "high", "*"}},
		"a grant without its role": {[]string{"p", "user.ban"}},
		"a role without a rank":    {[]string{"p2", "editor", "editor"}},
		"half an inheritance":      {[]string{"g", policy.Moderator}},
		"a language that is none":  {[]string{"p2", "editor", "editor", "0", "german"}},
		"a role of no language":    {[]string{"p2", "editor", "editor", "0", ""}},
		"general in the console":   {[]string{"g", policy.General, policy.Moderator}},
	} {
		var rules memory
		if err := shipped(t).Save(&rules); err != nil {
			t.Fatal(err)
		}
		rules = append(rules, c.rule)
		if _, err := policy.Load(&rules); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if err := shipped(t).Save(broken{}); err == nil {
		t.Error("an error of the adapter got lost while saving")
	}
	if _, err := policy.Load(broken{}); err == nil {
		t.Error("an error of the adapter got lost while loading")
	}
}

// broken is an adapter without a connection.
type broken struct{}

func (broken) LoadPolicy(policy.Model) error { return errors.New("no connection") }
func (broken) SavePolicy(policy.Model) error { return errors.New("no connection") }

// BenchmarkDecide measures a decision with 10 and with more than 1,000 rules.
func BenchmarkDecide(b *testing.B) {
	for _, roles := range []int{1, 40} {
		given := shippedRoles(b)
		for i := range roles {
			role := policy.Role{Name: "role_" + strconv.Itoa(i), Title: "role " + strconv.Itoa(i), Rank: 1,
				Languages: []string{"de", "fr"}}
			for _, info := range policy.All {
				role.Permissions = append(role.Permissions, info.Permission)
			}
			given = append(given, role)
		}
		p, err := policy.New(given)
		if err != nil {
			b.Fatal(err)
		}
		who := policy.Subject{Role: "role_0", Languages: []string{"de"}}
		b.Run(strconv.Itoa(roles)+" roles/allows", func(b *testing.B) {
			for b.Loop() {
				p.Allows(policy.Moderator, policy.UserBan)
			}
		})
		b.Run(strconv.Itoa(roles)+" roles/languages", func(b *testing.B) {
			for b.Loop() {
				p.Decide(who, policy.UserBan, "de-AT")
			}
		})
		b.Run(strconv.Itoa(roles)+" roles/made", func(b *testing.B) {
			for b.Loop() {
				if _, err := policy.New(given); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
