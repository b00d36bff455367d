package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// streamPatience ends a test that waits in vain. It measures nothing.
const streamPatience = time.Minute

// serving serves a console at a real address until the test ends.
func serving(t *testing.T, server *Server) (base string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.App().Listener(listener) }()
	t.Cleanup(func() {
		if err := server.Shutdown(streamPatience); err != nil {
			t.Errorf("shut down: %v", err)
		}
		if err := <-served; err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("the server: %v", err)
		}
	})
	return "http://" + listener.Addr().String()
}

// sentEvent is one event of a stream.
type sentEvent struct{ name, data string }

// stream is an open board with the state of its page.
type stream struct {
	t      *testing.T
	events chan sentEvent // closed at the end
	leave  func()
}

// openBoard reads a page of the board and opens the stream that it names.
func (c *client) openBoard(base, query string) (*stream, answer) {
	c.t.Helper()
	page := c.get("/trollboard" + query).want(200)
	var prints []string
	page.page().Find("tr[data-print]").Each(func(_ int,
		row *goquery.Selection) {
		prints = append(prints, attr(row, "data-print"))
	})
	live := attr(page.page().Find("[data-live]"), "data-live")
	join := "?"
	if strings.Contains(live, "?") {
		join = "&"
	}
	return c.stream(base + live + join + url.Values{"have": {strings.Join(prints, ".")}}.Encode()), page
}

func (c *client) stream(address string) *stream {
	c.t.Helper()
	ctx, leave := context.WithCancel(context.Background())
	c.t.Cleanup(leave)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Accept", "text/event-stream")
	request.Header.Set("Accept-Encoding", "gzip, br")
	request.Header.Set("Cookie", c.cookie)
	transport := &http.Transport{}
	c.t.Cleanup(transport.CloseIdleConnections)
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	if response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/event-stream" ||
		response.Header.Get("Content-Encoding") != "" {
		c.t.Fatalf("the stream answered %d, %v", response.StatusCode, response.Header)
	}
	s := &stream{c.t, make(chan sentEvent, 100), leave}
	go func() {
		defer close(s.events)
		defer response.Body.Close()
		lines := bufio.NewScanner(response.Body)
		lines.Buffer(nil, 1<<20)
		var e sentEvent
		for lines.Scan() {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch field {
			case "event":
				e.name = value
			case "data":
				e.data = value
			case "":
				s.events <- e
				e = sentEvent{}
			}
		}
	}()
	return s
}

// news returns the next event of the board.
func (s *stream) news() boardNews {
	s.t.Helper()
	select {
	case e, ok := <-s.events:
		var news boardNews
		if !ok || e.name != "board" || json.Unmarshal([]byte(e.data), &news) != nil {
			s.t.Fatalf("the stream said %q: %.300s", e.name, e.data)
		}
		return news
	case <-time.After(streamPatience):
		s.t.Fatal("no event came")
	}
	return boardNews{}
}

// over waits for the end, skips all other events, and returns the reason.
func (s *stream) over() string {
	s.t.Helper()
	why := ""
	for deadline := time.After(streamPatience); ; {
		select {
		case e, ok := <-s.events:
			if !ok {
				return why
			}
			if e.name == "over" {
				why = e.data
			}
		case <-deadline:
			s.t.Fatal("the stream did not end")
		}
	}
}

// react adds a reaction of a user to a message, by ingest as a front end does.
func (c *client) react(message, user uuid.UUID, emoji string) {
	c.t.Helper()
	line := fmt.Sprintf(`{"type": "reaction", "id": %q, "message_id": %q, "user_id": %q, "emoji": %q, "op": "add"}`,
		uuid.NewString(), message, user, emoji)
	if n := c.ingestLines(line).want(200).field("accepted"); n != 1.0 {
		c.t.Fatalf("%v of 1 accepted", n)
	}
}

// sameRow fails the test unless an event's row equals the row of the page.
func sameRow(t *testing.T, row rowNews, page answer) {
	t.Helper()
	shown, err := goquery.OuterHtml(page.page().Find("#u-" + row.ID.String()))
	if err != nil {
		t.Fatal(err)
	}
	alone, err := goquery.NewDocumentFromReader(strings.NewReader("<table><tbody>" + row.HTML + "</tbody></table>"))
	if err != nil {
		t.Fatal(err)
	}
	collapseSpaces(alone.Nodes[0])
	sent, err := goquery.OuterHtml(alone.Find("tr"))
	if err != nil || sent != shown {
		t.Errorf("the event brings\n%s\nthe page shows\n%s (%v)", sent, shown, err)
	}
}

func TestTheBoardMoves(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	// The test ends the first pause of a stream. All other pauses are empty.
	rested := make(chan time.Time)
	server.streams.rest = func(time.Duration) <-chan time.Time { return rested }
	base := serving(t, server)
	crowd := makeCrowd(t, s)
	front := program(t, server, policy.Collector)
	moderator := staff(t, server, policy.Moderator)

	open, page := moderator.openBoard(base, "?frame=total")
	wantNames(t, page, "Trollo", "Methuselah", "Gisela Gut")
	first := open.news()
	if first.Rows != nil || first.Order != nil || first.First != 1 || first.AsOf.Machine == "" {
		t.Errorf("to a page that is up to date it says %+v", first)
	}

	// Signals during the pause come together, with the resulting order.
	front.react(crowd.praised, crowd.judge, "-1")
	front.react(crowd.praised, crowd.judge, "red_flag")
	front.react(crowd.flagged, crowd.judge, "+1")
	close(rested)
	news := open.news()
	page = moderator.get("/trollboard?frame=total")
	wantNames(t, page, "Trollo", "Gisela Gut", "Methuselah")
	if want := []uuid.UUID{crowd.troll, crowd.good, crowd.old}; len(news.Rows) != 2 || !slices.Equal(news.Order, want) {
		t.Fatalf("after some signals it says %+v", news)
	}
	for _, row := range news.Rows {
		sameRow(t, row, page)
	}

	// One signal sends only the row that it changed.
	front.react(crowd.flagged, crowd.judge, "-1")
	news = open.news()
	if len(news.Rows) != 1 || news.Rows[0].ID != crowd.troll || news.Order != nil {
		t.Fatalf("after a signal it says %+v", news)
	}
	sameRow(t, news.Rows[0], moderator.get("/trollboard?frame=total"))

	// A banned user leaves the board of active users. A row that comes back is
	// sent again.
	ban(t, s, crowd.troll)
	if news = open.news(); !slices.Equal(news.Order, []uuid.UUID{crowd.good, crowd.old}) || news.First != 1 {
		t.Errorf("after a ban it says %+v", news)
	}
	storetest.Exec(t, s, "UPDATE users SET banned_at = NULL WHERE user_id = $1", crowd.troll)
	if err := s.RebuildScores(t.Context()); err != nil {
		t.Fatal(err)
	}
	if news = open.news(); len(news.Order) != 3 || len(news.Rows) == 0 || news.Rows[0].ID != crowd.troll {
		t.Errorf("after the ban it says %+v", news)
	}
}

// TestAStreamKnowsWhatItsPageShows checks that a page with a filter and a
// cursor gets events about its own users only, and that an outdated page gets
// the changes that it missed.
func TestAStreamKnowsWhatItsPageShows(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	base := serving(t, server)
	crowd := makeCrowd(t, s)
	front := program(t, server, policy.Collector)
	moderator := staff(t, server, policy.Moderator)

	next := attr(moderator.get("/trollboard?limit=1").page().Find("a[rel=next]"), "href")
	filtered, page := moderator.openBoard(base, "?q=gisela&frame=week")
	wantNames(t, page, "Gisela Gut")
	second, page := moderator.openBoard(base, next)
	wantNames(t, page, "Methuselah")
	late := moderator.get("/trollboard?q=gisela")
	filtered.news()
	if news := second.news(); news.First != 2 || news.Rows != nil {
		t.Errorf("the second page begins with %+v", news)
	}

	front.react(crowd.flagged, crowd.judge, "-1") // on neither page
	front.react(crowd.praised, crowd.judge, "-1")
	news := filtered.news()
	if len(news.Rows) != 1 || news.Rows[0].ID != crowd.good {
		t.Errorf("the filtered page hears %+v", news)
	}
	sameRow(t, news.Rows[0], moderator.get("/trollboard?q=gisela&frame=week"))

	// The changes between a page and its stream are not lost.
	was := attr(late.page().Find("tr[data-print]"), "data-print")
	missed := moderator.stream(base + "/trollboard/live?q=gisela&have=" + was).news()
	if len(missed.Rows) != 1 || missed.Rows[0].ID != crowd.good {
		t.Errorf("the late one hears %+v", missed)
	}
	// A client without fingerprints gets the whole page.
	all := moderator.stream(base + "/trollboard/live?limit=2").news()
	if len(all.Rows) != 2 || len(all.Order) != 2 || all.Pager == nil || !strings.Contains(*all.Pager, `rel="next"`) {
		t.Errorf("who has nothing hears %+v", all)
	}
}

func TestAStreamIsOverWhenItsPersonMayNoLonger(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	server.streams.beat = 100 * time.Millisecond
	base := serving(t, server)
	for name, end := range map[string]func(*client, store.Actor){
		"ban": func(_ *client, a store.Actor) { ban(t, s, a.UserID) },
		"role": func(_ *client, a store.Actor) {
			storetest.Exec(t, s, "UPDATE users SET role = 'general' WHERE user_id = $1", a.UserID)
		},
		"sign-out": func(c *client, _ store.Actor) { c.post("/sign-out", nil).want(303) },
	} {
		actor := storetest.Staff(t, s, policy.Moderator)
		c := signedIn(t, server, actor)
		open, _ := c.openBoard(base, "")
		open.news()
		end(c, actor)
		if why := open.over(); why != overSignedOut {
			t.Errorf("%s: the stream ended with %q", name, why)
		}
	}
	if n := server.streams.len(); n != 0 {
		t.Errorf("%d streams are open", n)
	}

	// An open board is no activity: it does not keep a session alive.
	c := staff(t, server, policy.Moderator)
	open, _ := c.openBoard(base, "")
	open.news()
	storetest.Exec(t, s, "UPDATE sessions SET last_seen_at = now() - interval '13 hours'")
	if why := open.over(); why != overSignedOut {
		t.Errorf("after 13 hours without a hand the stream ended with %q", why)
	}
	c.get("/trollboard").want(303)
}

func TestOneSessionHasFewStreams(t *testing.T) {
	t.Parallel()
	server := newServer(t, storetest.New(t))
	base := serving(t, server)
	c := staff(t, server, policy.Moderator)
	var open []*stream
	for range streamsOfOne + 1 {
		s, _ := c.openBoard(base, "")
		s.news()
		open = append(open, s)
	}
	if why := open[0].over(); why != overElsewhere {
		t.Errorf("the oldest ended with %q", why)
	}
	if n := server.streams.len(); n != streamsOfOne {
		t.Errorf("%d streams are open, want %d", n, streamsOfOne)
	}
	if text := c.get("/metrics").body; !strings.Contains(text,
		fmt.Sprintf("treewarden_board_streams %d\n", streamsOfOne)) {
		t.Error("the metrics do not count them")
	}
}

// TestTheEndOfTheServerEndsStreams checks that streams end at a shutdown.
// serving checks that the server stops.
func TestTheEndOfTheServerEndsStreams(t *testing.T) {
	t.Parallel()
	server := newServer(t, storetest.New(t))
	var open *stream
	t.Run("open", func(t *testing.T) {
		base := serving(t, server)
		c := staff(t, server, policy.DataLead)
		open = c.stream(base + "/trollboard/live")
		open.news()
		go server.App().Shutdown() // serving checks the second shutdown
		if why := open.over(); why != overClosing {
			t.Errorf("the stream ended with %q", why)
		}
	})
}

// TestAClientThatLeftCostsNothing must not run in parallel, because it counts
// the goroutines of the program.
func TestAClientThatLeftCostsNothing(t *testing.T) { // see above
	s := storetest.New(t)
	server := newServer(t, s)
	base := serving(t, server)
	crowd := makeCrowd(t, s)
	front := program(t, server, policy.Collector)
	var moderators []*client
	for range 4 {
		moderators = append(moderators, staff(t, server, policy.Moderator))
	}
	round := func() {
		var open []*stream
		for _, c := range moderators {
			for range streamsOfOne {
				one, _ := c.openBoard(base, "")
				one.news()
				open = append(open, one)
			}
		}
		front.react(crowd.flagged, crowd.good, "_skip_reply")
		for _, one := range open {
			one.leave()
		}
		eventually(t, "the streams end", func() bool { return server.streams.len() == 0 })
	}
	round()
	quiet := func() int { runtime.GC(); return runtime.NumGoroutine() }
	before := quiet()
	for range 3 {
		round()
	}
	eventually(t, "no goroutine is left", func() bool { return quiet() <= before+2 })
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(streamPatience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestAStreamIsAskedForByName(t *testing.T) {
	t.Parallel()
	server := newServer(t, storetest.New(t))
	c := staff(t, server, policy.Moderator)
	if text := c.get("/trollboard/live").want(406).text("main"); !strings.Contains(text, "This is not a page") {
		t.Errorf("it says %q", text)
	}
	c.do("GET", "/trollboard/live?have="+strings.Repeat("a", 4001), nil, "", "Accept", "text/event-stream").want(400)
	c.do("GET", "/trollboard/live?frame=decade", nil, "", "Accept", "text/event-stream").want(400)
	c.do("HEAD", "/trollboard/live", nil, "", "Accept", "text/event-stream").want(200)
	newClient(t, server).do("GET", "/trollboard/live", nil, "", "Accept", "text/event-stream").want(303)
	program(t, server, policy.Collector).do("GET", "/trollboard/live", nil, "", "Accept", "text/event-stream").want(403)
	if n := server.streams.len(); n != 0 {
		t.Errorf("%d streams are open", n)
	}
}
