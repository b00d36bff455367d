package admin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	// liveRest is the pause between two looks of a stream. All changes during
	// the pause are sent together.
	liveRest = 300 * time.Millisecond
	// liveBeat is the longest time between two looks of a stream. It bounds how
	// long a stream outlives a change of role or a ban.
	liveBeat = 5 * time.Second
	// livePulse is the longest time without an event on a stream. After it, a
	// stream sends that nothing is new.
	livePulse = 15 * time.Second
	// liveWrite is the time within which a client must accept an event.
	liveWrite = 20 * time.Second
	// A browser opens six connections to a host over HTTP/1.1; pages need some
	// of them.
	streamsOfOne = 4
	streamsOfAll = 1000
)

// The reasons for the end of a stream, which its last event holds.
const (
	overSignedOut = "signed-out" // the session ended, the role changed or the key was revoked
	overElsewhere = "elsewhere"  // the session opened more boards than it may
	overClosing   = "closing"    // the server is shutting down
	overAway      = "away"       // the board could not be read
)

var (
	errElsewhere = errors.New("the session opened more boards")
	errHungUp    = errors.New("the client is gone")
)

// boardStreams holds the open streams.
type boardStreams struct {
	rest func() <-chan time.Time // returns a channel that receives after the pause between two looks
	beat time.Duration

	mu   sync.Mutex
	open map[uuid.UUID][]*boardStream // by owner, the oldest first
	all  int
}

func newBoardStreams(registry *prometheus.Registry) *boardStreams {
	b := &boardStreams{beat: liveBeat, open: map[uuid.UUID][]*boardStream{}}
	b.rest = func() <-chan time.Time { return time.After(liveRest) }
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "treewarden_board_streams", Help: "Open boards that are kept up to date.",
	}, func() float64 { return float64(b.len()) }))
	return b
}

func (b *boardStreams) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all
}

// add begins a stream. If its owner has too many, add ends the oldest one:
// people look at the board that they opened last.
func (b *boardStreams) add(stream *boardStream, owner uuid.UUID) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if own := b.open[owner]; len(own) >= streamsOfOne {
		oldest := own[0]
		oldest.end(errElsewhere)
		b.forget(oldest)
	}
	if b.all >= streamsOfAll {
		return fiber.ErrTooManyRequests
	}
	stream.owner = owner
	stream.ctx, stream.end = context.WithCancelCause(context.Background())
	b.open[owner] = append(b.open[owner], stream)
	b.all++
	return nil
}

// remove ends a stream.
func (b *boardStreams) remove(stream *boardStream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	stream.end(errHungUp)
	b.forget(stream)
}

func (b *boardStreams) forget(stream *boardStream) {
	own := b.open[stream.owner]
	at := slices.Index(own, stream)
	if at < 0 {
		return // removed before
	}
	b.all--
	if b.open[stream.owner] = slices.Delete(own, at, at+1); len(own) == 1 {
		delete(b.open, stream.owner)
	}
}

// boardStream is one open board of one client.
type boardStream struct {
	server  *Server
	shown   credentials
	owner   uuid.UUID
	ask     boardQuery
	query   url.Values
	changed <-chan struct{} // receives when boards changed
	closing <-chan struct{} // closed when the server shuts down
	conn    net.Conn

	ctx context.Context // ends with the stream
	end context.CancelCauseFunc

	// These fields hold what the client has: fingerprints of the rows in their
	// order, the users of the rows (after the first event), the rank of the
	// first row, and the pager.
	sent   bool
	prints []string
	order  []uuid.UUID
	first  int64
	pager  string
	isNews bool // the last look found something new
}

// run returns the function that writes the stream until its end. The function
// runs after the request's handler has returned, so it must not use the
// request.
func (b *boardStream) run(stopWatching func()) func(*bufio.Writer) {
	return func(w *bufio.Writer) {
		var listening sync.WaitGroup
		defer func() {
			if r := recover(); r != nil {
				b.server.Log.Error("a stream of the board ends", "error", fmt.Errorf("panic: %v\n%s", r, debug.Stack()))
			}
			stopWatching()
			b.server.streams.remove(b)
			b.conn.SetReadDeadline(time.Now()) // it may be closed
			listening.Wait()
		}()
		listening.Go(b.hangUp)
		out := &eventWriter{w: w, conn: b.conn}
		beat := time.NewTicker(b.server.streams.beat)
		defer beat.Stop()
		for b.update(out) && b.wait(out, nil, b.server.streams.rest()) && b.wait(out, b.changed, beat.C) {
		}
	}
}

// wait waits for one of two channels. It returns false if the stream ended.
func (b *boardStream) wait(out *eventWriter, changed <-chan struct{}, due <-chan time.Time) bool {
	select {
	case <-changed:
	case <-due:
	case <-b.closing:
		out.send("over", overClosing)
		return false
	case <-b.ctx.Done():
		return b.over(out)
	}
	return true
}

// over sends the reason for the end of the stream, if the client is still
// there.
func (b *boardStream) over(out *eventWriter) bool {
	if errors.Is(context.Cause(b.ctx), errElsewhere) {
		out.send("over", overElsewhere)
	}
	return false
}

// hangUp ends the stream when the client is gone. It waits for a byte that
// never comes: the web server does not read while it answers, and would not
// notice before the second failing write.
func (b *boardStream) hangUp() {
	if b.conn.SetReadDeadline(time.Time{}) != nil || b.ctx.Err() != nil {
		return
	}
	_, err := b.conn.Read(make([]byte, 1))
	for err == nil { // ignore what the client sends after the request
		_, err = b.conn.Read(make([]byte, 512))
	}
	b.end(errHungUp)
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
