package admin

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// TestNothingTurnsItsDirection checks that pages show the texts of people
// beside messages (names, reasons, notes) in the order in which they were
// written. Otherwise "\u202enimda" would be shown as admin in the log.
func TestNothingTurnsItsDirection(t *testing.T) {
	t.Parallel()
	const turned = "\u202enimda"
	s := storetest.New(t)
	server := newServer(t, s)
	admin := storetest.Staff(t, s, policy.Admin)
	c := signedIn(t, server, admin)
	author, reporter := storetest.User(t, s, turned), storetest.User(t, s, turned+" too")
	messages := storetest.Tree(t, s, storetest.Node{Author: author, Text: turned,
		Replies: []storetest.Node{{Author: reporter}}})
	storetest.Report(t, s, messages[0], reporter, turned+" reports", time.Now())
	storetest.Report(t, s, messages[1], author, turned+" reports", time.Now())
	var ids []int64
	for _, act := range []store.Act{
		{Kind: "ban", Target: author, Reason: turned}, {Kind: "unban", Target: author, Reason: turned},
		{Kind: "delete", Target: messages[1], Reason: turned}, {Kind: "ban", Target: author, Reason: turned},
	} {
		outcome, err := s.Act(t.Context(), admin, act)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, outcome.Action.ID)
	}
	c.send(put, apiPrefix+"/scoring", map[string]any{"weights": map[string]any{"pii": 5}, "note": turned}).want(200)
	user := "/users/" + author.String()
	for _, path := range []string{"/", "/trollboard?status=all&open=" + author.String(), "/users", user, user +
		"?tab=given", user + "?tab=actions", user + "/unban", user + "/score",
		"/users/" + reporter.String() + "?tab=given", "/messages", "/messages/" + messages[0].String(), "/messages/" +
			messages[0].String() + "/delete", "/messages/" + messages[1].String(),
		"/trees", "/trees/" + messages[0].String(), "/audit", "/audit?actor=me", fmt.Sprintf("/actions/%d", ids[0]),
		fmt.Sprintf("/actions/%d", ids[2]), fmt.Sprintf("/actions/%d/undo", ids[3]), scoringPath, scoringPath +
			"?try=1&weights[spam_labels]=9"} {
		page := c.get(path).want(200).page()
		// Exceptions are the text of messages, which has a raw view, forms,
		// which hold stored values, and raw JSON.
		page.Find("pre, textarea, .text, table.changes").Remove()
		for _, element := range page.Find("body *").EachIter() {
			told := []string{element.Contents().Not("*").Text()}
			for _, a := range element.Nodes[0].Attr {
				if a.Key == "title" || a.Key == "aria-label" || a.Key == "alt" {
					told = append(told, a.Val)
				}
			}
			if text := strings.Join(told, " "); strings.ContainsFunc(text,
				func(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) }) {
				html, _ := element.Parent().Html()
				t.Errorf("%s turns its direction: %q in %.300q", path, text, html)
			}
		}
	}
}
