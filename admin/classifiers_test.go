package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/scoring/classifier"
	"treewarden/scoring/classifier/config"
	"treewarden/scoring/classifier/guard"
	"treewarden/scoring/classifier/linear"
	"treewarden/scoring/classifier/remote"
	"treewarden/store"
	"treewarden/store/classify"
	"treewarden/store/jobs"
	"treewarden/store/storetest"
)

// standInName is the name of the classifier of tests.
const standInName = "stand-in"

// standIn finds texts with "bad" toxic, refuses those with "refuse", fails for those with
// "down", and does not answer to those with "slow".
type standIn struct{}

func (standIn) Classify(ctx context.Context, texts []string) ([]classifier.Scores, error) {
	all := make([]classifier.Scores, len(texts))
	for i, text := range texts {
		switch {
		case strings.Contains(text, "refuse"):
			return nil, &classifier.TextError{Index: i, Err: &classifier.Error{Fault: classifier.Refused,
				Message: "the text is <b>too long</b>"}}
		case strings.Contains(text, "down"):
			return nil, &classifier.Error{Fault: classifier.Misconfigured, Message: "the key is wrong"}
		case strings.Contains(text, "slow"):
			<-ctx.Done()
			return nil, ctx.Err()
		}
		all[i] = classifier.Scores{"toxicity": 0.125, "spam": 0.25}
		if strings.Contains(text, "bad") {
			all[i]["toxicity"] = 0.875
		}
	}
	return all, nil
}

// configuredStandIn returns a classifier of tests as the configuration makes it.
func configuredStandIn(name string, change func(*config.Classifier)) config.Configured {
	c := config.Classifier{Name: name, Kind: remote.Plain,
		URL:      "https://classifier.example:8443/path?token=in-the-address",
		Toxicity: "toxicity", Scale: config.Probability, Version: "7", Price: 2}
	if change != nil {
		change(&c)
	}
	return config.Configured{Classifier: c, Guard: guard.New(standIn{}, guard.Options{})}
}

// modelsOf returns the classifiers of a server as the store runs them.
func modelsOf(server *Server) []classify.Model {
	var all []classify.Model
	for _, c := range server.Classifiers {
		all = append(all, classify.Model{Name: c.Name, Guard: c.Guard, Toxicity: c.Toxicity, Languages: c.Languages,
			Batch:   10,
			Workers: 2})
	}
	return all
}

// useClassifiers has a server run classifiers.
func useClassifiers(t *testing.T, server *Server, all ...config.Configured) classify.Access {
	t.Helper()
	server.Classifiers = all
	access, err := server.store.Classifiers(store.CommandLine)
	if err != nil {
		t.Fatal(err)
	}
	if err := access.Register(t.Context(), modelsOf(server)); err != nil {
		t.Fatal(err)
	}
	return access
}

// standIn has the world run the classifier of tests.
func (w *world) standIn() {
	w.t.Helper()
	useClassifiers(w.t, w.server, configuredStandIn(standInName, nil))
}

// classifierWorld is a server with classifiers and messages.
type classifierWorld struct {
	server *Server
	store  *store.Store
	access classify.Access
	ids    []uuid.UUID // the prompt in English is bad, and its reply is refused
	admin  store.Actor
}

func newClassifierWorld(t *testing.T) classifierWorld {
	t.Helper()
	s := storetest.New(t)
	server := newServer(t, s)
	x := classifierWorld{server: server, store: s, admin: storetest.Staff(t, s, policy.Admin)}
	author := storetest.User(t, s, "Author")
	x.ids = storetest.Tree(t, s, storetest.Node{Author: author, Text: "a bad prompt", Lang: "en",
		Replies: []storetest.Node{
			{Author: author, Text: "refuse this", Lang: "en"}, {Author: author, Text: "Nein", Lang: "de"}}})
	x.ids = append(x.ids, storetest.Tree(t, s, storetest.Node{Author: author, Text: "สวัสดี", Lang: "th"})...)
	embedded, err := config.Build(config.Default(), linear.Default())
	if err != nil {
		t.Fatal(err)
	}
	x.access = useClassifiers(t, server, configuredStandIn("org/stand-in", nil),
		configuredStandIn("german", func(c *config.Classifier) {
			c.Languages, c.Toxicity, c.Scale, c.Price = []string{"de"}, "", config.Score, 0
		}), embedded[0])
	storetest.Exec(t, s, `INSERT INTO classifier_models (name, outputs) VALUES ('<i>outside</i>', '{toxicity}')`)
	return x
}

// runAll runs a classifier over all messages that it has yet to see.
func (x classifierWorld) runAll(t *testing.T, name string) {
	t.Helper()
	all := modelsOf(x.server)
	i := slices.IndexFunc(all, func(m classify.Model) bool { return m.Name == name })
	if _, err := x.access.Run(t.Context(), all[i], classify.Options{Missing: true}); err != nil {
		t.Fatal(err)
	}
}

// item returns a classifier of the API.
func item(t *testing.T, a answer, name string) classifierItem {
	t.Helper()
	var list classifierList
	a.want(200).json(&list)
	i := slices.IndexFunc(list.Items, func(c classifierItem) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("there is no %s: %s", name, a.body)
	}
	return list.Items[i]
}

// TestClassifiersAPI reads what the classifiers have done, in the API, on the page and in
// the metrics.
func TestClassifiersAPI(t *testing.T) {
	t.Parallel()
	x := newClassifierWorld(t)
	mod := staff(t, x.server, policy.Moderator)
	if got := mod.get(apiPrefix + "/classifiers").want(200); got.field("as_of") != nil ||
		got.field("without_output") != 0.0 {
		t.Errorf("before the messages are counted: %s", got.body)
	}
	countInsights(t, x.store)
	if got := mod.get(apiPrefix + "/classifiers").field("without_output"); got != 4.0 {
		t.Errorf("without output: %v", got)
	}
	page := mod.get(classifiersPath).want(200)
	if got := page.text("#without"); got != "4 messages have no output of any classifier." {
		t.Errorf("the hint is %q", got)
	}
	x.runAll(t, "org/stand-in")
	x.runAll(t, config.DefaultName)
	countInsights(t, x.store)
	storetest.Exec(t, x.store, `INSERT INTO classifier_queue (model_id, tree_id, message_id, queued_at)
		SELECT model_id, $1, message_id, now() - interval '90 seconds' FROM classifier_models, unnest($2::uuid[]) message_id
		WHERE name = 'org/stand-in'`, x.ids[0], x.ids[:2])

	got := item(t, mod.get(apiPrefix+"/classifiers"), "org/stand-in")
	if got.Kind != "plain" || !got.Active || got.Address != "classifier.example:8443" || got.Version != "7" ||
		got.Toxicity != "toxicity" || got.Scale != config.Probability || got.Queued != 2 || got.Failures != 1 ||
		got.OldestQueuedAt == nil || got.Cost != 3*2/1000.0 || fmt.Sprint(got.Outputs) != "[spam toxicity]" {
		t.Errorf("%+v", got)
	}
	if s := got.State; s == nil || s.Phase != guard.Closed || s.Texts != 3 || s.Refused != 1 || s.LastError == "" ||
		s.NextTry != nil {
		t.Errorf("the state is %+v", got.State)
	}
	if len(got.NewestFailures) != 1 || got.NewestFailures[0].MessageID != x.ids[1] {
		t.Errorf("failures: %+v", got.NewestFailures)
	}
	var coverage []string
	for _, c := range got.Coverage {
		coverage = append(coverage, fmt.Sprintf("%s %d/%d", c.Lang, c.Covered, c.Messages))
	}
	if got := strings.Join(coverage, ", "); got != "en 1/2, de 1/1, th 1/1" {
		t.Errorf("coverage %s", got)
	}
	german := item(t, mod.get(apiPrefix+"/classifiers"), "german")
	if len(german.Coverage) != 1 || german.Coverage[0].Covered != 0 || german.Toxicity != "" || german.Cost != 0 {
		t.Errorf("%+v", german)
	}
	embedded := item(t, mod.get(apiPrefix+"/classifiers"), config.DefaultName)
	for _, c := range embedded.Coverage {
		if c.Measured == nil || *c.Measured != (c.Lang != "th") {
			t.Errorf("measured for %s: %v", c.Lang, c.Measured)
		}
	}
	if outside := item(t, mod.get(apiPrefix+"/classifiers"), "<i>outside</i>"); outside.Kind != "outside" ||
		outside.State != nil {
		t.Errorf("%+v", outside)
	}

	page = mod.get(classifiersPath).want(200)
	if page.page().Find("#without").Length() != 0 {
		t.Errorf("every message has an output, but: %s", page.text("#without"))
	}
	card := page.text(".classifier:nth-of-type(1)")
	for _, want := range []string{"org/stand-in", "Works", "plain at classifier.example:8443",
		"2 messages, the oldest 1 minute ago",
		"3 texts in ", "0.006 (2 for 1,000 texts)", "Refused: 1 message", "<b>too long</b>", "1 of 2"} {
		if !strings.Contains(card, want) {
			t.Errorf("the card lacks %q: %s", want, card)
		}
	}
	if page.page().Find("main b, main i").Length() != 0 {
		t.Error("a name or an error became HTML")
	}
	if href, _ := page.page().Find(".classifier-failures a").Attr("href"); href != "/messages/"+x.ids[1].String() {
		t.Errorf("the failure leads to %q", href)
	}
	if got := page.text(".coverage .hint"); got != "not measured for this language" {
		t.Errorf("not measured: %q", got)
	}
	metrics := newClient(t, x.server).get("/metrics").want(200).body
	for _, want := range []string{`treewarden_classifier_texts_total{model="org/stand-in"} 3`,
		`treewarden_classifier_refused_total{model="org/stand-in"} 1`,
		`treewarden_classifier_requests_total{model="org/stand-in"} `,
		`treewarden_classifier_errors_total{model="org/stand-in"} 1`,
		`treewarden_classifier_cost_total{model="org/stand-in"} 0.006`,
		`treewarden_classifier_breaker{model="org/stand-in",phase="closed"} 1`,
		`treewarden_classifier_breaker{model="org/stand-in",phase="open"} 0`,
		`treewarden_classifier_queued_messages{model="org/stand-in"} 2`,
		`treewarden_classifier_lag_seconds{model="org/stand-in"} 9`,
		`treewarden_classifier_queued_messages{model="german"} 0`, `treewarden_classifier_lag_seconds{model="german"} 0`,
		`treewarden_classifier_request_seconds_total{model="treewarden"}`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// TestUnmeasuredLanguages marks each language with messages for which the model card has no
// figure: Japanese has texts in training, but too few to measure.
func TestUnmeasuredLanguages(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	author := storetest.User(t, s, "Author")
	for _, lang := range []string{"ja", "en", "pt-BR", "fa", "he"} {
		storetest.Tree(t, s, storetest.Node{Author: author, Text: "a text", Lang: lang})
	}
	embedded, err := config.Build(config.Default(), linear.Default())
	if err != nil {
		t.Fatal(err)
	}
	useClassifiers(t, server, embedded...)
	countInsights(t, s)
	mod := staff(t, server, policy.Moderator)
	got := map[string]bool{}
	for _, c := range item(t, mod.get(apiPrefix+"/classifiers"), config.DefaultName).Coverage {
		got[c.Lang] = c.Measured != nil && *c.Measured
	}
	if want := map[string]bool{"ja": false, "en": true, "pt-BR": true, "fa": false, "he": false}; !maps.Equal(got, want) {
		t.Errorf("measured are %v, want %v", got, want)
	}
	rows := mod.get(classifiersPath).want(200).page().Find(".coverage tbody tr")
	if rows.Length() != 5 {
		t.Errorf("the page has %d languages", rows.Length())
	}
	rows.Each(func(_ int, row *goquery.Selection) {
		name := row.Find("th bdi").Text()
		want := name != "English" && !strings.Contains(name, "Portuguese")
		if got := strings.Contains(row.Text(), "not measured for this language"); got != want {
			t.Errorf("%s is marked: %v", name, got)
		}
	})
}

// TestMessagesWithoutOutput says that the number of messages without an output is the most
// that it can be if two classifiers have outputs of some messages of a language, and only then.
func TestMessagesWithoutOutput(t *testing.T) {
	t.Parallel()
	x := newClassifierWorld(t)
	mod := staff(t, x.server, policy.Moderator)
	models := modelsOf(x.server)
	for _, step := range []struct {
		model int
		o     classify.Options
		want  string
	}{
		// The reply in English is refused.
		{0, classify.Options{Lang: "en"}, "3 messages have no output of any classifier."},
		{1, classify.Options{Lang: "de"}, "2 messages have no output of any classifier."},
		{2, classify.Options{Lang: "en", Limit: 1, Workers: 1}, "Up to 2 messages have no output of any classifier. " +
			"This is the most that it can be: several classifiers have outputs in the same language, and it is not " +
			"counted which messages they have in common."},
		// Now one classifier has an output of every message in English.
		{2, classify.Options{Lang: "en"}, "1 message has no output of any classifier."},
	} {
		if _, err := x.access.Run(t.Context(), models[step.model], step.o); err != nil {
			t.Fatal(err)
		}
		countInsights(t, x.store)
		if got := mod.get(classifiersPath).want(200).text("#without"); got != step.want {
			t.Errorf("the hint is %q, want %q", got, step.want)
		}
	}
}

// TestTryText tries texts with the API and on the page. Nothing is stored.
func TestTryText(t *testing.T) {
	t.Parallel()
	x := newClassifierWorld(t)
	mod := staff(t, x.server, policy.Moderator)
	try := apiPrefix + "/classifiers/org%2Fstand-in/try"
	if a := mod.send(http.MethodPost, try, object{"text": "bad"}).want(200); a.field("scores", "toxicity") != 0.875 ||
		a.field("scores", "spam") != 0.25 {
		t.Errorf("scores: %s", a.body)
	}
	if a := mod.send(http.MethodPost, try, object{"text": "refuse it"}).want(422); !strings.Contains(
		fmt.Sprint(a.field("error", "fields", "text")), "too long") {
		t.Errorf("refused: %s", a.body)
	}
	for _, text := range []string{"", " \n", strings.Repeat("é", 20_001)} {
		mod.send(http.MethodPost, try, object{"text": text}).want(422)
	}
	mod.send(http.MethodPost, try, object{"text": strings.Repeat("é", 20_000)}).want(200)
	mod.send(http.MethodPost, apiPrefix+"/classifiers/nobody/try", object{"text": "bad"}).want(404)
	mod.send(http.MethodPost, apiPrefix+"/classifiers/%3Ci%3Eoutside%3C%2Fi%3E/try", object{"text": "bad"}).want(404)

	page := func(model, text string, status int) answer {
		return mod.post(classifiersPath+"/try", url.Values{"model": {model}, "text": {text}}).want(status)
	}
	scores := page("org/stand-in", "a bad </textarea><b>text</b>", 200)
	if got := scores.text("#scores tbody"); got != "spam0.250 0.250 toxicity Toxic: 0.5 or more0.875 0.875" &&
		!strings.Contains(got, "toxicity Toxic: ") {
		t.Errorf("the scores are %q", got)
	}
	if got := scores.page().Find("#try-text").Text(); !strings.Contains(got, "a bad </textarea><b>text</b>") {
		t.Errorf("the typed text became %q", got)
	}
	if got := page("org/stand-in", "a good text", 200); got.page().Find("#scores .badge").Length() != 0 {
		t.Errorf("a low score is marked: %s", got.text("#scores"))
	}
	// A score that is no probability has neither a bar nor a mark.
	if got := page("german", "bad", 200); got.page().Find("#scores .badge, #scores meter").Length() != 0 ||
		!strings.Contains(got.text("#scores"), "toxicity 0.88") {
		t.Errorf("a score that is no probability: %s", got.text("#scores"))
	}
	if got := page(config.DefaultName, "hello", 200); got.page().Find("#scores meter").Length() != 2 {
		t.Errorf("the embedded classifier: %s", got.text("#scores"))
	}
	if got := page("org/stand-in", "refuse", 422).text("#try-text-more"); !strings.Contains(got,
		"the text is <b>too long</b>.") {
		t.Errorf("refused: %q", got)
	}
	page("nobody", "text", 422)
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	var silent unavailable
	if _, err := scoresOf(short, x.server.Classifiers[0], "slow"); !errors.As(err, &silent) ||
		!strings.Contains(silent.Why, "in time") {
		t.Errorf("without an answer: %v", err)
	}

	down := mod.send(http.MethodPost, try, object{"text": "down"}).want(503)
	if down.field("error", "code") != "classifier_unavailable" || down.header.Get("Retry-After") == "" {
		t.Errorf("down: %s", down.body)
	}
	if got := page("org/stand-in", "good", 503).text("#try .notice"); !strings.Contains(got, "the key is wrong") {
		t.Errorf("while it is not asked: %q", got)
	}
	if got := mod.get(classifiersPath).text(".classifier:nth-of-type(1) .card-head"); !strings.Contains(got,
		"Fails: not asked until ") {
		t.Errorf("the state: %q", got)
	}
	if state := item(t, mod.get(apiPrefix+"/classifiers"), "org/stand-in").State; state.Phase != guard.Open ||
		state.NextTry == nil || !state.NextTry.After(time.Now().Add(-time.Minute)) {
		t.Errorf("the state: %+v", state)
	}
	if n := count(t, x.store, "SELECT count(*) FROM classifier_outputs") + count(t, x.store,
		"SELECT count(*) FROM classifier_failures"); n != 0 {
		t.Errorf("%d rows were stored", n)
	}
}

// count returns the number that a query finds.
func count(t *testing.T, s *store.Store, sql string, args ...any) (n int) {
	t.Helper()
	if err := storetest.DB(t, s).QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestClassifierRuns orders runs with the API and on the page, watches and cancels them,
// and sends again what was refused.
func TestClassifierRuns(t *testing.T) {
	t.Parallel()
	x := newClassifierWorld(t)
	admin, mod := signedIn(t, x.server, x.admin), staff(t, x.server, policy.Moderator)
	countInsights(t, x.store)
	const runs = apiPrefix + "/classifiers/runs"
	order := func(body, key string, status int) answer {
		t.Helper()
		return admin.do(http.MethodPost, runs, strings.NewReader(body), "application/json", "Idempotency-Key",
			key).want(status)
	}
	first := order(`{"model": "org/stand-in", "missing": true, "lang": "en"}`, "once", 202)
	if again := order(`{"model": "org/stand-in", "missing": true, "lang": "en"}`, "once", 202); again.field("job",
		"job_id") !=
		first.field("job", "job_id") {
		t.Error("a repeated order is another run")
	}
	order(`{"model": "org/stand-in"}`, "once", 409)
	for _, wrong := range []string{`{"model": "nobody"}`, `{"missing": true}`, `{"model": "german", "q": "some words"}`,
		`{"model": "<i>outside</i>"}`} {
		order(wrong, "", 422)
	}
	page := admin.get(classifiersPath).want(200)
	if row := page.text("#runs tbody tr"); !strings.Contains(row, "messages without an output in English") ||
		!strings.Contains(row, "Waiting") || !strings.Contains(row, "0of about 2") {
		t.Errorf("the run is shown as %q", row)
	}
	if page.page().Find("#runs[data-refresh] form[action^='/jobs/']").Length() != 1 {
		t.Error("the run cannot be cancelled, or the page does not follow it")
	}
	if err := x.store.RunClassifiers(t.Context(), modelsOf(x.server)); err != nil {
		t.Fatal(err)
	}
	var list store.List[classify.Run]
	mod.get(runs).want(200).json(&list)
	if len(list.Items) != 1 || list.Items[0].State != "done" || list.Items[0].Done != 1 ||
		list.Items[0].Order.Lang != "en" {
		t.Errorf("the runs: %+v", list.Items)
	}
	if n := count(t, x.store, "SELECT count(*) FROM classifier_outputs"); n != 1 {
		t.Errorf("%d outputs", n)
	}

	form := url.Values{"model": {"german"}, "missing": {"true"}, "lang": {""}, "q": {"role:assistant"}, "key": {"k"}}
	for range 2 { // a form that is sent twice
		if to := admin.post(classifiersPath+"/runs", form).want(303).header.Get("Location"); to != classifiersPath+"#runs" {
			t.Errorf("a run leads to %s", to)
		}
	}
	id := count(t, x.store, "SELECT count(*) FROM jobs WHERE kind = 'classify'")
	if id != 2 {
		t.Errorf("%d runs", id)
	}
	form.Set("q", "words")
	if wrong := admin.post(classifiersPath+"/runs", form).want(422); !strings.Contains(wrong.text("#run-q-more .error"),
		"without words") {
		t.Errorf("the form: %s", wrong.text("#run"))
	}
	cancel, _ := admin.get(classifiersPath).page().Find("#runs form").Attr("action")
	to := admin.post(cancel, nil).want(303).header.Get("Location")
	if back := admin.get(to).want(303).header.Get("Location"); back != classifiersPath+"#runs" {
		t.Errorf("a cancelled run leads to %s", back)
	}
	if got := admin.get(classifiersPath).text("#runs tbody tr:nth-child(1)"); !strings.Contains(got, "Cancelled") {
		t.Errorf("the cancelled run: %q", got)
	}

	if n := count(t, x.store, "SELECT count(*) FROM classifier_failures"); n != 1 {
		t.Fatalf("%d failures", n)
	}
	const retry = apiPrefix + "/classifiers/org%2Fstand-in/retry"
	if a := admin.send(http.MethodPost, retry, object{}).want(200); a.field("queued") != 1.0 {
		t.Errorf("sent again: %s", a.body)
	}
	if n := count(t, x.store, "SELECT count(*) FROM classifier_queue WHERE message_id = $1", x.ids[1]); n != 1 {
		t.Errorf("%d queued", n)
	}
	if _, err := x.access.Work(t.Context(), modelsOf(x.server)[0]); err != nil {
		t.Fatal(err)
	}
	admin.send(http.MethodPost, apiPrefix+"/classifiers/nobody/retry", object{}).want(404)
	admin.post(classifiersPath+"/retry", url.Values{"model": {"nobody"}}).want(422)
	if to := admin.post(classifiersPath+"/retry",
		url.Values{"model": {"org/stand-in"}}).want(303).header.Get("Location"); to !=
		classifiersPath+"?notice=retried" {
		t.Errorf("leads to %s", to)
	}
	if n := count(t, x.store, "SELECT count(*) FROM classifier_failures"); n != 0 {
		t.Errorf("%d failures", n)
	}
}

// flaky fails as long as it is down.
type flaky struct{ down atomic.Bool }

func (f *flaky) Classify(ctx context.Context, texts []string) ([]classifier.Scores, error) {
	if f.down.Load() {
		return nil, &classifier.Error{Fault: classifier.Unavailable, Message: "the server <b>sleeps</b>"}
	}
	return standIn{}.Classify(ctx, texts)
}

// TestClassifierRunWaits orders runs of a classifier whose server is down. They say what they
// wait for, hold up no other run, are cancelled at once, and go on when the server is back.
func TestClassifierRunWaits(t *testing.T) {
	t.Parallel()
	x := newClassifierWorld(t)
	server := &flaky{}
	server.down.Store(true)
	down := configuredStandIn("down", nil)
	down.Guard = guard.New(server, guard.Options{Batch: 1})
	x.access = useClassifiers(t, x.server, append(x.server.Classifiers, down)...)
	admin := signedIn(t, x.server, x.admin)
	order := func(model string) string {
		t.Helper()
		a := admin.send(http.MethodPost, apiPrefix+"/classifiers/runs", object{"model": model, "missing": true, "lang": "de"})
		return fmt.Sprint(a.want(202).field("job", "job_id"))
	}
	job := func(id string) (j jobs.Job) {
		t.Helper()
		admin.get(apiPrefix + "/jobs/" + id).want(200).json(&j)
		return j
	}
	work := func() {
		t.Helper()
		if err := x.store.RunClassifiers(t.Context(), modelsOf(x.server)); err != nil {
			t.Fatal(err)
		}
	}
	due := func(at string) {
		t.Helper()
		storetest.Exec(t, x.store, "UPDATE jobs SET heartbeat = "+at+" WHERE state = 'queued' AND heartbeat IS NOT NULL")
	}
	const why = "The classifier down fails: the server <b>sleeps</b>"
	first, second, other := order("down"), order("down"), order("german")
	if j := job(first); j.WaitsFor != "" || j.NextTry != nil {
		t.Errorf("before the first try: %+v", j)
	}
	work()
	for _, id := range []string{first, second} {
		if j := job(id); j.State != jobs.Queued || j.WaitsFor != why || j.NextTry == nil || j.Error != "" || j.Done != 0 {
			t.Errorf("while the server is down: %+v", j)
		}
	}
	if j := job(other); j.State != jobs.Done || j.Done != 1 || j.WaitsFor != "" {
		t.Errorf("a run of another classifier: %+v", j)
	}
	var list store.List[classify.Run]
	admin.get(apiPrefix + "/classifiers/runs").want(200).json(&list)
	for _, r := range list.Items {
		if waits := r.JobID.String() != other; waits != (r.WaitsFor == why) || waits != (r.NextTry != nil) {
			t.Errorf("in the list of runs: %+v", r)
		}
	}
	if to := admin.get("/jobs/" + first).want(303).header.Get("Location"); to != classifiersPath+"#runs" {
		t.Errorf("the page of the job leads to %s", to)
	}
	row := admin.get(classifiersPath).want(200).text("#run-" + first)
	for _, want := range []string{"Waits for the classifier", why, "It is tried again at "} {
		if !strings.Contains(row, want) {
			t.Errorf("the row of the run lacks %q: %s", want, row)
		}
	}
	addRoles(t, x.store, policy.Role{Name: "reader", Title: "reader", Rank: 1,
		Permissions: []policy.Permission{policy.Read, policy.Account}})
	page := staff(t, x.server, "reader").get("/jobs/" + first).want(200)
	for _, want := range []string{"Waits for the classifier", why, "It is tried again at ", "What is written stays"} {
		if !strings.Contains(page.text("#job"), want) {
			t.Errorf("the page of the job lacks %q: %s", want, page.text("#job"))
		}
	}
	due("now() + interval '1 hour'")
	asked := x.server.Classifiers[3].State().Requests
	work()
	if n := x.server.Classifiers[3].State().Requests; n != asked {
		t.Errorf("before its time it is tried %d times", n-asked)
	}

	admin.post("/jobs/"+second+"/cancel", nil).want(303)
	if j := job(second); j.State != jobs.Cancelled || j.WaitsFor != "" || j.Error != "" || j.NextTry != nil {
		t.Errorf("cancelled while it waits: %+v", j)
	}
	third := order("down")
	// Somebody cancels the run while it is tried, before the first heartbeat.
	storetest.Exec(t, x.store, "UPDATE jobs SET cancel = true WHERE job_id = $1", third)
	work()
	if j := job(third); j.State != jobs.Cancelled || j.WaitsFor != "" {
		t.Errorf("cancelled while it is tried: %+v", j)
	}

	for range 6 { // the circuit breaker opens
		due("now()")
		work()
	}
	state := x.server.Classifiers[3].State()
	if j := job(first); state.Phase != guard.Open || j.WaitsFor != why || j.NextTry == nil ||
		j.NextTry.Before(state.NextTry.Add(-time.Millisecond)) {
		t.Errorf("while it is not asked before %v: %+v, %v", state.NextTry, j, j.NextTry)
	}

	server.down.Store(false)
	x.server.Classifiers[3].Guard = guard.New(server, guard.Options{}) // its pause is over
	due("now()")
	work()
	if j := job(first); j.State != jobs.Done || j.Done != 1 || j.WaitsFor != "" || j.Error != "" || j.NextTry != nil {
		t.Errorf("when the server is back: %+v", j)
	}
}

// TestClassifierPermissions has a moderator see and try, and a collector nothing. Another
// site orders nothing.
func TestClassifierPermissions(t *testing.T) {
	t.Parallel()
	x := newClassifierWorld(t)
	mod, collector, lead := staff(t, x.server, policy.Moderator), program(t, x.server, policy.Collector), staff(t,
		x.server, policy.DataLead)
	const run = `{"model": "german", "missing": true}`
	for _, path := range []string{"/classifiers", "/classifiers/runs"} {
		mod.get(apiPrefix + path).want(200)
		collector.get(apiPrefix + path).want(403)
		newClient(t, x.server).get(apiPrefix + path).want(401)
	}
	collector.send(http.MethodPost, apiPrefix+"/classifiers/german/try", object{"text": "text"}).want(403)
	for _, c := range []*client{mod, collector} {
		c.send(http.MethodPost, apiPrefix+"/classifiers/runs", run).want(403)
		c.send(http.MethodPost, apiPrefix+"/classifiers/german/retry", object{}).want(403)
	}
	mod.post(classifiersPath+"/runs", url.Values{"model": {"german"}}).want(403)
	mod.post(classifiersPath+"/retry", url.Values{"model": {"german"}}).want(403)
	page := mod.get(classifiersPath).want(200)
	if page.page().Find("#run form, form[action$='/retry']").Length() != 0 ||
		page.page().Find("#try form").Length() != 1 ||
		!strings.Contains(page.text("#run"), "scoring.save") {
		t.Errorf("a moderator's page: %s", page.text("#run"))
	}
	lead.send(http.MethodPost, apiPrefix+"/classifiers/runs", run).want(202)
	for _, path := range []string{"/runs", "/retry", "/try"} {
		lead.do(http.MethodPost, classifiersPath+path, strings.NewReader("model=german&text=a"),
			"application/x-www-form-urlencoded",
			"Sec-Fetch-Site", "cross-site").want(403)
	}
	if n := count(t, x.store, "SELECT count(*) FROM jobs"); n != 1 {
		t.Errorf("%d runs", n)
	}
}

// TestClassifierKeysAreHidden looks for the key of a classifier in all that the console
// shows and logs, while the server of the classifier repeats it.
func TestClassifierKeysAreHidden(t *testing.T) {
	t.Parallel()
	const key = "sk-very-secret-0123456789"
	sent := false
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = sent || strings.Contains(r.Header.Get("Authorization"), key)
		http.Error(w, `{"error": "no access with `+r.Header.Get("Authorization")+`"}`, http.StatusForbidden)
	}))
	t.Cleanup(upstream.Close)
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	var log lockedBuffer
	s := storetest.New(t)
	author := storetest.User(t, s, "Author")
	storetest.Tree(t, s, storetest.Node{Author: author, Text: "a text"})
	server := New(Config{Store: s, Log: slog.New(slog.NewTextHandler(io.MultiWriter(&log, t.Output()),
		&slog.HandlerOptions{Level: slog.LevelDebug})), Version: "test"})
	read, err := config.Parse(strings.NewReader(`{"embedded": false, "classifiers": [{"name": "keyed", "kind": "plain",
		"url": "` + upstream.URL + `/path-of-it", "key_file": "` + keyFile + `", "retries": 0}]}`))
	if err != nil {
		t.Fatal(err)
	}
	all, err := config.Build(read, nil)
	if err != nil {
		t.Fatal(err)
	}
	access := useClassifiers(t, server, all...)
	admin := staff(t, server, policy.Admin)
	if _, err := access.Run(t.Context(), modelsOf(server)[0], classify.Options{}); err == nil ||
		strings.Contains(err.Error(), key) {
		t.Errorf("the run ended with %v", err)
	} else {
		server.Log.Error("the run failed", "error", err, "classifiers", server.Classifiers)
	}
	answers := []string{
		admin.send(http.MethodPost, apiPrefix+"/classifiers/keyed/try", object{"text": "a text"}).want(503).body,
		admin.post(classifiersPath+"/try", url.Values{"model": {"keyed"}, "text": {"a text"}}).want(503).body,
		admin.send(http.MethodPost, apiPrefix+"/classifiers/runs", object{"model": "keyed"}).want(202).body,
	}
	if err := s.RunClassifiers(t.Context(), modelsOf(server)); err != nil {
		t.Errorf("the ordered run ended with %v", err)
	}
	for _, path := range []string{classifiersPath, apiPrefix + "/classifiers", apiPrefix + "/classifiers/runs",
		"/metrics"} {
		answers = append(answers, admin.get(path).want(200).body)
	}
	if !sent {
		t.Error("the key was not sent to the classifier")
	}
	for _, i := range []int{3, 4, 5} { // the page, the classifiers and the runs of the API
		if !strings.Contains(answers[i], "no access") {
			t.Errorf("answer %d does not tell the error: %s", i, answers[i])
		}
	}
	for i, text := range append(answers, log.String()) {
		if strings.Contains(text, key) || i < len(answers) && strings.Contains(text, "path-of-it") {
			t.Errorf("answer %d holds the key or the address: %.2000s", i, text)
		}
	}
}

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text.String()
}

// TestStaleOutputs marks the outputs of a former text in the API and on pages, until the
// classifier has seen the new one.
func TestStaleOutputs(t *testing.T) {
	t.Parallel()
	x := newClassifierWorld(t)
	admin := signedIn(t, x.server, x.admin)
	for _, name := range []string{"org/stand-in", config.DefaultName} {
		x.runAll(t, name)
	}
	message := "/messages/" + x.ids[0].String()
	check := func(when string, want ...string) {
		t.Helper()
		var one struct {
			Stale []string `json:"stale_classifiers"`
		}
		admin.get(apiPrefix + message).want(200).json(&one)
		var thread struct {
			Path []struct {
				Stale []string `json:"stale_classifiers"`
			} `json:"path"`
		}
		admin.get(apiPrefix + message + "/thread").want(200).json(&thread)
		var list struct {
			Items []struct {
				ID    uuid.UUID `json:"message_id"`
				Stale []string  `json:"stale_classifiers"`
			} `json:"items"`
		}
		admin.get(apiPrefix + "/messages?lang=en").want(200).json(&list)
		listed := []string{}
		for _, m := range list.Items {
			if m.ID == x.ids[0] {
				listed = m.Stale
			} else if m.Stale != nil {
				t.Errorf("%s: another message is stale: %v", when, m.Stale)
			}
		}
		if !slices.Equal(one.Stale, want) || len(thread.Path) != 1 || !slices.Equal(thread.Path[0].Stale, want) ||
			!slices.Equal(listed, want) {
			t.Errorf("%s: stale are %v, in the thread %+v, in the list %v; want %v", when, one.Stale, thread.Path, listed,
				want)
		}
		page := admin.get(message).want(200)
		if n := page.page().Find(".score-table caption .badge").Length(); n != len(want) {
			t.Errorf("%s: %d outputs are marked, want %d", when, n, len(want))
		}
		if n := strings.Count(page.text(".mark-model"), "of the former text"); n != len(want) {
			t.Errorf("%s: %d outputs are marked in the thread, want %d", when, n, len(want))
		}
	}
	check("before the edit")
	edited, err := x.store.Act(t.Context(), x.admin, store.Act{Kind: "edit", Target: x.ids[0],
		Params: store.EditParams{Text: "another bad prompt, you idiot"}, Reason: "test"})
	if err != nil {
		t.Fatal(err)
	}
	check("after the edit", "org/stand-in", config.DefaultName)
	work := func() {
		t.Helper()
		for _, m := range modelsOf(x.server) {
			if _, err := x.access.Work(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
	}
	work()
	check("after the work")
	if _, err := x.store.Undo(t.Context(), x.admin, edited.Action.ID, "wrong", false, ""); err != nil {
		t.Fatal(err)
	}
	check("after the undo", "org/stand-in", config.DefaultName)
	work()
	check("at the end")
}

// TestNoClassifiers shows the page without classifiers and without messages.
func TestNoClassifiers(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	mod := staff(t, server, policy.Moderator)
	page := mod.get(classifiersPath).want(200)
	if !strings.Contains(page.text("main"), "No classifier runs here") || page.page().Find("#try, #run").Length() != 0 {
		t.Errorf("the page: %s", page.text("main"))
	}
	if a := mod.get(apiPrefix + "/classifiers").want(200); !strings.Contains(a.body, `"items":[]`) {
		t.Errorf("the API: %s", a.body)
	}
	mod.post(classifiersPath+"/try", url.Values{"model": {"x"}, "text": {"text"}}).want(422)
	if body := newClient(t, server).get("/metrics").want(200).body; strings.Contains(body, "treewarden_classifier") {
		t.Error("metrics of no classifier")
	}
}
