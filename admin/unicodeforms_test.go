package admin

import (
	"net/url"
	"testing"
	"time"

	"golang.org/x/text/unicode/norm"

	"treewarden/policy"
	"treewarden/store/storetest"
)

// TestSearchFindsBothUnicodeForms (fault 16): a name or a text is found in its
// composed and in its decomposed form, whichever was typed, and stays as it came.
func TestSearchFindsBothUnicodeForms(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	key := program(t, server, policy.Admin)
	count := func(address string) int {
		t.Helper()
		return len(key.get("/api/v1" + address).want(200).field("items").([]any))
	}
	// The last one is neither form: ê with a dot below.
	for _, word := range []string{"José", "Zoë Müller", "한국어", "Йогурт", "Å", "Vi\u00ea\u0323t"} {
		composed, decomposed := norm.NFC.String(word), norm.NFD.String(word)
		names := []string{composed + " the first", decomposed + " the second", word + " the third"}
		var messages []map[string]any
		for _, name := range names {
			user := storetest.User(t, s, name)
			tree := storetest.Tree(t, s, storetest.Node{Author: user, Text: "Dear " + name})
			storetest.React(t, s, tree[0], storetest.User(t, s, "a rater"), "-1", time.Now().Add(-time.Minute))
			if got := key.get("/api/v1/users/" + user.String()).want(200).field("display_name"); got != name {
				t.Errorf("%q is stored as %q", name, got)
			}
			messages = append(messages, map[string]any{"message_id": tree[0]})
		}
		list := key.send("POST", "/api/v1/lists", map[string]any{"name": decomposed, "kind": "bad"}).want(200).
			field("list_id").(string)
		key.send("POST", "/api/v1/lists/"+list+"/items", map[string]any{"items": messages}).want(200)
		for _, typed := range []string{composed, decomposed, word} {
			q := url.QueryEscape(typed)
			for address, want := range map[string]int{
				"/users?q=" + q: 3, "/trollboard?q=" + q: 3, "/messages?q=" + q: 3, "/lists?q=" + q: 1,
				"/lists/" + list + "/items?q=" + q: 3, "/users?q=" + q + "+the+sec": 1, "/trollboard?q=" + q + "+the+sec": 1,
			} {
				if got := count(address); got != want {
					t.Errorf("%s for %+q: %d, want %d", address, typed, got, want)
				}
			}
		}
	}
	// A name in full, of somebody in the log.
	for _, stored := range []string{"Renée", norm.NFD.String("Zoé")} {
		actor := storetest.Staff(t, s, policy.Moderator)
		storetest.Exec(t, s, "UPDATE users SET display_name = $1 WHERE user_id = $2", stored, actor.UserID)
		for _, typed := range []string{norm.NFC.String(stored), norm.NFD.String(stored)} {
			key.get("/api/v1/audit?actor=" + url.QueryEscape(typed)).want(200)
			key.get("/api/v1/policy/why?permission=user.ban&user=" + url.QueryEscape(typed)).want(200)
		}
	}
	// Another accent is another letter, and a wildcard is none.
	for _, typed := range []string{"Josè", "Jos_é", "%é", "Zoê"} {
		for _, address := range []string{"/users?q=", "/trollboard?q=", "/messages?q="} {
			if got := count(address + url.QueryEscape(typed)); got != 0 {
				t.Errorf("%s%s finds %d", address, typed, got)
			}
		}
	}
}
