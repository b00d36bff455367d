package e2e

import (
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/scoring/classifier"
	"treewarden/scoring/classifier/config"
	"treewarden/scoring/classifier/guard"
	"treewarden/scoring/classifier/linear"
	"treewarden/scoring/classifier/remote"
	"treewarden/store"
	"treewarden/store/classify"
	"treewarden/store/storetest"
)

// longModel is a classifier with a long name, which does not work.
var longModel = "org/" + strings.Repeat("a-long-name-", 8) + "1"

// standIn finds all texts toxic, refuses those with "refuse", and has a score that is no
// probability.
type standIn struct{}

func (standIn) Classify(_ context.Context, texts []string) ([]classifier.Scores, error) {
	all := make([]classifier.Scores, len(texts))
	for i, text := range texts {
		if strings.Contains(text, "refuse") {
			return nil, &classifier.TextError{Index: i, Err: &classifier.Error{Fault: classifier.Refused,
				Message: "the text is too long: النص طويل جدا"}}
		}
		all[i] = classifier.Scores{"toxicity": 0.9, "insult": 0.25, "obscene": 0}
	}
	return all, nil
}

// away is a classifier that does not work.
type away struct{}

func (away) Classify(context.Context, []string) ([]classifier.Scores, error) {
	return nil, &classifier.Error{Fault: classifier.Misconfigured,
		Message: "the server answered 401 Unauthorized: " + strings.Repeat("invalid-", 30) +
			"; check the key and the account"}
}

// configuredClassifiers returns the classifiers of a world.
func configuredClassifiers(t *testing.T) []config.Configured {
	t.Helper()
	all, err := config.Build(config.Default(), linear.Default())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		config.Classifier
		inner classifier.Classifier
	}{
		{config.Classifier{Name: "stand-in", Kind: remote.Plain, URL: "http://classifier.example:8090/",
			Toxicity: "toxicity",
			Scale:    config.Probability, Version: "3.1", Price: 0.2}, standIn{}},
		{config.Classifier{Name: longModel, Kind: remote.OpenAI, Languages: []string{"ar", "en"}, Scale: config.Score},
			away{}},
	} {
		all = append(all, config.Configured{Classifier: c.Classifier, Guard: guard.New(c.inner, guard.Options{})})
	}
	return all
}

// models returns the classifiers of the world as the store runs them.
func (w *world) models() []classify.Model {
	var all []classify.Model
	for _, c := range w.configured {
		all = append(all, classify.Model{Name: c.Name, Guard: c.Guard, Toxicity: c.Toxicity, Languages: c.Languages,
			Batch:   100,
			Workers: 2})
	}
	return all
}

// register has new messages queued for the classifiers of the world.
func (w *world) register(t *testing.T) classify.Access {
	t.Helper()
	access, err := w.store.Classifiers(store.CommandLine)
	if err == nil {
		err = access.Register(t.Context(), w.models())
	}
	if err != nil {
		t.Fatal(err)
	}
	return access
}

// classifiers has the page of the classifiers show all that it can, and returns its path.
func (w *world) classifiers(t *testing.T) string {
	t.Helper()
	const path = "/settings/classifiers"
	if w.one(t, "SELECT count(*)::text FROM jobs WHERE kind = 'classify'") != "0" {
		return path
	}
	access := w.register(t)
	if _, err := w.configured[2].Classify(t.Context(), []string{"text"}); err == nil {
		t.Fatal("the last classifier works")
	}
	if _, err := w.configured[1].Classify(t.Context(), []string{"one", "two"}); err != nil {
		t.Fatal(err)
	}
	storetest.Exec(t, w.store, `INSERT INTO classifier_failures (model_id, tree_id, message_id, text_hash, error, at)
		SELECT model_id, tree_id, message_id, '\x00', 'the text is too long: النص طويل جدا ' || repeat('long', 40), now()
		FROM classifier_models, (SELECT * FROM messages ORDER BY message_id LIMIT 7) m WHERE name = 'stand-in'`)
	storetest.Exec(t, w.store, `INSERT INTO classifier_queue (model_id, tree_id, message_id, queued_at, due_at)
		SELECT model_id, tree_id, message_id, now() - interval '3 hours', now() + interval '1 day'
		FROM classifier_models, (SELECT * FROM messages ORDER BY message_id LIMIT 3) m WHERE name = $1`, longModel)
	lead := w.staff[policy.DataLead]
	access.Ordering, access.Person, access.Via = nil, lead.UserID, lead.Via
	for state, line := range map[string]string{
		"queued": "", "running": "", "failed": "role:prompter since:2023-01-01 classifier:" + strings.Repeat("long", 30) +
			".toxicity>0.5",
		"cancelled": "lang:ar", "done": "",
	} {
		run, err := access.Order(t.Context(), classify.Order{Model: longModel, Missing: line == "", Lang: "en",
			Line: line}, "")
		if err != nil {
			t.Fatal(err)
		}
		storetest.Exec(t, w.store, `UPDATE jobs SET state = $2, done = 12, heartbeat = now() + interval '1 day',
			error = CASE $2 WHEN 'failed' THEN 'There is no classifier of this name in the configuration any more.'
				WHEN 'queued' THEN 'The classifier ' || repeat('long-name/', 12) || ' fails: it answered 503' ELSE '' END
			WHERE job_id = $1`, run.JobID, state)
	}
	return path
}

// tryText tries a text.
func tryText(b *tab) {
	b.choose("#try-model", "stand-in")
	b.fill("#try-text", "أنت أحمق")
	b.follow("#try .form-foot button")
	b.see("#scores .badge-bad")
}

// wrongRun sends the form of a run with a wrong line.
func wrongRun(b *tab) {
	b.fill("#run-q", "words")
	b.expect(422)
	b.follow("#run .form-foot button")
	b.see("#run-q-more .error")
}

// TestClassifiers tries a text, orders a run, and sees it done.
func TestClassifiers(t *testing.T) {
	w := newWorld(t)
	author := storetest.User(t, w.store, "Author")
	for range 5 {
		storetest.Tree(t, w.store, storetest.Node{Author: author, Lang: "en", Text: "How do bees sleep? " +
			uuid.NewString(),
			Replies: []storetest.Node{{Author: author, Text: "Standing.", Lang: "en"}, {Author: author, Text: "refuse",
				Lang: "en"}}})
	}
	figures, err := w.store.Insights(store.CommandLine)
	if err == nil {
		err = figures.Count(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	access := w.register(t)
	b := signedIn(t, w, policy.DataLead)
	b.visit("/settings/scoring")
	b.pressFollow("gc")
	b.wantText("h1", "Classifiers")
	b.wantText("#without", "15 messages have no output of any classifier.")
	b.wantText(".classifier .badge", "Not asked yet")
	b.choose("#try-model", "stand-in")
	b.fill("#try-text", "you idiot")
	b.follow("#try .form-foot button")
	b.wantText("#scores", "Toxic:")
	if typed := eval[string](b, "document.querySelector('#try-text').value"); typed != "you idiot" {
		t.Errorf("the form lost the text: %q", typed)
	}
	b.fill("#try-text", "refuse")
	b.choose("#try-model", "stand-in")
	b.expect(422)
	b.follow("#try .form-foot button")
	b.wantText("#try-text-more", "refuses this text")
	wrongRun(b)
	eval[bool](b, "(document.querySelector('#run-q').value = 'role:prompter') !== ''")
	b.choose("#run-model", "stand-in")
	b.choose("#run-lang", "en")
	b.follow("#run .form-foot button")
	b.wantText("#runs tbody tr", "Waiting")
	if err := w.store.RunClassifiers(t.Context(), w.models()); err != nil {
		t.Fatal(err)
	}
	b.wantText("#runs tbody tr", "Done") // the page reads itself again
	b.wantText("#runs tbody tr", "role:prompter")
	b.wantText("#runs tbody .num", "5")
	b.visit("/settings/classifiers")
	eval[bool](b, "(document.querySelector('#run-q').value = '') === ''")
	b.choose("#run-model", "stand-in")
	b.follow("#run .form-foot button")
	b.follow("#runs form button") // cancels it
	b.wantText("#runs tbody tr", "Cancelled")

	if _, err := access.Run(t.Context(), w.models()[1], classify.Options{Missing: true}); err != nil {
		t.Fatal(err)
	}
	b.visit("/settings/classifiers")
	b.wantText(".classifier-failures h3", "Refused: 5 messages")
	b.follow(".classifier-failures form button")
	b.wantText(".toast", "queued again")
	b.gone(".classifier-failures")
}
