package policy_test

import (
	"strings"
	"testing"

	"treewarden/policy"
)

func TestRank(t *testing.T) {
	p := shipped(t)
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
		if err := p.MayActOn(c.actor, c.target, c.self); (err == nil) != c.may {
			t.Errorf("%s on %s (self %v): %v", c.actor, c.target, c.self, err)
		}
	}
}

// role is a subject without a limit of languages of their own.
func role(name string) policy.Subject { return policy.Subject{Role: name} }

func TestNobodyGrantsWhatTheyDoNotHold(t *testing.T) {
	p := shipped(t)
	if p.MayGrant(role(policy.Moderator), role(policy.DataLead)) == nil ||
		p.MayGrant(role(policy.Moderator), role(policy.Admin)) == nil {
		t.Error("a moderator made somebody more than themselves")
	}
	for _, name := range policy.Roles {
		if err := p.MayGrant(role(policy.Admin), role(name)); err != nil {
			t.Errorf("an admin and the role %s: %v", name, err)
		}
	}
	if p.MayGrant(role(policy.Moderator), role(policy.Collector)) == nil {
		t.Error("a moderator made a collector, who may do what no moderator may")
	}
}

// TestNobodyGrantsALanguageThatTheyDoNotHave also holds what the refusals say.
func TestNobodyGrantsALanguageThatTheyDoNotHave(t *testing.T) {
	p := with(t, germanModerator, senior,
		policy.Role{Name: "banner", Title: "banner", Permissions: []policy.Permission{policy.Read, policy.UserBan}},
		policy.Role{Name: "reader", Title: "reader", Permissions: []policy.Permission{policy.Read}})
	german := func(name string, languages ...string) policy.Subject {
		return policy.Subject{Role: name, Languages: languages}
	}
	for _, c := range []struct {
		actor, granted policy.Subject
		want           string
	}{
		{role("german_moderator"), german("banner", "de"), ""},
		{role("german_moderator"), german("banner", "de-AT"), ""},
		{role("german_moderator"), role("german_moderator"), ""},
		{role("german_moderator"), role("reader"), ""},
		{role("german_moderator"), role(policy.General), ""},
		{role("german_moderator"), role("banner"), "A German moderator may not make anybody a banner: they could ban and " +
			"unban in all languages, and you only in German."},
		{role("german_moderator"), german("banner", "de", "fr"), "A German moderator may not make anybody a banner: they " +
			"could ban and unban in French, and you may not."},
		{german("german_moderator", "de-AT"), role("german_moderator"), "A German moderator may not make anybody a German " +
			"moderator: they could ban and unban in German, and you may not."},
		{role("banner"), role("senior"), "A banner may not make anybody a senior moderator: that role may edit a user's " +
			"display name, notes and leaderboard setting, and yours may not."},
		{role("banner"), role("made_up"), "A banner may not make anybody a made up: there is no such role."},
	} {
		got := ""
		if err := p.MayGrant(c.actor, c.granted); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%v grants %v:\n got %q\nwant %q", c.actor, c.granted, got, c.want)
		}
	}
}

func TestCustomRanks(t *testing.T) {
	p := with(t, senior, editor, germanModerator, policy.Role{Name: "chief", Title: "chief", Rank: 2,
		Permissions: senior.Permissions})
	for _, c := range []struct {
		actor, target string
		may           bool
	}{
		{"senior", policy.Moderator, true},
		{"senior", "german_moderator", true},
		{"senior", "chief", false},
		{"senior", policy.Admin, false},
		{policy.Admin, "senior", false}, // an admin acts on equals only if they are admins
		{policy.Admin, policy.Admin, true},
		{policy.Admin, policy.Moderator, true},
		{"editor", policy.General, false},
		{policy.Moderator, "editor", true},
	} {
		if err := p.MayActOn(c.actor, c.target, false); (err == nil) != c.may {
			t.Errorf("%s on %s: %v", c.actor, c.target, err)
		}
	}
	equal := senior
	equal.Rank = 1
	if err := with(t, equal).MayGrant(role("senior"), role("senior")); err != nil {
		t.Errorf("a senior moderator and the role of their own: %v", err)
	}
	low, high := senior, senior
	low.Name, low.Title, low.Rank = "junior", "junior moderator", 1
	want := "A junior moderator may not make anybody a senior moderator: that rank is above yours."
	if err := with(t, low, high).MayGrant(role("junior"), role("senior")); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestRefusalsReadWell holds the grammar of what people are told.
func TestRefusalsReadWell(t *testing.T) {
	p := with(t, senior, editor)
	const end = ": their rank is not below yours. Ask an admin."
	for want, got := range map[string]error{
		"A moderator may not act on an admin" + end:                  p.MayActOn(policy.Moderator, policy.Admin, false),
		"A data lead may not act on a moderator" + end:               p.MayActOn(policy.DataLead, policy.Moderator, false),
		"An editor may not act on a senior moderator" + end:          p.MayActOn("editor", "senior", false),
		"Nobody may act on themselves. Ask another member of staff.": p.MayActOn(policy.Admin, policy.Admin, true),
		"A moderator may not make anybody an admin: that role may see e-mail, IP and sign-in data of a user, and " +
			"yours may not.": p.MayGrant(role(policy.Moderator), role(policy.Admin)),
	} {
		if got == nil || got.Error() != want {
			t.Errorf("got %v, want %q", got, want)
		}
	}
}

func TestTitlesHaveTheirArticle(t *testing.T) {
	for title, want := range map[string]string{
		"senior moderator": "A senior", "editor": "An editor", "Icelandic moderator": "An Icelandic", "user helper": "A user",
		"under-secretary": "An under", "Ukrainian moderator": "A Ukrainian", "European lead": "A European",
		"unit lead": "A unit", "hourly helper": "An hourly", "head of staff": "A head", "LLM reviewer": "An LLM",
		"UK moderator": "A UK", "FAQ editor": "An FAQ", "one-day helper": "A one-day", "модератор": "A мод",
	} {
		p := with(t, policy.Role{Name: "custom", Title: title})
		if err := p.MayActOn("custom", policy.General, false); !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %q", title, err, want)
		}
	}
}
