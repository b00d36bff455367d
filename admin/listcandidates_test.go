package admin

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/candidates"
	"treewarden/store/lists"
	"treewarden/store/storetest"
)

// newTexts makes a tree of texts, by names, and returns the id of each.
func newTexts(t *testing.T, l lead, texts map[string]storetest.Node) map[string]uuid.UUID {
	t.Helper()
	author := storetest.User(t, l.store, "Author "+uuid.NewString()[:8])
	names := slices.Sorted(maps.Keys(texts))
	prompt := storetest.Node{Author: author, Text: "How do I begin a garden?", Lang: "en"}
	for _, name := range names {
		node := texts[name]
		node.Author = author
		prompt.Replies = append(prompt.Replies, node)
	}
	named := map[string]uuid.UUID{}
	for i, id := range storetest.Tree(t, l.store, prompt)[1:] {
		named[names[i]] = id
	}
	return named
}

// find runs a rule, and returns the names of the messages that it found.
func (l lead) find(named map[string]uuid.UUID, rule object) []string {
	l.t.Helper()
	var preview, found foundAnswer
	l.send(http.MethodPost, l.list+"/candidates", object{"rule": rule, "preview": true}).want(200).json(&preview)
	l.send(http.MethodPost, l.list+"/candidates", object{"rule": rule}).want(200).json(&found)
	if preview.Found.Found != found.Found.Found || len(preview.Sample) != len(found.Sample) || !found.Complete {
		l.t.Errorf("%v: the preview has %+v, the run %+v", rule, preview.Found, found.Found)
	}
	if !preview.Preview || preview.Action.ID != 0 || (found.Action.ID != 0) != (found.Found.Found > 0) {
		l.t.Errorf("%v: the actions are %d and %d", rule, preview.Action.ID, found.Action.ID)
	}
	if found.Action.ID == 0 {
		return nil
	}
	var page store.List[candidates.Candidate]
	l.get(fmt.Sprintf("%s/candidates?run=%d", l.list, found.Action.ID)).want(200).json(&page)
	var names []string
	for _, candidate := range page.Items {
		for name, id := range named {
			if id == candidate.MessageID {
				names = append(names, name)
			}
		}
		if len(candidate.Evidence) == 0 || candidate.Verdict != nil || candidate.Edited ||
			candidate.RuleAction != found.Action.ID {
			l.t.Errorf("%v: %+v", rule, candidate)
		}
	}
	slices.Sort(names)
	return names
}

// TestRules checks what each part of a rule finds, and that a rule run again finds
// nothing.
func TestRules(t *testing.T) {
	t.Parallel()
	l := newLead(t)
	named := newTexts(t, l, map[string]storetest.Node{
		"german":      {Text: "Du bist ein IDIOT!", Lang: "de"},
		"compound":    {Text: "Die Idiotie nimmt zu.", Lang: "de"},
		"chinese":     {Text: "你是白痴吗", Lang: "zh"},
		"number":      {Text: "Call me at 0170 1234567 please.", Lang: "en"},
		"short":       {Text: " ok ", Lang: "en"},
		"model":       {Text: "As an AI language model, I cannot have opinions about this matter.", Lang: "en"},
		"wrongscript": {Text: "Это русский текст, который стоит не на своём месте.", Lang: "en"},
		"spam":        {Text: "Buy cheap watches here and now.", Lang: "en"},
		"toxic":       {Text: "I will find you and hurt you.", Lang: "en"},
		"copied": {Text: "The sun rose over the hills, and all the birds began to sing at once.", Lang: "en",
			At: time.Now().Add(-2 * time.Hour)},
		"copy":    {Text: "The sun rose over the hills and all the birds began to sing at once!", Lang: "en"},
		"alike":   {Text: "The sun rose over the hills and all the birds began to sing loudly.", Lang: "en"},
		"deleted": {Text: "An IDIOT wrote this text.", Lang: "de", Deleted: true},
	})
	rater := storetest.User(t, l.store, "Rater")
	storetest.Vote(t, l.store, named["spam"], rater, "spam", 0.9, time.Now())
	storetest.Exec(t, l.store, "INSERT INTO classifier_models (name, outputs) VALUES ('detoxify', '{toxicity,threat}')")
	storetest.Exec(t, l.store, `INSERT INTO classifier_outputs (tree_id, message_id, model_id, toxicity, scores)
		SELECT tree_id, message_id, (SELECT max(model_id) FROM classifier_models), 0.4, '{0.4,0.8}'
		FROM message_trees WHERE message_id = $1`, named["toxic"])
	for _, c := range []struct {
		rule object
		want []string
	}{
		{object{"words": []string{"idiot", "白痴"}, "lang": "fr"}, nil},
		{object{"words": []string{"idiot", "白痴"}, "lang": "de"}, []string{"german"}},
		{object{"words": []string{"idiot", "白痴"}}, []string{"chinese"}}, // only what is new
		{object{"regex": `\d{4} \d{7}`}, []string{"number"}},
		{object{"shorter_than": 4, "lang": "de"}, nil},
		{object{"shorter_than": 4}, []string{"short"}},
		{object{"boilerplate": true}, []string{"model"}},
		{object{"language_mismatch": true}, []string{"wrongscript"}},
		{object{"label": "spam>0.95"}, nil},
		{object{"label": "spam>0.5", "regex": "watches", "lang": "en"}, []string{"spam"}},
		{object{"near_duplicates": 0.99, "lang": "de"}, nil},
		{object{"near_duplicates": 0.99}, []string{"copy"}},
		{object{"near_duplicates": 0.99}, nil},
		{object{"classifier": "detoxify.threat>0.5", "words": []string{"watches"}}, nil}, // both must hold
		{object{"classifier": "detoxify.threat>0.5"}, []string{"toxic"}},
	} {
		if got := l.find(named, c.rule); !slices.Equal(got, c.want) {
			t.Errorf("%v finds %v, want %v", c.rule, got, c.want)
		}
	}
	for _, preview := range []bool{true, false} {
		unknown := l.send(http.MethodPost, l.list+"/candidates", object{"rule": object{"classifier": "detoxify.treat>0.5"},
			"preview": preview}).want(422)
		if why, _ := unknown.field("error", "fields", "rule.classifier").(string); !strings.Contains(why,
			"detoxify.threat, detoxify.toxicity.") {
			t.Errorf("an output that no classifier has: %s", unknown.body)
		}
	}
	l.send(http.MethodPost, l.list+"/candidates", object{"rule": object{"label": "spamm>0.5"}}).want(422)
	var page store.List[candidates.Candidate]
	l.get(l.list + "/candidates?limit=200").want(200).json(&page)
	what := map[uuid.UUID]string{}
	for _, c := range page.Items {
		if m := c.Evidence[0]; c.MessageID == named["copy"] && (m.Likeness != 1 || *m.OtherID != named["copied"]) {
			t.Errorf("the evidence of a near-duplicate is %+v", m)
		}
	}
	for _, c := range page.Items {
		for _, m := range c.Evidence {
			what[c.MessageID] += m.Part + " " + m.What + "=" + c.Text[m.Start:m.End] + ";"
		}
	}
	for name, want := range map[string]string{
		"german": "words idiot=IDIOT;", "chinese": "words 白痴=白痴;", "number": "regex 0170 1234567=0170 1234567;",
		"short": "shorter_than 2 characters=;", "spam": "regex watches=watches;label spam 0.90=;",
		"toxic": "classifier detoxify.threat 0.80=;",
	} {
		if got := what[named[name]]; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestVerdicts accepts and refuses candidates, and undoes it.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	l := newLead(t)
	named := newTexts(t, l, map[string]storetest.Node{
		"a": {Text: "the first idiot"}, "b": {Text: "the second idiot"}, "c": {Text: "the third idiot"},
	})
	rule := object{"words": []string{"idiot"}}
	if got := l.find(named, rule); len(got) != 3 {
		t.Fatalf("found %v", got)
	}
	path := func(name string) string { return l.list + "/candidates/" + named[name].String() }
	var accepted, refused, again candidateAnswer
	l.send(http.MethodPost, path("a"), object{"verdict": "accept"}).want(200).json(&accepted)
	l.send(http.MethodPost, path("b"), object{"verdict": "refuse"}).want(200).json(&refused)
	l.send(http.MethodPost, path("b"), object{"verdict": "refuse"}).want(200).json(&again)
	if *accepted.Verdict != "accept" || *accepted.DecidedByName != "lead" || accepted.Action.ID == 0 ||
		*refused.Verdict != "refuse" || again.Action.ID != 0 || *again.DecidedAction != refused.Action.ID {
		t.Errorf("accepted %+v, refused %+v, again %+v", accepted, refused, again)
	}
	if body := l.send(http.MethodPost, path("b"), object{"verdict": "accept"}).want(409).body; !strings.Contains(body,
		"decided otherwise") {
		t.Error(body)
	}
	l.send(http.MethodPost, path("c"), object{"verdict": "maybe"}).want(422)
	l.send(http.MethodPost, path("c"), object{}).want(422)
	l.send(http.MethodPost, l.list+"/candidates/"+uuid.NewString(), object{"verdict": "accept"}).want(404)

	items := func() (page store.List[lists.Item]) {
		t.Helper()
		l.get(l.list + "/items").want(200).json(&page)
		return page
	}
	waiting := func(verdict string) (names []string) {
		t.Helper()
		var page store.List[candidates.Candidate]
		l.get(l.list + "/candidates?verdict=" + verdict).want(200).json(&page)
		for _, c := range page.Items {
			for name, id := range named {
				if id == c.MessageID {
					names = append(names, name)
				}
			}
		}
		slices.Sort(names)
		return names
	}
	if page := items(); len(page.Items) != 1 || page.Items[0].MessageID != named["a"] ||
		len(page.Items[0].Evidence) != 1 || page.Items[0].Evidence[0].What != "idiot" {
		t.Errorf("the items are %+v", page.Items)
	}
	if got := waiting(""); !slices.Equal(got, []string{"c"}) {
		t.Errorf("waiting: %v", got)
	}
	if got := l.find(named, rule); got != nil {
		t.Errorf("the same rule finds %v again", got)
	}

	// A refused candidate comes again when its text is another one that matches.
	admin := storetest.Staff(t, l.store, "admin")
	if _, err := l.store.Act(t.Context(), admin, store.Act{Kind: "edit", Target: named["b"],
		Params: store.EditParams{Text: "an idiot of another kind"}, Reason: "because"}); err != nil {
		t.Fatal(err)
	}
	if got := l.find(named, rule); !slices.Equal(got, []string{"b"}) {
		t.Errorf("after the edit the rule finds %v", got)
	}

	undo := func(action int64) store.Outcome {
		t.Helper()
		outcome, err := l.store.Undo(t.Context(), admin, action, "because", false, "")
		if err != nil {
			t.Fatal(err)
		}
		return outcome
	}
	if _, err := l.store.Undo(t.Context(), admin, refused.Action.ID, "because", false, ""); err == nil {
		t.Error("a verdict on a former text could be undone")
	}
	if outcome := undo(accepted.Action.ID); outcome.Affected.Messages != 1 {
		t.Errorf("the undo affects %+v", outcome.Affected)
	}
	if page := items(); len(page.Items) != 0 {
		t.Errorf("after the undo the items are %+v", page.Items)
	}
	if got := waiting("open"); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("after the undo these wait: %v", got)
	}

	// The undo of a run leaves what was decided meanwhile.
	var run candidateAnswer
	l.send(http.MethodPost, path("a"), object{"verdict": "refuse"}).want(200).json(&run)
	if outcome := undo(run.RuleAction); outcome.Affected.Messages != 1 { // c; b was found by the later run
		t.Errorf("the undo of the run affects %+v", outcome.Affected)
	}
	if got := waiting("all"); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("after the undo of the run there are %v", got)
	}
	if got := l.find(named, rule); !slices.Equal(got, []string{"c"}) {
		t.Errorf("then the rule finds %v", got)
	}
	l.send(http.MethodPost, path("c"), object{"verdict": "accept"}).want(200)
	l.send(http.MethodDelete, l.list+"/items", object{"items": []uuid.UUID{named["c"]}}).want(200)
	var back candidateAnswer
	l.send(http.MethodPost, path("c"), object{"verdict": "accept"}).want(200).json(&back)
	if page := items(); len(page.Items) != 1 || back.Action.ID == 0 {
		t.Errorf("accepted again after it was removed: %+v", page.Items)
	}
	undo(back.Action.ID)
	if page := items(); len(page.Items) != 0 {
		t.Errorf("after the undo: %+v", page.Items)
	}
	if _, err := l.store.VerifyChain(t.Context()); err != nil {
		t.Errorf("the log: %v", err)
	}
}

// TestRepeatedRequests sends requests on a list twice with one Idempotency-Key: the
// second answer is the first one.
func TestRepeatedRequests(t *testing.T) {
	t.Parallel()
	l := newLead(t)
	named := newTexts(t, l, map[string]storetest.Node{"a": {Text: "the first idiot"}, "b": {Text: "the second idiot"}})
	twice := func(path, body string) answer {
		t.Helper()
		send := func() answer {
			return l.do(http.MethodPost, path, strings.NewReader(body), "application/json", "Idempotency-Key", path).want(200)
		}
		first, second := send(), send()
		if first.body != second.body {
			t.Errorf("%s answers\n%s\nand then\n%s", path, first.body, second.body)
		}
		return first
	}
	added := twice(l.list+"/items", fmt.Sprintf(`{"items": [{"message_id": %q}, {"message_id": %q}, {"message_id": %q}]}`,
		named["a"], named["a"], uuid.New()))
	if added.field("added") != 1.0 || added.field("duplicate") != 1.0 {
		t.Errorf("added: %s", added.body)
	}
	if found := twice(l.list+"/candidates", `{"rule": {"words": ["idiot"]}}`); found.field("found") != 1.0 {
		t.Errorf("found: %s", found.body)
	}
	admin := staffKey(t, l)
	l.key = admin
	twice(l.list+"/apply", `{"reason": "before the release", "expected": 1}`)
}

// staffKey makes a key of an admin.
func staffKey(t *testing.T, l lead) string {
	t.Helper()
	key, err := l.store.CreateKey(t.Context(), store.CommandLine, "an admin", policy.Admin, nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestApplyTakesReplies checks that a preview does not count an item among those
// that stay if it goes as a reply.
func TestApplyTakesReplies(t *testing.T) {
	t.Parallel()
	l := newLead(t)
	banned := storetest.User(t, l.store, "Banned")
	ids := storetest.Tree(t, l.store, storetest.Node{Author: storetest.User(t, l.store, "Author"),
		Replies: []storetest.Node{{Author: banned}}})
	other := storetest.Tree(t, l.store, storetest.Node{Author: banned})
	if _, err := l.store.Act(t.Context(), storetest.Staff(t, l.store, policy.Admin),
		store.Act{Kind: "ban", Target: banned, Reason: "because"}); err != nil {
		t.Fatal(err)
	}
	l.paste(ids[0].String() + "\n" + ids[1].String() + "\n" + other[0].String())
	l.key = staffKey(t, l)
	preview := l.send(http.MethodPost, l.list+"/apply", object{"preview": true}).want(200)
	if preview.field("expected") != 2.0 || preview.field("left", "author_banned") != 1.0 {
		t.Errorf("the preview is %s", preview.body)
	}
	l.send(http.MethodPost, l.list+"/apply", object{"reason": "because", "expected": 2}).want(200)
	audit := l.get(l.list + "/audit").want(200)
	if audit.field("counts", "deleted") != 2.0 || audit.field("counts", "author_banned") != 1.0 {
		t.Errorf("the audit is %s", audit.body)
	}
}

// TestBadRules checks that each fault of a rule is named by its place.
func TestBadRules(t *testing.T) {
	t.Parallel()
	l := newLead(t)
	for body, field := range map[string]string{
		`{}`: "rule", `{"rule": {}}`: "rule", `{"rule": null}`: "rule", `{"rule": []}`: "rule",
		`{"rule": {"lang": "de"}}`: "rule", `{"rule": {"words": [" ", ""]}}`: "rule",
		`{"rule": {"word": ["x"]}}`: "rule.word", `{"rule": {"words": "x"}}`: "rule.words",
		`{"rule": {"regex": "("}}`: "rule.regex", `{"rule": {"regex": "a*"}}`: "rule.regex",
		`{"rule": {"regex": "a\u0000b"}}`: "rule.regex", `{"rule": {"words": ["a\u0000b"]}}`: "rule.words",
		`{"rule": {"label": "spam"}}`: "rule.label", `{"rule": {"label": "colour>0.5"}}`: "rule.label",
		`{"rule": {"near_duplicates": 0.4}}`:                 "rule.near_duplicates",
		`{"rule": {"near_duplicates": 2}}`:                   "rule.near_duplicates",
		`{"rule": {"classifier": "toxicity>0.5"}}`:           "rule.classifier",
		`{"rule": {"shorter_than": -1, "words": ["a"]}}`:     "rule.shorter_than",
		`{"rule": {"label": "spam>0.5", "lang": "nothing"}}`: "rule.lang",
		`{"rule": {"words": ["a"]}, "colour": 1}`:            "colour",
	} {
		answer := l.send(http.MethodPost, l.list+"/candidates", body).want(422)
		if !strings.Contains(answer.body, `"`+field+`":`) {
			t.Errorf("%s: %s, want the field %s", body, answer.body, field)
		}
	}
	l.get(l.list + "/candidates?verdict=maybe").want(400)
	l.get(apiPrefix + "/lists/" + uuid.NewString() + "/candidates").want(404)
	l.send(http.MethodPost, apiPrefix+"/lists/"+uuid.NewString()+"/candidates",
		`{"rule": {"words": ["a"]}}`).want(404)
}

// TestKappaOfRefused draws a sample of a list and of what was refused for it. Both
// said yes to one of four and no to two; the list alone has "a" too.
//
// By hand: agreement 3/4; by chance 1/2*1/4 + 1/2*3/4 = 1/2; kappa (3/4-1/2)/(1/2).
func TestKappaOfRefused(t *testing.T) {
	t.Parallel()
	l := newLead(t)
	named := newTexts(t, l, map[string]storetest.Node{
		"a": {Text: "the first idiot"}, "b": {Text: "the second idiot"}, "c": {Text: "the third idiot"},
		"d": {Text: "the fourth idiot"},
	})
	l.find(named, object{"words": []string{"idiot"}})
	for name, verdict := range map[string]string{"a": "accept", "b": "accept", "c": "refuse", "d": "refuse"} {
		l.send(http.MethodPost, l.list+"/candidates/"+named[name].String(), object{"verdict": verdict}).want(200)
	}
	second := newClient(t, l.server)
	var err error
	if second.key, err = l.store.CreateKey(t.Context(), store.CommandLine, "second", policy.DataLead, nil); err != nil {
		t.Fatal(err)
	}
	drawn := l.send(http.MethodPost, apiPrefix+"/samples",
		object{"of": "list:" + l.list[strings.LastIndex(l.list, "/")+1:], "size": 10, "seed": 1}).want(200)
	if drawn.field("size") != 4.0 || drawn.field("population") != 4.0 {
		t.Errorf("the sample is %s", drawn.body)
	}
	path := apiPrefix + "/samples/" + drawn.field("sample_id").(string)
	for range 4 {
		item := second.get(path + "/next").want(200).field("item").(string)
		verdict := "no"
		if item == named["b"].String() {
			verdict = "yes"
		}
		second.send(http.MethodPost, path+"/judgements", object{"item": item, "verdict": verdict}).want(200)
	}
	agreement := second.get(path + "/agreement").want(200)
	if agreement.field("kappa") != 0.5 || agreement.field("n") != 4.0 {
		t.Errorf("the agreement is %s", agreement.body)
	}
	if disputed, _ := agreement.field("disputed").([]any); len(disputed) != 1 {
		t.Errorf("disputed: %v", disputed)
	}
}
