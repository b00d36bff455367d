package admin

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// listen serves on a port of its own, as the program does: the web server
// refuses some requests before they reach a handler.
func listen(t *testing.T, server *Server) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(listener, 0)                  // ends with the test
	t.Cleanup(func() { server.App().Shutdown() }) // no requests remain
	return listener.Addr().String()
}

// TestRawRequests sends requests that no library would send. Each gets an
// answer with a client error, or none, and the server continues.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	address := listen(t, w.server)
	line := func(target string) string {
		return "GET " + target + " HTTP/1.1\r\nHost: x\r\nCookie: " + w.mod.cookie + "\r\n"
	}
	form := func(path, kind, body string, more ...string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nCookie: %s\r\nSec-Fetch-Site: same-origin\r\nContent-Type: "+
			"%s\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s",
			path, w.mod.cookie, kind, strings.Join(more, ""), len(body), body)
	}
	ban := "/users/" + w.user.String() + "/ban"
	const boundary = "multipart/form-data; boundary=b"
	requests := []string{
		"", "\r\n\r\n", "\x00\x00\r\n\r\n", "GET\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/9.9\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n", "HELLO / HTTP/1.1\r\nHost: x\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
		line("http://evil.example/users") + "\r\n", line("//evil.example/users") + "\r\n", line("/users/%") + "\r\n",
		line("/users/%zz") + "\r\n", line("/users/%/ban") + "\r\n", line("/users?q=%") + "\r\n",
		line("/users/\xff\xfe") + "\r\n", line("/users/\x00") + "\r\n", line("/../../etc/passwd") + "\r\n",
		line("/%2e%2e/%2e%2e/etc/passwd") + "\r\n", line("/static/..%2f..%2fgo.mod") + "\r\n", line("/users?\x00\xff") +
			"\r\n",
		line("/users#<script>") + "\r\n", line("/users?q=<script>alert(1)</script>") + "\r\n",
		line("/"+strings.Repeat("a", 20_000)) + "\r\n", line("users") + "\r\n", line("") + "\r\n", line("/a b c") + "\r\n",
		line("/users") + "X-A: a\r\n b\r\n\r\n", line("/users") + "no colon\r\n\r\n", line("/users") + ": empty\r\n\r\n",
		line("/users") + "X-A: \x00\x01\xff\r\n\r\n", line("/users") + strings.Repeat("X-A: b\r\n", 5000) + "\r\n",
		line("/users") + "Content-Length: -1\r\n\r\n", line("/users") + "Content-Length: x\r\n\r\n", line("/users") +
			"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", line("/users") +
			"Content-Length: 99999999999999999999\r\n\r\n",
		line("/users") + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", line("/users") +
			"Transfer-Encoding: chunked\r\n\r\nzz\r\n", line("/users") + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
		line("/users") + "Cookie: " + strings.Repeat("a=b; ", 1000) + "\r\n\r\n", line("/users") +
			"Authorization: Bearer \x01\xff\r\n\r\n", line("/users") + "Range: bytes=0-18446744073709551615\r\n\r\n",
		line("/sign-in?return=/%0d%0aSet-Cookie:%20a=b") + "\r\n", line("/users?done=%0d%0a%0d%0a<script>alert(1)</script>") +
			"\r\n",
		form(ban, "multipart/form-data", "--b\r\n\r\n--b--"), form(ban, "multipart/form-data; boundary=", "x"),
		form(ban, boundary, ""), form(ban, boundary, "--b"), form(ban, boundary, "--b\r\nContent-Disposition: form-data; "+
			"name=reason\r\n\r\nx"),
		form(ban, "multipart/form-data; boundary="+strings.Repeat("b", 5000), "x"),
		form(ban, boundary, strings.Repeat("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n", 12_000)+
			"--b--\r\n"),
		form(ban, boundary, "--b\r\nContent-Disposition: attachment\r\n\r\n\r\n--b--\r\n"),
		form(ban, "application/x-www-form-urlencoded", "reason=x\x00", "Idempotency-Key: \x01\r\n"),
		form(apiPrefix+ban, "application/json", `{"reason": "for the test"}`, "Idempotency-Key: a\x7fb\r\n"),
		form(ban, boundary, "\x1f\x8b", "Content-Encoding: gzip\r\n"),
		form(ban, "application/x-www-form-urlencoded", "\x1f\x8b", "Content-Encoding: gzip, br, deflate, gzip\r\n"),
		form("/sign-in", "", "x", "Content-Encoding: zstd\r\n"),
		form(apiPrefix+ban, "application/json", strings.Repeat(" ", bodyLimit+1)),
		form("/sign-in", "application/x-www-form-urlencoded", strings.Repeat("a", bodyLimit+1)),
	}
	for _, request := range requests {
		name := fmt.Sprintf("%.120q", strings.Replace(request, w.mod.cookie, "…", 1))
		connection, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		connection.SetDeadline(time.Now().Add(30 * time.Second))
		io.WriteString(connection, request)    // the server may refuse it half-way
		connection.(*net.TCPConn).CloseWrite() // the request ends here
		checkRaw(t, name, connection)
		connection.Close()
	}
	response, err := http.Get("http://" + address + "/healthz")
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("after all that: %v, %v", response, err)
	}
	response.Body.Close()
}

// checkRaw checks the answer, which may be empty.
func checkRaw(t *testing.T, name string, connection io.Reader) {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		return
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if response.StatusCode == 200 && strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") ||
		response.StatusCode >= 300 && len(body) > 0 && strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") {
		inert(t, name, answer{t: t, body: string(body)}.page())
	}
	// A client that has ended its side is taken for one that left, if the work takes
	// long enough.
	left := response.StatusCode == http.StatusServiceUnavailable && strings.Contains(string(body), "This was cancelled")
	if response.StatusCode >= 500 && !left && response.StatusCode != http.StatusHTTPVersionNotSupported &&
		response.StatusCode != http.StatusNotImplemented {
		t.Errorf("%s: %d: %.200s", name, response.StatusCode, body)
	}
	if strings.Contains(response.Header.Get("Set-Cookie"), "a=b") || strings.Contains(string(body), "root:") ||
		strings.Contains(string(body), "module treewarden") {
		t.Errorf("%s: %v %.200s", name, response.Header, body)
	}
}

// TestCompressedBodies checks that no body is decompressed. A megabyte could
// become a gigabyte.
func TestCompressedBodies(t *testing.T) {
	w := newWorld(t)
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	zeros := make([]byte, 1<<20)
	for range 256 {
		zip.Write(zeros)
	}
	zip.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, path := range []string{"/sign-in", "/users/" + w.user.String() + "/ban", apiPrefix + "/users/" +
		w.user.String() + "/ban", "/no/such/page"} {
		for _, kind := range []string{"application/x-www-form-urlencoded", "application/json",
			"multipart/form-data; boundary=b"} {
			for _, encoding := range []string{"gzip", "GZIP", "gzip, identity", "identity, gzip", "br"} {
				a := w.mod.do(http.MethodPost, path, bytes.NewReader(packed.Bytes()), kind, "Content-Encoding", encoding)
				if a.status != http.StatusUnsupportedMediaType {
					t.Errorf("%s with %s as %s: %d", path, encoding, kind, a.status)
				}
				sound(t, path, a)
			}
		}
	}
	runtime.ReadMemStats(&after)
	if spent := (after.TotalAlloc - before.TotalAlloc) >> 20; spent > 256 {
		t.Errorf("%d MB were spent on bodies of %d kB", spent, packed.Len()>>10)
	}
}
