package policy_test

import (
	"slices"
	"testing"

	"treewarden/policy"
)

func TestLimitsOfLanguages(t *testing.T) {
	iberian := policy.Role{Name: "iberian", Title: "Iberian moderator", Rank: 1,
		Permissions: []policy.Permission{policy.MessageDelete}, Languages: []string{"pt", "es"}}
	p := with(t, germanModerator, iberian)
	for _, c := range []struct {
		role     string
		own      []string
		language string
		may      bool
	}{
		{policy.Moderator, nil, "de", true},
		{policy.Moderator, nil, policy.Undetermined, true},
		{policy.Moderator, []string{"fr"}, "fr", true},
		{policy.Moderator, []string{"fr"}, "de", false},
		{policy.Moderator, []string{"fr"}, policy.Undetermined, false},
		{policy.Moderator, []string{"fr"}, "", true},
		{policy.Moderator, []string{}, "fr", false},
		{policy.Moderator, []string{}, "", true},
		{"german_moderator", nil, "de", true},
		{"german_moderator", nil, "de-AT", true},
		{"german_moderator", nil, "DE_at", true},
		{"german_moderator", nil, "den", false},
		{"german_moderator", nil, "d", false},
		{"german_moderator", nil, "fr", false},
		{"german_moderator", nil, policy.Undetermined, false},
		{"german_moderator", nil, "", true},
		{"german_moderator", []string{"fr"}, "fr", false},
		{"german_moderator", []string{"fr"}, "de", false},
		{"german_moderator", []string{"de-AT", "fr"}, "de-AT", true},
		{"german_moderator", []string{"de-AT", "fr"}, "de-AT-1996", true},
		{"german_moderator", []string{"de-AT", "fr"}, "de-CH", false},
		{"german_moderator", []string{"de-AT", "fr"}, "de", false},
		{"iberian", []string{"pt-BR", "es"}, "pt-BR", true},
		{"iberian", []string{"pt-BR", "es"}, "pt-PT", false},
		{"iberian", []string{"pt-BR", "es"}, "es-MX", true},
		// An entry that is no language is no way around the one that it resembles.
		{"iberian", []string{"pt", "es"}, "pt", true},
		{"iberian", []string{"pt es"}, "pt", false},
		{policy.Moderator, []string{"und"}, "fr", false},
		{policy.Moderator, []string{"und"}, policy.Undetermined, false},
		{policy.Moderator, []string{""}, "fr", false},
		{policy.Admin, nil, "de", true},
		{policy.DataLead, nil, "de", false}, // lacks the permission
	} {
		who := policy.Subject{Role: c.role, Languages: c.own}
		for range 2 { // the enforcer's answer, and the one that was kept
			if got := p.Decide(who, policy.MessageDelete, c.language); got != c.may {
				t.Errorf("%s %q on %q: %v", c.role, c.own, c.language, got)
			}
		}
		q := policy.Question{Who: who, Permission: policy.MessageDelete, Language: c.language}
		if got := p.Explain(q).Allowed; got != c.may {
			t.Errorf("%s %q on %q: explained as %v", c.role, c.own, c.language, got)
		}
	}
}

func TestLanguagesWithinBothLimits(t *testing.T) {
	p := with(t, germanModerator)
	for _, c := range []struct {
		role      string
		own, want []string
	}{
		{policy.Moderator, nil, nil},
		{policy.Moderator, []string{"fr"}, []string{"fr"}},
		{"german_moderator", nil, []string{"de"}},
		{"german_moderator", []string{"de-AT", "fr"}, []string{"de-AT"}},
		{"german_moderator", []string{"de"}, []string{"de"}},
		{"german_moderator", []string{"fr"}, []string{}},
	} {
		got := p.Languages(policy.Subject{Role: c.role, Languages: c.own})
		if !slices.Equal(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%s %q: got %q, want %q", c.role, c.own, got, c.want)
		}
	}
}

func TestPermissionsWithALanguage(t *testing.T) {
	for permission, want := range map[policy.Permission]bool{policy.MessageDelete: true, policy.UserBan: true,
		policy.TreeHalt: true, policy.ListApply: true, policy.ListEdit: false, policy.KeyManage: false, policy.Read: false,
		policy.UserPrivate: false} {
		if permission.HasLanguage() != want {
			t.Errorf("%s: %v", permission, !want)
		}
	}
}
