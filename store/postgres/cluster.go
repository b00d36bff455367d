//go:build unix

package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

// clusterVersion returns the major version of the data, or 0 if there is no data.
func (f folder) clusterVersion() (int, error) {
	text, err := os.ReadFile(filepath.Join(f.cluster(), "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		entries, err := os.ReadDir(f.cluster())
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, fmt.Errorf("read the data folder: %w; choose another with --data-dir", err)
		}
		if len(entries) > 0 {
			return 0, fmt.Errorf("%s is not empty, but holds no PostgreSQL data: "+
				"move the folder away, restore its file PG_VERSION, or choose another folder with --data-dir", f.cluster())
		}
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the data folder: %w; choose another with --data-dir", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s/PG_VERSION is damaged (it contains %.20q): "+
			"restore the folder from a backup, or choose another with --data-dir", f.cluster(), text)
	}
	if _, err := os.Stat(filepath.Join(f.cluster(), settingsFile)); err != nil {
		return 0, fmt.Errorf("%s holds PostgreSQL data that this program did not make: choose another folder with "+
			"--data-dir, or run that server and connect to it with --database-url", f.cluster())
	}
	return major, nil
}

// initialise makes the data in a temporary folder and renames it when it is
// complete, so an interrupted setup is never mistaken for data.
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

// initdb makes the data. PostgreSQL sorts texts by bytes, which is fast and the same
// on every system. The character type has the letters of all languages: without it,
// lower() and trigram indexes ignore Cyrillic and Greek letters. The name of such a
// locale depends on the system, so initdb tries several.
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

// writeOwned replaces a file atomically, also if the machine crashes. The file
// belongs to the server's account.
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
