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

// settingsFile is rewritten at each start. Data without it was not made by this
// program.
const settingsFile = "treewarden.conf"

// accessRules trust every user that can open the socket. These are the server's
// account and root, because the socket's folder has mode 0700.
const accessRules = "# Written by Treewarden. The permissions of the socket's folder control the access.\n" +
	"local all all trust\n"

// clusterVersion is the major version that made the data. It is 0 when there is
// no data yet.
func (f folder) clusterVersion() (int, error) {
	text, err := os.ReadFile(filepath.Join(f.cluster(), "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		entries, err := os.ReadDir(f.cluster())
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, fmt.Errorf("read the data folder: %w; choose another with --data-dir", err)
		}
		if len(entries) > 0 {
			return 0, fmt.Errorf("%s is not empty, but holds no PostgreSQL data: "+
				"move it away, restore its PG_VERSION, or choose another folder with --data-dir", f.cluster())
		}
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the data folder: %w; choose another with --data-dir", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s/PG_VERSION is damaged, it says %.20q: "+
			"restore the folder from a backup, or choose another with --data-dir", f.cluster(), text)
	}
	if _, err := os.Stat(filepath.Join(f.cluster(), settingsFile)); err != nil {
		return 0, fmt.Errorf("%s holds PostgreSQL data that this program did not make: choose another folder with "+
			"--data-dir, or run that server and connect to it with --database-url", f.cluster())
	}
	return major, nil
}

// initialise makes the data in a temporary folder and renames it when it is
// complete. So an interrupted setup leaves nothing that looks like data.
func (f folder) initialise(ctx context.Context, p programs, fast bool) error {
	temporary := f.path("postgres.new")
	if err := os.RemoveAll(temporary); err != nil {
		return fmt.Errorf("remove an interrupted setup: %w", err)
	}
	if err := f.account.makePrivateDir(temporary); err != nil {
		return err
	}
	err := f.initdb(ctx, p, temporary, fast)
	if err == nil {
		err = f.configure(temporary)
	}
	if err == nil {
		err = os.Rename(temporary, f.cluster())
	}
	if err != nil {
		return fmt.Errorf("set up PostgreSQL in %s: %w", f.dir, errors.Join(err, os.RemoveAll(temporary)))
	}
	return nil
}

// initdb makes the data. Texts are sorted by bytes, which is fast and the same on
// every system. The character type knows the letters of all languages: without
// it, lower() and trigram indexes ignore Cyrillic and Greek letters. The name of
// such a locale depends on the system, so several are tried.
func (f folder) initdb(ctx context.Context, p programs, dir string, fast bool) error {
	var failed error
	for _, characters := range []string{"C.UTF-8", "en_US.UTF-8", "UTF-8", "C"} {
		args := []string{"-D", f.serverPath(dir), "-U", superuser, "-A", "trust", "--encoding=UTF8", "--locale=C",
			"--lc-ctype=" + characters, "--data-checksums", "--no-instructions"}
		if fast {
			args = append(args, "--no-sync")
		}
		out, err := f.command(ctx, p.initdb(), args...).CombinedOutput()
		if err == nil {
			return nil
		}
		failed = fmt.Errorf("initdb failed (%w): %w", err, errorLines(f.ourPath(string(out))))
		if !bytes.Contains(out, []byte("invalid locale")) {
			break
		}
	}
	return failed
}

// configure adds the settings and access rules of this program. Admins change
// settings with ALTER SYSTEM: PostgreSQL reads postgresql.auto.conf last.
func (f folder) configure(cluster string) error {
	conf, err := os.OpenFile(filepath.Join(cluster, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(conf, "\n# Treewarden rewrites this file at each start. ALTER SYSTEM overrides it.\n"+
		"include_if_exists = '%s'\n", settingsFile)
	if err := errors.Join(err, conf.Sync(), conf.Close()); err != nil {
		return err
	}
	if err := f.writeOwned(filepath.Join(cluster, "pg_hba.conf"), accessRules); err != nil {
		return err
	}
	return f.writeOwned(filepath.Join(cluster, settingsFile), "")
}

// writeOwned replaces a file in one step, also if the machine fails meanwhile.
// The file belongs to the server's account.
func (f folder) writeOwned(path, text string) error {
	temporary := path + ".new"
	file, err := os.OpenFile(temporary, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
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
	return os.Rename(temporary, path)
}

// errorLine matches the part of a log line that names an error. The server does
// not mark the line about a setting that it refuses as an error.
var errorLine = regexp.MustCompile(`(?:PANIC|FATAL|ERROR|HINT): .*|` +
	`(?:invalid value|unrecognized configuration|syntax error|could not) .*|initdb: error: .*`)

// errorLines joins the errors in the output of a program to one line. Without
// an error it is the last line of the output.
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

// withAdvice adds to an error of the system what the user can do.
func withAdvice(err error) error {
	if err == nil {
		return nil
	}
	if text := advice(err.Error()); text != "" {
		return fmt.Errorf("%s (%w)", text, err)
	}
	return err
}

// advice tells what to do about the first known error in a text. It is "" when
// there is none.
func advice(text string) string {
	text = strings.ToLower(text)
	for _, known := range [][2]string{
		{"no space left on device", "the disk is full: make room, or choose a folder on another disk with --data-dir; " +
			"the data is not harmed"},
		{"disk quota exceeded", "the disk quota is used up: make room, or choose a folder on another disk with --data-dir; " +
			"the data is not harmed"},
		{"read-only file system", "the disk is read-only: choose a folder on another with --data-dir"},
		{"could not look up effective user id", "PostgreSQL needs a name for the user that runs it: " +
			"add one to /etc/passwd, or run as another user"},
	} {
		if strings.Contains(text, known[0]) {
			return known[1]
		}
	}
	return ""
}

// logSince is the text that was added to the server's logs since they had the
// given sizes.
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
