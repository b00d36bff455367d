//go:build unix

package postgres

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExplainsAFullDisk(t *testing.T) {
	dir := prepare(t, newDir(t, "data"))
	panicked := "PANIC:  could not write to file \"pg_wal/xlogtemp.7\": No space left on device\n"
	logPanic := func() {
		t.Helper()
		log, err := os.OpenFile(filepath.Join(dir, "log", "start.log"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		if _, err := log.WriteString(panicked); err != nil {
			t.Fatal(err)
		}
	}
	logPanic() // before this process uses the server
	s := start(t, dir)
	broken := errors.New("unexpected EOF")
	if err := s.Explain(broken); err != broken { // the same error, not wrapped
		t.Errorf("an old log line explains a new error: %v", err)
	}
	if err := s.Explain(nil); err != nil {
		t.Errorf("Explain(nil) returned %v", err)
	}
	logPanic()
	err := s.Explain(broken)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "the disk is full: make room") {
		t.Errorf("the error of a full disk is %v", err)
	}
}
