package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// maxColumns is the limit of a line in Unicode characters; a tab is one.
const maxColumns = 120

// longLinesIn are the files that may have longer lines, as patterns of path.Match on
// the whole path or on the name alone, and why.
var longLinesIn = map[string]string{
	"go.sum":                       "the go command writes it",
	"*.min.js":                     "a minified file of others",
	"migrations/0004_signals.sql":  "it was released; released migrations are never edited",
	"migrations/0006_counters.sql": "it was released; released migrations are never edited",
	"migrations/0007_formulas.sql": "it was released; released migrations are never edited",
	"migrations/0008_hot_rows.sql": "it was released; released migrations are never edited",
}

// addressAlone finds an address that stands alone on its line, which cannot be broken.
var addressAlone = regexp.MustCompile(`^\W*https?://\S+$`)

// TestHouseLines checks that no line of a text file is longer than maxColumns. Folders
// testdata hold data as others write them.
func TestHouseLines(t *testing.T) {
	files := textFiles(t, "../..")
	if len(files) < 500 {
		t.Fatalf("%d text files were found, which cannot be all", len(files))
	}
	for name, text := range files {
		if mayHaveLongLines(name) {
			continue
		}
		for _, long := range longLines(text) {
			t.Errorf("%s:%s", name, long)
		}
	}
	for pattern, why := range longLinesIn {
		if text, ok := files[pattern]; ok && longLines(text) == nil {
			t.Errorf("%s has no long line, so it needs no exception (%s)", pattern, why)
		}
	}
}

// TestLongLines checks what counts as a long line.
func TestLongLines(t *testing.T) {
	t.Parallel()
	full := strings.Repeat("é", maxColumns)
	for text, want := range map[string]string{
		full: "", "\t" + full[2:] + "\n": "", full + "\r\n" + full: "",
		"a\n" + full + "b\n":               "2: 121 characters, 120 are the most",
		"https://example.org/" + full:      "",
		"- <https://example.org/" + full:   "",
		"see https://example.org/" + full:  "1: 144 characters, 120 are the most",
		"https://example.org/ b" + full:    "1: 142 characters, 120 are the most",
		full + "\n\t" + full + "\n" + full: "2: 121 characters, 120 are the most",
	} {
		if got := strings.Join(longLines([]byte(text)), "\n"); got != want {
			t.Errorf("%.30q: %q, want %q", text, got, want)
		}
	}
	for name, want := range map[string]bool{
		"go.sum": true, "tools/go.sum": true, "views/static/idiomorph.min.js": true, "corpus/testdata/a.json": true,
		"migrations/0004_signals.sql": true, "migrations/0037_more.sql": false, "admin/licence.go": false,
	} {
		if mayHaveLongLines(name) != want {
			t.Errorf("%s may have long lines: %v, want %v", name, !want, want)
		}
	}
}

// mayHaveLongLines reports whether a file is excepted.
func mayHaveLongLines(name string) bool {
	if strings.Contains("/"+name, "/testdata/") {
		return true
	}
	for pattern := range longLinesIn {
		whole, _ := filepath.Match(pattern, name)
		last, _ := filepath.Match(pattern, filepath.Base(name))
		if whole || last {
			return true
		}
	}
	return false
}

// longLines lists the lines of a text that are too long, as their number and length.
func longLines(text []byte) (long []string) {
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line = bytes.TrimRight(line, "\r\n")
		if n := utf8.RuneCount(line); n > maxColumns && !addressAlone.Match(line) {
			long = append(long, fmt.Sprintf("%d: %d characters, %d are the most", number, n, maxColumns))
		}
	}
	return long
}

// textFiles returns the text files below a folder: those that git tracks or, in an
// export, which has no .git, all of them.
func textFiles(t *testing.T, root string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	add := func(name string) error {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err == nil && utf8.Valid(text) && bytes.IndexByte(text, 0) < 0 {
			files[filepath.ToSlash(name)] = text
		}
		return err
	}
	if tracked := trackedFiles(root); tracked != nil {
		for _, name := range tracked {
			// A file that was removed, and not yet from the index, has no lines.
			if err := add(name); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
		return files
	}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{".git", ".treewarden", "bin", "node_modules"}, entry.Name()) {
			return filepath.SkipDir
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		return add(name)
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// trackedFiles lists the files that git tracks below a folder. It is nil where the
// folder is not the top of a repository, or there is no git.
func trackedFiles(root string) []string {
	if _, err := os.Stat(filepath.Join(root, ".git")); err != nil {
		return nil
	}
	out, err := exec.Command("git", "-C", root, "ls-files", "-z").Output()
	if err != nil {
		return nil
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 })
}
