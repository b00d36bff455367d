package classify_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/scoring/classifier"
	"treewarden/scoring/classifier/guard"
	"treewarden/store"
	"treewarden/store/classify"
	"treewarden/store/messages"
	"treewarden/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

var ctx = context.Background()

// standIn gives texts with "bad" a toxicity of 0.9 and others of 0.1. It refuses texts with
// "refuse" and fails for texts with "fail".
type standIn struct {
	mu     sync.Mutex
	asked  map[string]int // how often it saw each text
	before func(texts []string)
}

func (s *standIn) Classify(_ context.Context, texts []string) ([]classifier.Scores, error) {
	if s.before != nil {
		s.before(texts)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]classifier.Scores, len(texts))
	for i, text := range texts {
		switch {
		case strings.Contains(text, "refuse"):
			return nil, &classifier.TextError{Index: i, Err: &classifier.Error{Fault: classifier.Refused, Message: "too long"}}
		case strings.Contains(text, "fail"):
			return nil, &classifier.Error{Fault: classifier.Unavailable, Message: "down"}
		}
		toxicity := 0.1
		if strings.Contains(text, "bad") {
			toxicity = 0.9
		}
		all[i] = classifier.Scores{"toxicity": toxicity, "spam": 0.25}
	}
	for _, text := range texts {
		if s.asked == nil {
			s.asked = map[string]int{}
		}
		s.asked[text]++
	}
	return all, nil
}

// total returns how many texts were asked in all.
func (s *standIn) total() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, times := range s.asked {
		n += times
	}
	return n
}

func modelOf(name string, c classifier.Classifier, languages ...string) classify.Model {
	return classify.Model{Name: name, Toxicity: "toxicity", Guard: guard.New(c, guard.Options{Batch: 7, Parallel: 2}),
		Languages: languages, Batch: 10, Workers: 3}
}

func runner(t *testing.T, s *store.Store) *classify.Runner {
	t.Helper()
	access, err := s.Classifiers(store.CommandLine)
	if err != nil {
		t.Fatal(err)
	}
	return access.Runner
}

// run runs a model and returns the number of messages with new outputs.
func run(t *testing.T, s *store.Store, m classify.Model, o classify.Options) classify.Progress {
	t.Helper()
	done, err := runner(t, s).Run(ctx, m, o)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// verify checks the counters.
func verify(t *testing.T, s *store.Store) {
	t.Helper()
	if faults, err := s.VerifyScores(ctx); err != nil || len(faults) > 0 {
		t.Errorf("the counters: %+v, %v", faults, err)
	}
}

// query returns the first column of a query's rows, joined by spaces.
func query(t *testing.T, s *store.Store, sql string, args ...any) string {
	t.Helper()
	var all *string
	if err := storetest.DB(t, s).QueryRow(ctx, "SELECT string_agg(x::text, ' ') FROM ("+sql+") q(x)", args...).
		Scan(&all); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if all == nil {
		return ""
	}
	return *all
}

// forest makes n trees of three messages; every fifth prompt is bad.
func forest(t *testing.T, s *store.Store, author uuid.UUID, n int) (ids []uuid.UUID) {
	t.Helper()
	for i := range n {
		text := fmt.Sprintf("prompt %d", i)
		if i%5 == 0 {
			text += " bad"
		}
		lang := "en"
		if i%2 == 1 {
			lang = "de"
		}
		reply := func(text string) storetest.Node {
			return storetest.Node{Author: author, Text: fmt.Sprintf("%s %d", text, i), Lang: lang}
		}
		ids = append(ids, storetest.Tree(t, s, storetest.Node{Author: author, Text: text, Lang: lang,
			Replies: []storetest.Node{reply("reply"), reply("other")}})...)
	}
	return ids
}

// TestRun classifies what is there, once.
func TestRun(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	author := storetest.User(t, s, "Author")
	forest(t, s, author, 40)
	c := &standIn{}
	m := modelOf("stand-in", c)
	figures, err := s.Insights(store.CommandLine)
	if err == nil {
		err = figures.Count(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	if done := run(t, s, m, classify.Options{Missing: true, Limit: 25}); done.Done != 25 {
		t.Fatalf("with a limit of 25: %+v", done)
	}
	if _, err := figures.Update(ctx); err != nil {
		t.Fatal(err)
	}
	if check, err := figures.Verify(ctx); err != nil || len(check.Found) > 0 {
		t.Errorf("the figures of the insights do not follow: %+v, %v", check, err)
	}
	verify(t, s)
	done := run(t, s, m, classify.Options{Missing: true})
	if done.Done != 95 || done.Parts != done.AllParts || c.total() != 120 {
		t.Fatalf("the rest: %+v; asked %d texts", done, c.total())
	}
	verify(t, s)
	if got := query(t, s, `SELECT count(*) || '/' || round(sum(toxicity)::numeric, 3)
		FROM classifier_outputs`); got != "120/18.400" {
		t.Errorf("outputs and their sum: %s", got)
	}
	if got := query(t, s, `SELECT toxicity_count || '/' || toxic_messages FROM user_signals
		WHERE grain = 0`); got != "120/8" {
		t.Errorf("counted %s messages, toxic ones", got)
	}
	if done := run(t, s, m, classify.Options{Missing: true}); done.Done != 0 || c.total() != 120 {
		t.Errorf("again: %+v; asked %d texts", done, c.total())
	}
	if done := run(t, s, m, classify.Options{}); done.Done != 120 {
		t.Errorf("all anew: %+v", done)
	}
	verify(t, s)
	other := modelOf("other", c, "de")
	if done := run(t, s, other, classify.Options{Missing: true}); done.Done != 60 {
		t.Errorf("a model for German: %+v", done)
	}
	third := modelOf("third", c)
	if done := run(t, s, third, classify.Options{Missing: true, Lang: "en",
		Filter: &messages.Filter{Role: "prompter"}}); done.Done != 20 {
		t.Errorf("prompts in English: %+v", done)
	}
	if _, err := runner(t, s).Run(ctx, third, classify.Options{Filter: &messages.Filter{Q: "prompt"}}); err == nil {
		t.Error("a filter with words is no error")
	}
	if done := run(t, s, third, classify.Options{Missing: true, Filter: &messages.Filter{Q: "lang:de"}}); done.Done != 60 {
		t.Errorf("by a line of filters: %+v", done)
	}
	verify(t, s)
}

// TestScoresDoNotCount runs a model none of whose outputs may count as toxicity.
func TestScoresDoNotCount(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	forest(t, s, storetest.User(t, s, "Author"), 5)
	m := modelOf("reward", &standIn{})
	m.Toxicity = ""
	if done := run(t, s, m, classify.Options{Missing: true}); done.Done != 15 {
		t.Fatalf("%+v", done)
	}
	if got := query(t, s, "SELECT outputs FROM classifier_models"); got != "{spam,toxicity_score}" {
		t.Errorf("outputs %s", got)
	}
	if got := query(t, s, `SELECT count(toxicity) || '/' || count(*) FROM classifier_outputs
		WHERE scores[2] IN (0.1, 0.9)`) +
		query(t, s, "SELECT user_id FROM user_signals WHERE toxicity_count <> 0"); got != "0/15" {
		t.Errorf("toxicity of outputs: %s", got)
	}
	m.Toxicity = "spam"
	run(t, s, m, classify.Options{})
	if got := query(t, s, "SELECT DISTINCT toxicity FROM classifier_outputs"); got != "0.25" {
		t.Errorf("toxicity of outputs: %s", got)
	}
	verify(t, s)
}

// edit edits a message.
func edit(t *testing.T, s *store.Store, actor store.Actor, id uuid.UUID, text string) store.Outcome {
	t.Helper()
	done, err := s.Act(ctx, actor, store.Act{Kind: "edit", Target: id, Reason: "test",
		Params: store.EditParams{Text: text}})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// TestEdits follows an edit and its undo: the outputs are stale, and the active models see
// the new text.
func TestEdits(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	admin := storetest.Staff(t, s, policy.Admin)
	author := storetest.User(t, s, "Author")
	ids := forest(t, s, author, 1)
	c := &standIn{}
	m := modelOf("stand-in", c)
	r := runner(t, s)
	if err := r.Register(ctx, []classify.Model{m, modelOf("german", c, "de")}); err != nil {
		t.Fatal(err)
	}
	run(t, s, m, classify.Options{Missing: true})
	storetest.Exec(t, s, `INSERT INTO classifier_models (name, outputs) VALUES ('imported', '{toxicity}')`)
	storetest.Exec(t, s, `INSERT INTO classifier_outputs (tree_id, message_id, model_id, toxicity, scores, at)
		SELECT $1, $1, model_id, 0.95, '{0.95}', now() + interval '1 hour'
		FROM classifier_models WHERE name = 'imported'`, ids[0])
	storetest.Exec(t, s, `UPDATE user_signals SET toxicity_sum = toxicity_sum + 50000000000 WHERE user_id = $1`, author)
	verify(t, s)
	stale := func() string {
		t.Helper()
		return query(t, s, `SELECT c.name FROM classifier_outputs o JOIN classifier_models c USING (model_id) JOIN messages m
			USING (tree_id, message_id) WHERE coalesce(o.text_hash <> substring(sha256(convert_to(m.text, 'UTF8')) FOR 8), false)
			ORDER BY c.name`)
	}
	done := edit(t, s, admin, ids[0], "a good prompt")
	if got := stale(); got != "imported stand-in" {
		t.Errorf("stale after the edit: %q", got)
	}
	if got := query(t, s, `SELECT c.name FROM classifier_queue q
		JOIN classifier_models c USING (model_id)`); got != "stand-in" {
		t.Errorf("queued after the edit: %q", got)
	}
	if n, err := r.Work(ctx, m); n != 1 || err != nil {
		t.Fatalf("worked on %d: %v", n, err)
	}
	if got := stale(); got != "imported" {
		t.Errorf("stale after the work: %q", got)
	}
	if got := query(t, s, `SELECT toxicity FROM classifier_outputs WHERE message_id = $1
		ORDER BY 1`, ids[0]); got != "0.1 0.95" {
		t.Errorf("toxicity after the work: %q", got)
	}
	verify(t, s)
	if _, err := s.Undo(ctx, admin, done.Action.ID, "wrong", false, ""); err != nil {
		t.Fatal(err)
	}
	if got := stale(); got != "stand-in" {
		t.Errorf("stale after the undo: %q", got)
	}
	if n, err := r.Work(ctx, m); n != 1 || err != nil {
		t.Fatalf("worked on %d: %v", n, err)
	}
	if got := stale() + query(t, s, "SELECT message_id FROM classifier_queue"); got != "" {
		t.Errorf("at the end: %q", got)
	}
	// An output from outside for a model that runs here too is never overwritten.
	storetest.Exec(t, s, `UPDATE classifier_outputs SET run_here = false, text_hash = NULL, scores = '{0.1,0.9}'
		WHERE message_id = $1`, ids[0])
	edit(t, s, admin, ids[0], "another prompt")
	if _, err := r.Work(ctx, m); err != nil {
		t.Fatal(err)
	}
	if got := query(t, s, "SELECT scores FROM classifier_outputs WHERE message_id = $1 AND toxicity < 0.95", ids[0]) +
		query(t, s, "SELECT message_id FROM classifier_queue"); got != "{0.1,0.9}" {
		t.Errorf("the output from outside: %q", got)
	}
	if done := run(t, s, m, classify.Options{}); done.Done != 2 {
		t.Errorf("all anew: %+v", done)
	}
}

// TestIngested classifies new messages of front ends, in their languages.
func TestIngested(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	c := &standIn{}
	all, german := modelOf("all", c), modelOf("german", c, "de")
	r := runner(t, s)
	if err := r.Register(ctx, []classify.Model{all, german}); err != nil {
		t.Fatal(err)
	}
	user, tree := uuid.New(), uuid.New()
	line := func(kind, format string, args ...any) string {
		return `{"type": "` + kind + `", ` + fmt.Sprintf(format, args...) + "}\n"
	}
	lines := line("user", `"id": "u", "user_id": %q, "display_name": "A"`, user) +
		line("message", `"id": "m1", "message_id": %q, "message_tree_id": %q, "user_id": %q, "role": "prompter",
			"text": "bad", "lang": "de-AT"`, tree, tree, user) +
		line("message", `"id": "m2", "message_id": %q, "message_tree_id": %q, "parent_id": %q, "user_id": %q,
			"role": "assistant", "text": "refuse this", "lang": "en"`, uuid.New(), tree, tree, user)
	lines = strings.ReplaceAll(lines, "\n\t\t\t", "")
	done, err := s.Ingest(ctx, store.CommandLine, []byte(lines))
	if err != nil || done.Accepted != 3 {
		t.Fatalf("%+v, %v", done, err)
	}
	for _, m := range []classify.Model{all, german} {
		if _, err := r.Work(ctx, m); err != nil {
			t.Fatal(err)
		}
	}
	if got := query(t, s, `SELECT c.name || ':' || o.toxicity FROM classifier_outputs o JOIN classifier_models c
		USING (model_id) ORDER BY c.name`); got != "all:0.9 german:0.9" {
		t.Errorf("outputs: %q", got)
	}
	if got := query(t, s, "SELECT error FROM classifier_failures") +
		query(t, s, "SELECT 1 FROM classifier_queue"); got != "too long" {
		t.Errorf("failures and the queue: %q", got)
	}
	verify(t, s)
	asked := c.total()
	nothing := classify.Progress{Parts: 256, AllParts: 256}
	if done := run(t, s, all, classify.Options{Missing: true}); done != nothing || c.total() != asked {
		t.Errorf("what was refused is asked again: %+v", done)
	}
	if err := r.Register(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if got := query(t, s, "SELECT name FROM classifier_models WHERE active"); got != "" {
		t.Errorf("active: %q", got)
	}
}

// TestMeanwhile edits a message while a classifier sees its former text.
func TestMeanwhile(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	admin := storetest.Staff(t, s, policy.Admin)
	ids := forest(t, s, storetest.User(t, s, "Author"), 1)
	c := &standIn{}
	m := modelOf("stand-in", c)
	if err := runner(t, s).Register(ctx, []classify.Model{m}); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	c.before = func([]string) { once.Do(func() { edit(t, s, admin, ids[0], "a good prompt") }) }
	done := run(t, s, m, classify.Options{Missing: true})
	if done.Done != 2 || done.Skipped != 1 {
		t.Errorf("%+v", done)
	}
	if n, err := runner(t, s).Work(ctx, m); n != 1 || err != nil {
		t.Errorf("worked on %d: %v", n, err)
	}
	if got := query(t, s, "SELECT toxicity FROM classifier_outputs WHERE message_id = $1", ids[0]); got != "0.1" {
		t.Errorf("toxicity of the new text: %q", got)
	}
	verify(t, s)
}

// TestShared has several processes share a run and the queue: each message is seen once.
func TestShared(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	forest(t, s, storetest.User(t, s, "Author"), 40)
	c := &standIn{}
	m := modelOf("stand-in", c)
	other := storetest.Another(t, s)
	var wait sync.WaitGroup
	for _, s := range []*store.Store{s, other, s} {
		wait.Go(func() {
			if _, err := runner(t, s).Run(ctx, m, classify.Options{Missing: true, Workers: 2}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	run(t, s, m, classify.Options{Missing: true}) // the parts that others were at
	if got := query(t, s, "SELECT count(*) FROM classifier_outputs"); got != "120" || c.total() != 120 {
		t.Errorf("%s outputs, asked %d", got, c.total())
	}
	storetest.Exec(t, s, `INSERT INTO classifier_queue (model_id, tree_id, message_id)
		SELECT model_id, tree_id, message_id FROM classifier_outputs`)
	for _, s := range []*store.Store{s, other, s} {
		wait.Go(func() {
			if _, err := runner(t, s).Work(ctx, m); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if got := query(t, s, "SELECT count(*) FROM classifier_queue"); got != "0" || c.total() != 240 {
		t.Errorf("%s queued, asked %d", got, c.total())
	}
	verify(t, s)
}

// TestFails keeps messages in the queue whose classifier fails.
func TestFails(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	admin := storetest.Staff(t, s, policy.Admin)
	ids := forest(t, s, storetest.User(t, s, "Author"), 1)
	m := modelOf("stand-in", &standIn{})
	if err := runner(t, s).Register(ctx, []classify.Model{m}); err != nil {
		t.Fatal(err)
	}
	edit(t, s, admin, ids[0], "fail")
	var down *classifier.Error
	if _, err := runner(t, s).Work(ctx, m); !errors.As(err, &down) {
		t.Fatalf("error %v", err)
	}
	wait := query(t, s, "SELECT extract(epoch FROM due_at - now()) FROM classifier_queue")
	var seconds float64
	if _, err := fmt.Sscan(wait, &seconds); err != nil || math.Abs(seconds-10) > 9 {
		t.Errorf("due again in %q s", wait)
	}
	if n, err := runner(t, s).Work(ctx, m); n != 0 || err != nil {
		t.Errorf("before it is due: %d, %v", n, err)
	}
	edit(t, s, admin, ids[0], "works")
	if n, err := runner(t, s).Work(ctx, m); n != 1 || err != nil {
		t.Errorf("after an edit: %d, %v", n, err)
	}
	// A process that was killed holds its messages for the time of the lease.
	storetest.Exec(t, s, `INSERT INTO classifier_queue (model_id, tree_id, message_id, due_at)
		SELECT model_id, tree_id, message_id, now() - interval '1 second' FROM classifier_outputs`)
	if n, err := runner(t, s).Work(ctx, m); n != 1 || err != nil {
		t.Errorf("after the lease: %d, %v", n, err)
	}
}
