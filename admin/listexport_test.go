package admin

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/corpus/spreadsheet"
	"treewarden/store/lists"
	"treewarden/store/storetest"
)

// download returns the body of an export, and the name of its file.
func (c curator) download(query, kind string) (body, name string) {
	c.t.Helper()
	a := c.get(c.list + "?" + query).want(200)
	disposition, parameters, err := mime.ParseMediaType(a.header.Get("Content-Disposition"))
	if err != nil || disposition != "attachment" || !strings.HasPrefix(a.header.Get("Content-Type"), kind) {
		c.t.Errorf("%s is sent as %v: %v", query, a.header, err)
	}
	return a.body, parameters["filename"]
}

// TestExports exports a list of 2,501 items in every format, whole and filtered.
func TestExports(t *testing.T) {
	t.Parallel()
	c := newCurator(t)
	author := storetest.User(t, c.store, "=Author")
	ids := storetest.Tree(t, c.store, storetest.Node{Author: author, Text: "=1+1, \"two\"\nlines <b>"})
	const n = 2501
	want, text := map[string]int{ids[0].String(): 1}, ids[0].String()+" a note\n"
	for range n - 1 {
		id := uuid.NewString()
		want[id] = 1
		text += id + "\n"
	}
	c.upload(text, "").want(200)

	body, name := c.download("limit=5&format=csv&cursor=nonsense", "text/csv")
	if !regexp.MustCompile(`^Before-release-[0-9a-f]{8}-\d{8}T\d{6}Z\.csv$`).MatchString(name) {
		t.Errorf("the file is named %s", name)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(body, spreadsheet.ByteOrderMark))).ReadAll()
	if err != nil || !reflect.DeepEqual(rows[0], itemsHeader) {
		t.Fatalf("the CSV begins with %v: %v", rows[0], err)
	}
	got, known := map[string]int{}, []string(nil)
	for _, row := range rows[1:] {
		got[row[0]]++
		if row[0] == ids[0].String() {
			known = row
		}
	}
	if !maps.Equal(got, want) || known[6] != "'=Author" || known[7] != "a note" ||
		known[10] != "'=1+1, \"two\"\nlines <b>" {
		t.Errorf("the CSV has %d rows, one is %q", len(rows), known)
	}

	body, _ = c.download("format=jsonl", "application/x-ndjson")
	got = map[string]int{}
	lines := json.NewDecoder(strings.NewReader(body))
	lines.DisallowUnknownFields()
	for {
		var item lists.Item
		if err := lines.Decode(&item); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		got[item.MessageID.String()]++
	}
	if !maps.Equal(got, want) || strings.Count(body, "\n") != n {
		t.Errorf("%d items on %d lines", len(got), strings.Count(body, "\n"))
	}
	body, _ = c.download("format=jsonl&q=lines", "application/x-ndjson")
	api := c.get("/api/v1" + c.list + "/items?q=lines").want(200).body
	if api != `{"items":[`+strings.TrimSpace(body)+`],"next":null,"prev":null}` {
		t.Errorf("an item is %s; the API answers %s", body, api)
	}

	body, _ = c.download("format=txt", "text/plain")
	a := c.do(http.MethodPost, "/api/v1"+c.list+"/items", strings.NewReader(body), "text/plain").want(200)
	if strings.Count(body, "\n") != n || a.field("duplicate") != float64(n) || a.field("added") != 0.0 {
		t.Errorf("%d lines, sent back: %s", strings.Count(body, "\n"), a.body)
	}
	if body, _ = c.download("format=txt&q=note&state=present", "text/plain"); body != ids[0].String()+"\n" {
		t.Errorf("filtered: %s", body)
	}
	empty := spreadsheet.ByteOrderMark + strings.Join(itemsHeader, ",") + "\r\n"
	if body, _ = c.download("format=csv&state=deleted", "text/csv"); body != empty {
		t.Errorf("an empty export: %s", body)
	}
	c.get(c.list + "?format=xml").want(400)
	c.get("/lists/" + uuid.NewString() + "?format=txt").want(404)
	links := c.get(c.list + "?limit=2&state=missing").want(200).page().Find(".page-head [role=group] a[download]")
	if href, _ := links.Last().Attr("href"); links.Length() != 3 || href != "?format=jsonl&state=missing" {
		t.Errorf("%d links, the last one to %s", links.Length(), href)
	}
}

// TestExportName names files after lists.
func TestExportName(t *testing.T) {
	id := uuid.MustParse("0c5d7f7e-52a3-4f4b-9d61-8a6a4cf0a001")
	at := time.Date(2026, 11, 28, 23, 44, 11, 0, time.FixedZone("", 3600))
	for name, want := range map[string]string{
		"Before release": "Before-release", "../../etc/passwd\x00": "etc-passwd", "Перед выпуском": "Перед-выпуском",
		"\u202e\"; rm": "rm", "!?": "list", strings.Repeat("ab ", 70): "ab-ab-ab-ab-ab-ab-ab-ab-ab-ab-ab-ab-ab-a",
		strings.Repeat("a", 39) + " b": strings.Repeat("a", 39),
	} {
		if got := exportName(lists.List{ListID: id, Name: name}, at); got != want+"-0c5d7f7e-20261128T224411Z" {
			t.Errorf("a file of %q is named %q", name, got)
		}
	}
}

// TestExportComparison exports a comparison in every format, whole and by part. One
// part has more ids than are read at once.
func TestExportComparison(t *testing.T) {
	t.Parallel()
	c := newCurator(t)
	var text, shared, more strings.Builder
	for range 20_001 {
		text.WriteString(uuid.NewString() + "\n")
	}
	for range 3 {
		shared.WriteString(uuid.NewString() + "\n")
		more.WriteString(uuid.NewString() + "\n")
	}
	c.upload(text.String()+shared.String(), "").want(200)
	other := c
	other.list, _, _ = strings.Cut(c.post("/lists", url.Values{"name": {"Other"}, "kind": {"custom"}}).want(303).
		header.Get("Location"), "?")
	other.upload(shared.String()+more.String(), "").want(200)
	sorted := func(lines string) string {
		return strings.Join(slices.Sorted(strings.Lines(lines)), "")
	}
	of := c
	of.list += "/compare"
	with := "with=" + strings.TrimPrefix(other.list, "/lists/")
	for part, want := range map[string]string{
		"both": shared.String(), "only_this": text.String(), "only_other": more.String(),
	} {
		got, name := of.download(with+"&cursor=nonsense&format=txt&part="+part, "text/plain")
		if got != sorted(want) || !strings.HasSuffix(name, "Z-"+part+".txt") {
			t.Errorf("%s: %d bytes, want %d, in the file %s", part, len(got), len(want), name)
		}
	}
	body, name := of.download(with+"&format=csv", "text/csv")
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(body, spreadsheet.ByteOrderMark))).ReadAll()
	if err != nil || len(rows) != 1+20_001+3+3 || !reflect.DeepEqual(rows[0], []string{"part", "message_id"}) ||
		rows[1][0] != "both" || rows[len(rows)-1][0] != "only_other" || !strings.HasSuffix(name, "-compared.csv") {
		t.Errorf("the CSV %s has %d rows and begins with %v: %v", name, len(rows), rows[:2], err)
	}
	body, _ = of.download(with+"&format=jsonl&part=both", ingestType)
	var line struct {
		Part      string    `json:"part"`
		MessageID uuid.UUID `json:"message_id"`
	}
	if err := json.Unmarshal([]byte(strings.SplitAfter(body, "\n")[0]), &line); err != nil || line.Part != "both" ||
		!strings.Contains(shared.String(), line.MessageID.String()) {
		t.Errorf("the JSON lines begin with %+v: %v", line, err)
	}
	links := c.get(of.list + "?" + with).want(200).page().Find("section .seg a")
	if first := links.AttrOr("href", ""); links.Length() != 9 || !strings.Contains(first, "part=both") {
		t.Errorf("the page has %d links, the first one to %s", links.Length(), first)
	}
	c.get(of.list + "?" + with + "&format=csv&part=all").want(400)
	c.get(of.list + "?format=csv&with=" + uuid.NewString()).want(404)
}

// TestBrokenExport breaks an export half-way: by an error of the database, and by
// a client that leaves.
func TestBrokenExport(t *testing.T) {
	t.Parallel()
	c := newCurator(t)
	var text strings.Builder
	for range 50_000 {
		text.WriteString(uuid.NewString() + "\n")
	}
	c.upload(text.String(), "").want(200)
	address := listen(t, c.server)
	ask := func(encoding string) (net.Conn, *http.Response) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetReadBuffer(1 << 12) // the server soon waits for the client
		}
		fmt.Fprintf(conn, "GET %s?format=jsonl HTTP/1.1\r\nHost: x\r\nCookie: %s\r\nAccept-Encoding: %s\r\n\r\n", c.list,
			c.cookie, encoding)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatal(answer, err)
		}
		return conn, answer
	}
	left, _ := ask("identity")
	left.Close()
	_, answer := ask("gzip")
	storetest.Exec(t, c.store, "ALTER TABLE list_items RENAME COLUMN note TO lost")
	n, err := io.Copy(io.Discard, answer.Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) || n == 0 || answer.Header.Get("Content-Encoding") != "" {
		t.Errorf("a broken export ends after %d bytes with %v; headers %v", n, err, answer.Header)
	}
}
