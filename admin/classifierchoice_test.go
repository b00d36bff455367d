package admin

import (
	"net/url"
	"strings"
	"testing"

	"treewarden/policy"
	"treewarden/store"
)

// TestClassifierChoice tries and saves which models count, by the API and on the page.
// The board, the explanation of a score and the versions say whose toxicity counts.
func TestClassifierChoice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := staff(t, w.server, policy.Admin)
	for model, toxicity := range map[string]float64{"detoxify": 0.25, "perspective": 0.75, "reward": 7} {
		if n := admin.send(post, apiPrefix+"/ingest", map[string]any{"type": "classifier_output", "id": "by " + model,
			"message_id": w.prompt, "model": model, "scores": map[string]float64{"toxicity": toxicity}}).want(200).field(
			"accepted"); n != 1.0 {
			t.Fatalf("%v outputs are accepted", n)
		}
	}
	input := func(a answer, name string) string { return attr(a.page().Find(`form [name="`+name+`"]`), "value") }
	want := func(by string, toxicity float64, beside string) {
		t.Helper()
		board := admin.get(apiPrefix + "/trollboard").want(200)
		var rows store.Board
		board.json(&rows)
		if board.field("toxicity_by") != by || *rows.Items[0].Toxicity != toxicity || rows.Items[0].UserID != w.user {
			t.Errorf("the board says %v: %+v", board.field("toxicity_by"), rows.Items[0])
		}
		page := admin.get(boardPath).want(200)
		if head := attr(page.page().Find("th:contains('Toxicity')"), "title"); !strings.Contains(head, by) ||
			!strings.Contains(page.text(".page-sub"), "Toxicity: "+by+".") {
			t.Errorf("the page says %q and %q", head, page.text(".page-sub"))
		}
		user := "/users/" + w.user.String()
		if said := admin.get(apiPrefix + user + "/score").want(200).field("toxicity_by"); said != by {
			t.Errorf("the score says %v", said)
		}
		sheet := admin.get(user + "/score?frame=total").want(200).text("main")
		if !strings.Contains(sheet, "Toxicity: "+by+".") || beside != "" && !strings.Contains(sheet, beside) ||
			beside == "" && strings.Contains(sheet, "toxicity 7") {
			t.Errorf("the explanation says %s", sheet)
		}
	}
	want("highest of all models", 0.75, "toxicity 75")
	for _, path := range []string{"/scoring", "/scoring/try"} {
		method := map[string]string{"/scoring": put, "/scoring/try": post}[path]
		body := map[string]any{"classifier": "detoxfy"}
		if path == "/scoring" {
			body["note"] = "for the test"
		}
		a := admin.send(method, apiPrefix+path, body).want(422)
		if why, _ := a.field("error", "fields", "classifier").(string); !strings.Contains(why, `no model "detoxfy"`) {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	tried := w.mod.send(post, apiPrefix+"/scoring/try", map[string]any{"classifier": "detoxify"}).want(200)
	if tried.field("tried", "classifier") != "detoxify" || tried.field("in_force", "classifier") != "" {
		t.Errorf("%s", tried.body)
	}
	want("highest of all models", 0.75, "toxicity 75")
	done := admin.send(put, apiPrefix+"/scoring",
		map[string]any{"classifier": "detoxify", "note": "one is enough"}).want(200)
	if done.field("action", "before", "formula", "classifier") != "" ||
		done.field("formula", "classifier") != "detoxify" {
		t.Errorf("%s", done.body)
	}
	want("detoxify", 0.25, "")

	page := admin.get(scoringPath).want(200)
	if input(page, "classifier") != "detoxify" || page.page().Find("#models option").Length() != 5 ||
		!strings.Contains(page.text("tbody tr:contains('one is enough')"), "Classifier highest of all models → detoxify") {
		t.Errorf("the page shows %s", page.text("main"))
	}
	wrong := admin.post(scoringPath, formulaForm("classifier", "detoxify, nobody", "note", "for the test")).want(422)
	if !strings.Contains(wrong.text("#w-classifier-more .error"), `no model "nobody"`) ||
		input(wrong, "classifier") != "detoxify, nobody" {
		t.Errorf("a wrong name: %s", wrong.text("main"))
	}
	form := admin.get(scoringPath + "?try=1&classifier=" + url.QueryEscape("perspective,detoxify")).want(200)
	if form.page().Find("#trial").Length() != 1 || !strings.Contains(form.text(".weight.changed"), "current detoxify") {
		t.Errorf("tried: %s", form.text("main"))
	}
	saveFormula(admin, formulaForm("classifier", "perspective,detoxify", "note", "two are better")).want(303)
	want("highest of detoxify, perspective", 0.75, "toxicity 75")
	late := admin.post(scoringPath, formulaForm("version", "2", "classifier", "detoxify", "weights[pii]", "9",
		"note", "at the same time")).want(409)
	if input(late, "classifier") != "detoxify, perspective" || input(late, "weights[pii]") != "9" {
		t.Errorf("a late one sees %s", late.text("main"))
	}
	for from, want := range map[string]string{"2": "detoxify", "1": "", "open-assistant": "detoxify, perspective"} {
		if got := input(admin.get(scoringPath+"?from="+from).want(200), "classifier"); got != want {
			t.Errorf("from %s: %q, want %q", from, got, want)
		}
	}
	saveFormula(admin, formulaForm("classifier", "", "note", "the highest again")).want(303)
	want("highest of all models", 0.75, "toxicity 75")
}
