package admin

import (
	"container/list"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
)

// DefaultMaxConnections is the number of connections of clients if none is configured.
const DefaultMaxConnections = 4000

// MinMaxConnections is the least number of connections of clients.
const MinMaxConnections = 16

const (
	// acceptPause and acceptRest are the shortest and the longest pause after the
	// system had no file or memory left for a connection.
	acceptPause = 5 * time.Millisecond
	acceptRest  = time.Second
	// fullRest is the time between two lines of log about too many connections.
	fullRest = time.Minute
)

// fullAnswer is what a client is told whose connection is one too many.
const fullAnswer = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 45\r\n\r\n" +
	"Too many connections. Try again in a moment.\n"

// listener accepts the connections of clients, up to a limit. If there is one too
// many, it closes the one that is worth least: first those that wait for somebody who
// has shown neither session nor key, the oldest first; then those that are idle
// between two requests. It goes on when the system has no more files.
type listener struct {
	net.Listener
	log *slog.Logger
	max int

	mu      sync.Mutex
	unknown list.List // of *conn: nobody has shown a session or a key on it
	known   list.List // of *conn, the longest without a request first
	closed  int       // since the last line of log
	logged  time.Time
}

// listening is what a server needs to know to shut down.
type listening struct {
	mu       sync.Mutex
	listener net.Listener // nil before Serve
	ended    bool
}

// begin notes the listener, and reports whether the server is to serve on it.
func (s *listening) begin(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener = l
	return !s.ended
}

// end notes that the server shuts down, and returns its listener.
func (s *listening) end() net.Listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	return s.listener
}

// Shutdown ends Serve, also one that is only about to begin. It waits for the requests that
// run, for a time at most, and returns an error if some of them were cut off.
func (s *Server) Shutdown(timeout time.Duration) error {
	l := s.listening.end()
	err := s.app.ShutdownWithTimeout(timeout)
	if l != nil {
		_ = l.Close() // fasthttp closes only a listener that it has begun to serve on
	}
	return err
}

// Serve answers requests on a listener until Shutdown. It serves at most a number of
// connections at once; 0 stands for the default.
func (s *Server) Serve(l net.Listener, maxConnections int) error {
	if !s.listening.begin(l) {
		return l.Close()
	}
	if maxConnections == 0 {
		maxConnections = DefaultMaxConnections
	}
	s.app.Server().ConnState = func(c net.Conn, state fasthttp.ConnState) {
		if c, ok := c.(*conn); ok {
			c.setIdle(state == fasthttp.StateIdle)
		}
	}
	return s.app.Listener(&listener{Listener: l, log: s.Log, max: maxConnections})
}

// Accept waits for the next connection.
func (l *listener) Accept() (net.Conn, error) {
	for pause := acceptPause; ; pause = min(2*pause, acceptRest) {
		accepted, err := l.Listener.Accept()
		switch {
		case err == nil:
			if c := l.admit(accepted); c != nil {
				return c, nil
			}
			pause = acceptPause
			continue
		case !isShortage(err):
			return nil, err
		}
		l.note("the system has no more files or memory for connections", err)
		if pause > acceptPause {
			l.closeLeast() // waiting alone did not help
		}
		time.Sleep(pause)
	}
}

// isShortage reports whether an error of accept says nothing against the next try.
func isShortage(err error) bool {
	for _, e := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM,
		syscall.ECONNABORTED, syscall.EINTR, syscall.EPERM, syscall.EPROTO} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// admit returns the connection for the server, or nil if it was refused.
func (l *listener) admit(accepted net.Conn) net.Conn {
	l.mu.Lock()
	full := l.unknown.Len()+l.known.Len() >= l.max
	l.mu.Unlock()
	if full {
		l.note("there are as many connections as --max-connections allows", nil)
		if !l.closeLeast() {
			// All are at work for people who are known.
			_ = accepted.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = io.WriteString(accepted, fullAnswer) // nobody is owed it
			_ = accepted.Close()
			return nil
		}
	}
	c := &conn{Conn: accepted, listener: l, waiting: true}
	l.mu.Lock()
	defer l.mu.Unlock()
	c.place = l.unknown.PushBack(c)
	return c
}

// closeLeast closes the connection that is worth least. It reports whether it found
// one.
func (l *listener) closeLeast() bool {
	l.mu.Lock()
	least := find(&l.unknown, func(c *conn) bool { return c.waiting })
	if least == nil {
		least = find(&l.known, func(c *conn) bool { return c.idle && c.waiting })
	}
	if least != nil {
		least.forget()
	}
	l.mu.Unlock()
	if least == nil {
		return false
	}
	_ = least.Conn.Close() // the server closes it too
	return true
}

func find(l *list.List, fits func(*conn) bool) *conn {
	for e := l.Front(); e != nil; e = e.Next() {
		if c, ok := e.Value.(*conn); ok && fits(c) {
			return c
		}
	}
	return nil
}

// note logs that a connection had to be closed or refused, at most once a minute.
func (l *listener) note(what string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed++
	if time.Since(l.logged) < fullRest {
		return
	}
	l.log.Warn(what, "open", l.unknown.Len()+l.known.Len(), "max_connections", l.max, "closed_or_refused", l.closed,
		"error", err)
	l.closed, l.logged = 0, time.Now()
}

// conn is a connection of a client.
type conn struct {
	net.Conn
	listener *listener

	// The lock of the listener guards these.
	place   *list.Element // nil after the end
	isKnown bool
	idle    bool // between two requests
	waiting bool // for the client

	// start is the beginning of the request, for errors before it is parsed. Only
	// the server's goroutine uses it.
	start []byte

	// watch looks whether the client has left while nobody else reads.
	watch  sync.WaitGroup
	early  [1]byte // what watch read
	isHere bool    // early holds a byte
}

// setKnown notes that somebody showed a session or a key.
func (c *conn) setKnown() {
	l := c.listener
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.place == nil {
		return
	}
	if c.isKnown {
		l.known.MoveToBack(c.place)
		return
	}
	l.unknown.Remove(c.place)
	c.isKnown, c.place = true, l.known.PushBack(c)
}

func (c *conn) setIdle(idle bool) {
	if idle {
		c.start = c.start[:0]
	}
	c.listener.mu.Lock()
	c.idle = idle
	c.listener.mu.Unlock()
}

func (c *conn) setWaiting(waiting bool) {
	c.listener.mu.Lock()
	c.waiting = waiting
	c.listener.mu.Unlock()
}

// isClosed reports whether the connection was closed to make room.
func (c *conn) isClosed() bool {
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	return c.place == nil
}

// forget takes the connection out of the lists. The caller holds the lock.
func (c *conn) forget() {
	switch {
	case c.place == nil:
	case c.isKnown:
		c.listener.known.Remove(c.place)
	default:
		c.listener.unknown.Remove(c.place)
	}
	c.place = nil
}

// Read reads what the client sends.
func (c *conn) Read(b []byte) (int, error) {
	if len(b) > 0 && c.isHere {
		c.isHere = false
		c.keepStart(c.early[:])
		return copy(b, c.early[:]), nil
	}
	c.setWaiting(true)
	defer c.setWaiting(false)
	n, err := c.Conn.Read(b)
	if err != nil && c.isClosed() {
		err = io.EOF // the server owes no answer
	}
	c.keepStart(b[:n])
	return n, err
}

// startLength is the length of a request's beginning that shows whether its address
// is one of the API.
const startLength = 64

func (c *conn) keepStart(read []byte) {
	c.start = append(c.start, read[:min(len(read), startLength-len(c.start))]...)
}

// isToAPI reports whether the request that is read has an address of the API.
func (c *conn) isToAPI() bool {
	_, address, _ := strings.Cut(string(c.start), " ")
	return isUnderAPI(address)
}

// Write writes to the client.
func (c *conn) Write(b []byte) (int, error) {
	c.setWaiting(true)
	defer c.setWaiting(false)
	return c.Conn.Write(b)
}

// Close closes the connection.
func (c *conn) Close() error {
	c.listener.mu.Lock()
	c.forget()
	c.listener.mu.Unlock()
	return c.Conn.Close()
}

// onLeave calls left if the client leaves, until stop is called. The server reads
// nothing in the meantime.
func (c *conn) onLeave(left func()) (stop func()) {
	if c.isHere || c.Conn.SetReadDeadline(time.Time{}) != nil {
		return func() {}
	}
	c.watch.Go(func() {
		n, err := c.Conn.Read(c.early[:])
		var network net.Error
		switch {
		case n > 0:
			c.isHere = true // the next request
		case errors.As(err, &network) && network.Timeout(): // stopped
		default:
			left()
		}
	})
	return func() {
		_ = c.Conn.SetReadDeadline(time.Unix(1, 0)) // it may be closed
		c.watch.Wait()
		_ = c.Conn.SetReadDeadline(time.Time{})
	}
}
