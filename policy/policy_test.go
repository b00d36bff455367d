package policy_test

import (
	"strings"
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
		policy.AuditAll: leads, policy.ScoringSave: leads,
		policy.UserPrivate: admins, policy.UserRole: admins, policy.UserErase: admins, policy.UndoAll: admins,
		policy.ListApply:   admins,
		policy.StaffManage: admins, policy.KeyManage: admins,
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

func TestRank(t *testing.T) {
	for _, c := range []struct {
		actor, target string
		self, may     bool
	}{
		{policy.Moderator, policy.General, false, true},
		{policy.Moderator, policy.Moderator, false, false},
		{policy.Moderator, policy.DataLead, false, false},
		{policy.Moderator, policy.Admin, false, false},
		{policy.DataLead, policy.Moderator, false, false},
		{policy.DataLead, policy.General, false, true},
		{policy.Admin, policy.Admin, false, true},
		{policy.Admin, policy.Admin, true, false},
		{policy.Admin, policy.DataLead, false, true},
		{policy.General, policy.General, false, false},
		{"made up", policy.General, false, false},
	} {
		if err := policy.MayActOn(c.actor, c.target, c.self); (err == nil) != c.may {
			t.Errorf("%s on %s (self %v): %v", c.actor, c.target, c.self, err)
		}
	}
}

func TestNobodyGrantsWhatTheyDoNotHold(t *testing.T) {
	p, err := policy.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	if p.MayGrant(policy.Moderator, policy.DataLead) == nil || p.MayGrant(policy.Moderator, policy.Admin) == nil {
		t.Error("a moderator made somebody more than themselves")
	}
	for _, role := range policy.Roles {
		if err := p.MayGrant(policy.Admin, role); err != nil {
			t.Errorf("an admin and the role %s: %v", role, err)
		}
	}
	if p.MayGrant(policy.Moderator, policy.Collector) == nil {
		t.Error("a moderator made a collector, who may do what no moderator may")
	}
}

func TestAMisspeltPermissionIsRefused(t *testing.T) {
	if _, err := policy.New([]policy.Grant{{Role: policy.Moderator, Permission: "user.bann"}}); err == nil {
		t.Error("it was taken")
	}
}

// TestRefusalsReadWell holds the grammar of what people are told.
func TestRefusalsReadWell(t *testing.T) {
	for want, got := range map[string]error{
		"A moderator may not act on an admin:":    policy.MayActOn(policy.Moderator, policy.Admin, false),
		"A data lead may not act on a moderator:": policy.MayActOn(policy.DataLead, policy.Moderator, false),
	} {
		if got == nil || !strings.HasPrefix(got.Error(), want) {
			t.Errorf("got %v, want %q", got, want)
		}
	}
}
