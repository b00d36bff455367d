package admin

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/cases"
	"treewarden/store/storetest"
)

// The cases of newWaiting: the new ones have two reporters, the old ones have one.
const newCases, oldCases = 10, 45

// newWaiting returns a server with more cases than a trial shows. As shipped, the
// weights put the new cases first; onlyAge puts the old ones first.
func newWaiting(t *testing.T) *Server {
	t.Helper()
	s := storetest.New(t)
	author, raters := storetest.User(t, s, "Author"), [2]string{}
	for i := range raters {
		raters[i] = storetest.User(t, s, fmt.Sprint("Rater ", i)).String()
	}
	report := `INSERT INTO reports (tree_id, message_id, user_id, reason, at) VALUES ($1, $1, $2, 'spam', $3)`
	for i := range newCases + oldCases {
		message, at := storetest.Tree(t, s, storetest.Node{Author: author, Text: "a secret text"})[0], time.Now()
		if i >= newCases {
			at = at.Add(-10 * 24 * time.Hour)
		} else {
			storetest.Exec(t, s, report, message, raters[1], at)
		}
		storetest.Exec(t, s, report, message, raters[0], at)
	}
	if err := s.RebuildScores(t.Context()); err != nil {
		t.Fatal(err)
	}
	return newServer(t, s)
}

var onlyAge = map[string]any{"author_score": 0, "reporters": 0, "toxicity": 0, "age": 1}

// reportersOfFirst returns the number of reporters of the first case of the queue.
func reportersOfFirst(c *client) int {
	c.t.Helper()
	var list store.List[store.Case]
	c.get(apiPrefix + "/queue?limit=1").want(200).json(&list)
	if len(list.Items) != 1 {
		c.t.Fatalf("%d cases, want one", len(list.Items))
	}
	return list.Items[0].Reporters
}

// checkLog checks that the log is whole and that the state is what it says, save the
// roles of the test's accounts.
func checkLog(t *testing.T, s *store.Store) {
	t.Helper()
	_, differences, err := s.VerifyLog(t.Context(), nil)
	if err != nil {
		t.Error(err)
	}
	for _, difference := range differences {
		if !strings.Contains(difference, " has the role ") {
			t.Errorf("the log and the state: %s", difference)
		}
	}
}

// TestPriorityByAPI tries, saves and undoes weights by the API: the queue's order
// changes with the next request, also in another process.
func TestPriorityByAPI(t *testing.T) {
	t.Parallel()
	server := newWaiting(t)
	moderator, lead := staff(t, server, policy.Moderator), staff(t, server, policy.DataLead)
	admin := staff(t, server, policy.Admin)
	elsewhere := signedIn(t, newServer(t, storetest.Another(t, server.store)),
		storetest.Staff(t, server.store, policy.Moderator))
	var told store.QueuePriority
	moderator.get(apiPrefix + "/queue/priority").want(200).json(&told)
	if told.Version != 1 || len(told.Earlier) != 0 || !told.Same(scoring.DefaultPriority) {
		t.Fatalf("%+v", told)
	}
	if n := [2]int{reportersOfFirst(moderator), reportersOfFirst(elsewhere)}; n != [2]int{2, 2} {
		t.Fatalf("the first cases have %v reporters, want 2", n)
	}
	save := map[string]any{"weights": onlyAge, "version": 1, "note": "only the age counts"}
	refused := moderator.send(put, apiPrefix+"/queue/priority", save).want(403)
	if !strings.Contains(string(refused.body), "scoring.save") {
		t.Errorf("a moderator who saves is told %s", refused.body)
	}
	done := lead.send(put, apiPrefix+"/queue/priority", save).want(200)
	actionShape.check(t, "the action", done.field("action"))
	if done.field("action", "kind") != "set_priority" || done.field("priority", "version") != 2.0 ||
		done.field("action", "undoable") != true || done.field("priority", "weights", "age") != 1.0 ||
		done.field("action", "before", "priority", "weights", "reporters") != 8.0 ||
		done.field("action", "after", "priority", "weights", "reporters") != 0.0 {
		t.Errorf("%s", done.body)
	}
	if n := reportersOfFirst(moderator); n != 1 {
		t.Errorf("the first case has %d reporters by the new weights, want 1", n)
	}
	eventually(t, "the new weights in another process", func() bool { return reportersOfFirst(elsewhere) == 1 })
	if same := lead.send(put, apiPrefix+"/queue/priority", map[string]any{"weights": onlyAge,
		"reason": "once more"}).want(200); same.field("priority", "version") != 2.0 {
		t.Errorf("the same weights are a new version: %s", same.body)
	}
	late := lead.send(put, apiPrefix+"/queue/priority", save).want(409)
	if late.field("error", "version") != 2.0 || late.field("error", "action", "id") != done.field("action", "id") {
		t.Errorf("%s", late.body)
	}
	undo := fmt.Sprintf("%s/actions/%.0f/undo", apiPrefix, done.field("action", "id"))
	later := admin.send(put, apiPrefix+"/queue/priority", map[string]any{"weights": map[string]any{"age": 2},
		"reason": "more of it"}).want(200)
	if a := admin.send(post, undo, map[string]any{"reason": "not so"}).want(409); a.field("error", "action", "id") !=
		later.field("action", "id") {
		t.Errorf("the undo of a version that is not the last: %s", a.body)
	}
	admin.send(post, fmt.Sprintf("%s/actions/%.0f/undo", apiPrefix, later.field("action", "id")),
		map[string]any{"reason": "not so"}).want(200)
	admin.send(post, undo, map[string]any{"reason": "not so"}).want(200)
	admin.send(post, undo, map[string]any{"reason": "not so"}).want(409)
	if n := reportersOfFirst(moderator); n != 2 {
		t.Errorf("the first case has %d reporters after the undo, want 2", n)
	}
	eventually(t, "the undo in another process", func() bool { return reportersOfFirst(elsewhere) == 2 })
	moderator.get(apiPrefix + "/queue/priority").want(200).json(&told)
	if told.Version != 5 || len(told.Earlier) != 4 || !told.Same(scoring.DefaultPriority) || told.Note != "not so" {
		t.Errorf("after the undo: %+v", told)
	}
	if n := len(admin.get(apiPrefix + "/audit?kind=set_priority").want(200).field("items").([]any)); n != 2 {
		t.Errorf("the log finds %d changes, want 2", n)
	}
	if n := len(moderator.get(apiPrefix + "/audit?kind=set_priority").want(200).field("items").([]any)); n != 0 {
		t.Errorf("a moderator sees %d changes by others", n)
	}
	checkLog(t, server.store)
	for _, sql := range []string{"UPDATE priority_versions SET note = ''", "DELETE FROM priority_versions",
		"TRUNCATE priority_versions"} {
		if _, err := storetest.DB(t, server.store).Exec(t.Context(), sql); err == nil {
			t.Errorf("the database allows %s", sql)
		}
	}
}

// TestTryPriority checks what a trial answers: the first cases by either weights, with
// both places, and which enter and leave. A trial changes nothing.
func TestTryPriority(t *testing.T) {
	t.Parallel()
	server := newWaiting(t)
	c := staff(t, server, policy.Moderator)
	before := snapshot(t, server.store)
	answer := c.send(post, apiPrefix+"/queue/priority/try", map[string]any{"weights": onlyAge, "frame": "week"}).want(200)
	var trial cases.Trial
	answer.json(&trial)
	const moved = newCases + oldCases - 50
	if trial.Cases != newCases+oldCases || trial.Top != 50 || len(trial.Before) != 50 || len(trial.After) != 50 ||
		trial.Window != scoring.Week || len(trial.Entered) != moved || len(trial.Left) != moved ||
		trial.InForce.Version != 1 || trial.Tried.Version != 0 || trial.Tried.Weights["age"] != 1 {
		t.Fatalf("%.600s", answer.body)
	}
	if first := trial.Before[0]; first.RankBefore != 1 || first.RankAfter <= oldCases || first.Up() != 1-first.RankAfter ||
		*first.Author != "Author" || first.PriorityBefore.Parts[1].Points <= 0 || first.PriorityAfter.Parts[1].Points != 0 {
		t.Errorf("the first case by the weights in force: %+v", first)
	}
	for i, after := range trial.After {
		sum := 0.0
		for _, part := range after.PriorityAfter.Parts {
			sum += part.Points
		}
		if after.RankAfter != i+1 || sum != after.PriorityAfter.Points ||
			i > 0 && sum > trial.After[i-1].PriorityAfter.Points {
			t.Errorf("case %d by the tried weights: %+v", i, after)
		}
	}
	if strings.Contains(string(answer.body), "secret") || snapshot(t, server.store) != before {
		t.Error("a trial shows the text of a message, or wrote rows")
	}
	for body, field := range map[string]string{
		`{"weights": {"x": 1}}`: "weights.x", `{"weights": {"age": -101}}`: "weights.age", `{}`: "weights",
		`{"weights": {"age": 1}, "frame": "year"}`: "frame", `{"weights": {"age": "1"}}`: "weights",
		`{"weights": {"author_score": 0, "reporters": 0, "toxicity": 0, "age": 0}}`: "weights",
	} {
		if a := c.send(post, apiPrefix+"/queue/priority/try", body).want(422); a.field("error", "fields", field) == nil {
			t.Errorf("%s: %s is not named: %s", body, field, a.body)
		}
	}
	lead := staff(t, server, policy.DataLead)
	for body, field := range map[string]string{
		`{"weights": {"age": 1}}`:                                             "note",
		`{"weights": {"age": 1}, "reason": "x"}`:                              "reason",
		`{"weights": {"age": 1}, "reason": "for the test", "note": "for it"}`: "note",
		`{"weights": {"tox": 1}, "reason": "for the test"}`:                   "weights.tox",
	} {
		if a := lead.send(put, apiPrefix+"/queue/priority", body).want(422); a.field("error", "fields", field) == nil {
			t.Errorf("%s: %s is not named: %s", body, field, a.body)
		}
	}
}

// TestPriorityPage tries and saves weights by the page: it asks before it saves, says
// what enters and leaves, and loads an earlier version.
func TestPriorityPage(t *testing.T) {
	t.Parallel()
	server := newWaiting(t)
	moderator, lead := staff(t, server, policy.Moderator), staff(t, server, policy.DataLead)
	const weights = "weights[author_score]=0&weights[reporters]=0&weights[toxicity]=0&weights[age]=1"
	tried := moderator.get(priorityPath + "?try=1&frame=week&" + weights).want(200)
	text := tried.text("#trial")
	if !strings.Contains(text, "5 enter the first 50 cases, 5 leave.") || strings.Contains(text, "secret") ||
		tried.page().Find("#trial tbody tr").Length() != 55 || !strings.Contains(text, "Reporters 0 · Toxicity 0 · Age ") ||
		attr(tried.page().Find("#trial th a").First(), "href")[:7] != "/users/" {
		t.Errorf("the trial reads %.600s", text)
	}
	if tried.page().Find(`form[method="post"] button:contains("Save")`).Length() != 0 ||
		!strings.Contains(tried.text("#weights"),
			"lacks the permission scoring.save. Roles that hold it: data lead, admin.") ||
		tried.page().Find(`.nav a[href="`+priorityPath+`"][aria-current="page"]`).Length() != 1 {
		t.Errorf("a moderator reads %s", tried.text("#weights"))
	}
	values, _ := url.ParseQuery(weights)
	values.Set("version", "1")
	values.Set("note", "for the test")
	moderator.post(priorityPath, values).want(403)
	version := func() int {
		inForce, err := server.store.PriorityInForce(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return inForce.Version
	}
	selector := `form[action="` + priorityPath + `"]`
	stale := typedForm(t, lead.get(priorityPath).want(200), selector)
	asked := lead.post(priorityPath, values).want(200)
	if text := asked.text("#ask"); version() != 1 || !strings.Contains(text, "5 enter the first 50 cases, 5 leave.") {
		t.Errorf("version %d; the question is %q", version(), text)
	}
	form := typedForm(t, asked, selector)
	form.Set("sure", attr(asked.page().Find(`button[name="sure"]`), "value"))
	form.Set("weights[age]", "2")
	if lead.post(priorityPath, form).want(200); version() != 1 {
		t.Error("other weights than those of the question are saved")
	}
	form.Set("weights[age]", "1")
	lead.post(priorityPath, form).want(303)
	if version() != 2 {
		t.Errorf("version %d after the answer", version())
	}
	stale.Set("weights[toxicity]", "5")
	stale.Set("note", "for the test")
	conflict := lead.post(priorityPath, stale).want(409)
	again := typedForm(t, conflict, selector)
	if again.Get("weights[toxicity]") != "5" || again.Get("weights[reporters]") != "0" || again.Get("version") != "2" ||
		!strings.Contains(conflict.text("main"), "Changed the queue order") {
		t.Errorf("the form comes back with %v", again)
	}
	page := lead.get(priorityPath).want(200)
	if text := page.text("main"); !strings.Contains(text, "Reporters 8 → 0") {
		t.Errorf("the versions read %s", text)
	}
	loaded := lead.get(attr(page.page().Find(`.tools a:contains("version 1")`), "href")).want(200)
	if again := typedForm(t, loaded, selector); again.Get("weights[reporters]") != "8" ||
		again.Get("note") != "Back to version 1" {
		t.Errorf("version 1 is loaded as %v", again)
	}
	if text := lead.get(priorityPath + "?from=9").want(200).text("#weights"); !strings.Contains(text, "no version 9") {
		t.Errorf("a version that is not there: %s", text)
	}
	lead.post(priorityPath, url.Values{"weights[age]": {"x"}, "note": {"for the test"}}).want(422)
	checkLog(t, server.store)
}
