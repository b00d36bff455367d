package admin

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/storetest"
)

// TestTruthOfATrial chooses whom a trial counts as sanctioned, on the page and by
// the API: banned users if nothing is chosen.
func TestTruthOfATrial(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for truth, want := range map[string]float64{"": 1, "banned": 1, "deleted": 2, "rejected": 2} {
		body := map[string]any{"weights": map[string]any{"downvotes": 50}}
		if truth != "" {
			body["truth"] = truth
		}
		a := w.mod.send(post, apiPrefix+"/scoring/try", body).want(200)
		if name := a.field("truth"); a.field("known_trolls") != want || truth != "" && name != truth {
			t.Errorf("truth %q: %v sanctioned users by %v, want %v", truth, a.field("known_trolls"), name, want)
		}
		page := w.mod.get(scoringPath + "?try=1&truth=" + truth + "&weights[downvotes]=50").want(200)
		if chosen := page.page().Find("#truth option[selected]").AttrOr("value", ""); truth != "" && chosen != truth ||
			!strings.Contains(page.text("#trial"), counted(int(want), "sanctioned user")) {
			t.Errorf("truth %q: the page chose %q: %s", truth, chosen, page.text("#trial .notice"))
		}
	}
	if a := w.mod.send(post, apiPrefix+"/scoring/try", map[string]any{"weights": map[string]any{"pii": 1},
		"truth": "liars"}).want(422); a.field("error", "fields", "truth") == nil {
		t.Errorf("%s", a.body)
	}
}

// TestSavingAFormulaAsks saves weights that were not tried, and some that were:
// the page says what is known before it saves.
func TestSavingAFormulaAsks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := staff(t, w.server, policy.Admin)
	form := formulaForm("version", "1", "weights[pii]", "4", "note", "for the test")
	version := func() int {
		formula, err := w.store.FormulaNamed(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		return formula.Version
	}
	if text := admin.post(scoringPath, form).want(200).text("#ask"); version() != 1 ||
		!strings.Contains(text, "You have not tried these weights.") {
		t.Errorf("version %d; the question is %q", version(), text)
	}
	tried := admin.get(scoringPath + "?try=1&note=for+the+test&weights[pii]=4").want(200)
	form = typedForm(t, tried, `form[action="`+scoringPath+`"]`)
	asked := admin.post(scoringPath, form).want(200)
	if text := asked.text("#ask"); version() != 1 || !strings.Contains(text, "Nobody enters or leaves the top 100.") {
		t.Errorf("version %d; the question is %q", version(), text)
	}
	form.Set("sure", attr(asked.page().Find(`button[name="sure"]`), "value"))
	other := url.Values{}
	for name, values := range form {
		other[name] = values
	}
	other.Set("weights[pii]", "5")
	if text := admin.post(scoringPath, other).want(200).text("#ask"); version() != 1 ||
		!strings.Contains(text, "not tried") {
		t.Errorf("other weights than those of the question are saved: version %d, %q", version(), text)
	}
	admin.post(scoringPath, form).want(303)
	if version() != 2 {
		t.Errorf("version %d after the answer", version())
	}
	trial := store.Trial{Top: 100, Entered: make([]store.TrialRow, 12), Left: make([]store.TrialRow, 1)}
	if words := (&scoringAsk{Trial: &trial}).Words(); words != "12 enter the top 100, 1 leaves." {
		t.Errorf("%q", words)
	}
}

// TestLoadOpenAssistantsWeights fills the form by its button.
func TestLoadOpenAssistantsWeights(t *testing.T) {
	t.Parallel()
	server := newServer(t, storetest.New(t))
	c := staff(t, server, policy.Moderator)
	button := c.get(scoringPath).want(200).page().Find(`a:contains("Load Open-Assistant’s weights")`)
	page := c.get(attr(button, "href")).want(200)
	for _, info := range scoring.Signals {
		field := page.page().Find(`input[name="weights[` + string(info.Signal) + `]"]`)
		if want := plainNumber(scoring.OpenAssistant.Weights[info.Signal]); attr(field, "value") != want {
			t.Errorf("%s weighs %s, want %s", info.Signal, attr(field, "value"), want)
		}
	}
	// The notice is in the section that the address names, so that it is in sight.
	if text := page.text("#weights .notice"); !strings.Contains(text, "weights of Open-Assistant’s formula") {
		t.Errorf("the notice reads %q", text)
	}
}

// TestTrialShowsDifferences reads the third column of a trial.
func TestTrialShowsDifferences(t *testing.T) {
	t.Parallel()
	old, tried := 0.75, 0.69
	view := viewTrial(store.Trial{Old: scoring.Quality{AUC: &old, Precision: map[int]float64{20: 0.2}},
		New: scoring.Quality{AUC: &tried, Precision: map[int]float64{20: 0.45}}})
	if view.Lines[0].Difference != "−0.060" || view.Lines[1].Difference != "+0.25" || view.Lines[2].Difference != "" {
		t.Errorf("%+v", view.Lines)
	}
	for n, want := range map[float64]string{-0.06: "−0.06", 0.004: "0.00", -0.004: "0.00", 1.5: "1.50"} {
		if got := fixed(n, 2); got != want {
			t.Errorf("fixed(%v) = %q, want %q", n, got, want)
		}
	}
	if got := percent(-0.06); got != "−6 %" {
		t.Errorf("percent(-0.06) = %q", got)
	}
}

// TestQualityIsNoWarning shows labels that a user gave: a good label has no warning
// colour, and shares are percent.
func TestQualityIsNoWarning(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	c := staff(t, newServer(t, s), policy.Moderator)
	_, messages := thread(t, s)
	rater := storetest.User(t, s, "Rater")
	storetest.Vote(t, s, messages[0], rater, "quality", 1, time.Now())
	storetest.Vote(t, s, messages[0], rater, "spam", 1, time.Now())
	page := c.get("/users/" + rater.String() + "?tab=given").want(200)
	if text := page.text(".feedback"); !strings.Contains(text, "quality 100 %") {
		t.Errorf("the labels read %q", text)
	}
	if warn := page.text(".feedback .badge-warn"); !strings.Contains(warn, "spam") || strings.Contains(warn, "quality") {
		t.Errorf("in a warning colour: %q", warn)
	}
}
