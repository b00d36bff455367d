//go:build unix

package postgres

import (
	"context"
	"fmt"
)

// Revive starts the server again where it has ended without being told to,
// killed by the system for its memory for instance, and returns whether it had
// to. It is cheap while the server runs, and not to be called beside Stop.
func (s *Server) Revive(ctx context.Context) (bool, error) {
	if s.leaving.Load() || s.runs() {
		return false, nil
	}
	again, err := s.revive(ctx)
	return again, withAdvice(err)
}

func (s *Server) revive(ctx context.Context) (bool, error) {
	deciding, err := lockExclusive(ctx, s.folder.path("start.lock"), s.log)
	if err != nil {
		return false, err
	}
	defer deciding.release()
	before := s.socketDir
	// Another process may have come first.
	running, err := s.findRunning(ctx)
	if err == nil && !running {
		if err = s.launch(ctx, s.options); err == nil {
			s.owned = true
		}
	}
	if err == nil && s.socketDir != before {
		err = fmt.Errorf("PostgreSQL is now reached at %s: start the program again", s.socketDir)
	}
	return !running && err == nil, err
}

// runs says whether a server is there, be it one that starts or stops.
func (s *Server) runs() bool {
	pm, ok, err := s.folder.readPostmaster()
	return err == nil && ok && s.folder.serves(pm)
}
