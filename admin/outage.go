package admin

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"treewarden/store/db"
)

const (
	// outageBeat is the time between two looks whether the database is back.
	outageBeat = time.Second
	// troubleRest is the time without a failure after which other trouble is over.
	troubleRest = 10 * time.Second
)

// Outage logs when the database goes and when it is back, and counts what failed in
// between: a line for each failure would fill the disk. It is safe for concurrent use.
type Outage struct {
	log   *slog.Logger
	ready func(context.Context) error
	beat  time.Duration
	rest  time.Duration
	ended context.Context

	mu     sync.Mutex
	away   bool
	since  time.Time
	failed int
	busy   map[string]*trouble // by the code of the failures
}

// trouble is a run of failures of one kind.
type trouble struct {
	since, last time.Time
	failed      int
}

// NewOutage returns an Outage that asks ready whether the database is back, until the
// context ends.
func NewOutage(ctx context.Context, log *slog.Logger, ready func(context.Context) error) *Outage {
	return &Outage{log: log, ready: ready, beat: outageBeat, rest: troubleRest, ended: ctx, busy: map[string]*trouble{}}
}

// Failed counts something that failed because the database is away. It reports
// whether the error is of that kind.
func (o *Outage) Failed(err error) bool {
	if err == nil || !db.IsUnavailable(err) && !(o.isAway() && errors.Is(err, context.DeadlineExceeded)) {
		return false
	}
	o.count(err)
	return true
}

func (o *Outage) isAway() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.away
}

// count counts a failure. The first one is logged.
func (o *Outage) count(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failed++; o.away {
		return
	}
	o.away, o.since, o.failed = true, time.Now(), 1
	o.log.Error("the database is away; what fails until it is back is counted and not logged", "error", err)
	go o.follow()
}

// follow waits until the database is back.
func (o *Outage) follow() {
	for {
		select {
		case <-o.ended.Done():
			return
		case <-time.After(o.beat):
		}
		ctx, cancel := context.WithTimeout(o.ended, 2*time.Second)
		err := o.ready(ctx)
		cancel()
		if err != nil {
			continue
		}
		o.mu.Lock()
		o.away = false
		o.log.Info("the database is back", "failed", o.failed, "seconds", int(time.Since(o.since).Seconds()))
		o.mu.Unlock()
		return
	}
}

// delayed counts a request that failed with a code because others are at work, or that
// took too long. The first one is logged, and the end.
func (o *Outage) delayed(code string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if o.away {
		o.failed++
		return
	}
	if t := o.busy[code]; t != nil {
		t.last = now
		t.failed++
		return
	}
	o.busy[code] = &trouble{since: now, last: now, failed: 1}
	o.log.Warn("requests fail for now; they are counted and not logged", "code", code, "error", err)
	go o.followDelays(code)
}

// followDelays waits until no request has failed with a code for a while.
func (o *Outage) followDelays(code string) {
	for {
		select {
		case <-o.ended.Done():
			return
		case <-time.After(o.rest):
		}
		o.mu.Lock()
		t := o.busy[code]
		over := time.Since(t.last) >= o.rest
		if over {
			delete(o.busy, code)
			o.log.Info("requests succeed again", "code", code, "failed", t.failed, "seconds", int(t.last.Sub(t.since).Seconds()))
		}
		o.mu.Unlock()
		if over {
			return
		}
	}
}
