//go:build unix

package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// settingsFile is rewritten at each start. Its presence also tells that the
// data was made by this program.
const settingsFile = "treewarden.conf"

// accessRules let in whoever can open the socket, which is the server's
// account and root: its folder has mode 0700.
const accessRules = "# Written by Treewarden. Access is by the permissions of the socket's folder.\nlocal all all trust\n"

// clusterVersion is the major version that made the data, or 0 when there is none yet.
func (f folder) clusterVersion() (int, error) {
	text, err := os.ReadFile(filepath.Join(f.cluster(), "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		entries, err := os.ReadDir(f.cluster())
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, fmt.Errorf("read the data folder: %w; choose another with --data-dir", err)
		}
		if len(entries) > 0 {
			return 0, fmt.Errorf("%s is not empty, but holds no PostgreSQL data: move it away, restore its PG_VERSION, or choose another folder with --data-dir", f.cluster())
		}
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the data folder: %w; choose another with --data-dir", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s/PG_VERSION is damaged, it says %.20q: restore the folder from a backup, or choose another with --data-dir", f.cluster(), text)
	}
	if _, err := os.Stat(filepath.Join(f.cluster(), settingsFile)); err != nil {
		return 0, fmt.Errorf("%s holds PostgreSQL data that this program did not make: choose another folder with --data-dir, or run that server and connect to it with --database-url", f.cluster())
	}
	return major, nil
}

// initialise makes the data aside and puts it in place when it is complete, so
// that an interrupted attempt leaves nothing that looks like data.
func (f folder) initialise(ctx context.Context, p programs, fast bool) error {
	aside := f.path("postgres.new")
	if err := os.RemoveAll(aside); err != nil {
		return fmt.Errorf("remove an interrupted setup: %w", err)
	}
	if err := f.account.makeDir(aside); err != nil {
		return err
	}
	err := f.initdb(ctx, p, aside, fast)
	if err == nil {
		err = f.configure(aside)
	}
	if err == nil {
		err = os.Rename(aside, f.cluster())
	}
	if err != nil {
		return fmt.Errorf("set up PostgreSQL in %s: %w", f.dir, errors.Join(err, os.RemoveAll(aside)))
	}
	return nil
}

// initdb sorts by bytes (fast, and the same on every system) but knows the
// letters of all languages, without which neither lower() nor a trigram index
// sees anything in a Cyrillic or Greek text. Systems call such a locale differently.
func (f folder) initdb(ctx context.Context, p programs, dir string, fast bool) error {
	var failed error
	for _, letters := range []string{"C.UTF-8", "en_US.UTF-8", "UTF-8", "C"} {
		args := []string{"-D", f.serverPath(dir), "-U", superuser, "-A", "trust", "--encoding=UTF8", "--locale=C", "--lc-ctype=" + letters,
			"--data-checksums", "--no-instructions"}
		if fast {
			args = append(args, "--no-sync")
		}
		out, err := f.command(ctx, p.initdb(), args...).CombinedOutput()
		if err == nil {
			return nil
		}
		failed = fmt.Errorf("initdb failed (%w): %w", err, complaints(f.ourPath(string(out))))
		if !bytes.Contains(out, []byte("invalid locale")) {
			break
		}
	}
	return failed
}

// configure adds what distinguishes this server from a fresh one. An admin's
// own settings belong into postgresql.auto.conf (ALTER SYSTEM), which is read last.
func (f folder) configure(cluster string) error {
	conf, err := os.OpenFile(filepath.Join(cluster, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(conf, "\n# Treewarden's settings, rewritten at each start. Change them with ALTER SYSTEM, which wins.\ninclude_if_exists = '%s'\n", settingsFile)
	if err := errors.Join(err, conf.Sync(), conf.Close()); err != nil {
		return err
	}
	if err := f.writeOwned(filepath.Join(cluster, "pg_hba.conf"), accessRules); err != nil {
		return err
	}
	return f.writeOwned(filepath.Join(cluster, settingsFile), "")
}

// writeOwned replaces a file at once, whatever happens to the machine, and
// gives it to the server's account.
func (f folder) writeOwned(path, text string) error {
	aside := path + ".new"
	file, err := os.OpenFile(aside, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if f.account.switched {
		err = errors.Join(err, file.Chown(int(f.account.uid), int(f.account.gid)))
	}
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(aside, path)
}

// complaint matches the part of a log line that says what is wrong. A server
// that refuses a setting says so in a line that it does not call an error.
var complaint = regexp.MustCompile(`(?:PANIC|FATAL|ERROR|HINT): .*|(?:invalid value|unrecognized configuration|syntax error|could not) .*|initdb: error: .*`)

// complaints are what is wrong according to what a program said, on one line:
// its last one when none of them complains.
func complaints(said string) error {
	var found []string
	for line := range strings.Lines(said) {
		match := complaint.FindString(line)
		if match != "" && !strings.Contains(match, "Future log output") && !slices.Contains(found, match) {
			found = append(found, match)
		}
	}
	if len(found) == 0 {
		lines := strings.Split(strings.TrimSpace(said), "\n")
		found = lines[len(lines)-1:]
	}
	return errors.New(strings.Join(found[:min(len(found), 4)], "; "))
}

// withAdvice adds what to do to the failures that a system only names.
func withAdvice(err error) error {
	if err == nil {
		return nil
	}
	if what := advice(err.Error()); what != "" {
		return fmt.Errorf("%s (%w)", what, err)
	}
	return err
}

// advice is what to do about the first known failure that a text names, or "".
func advice(text string) string {
	text = strings.ToLower(text)
	for _, known := range [][2]string{
		{"no space left on device", "the disk is full: make room, or choose a folder on another disk with --data-dir; the data is not harmed"},
		{"disk quota exceeded", "the disk quota is used up: make room, or choose a folder on another disk with --data-dir; the data is not harmed"},
		{"read-only file system", "the disk is read-only: choose a folder on another with --data-dir"},
		{"could not look up effective user id", "PostgreSQL needs a name for the user that runs it: add one to /etc/passwd, or run as another user"},
	} {
		if strings.Contains(text, known[0]) {
			return known[1]
		}
	}
	return ""
}

// saidSince is what the server's logs said since they had the given sizes.
func (f folder) saidSince(sizes map[string]int64) string {
	var said strings.Builder
	for _, path := range f.logFiles() {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the error that is being explained matters more
		}
		said.Write(text[min(sizes[path], int64(len(text))):])
	}
	return f.ourPath(said.String())
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
