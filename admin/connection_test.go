package admin

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"treewarden/store/storetest"
)

// shortListener has no files left for every second connection, as the system says it.
type shortListener struct {
	net.Listener
	tries atomic.Int64
}

func (l *shortListener) Accept() (net.Conn, error) {
	shortages := []error{syscall.EMFILE, syscall.ENFILE, syscall.ECONNABORTED, syscall.ENOBUFS, syscall.ENOMEM}
	if n := l.tries.Add(1); n%2 == 1 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4",
			shortages[int(n/2)%len(shortages)])}
	}
	return l.Listener.Accept()
}

// TestShutdownBeforeServe checks that a server ends that is shut down before it serves, as
// by a signal at the start, and that one ends whose listener nobody accepts on yet.
func TestShutdownBeforeServe(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]func(*Server, net.Listener) error{
		"before Serve": func(server *Server, l net.Listener) error {
			if err := server.Shutdown(time.Minute); err != nil {
				t.Error(err)
			}
			return server.Serve(l, 0)
		},
		"before the first Accept": func(server *Server, l net.Listener) error {
			return server.Serve(l, 0)
		},
	} {
		server := newServer(t, storetest.New(t))
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := serve(server, endAtAddr{l, server}); err != nil {
			t.Errorf("%s: the server ended with %v", name, err)
		}
		if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
			c.Close()
			t.Errorf("%s: the listener is open", name)
		}
	}
}

// endAtAddr is a listener whose server is shut down when it is asked for its address, which
// fiber does before it accepts connections.
type endAtAddr struct {
	net.Listener
	server *Server
}

func (l endAtAddr) Addr() net.Addr {
	if err := l.server.Shutdown(time.Minute); err != nil {
		panic(err)
	}
	return l.Listener.Addr()
}

// serveOn serves on a port of its own with a limit of connections.
func serveOn(t *testing.T, server *Server, wrap func(net.Listener) net.Listener, limit int) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(wrap(l), limit) }()
	t.Cleanup(func() {
		if err := server.Shutdown(time.Minute); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return l.Addr().String()
}

func plain(l net.Listener) net.Listener { return l }

// fetch sends a request on a connection and returns the status, 0 if it was closed.
func fetch(t *testing.T, c net.Conn, path, cookie string) int {
	t.Helper()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\nCookie: %s\r\n\r\n", path, cookie); err != nil {
		return 0
	}
	a, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	defer a.Body.Close()
	if _, err := io.Copy(io.Discard, a.Body); err != nil {
		return 0
	}
	return a.StatusCode
}

// TestListenerGoesOnWithoutFiles has the system run out of files and memory: the
// listener goes on (fault 35).
func TestListenerGoesOnWithoutFiles(t *testing.T) {
	t.Parallel()
	server := newServer(t, storetest.New(t))
	address := serveOn(t, server, func(l net.Listener) net.Listener { return &shortListener{Listener: l} }, 0)
	for i := range 12 {
		if status := fetch(t, dial(t, address, ""), "/healthz", ""); status != 200 {
			t.Errorf("connection %d gets %d", i, status)
		}
	}
}

// TestConnectionsOfSignedInPeopleStay fills the server with connections of nobody, with
// nothing, a part of a header or of a body on them: a person who is signed in keeps
// their connection and opens more (fault 35).
func TestConnectionsOfSignedInPeopleStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const limit = 40
	address := serveOn(t, w.server, plain, limit)
	own := dial(t, address, "")
	if status := fetch(t, own, "/", w.mod.cookie); status != 200 {
		t.Fatalf("the first request gets %d", status)
	}
	beginnings := []string{"", "GET / HT", "GET / HTTP/1.1\r\nHost: x\r\n", "POST /sign-in HTTP/1.1\r\nHost: x\r\n" +
		"Content-Length: 60000\r\n\r\n" + strings.Repeat("a", 3000), "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"}
	var flood []net.Conn
	for i := range 5 * limit {
		flood = append(flood, dial(t, address, beginnings[i%len(beginnings)]))
		if i%limit == limit-1 {
			if status := fetch(t, own, "/trollboard", w.mod.cookie); status != 200 {
				t.Errorf("after %d connections of nobody, the open one gets %d", i, status)
			}
			if status := fetch(t, dial(t, address, ""), "/users", w.mod.cookie); status != 200 {
				t.Errorf("after %d connections of nobody, a new one gets %d", i, status)
			}
		}
	}
	open := 0
	for _, c := range flood {
		if err := c.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		var network net.Error
		if _, err := io.Copy(io.Discard, c); errors.As(err, &network) && network.Timeout() {
			open++
		}
	}
	if open > limit {
		t.Errorf("%d connections of nobody are open, the limit is %d", open, limit)
	}
}

// TestIdleConnectionsMakeRoom fills the server with idle connections of people who are
// signed in: the one that is idle longest makes room for one more.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const limit = 16
	address := serveOn(t, w.server, plain, limit)
	var own []net.Conn
	for range limit {
		own = append(own, dial(t, address, ""))
	}
	for i, c := range own {
		if status := fetch(t, c, "/users", w.mod.cookie); status != 200 {
			t.Fatalf("connection %d gets %d", i, status)
		}
	}
	// The last answer is here before the server counts its connection as idle.
	if status := fetch(t, own[0], "/users", w.mod.cookie); status != 200 {
		t.Fatalf("the first connection gets %d", status)
	}
	if status := fetch(t, dial(t, address, ""), "/users", w.mod.cookie); status != 200 {
		t.Errorf("one more connection gets %d", status)
	}
	if status := fetch(t, own[1], "/users", w.mod.cookie); status != 0 {
		t.Errorf("the connection that was idle longest gets %d", status)
	}
	if status := fetch(t, own[0], "/users", w.mod.cookie); status != 200 {
		t.Errorf("a connection that was used gets %d", status)
	}
}

// TestUnclearBodiesAreRefused sends requests whose body ends at one place for the
// server and at another for a proxy (fault 51).
func TestUnclearBodiesAreRefused(t *testing.T) {
	t.Parallel()
	server := newServer(t, storetest.New(t))
	address := listen(t, server)
	const hidden = "0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
	chunked, length := "Transfer-Encoding: chunked\r\n", fmt.Sprintf("Content-Length: %d\r\n", len(hidden))
	for _, headers := range []string{
		chunked + length, length + chunked, chunked + "Content-Length: 0\r\n", "content-length: 5\r\ntransfer-encoding: " +
			"CHUNKED\r\n",
		"Content-Length : 5\r\n", "Content-Length\t: 5\r\n", "Content-Length  : 5\r\n", "Transfer-Encoding : chunked\r\n",
		"X-Other : a\r\n" + length, chunked + chunked, "Transfer-Encoding: identity\r\n" + length,
		"Transfer-Encoding: identity\r\n" + chunked, "Content-Length: 5\r\nContent-Length: 5\r\n", "Transfer-Encoding: " +
			"chunked, identity\r\n", "Transfer-Encoding: gzip, chunked\r\n", "X-A: a\r\n " + length,
	} {
		for _, method := range []string{"POST", "GET"} {
			c := dial(t, address, method+" /sign-in HTTP/1.1\r\nHost: x\r\n"+headers+"\r\n"+hidden)
			text, _ := io.ReadAll(c) // the connection may be reset
			if n := strings.Count(string(text), "HTTP/1.1 "); n != 1 || !strings.HasPrefix(string(text), "HTTP/1.1 400 ") {
				t.Errorf("%s with %q: %d answers: %.200q", method, headers, n, text)
			}
		}
	}
	for _, headers := range []string{chunked, "Content-Length: 5\r\n", "content-length:5\r\n", ""} {
		c := dial(t, address, "POST /sign-in HTTP/1.1\r\nHost: x\r\n"+headers+"\r\n"+map[bool]string{
			true: "5\r\na=b&c\r\n0\r\n\r\n", false: "a=b&c"}[headers == chunked])
		if a, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || headers != "" && a.StatusCode != 422 {
			t.Errorf("a plain body with %q: %v, %v", headers, a, err)
		}
	}
}

// TestWorkEndsWithItsClient has requests wait for a lock whose clients leave: the
// database ends their work (fault 51). A client that stays, and sends its next request
// early, gets both answers.
func TestWorkEndsWithItsClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	address := listen(t, w.server)
	db := storetest.DB(t, w.store)
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	if _, err := tx.Exec(t.Context(), "LOCK TABLE revisions, trees, user_signals IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	waiting := func() (n int) {
		if err := db.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "+
			"AND wait_event_type = 'Lock'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	request := func(method, path, body string) string {
		return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nCookie: %s\r\nSec-Fetch-Site: same-origin\r\n"+
			"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", method, path, w.mod.cookie, len(body), body)
	}
	act := request("POST", fmt.Sprintf("%s/messages/%s/reactions", apiPrefix, w.prompt), `{"emoji": "+1", "op": "add"}`)
	for _, text := range []string{request("GET", "/trees", ""), act} {
		if _, err := db.Exec(t.Context(), "SELECT 1"); err != nil {
			t.Fatal(err)
		}
		c := dial(t, address, text)
		waitFor(t, "the request waits", func() bool { return waiting() > 0 })
		c.Close()
		waitFor(t, "the work ends with its client", func() bool { return waiting() == 0 })
	}
	c := dial(t, address, act)
	waitFor(t, "the request waits", func() bool { return waiting() > 0 })
	time.Sleep(2 * leaveDelay)
	if _, err := io.WriteString(c, request("GET", "/healthz", "")); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(c)
	for range 2 {
		a, err := http.ReadResponse(reader, nil)
		if err != nil || a.StatusCode != 200 {
			t.Fatalf("a client that stays gets %v, %v", a, err)
		}
		if _, err := io.Copy(io.Discard, a.Body); err != nil {
			t.Fatal(err)
		}
	}
}
