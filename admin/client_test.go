package admin

import (
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"golang.org/x/net/html"

	"treewarden/store"
	"treewarden/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// newServer makes a server on a store.
func newServer(t *testing.T, s *store.Store) *Server {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	return New(Config{Store: s, Log: log, Version: "test"})
}

// client is a browser with a cookie, or a program with a key.
type client struct {
	t      *testing.T
	server *Server
	cookie string
	key    string
}

// newClient returns a client without a session.
func newClient(t *testing.T, server *Server) *client {
	t.Helper()
	return &client{t: t, server: server}
}

// signedIn returns a member of staff with a session, by a one-time link.
func signedIn(t *testing.T, server *Server, actor store.Actor) *client {
	t.Helper()
	link, err := server.store.SignInLink(t.Context(), store.CommandLine, actor.Name)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, server)
	if r := c.get("/sign-in/link?token=" + link); r.status != http.StatusSeeOther || c.cookie == "" {
		t.Fatalf("the sign-in link answered %d", r.status)
	}
	return c
}

// staff makes a member of staff with a role, and signs them in.
func staff(t *testing.T, server *Server, role string) *client {
	t.Helper()
	return signedIn(t, server, storetest.Staff(t, server.store, role))
}

// answer is the answer to a request.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   string
}

func (c *client) get(path string) answer {
	c.t.Helper()
	return c.do(http.MethodGet, path, nil, "")
}

// post sends a form.
func (c *client) post(path string, form url.Values) answer {
	c.t.Helper()
	return c.do(http.MethodPost, path, strings.NewReader(form.Encode()), "application/x-www-form-urlencoded")
}

// send sends JSON to the API. It sends a string as it is.
func (c *client) send(method, path string, body any) answer {
	c.t.Helper()
	text, ok := body.(string)
	if !ok {
		encoded, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		text = string(encoded)
	}
	return c.do(method, path, strings.NewReader(text), "application/json")
}

// changeUser changes a user by the API, from the version in force. The path ends
// with the user's id.
func (c *client) changeUser(path string, fields map[string]any) answer {
	c.t.Helper()
	return c.send(http.MethodPatch, path, versioned(c.t, c.server.store, path, fields))
}

// versioned adds the version in force of the user with the id at the end of a path.
func versioned(t *testing.T, s *store.Store, path string, fields map[string]any) map[string]any {
	t.Helper()
	var version int
	if err := storetest.DB(t, s).QueryRow(t.Context(), "SELECT version FROM users WHERE user_id = $1",
		path[strings.LastIndex(path, "/")+1:]).Scan(&version); err != nil {
		t.Fatal(err)
	}
	fields = maps.Clone(fields)
	fields["version"] = version
	return fields
}

// do sends a request; headers are names and values.
func (c *client) do(method, path string, body io.Reader, kind string, headers ...string) answer {
	c.t.Helper()
	r := httptest.NewRequest(method, path, body)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if c.key != "" {
		r.Header.Set("Authorization", "Bearer "+c.key)
	}
	if c.cookie != "" {
		r.Header.Set("Cookie", c.cookie)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.server.App().Test(r, -1)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	answerSchemas().check(c.t, r, response.StatusCode, response.Header.Get("Content-Type"), text)
	for _, cookie := range response.Cookies() {
		c.cookie = cookie.Name + "=" + cookie.Value
		if cookie.MaxAge < 0 || cookie.Value == "" {
			c.cookie = ""
		}
	}
	return answer{c.t, response.StatusCode, response.Header, string(text)}
}

// want fails the test unless the answer has a status.
func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d; the answer: %.1500s", a.status, status, a.body)
	}
	return a
}

// page parses the answer as HTML.
func (a answer) page() *goquery.Document {
	a.t.Helper()
	page, err := goquery.NewDocumentFromReader(strings.NewReader(a.body))
	if err != nil {
		a.t.Fatal(err)
	}
	collapseSpaces(page.Nodes[0])
	return page
}

// collapseSpaces makes one space of each run of white space, as a browser does,
// except in elements that keep it, by themselves or by a style.
func collapseSpaces(n *html.Node) {
	switch {
	case n.Type == html.TextNode:
		n.Data = spaces.ReplaceAllString(n.Data, " ")
	case n.Data == "pre" || n.Data == "textarea" || slices.ContainsFunc(n.Attr, keepsSpaces):
		return
	}
	for child := range n.ChildNodes() {
		collapseSpaces(child)
	}
}

func keepsSpaces(a html.Attribute) bool {
	return a.Key == "class" && (a.Val == "note" || a.Val == "report-reason" || strings.HasPrefix(a.Val, "text"))
}

var spaces = regexp.MustCompile(`[ \t\r\n\f]+`)

// text returns the text of all elements that a selector finds.
func (a answer) text(selector string) string {
	a.t.Helper()
	return strings.Join(strings.Fields(a.page().Find(selector).Text()), " ")
}

// json decodes the answer.
func (a answer) json(into any) answer {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		a.t.Fatalf("the answer is not JSON: %v\n%.500s", err, a.body)
	}
	return a
}

// field returns one field of a JSON answer, named by its path.
func (a answer) field(path ...string) any {
	a.t.Helper()
	var value any
	a.json(&value)
	for _, name := range path {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[name]
	}
	return value
}

// attr returns an attribute's value, or "".
func attr(selection *goquery.Selection, name string) string {
	value, _ := selection.Attr(name)
	return value
}
