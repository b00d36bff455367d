package admin

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// program is a program with a key of a role.
func program(t *testing.T, server *Server, role string) *client {
	t.Helper()
	key, err := server.store.CreateKey(t.Context(), store.CommandLine, role+" "+uuid.NewString(), role, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, server)
	c.key = key
	return c
}

// ingestLines sends lines.
func (c *client) ingestLines(lines ...string) answer {
	c.t.Helper()
	return c.do("POST", "/api/v1/ingest", strings.NewReader(strings.Join(lines, "\n")), ingestType)
}

func TestIngestAnswersForEachLine(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	c := program(t, newServer(t, s), policy.Collector)
	user, message := uuid.New(), uuid.New()
	lines := []string{
		fmt.Sprintf(`{"type": "user", "id": "e1", "user_id": %q, "display_name": "Ada", "auth_method": "discord", `+
			`"username": "ada"}`, user),
		fmt.Sprintf(`{"type": "message", "id": "e2", "message_id": %q, "user_id": %q, "role": "prompter", `+
			`"text": "Hello?", "lang": "en"}`, message, user),
		`{"type": "reaction", "id": "e3"}`,
		"",
		fmt.Sprintf(`{"type": "reaction", "id": "e4", "message_id": %q, "user_id": %q, "emoji": "-1", "op": "add"}`,
			message, user),
	}
	var done store.Ingested
	c.ingestLines(lines...).want(200).json(&done)
	if done.Accepted != 3 || done.Duplicate != 0 || done.Rejected != 1 || done.Errors[0].Line != 3 ||
		done.Errors[0].Code != "missing_field" {
		t.Errorf("first: %+v", done)
	}
	again := c.ingestLines(lines...).want(200)
	again.json(&done)
	if done.Accepted != 0 || done.Duplicate != 3 || done.Rejected != 1 {
		t.Errorf("again: %+v", done)
	}
	if errors, ok := c.ingestLines().want(200).field("errors").([]any); !ok || len(errors) != 0 {
		t.Error("without errors, errors is no empty list")
	}
	reader := staff(t, c.server, policy.Moderator)
	if text := reader.get("/api/v1/messages/" + message.String()).want(200).field("text"); text != "Hello?" {
		t.Errorf("the message reads %v", text)
	}
	one := fmt.Sprintf("{\n \"type\": \"user\",\n \"id\": \"e5\", \"user_id\": %q\n}", uuid.New())
	if n := c.send("POST", "/api/v1/ingest", one).want(200).field("accepted"); n != 1.0 {
		t.Errorf("one object over many lines: %v accepted", n)
	}
	if faults, err := s.VerifyScores(t.Context()); err != nil || len(faults) > 0 {
		t.Errorf("the counters: %+v, %v", faults, err)
	}
}

func TestIngestBounds(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	c := program(t, server, policy.Collector)
	line := func(n int) string {
		return fmt.Sprintf(`{"type": "user", "id": %q, "user_id": %q, "more": %q}`,
			uuid.NewString(), uuid.New(), strings.Repeat("x", n))
	}
	var many []string
	for range 12 {
		many = append(many, line(1<<20-1000))
	}
	if n := c.ingestLines(many...).want(200).field("accepted"); n != 12.0 {
		t.Errorf("12 MB: %v accepted", n)
	}
	var done store.Ingested
	c.ingestLines(line(1<<20), line(10)).want(200).json(&done)
	if done.Accepted != 1 || done.Errors[0].Code != "too_long" {
		t.Errorf("a line of more than 1 MB: %+v", done)
	}
	c.do("POST", "/api/v1/ingest", strings.NewReader(line(1)), "text/csv").want(400)
	if n := c.do("POST", "/api/v1/ingest", strings.NewReader(line(1)), ingestType+
		"; charset=utf-8").want(200).field("accepted"); n != 1.0 {
		t.Errorf("with a charset: %v accepted", n)
	}
}

// TestOnlyAnIngestMayBeLong announces long bodies. The web server answers
// before it reads them, or waits for them.
func TestOnlyAnIngestMayBeLong(t *testing.T) {
	t.Parallel()
	server := newServer(t, storetest.New(t))
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.App().Listener(listener)            // ends with the test
	t.Cleanup(func() { server.App().Shutdown() }) // nothing is left to lose
	for _, c := range []struct {
		path, key string
		length    int
	}{
		{"/api/v1/ingest", "Authorization: Bearer x\r\n", ingestLimit + 1}, {"/api/v1/ingest", "", bodyLimit + 1},
		{"/api/v1/ingest/", "Authorization: Bearer x\r\n", bodyLimit + 1},
		{"/api/v1/users", "Authorization: Bearer x\r\n", bodyLimit + 1},
	} {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
			c.path, c.key, ingestType, c.length)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", c.path, err)
		}
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusRequestEntityTooLarge ||
			!strings.Contains(string(text), "too_large") {
			t.Errorf("%d bytes to %s: %d %s, %v", c.length, c.path, answer.StatusCode, text, err)
		}
		answer.Body.Close()
		conn.Close()
	}
}

// TestACollectorDoesNothingElse checks what a collector's key may do and who
// may make one. TestMatrix checks every route.
func TestACollectorDoesNothingElse(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	c := program(t, server, policy.Collector)
	c.get("/api/v1/events").want(200)
	for _, path := range []string{"/api/v1/trollboard", "/api/v1/users", "/api/v1/audit", "/trollboard"} {
		c.get(path).want(403)
	}
	for _, role := range []string{policy.General, policy.Moderator, policy.DataLead} {
		other := program(t, server, role)
		other.ingestLines("{}").want(403)
		other.get("/api/v1/events").want(403)
	}
	if _, err := s.CreateKey(t.Context(), storetest.Staff(t, s, policy.Admin), "front end", policy.Collector,
		nil); err != nil {
		t.Errorf("an admin makes a collector's key: %v", err)
	}
}

func TestEventsAnswerInOrder(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	c, moderator := program(t, server, policy.Collector), staff(t, server, policy.Moderator)
	user := storetest.User(t, s, "Troll")
	ids := storetest.Tree(t, s, storetest.Node{Author: user, Replies: []storetest.Node{{Author: user}}})
	act := func(path string, body map[string]any) {
		t.Helper()
		body["reason"] = "because of the test"
		moderator.send("POST", "/api/v1"+path, body).want(200)
	}
	act("/users/"+user.String()+"/ban", map[string]any{"until": "2099-01-01T00:00:00Z"})
	act("/messages/"+ids[1].String()+"/edit", map[string]any{"text": "better words"})
	act("/trees/"+ids[0].String()+"/halt", map[string]any{})
	act("/messages/"+ids[0].String()+"/delete", map[string]any{})
	var found store.Events
	c.get("/api/v1/events?wait=30").want(200).json(&found)
	kinds := []string{}
	for _, e := range found.Items {
		kinds = append(kinds, e.Kind)
	}
	if fmt.Sprint(kinds) != "[ban edit halt delete delete]" || found.Next != found.Items[4].ID {
		t.Fatalf("%v, next %d", kinds, found.Next)
	}
	if e := found.Items[0]; *e.UserID != user || e.Until == nil || e.Until.Year() != 2099 || e.ActionID == 0 {
		t.Errorf("the ban: %+v", e)
	}
	if e := found.Items[1]; *e.MessageID != ids[1] || *e.TreeID != ids[0] || *e.Text != "better words" {
		t.Errorf("the edit: %+v", e)
	}
	if e := found.Items[2]; *e.TreeID != ids[0] || *e.State != "halted_by_moderator" {
		t.Errorf("the halt: %+v", e)
	}
	var rest store.Events
	c.get(fmt.Sprintf("/api/v1/events?after=%d", found.Items[2].ID)).want(200).json(&rest)
	if len(rest.Items) != 2 || rest.Items[0].ID != found.Items[3].ID {
		t.Errorf("the rest: %+v", rest)
	}
	c.get(fmt.Sprintf("/api/v1/events?wait=1&after=%d", found.Next)).want(200).json(&rest)
	if len(rest.Items) != 0 || rest.Next != found.Next {
		t.Errorf("after the last: %+v", rest)
	}
	for _, query := range []string{"after=-1", "after=x", "after=9223372036854775808", "wait=31", "wait=-1", "wait=1.5"} {
		c.get("/api/v1/events?" + query).want(400)
	}
}

// TestIngestIsDescribed checks that the description is about lines, not about
// one object.
func TestIngestIsDescribed(t *testing.T) {
	t.Parallel()
	s := &Server{routes: allRoutes()}
	text, err := json.Marshal(s.apiDescription())
	if err != nil || !strings.Contains(string(text), ingestType) {
		t.Errorf("it does not say %s: %v", ingestType, err)
	}
}
