package e2e

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/accounts"
	"treewarden/store/searches"
	"treewarden/store/storetest"
)

// axe-core 4.14.1, see THIRD_PARTY_LICENSES.md.
//
//go:embed testdata/axe.min.js
var axe string

// violation is an error that axe found, with its elements.
type violation struct {
	ID, Help string
	Nodes    []string
}

// axeScript checks the page in its current state.
const axeScript = `axe.run(document, { resultTypes: ["violations"], preload: false }).then(found =>
	found.violations.map(v => ({ ID: v.id, Help: v.help, Nodes: v.nodes.slice(0, 4).map(n => n.target.join(" ") + " — " +
		n.failureSummary.split("\n").slice(1).join(" ").trim() + " — " + n.html.slice(0, 160)) })))`

// view is a page in a state to check.
type view struct {
	name, path string
	status     int          // 0 is 200
	role       string       // the role of the person; moderator if empty
	unfold     string       // the folded elements that the state opens
	open       func(b *tab) // puts the page into the state, by the acts of a person
}

// views lists all pages and their states.
func (w *world) views(t *testing.T) []view {
	t.Helper()
	one := func(sql string, args ...any) string { t.Helper(); return w.one(t, sql, args...) }
	lastAction := func(kind string) string {
		return one("SELECT seq::text FROM actions WHERE kind = $1 AND actor_name = 'moderator' ORDER BY seq LIMIT 1", kind)
	}
	user := one("SELECT user_id::text FROM messages WHERE NOT deleted GROUP BY user_id ORDER BY count(*) FILTER (WHERE " +
		"review_result = false) DESC, user_id LIMIT 1")
	banned := one("SELECT user_id::text FROM users WHERE banned_at IS NOT NULL AND banned_until IS NOT NULL ORDER BY " +
		"user_id LIMIT 1")
	tree := one("SELECT tree_id::text FROM messages GROUP BY tree_id ORDER BY bool_or(deleted) DESC, count(*) DESC, " +
		"tree_id LIMIT 1")
	message := one(`SELECT message_id::text FROM messages m JOIN reports USING (tree_id, message_id)
		JOIN classifier_outputs USING (tree_id, message_id)
		WHERE depth = 2 AND NOT deleted AND role = 'prompter' AND EXISTS (SELECT FROM messages r WHERE r.tree_id = m.tree_id
			AND r.parent_id = m.message_id)
		ORDER BY message_id LIMIT 1`)
	onMessage := "/messages/" + message
	w.secondFormula(t)
	w.secondPolicy(t)
	w.secondModel(t)
	list, empty := w.listOfAll(t), w.list(t, policy.Moderator, "Empty as yet", "custom", "")
	good := w.list(t, policy.Moderator, "Good ones", "good", "")
	found := w.listOfCandidates(t)
	sample := w.sampleOf(t, list)
	colleague := w.colleague(t)
	deleteSearch := w.savedSearches(t)
	decided, held := w.decidedCase(t), w.heldCase(t)
	return []view{
		{name: "home", path: "/"},
		{name: "trollboard", path: "/trollboard?frame=total&limit=12"},
		{name: "trollboard-row", path: "/trollboard?frame=week&limit=8", open: openFirstRow},
		{name: "trollboard-banned", path: "/trollboard?frame=total&status=banned&formula=open-assistant"},
		{name: "trollboard-empty", path: "/trollboard?q=nobody+is+called+this"},
		{name: "users", path: "/users?limit=12"},
		{name: "users-empty", path: "/users?q=nobody+is+called+this"},
		{name: "users-wrong", path: "/users?q=%22open", status: 422},
		{name: "trollboard-wrong", path: "/trollboard?frame=total&q=%22open", status: 422},
		{name: "lists-wrong", path: "/lists?q=a+OR", status: 422},
		{name: "staff-wrong", path: "/settings/staff?q=lang:de", role: policy.Admin, status: 422},
		{name: "user", path: "/users/" + user, unfold: "details:not(.menu)"},
		{name: "user-explained", path: "/users/" + user + "?open=total"},
		{name: "user-given", path: "/users/" + one("SELECT user_id::text FROM reports GROUP BY user_id ORDER BY count(*) "+
			"DESC, user_id LIMIT 1") + "?tab=given&limit=10", unfold: ".rater details"},
		{name: "user-actions", path: "/users/" + banned + "?tab=actions&limit=10"},
		{name: "user-self", path: "/users/" + w.staff[policy.Moderator].UserID.String() + "?tab=actions&limit=10"},
		{name: "user-staff", path: "/users/" + w.staff[policy.Admin].UserID.String()},
		{name: "user-admin", path: "/users/" + banned, role: policy.Admin},
		{name: "score", path: "/users/" + user + "/score?frame=total"},
		{name: "messages", path: "/messages?limit=12"},
		{name: "messages-filtered", path: "/messages?limit=8&deleted=include&has=report&q=a", unfold: ".peek"},
		{name: "bulk", path: "/messages?limit=8&q=a", role: policy.Admin, open: func(b *tab) {
			b.follow("#bulk [value=all]")
			b.see("#bulk-reason")
		}},
		{name: "messages-best", path: "/messages?limit=8&q=a&sort=best"},
		{name: "messages-empty", path: "/messages?q=qwertzuiop"},
		{name: "message", path: onMessage},
		{name: "message-raw", path: onMessage + "?view=raw", unfold: "details:not(.menu)"},
		{name: "message-menu", path: onMessage, open: openMenu},
		{name: "message-delete", path: onMessage, open: inDialog("Delete…")},
		{name: "message-label", path: onMessage, open: inDialog("Label…")},
		{name: "message-edit", path: onMessage, open: inDialog("Edit…")},
		{name: "message-report", path: onMessage, open: inDialog("Report…")},
		{name: "message-spam", path: onMessage, open: inDialog("Mark as spam…")},
		{name: "message-ban", path: onMessage, open: inDialog("Ban author…")},
		{name: "message-refused", path: onMessage, open: refused},
		{name: "act", path: onMessage + "/delete"},
		{name: "act-label", path: onMessage + "/labels"},
		{name: "history", path: "/messages/" + one("SELECT message_id::text FROM messages WHERE edited LIMIT 1") +
			"/history"},
		{name: "trees", path: "/trees?limit=12"},
		{name: "tree", path: "/trees/" + tree},
		{name: "tree-halted", path: "/trees/" + one("SELECT tree_id::text FROM trees WHERE state = 'halted_by_moderator' "+
			"ORDER BY state_by_staff DESC LIMIT 1")},
		{name: "queue", path: "/queue"},
		{name: "queue-open", path: "/queue", open: func(b *tab) { b.click("button[data-key=c]"); b.openCase(0) }},
		{name: "queue-decided", path: decided},
		{name: "queue-held", path: held},
		{name: "queue-read", path: held, role: policy.DataLead},
		{name: "queue-empty", path: "/queue?user=00000000-0000-4000-8000-000000000000"},
		{name: "queue-later", path: "/queue?state=later"},
		{name: "insights", path: "/insights", unfold: "details"},
		{name: "insights-empty", path: "/insights?until=2020-01-01"},
		{name: "insights-wrong", path: "/insights?moderator=nobody&since=soon", status: 400},
		{name: "toxicity", path: "/insights/toxicity", unfold: "details"},
		{name: "toxicity-lang", path: "/insights/toxicity?by=lang"},
		{name: "toxicity-wrong", path: "/insights/toxicity?by=nothing", status: 400},
		{name: "collection", path: "/insights/collection", unfold: "details"},
		{name: "collection-months", path: "/insights/collection?by=month"},
		{name: "collection-users", path: "/insights/collection?of=users&by=review"},
		{name: "collection-wrong", path: "/insights/collection?by=nothing", status: 400},
		{name: "correlations", path: "/insights/correlations", unfold: "details"},
		{name: "contributors", path: "/insights/contributors", unfold: "details"},
		{name: "raters", path: "/insights/raters", unfold: "details"},
		{name: "raters-wrong", path: "/insights/raters?label=nothing", status: 400},
		{name: "models", path: "/insights/models", unfold: "details"},
		{name: "models-staff", path: "/insights/models?reference=staff"},
		{name: "models-wrong", path: "/insights/models?output=nothing", status: 400},
		{name: "insights-staff", path: "/insights/staff", role: policy.Admin, unfold: "details"},
		{name: "insights-staff-own", path: "/insights/staff"},
		{name: "insights-staff-empty", path: "/insights/staff?until=2020-01-01"},
		{name: "insights-staff-wrong", path: "/insights/staff?actor=nobody&step=year", status: 400},
		{name: "contributors-wrong", path: "/insights/contributors?top=none", status: 400},
		{name: "waves", path: "/waves?min=2"},
		{name: "waves-empty", path: "/waves?min=1000000"},
		{name: "waves-wrong", path: "/waves?min=many&since=soon", status: 400},
		{name: "wave", path: w.wave(t)},
		{name: "searches", path: "/searches"},
		{name: "search-new", path: "/searches/new?query=watch+lang:de"},
		{name: "search-save", path: "/messages?q=watch", open: func(b *tab) {
			b.click("a[href^='/searches/new']")
			b.see(dialog)
		}},
		{name: "search-delete", path: deleteSearch},
		{name: "lists", path: "/lists"},
		{name: "lists-empty", path: "/lists?q=nothing+is+called+this"},
		{name: "lists-new", path: "/lists", open: func(b *tab) { b.click("a[href^='/lists/new']"); b.see(dialog) }},
		{name: "list", path: list + "?limit=20", unfold: ".item-diff, .states"},
		{name: "list-deleted", path: list + "?state=deleted&limit=10", role: policy.DataLead},
		{name: "list-empty", path: empty},
		{name: "list-edit", path: list + "/edit"},
		{name: "list-add", path: empty + "/add"},
		{name: "list-added", path: good + "/add", open: pasteBadly},
		{name: "list-compare", path: list + "/compare"},
		{name: "list-apply", path: list + "/apply", role: policy.Admin},
		{name: "list-apply-nothing", path: empty + "/apply", role: policy.Admin},
		{name: "candidates", path: found + "/candidates?limit=12"},
		{name: "candidates-refused", path: found + "/candidates?verdict=refuse"},
		{name: "candidates-none", path: good + "/candidates"},
		{name: "rule", path: found + "/rule"},
		{name: "rule-preview", path: good + "/rule", open: previewRule},
		{name: "rule-wrong", path: good + "/rule", open: wrongRule},
		{name: "samples", path: "/samples"},
		{name: "sample-new", path: "/samples/new?of=" + strings.Replace(list, "/lists/", "list:", 1)},
		{name: "sample", path: sample},
		{name: "sample-disputed", path: sample + "/disputed"},
		{name: "sample-next", path: sample + "/next"},
		{name: "job", path: w.jobOf(t, list, "running", 1200)},
		{name: "job-failed", path: w.jobOf(t, empty, "failed", 0), role: policy.Admin},
		{name: "exports", path: "/exports", role: policy.DataLead},
		{name: "export-new", path: "/exports/new", role: policy.DataLead},
		{name: "export-wrong", path: "/exports/new", role: policy.DataLead, open: wrongExport},
		{name: "export", path: w.exportsOf(t, "the-second"), role: policy.DataLead},
		{name: "export-running", path: w.exportsOf(t, "running"), role: policy.Admin},
		{name: "export-failed", path: w.exportsOf(t, "failed"), role: policy.DataLead},
		{name: "export-removed", path: w.exportsOf(t, "removed"), role: policy.DataLead},
		{name: "list-job", path: list + "?limit=2"},
		{name: "list-choose", path: onMessage, open: inDialog("Add to list…")},
		{name: "messages-of-list", path: "/messages?limit=4&" + strings.Replace(list, "/lists/", "list=", 1)},
		{name: "audit", path: "/audit?limit=20", role: policy.Admin},
		{name: "audit-own", path: "/audit?limit=20"},
		{name: "action", path: "/actions/" + lastAction("edit"), unfold: "details"},
		{name: "action-undone", path: "/actions/" + one("SELECT u.seq::text FROM actions a JOIN actions u ON "+
			"u.id = a.undoes ORDER BY a.seq LIMIT 1"), role: policy.Admin},
		{name: "undo", path: "/actions/" + lastAction("edit") + "/undo"},
		{name: "scoring", path: "/settings/scoring", role: policy.Admin},
		{name: "scoring-try", path: "/settings/scoring?try=1&frame=total&weights[red_flags]=5&" +
			"weights[upvotes]=-3&weights[spam_labels]=0&toxic_from=0.4", role: policy.Admin, unfold: "details"},
		{name: "scoring-back", path: "/settings/scoring?from=1", role: policy.DataLead},
		{name: "scoring-wrong", path: "/settings/scoring?try=1&weights[red_flags]=500&weights[pii]=&toxic_from=2",
			role: policy.Admin, status: 422},
		{name: "scoring-read", path: "/settings/scoring"},
		{name: "classifiers", path: w.classifiers(t), role: policy.Admin, unfold: "details"},
		{name: "classifiers-tried", path: "/settings/classifiers", role: policy.Moderator, open: tryText},
		{name: "classifiers-wrong", path: "/settings/classifiers", role: policy.DataLead, open: wrongRun},
		{name: "roles", path: "/settings/roles", role: policy.Admin, unfold: ".roles details"},
		{name: "roles-preview", path: "/settings/roles", role: policy.Admin, open: previewRoles},
		{name: "roles-wrong", path: "/settings/roles", role: policy.Admin, open: wrongRoles},
		{name: "roles-restore", path: "/settings/roles/restore", role: policy.Admin},
		{name: "why", path: "/settings/why?permission=user.ban&target=user:" + user, role: policy.Admin},
		{name: "why-not", path: "/settings/why?permission=user.ban&target=user:" + w.staff[policy.Admin].UserID.String()},
		{name: "why-wrong", path: "/settings/why?permission=user.ban&target=nobody&user=x", role: policy.Admin, status: 400},
		{name: "staff", path: "/settings/staff", role: policy.Admin},
		{name: "staff-menu", path: "/settings/staff", role: policy.Admin, open: func(b *tab) {
			b.click("tr:has(a[href$='" + colleague + "?tab=actions']) .menu > summary")
			b.see(".menu .menu-items")
		}},
		{name: "staff-none", path: "/settings/staff?q=nobody+is+called+this", role: policy.Admin},
		{name: "staff-new", path: "/settings/staff", role: policy.Admin, open: func(b *tab) {
			b.click("a[href^='/settings/staff/new']")
			b.see(dialog)
		}},
		{name: "staff-form", path: "/settings/staff/new", role: policy.Admin},
		{name: "staff-edit", path: "/settings/staff/" + colleague + "/edit", role: policy.Admin},
		{name: "staff-change", path: "/settings/staff/" + colleague + "/edit?role=data_lead&limit=some&languages=de",
			role: policy.Admin},
		{name: "staff-remove", path: "/settings/staff/" + colleague + "/remove", role: policy.Admin},
		{name: "staff-link", path: "/settings/staff/" + colleague + "/invite", role: policy.Admin, open: func(b *tab) {
			b.follow(".dialog-foot button.btn-primary")
			b.see("#secret")
		}},
		{name: "api-keys", path: "/settings/keys", role: policy.Admin},
		{name: "api-key-new", path: "/settings/keys/new", role: policy.Admin},
		{name: "api-key-made", path: "/settings/keys/new", role: policy.Admin, open: makeKey()},
		{name: "api-key-revoke", path: "/settings/keys", role: policy.Admin, open: func(b *tab) {
			b.click("a[href*='/revoke']")
			b.see(dialog)
		}},
		{name: "invitation", path: "/sign-in/invitation?token=" + w.invitation(t), role: "nobody"},
		{name: "invitation-used", path: "/sign-in/invitation?token=used", role: "nobody", status: 401},
		{name: "leave", path: "/leave?to=https%3A%2F%2Fexample.org%2F" + strings.Repeat("long", 60)},
		{name: "account", path: "/account"},
		{name: "keys", path: "/", open: func(b *tab) { b.press("?"); b.see("#keys") }},
		{name: "toast", path: "/messages?limit=4&done=" + w.justDone(t, message), open: func(b *tab) { b.see(".toast") }},
		{name: "sign-in", path: "/sign-in", role: "nobody"},
		{name: "sign-in-wrong", path: "/sign-in", role: "nobody", open: wrongPassword},
		{name: "403", path: "/messages/" + message + "/delete", role: policy.DataLead, status: 403},
		{name: "404", path: "/messages/00000000-0000-4000-8000-000000000000", status: 404},
		{name: "400", path: "/trollboard?frame=decade", status: 400},
		{name: "409", path: onMessage + "/undelete", status: 409},
	}
}

// savedSearches saves searches with names of many kinds, and returns the path of the
// form that deletes one.
func (w *world) savedSearches(t *testing.T) string {
	t.Helper()
	if w.one(t, "SELECT count(*)::text FROM saved_searches") == "0" {
		access, err := w.store.Searches(w.staff[policy.Moderator])
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range []string{"Watches", "عروض الساعات الرخيصة", strings.Repeat("W", searches.MaxName), "<b>Bold</b>",
			"Spam in German", "Long words"} {
			line := "watch OR 时计 spam>0.5 " + strings.Repeat("word", 20*i)
			if _, err := access.Save(t.Context(), searches.New{Name: name, Query: line, Shared: i%2 == 0}); err != nil {
				t.Fatal(err)
			}
		}
		// Everything is new in one of them.
		storetest.Exec(t, w.store, "UPDATE saved_searches SET query = 'lang:en' WHERE name = 'Watches'")
		storetest.Exec(t, w.store, "UPDATE saved_search_looks SET looked_at = '2001-01-01'")
	}
	return "/searches/" + w.one(t, "SELECT search_id::text FROM saved_searches WHERE name = 'Watches'") + "/remove"
}

// colleague makes accounts and keys with long names and names from right to left, and
// returns the id of one account.
func (w *world) colleague(t *testing.T) string {
	t.Helper()
	const name = "مشرفة المحتوى العربي"
	if id := w.idOf(t, name); id != "" {
		return id
	}
	admin := w.staff[policy.Admin]
	for _, n := range []string{name, strings.Repeat("Moderatorin", 9), "<b>Robert</b>"} {
		role := policy.Moderator
		p := accounts.Params{Name: &n, Role: &role, SetLanguages: true, Languages: []string{"ar", "de", "pt-BR"}}
		if _, _, err := w.store.NewStaff(t.Context(), admin, p, store.Act{}); err != nil {
			t.Fatal(err)
		}
	}
	soon := time.Now().AddDate(0, 1, 0)
	for n, role := range map[string]string{
		"web front end": policy.Collector, strings.Repeat("Auswertung", 10): policy.DataLead,
	} {
		if _, err := w.store.CreateKey(t.Context(), admin, n, role, &soon); err != nil {
			t.Fatal(err)
		}
	}
	return w.idOf(t, name)
}

// idOf returns the id of an account, "" if there is none.
func (w *world) idOf(t *testing.T, name string) string {
	t.Helper()
	return w.one(t, "SELECT coalesce((SELECT user_id::text FROM users WHERE username = $1), '')", name)
}

// invitation returns the secret of an open invitation.
func (w *world) invitation(t *testing.T) string {
	t.Helper()
	_, link, err := w.store.ActOnStaff(t.Context(), store.CommandLine, store.InviteStaff,
		store.Act{Target: uuid.MustParse(w.idOf(t, "<b>Robert</b>"))})
	if err != nil {
		t.Fatal(err)
	}
	return link.Secret
}

// makeKey creates a key of another name each time.
func makeKey() func(*tab) {
	made := 0
	return func(b *tab) {
		made++
		b.fill("#key-name", fmt.Sprint("script ", made))
		b.follow(".dialog-foot button.btn-primary")
		b.see("#secret")
	}
}

// secondFormula makes sure that the formula has a history.
func (w *world) secondFormula(t *testing.T) {
	t.Helper()
	first := 1
	change := scoring.Change{Weights: map[string]float64{"political_content": 0.25, "sexual_content": 1.5}}
	var late *store.Conflict
	if _, err := w.store.SaveFormula(t.Context(), w.staff[policy.Admin], change,
		"Political content disturbs the groups that write in Spanish", &first, ""); err != nil && !errors.As(err, &late) {
		t.Fatal(err)
	}
}

// secondModel makes sure that there are two classifiers to compare, one of them with noise,
// and one that gives rewards.
func (w *world) secondModel(t *testing.T) {
	t.Helper()
	storetest.Exec(t, w.store, `INSERT INTO classifier_models (name, outputs) VALUES ('word-list', '{toxicity}'),
		('reward-model', '{reward}') ON CONFLICT DO NOTHING`)
	storetest.Exec(t, w.store, `INSERT INTO classifier_outputs (tree_id, message_id, model_id, scores)
		SELECT tree_id, message_id, c.model_id, ARRAY[CASE c.name WHEN 'word-list' THEN least(1, 0.7 * toxicity + noise / 2)
			ELSE 6 * noise - 3 END]
		FROM (SELECT *, ('x' || substr(md5(message_id::text), 1, 6))::bit(24)::int / 16777216.0 AS noise
			FROM classifier_outputs WHERE toxicity IS NOT NULL) o
		JOIN classifier_models c ON c.name IN ('word-list', 'reward-model') WHERE noise < 0.8
		ON CONFLICT DO NOTHING`)
	figures, err := w.store.Insights(store.CommandLine)
	if err == nil {
		err = figures.Count(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// secondPolicy makes sure that the roles have a history, and that there is a role that
// nobody has.
func (w *world) secondPolicy(t *testing.T) {
	t.Helper()
	versions, err := w.store.Policies(t.Context(), w.staff[policy.Admin])
	if err != nil {
		t.Fatal(err)
	}
	german, known := versions[0].Policy.Role(policy.Moderator)
	if !known || len(versions) > 1 {
		return
	}
	german.Name, german.Title, german.Languages = "german_moderator", "German moderator", []string{"de"}
	if _, err := w.store.ChangePolicy(t.Context(), w.staff[policy.Admin], store.PolicyChange{
		Roles: append(slices.Clone(versions[0].Roles), german), Reason: "A team for German starts in December",
	}); err != nil {
		t.Fatal(err)
	}
}

// previewRoles takes a permission from moderators and gives one to data leads, and
// opens the preview.
func previewRoles(b *tab) {
	b.click("input[aria-label='Moderator: ban and unban']")
	b.click("input[aria-label='Data lead: stop and restart trees']")
	b.wantStatus(b.follow("button[value=preview]"), 200)
}

// wrongRoles sends a form with a wrong language, a wrong rank and without a permission
// that admins keep.
func wrongRoles(b *tab) {
	b.expect(422)
	b.click("input[aria-label='Admin: change what roles may do']")
	b.fill("input[aria-label='Moderator: languages']", "de, klingonish")
	b.fill("input[aria-label='Data lead: rank']", "7")
	b.wantStatus(b.follow("button[value=preview]"), 422)
}

// opened opens the folded elements.
func opened(selector string) func(*tab) {
	return func(b *tab) {
		eval[bool](b, "document.querySelectorAll("+quote(selector)+").forEach(el => { el.open = true }) || true")
	}
}

// openMenu opens the menu of the page's message.
func openMenu(b *tab) {
	b.click(current + " .message-menu > a")
	b.see(current + " .menu-items")
}

// inDialog opens an item of the menu of the page's message.
func inDialog(item string) func(*tab) {
	return func(b *tab) {
		openMenu(b)
		b.click("//article[@aria-current]//a[contains(., '" + item + "')]")
		b.see(dialog)
	}
}

// refused opens a form and sends it with a too short reason.
func refused(b *tab) {
	b.expect(422)
	inDialog("Delete…")(b)
	eval[bool](b, "document.querySelector('dialog[open] form').noValidate = true")
	b.fill(reasonField, "x")
	b.click(confirm)
	b.see("dialog[open] .error")
}

func wrongPassword(b *tab) {
	b.expect(401)
	b.fill("#username", "nobody")
	b.fill("#password", "open sesame")
	b.follow("button.btn-primary")
	b.see(".notice-bad")
}

// TestAccessible runs axe on every page and state, light and dark, wide and
// narrow, and checks that no page scrolls sideways.
func TestAccessible(t *testing.T) {
	demonstration(t).eachView(t, (*tab).look)
}

// eachView calls a function for each view, with a tab of a person with the
// view's role.
func (w *world) eachView(t *testing.T, look func(*tab, view)) {
	t.Helper()
	tabs := map[string]*tab{"nobody": openTab(t, w)}
	for _, role := range []string{policy.Moderator, policy.Admin, policy.DataLead} {
		tabs[role] = signedIn(t, w, role)
	}
	for _, v := range w.views(t) {
		t.Run(v.name, func(t *testing.T) {
			b := *tabs[or(v.role, policy.Moderator)]
			b.t = t
			look(&b, v)
		})
	}
}

// look opens a view in both sizes, and runs axe on it: in the light theme where it is wide, and
// in the dark one where it is narrow, because colours do not depend on the width. The page is
// only laid out anew for the second size: the server and the scripts do not know the width.
func (b *tab) look(v view) {
	b.t.Helper()
	b.size(wide)
	b.theme("light")
	b.show(v)
	b.loadAxe()
	for _, in := range []struct {
		width int64
		theme string
	}{{wide, "light"}, {narrow, "dark"}} {
		b.size(in.width)
		b.axe(in.theme)
		b.wantFits()
		for _, fault := range b.take() {
			b.t.Errorf("%d px: %s", in.width, fault)
		}
	}
}

// runAxe runs axe on a new page in both themes.
func (b *tab) runAxe() {
	b.t.Helper()
	b.loadAxe()
	b.axe("light")
	b.axe("dark")
}

func (b *tab) loadAxe() {
	b.t.Helper()
	run(b, "load axe", chromedp.Evaluate[chromedp.Void](axe+";void 0"))
}

// axe runs axe on the page in a theme.
func (b *tab) axe(theme string) {
	b.t.Helper()
	b.theme(theme)
	for _, v := range eval[[]violation](b, axeScript) {
		b.t.Errorf("%s, %s: %s: %s\n\t%s", b.at(), theme, v.ID, v.Help, strings.Join(v.Nodes, "\n\t"))
	}
}

// show opens a view.
func (b *tab) show(v view) {
	b.t.Helper()
	want := int64(v.status)
	if want == 0 {
		want = 200
	} else {
		b.expect(v.status)
	}
	b.wantStatus(b.visit(v.path), want)
	if v.unfold != "" {
		opened(v.unfold)(b)
	}
	if v.open != nil {
		v.open(b)
	}
}

// wantFits fails the test if the page scrolls sideways. It names the elements
// that are too wide.
func (b *tab) wantFits() {
	b.t.Helper()
	if wider := eval[[]string](b, `(() => {
		const room = document.documentElement.clientWidth;
		if (document.documentElement.scrollWidth <= room) return [];
		const cut = el => { for (let up = el.parentElement; up !== document.body; up = up.parentElement)
			if (getComputedStyle(up).overflowX !== "visible") return true; };
		const end = el => { const box = el.getBoundingClientRect(); return Math.max(box.right,
			getComputedStyle(el).overflowX === "visible" ? box.left + el.scrollWidth : 0) };
		return [...document.querySelectorAll("body *")].filter(el => end(el) > room + 1 && !cut(el))
			.filter((el, _, all) => !all.some(other => other !== el && el.contains(other))).slice(0, 2)
			.map(el => el.closest("[class]").className + " … " + el.outerHTML.slice(0, 120)).concat("");
	})()`); len(wider) > 0 {
		b.t.Errorf("%s scrolls sideways: %s", b.at(), strings.Join(wider, "\n\t"))
		b.keepPicture()
	}
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// wave finds the waves, and returns the path of the page of the largest one.
func (w *world) wave(t *testing.T) string {
	t.Helper()
	const wave = "SELECT wave_id::text FROM waves WHERE users > 1 ORDER BY messages DESC, wave_id LIMIT 1"
	// About 4,000 messages; one call does 10,000, but none that is newer than the oldest transaction on the server.
	var found string
	for n, began := 0, time.Now(); n < 3 || found == "" && time.Since(began) < time.Minute; n++ {
		if err := w.store.KeepUpTexts(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = storetest.DB(t, w.store).QueryRow(t.Context(), wave).Scan(&found)
	}
	return "/waves/" + w.one(t, wave)
}

// justDone labels a message as the moderator, and returns the number of the action: pages
// tell of an action for a quarter of an hour only.
func (w *world) justDone(t *testing.T, message string) string {
	t.Helper()
	done, err := w.store.Act(t.Context(), w.staff[policy.Moderator],
		store.Act{Kind: "label", Target: uuid.MustParse(message), Params: store.LabelParams{
			Labels: map[string]float64{"quality": float64(time.Now().UnixMilli()%1000) / 1000}}})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(done.Action.ID)
}

// one returns the id that SQL finds in a world's database.
func (w *world) one(t *testing.T, sql string, args ...any) string {
	t.Helper()
	var id string
	if err := storetest.DB(t, w.store).QueryRow(t.Context(), sql, args...).Scan(&id); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return id
}
