package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExport writes files by the command, and verifies them whole, changed, and against
// a changed database.
func TestExport(t *testing.T) {
	t.Parallel()
	dir, folder := dataDir(t), t.TempDir()
	in := func(name string) string { return filepath.Join(folder, name) }
	out := in("out.jsonl")

	refused(t, dir, "", misuse, "--out", "export")
	refused(t, dir, "", misuse, "standard output", "export", "--out", "-")
	refused(t, dir, "", misuse, "growing", "export", "--out", out, "--state", "grown")
	refused(t, dir, "", misuse, "--format", "export", "--out", out, "--format", "xml")
	refused(t, dir, "", misuse, "--user", "export", "--out", out, "--user", "ada")
	refused(t, dir, "", misuse, "--since", "export", "--out", out, "--since", "yesterday")
	refused(t, dir, "", misuse, "--deleted-only", "export", "--out", out, "--deleted-only", "--include-deleted")
	refused(t, dir, "", misuse, "--without-classifier", "export", "--out", out, "--without-classifier", "toxic")
	refused(t, dir, "", misuse, "--anonymizer-seed", "export", "verify", out, "--anonymizer-seed", "x")
	refused(t, dir, "", misuse, "does not end with .gz", "export", "--out", in("x.parquet.gz"), "--format", "parquet")
	refused(t, dir, "", misuse, "--format", "export", "--out", out, "--format", "trees", "--deleted-only")
	refused(t, dir, "", failed, "no folder", "export", "--out", in("nowhere/out.jsonl"))
	refused(t, dir, "", failed, "is a folder", "export", "--out", folder)
	refused(t, dir, "", failed, "no manifest", "export", "verify", out)
	if databaseRuns(t, dir) {
		t.Error("a database was started for nothing")
	}

	must(t, dir, importLines(50), "import", "-")
	s := start(t, dir, "serve")
	defer s.end(t, os.Interrupt)
	refused(t, dir, "", misuse, "no list", "export", "--out", out, "--without-list", "bad")
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("refused exports left %v (%v)", left, err)
	}
	if got := must(t, dir, "", "export", "--out", out, "--include-spam"); !strings.Contains(got,
		"5 trees, 50 messages; left out 0") {
		t.Errorf("export prints %q", got)
	}
	packed := in("messages.jsonl.gz")
	must(t, dir, "", "export", "write", "--format", "messages", "--include-spam", "--limit", "2", "--anonymizer-seed", "s",
		"--out", packed)
	testManifest(t, out, packed)
	table, rows := in("messages.csv.gz"), in("messages.parquet")
	must(t, dir, "", "export", "--format", "csv", "--include-spam", "--out", table)
	must(t, dir, "", "export", "--format", "parquet", "--include-spam", "--card", "--out", rows)
	testCards(t, dir, table, rows)
	for _, file := range []string{table, rows} {
		must(t, dir, "", "export", "verify", "--against", file)
	}
	for _, file := range []string{out, packed, table, rows} {
		refused(t, dir, "", failed, "--force", "export", "--out", file)
		if got := must(t, dir, "", "export", "verify", file); !strings.Contains(got, "is what its manifest says") {
			t.Errorf("verify prints %q", got)
		}
	}
	must(t, dir, "", "export", "verify", "--against", out)
	must(t, dir, "", "export", "verify", "--against", packed, "--anonymizer-seed", "s")
	unseeded := tool(t, dir, "", "export", "verify", "--against", packed)
	if unseeded.status != misuse || !strings.Contains(unseeded.stderr, "--anonymizer-seed") {
		t.Errorf("without the seed: %+v", unseeded)
	}
	must(t, dir, importLines(60), "import", "-")
	testChanged(t, dir, out)
	before := read(t, out)
	must(t, dir, "", "export", "--force", "--include-spam", "--out", out)
	must(t, dir, "", "export", "verify", "--against", out)
	if bytes.Equal(before, read(t, out)) {
		t.Error("--force left the former file")
	}
	if names, err := filepath.Glob(in(".*")); err != nil || len(names) > 0 {
		t.Errorf("files are left: %v (%v)", names, err)
	}
}

// testCards checks the card of rows, and that none tells of another file.
func testCards(t *testing.T, dir, table, rows string) {
	t.Helper()
	card := string(read(t, rows+".README.md"))
	for _, want := range []string{"data_files: \"messages.parquet\"", "- \"n<1K\"", "| messages | 50 | 50 | 0 |"} {
		if !strings.Contains(card, want) {
			t.Errorf("the card has no %s: %s", want, card)
		}
	}
	if _, err := os.Stat(table + ".README.md"); err == nil {
		t.Error("a card was written without --card")
	}
	refused(t, dir, "", failed, "replace it too with --card", "export", "--format", "parquet", "--force", "--out", rows)
	must(t, dir, "", "export", "--format", "parquet", "--force", "--card", "--limit", "1", "--include-spam", "--out", rows)
	if again := string(read(t, rows+".README.md")); !strings.Contains(again, "| messages | 50 | 10 | 40 |") {
		t.Errorf("--force left the former card: %s", again)
	}
	if err := os.WriteFile(table+".README.md", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, dir, "", failed, "messages.csv.gz.README.md", "export", "--format", "csv", "--force", "--out", table)
	if err := os.Remove(table + ".README.md"); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func testManifest(t *testing.T, out, packed string) {
	t.Helper()
	for file, want := range map[string]string{out: "50 0 trees out.jsonl", packed: "20 30 messages messages.jsonl.gz"} {
		var m struct {
			File, Format, Program, By string
			Out                       struct{ Messages int }
			LeftOut                   struct{ Messages map[string]int } `json:"left_out"`
		}
		if err := json.Unmarshal(read(t, file+".manifest.json"), &m); err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(m.Out.Messages, " ", m.LeftOut.Messages["limit"], " ", m.Format, " ", m.File)
		if got != want || m.Program != "treewarden v0.0.0-test" || m.By != "command line" {
			t.Errorf("%s has the manifest %+v", file, m)
		}
	}
	if text := read(t, packed); !bytes.HasPrefix(text, []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0}) {
		t.Errorf("the compressed file begins with % x, which holds a name or a time", text[:10])
	}
}

// testChanged verifies a file after the database changed, and then after the file
// itself did.
func testChanged(t *testing.T, dir, out string) {
	t.Helper()
	r := tool(t, dir, "", "export", "verify", "--against", out)
	if r.status != failed || !strings.Contains(r.stdout,
		"c0000000-0000-4000-8000-000000000051\tin the database, but not in the file") ||
		!strings.Contains(r.stderr, "differs in 1 line") {
		t.Errorf("a changed database: %+v", r)
	}
	text := read(t, out)
	changed := filepath.Join(filepath.Dir(out), "changed.jsonl")
	for from, to := range map[string][]byte{
		out:                    bytes.Replace(text, []byte("text 7"), []byte("text 8"), 1),
		out + ".manifest.json": read(t, out+".manifest.json"),
	} {
		name := changed + strings.TrimPrefix(from, out)
		if err := os.WriteFile(name, to, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r = tool(t, dir, "", "export", "verify", changed)
	if r.status != failed || !strings.Contains(r.stdout, "the SHA-256 of the file is") || strings.Contains(r.stdout,
		"bytes") || !strings.Contains(r.stderr, "1 way") {
		t.Errorf("a changed file: %+v", r)
	}
	if err := os.WriteFile(changed+".manifest.json", []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, dir, "", failed, "no manifest of an export", "export", "verify", changed)
}
