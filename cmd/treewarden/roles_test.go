package main

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPolicyInTwoProcesses changes what moderators may do in one process. Another
// one, whose connection for notifications was just ended, follows with the next
// request, and the one after the undo as well.
func TestPolicyInTwoProcesses(t *testing.T) {
	t.Parallel()
	dir := usedDir(t)
	here, there := start(t, dir, "serve"), start(t, dir, "serve")
	key := func(name, role string) string {
		return strings.TrimSpace(must(t, dir, "", "key", "create", "--name", name, "--role", role))
	}
	admin, moderator := key("admin", "admin"), key("moderator", "moderator")
	board := func(want int) {
		t.Helper()
		for _, s := range []*server{there, here} {
			if status, body := s.call(t, http.MethodGet, "/api/v1/trollboard", moderator, ""); status != want {
				t.Errorf("the board answers %d, want %d: %s", status, want, body)
			}
		}
	}
	board(http.StatusOK)
	eventually(t, "both processes listen", func() bool { return listeners(t, dir, "pid") == 2 })
	if ended := listeners(t, dir, "pg_terminate_backend(pid)"); ended != 2 {
		t.Fatalf("ended %d connections", ended)
	}
	var policy struct {
		Roles   []map[string]any `json:"roles"`
		Version int              `json:"version"`
		Reason  string           `json:"reason"`
	}
	_, body := here.call(t, http.MethodGet, "/api/v1/policy", admin, "")
	if err := json.Unmarshal([]byte(body), &policy); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	for _, role := range policy.Roles {
		if role["name"] == "moderator" {
			role["permissions"] = []string{"message.delete"}
		}
	}
	policy.Roles = append(policy.Roles, map[string]any{
		"name": "helper", "title": "helper", "rank": 1, "permissions": []string{"console.read"},
	})
	policy.Reason = "Moderators have a holiday."
	text, err := json.Marshal(policy)
	if err != nil {
		t.Fatal(err)
	}
	if status, body := here.call(t, http.MethodPut, "/api/v1/policy", admin, string(text)); status != http.StatusOK {
		t.Fatalf("the policy answers %d: %s", status, body)
	}
	board(http.StatusForbidden)
	// The commands know the roles in force.
	must(t, dir, "correct horse battery", "staff", "create", "--name", "hal", "--role", "helper", "--password-stdin")
	key("helping", "helper")
	refused(t, dir, "", misuse, "helper", "staff", "role", "hal", "boss")
	must(t, dir, "", "staff", "role", "hal", "moderator")
	must(t, dir, "", "staff", "role", "hal", "helper")
	must(t, dir, "", "staff", "role", "hal", "general") // a role goes only when nobody has it
	must(t, dir, "", "key", "revoke", "helping")
	if status, body := there.call(t, http.MethodPost, "/api/v1/policy/restore", admin,
		`{"reason": "The holiday is over."}`); status != http.StatusOK {
		t.Fatalf("the restored policy answers %d: %s", status, body)
	}
	board(http.StatusOK)
	eventually(t, "both processes listen again", func() bool { return listeners(t, dir, "pid") == 2 })
}

// listeners selects a column of the connections that listen to notifications, and
// returns their number.
func listeners(t *testing.T, dir, column string) int {
	t.Helper()
	// It stands beside the server's programs, without which no test here runs.
	programs, err := filepath.Glob("/usr/lib/postgresql/*/bin/psql")
	if err != nil || len(programs) == 0 {
		t.Fatalf("there is no psql to end a connection with: %v", err)
	}
	out, err := exec.Command(programs[0], "-At", "-h", filepath.Join(dir, "run"), "-U", "treewarden", "-d", "treewarden",
		"-c", "SELECT "+column+" FROM pg_stat_activity WHERE query LIKE 'LISTEN %'").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return len(strings.Fields(string(out)))
}
