package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"treewarden/policy"
	"treewarden/store/policies"
)

// testPolicy shows, explains and restores what roles may do. The accounts are those
// of TestAccountsKeysAndLog: an admin and a data lead.
func testPolicy(t *testing.T, dir string) {
	t.Helper()
	table := must(t, dir, "", "policy", "show")
	var shown policies.Version
	if err := json.Unmarshal([]byte(must(t, dir, "", "policy", "show", "--json")), &shown); err != nil {
		t.Fatal(err)
	}
	if len(shown.Roles) != len(policy.Roles) || !shown.Shipped || shown.Version != 1 {
		t.Errorf("policy show --json prints %+v", shown)
	}
	lines := map[string][]string{}
	for line := range strings.Lines(table) {
		if words := strings.Fields(line); len(words) > 0 {
			lines[words[0]] = words[1:]
		}
	}
	for first, want := range map[string]string{
		"PERMISSION": "general collector moderator data_lead admin", "rank": "0 0 1 1 2", "languages": "all all all all all",
		"user.ban": "- - yes - yes", "policy.manage": "- - - - yes", "ingest.write": "- yes - - yes",
	} {
		if !slices.Equal(lines[first], strings.Fields(want)) {
			t.Errorf("policy show: %s is %q, want %q", first, lines[first], want)
		}
	}
	if !strings.Contains(table, "version 1, as shipped, by treewarden on ") {
		t.Errorf("policy show prints %s", table)
	}

	got := must(t, dir, "", "policy", "why", "first admin", "user.ban")
	if got != "yes  An admin may ban and unban, as a moderator may.\n" {
		t.Errorf("policy why prints %q", got)
	}
	r := tool(t, dir, "", "policy", "why", "first moderator", "user.erase")
	if r.status != failed ||
		r.stdout != "no   A data lead may not erase a user: the role lacks the permission user.erase.\n" ||
		r.stderr != "treewarden: first moderator may not erase a user\n" {
		t.Errorf("policy why ends with %d: %q, %q", r.status, r.stdout, r.stderr)
	}
	var answer policies.Answer
	r = tool(t, dir, "", "policy", "why", "first moderator", "user.ban",
		"user:a0000000-0000-4000-8000-00000000000a", "--json")
	if err := json.Unmarshal([]byte(r.stdout), &answer); err != nil || r.status != failed || answer.Allowed ||
		len(answer.Because) != 2 || answer.User.Name != "first moderator" {
		t.Errorf("policy why --json ends with %d: %q (%v)", r.status, r.stdout, err)
	}
	refused(t, dir, "", failed, "Nobody has this name", "policy", "why", "nobody", "user.ban")
	refused(t, dir, "", failed, "no tree", "policy", "why", "first admin", "tree.halt",
		"tree:a0000000-0000-4000-8000-0000000000ff")
	refused(t, dir, "", failed, "reason", "policy", "restore", "--reason", "x")
	got = must(t, dir, "", "policy", "restore", "--reason", "As it ships.")
	if got != "the roles are as shipped already\n" {
		t.Errorf("policy restore prints %q", got)
	}
}
