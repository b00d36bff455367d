//go:build unix

package postgres

import (
	"archive/zip"
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestNewestFirst(t *testing.T) {
	root := t.TempDir()
	for _, version := range []string{"9.6", "15", "17", "16"} {
		put(t, filepath.Join(root, version, "bin", "postgres"), "", 0o755)
	}
	var got []string
	for _, dir := range newestFirst(root + "/*/bin") {
		got = append(got, filepath.Base(filepath.Dir(dir)))
	}
	if want := []string{"17", "16", "15", "9.6"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestVersion(t *testing.T) {
	major, err := Version(t.Context(), "")
	if err != nil || major < minMajor {
		t.Errorf("got %d, %v", major, err)
	}
	if major, err = Version(t.Context(), fakePrograms(t, "(PostgreSQL) 42beta1")); err != nil || major != 42 {
		t.Errorf("got %d, %v", major, err)
	}
	if _, err = Version(t.Context(), "/nowhere"); err == nil {
		t.Error("no error for a folder that does not exist")
	}
}

// hideInstalled makes the search find only programs that the test adds.
func hideInstalled(t *testing.T) {
	t.Helper()
	former := installed
	t.Cleanup(func() { installed = former })
	installed = nil
	t.Setenv("PATH", "/nowhere")
}

// serveArchive replaces the repository of downloads by one that serves the archive for
// every version, or nothing if it is nil.
func serveArchive(t *testing.T, archive []byte) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, ".jar") || archive == nil {
			http.NotFound(w, r)
			return
		}
		w.Write(archive)
	}))
	t.Cleanup(server.Close)
	former := repository
	t.Cleanup(func() { repository = former })
	repository = server.URL
}

// packPrograms packs programs as the repository does: a tar.xz inside a zip.
func packPrograms(t *testing.T, version string) []byte {
	t.Helper()
	bin := fakePrograms(t, version)
	tarball := filepath.Join(t.TempDir(), "postgres.txz")
	out, err := exec.Command("tar", "-C", filepath.Dir(bin), "-cJf", tarball, "bin").CombinedOutput()
	if err != nil {
		t.Skipf("this needs tar and xz: %v %s", err, out)
	}
	text, err := os.ReadFile(tarball)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("postgres.txz")
	if err != nil {
		t.Fatal(err)
	}
	w.Write(text)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestDownload(t *testing.T) {
	serveArchive(t, packPrograms(t, "(PostgreSQL) 18.3"))
	hideInstalled(t)
	t.Setenv("PATH", "/bin:/usr/bin") // for the shell of the fake programs
	f, err := openFolder(newDir(t, "data"))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	for range 2 { // the second download replaces the first
		p, err := f.download(t.Context(), log, 0)
		if err != nil || p.dir != f.path("postgresql-18/bin") || p.major != 18 {
			t.Errorf("got %+v, %v", p, err)
		}
	}
	if _, err := f.download(t.Context(), log, 9); err == nil {
		t.Error("no error for a version that cannot be downloaded")
	}
	entries, err := os.ReadDir(f.dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the data folder holds more than the programs: %v, %v", entries, err)
	}
}

func TestNothingToRun(t *testing.T) {
	serveArchive(t, nil)
	hideInstalled(t)
	refused(t, Options{DataDir: newDir(t, "data")},
		"none is installed", "downloaded", "apt-get install postgresql", "--postgres-bin", "--database-url")
}

func TestSizes(t *testing.T) {
	for memory, want := range map[int64]string{0: "128MB", 8 * gigabyte: "1024MB", 256 * gigabyte: "4096MB"} {
		if got := sizeOf(memory/8, 128*megabyte, 4*gigabyte); got != want {
			t.Errorf("%d bytes of memory: %s, want %s", memory, got, want)
		}
	}
	if memorySize() <= 0 {
		t.Error("the memory size is not positive")
	}
}
