package admin

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
)

// A browser opens six connections to a host over HTTP/1.1; pages need some of them.
const (
	streamsOfOne = 4
	streamsOfAll = 1000
)

// liveStreams holds the open streams.
type liveStreams struct {
	rest  func(time.Duration) <-chan time.Time // returns a channel that receives after a pause
	beat  time.Duration
	pulse time.Duration

	mu   sync.Mutex
	open map[uuid.UUID][]*liveStream // by owner, the oldest first
	all  int
}

func newLiveStreams(registry *prometheus.Registry) *liveStreams {
	l := &liveStreams{rest: time.After, beat: liveBeat, pulse: livePulse, open: map[uuid.UUID][]*liveStream{}}
	for _, gauge := range []struct{ kind, name, help string }{
		{liveBoard.event, "treewarden_board_streams", "Open boards that are kept up to date."},
		{liveQueue.event, "treewarden_queue_streams", "Open queues that are kept up to date."},
	} {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: gauge.name, Help: gauge.help},
			func() float64 { return float64(l.count(gauge.kind)) }))
	}
	return l
}

func (l *liveStreams) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all
}

// count returns the number of open streams of a kind.
func (l *liveStreams) count(kind string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, own := range l.open {
		for _, stream := range own {
			if stream.kind.event == kind {
				n++
			}
		}
	}
	return n
}

// add begins a stream. If its owner has too many, of whatever kind, add ends the
// oldest one: people look at the page that they opened last.
func (l *liveStreams) add(stream *liveStream, owner uuid.UUID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if own := l.open[owner]; len(own) >= streamsOfOne {
		oldest := own[0]
		oldest.end(errElsewhere)
		l.forget(oldest)
	}
	if l.all >= streamsOfAll {
		return fiber.ErrTooManyRequests
	}
	stream.owner = owner
	stream.ctx, stream.end = context.WithCancelCause(context.Background())
	l.open[owner] = append(l.open[owner], stream)
	l.all++
	return nil
}

// remove ends a stream.
func (l *liveStreams) remove(stream *liveStream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	stream.end(errHungUp)
	l.forget(stream)
}

func (l *liveStreams) forget(stream *liveStream) {
	own := l.open[stream.owner]
	at := slices.Index(own, stream)
	if at < 0 {
		return // removed before
	}
	l.all--
	if l.open[stream.owner] = slices.Delete(own, at, at+1); len(own) == 1 {
		delete(l.open, stream.owner)
	}
}
