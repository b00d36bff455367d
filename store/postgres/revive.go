//go:build unix

package postgres

import (
	"context"
	"fmt"
)

// Revive starts the server again if it has ended unexpectedly, for example because
// the system had too little memory. It reports whether it did so. It is cheap while
// the server runs. It must not run at the same time as Stop. An error is as in Start,
// or means that the address of the server has changed.
func (s *Server) Revive(ctx context.Context) (bool, error) {
	if _, ok, _ := s.folder.findServer(); ok || s.leaving.Load() {
		return false, nil
	}
	again, err := s.revive(ctx)
	return again, withAdvice(err, "")
}

func (s *Server) revive(ctx context.Context) (bool, error) {
	startLock, err := lockExclusive(ctx, s.folder.path("start.lock"), s.options.Log)
	if err != nil {
		return false, err
	}
	defer startLock.release()
	before := s.socketDir
	// Another process may have started it already.
	running, err := s.findRunning(ctx)
	if err == nil && !running {
		if err = s.launch(ctx); err == nil {
			s.owned = true
		}
	}
	if err == nil && s.socketDir != before {
		err = fmt.Errorf("the socket of PostgreSQL is now in %s: start this program again", s.socketDir)
	}
	return !running && err == nil, err
}
