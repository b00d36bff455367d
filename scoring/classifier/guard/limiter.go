package guard

import (
	"context"
	"sync"
	"time"
)

// slack is how much time without requests may be made up for. Timers fire late; without
// slack, each late request would lower the rate for good.
const slack = 100 * time.Millisecond

// limiter spaces requests out, and stops them for a while if the server asks for it.
type limiter struct {
	mu       sync.Mutex
	interval time.Duration
	// next is when the next request may start.
	next time.Time
	// paused is until when no request may start.
	paused time.Time
}

// reserve returns how long to wait for the next start, and whether that start is now
// taken. During a pause none is.
func (l *limiter) reserve(now time.Time) (wait time.Duration, taken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.paused.After(now) {
		return l.paused.Sub(now), false
	}
	if l.interval == 0 {
		return 0, true
	}
	// A start within the slack, but none that the pause has forbidden.
	earliest := now.Add(-slack)
	if earliest.Before(l.paused) {
		earliest = l.paused
	}
	at := l.next
	if at.Before(earliest) {
		at = earliest
	}
	l.next = at.Add(l.interval)
	return at.Sub(now), true
}

// wait returns when a request may start.
func (l *limiter) wait(ctx context.Context) error {
	for {
		d, taken := l.reserve(time.Now())
		if d > 0 {
			if err := sleep(ctx, d); err != nil {
				return err
			}
		}
		if taken && !l.pausedAt(time.Now()) {
			return ctx.Err()
		}
	}
}

func (l *limiter) pausedAt(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.paused.After(now)
}

// pause stops all requests until a time.
func (l *limiter) pause(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until.After(l.paused) {
		l.paused = until
		// Starts that were taken before the pause are taken anew after it.
		l.next = until
	}
}
