package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

const staffAPI = apiPrefix + "/staff"

// crew is a console with an admin.
type crew struct {
	*testing.T
	server *Server
	admin  *client
	actor  store.Actor
}

func newCrew(t *testing.T) crew {
	t.Helper()
	server := newServer(t, storetest.New(t))
	actor := storetest.Staff(t, server.store, policy.Admin)
	return crew{t, server, signedIn(t, server, actor), actor}
}

// because is the body of an act with a reason.
var because = map[string]any{"reason": "for the test"}

// hire creates an account by the API and returns its id and the path of its link.
func (w crew) hire(by *client, name, role string, languages any) (id, link string) {
	w.Helper()
	a := by.send(post, staffAPI, map[string]any{"name": name, "role": role, "languages": languages}).want(200)
	return a.field("user_id").(string), local(w.T, a.field("link"))
}

// local returns the path and query of an address of the console.
func local(t *testing.T, address any) string {
	t.Helper()
	u, err := url.Parse(fmt.Sprint(address))
	if err != nil || !strings.HasPrefix(u.Path, "/sign-in/") {
		t.Fatalf("no link: %v", address)
	}
	return u.RequestURI()
}

// accept opens a link and sets a password.
func (w crew) accept(link, password string) (*client, answer) {
	w.Helper()
	c := newClient(w.T, w.server)
	_, token, _ := strings.Cut(link, "token=")
	form := url.Values{"token": {token}, "password": {password}, "again": {password}}
	if password == "" {
		form = url.Values{"token": {token}, "without": {"true"}}
	}
	return c, c.post(invitationPath, form)
}

// account returns an account as the API lists it.
func (w crew) account(id string) map[string]any {
	w.Helper()
	items := w.admin.get(staffAPI + "?limit=200").want(200).field("items").([]any)
	for _, item := range items {
		if account := item.(map[string]any); account["user_id"] == id {
			return account
		}
	}
	return nil
}

// TestStaffInvitation follows a new person from the invitation to a password.
func TestStaffInvitation(t *testing.T) {
	t.Parallel()
	w := newCrew(t)
	id, link := w.hire(w.admin, "Ada", policy.Moderator, []string{"de"})
	if a := w.account(id); a["status"] != "invited" || a["invited_until"] == nil || a["last_seen"] != nil ||
		fmt.Sprint(a["languages"]) != "[de]" || a["sessions"] != 0.0 {
		t.Errorf("a new account is %v", a)
	}
	nobody := newClient(t, w.server)
	for range 2 { // reading does not use it up
		if text := nobody.get(link).want(200).text("h1"); text != "Welcome, Ada" {
			t.Errorf("the invitation greets with %q", text)
		}
	}
	_, short := w.accept(link, "short")
	short.want(422)
	ada, a := w.accept(link, "a password of Ada")
	a.want(303)
	ada.get("/trollboard").want(200)
	_, again := w.accept(link, "a password of Eve")
	again.want(401)
	nobody.get(link).want(401)
	nobody.post("/sign-in", url.Values{"username": {"Ada"}, "password": {"a password of Ada"}}).want(303)
	if a := w.account(id); a["status"] != "active" || a["invited_until"] != nil || a["last_seen"] == nil ||
		a["sessions"] != 2.0 {
		t.Errorf("after the first sign-in the account is %v", a)
	}
	// A new invitation replaces the one before, and one is over after its end.
	var links []string
	for range 2 {
		links = append(links, local(t, w.admin.send(post, staffAPI+"/"+id+"/invite", "{}").want(200).field("link")))
	}
	_, a = w.accept(links[0], "")
	a.want(401)
	storetest.Exec(t, w.server.store, "UPDATE sign_in_links SET expires_at = now() - interval '1 second'")
	_, a = w.accept(links[1], "")
	a.want(401)
	nobody.get("/sign-in/invitation").want(400)
}

// TestStaffLinkOnce opens one link many times at once.
func TestStaffLinkOnce(t *testing.T) {
	t.Parallel()
	w := newCrew(t)
	_, link := w.hire(w.admin, "Ada", policy.Moderator, nil)
	_, token, _ := strings.Cut(link, "token=")
	var group sync.WaitGroup
	statuses := make([]int, 8)
	for i := range statuses {
		group.Go(func() {
			statuses[i] = newClient(t, w.server).post(invitationPath,
				url.Values{"token": {token}, "without": {"true"}}).status
		})
	}
	group.Wait()
	slices.Sort(statuses)
	if want := []int{303, 401, 401, 401, 401, 401, 401, 401}; !slices.Equal(statuses, want) {
		t.Errorf("one link answered %v", statuses)
	}
}

// TestStaffAccessEnds checks that the very next request is refused after a change
// of role, a reset, the end of sessions and the loss of access.
func TestStaffAccessEnds(t *testing.T) {
	t.Parallel()
	w := newCrew(t)
	id, link := w.hire(w.admin, "Ada", policy.Admin, nil)
	ada, a := w.accept(link, "a password of Ada")
	a.want(303)
	made := ada.send(post, apiPrefix+"/keys", map[string]any{"name": "of Ada", "role": policy.Admin}).want(200)
	program := newClient(t, w.server)
	program.key = made.field("key").(string)
	second := program.send(post, apiPrefix+"/keys", map[string]any{"name": "of the key", "role": policy.Admin}).want(200)
	grandchild := newClient(t, w.server)
	grandchild.key = second.field("key").(string)
	grandchild.get(staffAPI).want(200)
	if a := w.account(id); a["keys"] != 2.0 {
		t.Errorf("Ada has %v keys", a["keys"])
	}

	w.admin.send(patch, staffAPI+"/"+id, map[string]any{"role": policy.Moderator, "reason": "for the test"}).want(200)
	ada.get(staffAPI).want(401) // a demotion ends the sessions
	signIn := func() {
		ada.post("/sign-in", url.Values{"username": {"Ada"}, "password": {"a password of Ada"}}).want(303)
	}
	signIn()
	ada.get(staffAPI).want(403)
	w.admin.send(patch, staffAPI+"/"+id, map[string]any{"role": policy.Admin, "reason": "for the test"}).want(200)
	ada.get(staffAPI).want(200)

	w.admin.send(post, staffAPI+"/"+id+"/end-sessions", because).want(200)
	ada.get(staffAPI).want(401)
	signIn()
	ada.get(staffAPI).want(200)

	reset := w.admin.send(post, staffAPI+"/"+id+"/reset", because).want(200)
	ada.get(staffAPI).want(401)
	ada.post("/sign-in", url.Values{"username": {"Ada"}, "password": {"a password of Ada"}}).want(401)
	ada, a = w.accept(local(t, reset.field("link")), "another password")
	a.want(303)

	open := w.admin.send(post, staffAPI+"/"+id+"/invite", "{}").want(200)
	taken := w.admin.send(del, staffAPI+"/"+id, because).want(200)
	ada.get(staffAPI).want(401)
	program.get(staffAPI).want(401)
	grandchild.get(staffAPI).want(401)
	_, a = w.accept(local(t, open.field("link")), "")
	a.want(401)
	if w.account(id) != nil {
		t.Error("a former member of staff is still listed")
	}
	w.admin.send(del, staffAPI+"/"+id, because).want(409)

	undo := fmt.Sprintf("%s/actions/%.0f/undo", apiPrefix, taken.field("action", "id"))
	w.admin.send(post, undo, because).want(200)
	if a := w.account(id); a["role"] != policy.Admin || a["sessions"] != 0.0 {
		t.Errorf("the undo gives %v", a)
	}
	ada.get(staffAPI).want(401)
	program.get(staffAPI).want(401)
	ada.post("/sign-in", url.Values{"username": {"Ada"}, "password": {"another password"}}).want(303)
	ada.get(staffAPI).want(200)
}

// TestStaffRules checks who may act on whom, and that nobody gives what they lack.
func TestStaffRules(t *testing.T) {
	t.Parallel()
	w := newCrew(t)
	self := staffAPI + "/" + w.actor.UserID.String()
	for _, act := range []struct{ method, path string }{
		{patch, ""}, {del, ""}, {post, "/reset"}, {post, "/end-sessions"}, {post, "/invite"},
	} {
		body := map[string]any{"reason": "for the test"}
		if act.method == patch {
			body["role"] = policy.Moderator
		}
		w.admin.send(act.method, self+act.path, body).want(403)
	}
	// A manager of staff with a rank of moderators, who acts on German only.
	addRoles(t, w.server.store, policy.Role{
		Name: "manager", Title: "manager", Rank: 1, Languages: []string{"de", "pt"},
		Permissions: []policy.Permission{policy.Read, policy.Account, policy.StaffManage, policy.KeyManage, policy.UserBan,
			policy.UndoOwn},
	}, policy.Role{
		Name: "helper", Title: "helper", Permissions: []policy.Permission{policy.Read, policy.UserBan},
	})
	_, link := w.hire(w.admin, "Mia", "manager", nil)
	mia, a := w.accept(link, "")
	a.want(303)
	for _, role := range []string{policy.Admin, policy.Moderator, policy.DataLead} {
		mia.send(post, staffAPI, map[string]any{"name": "of Mia", "role": role, "languages": []string{"de"}}).want(403)
		mia.send(post, apiPrefix+"/keys",
			map[string]any{"name": "of Mia", "role": role, "languages": []string{"de"}}).want(403)
	}
	for _, c := range []struct {
		languages any
		status    int
	}{{nil, 403}, {[]string{"fr"}, 403}, {[]string{"de", "fr"}, 403}, {[]string{}, 422}, {[]string{"de"}, 200},
		{[]string{"pt-BR"}, 200}} {
		name := fmt.Sprint("helper ", c.languages)
		mia.send(post, staffAPI, map[string]any{"name": name, "role": "helper", "languages": c.languages}).want(c.status)
		mia.send(post, apiPrefix+"/keys",
			map[string]any{"name": name, "role": "helper", "languages": c.languages}).want(c.status)
	}
	id, _ := w.hire(mia, "Tom", "helper", []string{"de"})
	widen := map[string]any{"languages": nil, "reason": "for the test"}
	mia.send(patch, staffAPI+"/"+id, widen).want(403)
	mia.send(patch, staffAPI+"/"+id, map[string]any{"languages": []string{"pt"}, "reason": "for the test"}).want(200)
	narrowed := w.admin.send(patch, staffAPI+"/"+id, widen).want(200)
	if gains, _ := narrowed.field("gains").([]any); len(gains) == 0 {
		t.Errorf("no limit gains nothing: %s", narrowed.body)
	}
	// What an undo gives back counts as given.
	limited := mia.send(patch, staffAPI+"/"+id,
		map[string]any{"languages": []string{"de"}, "reason": "for the test"}).want(200)
	mia.send(post, fmt.Sprintf("%s/actions/%.0f/undo", apiPrefix, limited.field("action", "id")), because).want(403)
	// Nobody below the rank is acted on by an equal.
	other, _ := w.hire(w.admin, "Uma", "manager", nil)
	mia.send(del, staffAPI+"/"+other, because).want(403)
	mia.send(post, staffAPI+"/"+other+"/reset", because).want(403)
	// A key above one's own is not revoked by its equal.
	key := w.admin.send(post, apiPrefix+"/keys", map[string]any{"name": "of an admin", "role": policy.Admin}).want(200)
	mia.send(del, apiPrefix+"/keys/"+key.field("user_id").(string), "{}").want(403)
}

// addRoles adds roles to the policy in force.
func addRoles(t *testing.T, s *store.Store, more ...policy.Role) {
	t.Helper()
	roles := append(slices.Clone(s.Policy().Roles()), more...)
	if _, err := s.ChangePolicy(t.Context(), store.CommandLine, store.PolicyChange{Roles: roles,
		Reason: "for the test"}); err != nil {
		t.Fatal(err)
	}
}

// TestStaffLastAdmins lets two admins take each other's access at once: one stays.
func TestStaffLastAdmins(t *testing.T) {
	t.Parallel()
	for _, method := range []string{del, patch} {
		w := newCrew(t)
		second := storetest.Staff(t, w.server.store, policy.Admin)
		both := []*client{w.admin, signedIn(t, w.server, second)}
		targets := []uuid.UUID{second.UserID, w.actor.UserID}
		body := map[string]any{"reason": "for the test"}
		if method == patch {
			body["role"] = policy.Moderator
		}
		var group sync.WaitGroup
		statuses := make([]int, 2)
		for i, c := range both {
			group.Go(func() { statuses[i] = c.send(method, staffAPI+"/"+targets[i].String(), body).status })
		}
		group.Wait()
		slices.Sort(statuses)
		if statuses[0] != 200 || statuses[1] != 403 && statuses[1] != 401 {
			t.Errorf("%s: two admins acted on each other with %v", method, statuses)
		}
		storetest.Exec(t, w.server.store, "SELECT 1/count(*) FROM users WHERE role = 'admin'")
	}
}

// TestStaffChange checks versions, names, undo, previews and what is logged.
func TestStaffChange(t *testing.T) {
	t.Parallel()
	w := newCrew(t)
	id, _ := w.hire(w.admin, "Ada", policy.Moderator, nil)
	path := staffAPI + "/" + id
	version := w.account(id)["version"]
	first := w.admin.send(patch, path, map[string]any{"name": " Ada L ", "role": policy.DataLead,
		"languages": []string{"de", "pt-BR"}, "version": version, "reason": "for the test"}).want(200)
	if first.field("display_name") != "Ada L" || first.field("username") != "Ada L" ||
		first.field("role") != policy.DataLead {
		t.Errorf("changed to %.300s", first.body)
	}
	if code := w.admin.send(patch, path, map[string]any{"role": policy.Moderator, "version": version,
		"reason": "for the test"}).want(409).field("error", "code"); code != "conflict" {
		t.Errorf("a stale version: %v", code)
	}
	for field, body := range map[string]map[string]any{
		"reason":    {"role": policy.Moderator},
		"role":      {"role": "nobody", "reason": "for the test"},
		"name":      {"name": "\u200b", "reason": "for the test"},
		"languages": {"languages": []string{"xx-not-a-language-"}, "reason": "for the test"},
		"rank":      {"rank": 3, "reason": "for the test"},
	} {
		if why := w.admin.send(patch, path, body).want(422).field("error", "fields", field); why == nil {
			t.Errorf("%v does not name %s", body, field)
		}
	}
	for _, role := range []string{policy.General, policy.Collector} {
		w.admin.send(patch, path, map[string]any{"role": role, "reason": "for the test"}).want(422)
	}
	w.hire(w.admin, "Ada", policy.Moderator, nil) // the name is free again
	if why := w.admin.send(patch, path, map[string]any{"name": "Ada", "reason": "for the test"}).want(422).
		field("error", "fields", "name"); why == nil {
		t.Error("a taken name is not named")
	}
	undo := fmt.Sprintf("%s/actions/%.0f/undo", apiPrefix, first.field("action", "id"))
	w.admin.send(post, undo, because).want(422)
	preview := w.admin.send(patch, path, map[string]any{"role": policy.Moderator, "preview": true}).want(200)
	if gains, _ := preview.field("gains").([]any); len(gains) == 0 || w.account(id)["role"] != policy.DataLead {
		t.Errorf("a preview answers %.300s", preview.body)
	}
	log := w.admin.get(apiPrefix + "/audit?kind=update_staff").want(200)
	if items := log.field("items").([]any); len(items) != 1 {
		t.Errorf("%d changes are logged", len(items))
	}
}

// TestStaffIdempotency repeats requests that show a secret: they act once and show
// it once.
func TestStaffIdempotency(t *testing.T) {
	t.Parallel()
	w := newCrew(t)
	for path, body := range map[string]string{
		staffAPI:            `{"name": "Ada", "role": "moderator"}`,
		apiPrefix + "/keys": `{"name": "script", "role": "moderator", "expires": "2099-01-01T00:00:00Z"}`,
	} {
		secret := "link"
		if path != staffAPI {
			secret = "key"
		}
		send := func() answer {
			return w.admin.do(post, path, strings.NewReader(body), "application/json", "Idempotency-Key", "a-"+secret).want(200)
		}
		first, second := send(), send()
		if first.field("user_id") != second.field("user_id") || first.field(secret) == nil || second.field(secret) != nil {
			t.Errorf("%s: %.200s then %.200s", path, first.body, second.body)
		}
		w.admin.send(post, path, body).want(422) // the name is taken
	}
}

// TestAPIKeys follows a key from its creation to its end.
func TestAPIKeys(t *testing.T) {
	t.Parallel()
	w := newCrew(t)
	keys := apiPrefix + "/keys"
	made := w.admin.send(post, keys, map[string]any{"name": "script", "role": policy.DataLead}).want(200)
	program := newClient(t, w.server)
	program.key = made.field("key").(string)
	program.get(apiPrefix + "/audit").want(200)
	program.get(keys).want(403)
	list := w.admin.get(keys).want(200)
	if strings.Contains(list.body, program.key) || !strings.Contains(list.body, `"state":"active"`) {
		t.Errorf("the keys are %s", list.body)
	}
	id := made.field("user_id").(string)
	w.admin.send(patch, staffAPI+"/"+id, map[string]any{"role": policy.Admin, "reason": "for the test"}).want(404)
	w.admin.send(del, keys+"/"+id, "{}").want(200)
	program.get(apiPrefix + "/audit").want(401)
	w.admin.send(del, keys+"/"+id, "{}").want(409)
	w.admin.send(del, keys+"/"+uuid.NewString(), "{}").want(404)
	past := time.Now().Add(-time.Hour)
	for field, body := range map[string]map[string]any{
		"name":      {"role": policy.DataLead},
		"role":      {"name": "a key", "role": "nobody"},
		"expires":   {"name": "a key", "role": policy.DataLead, "expires": past},
		"languages": {"name": "a key", "role": policy.DataLead, "languages": []string{}},
		"scope":     {"name": "a key", "role": policy.DataLead, "scope": "all"},
	} {
		if why := w.admin.send(post, keys, body).want(422).field("error", "fields", field); why == nil {
			t.Errorf("%v does not name %s", body, field)
		}
	}
}

// TestStaffPages goes through the pages without scripts.
func TestStaffPages(t *testing.T) {
	t.Parallel()
	w := newCrew(t)
	hostile := []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, "\u202eAda",
		"=cmd|' /C calc'!A0", "مشرفة"}
	for i, name := range hostile {
		form := url.Values{"name": {name}, "role": {policy.Moderator}, "limit": {"some"}, "languages": {"de, pt-BR"}}
		shown := w.admin.post(staffPath, form).want(200)
		if link := attr(shown.page().Find("#secret"), "value"); !strings.Contains(link, invitationPath+"?token=") {
			t.Errorf("the page shows the link %q", link)
		}
		key := w.admin.post(keysPath, url.Values{"name": {name}, "role": {policy.Collector}}).want(200)
		if secret := attr(key.page().Find("#secret"), "value"); !strings.HasPrefix(secret, "tw_") {
			t.Errorf("the page shows the key %q", secret)
		}
		for _, page := range []answer{shown, key, w.admin.get(staffPath).want(200), w.admin.get(keysPath).want(200)} {
			sound(t, fmt.Sprint("page ", i), page)
			if strings.Contains(page.body, "<script>alert") || strings.Contains(page.body, "<img src=x") {
				t.Errorf("a page runs the name %q", name)
			}
		}
	}
	again := w.admin.post(staffPath, url.Values{"name": {hostile[0]}, "role": {policy.Moderator}, "limit": {"all"}})
	if text := again.want(422).text("#staff-name-more"); !strings.Contains(text, "There is an account of this name") {
		t.Errorf("a taken name: %q", text)
	}
	id, _ := w.hire(w.admin, "Ada", policy.Moderator, nil)
	page := staffPath + "/" + id
	w.admin.get(page + "/edit").want(200)
	preview := w.admin.get(page + "/edit?role=data_lead&limit=some&languages=de").want(200)
	if text := preview.text("main"); !strings.Contains(text, "may see the whole audit log") ||
		!strings.Contains(text, "may no longer ban and unban") {
		t.Errorf("the preview says %q", text)
	}
	form := url.Values{}
	preview.page().Find(`form[method="post"][action="` + page + `"] input`).Each(func(_ int, input *goquery.Selection) {
		form.Set(attr(input, "name"), attr(input, "value"))
	})
	w.admin.post(page, form).want(422) // without a reason
	form.Set("reason", "for the test")
	w.admin.post(page, form).want(303)
	if a := w.account(id); a["role"] != policy.DataLead || fmt.Sprint(a["languages"]) != "[de]" {
		t.Errorf("the form made %v", a)
	}
	for _, act := range []string{"/invite", "/reset", "/end-sessions", "/remove"} {
		w.admin.get(page + act).want(200)
		want := map[string]int{"/invite": http.StatusOK, "/reset": http.StatusOK}[act]
		if want == 0 {
			want = http.StatusSeeOther
		}
		if act != "/invite" {
			w.admin.post(page+act, url.Values{"reason": {"no"}}).want(422)
		}
		w.admin.post(page+act, url.Values{"reason": {"for the test"}}).want(want)
	}
	if a := w.account(id); a != nil {
		t.Errorf("the form left %v", a)
	}
	own := staffPath + "/" + w.actor.UserID.String()
	for _, act := range []string{"/edit", "/invite", "/reset", "/end-sessions", "/remove"} {
		w.admin.get(own + act).want(403)
	}
	csv := w.admin.get(staffPath + "?format=csv").want(200)
	if !strings.Contains(csv.body, "'=cmd") {
		t.Errorf("a spreadsheet would run a name: %.300s", csv.body)
	}
}
