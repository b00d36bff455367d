package admin

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/policies"
	"treewarden/store/storetest"
)

// rolesNow returns the roles in force as the API shows them, and their version.
func rolesNow(t *testing.T, c *client) ([]policy.Role, int) {
	t.Helper()
	var answer policyAnswer
	c.get(apiPrefix + "/policy").want(200).json(&answer)
	return answer.Roles, answer.Version.Version
}

// changedRole returns roles with one of them changed.
func changedRole(roles []policy.Role, name string, change func(*policy.Role)) []policy.Role {
	roles = slices.Clone(roles)
	for i := range roles {
		if roles[i].Name == name {
			roles[i].Permissions = slices.Clone(roles[i].Permissions)
			change(&roles[i])
		}
	}
	return roles
}

// lose returns a change that takes a permission from a role.
func lose(permission policy.Permission) func(*policy.Role) {
	return func(r *policy.Role) {
		r.Permissions = slices.DeleteFunc(r.Permissions, func(p policy.Permission) bool { return p == permission })
	}
}

// encoded returns a value as JSON.
func encoded(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestPolicyAPI previews, saves, repeats, restores and undoes by the API.
func TestPolicyAPI(t *testing.T) {
	t.Parallel()
	server := newServer(t, storetest.New(t))
	admin, keeper := staff(t, server, policy.Admin), staff(t, server, policy.Moderator)
	keeper.get(apiPrefix + "/policy").want(403)
	roles, version := rolesNow(t, admin)
	if version != 1 || len(roles) != len(policy.Roles) {
		t.Fatalf("version %d of %d roles", version, len(roles))
	}
	next := changedRole(roles, policy.Moderator, lose(policy.UserBan))
	body := map[string]any{"roles": next, "version": 1, "preview": true}
	preview := admin.send(put, apiPrefix+"/policy", body).want(200)
	loses, _ := preview.field("loses").([]any)
	if gains, ok := preview.field("gains").([]any); !ok || len(gains) != 0 || len(loses) != 1 ||
		loses[0].(map[string]any)["permission"] != "user.ban" || preview.field("affected", "users") != 1.0 {
		t.Fatalf("%s", preview.body)
	}
	body["preview"], body["reason"] = false, "Admins ban."
	saved := admin.do(put, apiPrefix+"/policy", strings.NewReader(encoded(t, body)), "application/json",
		"Idempotency-Key", "one").want(200)
	if saved.field("version") != 2.0 || saved.field("action", "kind") != "set_policy" ||
		saved.field("policy", "note") != "Admins ban." || saved.field("policy", "shipped") != false {
		t.Errorf("%s", saved.body)
	}
	again := admin.do(put, apiPrefix+"/policy", strings.NewReader(encoded(t, body)), "application/json",
		"Idempotency-Key", "one").want(200)
	if again.field("action", "id") != saved.field("action", "id") {
		t.Errorf("the same key: %s", again.body)
	}
	if late := admin.send(put, apiPrefix+"/policy", body).want(409); late.field("error", "version") != 2.0 {
		t.Errorf("%s", late.body)
	}
	restored := admin.send(post, apiPrefix+"/policy/restore", map[string]any{"preview": true}).want(200)
	if gains, _ := restored.field("gains").([]any); len(gains) != 1 {
		t.Errorf("%s", restored.body)
	}
	restored = admin.send(post, apiPrefix+"/policy/restore", map[string]any{"reason": "As it ships."}).want(200)
	if restored.field("policy", "shipped") != true || restored.field("version") != 3.0 {
		t.Errorf("%s", restored.body)
	}
	admin.send(post, apiPrefix+fmt.Sprintf("/actions/%.0f/undo", restored.field("action", "id")),
		map[string]any{"reason": "Not yet."}).want(200)
	var now policyAnswer
	admin.get(apiPrefix + "/policy").want(200).json(&now)
	if now.Version.Version != 4 || now.Shipped || len(now.Earlier) != 3 || now.Earlier[2].Version != 1 {
		t.Errorf("%+v", now)
	}
}

// TestPolicyRefusals checks that each fault of a change is named by its field.
func TestPolicyRefusals(t *testing.T) {
	t.Parallel()
	server := newServer(t, storetest.New(t))
	admin := staff(t, server, policy.Admin)
	staff(t, server, policy.Moderator)
	roles, _ := rolesNow(t, admin)
	place := func(name string) string {
		return fmt.Sprintf("roles[%d]", slices.IndexFunc(roles, func(r policy.Role) bool { return r.Name == name }))
	}
	for name, c := range map[string]struct {
		roles any
		field string
	}{
		"no roles":   {nil, "roles"},
		"no list":    {map[string]any{}, "roles"},
		"empty list": {[]any{}, "roles"},
		"no object":  {[]any{1}, "roles[0]"},
		"a misspelt field": {[]any{map[string]any{"name": "helper", "title": "helper", "rank": 1, "permissions": []string{},
			"language": []string{"de"}}}, "roles[0].language"},
		"a rank in words": {[]any{map[string]any{"name": "helper", "rank": "high"}}, "roles[0].rank"},
		"an unknown permission": {changedRole(roles, policy.Moderator, func(r *policy.Role) {
			r.Permissions = append(r.Permissions, "user.bann")
		}), place(policy.Moderator) + ".permissions"},
		"an unknown language": {changedRole(roles, policy.Moderator, func(r *policy.Role) {
			r.Languages = []string{"klingonish"}
		}), place(policy.Moderator) + ".languages"},
		"the way back": {changedRole(roles, policy.Admin, lose(policy.PolicyManage)), place(policy.Admin) + ".permissions"},
		"a role that somebody has": {slices.DeleteFunc(slices.Clone(roles), func(r policy.Role) bool {
			return r.Name == policy.Moderator
		}), "roles"},
	} {
		a := admin.send(put, apiPrefix+"/policy", map[string]any{"roles": c.roles, "reason": "To try it."})
		if a.status != 422 || a.field("error", "fields", c.field) == nil {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	// An editor who is no admin would lose their own access.
	roles = changedRole(roles, policy.Moderator, func(r *policy.Role) {
		r.Permissions = append(r.Permissions, policy.PolicyManage)
	})
	admin.send(put, apiPrefix+"/policy", map[string]any{"roles": roles, "reason": "To try it."}).want(200)
	editor := staff(t, server, policy.Moderator)
	own := editor.send(put, apiPrefix+"/policy", map[string]any{"reason": "To try it.",
		"roles": changedRole(roles, policy.Moderator, lose(policy.PolicyManage))}).want(403)
	if message, _ := own.field("error", "message").(string); !strings.Contains(message, "your own access") {
		t.Errorf("%s", own.body)
	}
}

// TestPolicyWhy asks why people may do something, about themselves and others.
func TestPolicyWhy(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	first, keeper := storetest.Staff(t, s, policy.Admin), storetest.Staff(t, s, policy.Moderator)
	admin, moderator := signedIn(t, server, first), signedIn(t, server, keeper)
	author := storetest.User(t, s, "Ann")
	tree := storetest.Tree(t, s, storetest.Node{Author: author, Lang: "de"})[0]
	erased, banned := storetest.User(t, s, "Gone"), storetest.Staff(t, s, policy.DataLead)
	storetest.Exec(t, s, "UPDATE users SET erased_at = now() WHERE user_id = $1", erased)
	storetest.Exec(t, s, "UPDATE users SET banned_at = now(), ban_reason = 'x' WHERE user_id = $1", banned.UserID)
	storetest.Exec(t, s, "UPDATE users SET languages = '{fr}' WHERE user_id = $1", keeper.UserID)
	// A role above a moderator's, which holds less.
	if _, err := s.ChangePolicy(t.Context(), store.CommandLine, store.PolicyChange{Reason: "To try it.",
		Roles: append(slices.Clone(s.Policy().Roles()), policy.Role{Name: "hirer", Title: "hirer", Rank: 2,
			Permissions: []policy.Permission{policy.Read, policy.StaffManage, policy.KeyManage}})}); err != nil {
		t.Fatal(err)
	}
	hirer := storetest.Staff(t, s, "hirer")
	if _, err := s.CreateKey(t.Context(), store.CommandLine, "a tool", policy.Moderator, nil); err != nil {
		t.Fatal(err)
	}
	keys, err := s.Keys(t.Context(), store.CommandLine)
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	key := keys[0]
	user := func(id uuid.UUID) string { return "user:" + id.String() }
	for name, c := range map[string]struct {
		by           *client
		who          string
		permission   policy.Permission
		target, code string // code of the only rule that refuses
		says         string
	}{
		"role":      {moderator, "", policy.UserErase, "", policy.RuleRole, "lacks the permission user.erase"},
		"no target": {moderator, "", policy.UserBan, "", "", "A moderator may ban and unban."},
		"language": {moderator, keeper.Name, policy.MessageDelete, "message:" + tree.String(), policy.RuleLanguage,
			"French only"},
		"of a tree":     {moderator, "", policy.TreeHalt, "tree:" + tree.String(), policy.RuleLanguage, "is in German"},
		"oneself":       {admin, "", policy.UserEdit, user(first.UserID), policy.RuleSelf, "Nobody may act on themselves"},
		"rank":          {admin, keeper.UserID.String(), policy.UserBan, user(banned.UserID), "*", "not below yours"},
		"reading":       {admin, keeper.Name, policy.Read, user(first.UserID), "", "A moderator may see"},
		"an author":     {admin, "", policy.UserBan, "message:" + tree.String(), "", "An admin may act on a contributor"},
		"banned":        {admin, banned.Name, policy.Read, "", policies.RuleBanned, "is banned"},
		"erased":        {admin, "", policy.UserBan, user(erased), policies.RuleErased, "nothing left to act on"},
		"an account":    {admin, "", policy.StaffManage, user(keeper.UserID), "", "An admin may act on a moderator"},
		"a grant":       {admin, hirer.Name, policy.StaffManage, user(keeper.UserID), "", "leaves out inviting"},
		"a key":         {admin, hirer.Name, policy.KeyManage, user(key.UserID), policies.RuleGrant, "yours may not"},
		"a contributor": {admin, "ann", policy.Read, "", policy.RuleRole, "A contributor may not see"},
	} {
		q := url.Values{"user": {c.who}, "permission": {string(c.permission)}, "target": {c.target}}
		for field, values := range q {
			if values[0] == "" {
				q.Del(field)
			}
		}
		var answer policies.Answer
		c.by.get(apiPrefix + "/policy/why?" + q.Encode()).want(200).json(&answer)
		var refusals []string
		for _, reason := range answer.Reasons {
			if !reason.Allows {
				refusals = append(refusals, reason.Code)
			}
		}
		if got := strings.Join(refusals, " "); c.code != "*" && got != c.code || answer.Allowed != (got == "") ||
			!strings.Contains(strings.Join(answer.Because, " "), c.says) {
			t.Errorf("%s: %+v", name, answer)
		}
	}
	// The last admin: another one, a key, asks.
	bot := program(t, server, policy.Admin)
	last := bot.get(apiPrefix + "/policy/why?permission=user.ban&target=" + user(first.UserID)).want(200)
	if last.field("allowed") != false || !strings.Contains(last.body, "is the last admin") {
		t.Errorf("%s", last.body)
	}
	nobody := uuid.NewString()
	for address, status := range map[string]int{
		"":                                    400,
		"?permission=user.bann":               400,
		"?permission=user.ban&target=key:1":   400,
		"?permission=user.ban&target=user:1":  400,
		"?permission=user.ban&user=" + nobody: 404, "?permission=user.ban&user=No+Such+Name": 404,
		"?permission=user.ban&target=user:" + nobody: 404, "?permission=tree.halt&target=tree:" + nobody: 404,
		"?permission=user.edit&target=message:" + nobody: 404,
	} {
		admin.get(apiPrefix + "/policy/why" + address).want(status)
	}
	if a := admin.get(apiPrefix + "/policy/why?permission=user.bann"); !strings.Contains(a.body, "user.ban,") {
		t.Errorf("the known permissions are not named: %s", a.body)
	}
	moderator.get(apiPrefix + "/policy/why?permission=user.ban&user=" + first.UserID.String()).want(403)
	moderator.get(apiPrefix + "/policy/why?permission=user.ban&user=" + nobody).want(403)
	if _, err := s.Why(t.Context(), store.CommandLine, policies.Question{Permission: policy.Read}); err == nil {
		t.Error("the command line asked about nobody")
	}
}
