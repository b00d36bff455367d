package admin

import (
	"context"
	"errors"
	"sync"
	"time"

	"treewarden/store"
)

// The time between two walks of the chain, the time limit of a walk, and the
// time that a page waits for one.
const (
	chainEvery    = time.Minute
	chainTimeout  = 5 * time.Minute
	chainPatience = time.Second
)

// chainWatch walks the log's hash chain in the background, so that the log's
// page can show the verified part without a wait for millions of rows.
type chainWatch struct {
	mu      sync.Mutex
	running chan struct{} // closed at the end of the current walk
	state   chainState
}

// chainState is the result of the last walk.
type chainState struct {
	Known  bool
	At     time.Time
	End    store.ChainStatus
	Broken string // the first broken entry
}

// chain returns the state of the chain. It starts another walk if the last one
// is too long ago.
func (s *Server) chain(ctx context.Context) chainState {
	w := &s.chainWatch
	w.mu.Lock()
	if w.running == nil && time.Since(w.state.At) > chainEvery {
		w.running = make(chan struct{})
		go s.walkChain(w.running)
	}
	running, known := w.running, w.state.Known
	w.mu.Unlock()
	if running != nil && !known {
		select {
		case <-running:
		case <-time.After(chainPatience):
		case <-ctx.Done():
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

func (s *Server) walkChain(done chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), chainTimeout)
	defer cancel()
	end, err := s.store.VerifyChain(ctx)
	w := &s.chainWatch
	w.mu.Lock()
	defer w.mu.Unlock()
	defer close(done)
	w.running = nil
	var broken *store.BrokenChain
	switch {
	case err == nil:
		w.state = chainState{Known: true, At: time.Now(), End: end}
	case errors.As(err, &broken):
		s.Log.Error("the audit log was tampered with", "entry", broken.Seq, "why", broken.Why)
		w.state = chainState{Known: true, At: time.Now(), Broken: capital(broken.Error())}
	default:
		s.Log.Warn("the audit log's chain could not be walked", "error", err)
		w.state.At = time.Now()
	}
}
