//go:build unix

package postgres

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Explain adds advice to an error if the server has logged a problem with the disk
// since this process began to use it. When a disk is full, a client only sees a
// closed connection. Explain returns nil for nil.
func (s *Server) Explain(err error) error {
	if err == nil {
		return nil // without reading the logs
	}
	return withAdvice(err, s.folder.logSince(s.logged))
}

// logSizes returns the sizes of the server's logs, for logSince.
func (f folder) logSizes() map[string]int64 {
	sizes := map[string]int64{}
	for _, path := range f.logFiles() {
		if info, err := os.Stat(path); err == nil {
			sizes[path] = info.Size()
		}
	}
	return sizes
}

// errorLine matches the part of a log line that names an error. The server does
// not mark the line about a setting that it refuses as an error.
var errorLine = regexp.MustCompile(`(?:PANIC|FATAL|ERROR|HINT): .*|` +
	`(?:invalid value|unrecognized configuration|syntax error|could not) .*|initdb: error: .*`)

// errorLines joins up to four errors in the output of a program to one line. Without
// an error it returns the last line of the output.
func errorLines(output string) error {
	var found []string
	for line := range strings.Lines(output) {
		match := errorLine.FindString(line)
		if match != "" && !strings.Contains(match, "Future log output") && !slices.Contains(found, match) {
			found = append(found, match)
		}
	}
	if len(found) == 0 {
		lines := strings.Split(strings.TrimSpace(output), "\n")
		found = lines[len(lines)-1:]
	}
	return errors.New(strings.Join(found[:min(len(found), 4)], "; "))
}

// withAdvice adds to an error what the user can do, if the error or the log names a
// known problem of the system.
func withAdvice(err error, log string) error {
	if err == nil {
		return nil
	}
	text := strings.ToLower(err.Error() + "\n" + log)
	for _, known := range [][2]string{
		{"no space left on device", "the disk is full: make room, or choose a folder on another disk with --data-dir; " +
			"the data is not damaged"},
		{"disk quota exceeded", "the disk quota is used up: make room, or choose a folder on another disk with --data-dir; " +
			"the data is not damaged"},
		{"read-only file system", "the disk is read-only: choose a folder on another disk with --data-dir"},
		{"could not look up effective user id", "PostgreSQL needs a name for the user that runs it: " +
			"add one to /etc/passwd, or run as another user"},
	} {
		if strings.Contains(text, known[0]) {
			return fmt.Errorf("%s (%w)", known[1], err)
		}
	}
	return err
}

// logSince returns the text that the server's logs gained since they had the given
// sizes.
func (f folder) logSince(sizes map[string]int64) string {
	var added strings.Builder
	for _, path := range f.logFiles() {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the caller already has an error to report
		}
		added.Write(text[min(sizes[path], int64(len(text))):])
	}
	return f.ourPath(added.String())
}

func (f folder) logFiles() []string {
	entries, err := os.ReadDir(f.path("log"))
	if err != nil {
		return nil
	}
	var paths []string
	for _, entry := range entries {
		paths = append(paths, filepath.Join(f.path("log"), entry.Name()))
	}
	return paths
}
