package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/lists"
	"treewarden/store/storetest"
)

// applier is an admin with a session, and a list of messages that exist.
type applier struct {
	*client
	store *store.Store
	actor store.Actor
	id    uuid.UUID
	list  string // the path of the list's page
}

func newApplier(t *testing.T, ids func(s *store.Store, admin store.Actor) []uuid.UUID) applier {
	t.Helper()
	s := storetest.New(t)
	actor := storetest.Staff(t, s, policy.Admin)
	a := applier{signedIn(t, newServer(t, s), actor), s, actor, uuid.New(), ""}
	a.list = "/lists/" + a.id.String()
	name, kind := "Before release", "bad"
	if _, err := s.Act(t.Context(), actor, store.Act{Kind: "create_list", Target: a.id,
		Params: store.ListParams{Name: &name, Kind: &kind}}); err != nil {
		t.Fatal(err)
	}
	var items []store.NewItem
	for _, id := range ids(s, actor) {
		items = append(items, store.NewItem{MessageID: id, Note: "from the sheet"})
	}
	if _, _, err := s.AddToList(t.Context(), actor, a.id, store.AddParams{Items: items}, "", ""); err != nil {
		t.Fatal(err)
	}
	return a
}

// form returns the fields that the page of a preview sends, with a reason.
func (a applier) form(page answer, reason string) url.Values {
	values := url.Values{"reason": {reason}}
	for _, name := range []string{"key", "expected"} {
		value, ok := page.page().Find("main form [name=" + name + "]").Attr("value")
		if !ok {
			a.t.Fatalf("the form has no field %s: %s", name, page.text("main"))
		}
		values.Set(name, value)
	}
	return values
}

func (a applier) deleted() (n int) {
	a.t.Helper()
	if err := storetest.DB(a.t, a.store).QueryRow(a.t.Context(), "SELECT count(*) FROM messages WHERE deleted").
		Scan(&n); err != nil {
		a.t.Fatal(err)
	}
	return n
}

// TestApplyListPage previews and deletes what is on a list by its page, and takes
// that back.
func TestApplyListPage(t *testing.T) {
	t.Parallel()
	var late uuid.UUID
	a := newApplier(t, func(s *store.Store, admin store.Actor) []uuid.UUID {
		author, mod := storetest.User(t, s, "Author"), storetest.Staff(t, s, policy.Moderator)
		other := storetest.Staff(t, s, policy.Admin)
		ids := storetest.Tree(t, s, storetest.Node{Author: author, Text: "How do <b>bees</b> sleep?",
			Replies: []storetest.Node{{Author: mod.UserID, Text: "Upside down."}, {Author: admin.UserID},
				{Author: other.UserID}}})
		late = storetest.Tree(t, s, storetest.Node{Author: author, Text: "A second tree"})[0]
		return append(ids[:2], late, uuid.New())
	})
	page := a.get(a.list).want(200)
	if href, _ := page.page().Find(".page-head a.btn-danger").Attr("href"); href != a.list+"/apply" {
		t.Errorf("the list's page leads to %q", href)
	}
	moderator := staff(t, a.server, policy.Moderator)
	if n := moderator.get(a.list).want(200).page().Find("a[href$='/apply']").Length(); n != 0 {
		t.Error("a moderator is shown the button")
	}
	moderator.get(a.list + "/apply").want(403)

	page = a.get(a.list + "/apply").want(200)
	if got := page.text(".numbers"); got != "messages to delete 5 of these on the list3 of these replies that are not on "+
		"the list2 trees2 authors4" {
		t.Errorf("the numbers are %s", got)
	}
	for _, want := range []string{"Missing 1", "3 messages by staff, 1 of these by you", "How do <b>bees</b> sleep?",
		"A second tree", "3 of 3"} {
		if !strings.Contains(page.text("main"), want) {
			t.Errorf("the page does not say %q: %s", want, page.text("main"))
		}
	}
	if got := page.text(".form-foot button"); got != "Delete 5 messages" {
		t.Errorf("the button is %q", got)
	}
	form := a.form(page, "x")
	refused := a.post(a.list+"/apply", form).want(422)
	if v, _ := refused.page().Find("#apply-reason").Attr("value"); v != "x" || refused.text(".error") == "" {
		t.Errorf("a short reason: %s", refused.text("main"))
	}
	act := store.Act{Kind: "delete", Target: late, Reason: "because"}
	if _, err := a.store.Act(t.Context(), a.actor, act); err != nil {
		t.Fatal(err)
	}
	form.Set("reason", "before the release")
	changed := a.post(a.list+"/apply", form).want(409)
	if v, _ := changed.page().Find("#apply-reason").Attr("value"); v != "before the release" ||
		!strings.Contains(changed.text(".notice"), "changed from 5 to 4") ||
		changed.text(".form-foot button") != "Delete 4 messages" || a.deleted() != 1 {
		t.Errorf("after the number changed: %s", changed.text("main"))
	}
	to := a.post(a.list+"/apply", a.form(changed, "before the release")).want(303).header.Get("Location")
	done := a.get(to).want(200)
	if !strings.HasPrefix(to, a.list+"?done=") || a.deleted() != 5 ||
		!strings.Contains(done.text(".toast"), "Deleted the messages on the list “Before release”") {
		t.Errorf("it leads to %s: %s", to, done.text(".toast"))
	}
	if none := a.get(a.list + "/apply").want(200); none.page().Find("main form").Length() != 0 ||
		!strings.Contains(none.text("main"), "nothing to delete") {
		t.Errorf("nothing is left: %s", none.text("main"))
	}
	undo, _ := done.page().Find(".toast form").Attr("action")
	a.post(undo, url.Values{"reason": {"a mistake"}, "return": {a.list}}).want(303)
	if a.deleted() != 1 {
		t.Errorf("%d messages are deleted after the undo", a.deleted())
	}
}

// TestApplyListAPI reads the preview of the API, with messages by people on whom
// the actor may and may not act.
func TestApplyListAPI(t *testing.T) {
	t.Parallel()
	l := newLead(t)
	var err error
	if l.key, err = l.store.CreateKey(t.Context(), store.CommandLine, "admin", policy.Admin, nil); err != nil {
		t.Fatal(err)
	}
	var ids []uuid.UUID
	for _, author := range []uuid.UUID{storetest.Staff(t, l.store, policy.Admin).UserID,
		storetest.Staff(t, l.store, policy.Moderator).UserID, storetest.User(t, l.store, "Author")} {
		ids = append(ids, storetest.Tree(t, l.store, storetest.Node{Author: author})[0])
		l.paste(ids[len(ids)-1].String())
	}
	var preview store.ListPreview
	l.send(http.MethodPost, l.list+"/apply", object{"preview": true}).want(200).json(&preview)
	want := lists.Extent{Trees: 3, Users: 3, Protected: lists.Protected{Staff: 2}}
	if preview.Extent != want || preview.Expected != 3 {
		t.Errorf("the preview is %+v, want %+v", preview, want)
	}
	nobody := func(string) bool { return false }
	got, err := lists.Measure(t.Context(), storetest.DB(t, l.store), uuid.New(), nobody, ids, ids)
	if want.Protected.NotPermitted = 2; err != nil || got != want {
		t.Errorf("by somebody who may act on no staff it is %+v, want %+v (%v)", got, want, err)
	}
}

// TestApplyListAsJob deletes more messages by a page than a request may, and
// looks at the job.
func TestApplyListAsJob(t *testing.T) {
	t.Parallel()
	a := newApplier(t, func(s *store.Store, _ store.Actor) []uuid.UUID {
		return storetest.Tree(t, s, storetest.Node{Author: storetest.User(t, s, "Author"),
			Replies: slices.Repeat([]storetest.Node{{}}, 501)})
	})
	run := func() {
		t.Helper()
		if err := a.store.RunJobs(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	start := func() string {
		t.Helper()
		page := a.get(a.list + "/apply").want(200)
		if !strings.Contains(page.text("main"), "continues if you close the tab") {
			t.Errorf("the page does not say that it takes a while: %s", page.text("main"))
		}
		to := a.post(a.list+"/apply", a.form(page, "before the release")).want(303).header.Get("Location")
		if !strings.HasPrefix(to, "/jobs/") {
			t.Fatalf("it leads to %s", to)
		}
		return to
	}
	job := start()
	page := a.get(job).want(200)
	if !strings.Contains(page.text("#job"), "Waiting 0 of 502 messages") ||
		page.page().Find("#job[data-refresh]").Length() != 1 ||
		!strings.Contains(page.body, `<noscript><meta http-equiv="refresh"`) ||
		!strings.Contains(page.text(".page-sub"), "Before release") {
		t.Errorf("the page of a job: %s", page.text("main"))
	}
	if notice := a.get(a.list).want(200).text(".notice"); !strings.Contains(notice, "A job is running") {
		t.Errorf("the list's page: %s", notice)
	}
	other := staff(t, a.server, policy.Moderator)
	if n := other.get(job).want(200).page().Find("form[action$=cancel]").Length(); n != 0 {
		t.Error("another person is offered to cancel the job")
	}
	if to := a.post(job+"/cancel", nil).want(303).header.Get("Location"); to != job {
		t.Errorf("a cancel leads to %s", to)
	}
	page = a.get(job).want(200)
	if !strings.Contains(page.text("#job"), "Cancelled") || page.page().Find("[data-refresh], #job form").Length() != 0 {
		t.Errorf("a cancelled job: %s", page.text("main"))
	}

	job = start()
	run()
	page = a.get(job).want(200)
	if !strings.Contains(page.text("#job"), "Done All of 502 messages") || a.deleted() != 502 {
		t.Errorf("a job that is done: %s", page.text("main"))
	}
	if notice := a.get(a.list).want(200).text(".notice"); notice != "" {
		t.Errorf("the list's page, after the job: %s", notice)
	}
	href, _ := page.page().Find("#job-undo").Attr("href")
	path, _, _ := strings.Cut(href, "?")
	if _, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(path, "/actions/"), "/undo")); err != nil {
		t.Fatalf("the undo leads to %q", href)
	}
	form := a.get(href).want(200)
	if !strings.Contains(form.text(".act-numbers, main"), fmt.Sprint(502)) {
		t.Errorf("the form of the undo: %s", form.text("main"))
	}
	to := a.post(path, url.Values{"reason": {"a mistake"}}).want(303).header.Get("Location")
	if !strings.HasPrefix(to, "/jobs/") || a.deleted() != 502 {
		t.Fatalf("the undo leads to %s", to)
	}
	run()
	if page = a.get(to).want(200); !strings.Contains(page.text("#job"), "Done All of 502 messages") || a.deleted() != 0 {
		t.Errorf("the job of the undo: %s", page.text("main"))
	}
	a.post(path, url.Values{"reason": {"a mistake"}}).want(409)
}

// TestApplyGoodList checks that a list of what must stay deletes nothing.
func TestApplyGoodList(t *testing.T) {
	t.Parallel()
	a := newApplier(t, func(s *store.Store, _ store.Actor) []uuid.UUID {
		return storetest.Tree(t, s, storetest.Node{Replies: []storetest.Node{{}}})
	})
	if page := a.get(a.list); page.page().Find("a[href='"+a.list+"/apply']").Length() != 1 {
		t.Errorf("the page of a bad list: %s", page.text("main"))
	}
	kind := "good"
	if _, err := a.store.Act(t.Context(), a.actor, store.Act{Kind: "update_list", Target: a.id,
		Params: store.ListParams{Kind: &kind}}); err != nil {
		t.Fatal(err)
	}
	for _, preview := range []bool{true, false} {
		refused := a.send(http.MethodPost, apiPrefix+a.list+"/apply", object{"reason": "because", "preview": preview}).
			want(409)
		if !strings.Contains(refused.body, "must stay") {
			t.Errorf("the refusal: %s", refused.body)
		}
	}
	a.get(a.list + "/apply").want(409)
	a.post(a.list+"/apply", url.Values{"reason": {"because"}}).want(409)
	if page := a.get(a.list); page.page().Find("a[href='"+a.list+"/apply']").Length() != 0 {
		t.Errorf("the page of a good list: %s", page.text("main"))
	}
}
