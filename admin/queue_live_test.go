package admin

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// queueStream is the open stream of a queue with the list that it brought last.
type queueStream struct {
	*stream
	last string
}

func (c *client) openQueue(base, query string) *queueStream {
	c.t.Helper()
	return &queueStream{stream: c.stream(base + "/queue/live" + query)}
}

// lines waits for a list for which a condition holds. No list comes twice.
func (s *queueStream) lines(what string, holds func(list *goquery.Document) bool) *goquery.Document {
	s.t.Helper()
	for deadline := time.After(streamPatience); ; {
		select {
		case e, ok := <-s.events:
			var news queueNews
			if !ok || e.name != "queue" || json.Unmarshal([]byte(e.data), &news) != nil {
				s.t.Fatalf("%s: the stream said %q: %.300s", what, e.name, e.data)
			}
			if news.Lines == nil {
				continue
			}
			if *news.Lines == s.last {
				s.t.Errorf("%s: the same list came twice", what)
			}
			s.last = *news.Lines
			list, err := goquery.NewDocumentFromReader(strings.NewReader(s.last))
			if err != nil {
				s.t.Fatal(err)
			}
			if holds(list) {
				return list
			}
		case <-deadline:
			s.t.Fatalf("waited in vain: %s; the last list was\n%s", what, s.last)
		}
	}
}

// wantLines waits for a number of lines.
func (s *queueStream) wantLines(what string, n int) *goquery.Document {
	s.t.Helper()
	return s.lines(what, func(list *goquery.Document) bool { return list.Find(".queue-line").Length() == n })
}

// wantHolder waits until a line names a holder, or with an empty name none.
func (s *queueStream) wantHolder(what string, id int64, name string) {
	s.t.Helper()
	s.lines(what, func(list *goquery.Document) bool {
		line := list.Find(fmt.Sprintf("#case-%d", id))
		return line.Length() == 1 && strings.TrimSpace(line.Find(".holder").Text()) == name
	})
}

// newLiveQueue is a served store with a queue, whose streams look without a pause.
func newLiveQueue(t *testing.T) (f flagged, base string) {
	t.Helper()
	f = newFlagged(t)
	atOnce := make(chan time.Time)
	close(atOnce)
	f.server.streams.rest = func(time.Duration) <-chan time.Time { return atOnce }
	f.server.streams.beat = 100 * time.Millisecond
	return f, serving(t, f.server)
}

// TestTheQueueIsLive looks at a queue while others claim, leave and decide cases, in
// this process and in another one, and while new cases come.
func TestTheQueueIsLive(t *testing.T) {
	t.Parallel()
	f, base := newLiveQueue(t)
	s := f.server.store
	open := f.cases(t)
	id := open[f.messages[0]]
	path := fmt.Sprintf("/api/v1/queue/%d", id)

	// The first list is that of the page, links with the filter included.
	query := "?sort=oldest&frame=week"
	live := f.moderator.openQueue(base, query)
	list := live.wantLines("the first list", 2).Find("[data-queue-lines]")
	list.Find("template").Remove() // the notices, which the page has elsewhere
	sent, err := goquery.OuterHtml(list)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := goquery.OuterHtml(f.moderator.get("/queue" + query).page().Find("[data-queue-lines]"))
	if err != nil {
		t.Fatal(err)
	}
	if one, other := strings.Fields(sent), strings.Fields(shown); strings.Join(one, " ") != strings.Join(other, " ") {
		t.Errorf("the stream brings\n%s\nthe page shows\n%s", sent, shown)
	}
	flags := f.moderator.openQueue(base, "?kind=red_flag")
	flags.wantLines("the filter", 1)

	var held store.Case
	f.moderator2.send("POST", path+"/claim", "").want(200).json(&held)
	live.wantHolder("a claim", id, *held.ClaimedName)
	flags.wantHolder("a claim in a filtered list", id, *held.ClaimedName)
	f.moderator2.send("POST", path+"/release", "").want(200)
	live.wantHolder("a release", id, "")

	elsewhere := signedIn(t, newServer(t, storetest.Another(t, s)), storetest.Staff(t, s, policy.Moderator))
	elsewhere.send("POST", path+"/claim", "").want(200).json(&held)
	live.wantHolder("a claim in another process", id, *held.ClaimedName)
	dismissAll := map[string]any{"outcome": "dismiss", "reason": "no spam", "cases": "author"}
	elsewhere.send("POST", path+"/resolve", dismissAll).want(200)
	live.wantLines("a decision in another process", 1)
	flags.wantLines("a decision about all of the filtered list", 0)

	front := program(t, f.server, policy.Collector)
	line := fmt.Sprintf(`{"type": "report", "id": "new", "message_id": %q, "user_id": %q, "reason": "again"}`,
		f.messages[1], f.rater)
	if n := front.ingestLines(line).want(200).field("accepted"); n != 1.0 {
		t.Fatalf("%v of 1 accepted", n)
	}
	live.wantLines("a new report", 2)
	f.moderator.send("POST", fmt.Sprintf("/api/v1/queue/%d/claim", open[f.messages[2]]), "").want(200)
	live.lines("one's own claim", func(list *goquery.Document) bool { return list.Find(".badge-info").Length() == 1 })
}

// TestALapsedClaimShows ends the lease of a claim by time alone: no process says it.
func TestALapsedClaimShows(t *testing.T) {
	t.Parallel()
	f, base := newLiveQueue(t)
	f.server.streams.pulse = 200 * time.Millisecond
	id := f.cases(t)[f.messages[0]]
	var held store.Case
	f.moderator2.send("POST", fmt.Sprintf("/api/v1/queue/%d/claim", id), "").want(200).json(&held)
	live := f.moderator.openQueue(base, "")
	live.wantHolder("a claim", id, *held.ClaimedName)
	storetest.Exec(t, f.server.store,
		"UPDATE cases SET claimed_until = now() - interval '1 minute' WHERE case_id = $1", id)
	live.wantHolder("the end of the lease", id, "")
}

// TestTheQueueEndsWithThePerson bans somebody, and signs somebody out, while their
// queues are open.
func TestTheQueueEndsWithThePerson(t *testing.T) {
	t.Parallel()
	f, base := newLiveQueue(t)
	actor := storetest.Staff(t, f.server.store, policy.Moderator)
	live := signedIn(t, f.server, actor).openQueue(base, "")
	live.wantLines("the first list", 2)
	ban(t, f.server.store, actor.UserID)
	if why := live.over(); why != overSignedOut {
		t.Errorf("after a ban the stream ended with %q", why)
	}
	live = f.moderator.openQueue(base, "")
	live.wantLines("the first list", 2)
	f.moderator.post("/sign-out", nil).want(303)
	if why := live.over(); why != overSignedOut {
		t.Errorf("after the sign-out the stream ended with %q", why)
	}
}

// TestBoardsAndQueuesShareTheLimit opens a queue where a session has as many boards as
// it may: the oldest board goes.
func TestBoardsAndQueuesShareTheLimit(t *testing.T) {
	t.Parallel()
	f, base := newLiveQueue(t)
	var boards []*stream
	for range streamsOfOne {
		board, _ := f.moderator.openBoard(base, "")
		board.news()
		boards = append(boards, board)
	}
	f.moderator.openQueue(base, "").wantLines("the first list", 2)
	f.moderator2.openQueue(base, "").wantLines("that of another session", 2)
	if why := boards[0].over(); why != overElsewhere {
		t.Errorf("the oldest board ended with %q", why)
	}
	eventually(t, "the metrics count boards and queues", func() bool {
		text := f.moderator.get("/metrics").body
		return strings.Contains(text, fmt.Sprintf("treewarden_board_streams %d\n", streamsOfOne-1)) &&
			strings.Contains(text, "treewarden_queue_streams 2\n")
	})
}

func TestTheStreamOfTheQueueIsAskedForByName(t *testing.T) {
	t.Parallel()
	f, _ := newLiveQueue(t)
	stream := []string{"Accept", "text/event-stream"}
	f.moderator.get("/queue/live").want(406)
	for _, query := range []string{"?kind=x", "?frame=year", "?state=x", "?limit=0"} {
		f.moderator.do("GET", "/queue/live"+query, nil, "", stream...).want(400)
	}
	f.moderator.do("HEAD", "/queue/live", nil, "", stream...).want(200)
	newClient(t, f.server).do("GET", "/queue/live", nil, "", stream...).want(303)
	program(t, f.server, policy.Collector).do("GET", "/queue/live", nil, "", stream...).want(403)
	f.moderator.get("/api/v1/queue/live").want(400) // a case has a number
	if n := f.server.streams.len(); n != 0 {
		t.Errorf("%d streams are open", n)
	}
}
