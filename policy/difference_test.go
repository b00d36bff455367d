package policy_test

import (
	"encoding/json"
	"testing"

	"treewarden/policy"
)

func TestDifference(t *testing.T) {
	changed := func(permissions []policy.Permission, languages []string) *policy.Policy {
		r := germanModerator
		r.Permissions, r.Languages = permissions, languages
		return with(t, r)
	}
	has := germanModerator.Permissions
	ban := []policy.Permission{policy.Read, policy.UserBan}
	for name, c := range map[string]struct {
		before, after *policy.Policy
		own           []string
		gains, loses  string
	}{
		"nothing": {changed(has, nil), changed(has, nil), nil, "null", "null"},
		"permissions": {changed(ban, nil), changed([]policy.Permission{policy.Read, policy.TreeHalt}, nil), nil,
			`[{"user_id":"1","display_name":"Ann","permission":"tree.halt"}]`,
			`[{"user_id":"1","display_name":"Ann","permission":"user.ban"}]`},
		"another language": {changed(ban, []string{"de"}), changed(ban, []string{"fr", "de-AT"}), nil,
			`[{"user_id":"1","display_name":"Ann","permission":"user.ban","languages":["fr"]}]`,
			`[{"user_id":"1","display_name":"Ann","permission":"user.ban","languages":["de"]}]`},
		"a limit": {changed(ban, nil), changed(ban, []string{"de"}), nil, "null",
			`[{"user_id":"1","display_name":"Ann","permission":"user.ban","languages":["de"],"all_but":true}]`},
		"no limit": {changed(ban, []string{"de"}), changed(ban, nil), nil,
			`[{"user_id":"1","display_name":"Ann","permission":"user.ban","languages":["de"],"all_but":true}]`, "null"},
		"a limit that the person has": {changed(ban, nil), changed(ban, []string{"de"}), []string{"de"}, "null", "null"},
		"no language is left": {changed(ban, []string{"de"}), changed(ban, []string{"fr"}), []string{"de"}, "null",
			`[{"user_id":"1","display_name":"Ann","permission":"user.ban","languages":["de"]}]`},
		"the role is gone": {changed(ban, nil), with(t), nil, "null",
			`[{"user_id":"1","display_name":"Ann","permission":"console.read"},` +
				`{"user_id":"1","display_name":"Ann","permission":"user.ban"}]`},
	} {
		gains, loses := policy.Difference(c.before, c.after, []policy.Person{
			{ID: "1", Name: "Ann", Subject: policy.Subject{Role: "german_moderator", Languages: c.own}},
			{ID: "2", Name: "Bob", Subject: role(policy.Moderator)},
		})
		for _, list := range []struct {
			changes []policy.Change
			want    string
		}{{gains, c.gains}, {loses, c.loses}} {
			if got, err := json.Marshal(list.changes); err != nil || string(got) != list.want {
				t.Errorf("%s:\n got %s\nwant %s", name, got, list.want)
			}
		}
	}
}
