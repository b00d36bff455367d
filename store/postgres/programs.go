//go:build unix

package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// programs is a folder with the server's programs.
type programs struct {
	dir   string
	major int
}

func (p programs) postgres() string { return filepath.Join(p.dir, "postgres") }
func (p programs) initdb() string   { return filepath.Join(p.dir, "initdb") }

// installAdvice ends every message about a missing PostgreSQL.
const installAdvice = "Install PostgreSQL " +
	"(Debian, Ubuntu: apt-get install postgresql; macOS: brew install postgresql), " +
	"name the folder of its programs with --postgres-bin, or name a server of your own with --database-url"

// installed are the folders where packages install PostgreSQL. The newest version
// of a pattern comes first.
var installed = []string{
	"/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
	"/usr/pgsql-*/bin",                                   // Red Hat, SUSE
	"/usr/libexec/postgresql*",                           // Alpine
	"/opt/homebrew/opt/postgresql*/bin",                  // Homebrew, Apple silicon
	"/usr/local/opt/postgresql*/bin",                     // Homebrew, Intel
	"/Applications/Postgres.app/Contents/Versions/*/bin", // Postgres.app
}

// Version returns the major version of PostgreSQL that a new data folder on this
// machine gets. BinDir is as in [Options].
func Version(ctx context.Context, binDir string) (int, error) {
	f := folder{}
	var err error
	if f.account, err = freshAccount(); err != nil {
		return 0, err
	}
	p, err := f.findInstalled(ctx, binDir, 0)
	var none *noneInstalled
	if errors.As(err, &none) {
		return downloadMajor, nil
	}
	return p.major, err
}

// findPrograms searches for the server's programs, and downloads them if there are
// none. It takes only the given major version, because no other version can open
// the data. A major of 0 means any supported version.
func (f folder) findPrograms(ctx context.Context, o Options, major int) (programs, error) {
	p, err := f.findInstalled(ctx, o.BinDir, major)
	var none *noneInstalled
	if !errors.As(err, &none) {
		return p, err
	}
	p, err = f.download(ctx, o.Log, major)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("no PostgreSQL to run: %w, and it could not be downloaded (%w). %s", none, err, installAdvice)
	}
	return p, err
}

// findInstalled looks in the given folder, or in all known folders if that is "".
// It returns a noneInstalled error if no known folder has usable programs.
func (f folder) findInstalled(ctx context.Context, binDir string, major int) (programs, error) {
	if binDir != "" {
		dir, err := filepath.Abs(binDir)
		if err != nil {
			return programs{}, fmt.Errorf("find the folder of the PostgreSQL programs: %w", err)
		}
		p, err := f.account.inspect(ctx, dir, major)
		if err != nil {
			return programs{}, fmt.Errorf("the given folder of PostgreSQL programs cannot be used: %s: %w", dir, err)
		}
		return p, nil
	}
	none := &noneInstalled{}
	for dir := range f.candidates() {
		p, err := f.account.inspect(ctx, dir, major)
		if err == nil {
			return p, nil
		}
		if ctx.Err() != nil {
			return programs{}, ctx.Err()
		}
		if why := fmt.Sprintf("%s: %v", dir, err); !slices.Contains(none.refused, why) {
			none.refused = append(none.refused, why)
		}
	}
	if ctx.Err() != nil {
		return programs{}, ctx.Err()
	}
	return programs{}, none
}

// noneInstalled means that the machine has no usable programs.
type noneInstalled struct{ refused []string }

func (e *noneInstalled) Error() string {
	if len(e.refused) == 0 {
		return "none is installed"
	}
	return "what is installed cannot be used (" + strings.Join(e.refused, "; ") + ")"
}

// candidates returns the existing folders of programs, best first. A folder may occur
// twice.
func (f folder) candidates() iter.Seq[string] {
	return func(yield func(string) bool) {
		try := func(dirs ...string) bool {
			for _, dir := range dirs {
				if _, err := os.Stat(filepath.Join(dir, "postgres")); err == nil && !yield(dir) {
					return false
				}
			}
			return true
		}
		for _, pattern := range installed {
			if !try(newestFirst(pattern)...) {
				return
			}
		}
		if path, err := exec.LookPath("postgres"); err == nil {
			if path, err = filepath.EvalSymlinks(path); err == nil && !try(filepath.Dir(path)) {
				return
			}
		}
		if f.dir != "" {
			try(newestFirst(f.path("postgresql-*/bin"))...) // downloaded before
		}
	}
}

var number = regexp.MustCompile(`\d+`)

// newestFirst sorts by the last number in the path, so that 15 comes before 9.6.
func newestFirst(pattern string) []string {
	dirs, err := filepath.Glob(pattern)
	if err != nil {
		return nil // the name of the data folder is no valid pattern, because it has a bracket
	}
	version := func(dir string) int {
		all := number.FindAllString(strings.TrimSuffix(dir, "/bin"), -1)
		if len(all) == 0 {
			return 0
		}
		n, _ := strconv.Atoi(all[len(all)-1]) // it has only digits; a number that is too long counts as 0
		return n
	}
	slices.SortStableFunc(dirs, func(a, b string) int { return version(b) - version(a) })
	return dirs
}

var versionLine = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// inspect checks that dir has the programs, that the server's account can run
// them, and that their version fits.
func (a account) inspect(ctx context.Context, dir string, major int) (programs, error) {
	p := programs{dir: dir}
	for _, program := range []string{p.postgres(), p.initdb()} {
		if _, err := os.Stat(program); err != nil {
			return programs{}, fmt.Errorf("it has no program %s", filepath.Base(program))
		}
	}
	out, err := a.command(ctx, "/", p.postgres(), "--version").Output()
	if errors.Is(err, os.ErrPermission) {
		if closed, ok := a.closedFolder(dir); ok {
			return programs{}, fmt.Errorf("user %s cannot run its programs, because other users may not enter %s",
				a.name, closed)
		}
		return programs{}, fmt.Errorf("user %s cannot run its programs", a.name)
	}
	if err != nil {
		return programs{}, fmt.Errorf("its postgres does not run: %w%s", err, firstLine(err))
	}
	match := versionLine.FindSubmatch(out)
	if match == nil {
		return programs{}, fmt.Errorf("it is not the postgres of PostgreSQL: its version is %.60q", out)
	}
	if p.major, err = strconv.Atoi(string(match[1])); err != nil {
		return programs{}, fmt.Errorf("read the version of its postgres: %w", err)
	}
	switch {
	case p.major < minMajor:
		return programs{}, fmt.Errorf("it is version %d, but version %d or newer is needed", p.major, minMajor)
	case major != 0 && p.major != major:
		return programs{}, fmt.Errorf("it is version %d, but the data was made by version %d", p.major, major)
	}
	return p, nil
}

// firstLine returns the first line that a failed program wrote to standard error, in
// parentheses, such as the name of a missing library.
func firstLine(err error) string {
	var exit *exec.ExitError
	if !errors.As(err, &exit) || len(exit.Stderr) == 0 {
		return ""
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(exit.Stderr)), "\n")
	return " (" + line + ")"
}
