package policy_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"treewarden/policy"
)

func TestExplain(t *testing.T) {
	p := with(t) // flat, as a changed policy is
	limited := with(t, germanModerator, senior)
	inRoles, inStaff := "/settings/roles", "/settings/staff"
	for name, c := range map[string]struct {
		policy *policy.Policy
		q      policy.Question
		want   []policy.Reason
	}{
		"own grant": {shipped(t), policy.Question{Who: role(policy.Moderator), Permission: policy.UserBan}, []policy.Reason{
			{policy.RuleRole, "A moderator may ban and unban.", true, inRoles, policy.PolicyManage}}},
		"inherited from a role": {shipped(t), policy.Question{Who: role(policy.Admin), Permission: policy.UserBan},
			[]policy.Reason{{policy.RuleRole, "An admin may ban and unban, as a moderator may.", true, inRoles,
				policy.PolicyManage}}},
		"inherited from staff": {shipped(t), policy.Question{Who: role(policy.DataLead), Permission: policy.MessageLabel},
			[]policy.Reason{{policy.RuleRole, "A data lead may label messages, as every member of staff may.", true, inRoles,
				policy.PolicyManage}}},
		"flat": {p, policy.Question{Who: role(policy.Admin), Permission: policy.UserBan}, []policy.Reason{
			{policy.RuleRole, "An admin may ban and unban.", true, inRoles, policy.PolicyManage}}},
		"no grant": {p, policy.Question{Who: role(policy.DataLead), Permission: policy.UserBan}, []policy.Reason{
			{policy.RuleRole, "A data lead may not ban and unban: the role lacks the permission user.ban.", false, inRoles,
				policy.PolicyManage}}},
		"no role": {p, policy.Question{Who: role("nobody"), Permission: policy.UserBan}, []policy.Reason{
			{policy.RuleRole, "There is no role nobody. Nobody may do anything without a role.", false, inStaff,
				policy.UserRole}}},
		"rank and role allow": {p, policy.Question{Who: role(policy.Moderator), Permission: policy.UserBan,
			TargetRole: policy.General}, []policy.Reason{
			{policy.RuleRole, "A moderator may ban and unban.", true, inRoles, policy.PolicyManage},
			{policy.RuleRank, "A moderator may act on a contributor, whose rank is lower.", true, inRoles,
				policy.PolicyManage}}},
		"rank refuses": {limited, policy.Question{Who: role("senior"), Permission: policy.UserBan,
			TargetRole: policy.Admin}, []policy.Reason{
			{policy.RuleRole, "A senior moderator may ban and unban.", true, inRoles, policy.PolicyManage},
			{policy.RuleRank, "A senior moderator may not act on an admin: their rank is not below yours. Ask an admin.",
				false, inRoles, policy.PolicyManage}}},
		"admins": {p, policy.Question{Who: role(policy.Admin), Permission: policy.UserBan, TargetRole: policy.Admin},
			[]policy.Reason{
				{policy.RuleRole, "An admin may ban and unban.", true, inRoles, policy.PolicyManage},
				{Code: policy.RuleRank, Sentence: "Admins may act on each other.", Allows: true}}},
		"oneself": {p, policy.Question{Who: role(policy.Admin), Permission: policy.UserBan, TargetRole: policy.Admin,
			Self: true}, []policy.Reason{
			{policy.RuleRole, "An admin may ban and unban.", true, inRoles, policy.PolicyManage},
			{Code: policy.RuleSelf, Sentence: "Nobody may act on themselves. Ask another member of staff."}}},
		"languages": {limited, policy.Question{Who: policy.Subject{Role: "german_moderator", Languages: []string{"de", "fr"}},
			Permission: policy.UserBan, Language: "fr"}, []policy.Reason{
			{policy.RuleRole, "A German moderator may ban and unban.", true, inRoles, policy.PolicyManage},
			{policy.RuleLanguage, "A German moderator acts in German only, but this is in French.", false, inRoles,
				policy.PolicyManage},
			{policy.RuleLanguage, "This person acts in German and French only, and this is in French.", true, inStaff,
				policy.StaffManage}}},
		"without a language": {p, policy.Question{Who: policy.Subject{Role: policy.Moderator, Languages: []string{}},
			Permission: policy.UserBan, Language: policy.Undetermined}, []policy.Reason{
			{policy.RuleRole, "A moderator may ban and unban.", true, inRoles, policy.PolicyManage},
			{policy.RuleLanguage, "This person acts in no language, but this has no language.", false, inStaff,
				policy.StaffManage}}},
	} {
		allowed := true
		for _, reason := range c.want {
			allowed = allowed && reason.Allows
		}
		if got := c.policy.Explain(c.q); got.Allowed != allowed || !reflect.DeepEqual(got.Because, c.want) {
			t.Errorf("%s:\n got %v %+v\nwant %v %+v", name, got.Allowed, got.Because, allowed, c.want)
		}
	}
}

func TestAnExplanationInJSON(t *testing.T) {
	text, err := json.Marshal(shipped(t).Explain(policy.Question{Who: role(policy.Admin), Permission: policy.UserBan,
		Self: true}))
	want := `{"allowed":false,"because":[{"code":"role","sentence":"An admin may ban and unban, as a moderator may.",` +
		`"allows":true,"where":"/settings/roles","needs":"policy.manage"},{"code":"self",` +
		`"sentence":"Nobody may act on themselves. Ask another member of staff.","allows":false}]}`
	if err != nil || string(text) != want {
		t.Errorf("got %s, %v", text, err)
	}
}
