package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
)

const (
	eventStream = "text/event-stream"
	// liveBeat is the longest time between two looks at the credentials of a stream.
	// It bounds how long a stream outlives a change of role or a ban.
	liveBeat = 5 * time.Second
	// livePulse is the longest time without an event on a stream. After it, a
	// stream sends that nothing is new.
	livePulse = 15 * time.Second
	// liveWrite is the time within which a client must accept an event.
	liveWrite = 20 * time.Second
)

// The reasons for the end of a stream, which its last event holds.
const (
	overSignedOut = "signed-out" // the session ended, the role changed or the key was revoked
	overElsewhere = "elsewhere"  // the session opened more pages than it may
	overClosing   = "closing"    // the server is shutting down
	overAway      = "away"       // the page could not be read
)

var (
	errElsewhere = errors.New("the session opened more pages")
	errHungUp    = errors.New("the client is gone")
)

// liveKind is a kind of page that a stream keeps up to date.
type liveKind struct {
	event string // the name of its events
	// rest is the pause between two looks of a stream. All changes during the pause
	// are sent together.
	rest time.Duration
	// everyBeat has a stream look with each beat. Without it, a stream looks after a
	// change, and when it has sent nothing for the time of a pulse.
	everyBeat bool
}

// livePage is an open page with what its client has of it.
type livePage interface {
	// look reads the page as a person sees it now. It returns the next event, and
	// whether that holds anything that the client does not have.
	look(ctx context.Context, person store.Person) (event any, isNews bool, err error)
}

// liveStream is the stream of one open page of one client.
type liveStream struct {
	server     *Server
	kind       liveKind
	page       livePage
	shown      credentials
	permission policy.Permission // of the route, which each event needs too
	owner      uuid.UUID
	changed    <-chan struct{} // receives when boards or cases changed
	closing    <-chan struct{} // closed when the server shuts down
	conn       net.Conn

	ctx context.Context // ends with the stream
	end context.CancelCauseFunc
}

// keepLive answers with the stream of an open page. It is not a part of the API,
// because it sends parts of a page.
func (s *Server) keepLive(c *fiber.Ctx, kind liveKind, page livePage) error {
	// A client that does not ask for a stream by name would wait for its end.
	if !strings.Contains(c.Get(fiber.HeaderAccept), eventStream) {
		return fiber.ErrNotAcceptable
	}
	shown, err := s.credentials(c)
	if err != nil {
		return err
	}
	changed, stop, err := s.store.WatchBoards(c.UserContext())
	if err != nil {
		return err
	}
	l := &liveStream{server: s, kind: kind, page: page, shown: shown, permission: current(c).Permission,
		changed: changed, closing: c.Context().Done(), conn: c.Context().Conn()}
	if err := s.streams.add(l, streamOwner(s.person(c))); err != nil {
		stop()
		return err
	}
	c.Set(fiber.HeaderContentType, eventStream)
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set("X-Accel-Buffering", "no") // otherwise nginx buffers events
	c.Vary(fiber.HeaderCookie, fiber.HeaderAuthorization)
	if c.Method() == fiber.MethodHead {
		stop()
		s.streams.remove(l)
		return nil
	}
	// hangUp reads from the connection while the stream runs, so the connection
	// can take no further request.
	c.Context().SetConnectionClose()
	c.Context().SetBodyStreamWriter(l.run(stop))
	return nil
}

// streamOwner returns the session, or the user of a key, by which streams are
// counted.
func streamOwner(person store.Person) uuid.UUID {
	if person.Session != nil {
		return person.Session.SessionID
	}
	return person.UserID
}

// livePageQuery returns the query of the page that a stream belongs to.
func livePageQuery(c *fiber.Ctx) url.Values {
	values := query(c)
	for _, name := range []string{"have", "done", "notice"} {
		values.Del(name)
	}
	return values
}

// run returns the function that writes the stream until its end. The function
// runs after the request's handler has returned, so it must not use the
// request.
func (l *liveStream) run(stopWatching func()) func(*bufio.Writer) {
	return func(w *bufio.Writer) {
		var listening sync.WaitGroup
		defer func() {
			if r := recover(); r != nil {
				l.server.Log.Error("a stream ends", "page", l.kind.event, "error", fmt.Errorf("panic: %v\n%s", r, debug.Stack()))
			}
			stopWatching()
			l.server.streams.remove(l)
			l.conn.SetReadDeadline(time.Now()) // it may be closed
			listening.Wait()
		}()
		listening.Go(l.hangUp)
		out := &eventWriter{w: w, conn: l.conn}
		beat := time.NewTicker(l.server.streams.beat)
		defer beat.Stop()
		for goesOn, isDue := true, true; goesOn; {
			if goesOn = l.update(out, isDue); goesOn {
				_, goesOn = l.wait(out, nil, l.server.streams.rest(l.kind.rest))
			}
			if goesOn {
				isDue, goesOn = l.wait(out, l.changed, beat.C)
			}
		}
	}
}

// wait waits for a change or for a time. It reports whether there was a change,
// and whether the stream goes on.
func (l *liveStream) wait(out *eventWriter, changed <-chan struct{}, until <-chan time.Time) (isChange, goesOn bool) {
	select {
	case <-changed:
		return true, true
	case <-until:
		return false, true
	case <-l.closing:
		out.send("over", overClosing)
	case <-l.ctx.Done():
		l.over(out)
	}
	return false, false
}

// over sends the reason for the end of the stream, if the client is still
// there.
func (l *liveStream) over(out *eventWriter) bool {
	if errors.Is(context.Cause(l.ctx), errElsewhere) {
		out.send("over", overElsewhere)
	}
	return false
}

// update looks at the credentials and, if that is due, at the page, and writes what
// is new. Without news, it writes from time to time that nothing is new. It returns
// false if the stream is over.
func (l *liveStream) update(out *eventWriter, isDue bool) bool {
	ctx, cancel := context.WithTimeout(l.ctx, requestTimeout)
	defer cancel()
	pulse := time.Since(out.last) >= l.server.streams.pulse
	var event any
	isNews := false
	person, err := l.person(ctx)
	if err == nil && (isDue || pulse || l.kind.everyBeat) {
		event, isNews, err = l.page.look(ctx, person)
	}
	var forbidden *store.Forbidden
	switch {
	case l.ctx.Err() != nil:
		return l.over(out)
	case errors.Is(err, errNotSignedIn), errors.Is(err, errBadKey), errors.As(err, &forbidden):
		out.send("over", overSignedOut)
		return false
	case err != nil:
		l.server.Log.Warn("an open page cannot be kept up to date", "page", l.kind.event, "error", err)
		out.send("over", overAway)
		return false
	case !isNews && !pulse:
		return true
	}
	text, err := json.Marshal(event)
	if err != nil {
		l.server.Log.Error("an event of a stream cannot be written", "page", l.kind.event, "error", err)
		return false
	}
	return out.send(l.kind.event, string(text))
}

// person returns the person of the stream as the database has them now.
func (l *liveStream) person(ctx context.Context) (store.Person, error) {
	person, err := l.server.whose(ctx, l.shown, l.server.store.PersonWatching)
	if err == nil && !person.May(l.permission) {
		err = &store.Forbidden{Permission: l.permission}
	}
	return person, err
}

// hangUp ends the stream when the client is gone. It waits for a byte that
// never comes: the web server does not read while it answers, and would not
// notice before the second failing write.
func (l *liveStream) hangUp() {
	if l.conn.SetReadDeadline(time.Time{}) != nil || l.ctx.Err() != nil {
		return
	}
	_, err := l.conn.Read(make([]byte, 1))
	for err == nil { // ignore what the client sends after the request
		_, err = l.conn.Read(make([]byte, 512))
	}
	l.end(errHungUp)
}

// eventWriter writes server-sent events.
type eventWriter struct {
	w    *bufio.Writer
	conn net.Conn
	id   int
	last time.Time
}

// send writes an event with one line of data. It returns false if the client
// does not accept it.
func (e *eventWriter) send(name, data string) bool {
	// The web server's own limit is for whole answers.
	if e.conn.SetWriteDeadline(time.Now().Add(livePulse+liveWrite)) != nil {
		return false
	}
	e.id++
	e.last = time.Now()
	fmt.Fprintf(e.w, "event: %s\nid: %d\ndata: %s\n\n", name, e.id, data) // Flush returns the error
	return e.w.Flush() == nil
}
