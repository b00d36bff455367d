package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/storetest"
)

// formulaForm returns the form of the page with some fields set.
func formulaForm(pairs ...string) url.Values {
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return form
}

// saveFormula sends the form and answers the question that comes back, if one does.
func saveFormula(c *client, form url.Values) answer {
	c.t.Helper()
	a := c.post(scoringPath, form)
	if a.status != 200 {
		return a
	}
	form.Set("sure", attr(a.page().Find(`button[name="sure"]`), "value"))
	return c.post(scoringPath, form)
}

// TestScoringTable checks which roles read, try and save the formula, by the
// API and on the page.
func TestScoringTable(t *testing.T) {
	t.Parallel()
	server := newServer(t, storetest.New(t))
	weight := 2.0
	for name, c := range callers(t, server) {
		weight++
		may := roleOf(name) != policy.Moderator
		c.get(apiPrefix + "/scoring").want(200)
		c.send(post, apiPrefix+"/scoring/try", map[string]any{"weights": map[string]any{"pii": weight}}).want(200)
		a := c.send(put, apiPrefix+"/scoring", map[string]any{"weights": map[string]any{"pii": weight},
			"note": "for the test"})
		if want := map[bool]int{true: 200, false: 403}[may]; a.status != want {
			t.Errorf("%s saves: %d, want %d", name, a.status, want)
		}
		if !may && a.field("error", "message") != "You may not save scoring weights: your role (moderator) lacks the "+
			"permission scoring.save." {
			t.Errorf("%s is told %s", name, a.body)
		}
		page := c.get(scoringPath).want(200)
		save := page.page().Find(`form[method="post"] button:contains("Save as new version")`).Length()
		if (save == 1) != may {
			t.Errorf("%s is offered %d buttons to save", name, save)
		}
		if why := strings.Contains(page.text("main"), "lacks the permission scoring.save. Roles that hold it: data lead, "+
			"admin."); why == may {
			t.Errorf("%s is told why not: %v", name, why)
		}
		if page.page().Find(`.nav a[href="`+scoringPath+`"][aria-current="page"]`).Length() != 1 {
			t.Errorf("%s finds no way to the page", name)
		}
		weight++
		if a := saveFormula(c, formulaForm("weights[pii]", fmt.Sprint(weight), "note",
			"for the test")); a.status != map[bool]int{true: 303, false: 403}[may] {
			t.Errorf("%s saves by the form: %d", name, a.status)
		}
	}
}

// TestSmallWeights checks that pages show weights exactly: a rounded weight
// would look unchanged.
func TestSmallWeights(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	c := staff(t, server, policy.Admin)
	author, messages := thread(t, s)
	storetest.React(t, s, messages[0], storetest.User(t, s, "Ann"), "red_flag", time.Now())
	c.send(put, apiPrefix+"/scoring", map[string]any{"weights": map[string]any{"red_flags": 0.001, "upvotes": -0.125},
		"note": "for the test"}).want(200)
	text := c.get(scoringPath + "?weights[red_flags]=2").want(200).text("main")
	for _, want := range []string{"3 → 0.001", "−1 → −0.125", "current 0.001"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page of formulas lacks %q", want)
		}
	}
	user := "/users/" + author.String()
	for _, path := range []string{user + "?open=figures", user + "/score?frame=total"} {
		if text := c.get(path).want(200).text("main"); !strings.Contains(text, "× 0.001") {
			t.Errorf("%s lacks the weight: %s", path, text)
		}
	}
}

// TestScoringAPI saves by the API with the right and a wrong version, and
// undoes.
func TestScoringAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := staff(t, w.server, policy.Admin)
	var told store.Scoring
	admin.get(apiPrefix + "/scoring").want(200).json(&told)
	if told.Version != 1 || told.Name != "treewarden" || len(told.Earlier) != 0 ||
		told.Fixed[0].Name != "open-assistant" || !told.Same(scoring.Treewarden) {
		t.Fatalf("%+v", told)
	}
	weights := map[string]float64{}
	for signal, weight := range told.Weights {
		weights[string(signal)] = weight
	}
	weights["red_flags"] = 7
	done := admin.send(put, apiPrefix+"/scoring", map[string]any{"weights": weights, "toxic_from": 0.75, "version": 1,
		"reason": "red flags count"}).want(200)
	shape{"action": "object", "affected": "object", "formula": "object"}.check(t, "saving", done.field())
	actionShape.check(t, "the action", done.field("action"))
	if done.field("action", "kind") != "set_formula" || done.field("formula", "version") != 2.0 ||
		done.field("action", "undoable") != true ||
		done.field("action", "before", "formula", "weights", "red_flags") != 3.0 ||
		done.field("action", "after", "formula", "toxic_from") != 0.75 {
		t.Errorf("%s", done.body)
	}
	late := admin.send(put, apiPrefix+"/scoring", map[string]any{"weights": weights,
		"version": 1, "note": "too late"}).want(409)
	if late.field("error", "version") != 2.0 || late.field("error", "action", "id") != done.field("action", "id") {
		t.Errorf("%s", late.body)
	}
	for body, fields := range map[string][]string{
		`{"weights": {"red_flag": 1, "pii": 1000}, "toxic_from": 3, "note": "ab"}`: {"weights.red_flag",
			"weights.pii", "toxic_from", "note"},
		`{"weights": {"pii": "1"}, "note": "for the test"}`:                   {"weights"},
		`{"weights": {"pii": 1e999}, "note": "for the test"}`:                 {"weights"},
		`{"weights": {"pii": null}, "note": "for the test"}`:                  {"weights"},
		`{"weights": {"pii": 1}}`:                                             {"note"},
		`{"weights": {"pii": 1}, "reason": "x"}`:                              {"reason"},
		`{"weights": {"pii": 1}, "reason": "for the test", "note": "for it"}`: {"note"},
		`{"weight": {"pii": 1}, "note": "for the test"}`:                      {"weight"},
	} {
		a := admin.send(put, apiPrefix+"/scoring", body).want(422)
		for _, field := range fields {
			if a.field("error", "fields", field) == nil {
				t.Errorf("%s: %s is not named: %s", body, field, a.body)
			}
		}
	}
	for body, field := range map[string]string{`{"weights": {"x": 1}}`: "weights.x",
		`{"weights": {"pii": -101}}`: "weights.pii", `{"toxic_from": -1}`: "toxic_from",
		`{"weights": {}, "frame": "year"}`: "frame", `{}`: "weights"} {
		if a := w.mod.send(post, apiPrefix+"/scoring/try", body).want(422); a.field("error", "fields", field) == nil {
			t.Errorf("%s: %s is not named: %s", body, field, a.body)
		}
	}
	undo := admin.send(post, fmt.Sprintf("%s/actions/%.0f/undo", apiPrefix, done.field("action", "id")),
		map[string]any{"reason": "not so"}).want(200)
	admin.get(apiPrefix + "/scoring").want(200).json(&told)
	if undo.field("action", "kind") != "undo" || told.Version != 3 || !told.Same(scoring.Treewarden) ||
		len(told.Earlier) != 2 {
		t.Errorf("after the undo: %+v", told)
	}
	if n := len(admin.get(apiPrefix + "/audit?kind=set_formula").want(200).field("items").([]any)); n != 1 {
		t.Errorf("the log finds %d changes of the formula", n)
	}
	if _, err := w.store.VerifyChain(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestTryAnswers checks the answer of a trial, and that a trial changes
// nothing.
func TestTryAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := snapshot(t, w.store)
	a := w.mod.send(post, apiPrefix+"/scoring/try", map[string]any{"weights": map[string]any{"downvotes": 50},
		"frame": "total"}).want(200)
	shape{"users": "int", "known_trolls": "int", "left_out": "list", "old": "object", "new": "object", "entered": "list",
		"left": "list", "moved": "list", "auc_difference": "number?", "as_of": "time", "resamples": "int"}.check(t,
		"a trial", a.field())
	for _, side := range []string{"old", "new"} {
		shape{"auc": "number", "auc_interval": "list", "precision": "object",
			"precision_interval": "object"}.check(t, side, a.field(side))
		for _, depth := range []string{"20", "50", "100"} {
			if _, ok := a.field(side, "precision", depth).(float64); !ok {
				t.Errorf("%s: there is no precision at %s: %s", side, depth, a.body)
			}
		}
	}
	// Ann had a message deleted and another rejected, Bob is banned, Eve did nothing.
	if a.field("users") != 3.0 || a.field("known_trolls") != 1.0 || a.field("tried", "weights", "downvotes") != 50.0 ||
		fmt.Sprint(a.field("left_out")) != "[spam_prompts rejected deleted]" {
		t.Errorf("%s", a.body)
	}
	w.mod.get(scoringPath + "?try=1&weights[downvotes]=50").want(200)
	if after := snapshot(t, w.store); after != before {
		t.Error("a trial wrote rows")
	}
}

// TestScoringPage tries, saves, saves too late, and goes back, by forms alone.
func TestScoringPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lead, admin := staff(t, w.server, policy.DataLead), staff(t, w.server, policy.Admin)
	input := func(a answer, name string) string { return attr(a.page().Find(`input[name="`+name+`"]`), "value") }

	tried := lead.get(scoringPath + "?try=1&frame=month&note=a+thought&weights[downvotes]=50").want(200)
	if input(tried, "weights[downvotes]") != "50" || input(tried, "weights[red_flags]") != "3" ||
		input(tried, "note") != "a thought" || tried.page().Find(`#frame option[selected]`).AttrOr("value", "") != "month" {
		t.Error("a trial loses what was typed")
	}
	if text := tried.text("#trial"); !strings.Contains(text, "Trial, Monthly") ||
		!strings.Contains(text, "3 users of the board, 1 sanctioned user") ||
		!strings.Contains(text, "spam prompts, rejected replies, deleted by staff) are left out") ||
		!strings.Contains(text, "AUC") || !strings.Contains(text, "Precision at 100") {
		t.Errorf("the trial says %s", text)
	}

	for _, c := range []struct {
		form  url.Values
		field string
		why   string
	}{
		{formulaForm("weights[pii]", "4", "note", "ab"), "note", "3 to 500"},
		{formulaForm("weights[pii]", "101", "note", "for the test"), "weights[pii]", "from −100 to 100"},
		{formulaForm("weights[pii]", "many", "note", "for the test"), "weights[pii]", "Give a number"},
		{formulaForm("weights[pii]", "", "note", "for the test"), "weights[pii]", "Give a number"},
		{formulaForm("toxic_from", "1.5", "note", "for the test"), "toxic_from", "from 0 to 1"},
	} {
		a := lead.post(scoringPath, c.form).want(422)
		field := a.page().Find(`input[name="` + c.field + `"]`)
		if attr(field, "aria-invalid") != "true" || !strings.Contains(a.text("#"+attr(field, "aria-describedby")), c.why) ||
			attr(field, "value") != c.form.Get(c.field) {
			t.Errorf("%v: beside %s stands %q", c.form, c.field, a.text("#"+attr(field, "aria-describedby")))
		}
		if input(a, "note") != c.form.Get("note") {
			t.Errorf("%v: the note is lost", c.form)
		}
	}
	if text := lead.post(scoringPath, formulaForm("weights[x]", "1", "note",
		"for the test")).want(422).text(".notice.error"); !strings.Contains(text, "There is no signal of this name") {
		t.Errorf("an unknown signal: %q", text)
	}

	saved := saveFormula(lead, formulaForm("version", "1", "weights[pii]", "4", "weights[downvotes]", "0.5",
		"toxic_from", "0.6", "note", "Private data is worse")).want(303)
	page := lead.get(saved.header.Get("Location")).want(200)
	if !strings.Contains(page.text(".toast"), "Changed the formula treewarden") || input(page, "weights[pii]") != "4" ||
		input(page, "version") != "2" {
		t.Errorf("after saving: %s", page.text("main"))
	}
	if row := page.text("tbody tr:contains('Private data is worse')"); !strings.Contains(row, "Current") ||
		!strings.Contains(row, "Personal data 1 → 4") || !strings.Contains(row, "Downvotes 1 → 0.5") ||
		!strings.Contains(row, "Toxicity threshold 0.5 → 0.6") {
		t.Errorf("the version's row says %s", row)
	}
	late := admin.post(scoringPath, formulaForm("version", "1", "weights[pii]", "9", "note", "at the same time")).want(409)
	if input(late, "weights[pii]") != "9" || input(late, "note") != "at the same time" || input(late, "version") != "2" ||
		!strings.Contains(late.text(".notice"), "Somebody changed this") {
		t.Errorf("a late one sees %s", late.text("main"))
	}

	back := attr(page.page().Find(`.table a:contains("Load")`), "href")
	form := admin.get(back).want(200)
	if input(form, "weights[pii]") != "1" || input(form, "toxic_from") != "0.5" ||
		input(form, "note") != "Back to version 1" || !strings.Contains(form.text(".notice"), "weights of version 1") {
		t.Errorf("%s shows %s", back, form.text("main"))
	}
	fields := url.Values{}
	for _, field := range form.page().Find(`form[action="` + scoringPath + `"] input`).EachIter() {
		fields.Set(attr(field, "name"), attr(field, "value"))
	}
	to := saveFormula(admin, fields).want(303).header.Get("Location")
	formula, err := w.store.FormulaNamed(t.Context(), "")
	if err != nil || formula.Version != 3 || !formula.Same(scoring.Treewarden) || formula.Note != "Back to version 1" {
		t.Errorf("back at %+v, %v", formula, err)
	}
	undo := admin.get(to).want(200).page().Find(".toast form")
	action := attr(undo, "action")
	admin.get(strings.TrimSuffix(action, "/undo")).want(200)
	admin.post(action, url.Values{"reason": {"Undone right after it was done"}, "return": {scoringPath}}).want(303)
	if formula, err = w.store.FormulaNamed(t.Context(), ""); err != nil || formula.Version != 4 ||
		formula.Weights[scoring.PII] != 4 {
		t.Errorf("after the undo: %+v, %v", formula, err)
	}
	if text := admin.get(scoringPath + "?from=77").want(200).text(".notice"); !strings.Contains(text, "no version 77") {
		t.Errorf("a version that is not there: %q", text)
	}
	if same := admin.post(scoringPath, formulaForm("weights[pii]", "4", "note",
		"nothing new")).want(303); !strings.Contains(same.header.Get("Location"), "notice=nothing") {
		t.Errorf("nothing new leads to %s", same.header.Get("Location"))
	}
}

// TestBoardFollowsTheFormula checks that pages and the API use the version in
// force.
func TestBoardFollowsTheFormula(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	storetest.React(t, w.store, w.prompt, storetest.User(t, w.store, "Witness"), "red_flag", time.Now())
	score := func() any {
		return w.mod.get(apiPrefix + "/users/" + w.user.String() + "/score").want(http.StatusOK).field("score")
	}
	before, _ := score().(float64)
	staff(t, w.server, policy.Admin).send(put, apiPrefix+"/scoring",
		map[string]any{"weights": map[string]any{"red_flags": 13}, "note": "for the test"}).want(200)
	if after := score(); after != before+10 {
		t.Errorf("the score went from %v to %v", before, after)
	}
	var board store.Board
	w.mod.get(apiPrefix + "/trollboard").want(200).json(&board)
	if board.Items[0].UserID != w.user || board.Items[0].Score != before+10 || board.Formula != "treewarden" {
		t.Errorf("%+v", board.Items[0])
	}
}
