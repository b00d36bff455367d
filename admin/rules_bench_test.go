package admin

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// BenchmarkRequest measures a request by a key, whole and by the API, with the
// roles as they ship and with roles of a thousand rules. A rule is one permission
// of one role. The cost does not depend on the number of rules: compare the two
// of one run.
func BenchmarkRequest(b *testing.B) {
	for _, rules := range []int{0, 1000} {
		s := storetest.New(b)
		roles := slices.Clone(s.Policy().Roles())
		count := 0
		for _, role := range roles {
			count += len(role.Permissions)
		}
		moderator, _ := s.Policy().Role(policy.Moderator)
		for i := 0; count < rules; i++ {
			made := moderator
			made.Name, made.Title, made.Languages = fmt.Sprintf("made_%d", i), fmt.Sprintf("maker %d", i), []string{"de"}
			roles, count = append(roles, made), count+len(made.Permissions)
		}
		if rules > 0 {
			if _, err := s.ChangePolicy(b.Context(), store.CommandLine,
				store.PolicyChange{Roles: roles, Reason: "Many roles."}); err != nil {
				b.Fatal(err)
			}
		}
		key, err := s.CreateKey(b.Context(), store.CommandLine, "measured", policy.Moderator, nil)
		if err != nil {
			b.Fatal(err)
		}
		server := New(Config{Store: s, Log: slog.New(slog.DiscardHandler), Version: "test"})
		b.Run(fmt.Sprintf("rules=%d", count), func(b *testing.B) {
			for b.Loop() {
				r := httptest.NewRequest(http.MethodGet, apiPrefix+"/users?limit=1", nil)
				r.Header.Set("Authorization", "Bearer "+key)
				answer, err := server.app.Test(r, -1)
				if err != nil || answer.StatusCode != http.StatusOK {
					b.Fatalf("%v: %v", err, answer)
				}
				answer.Body.Close()
			}
		})
	}
}
