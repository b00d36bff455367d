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
	// liveRest lies between two looks of a stream: what changes meanwhile is
	// sent together.
	liveRest = 300 * time.Millisecond
	// liveBeat is after how long a stream looks without being told to: a role
	// or a ban ends it no later.
	liveBeat = 5 * time.Second
	// livePulse is after how long a stream says that nothing is new.
	livePulse = 15 * time.Second
	// liveWrite is how long a client may take to accept an event.
	liveWrite = 20 * time.Second
	// A browser opens six connections to a host over HTTP/1.1; pages need some.
	streamsOfOne = 4
	streamsOfAll = 1000
)

// Why a stream is over, as its last event says.
const (
	overSignedOut = "signed-out" // the session, the role or the key ended
	overElsewhere = "elsewhere"  // the same session opened more boards than it may
	overClosing   = "closing"    // the server stops
	overAway      = "away"       // the board cannot be read
)

var (
	errElsewhere = errors.New("the session opened more boards")
	errHungUp    = errors.New("the client is gone")
)

// boardStreams are the streams that are open.
type boardStreams struct {
	rest func() <-chan time.Time // says when the time between two looks is over
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

// add begins a stream. Where its owner has too many, the oldest ends: the
// board that was opened last is the one that is looked at.
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
		return // forgotten before
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
	changed <-chan struct{} // boards changed
	closing <-chan struct{} // the server stops
	conn    net.Conn

	ctx context.Context // it ends with the stream
	end context.CancelCauseFunc

	// What the client has: fingerprints of the rows in their order, whose rows
	// they are (once told), the first one's rank, the pager.
	told   bool
	prints []string
	order  []uuid.UUID
	first  int64
	pager  string
	isNews bool // the last look found something new
}

// run returns what writes the stream, until it is over. It runs after the
// request's handler has returned: nothing of the request may be used any more.
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
		for b.tell(out) && b.wait(out, nil, b.server.streams.rest()) && b.wait(out, b.changed, beat.C) {
		}
	}
}

// wait waits for one of two things, or ends the stream and returns false.
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

// over tells a client that is still there why its stream ended.
func (b *boardStream) over(out *eventWriter) bool {
	if errors.Is(context.Cause(b.ctx), errElsewhere) {
		out.send("over", overElsewhere)
	}
	return false
}

// hangUp ends the stream when the client is gone. It waits for a byte that
// never comes: the web server does not read while it answers, and would learn of
// it no sooner than when the second write after that fails.
func (b *boardStream) hangUp() {
	if b.conn.SetReadDeadline(time.Time{}) != nil || b.ctx.Err() != nil {
		return
	}
	_, err := b.conn.Read(make([]byte, 1))
	for err == nil { // what is sent after the request is for nobody
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

// send writes an event of one line of data, and returns false when the client
// does not take it.
func (e *eventWriter) send(name, data string) bool {
	// The web server's own limit is meant for whole answers.
	if e.conn.SetWriteDeadline(time.Now().Add(livePulse+liveWrite)) != nil {
		return false
	}
	e.id++
	e.last = time.Now()
	fmt.Fprintf(e.w, "event: %s\nid: %d\ndata: %s\n\n", name, e.id, data) // Flush says it
	return e.w.Flush() == nil
}
