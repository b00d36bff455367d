package store_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/storetest"
)

// output returns a line with an output of a classifier.
func output(message uuid.UUID, model string, scores map[string]float64) string {
	return event("classifier_output", "message_id", message, "model", model, "scores", scores)
}

func toxicityBy(value float64) map[string]float64 { return map[string]float64{"toxicity": value} }

// choose puts a formula in force that counts the toxicity by some models.
func choose(t *testing.T, w world, classifier string) store.Outcome {
	t.Helper()
	return saveFormula(t, w.Store, w.admin, scoring.Change{Classifier: &classifier}, "counts "+classifier)
}

// TestClassifierOfTheFormula counts outputs of four models by each form of the choice.
// The board, the explanation of a score, the filter of messages, the case of the queue
// and a trial say the same.
func TestClassifierOfTheFormula(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	reader := storetest.User(t, w.Store, "a reader")
	accepted(t, w.Store,
		output(w.prompt, "detoxify", toxicityBy(0.2)), output(w.prompt, "perspective", toxicityBy(0.6)),
		output(w.prompt, scoring.EmbeddedClassifier, toxicityBy(0.9)),
		output(w.deep, scoring.EmbeddedClassifier, toxicityBy(0.8)),
		// These are not probabilities of toxicity, whatever they are named.
		output(w.prompt, "reward", toxicityBy(7)), output(w.deep, "reward", map[string]float64{"reward": 1}),
		event("label", "message_id", w.deep, "user_id", reader, "labels", map[string]float64{"toxicity": 0.3}),
		event("report", "message_id", w.prompt, "user_id", reader, "reason", "rude"),
		event("report", "message_id", w.deep, "user_id", reader, "reason", "rude"))
	for _, c := range []struct {
		classifier string
		mean       float64
		source     string
		toxic      string // the messages of the troll with a toxicity of 0.5 or more
	}{
		{"", 0.7, "classifier", "prompt deep"},
		{"detoxify", 0.2, "classifier", ""},
		{" perspective,detoxify ", 0.6, "classifier", "prompt"},
		{scoring.EmbeddedClassifier, 0.85, "classifier", "prompt deep"},
		{"reward", 0.3, "labels", ""},
		{"detoxify, treewarden", 0.85, "classifier", "prompt deep"},
		{"", 0.7, "classifier", "prompt deep"},
	} {
		toxic := int64(len(strings.Fields(c.toxic)))
		if f := inForce(t, w.Store); f.Classifier != scoring.JoinClassifiers(scoring.SplitClassifiers(c.classifier)) {
			tried, _ := scoring.Change{Classifier: &c.classifier}.Apply(onlyWeighs(scoring.ToxicMessages, 2))
			for _, window := range []scoring.Window{scoring.Total, scoring.Day} {
				if got := scoreAfter(t, w, tried, window, w.troll); got != 2*float64(toxic) {
					t.Errorf("%q, %s: the trial gives the troll %v, not %v", c.classifier, window, got, 2*toxic)
				}
			}
			choose(t, w, c.classifier)
		}
		row, _ := boardRow(t, w.Store, scoring.Total, w.troll)
		if row.Toxicity == nil || math.Abs(*row.Toxicity-c.mean) > 1e-9 || *row.ToxicitySource != c.source {
			t.Errorf("%q: toxicity %v by %v, want %v by %s", c.classifier, *row.Toxicity, *row.ToxicitySource, c.mean,
				c.source)
		}
		if n := countOf(row.Parts, scoring.ToxicMessages); n != toxic {
			t.Errorf("%q: %d toxic messages, want %q", c.classifier, n, c.toxic)
		}
		score, err := w.Score(ctx, w.admin, w.troll, scoring.Day, inForce(t, w.Store))
		if err != nil || countOf(score.Parts, scoring.ToxicMessages) != toxic ||
			int64(len(score.Evidence[scoring.ToxicMessages])) != toxic {
			t.Errorf("%q: explained as %+v %v, want %q", c.classifier, score, err, c.toxic)
		}
		for name, id := range map[string]uuid.UUID{"prompt": w.prompt, "deep": w.deep} {
			list, err := w.Messages(ctx, w.admin, store.MessageFilter{User: &w.troll, Toxicity: ">=0.5"})
			found := false
			for _, m := range list.Items {
				found = found || m.MessageID == id
			}
			if err != nil || found != strings.Contains(c.toxic, name) {
				t.Errorf("%q: the filter finds %s: %v, %v", c.classifier, name, found, err)
			}
			var fact *float64
			if err := storetest.DB(t, w.Store).QueryRow(ctx, "SELECT toxicity FROM cases WHERE message_id = $1",
				id).Scan(&fact); err != nil || (fact != nil && *fact >= 0.5) != strings.Contains(c.toxic, name) {
				t.Errorf("%q: the case of %s has %v, %v", c.classifier, name, fact, err)
			}
		}
		verify(t, w.Store)
	}
}

// scoreAfter returns the score that a tried formula would give a user.
func scoreAfter(t *testing.T, w world, tried scoring.Formula, window scoring.Window, user uuid.UUID) float64 {
	t.Helper()
	// By this formula nobody has the place that they have by the other one.
	old := onlyWeighs(scoring.RedFlags, -1)
	old.Classifier = inForce(t, w.Store).Classifier
	trial, err := w.CompareFormulas(ctx, w.admin, old, tried, scoring.TruthBanned, window)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range trial.Moved {
		if r.UserID == user {
			return r.ScoreAfter
		}
	}
	return 0
}

// TestOutputsOfOtherModels brings outputs of a model that does not count, by lines and
// by a file, for known and new messages. No counter and no case changes.
func TestOutputsOfOtherModels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	accepted(t, w.Store, output(w.prompt, "detoxify", toxicityBy(0.3)), output(w.deep, "detoxify", toxicityBy(0.3)),
		event("report", "message_id", w.prompt, "user_id", storetest.User(t, w.Store, "a reader"), "reason", "rude"))
	known, err := w.Message(ctx, w.admin, w.deep)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		classifier, model string
	}{{"detoxify", "perspective"}, {"", scoring.EmbeddedClassifier}} {
		if inForce(t, w.Store).Classifier != c.classifier {
			choose(t, w, c.classifier)
		}
		before := counted(t, w.Store)
		accepted(t, w.Store, output(w.prompt, c.model, toxicityBy(0.99)), output(w.deep, c.model, toxicityBy(0.98)))
		if after := counted(t, w.Store); after != before {
			t.Errorf("%q: outputs of %s changed\n%s\nto\n%s", c.classifier, c.model, before, after)
		}
		importText(t, w.Store, `{"message_id": "`+w.deep.String()+`", "parent_id": "`+w.reply.String()+`", "user_id": "`+
			w.troll.String()+`", "role": "`+known.Role+`", "text": "`+known.Text+`", "classifiers": {"`+c.model+
			`": {"toxicity": 0.97}}}`)
		if after := counted(t, w.Store); after != before {
			t.Errorf("%q: a file with outputs of %s changed\n%s\nto\n%s", c.classifier, c.model, before, after)
		}
		verify(t, w.Store)
	}
	// New messages count the same, whether the program or the database counts them.
	id := uuid.NewString()
	message := `{"message_id": "%s", "user_id": "` + w.troll.String() + `", "role": "prompter", "text": "x", "lang": "en",
		"detoxify": {"toxicity": %v}, "classifiers": {"treewarden": {"toxicity": %v}, "other": {"toxicity": null}}}`
	importText(t, w.Store, strings.ReplaceAll(fmt.Sprintf(message, id, 0.1, 0.9), "\n", " "))
	importText(t, w.Store, strings.ReplaceAll(fmt.Sprintf(message, uuid.NewString(), "null", 0.9), "\n", " "))
	row, _ := boardRow(t, w.Store, scoring.Total, w.troll)
	if n := countOf(row.Parts, scoring.ToxicMessages); n != 3 || math.Abs(*row.Toxicity-(0.99+0.97+0.1+0.9)/4) > 1e-9 {
		t.Errorf("after an import: %d toxic messages, toxicity %v", n, *row.Toxicity)
	}
	verify(t, w.Store)
}

// counted returns what the counters and the cases hold of toxicity.
func counted(t *testing.T, s *store.Store) string {
	t.Helper()
	var state string
	if err := storetest.DB(t, s).QueryRow(ctx, `SELECT (SELECT string_agg(
			concat_ws(' ', user_id, grain, at, toxic_messages, toxicity_sum, toxicity_count), E'\n'
				ORDER BY user_id, grain, at) FROM user_signals)
		|| (SELECT string_agg(concat_ws(' ', case_id, toxicity), E'\n' ORDER BY case_id) FROM cases)`).Scan(
		&state); err != nil {
		t.Fatal(err)
	}
	return state
}

// TestDateOfAToxicMessage checks that a toxic message counts from the first output of a
// model that counts, not of another one.
func TestDateOfAToxicMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := func(model string, days int, toxicity float64) string {
		return event("classifier_output", "message_id", w.old(t), "model", model, "scores", toxicityBy(toxicity),
			"at", time.Now().UTC().AddDate(0, 0, -days))
	}
	storetest.React(t, w.Store, w.reply, storetest.User(t, w.Store, "a reader"), "red_flag", time.Now())
	accepted(t, w.Store, at("detoxify", 3, 0.9), at("perspective", 20, 0.1), at(scoring.EmbeddedClassifier, 60, 0.9))
	for classifier, want := range map[string][2]int64{ // in the last week and in the last month
		"": {0, 1}, "detoxify": {1, 1}, "perspective": {0, 0}, scoring.EmbeddedClassifier: {0, 0},
		"detoxify, treewarden": {0, 0}, "detoxify, perspective": {0, 1},
	} {
		tried, _ := scoring.Change{Classifier: &classifier}.Apply(onlyWeighs(scoring.ToxicMessages, 2))
		for i, window := range []scoring.Window{scoring.Week, scoring.Month} {
			if tried.Classifier != inForce(t, w.Store).Classifier {
				if got := scoreAfter(t, w, tried, window, w.other); got != 2*float64(want[i]) {
					t.Errorf("%q, %s: the trial gives %v, want %d", classifier, window, got, 2*want[i])
				}
			}
		}
		if tried.Classifier != inForce(t, w.Store).Classifier {
			choose(t, w, classifier)
		}
		for i, window := range []scoring.Window{scoring.Week, scoring.Month} {
			row, _ := boardRow(t, w.Store, window, w.other)
			if got := countOf(row.Parts, scoring.ToxicMessages); got != want[i] {
				t.Errorf("%q, %s: %d toxic messages, want %d", classifier, window, got, want[i])
			}
		}
		verify(t, w.Store)
	}
}

// old returns a message of the other user that is 90 days old.
func (w world) old(t *testing.T) uuid.UUID {
	t.Helper()
	id := uuid.NewSHA1(w.prompt, []byte("old"))
	if _, err := w.Message(ctx, w.admin, id); err == nil {
		return id
	}
	importText(t, w.Store, `{"message_id": "`+id.String()+`", "user_id": "`+w.other.String()+
		`", "role": "prompter", "text": "old", "lang": "en", "created_date": "`+
		time.Now().UTC().AddDate(0, 0, -90).Format(time.RFC3339)+`"}`)
	return id
}

// TestChooseClassifiers refuses unknown models at the field, keeps the choice in the
// version and its undo, and knows when nothing changes.
func TestChooseClassifiers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	accepted(t, w.Store, output(w.prompt, "detoxify", toxicityBy(0.9)), output(w.prompt, "a, b", toxicityBy(0.1)))
	for _, classifier := range []string{"detoxfy", "detoxify, perspective", "a, b", strings.Repeat("x,y", 400)} {
		change := scoring.Change{Classifier: &classifier}
		_, err := w.SaveFormula(ctx, w.admin, change, "for the test", nil, "")
		_, tried := w.TryFormula(ctx, w.admin, change, scoring.TruthBanned, scoring.Total)
		for _, err := range []error{err, tried} {
			var invalid store.Invalid
			if !errors.As(err, &invalid) || len(invalid) != 1 || invalid["classifier"] == "" {
				t.Errorf("%.20q: %v", classifier, err)
			}
		}
	}
	choose(t, w, "detoxify")
	saved := choose(t, w, "treewarden,, detoxify , detoxify")
	if f := inForce(t, w.Store); f.Classifier != "detoxify, treewarden" {
		t.Errorf("kept as %q", f.Classifier)
	}
	same := "treewarden, detoxify"
	if outcome, err := w.SaveFormula(ctx, w.admin, scoring.Change{Classifier: &same}, "the same", nil,
		""); err != nil || outcome.Action.ID != 0 {
		t.Errorf("the same choice: %+v, %v", outcome, err)
	}
	if _, err := w.Undo(ctx, w.admin, saved.Action.ID, "not so", false, ""); err != nil {
		t.Fatal(err)
	}
	page, err := w.Scoring(ctx, w.admin)
	if err != nil || page.Classifier != "detoxify" || strings.Join(page.Models, "; ") != "detoxify; treewarden" {
		t.Errorf("%+v, %v", page, err)
	}
	legacy, err := w.FormulaNamed(ctx, scoring.OpenAssistant.Name)
	if err != nil || legacy.Classifier != "detoxify" {
		t.Errorf("%+v, %v", legacy, err)
	}
	verify(t, w.Store)
}
