//go:build unix

package postgres

import (
	"fmt"
	"os"
)

// Explain adds to an error what the server's log says about the disk since this
// process began to use the server. When a disk is full, a client only sees a
// closed connection.
func (s *Server) Explain(err error) error {
	if err == nil {
		return nil
	}
	if text := advice(err.Error() + "\n" + s.folder.logSince(s.logged)); text != "" {
		return fmt.Errorf("%s (%w)", text, err)
	}
	return err
}

// logSizes are the sizes of the server's logs, for logSince.
func (f folder) logSizes() map[string]int64 {
	sizes := map[string]int64{}
	for _, path := range f.logFiles() {
		if info, err := os.Stat(path); err == nil {
			sizes[path] = info.Size()
		}
	}
	return sizes
}
