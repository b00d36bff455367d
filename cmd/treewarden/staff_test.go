package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// TestStaffAndContributorsOfOneName ingests contributors with the names of staff: the
// commands mean the account, and ask before a contributor becomes staff (fault 47).
func TestStaffAndContributorsOfOneName(t *testing.T) {
	t.Parallel()
	dir := usedDir(t)
	s := start(t, dir, "serve")
	key := strings.TrimSpace(must(t, dir, "", "key", "create", "--name", "front end", "--role", "collector"))
	contributor := func(n int, name, display string) string {
		t.Helper()
		id := fmt.Sprintf("00000000-0000-4000-8000-%012d", n)
		line, err := json.Marshal(map[string]string{"type": "user", "id": id, "user_id": id, "auth_method": "local",
			"username": name, "display_name": display})
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.address+"/api/v1/ingest",
			bytes.NewReader(line))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("Content-Type", "application/x-ndjson")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		var taken struct{ Accepted int }
		if err := json.NewDecoder(answer.Body).Decode(&taken); err != nil || taken.Accepted != 1 {
			t.Fatalf("the contributor %s was not taken in: %d %v", name, answer.StatusCode, err)
		}
		return id
	}
	ada := contributor(1, "ada", "Ada Contributes")
	refused(t, dir, "", failed, "Ada Contributes", "staff", "role", "ada", "admin")
	refused(t, dir, "", failed, "--yes", "staff", "role", "ada", "admin")
	refused(t, dir, "another horse battery", failed, "staff list", "staff", "password", "ada", "--password-stdin")
	if got := must(t, dir, "", "staff", "list"); strings.Contains(got, "ada") {
		t.Errorf("a contributor became staff:\n%s", got)
	}
	must(t, dir, "correct horse battery\n", "staff", "create", "--name", "ada", "--role", "moderator", "--password-stdin")
	if got := must(t, dir, "", "staff", "role", "ada", "admin"); !strings.HasPrefix(got, "ada is admin now") ||
		strings.Contains(got, ada) {
		t.Errorf("the wrong one became an admin: %s", got)
	}
	// The contributor of the name gets no account by it, even when it is said so.
	refused(t, dir, "", failed, "name", "staff", "role", ada, "moderator", "--yes")

	uma := contributor(2, "uma", "Uma")
	refused(t, dir, "", failed, "no role to lose", "staff", "role", "uma", "general")
	if got := must(t, dir, "", "staff", "role", "uma", "moderator", "--yes"); !strings.Contains(got, uma) {
		t.Errorf("the command does not say whom it changed: %s", got)
	}
	contributor(3, "eva1", "Eva")
	eva := contributor(4, "eva2", "Eva")
	refused(t, dir, "", failed, eva, "staff", "role", "Eva", "moderator", "--yes")
	must(t, dir, "", "staff", "role", eva, "moderator", "--yes")
	s.end(t, syscall.SIGTERM)
}
