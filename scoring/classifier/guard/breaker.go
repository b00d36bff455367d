package guard

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"treewarden/scoring/classifier"
)

// When the breaker opens, and for how long.
const (
	// maxFailures is how many requests may fail in a row.
	maxFailures = 5
	// maxRefusals is how many texts may be refused in a row. It is high, since each may
	// be at fault itself; it is limited, since a server that refuses everything would
	// have every message noted as refused.
	maxRefusals = 50
	// The first pause, which doubles with each try that fails.
	firstPause = 10 * time.Second
	maxPause   = 5 * time.Minute
	// maxAsked is the longest pause that a server may ask for.
	maxAsked = 15 * time.Minute
)

// Phase is the state of a circuit breaker.
type Phase string

// The phases of a circuit breaker.
const (
	// Closed means that requests are sent.
	Closed Phase = "closed"
	// Open means that none are sent until the next try.
	Open Phase = "open"
	// HalfOpen means that one request may be sent, whose outcome decides.
	HalfOpen Phase = "half-open"
)

// State is what a guard knows of its classifier since the start of the program.
type State struct {
	Phase Phase
	// Since is when the phase began.
	Since time.Time
	// Failures is how many requests have failed in a row, without those that were
	// refused for a text.
	Failures int
	// Refusals is how many texts were refused in a row.
	Refusals int
	// LastError is the last error for people, without a key; LastErrorAt is its time.
	LastError   string
	LastErrorAt time.Time
	// NextTry is when the next request may be sent, if the breaker is not closed.
	NextTry time.Time
	// Requests is how many requests were sent, Errors how many of them failed or were
	// refused, Texts how many texts have scores, Refused how many have none.
	Requests, Errors, Texts, Refused int64
	// Seconds is how long all requests took together.
	Seconds float64
	// Rate is how many texts got scores each second, over the last minute.
	Rate float64
}

// OpenError means that a classifier is not asked, because it failed before.
type OpenError struct {
	// Until is when it may be asked again.
	Until time.Time
	// Last is the error for which it is not asked.
	Last string
}

func (e *OpenError) Error() string {
	return fmt.Sprintf("not asked before %s: %s", e.Until.UTC().Format("15:04:05 UTC"), e.Last)
}

// breaker is a circuit breaker. Its own record of errors, times and rates stands on
// the page, and servers set its pauses by Retry-After.
type breaker struct {
	mu    sync.Mutex
	open  bool
	trial bool // whether the request of the half-open phase is running
	// turn counts the changes of phase. A request that began before a change has no
	// say in what comes after it.
	turn     int
	since    time.Time
	next     time.Time
	pause    time.Duration
	failures int
	refusals int
	last     string
	lastAt   time.Time
	requests int64
	errs     int64
	texts    int64
	refused  int64
	spent    time.Duration
	recent   recent
}

// check returns an *OpenError if no request may be sent.
func (b *breaker) check(now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closedTo(now)
}

func (b *breaker) closedTo(now time.Time) error {
	switch {
	case !b.open:
		return nil
	case now.Before(b.next):
		return &OpenError{b.next, b.last}
	case b.trial:
		// The outcome of the running request decides; there is no time for it.
		return &OpenError{now.Add(time.Second), b.last}
	}
	return nil
}

// begin takes the turn of a request, or returns an *OpenError.
func (b *breaker) begin(now time.Time) (turn int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.closedTo(now); err != nil {
		return 0, err
	}
	if b.open {
		b.trial = true
		b.since = b.next
		b.turn++
	}
	return b.turn, nil
}

// outcome is what came of a request.
type outcome struct {
	texts int
	err   error
	// last means that the request is not repeated.
	last bool
	// cancelled means that the caller no longer wanted it.
	cancelled bool
	spent     time.Duration
}

// end notes what came of a request.
func (b *breaker) end(now time.Time, turn int, o outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	current := turn == b.turn
	b.requests++
	b.spent += o.spent
	at, _, refused := refusal(o.err, o.texts)
	switch {
	case o.cancelled:
		// The request says nothing about the classifier; the next one is the trial.
		if current {
			b.trial = false
		}
	case o.err == nil:
		b.texts += int64(o.texts)
		b.recent.add(now, o.texts)
		if current {
			b.succeed(now)
		}
	case refused:
		b.note(now, o.err)
		b.refuse(now, at >= 0, current)
	default:
		b.note(now, o.err)
		b.fail(now, o, current)
	}
}

func (b *breaker) note(now time.Time, err error) {
	b.errs++
	b.last, b.lastAt = err.Error(), now
}

// succeed notes a success.
func (b *breaker) succeed(now time.Time) {
	b.failures, b.refusals, b.pause = 0, 0, 0
	b.settle(now)
}

// settle begins the closed phase if the breaker was open.
func (b *breaker) settle(now time.Time) {
	if b.open {
		b.open, b.trial, b.since = false, false, now
		b.turn++
	}
}

// refuse notes a refusal, which is one of a text if that is known. It is an answer
// after all, so requests did not fail; but if all texts are refused, the server is
// at fault.
func (b *breaker) refuse(now time.Time, known, current bool) {
	if known {
		b.refused++
		b.refusals++
	}
	switch {
	case !current:
	case !known:
		// The guard looks for the text at fault now; the next request is the trial.
		b.trial = false
	case b.refusals >= maxRefusals:
		// Each trial notes one text as refused, so the others have their turn.
		b.shut(now, firstPause)
	default:
		b.failures, b.pause = 0, 0
		b.settle(now)
	}
}

// fail notes a request that failed.
func (b *breaker) fail(now time.Time, o outcome, current bool) {
	var e *classifier.Error
	if !errors.As(o.err, &e) {
		e = &classifier.Error{Fault: classifier.Broken}
	}
	// A server that is busy says so to all parallel requests at once. That is one
	// failure only if it is still busy at the last try.
	if e.Status == http.StatusTooManyRequests && !o.last && e.RetryAfter <= maxWait && !b.open {
		return
	}
	b.failures++
	if !current || !b.open && b.failures < maxFailures && e.Fault != classifier.Misconfigured && e.RetryAfter <= maxWait {
		return
	}
	b.pause = min(max(2*b.pause, firstPause), maxPause)
	b.shut(now, max(b.pause, min(e.RetryAfter, maxAsked)))
}

// shut begins an open phase.
func (b *breaker) shut(now time.Time, pause time.Duration) {
	b.open, b.trial, b.since, b.next = true, false, now, now.Add(pause)
	b.turn++
}

// State returns the state of the classifier.
func (g *Guard) State() State {
	b, now := &g.breaker, time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	s := State{
		Phase: Closed, Since: b.since, Failures: b.failures, Refusals: b.refusals, LastError: b.last, LastErrorAt: b.lastAt,
		Requests: b.requests, Errors: b.errs, Texts: b.texts, Refused: b.refused, Seconds: b.spent.Seconds(),
		Rate: b.recent.rate(now),
	}
	switch {
	case b.open && now.Before(b.next):
		s.Phase, s.NextTry = Open, b.next
	case b.open:
		s.Phase, s.Since, s.NextTry = HalfOpen, b.next, b.next
	}
	return s
}
