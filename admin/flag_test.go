package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// TestFiveReportsOfOnePersonAreOne lets one person flag a message and report it five
// times, and checks that the board, the score, the message, the home page and the
// reporter's page show one report with five reasons and one red flag; also when the
// reports were decided one by one.
func TestFiveReportsOfOnePersonAreOne(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	boss := storetest.Staff(t, s, policy.Moderator)
	moderator := signedIn(t, server, boss)
	author := storetest.User(t, s, "Author")
	id := storetest.Tree(t, s, storetest.Node{Author: author, Text: "a text"})[0].String()
	message, reporter := "/messages/"+id, "/users/"+boss.UserID.String()
	moderator.send("POST", "/api/v1"+message+"/reactions", map[string]any{"emoji": "red_flag", "op": "add"}).want(200)
	var reasons []string
	report := func() {
		reasons = append(reasons, fmt.Sprintf("reason %d", len(reasons)+1))
		moderator.send("POST", "/api/v1"+message+"/report", map[string]any{"reason": reasons[len(reasons)-1]}).want(200)
	}
	check := func(open float64) {
		t.Helper()
		var board struct {
			Items []store.BoardRow `json:"items"`
		}
		moderator.get("/api/v1/trollboard").want(http.StatusOK).json(&board)
		if len(board.Items) != 1 || board.Items[0].RedFlags != 1 || board.Items[0].Score != 3 {
			t.Errorf("the board: %+v", board.Items)
		}
		var score store.Score
		moderator.get("/api/v1/users/" + author.String() + "/score").want(http.StatusOK).json(&score)
		if score.Parts[0].Count != 1 || len(score.Evidence["red_flags"]) != 1 {
			t.Errorf("the score: %+v", score)
		}
		a := moderator.get("/api/v1" + message).want(http.StatusOK)
		var detail store.MessageDetail
		a.json(&detail)
		if len(detail.Reports) != 1 || !slices.Equal(strings.Split(detail.Reports[0].Reason, "\n"), reasons) {
			t.Errorf("the message: %+v", detail.Reports)
		}
		if a.field("open_reports") != open {
			t.Errorf("%v open reports, want %v", a.field("open_reports"), open)
		}
		if n := moderator.get(message).want(http.StatusOK).page().Find(".report-reason").Length(); n != 1 {
			t.Errorf("the page of the message shows %d reports", n)
		}
		home := moderator.get("/").want(http.StatusOK).page()
		if n := home.Find("section[aria-labelledby=reports-title] .reasons li").Length(); n != int(open) {
			t.Errorf("the home page shows %d reports", n)
		}
		var given store.List[store.Feedback]
		moderator.get("/api/v1" + reporter + "/given").want(http.StatusOK).json(&given)
		if len(given.Items) != 2 || !slices.ContainsFunc(given.Items, func(g store.Feedback) bool {
			return g.Kind == "report" && slices.Equal(strings.Split(g.Reason, "\n"), reasons)
		}) {
			t.Errorf("what was given: %+v", given.Items)
		}
		var user store.UserDetail
		moderator.get("/api/v1" + reporter).want(http.StatusOK).json(&user)
		if n := user.Stats["total"].ReportsGiven; n != 1 {
			t.Errorf("%d reports given", n)
		}
	}
	for range 5 {
		report()
		check(1)
	}
	uphold := func() { storetest.Exec(t, s, "UPDATE reports SET status = 'upheld'") }
	uphold()
	check(0)
	report()
	uphold()
	check(0)
}
