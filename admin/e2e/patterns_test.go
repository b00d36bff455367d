package e2e

import (
	"bytes"
	"fmt"
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"treewarden/policy"
)

// pattern is a component of the console in one state: a part of a page of views.
type pattern struct {
	title, view, part string
	dialog            bool // the page's form as scripts show it, in a dialog
}

// patterns lists the components and their states, in groups.
var patterns = []struct {
	title string
	all   []pattern
}{
	{"Page", []pattern{
		{"Head with acts", "list", ".page-head", false}, {"Head of a user", "user-admin", ".page-head", false},
		{"Tabs", "list", ".tabs", false}, {"Tabs with counts", "user", ".tab-bar", false},
		{"Switch", "message", "main .seg", false}, {"Pages of a list", "trollboard", ".pager", false},
		{"State of the log", "audit", ".page-head .actions", false},
	}},
	{"Notices", []pattern{
		{"What is in force", "user-admin", ".notice", false}, {"What was undone", "action-undone", ".notice", false},
		{"A fault", "scoring-wrong", ".error", false}, {"A job that runs", "list", ".notice", false},
		{"After an act", "toast", ".toast", false},
	}},
	{"Tables", []pattern{
		{"Trollboard", "trollboard", ".table-wrap", false}, {"Users", "users", ".table-wrap", false},
		{"Messages", "messages", ".table-wrap", false}, {"Log", "audit", ".table-wrap", false},
		{"Matrix", "roles", ".matrix-wrap", false}, {"Values before and after", "action", "table.changes", false},
	}},
	{"Nothing to show", []pattern{
		{"No user", "users-empty", ".empty", false}, {"No message", "messages-empty", ".empty", false},
		{"No list", "lists-empty", ".empty", false}, {"An empty list", "list-empty", ".empty", false},
	}},
	{"Forms", []pattern{
		{"Filters", "messages-filtered", "form.filters", false}, {"A new key", "api-key-new", "main form", false},
		{"Weights", "scoring", "#weights", false}, {"Wrong values", "scoring-wrong", ".weights", false},
		{"Questions about a message", "act-label", ".act-page", false}, {"Items to add", "list-add", "main form", false},
	}},
	{"Dialogs", []pattern{
		{"Delete a message", "act", "form.act", true}, {"Undo", "undo", "form.act", true},
		{"Remove access", "staff-remove", "form.act", true},
		{"Apply a list", "list-apply", "main", false}, {"Nothing to apply", "list-apply-nothing", "main", false},
	}},
	{"Messages", []pattern{
		{"A message with its acts", "message", ".message-view.current", false},
		{"Its author", "message", ".facts .card", false},
		{"Outline of a tree", "tree", "ul.outline", false},
		{"A difference of texts", "history", "main ol, main .card", false},
		{"Parts of a score", "score", "main table", false},
	}},
	{"Work", []pattern{
		{"A job", "job", "#job", false}, {"A job that failed", "job-failed", "#job", false},
		{"A message to judge", "sample-next", "main", false}, {"Why not", "why-not", ".because", false},
	}},
	{"Refusals", []pattern{
		{"Not permitted", "403", "main", false}, {"Not found", "404", "main", false},
		{"Something blocks this", "409", "main", false}, {"A wrong address", "400", "main", false},
	}},
}

// TestPatterns shows every component in its states on one page, made of parts of
// the real pages, and looks at it in light and dark. With TREEWARDEN_PATTERNS it
// writes the page and its style sheet into that folder (make patterns).
func TestPatterns(t *testing.T) {
	w := demonstration(t)
	dir := os.Getenv("TREEWARDEN_PATTERNS")
	if dir == "" {
		dir = t.TempDir()
	}
	w.writePatterns(t, dir)
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	b := openTab(t, &world{base: server.URL})
	for _, width := range []int64{wide, narrow} {
		b.size(width)
		b.wantStatus(b.visit("/"), http.StatusOK)
		b.runAxe()
		b.wantFits()
	}
	b.size(wide)
	for _, theme := range []string{"light", "dark"} {
		b.theme(theme)
		keep(t, dir, "patterns-"+theme, b.picture(true))
	}
}

// patternsHead begins the page. Heads of tables do not stick, so that the picture
// of the whole page shows them in their place.
const patternsHead = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Patterns of Treewarden</title><link rel="icon" href="data:,"><link rel="stylesheet" href="app.css">
<style>body { display: block; padding: 24px; } h2 { margin-top: 48px; }
dialog { position: static; margin: 0; } th { position: static !important; }</style></head>
<body><main>
<h1>Patterns</h1>
`

// writePatterns writes the page of all patterns, its style sheet and its icons.
func (w *world) writePatterns(t *testing.T, dir string) {
	t.Helper()
	people := map[string]*http.Client{}
	for _, role := range []string{policy.Moderator, policy.Admin, policy.DataLead} {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		people[role] = &http.Client{Jar: jar}
		w.page(t, people[role], w.signInPath(t, role), http.StatusOK)
	}
	views := map[string]view{}
	for _, v := range w.views(t) {
		v.role, v.status = or(v.role, policy.Moderator), max(v.status, http.StatusOK)
		views[v.name] = v
	}
	var page bytes.Buffer
	page.WriteString(patternsHead)
	number := 0
	for _, group := range patterns {
		fmt.Fprintf(&page, "<h2>%s</h2>\n", group.title)
		for _, p := range group.all {
			number++
			v, ok := views[p.view]
			if !ok {
				t.Errorf("there is no view %s", p.view)
				continue
			}
			part := w.part(t, people[v.role], v, p, fmt.Sprintf("p%d-", number))
			fmt.Fprintf(&page, `<section class="pattern section" aria-label="%[1]s">
<p class="small muted">%[1]s: %[2]s</p>
%[3]s
</section>
`, html.EscapeString(p.title), p.view, part)
		}
	}
	page.WriteString("</main></body></html>\n")
	static := func(name string) []byte {
		t.Helper()
		return w.page(t, people[policy.Moderator], "/static/"+name, http.StatusOK)
	}
	files := map[string][]byte{"index.html": page.Bytes(), "app.css": static("app.css")}
	for _, icon := range regexp.MustCompile(`url\("([a-z-]+\.svg)`).FindAllSubmatch(files["app.css"], -1) {
		files[string(icon[1])] = static(string(icon[1]))
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// refers lists the attributes whose value is the id of an element of the page.
var refers = []string{"id", "for", "aria-labelledby", "aria-describedby", "aria-controls", "list", "form"}

// part returns the HTML of a part of a page. All its ids begin with a prefix, so
// that parts of several pages can stand on one.
func (w *world) part(t *testing.T, client *http.Client, v view, p pattern, prefix string) string {
	t.Helper()
	document, err := goquery.NewDocumentFromReader(bytes.NewReader(w.page(t, client, v.path, v.status)))
	if err != nil {
		t.Fatal(err)
	}
	part := document.Find(p.part).First()
	if part.Length() == 0 {
		t.Errorf("%s has no %s", v.name, p.part)
		return ""
	}
	part.Find("tbody tr:nth-child(n+5), script").Remove()
	if part.Is("main") {
		part.Nodes[0].Data, part.Nodes[0].DataAtom = "div", 0
	}
	part.Find("h1, h2").Each(func(_ int, s *goquery.Selection) { s.Nodes[0].Data, s.Nodes[0].DataAtom = "h3", 0 })
	part.Find("h4, h5").Each(func(_ int, s *goquery.Selection) { s.Nodes[0].Data, s.Nodes[0].DataAtom = "h4", 0 })
	// Landmarks have different names.
	part.Find("nav, section, form, aside, [role=region]").AddSelection(part).Each(func(i int, s *goquery.Selection) {
		label, ok := s.Attr("aria-label")
		if _, by := s.Attr("aria-labelledby"); ok || by {
			s.RemoveAttr("aria-labelledby")
			s.SetAttr("aria-label", fmt.Sprintf("%s, %s %d", p.title, label, i))
		}
	})
	for _, name := range refers {
		part.Find("[" + name + "]").AddSelection(part).Each(func(_ int, s *goquery.Selection) {
			value, ok := s.Attr(name)
			if !ok {
				return
			}
			ids := strings.Fields(value)
			for i := range ids {
				if name == "id" || part.Find("[id='"+prefix+ids[i]+"']").Length() > 0 {
					ids[i] = prefix + ids[i]
				}
			}
			s.SetAttr(name, strings.Join(ids, " "))
		})
	}
	text, err := goquery.OuterHtml(part)
	if err != nil {
		t.Fatal(err)
	}
	if p.dialog {
		text = `<dialog open aria-label="` + html.EscapeString(p.title) + `">` + text + `</dialog>`
	}
	return text
}
