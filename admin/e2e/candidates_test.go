package e2e

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/candidates"
	"treewarden/store/samples"
	"treewarden/store/storetest"
)

// listOfCandidates makes a list with candidates, of which some are decided, and
// returns the path of its page.
func (w *world) listOfCandidates(t *testing.T) string {
	t.Helper()
	path := w.list(t, policy.DataLead, "Found by rules", "bad", "")
	id := uuid.MustParse(strings.TrimPrefix(path, "/lists/"))
	if w.one(t, "SELECT count(*)::text FROM list_candidates WHERE list_id = $1", id) != "0" {
		return path
	}
	for _, lang := range []string{"ar", "he", "zh", "en"} {
		rule := candidates.Rule{}
		rule.Lang, rule.Regex = lang, `\p{L}{3,}`
		if lang == "en" {
			rule.Classifier, rule.Regex = "detoxify.toxicity>0.3", `(?i)\b(you|the|and)\b`
		}
		_, _, _, err := w.store.FindCandidates(t.Context(), w.staff[policy.DataLead], id, rule, false, "", "")
		if err != nil {
			t.Fatal(err)
		}
	}
	page, err := w.store.Candidates(t.Context(), w.staff[policy.DataLead], id,
		candidates.Filter{Page: store.Page{Limit: 6}})
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range page.Items {
		verdict := []string{candidates.Accept, candidates.Refuse}[i%2]
		if _, err := w.store.DecideCandidates(t.Context(), w.staff[policy.DataLead], id,
			store.VerdictParams{Items: []uuid.UUID{c.MessageID}}, verdict, ""); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// sampleOf draws a sample of a list, judges some of it, and returns the path of its
// page.
func (w *world) sampleOf(t *testing.T, list string) string {
	t.Helper()
	access, err := w.store.Samples(w.staff[policy.DataLead])
	if err != nil {
		t.Fatal(err)
	}
	id := uuid.MustParse(strings.TrimPrefix(list, "/lists/"))
	seed := int64(7)
	drawn, err := access.Draw(t.Context(), samples.Order{List: &id, Size: 12, Seed: &seed})
	if err != nil {
		t.Fatal(err)
	}
	second, err := w.store.Samples(w.staff[policy.Moderator])
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		next, err := second.Next(t.Context(), drawn.SampleID)
		if err != nil || next.Item == nil {
			t.Fatalf("the next item of the sample is %v: %v", next.Item, err)
		}
		if err := second.Judge(t.Context(), drawn.SampleID, samples.Judgement{Item: *next.Item,
			Verdict: []string{"yes", "no"}[i%2], Note: "for the test"}); err != nil {
			t.Fatal(err)
		}
	}
	return "/samples/" + drawn.SampleID.String()
}

// previewRule previews the rule of the form.
func previewRule(b *tab) {
	b.fill("#r-regex", `(?i)\bhow\b`)
	b.wantStatus(b.follow("button[name=preview]"), 200)
	b.see(".rule-preview")
}

// wrongRule sends a rule that is wrong.
func wrongRule(b *tab) {
	b.fill("#r-regex", "(how")
	b.expect(422)
	b.wantStatus(b.follow("button[name=preview]"), 422)
	b.see(".error")
}

// TestCandidates finds candidates by the form, and decides them by keys.
func TestCandidates(t *testing.T) {
	w := newWorld(t)
	author := storetest.User(t, w.store, "Author")
	storetest.Tree(t, w.store, storetest.Node{Author: author, Text: "How do bees sleep?", Replies: []storetest.Node{
		{Author: author, Text: "You idiot, standing."}, {Author: author, Text: "An idiot said so."},
		{Author: author, Text: "Idiot or not, it is true."}}})
	list := w.list(t, policy.Moderator, "By words", "bad", "")
	b := signedIn(t, w, policy.Moderator)
	b.visit(list)
	b.wantStatus(b.follow("//a[contains(., 'Candidates')]"), 200)
	b.wantText(".empty", "No rule has been run for this list yet")
	b.wantStatus(b.follow(".empty a.btn-primary"), 200)
	b.fill("#r-words", "idiot")
	b.wantStatus(b.follow("button[name=preview]"), 200)
	b.wantText(".rule-preview", "The rule finds 3 new candidates")
	b.wantStatus(b.follow(".form-foot button.btn-primary"), 200)
	b.wantText(".toast", "Found candidates for")
	b.wantText(".states", "Waiting 3")
	b.press("j")
	b.press("a")
	b.wantText(".states", "Waiting 2")
	b.wantText(".toast", "Accepted candidates for")
	b.press("r") // the focus is on the next one
	b.wantText(".states", "Refused 1")
	b.wantStatus(b.pressFollow("u"), 200)
	b.wantText(".states", "Waiting 2")
	b.visit(list)
	b.wantText(".items tbody", "idiot")
}
