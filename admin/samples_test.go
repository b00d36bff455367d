package admin

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/samples"
	"treewarden/store/storetest"
)

// secondLook holds ten decisions of one moderator, and two more people.
type secondLook struct {
	t             *testing.T
	store         *store.Store
	server        *Server
	first         store.Actor
	decider       *client
	second, third *client
	decided       []uuid.UUID // six that should go, then four that should stay
}

const firstReason = "the zebra was here"

func newSecondLook(t *testing.T) secondLook {
	t.Helper()
	s := storetest.New(t)
	l := secondLook{t: t, store: s, server: newServer(t, s), first: storetest.Staff(t, s, policy.Moderator)}
	l.decider = signedIn(t, l.server, l.first)
	l.second, l.third = staff(t, l.server, policy.Moderator), staff(t, l.server, policy.Admin)
	author := storetest.User(t, s, "Author")
	var replies []storetest.Node
	for i := range 13 {
		replies = append(replies,
			storetest.Node{Author: author, Text: fmt.Sprint("text ", i), Lang: []string{"en", "de"}[i%2]})
	}
	ids := storetest.Tree(t, s, storetest.Node{Author: author, Text: "the prompt", Replies: replies})[1:]
	storetest.Exec(t, s, "UPDATE messages SET review_result = NULL WHERE message_id = ANY ($1)", ids)
	for i, id := range ids[:11] {
		act := store.Act{Kind: "delete", Target: id}
		if i >= 4 {
			act = store.Act{Kind: "review", Target: id,
				Params: store.ReviewParams{Result: map[bool]string{true: "rejected", false: "accepted"}[i < 6]}}
		}
		l.act(act)
	}
	l.decided = ids[:10]
	// The eleventh is undone, the twelfth pending again, the thirteenth edited.
	outcome := l.act(store.Act{Kind: "review", Target: ids[11], Params: store.ReviewParams{Result: "rejected"}})
	if _, err := s.Undo(t.Context(), l.first, outcome.Action.ID, "a slip of mine", false, ""); err != nil {
		t.Fatal(err)
	}
	l.act(store.Act{Kind: "review", Target: ids[10], Params: store.ReviewParams{Result: "pending"}})
	l.act(store.Act{Kind: "review", Target: ids[12], Params: store.ReviewParams{Result: "rejected"}})
	l.act(store.Act{Kind: "edit", Target: ids[12], Params: store.EditParams{Text: "another text"}})
	return l
}

func (l secondLook) act(act store.Act) store.Outcome {
	l.t.Helper()
	act.Reason = firstReason
	outcome, err := l.store.Act(l.t.Context(), l.first, act)
	if err != nil {
		l.t.Fatal(err)
	}
	return outcome
}

// draw draws a sample and returns its path in the API.
func (l secondLook) draw(body map[string]any) (string, samples.Sample) {
	l.t.Helper()
	var s samples.Sample
	l.third.send(http.MethodPost, apiPrefix+"/samples", body).want(200).json(&s)
	return apiPrefix + "/samples/" + s.SampleID.String(), s
}

// items returns the messages of a sample in order.
func (l secondLook) items(sample uuid.UUID) []uuid.UUID {
	l.t.Helper()
	rows, err := storetest.DB(l.t, l.store).Query(l.t.Context(),
		"SELECT message_id FROM sample_items WHERE sample_id = $1 ORDER BY place", sample)
	if err != nil {
		l.t.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		l.t.Fatal(err)
	}
	return ids
}

// TestKappaOfSample judges ten decisions again. Of six that should go the second
// person keeps two, of four that should stay they remove one: 4, 2, 1, 3.
//
// By hand: agreement 7/10; by chance .6*.5 + .4*.5 = .5; kappa .2/.5 = .4.
// Error: diagonal .4(1-1.1*.6)^2 + .3(1-.9*.6)^2 = .04624+.06348 = .10972; others
// .36(.2(.5+.4)^2 + .1(.5+.6)^2) = .36(.162+.121) = .10188; chance (.4-.5*.6)^2 =
// .01; sqrt(.2016/10)/.5 = .283972. Interval .4-1.96*.283972 = -.1566 to .9566.
func TestKappaOfSample(t *testing.T) {
	t.Parallel()
	l := newSecondLook(t)
	path, s := l.draw(map[string]any{"of": "decisions", "size": 100, "seed": 42, "by": "lang"})
	if s.Population != 10 || s.Size != 10 || s.Seed != 42 || s.Of != "decisions" || s.Question != "remove" {
		t.Fatalf("the sample is %+v", s)
	}
	drawn := l.items(s.SampleID)
	for _, id := range l.decided {
		if !slices.Contains(drawn, id) {
			t.Errorf("%s was not drawn", id)
		}
	}
	if a := l.second.get(path + "/agreement").want(200); a.field("kappa") != nil || a.field("n") != 0.0 {
		t.Errorf("nothing judged: %s", a.body)
	}
	removed := append(slices.Clone(l.decided[:4]), l.decided[6])
	for range 10 {
		next := l.second.get(path + "/next").want(200)
		item, _ := next.field("item").(string)
		verdict := "no"
		if slices.Contains(removed, uuid.MustParse(item)) {
			verdict = "yes"
		}
		l.second.send(http.MethodPost, path+"/judgements", map[string]any{"item": item, "verdict": verdict, "note": "hm"}).
			want(200)
	}
	if next := l.second.get(path + "/next").want(200); next.field("item") != nil || next.field("judged") != 10.0 {
		t.Errorf("after the last: %s", next.body)
	}
	var a samples.Agreement
	l.second.get(path + "/agreement?by=actor").want(200).json(&a)
	if a.N != 10 || a.Kappa == nil || math.Abs(*a.Kappa-0.4) > 1e-9 || len(a.Interval) != 2 ||
		math.Abs(a.Interval[0]+0.156575) > 1e-4 || math.Abs(a.Interval[1]-0.956575) > 1e-4 {
		t.Errorf("the agreement is %+v", a)
	}
	if a.Counts["yes_yes"] != 4 || a.Counts["yes_no"] != 2 || a.Counts["no_yes"] != 1 || a.Counts["no_no"] != 3 {
		t.Errorf("the counts are %v", a.Counts)
	}
	if len(a.By) != 1 || a.By[0].Group != l.first.UserID.String() || a.By[0].Name != l.first.Name || a.By[0].N != 10 {
		t.Errorf("by actor: %+v", a.By)
	}
	var byKind samples.Agreement
	l.second.get(path + "/agreement?by=kind").want(200).json(&byKind)
	for _, g := range byKind.By {
		if g.Kappa != nil || g.Agreement == nil || len(g.AgreementInterval) != 2 || g.Why == "" {
			t.Errorf("kappa of one kind: %+v", g)
		}
	}
	l.settle(path, a)
}

// settle settles one of three disputes.
func (l secondLook) settle(path string, a samples.Agreement) {
	t := l.t
	t.Helper()
	if len(a.Disputed) != 3 {
		t.Fatalf("disputed: %+v", a.Disputed)
	}
	body := map[string]any{"item": a.Disputed[0].Item, "verdict": "yes"}
	for _, party := range []*client{l.decider, l.second} {
		party.send(http.MethodPost, path+"/settlements", body).want(403)
	}
	var settled samples.Agreement
	l.third.send(http.MethodPost, path+"/settlements", body).want(200).json(&settled)
	last := settled.Disputed[2]
	if last.Item != a.Disputed[0].Item || last.Settled == nil || *last.Settled != "yes" || last.SettledAt == nil {
		t.Errorf("settled: %+v", last)
	}
	l.third.send(http.MethodPost, path+"/settlements", body).want(200)
	body["verdict"] = "no"
	l.third.send(http.MethodPost, path+"/settlements", body).want(409)
	own := strings.TrimPrefix(path, apiPrefix)
	page := l.third.get(own).want(200)
	if main := page.text("main"); !strings.Contains(main, "0.40") || !strings.Contains(main, "−0.16 to 0.96") ||
		!strings.Contains(page.text("#disputed a"), "2 to settle") {
		t.Errorf("the page of the sample: %s", main)
	}
	if list := l.third.get("/samples"); list.text("td[data-label='To settle']") != "2" {
		t.Errorf("the disputes in the list of samples: %s", list.text("main"))
	}
	l.disputed(path, own)
}

// disputed reads the disputes page by page, and settles the last two on the page
// of disputes.
func (l secondLook) disputed(path, own string) {
	t := l.t
	t.Helper()
	for state, want := range map[string]int{"": 2, "open": 2, "settled": 1, "all": 3} {
		var read []samples.Dispute
		cursor := ""
		for range want {
			var part store.List[samples.Dispute]
			l.second.get(path + "/disputed?limit=1&state=" + state + "&cursor=" + cursor).want(200).json(&part)
			if read = append(read, part.Items...); part.Next == nil {
				break
			}
			cursor = *part.Next
		}
		if len(read) != want || !slices.IsSortedFunc(read, func(a, b samples.Dispute) int { return a.Place - b.Place }) {
			t.Errorf("disputed, %q: %+v", state, read)
		}
	}
	l.second.get(path + "/disputed?state=closed").want(400)
	page := l.third.get(own + "/disputed").want(200)
	if main := page.text("main"); page.page().Find("[data-row] form").Length() != 2 ||
		strings.Count(main, "text ") < 2 || strings.Count(main, ": hm") != 2 || !strings.Contains(main, firstReason) ||
		!strings.Contains(main, l.first.Name) {
		t.Errorf("the page of disputes: %s", main)
	}
	if party := l.second.get(own + "/disputed").want(200); party.page().Find("[data-row] form").Length() != 0 ||
		!strings.Contains(party.text("main"), "another person decides") {
		t.Errorf("the disputes for one of the two: %s", party.text("main"))
	}
	for range 2 {
		page = l.third.get(own + "/disputed").want(200)
		form := page.page().Find("[data-row] form").First()
		back := l.third.post(own+"/settlements", url.Values{"item": {attr(form.Find("[name=item]"), "value")},
			"return": {attr(form.Find("[name=return]"), "value")}, "verdict": {"no"}}).want(303)
		if to := back.header.Get("Location"); !strings.HasPrefix(to, own+"/disputed") {
			t.Errorf("settled: back to %s", to)
		}
	}
	empty := l.third.get(own + "/disputed").want(200).text(".empty")
	if !strings.Contains(empty, "All disputes are settled") {
		t.Errorf("all settled: %s", empty)
	}
	if all := l.third.get(own + "/disputed?state=all").want(200); strings.Count(all.text("main"), "Settled: ") != 3 {
		t.Errorf("all disputes: %s", all.text("main"))
	}
}

// TestSameDrawsSame draws three samples, two of them with the same seed.
func TestSameDrawsSame(t *testing.T) {
	t.Parallel()
	l := newSecondLook(t)
	drawn := map[int][]uuid.UUID{}
	for _, seed := range []int{7, 7, 8} {
		_, s := l.draw(map[string]any{"of": "decisions", "size": 5, "seed": seed, "by": "kind"})
		ids := l.items(s.SampleID)
		if len(ids) != 5 || drawn[seed] != nil && !slices.Equal(ids, drawn[seed]) {
			t.Errorf("the seed %d draws %v, then %v", seed, drawn[seed], ids)
		}
		drawn[seed] = ids
	}
	if slices.Equal(drawn[7], drawn[8]) {
		t.Error("another seed draws the same")
	}
	for body, field := range map[string]string{
		`{}`: "of", `{"of": "list:x"}`: "of", `{"of": "list:` + uuid.NewString() + `"}`: "of",
		`{"of": "decisions", "size": 0}`: "size", `{"of": "decisions", "size": 1001}`: "size",
		`{"of": "decisions", "by": "reason"}`: "by", `{"of": "decisions", "since": "2031-01-01T00:00:00Z"}`: "since",
		`{"of": "decisions", "since": "2031-01-01T00:00:00Z", "until": "2030-01-01T00:00:00Z"}`: "until",
	} {
		a := l.third.send(http.MethodPost, apiPrefix+"/samples", body).want(422)
		if a.field("error", "fields", field) == nil {
			t.Errorf("%s: %s", body, a.body)
		}
	}
}

// TestBlind checks that the next item and its page hold nothing of the first
// judgement.
func TestBlind(t *testing.T) {
	t.Parallel()
	l := newSecondLook(t)
	path, s := l.draw(map[string]any{"of": "decisions", "seed": 1})
	known := []string{"sample_id", "size", "judged", "left", "others", "item", "question", "message", "thread"}
	for range s.Size {
		next := l.second.get(path + "/next").want(200)
		page := l.second.get(strings.TrimPrefix(path, apiPrefix) + "/next").want(200)
		main, err := page.page().Find("main").Html()
		if err != nil || !strings.Contains(main, "the prompt") || !strings.Contains(main, "Should this message be removed?") {
			t.Fatalf("the page: %s", page.text("main"))
		}
		for _, trace := range []string{firstReason, l.first.Name, l.first.UserID.String(), "deleted", "spam", "reject",
			"review", "/actions/", "/messages/", "badge"} {
			for where, text := range map[string]string{"API": next.body, "page": main} {
				if strings.Contains(strings.ToLower(text), strings.ToLower(trace)) {
					t.Errorf("the %s holds %q: %s", where, trace, text)
				}
			}
		}
		var members map[string]json.RawMessage
		next.json(&members)
		for name := range members {
			if !slices.Contains(known, name) {
				t.Errorf("the next item has a member %s", name)
			}
		}
		item, _ := next.field("item").(string)
		form := url.Values{"item": {item}, "verdict": {"no"}}
		l.second.post(strings.TrimPrefix(path, apiPrefix)+"/judgements", form).want(303)
	}
}

// TestJudges checks who may judge what, and that two people get two items.
func TestJudges(t *testing.T) {
	t.Parallel()
	l := newSecondLook(t)
	path, _ := l.draw(map[string]any{"of": "decisions", "seed": 3})
	if own := l.decider.get(path + "/next").want(200); own.field("item") != nil || own.field("others") != 10.0 {
		t.Errorf("the first person gets %s", own.body)
	}
	one, two := l.second.get(path+"/next").field("item"), l.third.get(path+"/next").field("item")
	if one == nil || two == nil || one == two {
		t.Errorf("two people get %v and %v", one, two)
	}
	if again := l.second.get(path + "/next").field("item"); again != one {
		t.Errorf("the item changed from %v to %v", one, again)
	}
	judge := func(c *client, item any, verdict string, want int) string {
		t.Helper()
		return c.send(http.MethodPost, path+"/judgements", map[string]any{"item": item, "verdict": verdict}).want(want).body
	}
	judge(l.decider, one, "same", 403)
	judge(l.second, one, "other", 200)
	judge(l.second, one, "other", 200)
	if why := judge(l.second, one, "same", 409); !strings.Contains(why, "You have judged this message before") {
		t.Errorf("judged again: %s", why)
	}
	if why := judge(l.third, one, "other", 409); !strings.Contains(why, "Another judgement") {
		t.Errorf("judged too late: %s", why)
	}
	judge(l.second, two, "same", 200)
	judge(l.second, uuid.NewString(), "same", 422)
	judge(l.second, one, "perhaps", 422)
	judge(l.second, one, "", 422)
	var a samples.Agreement
	l.third.get(path + "/agreement").want(200).json(&a)
	if a.N != 2 || len(a.Disputed) != 1 || a.Disputed[0].Item.String() != one ||
		a.Disputed[0].First == a.Disputed[0].Second {
		t.Errorf("same and other: %+v", a)
	}
	// With nothing else free, what another person sees is handed out too.
	storetest.Exec(t, l.store, "DELETE FROM sample_items WHERE second IS NULL AND message_id NOT IN "+
		"(SELECT message_id FROM sample_items WHERE second IS NULL ORDER BY place LIMIT 1)")
	one, two = l.second.get(path+"/next").field("item"), l.third.get(path+"/next").field("item")
	if one == nil || one != two {
		t.Errorf("the last item: %v and %v", one, two)
	}
}

// TestSampleOfList takes a second look at a list. All first judgements say the
// same, so there is no kappa.
func TestSampleOfList(t *testing.T) {
	t.Parallel()
	l := newLead(t)
	ids := storetest.Tree(t, l.store, storetest.Node{Replies: []storetest.Node{{}, {}, {}}})
	lines := uuid.NewString()
	for _, id := range ids {
		lines += "\n" + id.String()
	}
	l.paste(lines)
	id := l.list[strings.LastIndex(l.list, "/")+1:]
	moderator := staff(t, l.server, policy.Moderator)
	form := moderator.get("/samples/new?of=list:" + id).want(200)
	if !strings.Contains(form.text("main"), "Before release") {
		t.Errorf("the form: %s", form.text("main"))
	}
	bad := moderator.post("/samples", url.Values{"of": {"list:" + id}, "size": {"many"}, "seed": {"5"}}).want(422)
	if bad.page().Find("#s-size-more .error").Length() != 1 || attr(bad.page().Find("#s-seed"), "value") != "5" {
		t.Errorf("a wrong size: %s", bad.text("main"))
	}
	path := moderator.post("/samples", url.Values{"of": {"list:" + id}, "size": {"10"}, "seed": {"5"}}).want(303).
		header.Get("Location")
	if next := l.get(apiPrefix + path + "/next").want(200); next.field("item") != nil {
		t.Errorf("who filled the list may judge it: %s", next.body)
	}
	for i, verdict := range []string{"yes", "yes", "no", "yes"} {
		page := moderator.get(path + "/next").want(200)
		if !strings.Contains(page.text("main"), fmt.Sprint(i+1, " of 4")) || strings.Contains(page.body, "Before release") {
			t.Errorf("the page to judge: %s", page.text("main"))
		}
		item := attr(page.page().Find("input[name=item]"), "value")
		moderator.post(path+"/judgements", url.Values{"item": {item}, "verdict": {verdict}}).want(303)
	}
	a := l.get(apiPrefix + path + "/agreement").want(200)
	if a.field("kappa") != nil || a.field("interval") != nil || a.field("agreement") != 0.75 ||
		!strings.Contains(a.body, "All first judgements are the same") {
		t.Errorf("the agreement on a list: %s", a.body)
	}
	if page := moderator.get(path).want(200).text("main"); !strings.Contains(page, "All first judgements are the same") {
		t.Errorf("the page of the sample: %s", page)
	}
	if list := moderator.get("/samples?list=" + id).want(200); list.page().Find("tbody tr").Length() != 1 {
		t.Errorf("the samples of the list: %s", list.text("main"))
	}
}

// TestSampleOnce sends the order of a sample again with the same Idempotency-Key.
func TestSampleOnce(t *testing.T) {
	t.Parallel()
	l := newSecondLook(t)
	order := func(by *client, body, key string) answer {
		return by.do(http.MethodPost, apiPrefix+"/samples", strings.NewReader(body), "application/json",
			"Idempotency-Key", key)
	}
	const body = `{"of": "decisions", "size": 3}`
	order(l.third, `{"of": "decisions", "since": "2031-01-01T00:00:00Z"}`, "k").want(422)
	first := order(l.third, body, "k").want(200)
	if again := order(l.third, body, "k").want(200); again.body != first.body {
		t.Errorf("the same order again: %s, then %s", first.body, again.body)
	}
	order(l.third, `{"of": "decisions", "size": 4}`, "k").want(409)
	if other := order(l.second, body, "k").want(200); other.field("sample_id") == first.field("sample_id") {
		t.Error("another person's key draws the same sample")
	}
	if other := order(l.third, body, "l").want(200); other.field("sample_id") == first.field("sample_id") {
		t.Error("another key draws the same sample")
	}
	// A key that an action used up draws no sample, and the other way round.
	item := apiPrefix + "/messages/" + l.decided[9].String()
	remove := func(key string) answer {
		return l.third.do(http.MethodPost, item+"/delete", strings.NewReader(`{"reason": "for the test"}`),
			"application/json", "Idempotency-Key", key)
	}
	remove("k").want(409)
	remove("m").want(200)
	order(l.third, body, "m").want(409)
}
