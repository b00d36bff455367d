//go:build unix

package postgres

import (
	"fmt"
	"os"
)

// Explain adds to a failure what this server's log has said of the disk since
// the process began to use it: of a disk that ran full, a client learns no more
// than that its connection broke.
func (s *Server) Explain(err error) error {
	if err == nil {
		return nil
	}
	if what := advice(err.Error() + "\n" + s.folder.saidSince(s.logged)); what != "" {
		return fmt.Errorf("%s (%w)", what, err)
	}
	return err
}

// logSizes tells how much the server's logs hold, for saidSince.
func (f folder) logSizes() map[string]int64 {
	sizes := map[string]int64{}
	for _, path := range f.logFiles() {
		if info, err := os.Stat(path); err == nil {
			sizes[path] = info.Size()
		}
	}
	return sizes
}
