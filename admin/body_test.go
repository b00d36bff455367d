package admin

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// dial opens a connection to a server and sends the beginning of a request.
func dial(t *testing.T, address, beginning string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	// A server may answer and close before it has read everything.
	_, _ = io.WriteString(c, beginning)
	return c
}

// TestKeyBeforeBody sends the beginning of big bodies with keys that open nothing:
// each is refused at once, without the rest, and takes no memory (fault 37).
func TestKeyBeforeBody(t *testing.T) {
	w := newWorld(t)
	address := listen(t, w.server)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	part := strings.Repeat(" ", 100<<10)
	var open []net.Conn
	for i := range 60 {
		shown := []string{"Bearer unknown", "Basic YTpi", "x"}[i%3]
		open = append(open, dial(t, address, fmt.Sprintf("POST /api/v1/ingest HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n"+
			"Content-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n%s", shown, ingestLimit,
			part[:len(part)*(i%2)])))
	}
	for i, c := range open {
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(i, err)
		}
		if answer.StatusCode != 401 || !answer.Close {
			t.Errorf("an unknown key with a big body gets %d (closed: %v)", answer.StatusCode, answer.Close)
		}
		answer.Body.Close()
	}
	runtime.ReadMemStats(&after)
	if spent := int64(after.TotalAlloc-before.TotalAlloc) >> 20; spent > 60 {
		t.Errorf("60 bodies that nobody may send took %d MB", spent)
	}
}

// TestHalfSentBodies announces big bodies with a key that may send them, and sends a
// part: they take what was sent, not what was announced (fault 37).
func TestHalfSentBodies(t *testing.T) {
	s := storetest.New(t)
	server := newServer(t, s)
	address := listen(t, server)
	key, err := s.CreateKey(t.Context(), store.CommandLine, "front end", policy.Collector, nil)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	part := strings.Repeat(" ", 300<<10)
	for i := range 60 {
		length := fmt.Sprintf("Content-Length: %d\r\n\r\n%s", ingestLimit, part)
		if i%2 == 1 {
			length = fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s", ingestLimit, part)
		}
		dial(t, address, fmt.Sprintf("POST /api/v1/ingest HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
			"Content-Type: application/x-ndjson\r\n%s", key, length))
	}
	// The last of them has been read as far as it goes when others are answered.
	c := newClient(t, server)
	c.key = key
	c.get(apiPrefix + eventsPath + "?after=0").want(200)
	runtime.ReadMemStats(&after)
	if held := (int64(after.HeapInuse) - int64(before.HeapInuse)) >> 20; held > 100 {
		t.Errorf("60 half-sent bodies hold %d MB", held)
	}
}

// TestBigBodiesTakeTurns has all places for big bodies taken: one more is told to try
// again, and small requests go on (fault 37).
func TestBigBodiesTakeTurns(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	key, err := s.CreateKey(t.Context(), store.CommandLine, "front end", policy.Collector, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, server)
	c.key = key
	for range bigBodies {
		server.bodies <- struct{}{}
	}
	send := func(length int) answer {
		return c.do(http.MethodPost, apiPrefix+ingestPath, strings.NewReader(strings.Repeat("\n", length)), ingestType)
	}
	if code := send(bodyLimit+1).want(503).field("error", "code"); code != "busy" {
		t.Errorf("the code is %v", code)
	}
	send(bodyLimit).want(200)
	<-server.bodies
	send(openBody + 1).want(200)
	if a := send(ingestLimit); a.status == 503 || a.status == 401 {
		t.Errorf("a free place is not taken: %d", a.status)
	}
	if len(server.bodies) != bigBodies-1 {
		t.Errorf("%d places are taken, want %d", len(server.bodies), bigBodies-1)
	}
}

// TestBodiesOfUnknownPeople sends bodies of each length without a session (fault 37).
func TestBodiesOfUnknownPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, x := range []struct {
		path         string
		length, want int
	}{
		{"/sign-in", openBody, 422}, {"/sign-in", openBody + 1, 413}, {"/sign-in", bodyLimit + 1, 413},
		{apiPrefix + "/lists", openBody, 401}, {apiPrefix + "/lists", openBody + 1, 401},
		{apiPrefix + "/lists", bodyLimit, 401},
		{apiPrefix + "/lists", bodyLimit + 1, 413}, {"/nowhere", openBody, 404},
	} {
		a := newClient(t, w.server).do(http.MethodPost, x.path, strings.NewReader(strings.Repeat("a", x.length)),
			"application/x-www-form-urlencoded")
		if a.status != x.want {
			t.Errorf("%s with %d bytes: %d, want %d", x.path, x.length, a.status, x.want)
		}
	}
	// A person who is known may send more, also in chunks.
	address := listen(t, w.server)
	for _, length := range []int{openBody - 1, openBody, openBody + 1, bodyLimit} {
		for _, announced := range []string{fmt.Sprintf("Content-Length: %d\r\n\r\n%s", length, strings.Repeat(" ", length)),
			fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", length, strings.Repeat(" ", length))} {
			c := dial(t, address, "POST "+apiPrefix+"/lists HTTP/1.1\r\nHost: x\r\nSec-Fetch-Site: same-origin\r\nCookie: "+
				w.mod.cookie+"\r\nContent-Type: application/json\r\n"+announced+"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
			reader := bufio.NewReader(c)
			for _, want := range []int{422, 200} { // no name, and the next request on the same connection
				a, err := http.ReadResponse(reader, nil)
				if err != nil {
					t.Fatal(length, err)
				}
				if text, _ := io.ReadAll(a.Body); a.StatusCode != want {
					t.Errorf("a known person with %d bytes: %d, want %d: %.300s", length, a.StatusCode, want, text)
				}
			}
		}
	}
}

// TestUnreadBodyIsNoRequest hides a request in the body of one that is refused before
// its body is read: it gets no answer.
func TestUnreadBodyIsNoRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	address := listen(t, w.server)
	hidden := strings.Repeat("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 4000)
	for _, line := range []string{"HELLO /healthz", "POST /api/v1/ingest", "POST /sign-in", "GET /nowhere", "OPTIONS *"} {
		c := dial(t, address, fmt.Sprintf("%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", line,
			len(hidden), hidden))
		text, _ := io.ReadAll(c) // the connection may be reset
		if n := strings.Count(string(text), "HTTP/1.1 "); n > 1 {
			t.Errorf("%s: %d answers: %.300s", line, n, text)
		}
	}
}
