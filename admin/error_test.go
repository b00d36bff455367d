package admin

import (
	"net/http"
	"strings"
	"testing"

	"treewarden/policy"
	"treewarden/store/storetest"
)

// TestErrorsNameFieldsForPeople checks that the message of an error is a
// sentence for people. The names for programs are in fields.
func TestErrorsNameFieldsForPeople(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	c := program(t, newServer(t, s), policy.Admin)
	user := storetest.User(t, s, "Cleo").String()
	for _, test := range []struct{ method, path, body, message, field string }{
		{"PATCH", "/users/" + user, `{"display_name": " "}`, "Display name: A display name has at least one visible " +
			"character, and at most 256 in all.", "display_name"},
		{"PATCH", "/users/" + user, `{"display_name": {}}`,
			"Display name: is an object, and must be a string", "display_name"},
		{"PATCH", "/users/" + user, `{"show_on_leaderboard": 1}`, "Show on leaderboard: is a number, and must be true or " +
			"false", "show_on_leaderboard"},
		{"PATCH", "/users/" + user, `{"version": 1.5}`, "Version: must be a whole number", "version"},
		{"PATCH", "/users/" + user, `{"version": 99999999999999999999}`, "Version: must be a whole number", "version"},
		{"POST", "/scoring/try", `{"weights": {"red_flags": 1000}}`,
			"Weights, red flags: A weight is a number from −100 to 100.", "weights.red_flags"},
		{"POST", "/scoring/try", `{"weights": {"red_flags": 1e400}}`, "Weights: is a number beyond all measure", "weights"},
		{"POST", "/scoring/try", `{"weights": [1]}`, "Weights: is an array, and must be an object", "weights"},
	} {
		var answer struct {
			Error struct {
				Message string
				Fields  map[string]string
			}
		}
		c.do(test.method, apiPrefix+test.path, strings.NewReader(test.body),
			"application/json").want(http.StatusUnprocessableEntity).json(&answer)
		if answer.Error.Message != test.message || answer.Error.Fields[test.field] == "" {
			t.Errorf("%s: %q, fields %q; want %q beside %s",
				test.body, answer.Error.Message, answer.Error.Fields, test.message, test.field)
		}
	}
	// The parameters of a query keep their names, because people see them in
	// the address.
	if message := c.get("/api/v1/trees?limit=0").want(http.StatusBadRequest).field("error",
		"message"); message != "Wrong in the query: limit: must be at least 1." {
		t.Errorf("of a query: %q", message)
	}
}
