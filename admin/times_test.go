package admin

import (
	"net/url"
	"testing"
	"time"

	"treewarden/policy"
	"treewarden/store/storetest"
)

// notTimes lists texts that look like a time with a zone and are none.
var notTimes = []string{
	"2027-01-01T00:00:00+24:00", "2027-01-01T00:00:00+24:59", "2027-01-01T00:00:00-24:00", "2027-01-01T00:00:00+99:00",
	"2027-01-01T00:00:00+14:60", "2027-01-01T00:00:00+1400", "2027-01-01T00:00:00,5Z", "2027-01-01T0:00:00Z",
	"2027-01-01T24:00:00Z", "2027-01-01T00:60:00Z", "2027-02-30T00:00:00Z", "2027-13-01T00:00:00Z",
	"9999-12-31T23:59:59-00:01", "10000-01-01T00:00:00Z", "-2027-01-01T00:00:00Z", "0000-12-31T00:00:00Z",
	"2027-01-01T00:00:00.Z", "2027-01-01T00:00:00Z ", "２０２７-01-01T00:00:00Z",
	"2027-01-01T00:00:00+00:00Z", "tomorrow",
}

// TestEndOfABanIsATime (fault 2): what is no time, has no zone, has passed or
// lies beyond the year 9999 is refused by its field, in a preview too.
func TestEndOfABanIsATime(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	key := program(t, server, policy.Moderator)
	path := "/api/v1/users/" + storetest.User(t, s, "Mallory").String() + "/ban"
	wrong := append([]string{"", "2027-01-01", "2999-01-01T00:00:00", "2999-01-01T00:00Z:00", "2020-01-01T00:00:00Z",
		time.Now().Add(-time.Second).UTC().Format(time.RFC3339)}, notTimes...)
	for _, until := range wrong {
		for _, preview := range []bool{true, false} {
			a := key.send("POST", path, map[string]any{"reason": "a test", "until": until, "preview": preview}).want(422)
			if a.field("error", "fields", "until") == nil {
				t.Errorf("until %q: %s", until, a.body)
			}
		}
	}
	for _, until := range []any{1893456000, true, map[string]any{}} {
		a := key.send("POST", path, map[string]any{"reason": "a test", "until": until}).want(422)
		if a.field("error", "fields", "until") == nil {
			t.Errorf("until %v: %s", until, a.body)
		}
	}
	for until, want := range map[string]string{
		"9999-12-31T23:59:59Z":             "9999-12-31T23:59:59Z",
		"2999-01-01T00:00:00+14:00":        "2998-12-31T10:00:00Z",
		"2999-01-01T00:00:00-23:59":        "2999-01-01T23:59:00Z",
		"2999-01-01T00:00:00.25Z":          "2999-01-01T00:00:00.25Z",
		"2999-01-01 00:00:00+00:00":        "2999-01-01T00:00:00Z",
		"9999-12-31T23:59:59.999999+00:00": "9999-12-31T23:59:59.999999Z",
	} {
		user := "/api/v1/users/" + storetest.User(t, s, "Mallory").String()
		key.send("POST", user+"/ban", map[string]any{"reason": "a test", "until": until}).want(200)
		if got := key.get(user).want(200).field("ban", "until"); got != want {
			t.Errorf("until %q became %v, want %v", until, got, want)
		}
	}
}

// TestTimesThatAreNone (fault 2): forms, queries and other bodies refuse them too.
func TestTimesThatAreNone(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	c, admin := staff(t, server, policy.Moderator), program(t, server, policy.Admin)
	user := "/users/" + storetest.User(t, s, "Mallory").String()
	for _, text := range notTimes {
		form := url.Values{"reason": {"a test"}, "for": {"date"}, "until": {text}}
		if a := c.post(user+"/ban", form); a.status != 422 || a.page().Find("#act-until[aria-invalid]").Length() == 0 {
			t.Errorf("the form took %q: %d", text, a.status)
		}
		query := url.QueryEscape(text)
		for _, address := range []string{"/api/v1/messages?since=", "/api/v1/messages?until=", "/api/v1/audit?since=",
			"/api/v1/audit?until=", "/messages?since=", "/audit?until="} {
			if a := admin.get(address + query); a.status != 400 {
				t.Errorf("%s%s: %d", address, text, a.status)
			}
		}
		a := admin.send("POST", "/api/v1/keys", map[string]any{
			"name": "a key", "role": "collector", "expires": text, "reason": "a test"})
		if a.status != 422 || a.field("error", "fields", "expires") == nil {
			t.Errorf("a key that expires %q: %d %s", text, a.status, a.body)
		}
		a = admin.send("POST", "/api/v1/samples", map[string]any{"of": "decisions", "since": text})
		if a.status != 422 || a.field("error", "fields", "since") == nil {
			t.Errorf("a sample since %q: %d %s", text, a.status, a.body)
		}
	}
}
