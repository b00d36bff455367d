package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"treewarden/corpus"
	"treewarden/store"
)

// importLines returns lines of messages, each a reply to the one before.
func importLines(n int) string {
	var lines strings.Builder
	parent := "null"
	for i := range n {
		fmt.Fprintf(&lines, `{"message_id": "c0000000-0000-4000-8000-%012d", "parent_id": %s, `+
			`"user_id": "d0000000-0000-4000-8000-%012d", "text": "text %d", "role": "%s", "colour": "blue"}`+"\n",
			i+1, parent, i%100+1, i, []string{"prompter", "assistant"}[i%10%2])
		parent = fmt.Sprintf(`"c0000000-0000-4000-8000-%012d"`, i+1)
		if i%10 == 9 {
			parent = "null"
		}
	}
	return lines.String()
}

// summaryKeys lists the keys of a summary.
var summaryKeys = []string{"bytes", "errors", "messages", "orphans", "rejected",
	"seconds", "trees", "unchanged", "updated", "users"}

func summaryOf(t *testing.T, stdout string) map[string]any {
	t.Helper()
	var summary map[string]any
	if err := json.Unmarshal([]byte(stdout), &summary); err != nil {
		t.Fatalf("%v: %s", err, stdout)
	}
	if keys := slices.Sorted(maps.Keys(summary)); !reflect.DeepEqual(keys, summaryKeys) {
		t.Errorf("the summary has the keys %v, want %v", keys, summaryKeys)
	}
	return summary
}

func wantSummary(t *testing.T, stdout string, want map[string]float64) {
	t.Helper()
	summary := summaryOf(t, stdout)
	for key, n := range want {
		if summary[key] != n {
			t.Errorf("%s is %v, want %v", key, summary[key], n)
		}
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	folder := t.TempDir()
	good := importLines(50)
	plain, packed := filepath.Join(folder, "plain.jsonl"), filepath.Join(folder, "packed.jsonl.gz")
	if err := os.WriteFile(plain, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	if _, err := zip.Write([]byte(good)); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(packed, zipped.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}

	refused(t, dir, "", misuse, "file", "import")
	refused(t, dir, "", misuse, "once", "import", "-", "-")
	refused(t, dir, "", failed, "nowhere.jsonl", "import", plain, filepath.Join(folder, "nowhere.jsonl"))
	refused(t, dir, "", failed, "is a folder", "import", folder)
	if databaseRuns(t, dir) {
		t.Error("a database was started for nothing")
	}

	all := map[string]float64{"trees": 5, "messages": 50, "users": 50, "updated": 0, "unchanged": 0, "rejected": 0,
		"orphans": 0, "bytes": float64(len(good))}
	wantSummary(t, must(t, dir, "", "import", "--dry-run", "--json", plain), all)
	wantSummary(t, must(t, dir, good, "import", "--json", "-"), all)
	wantSummary(t, must(t, dir, "", "import", packed, "--json"),
		map[string]float64{"trees": 0, "messages": 0, "unchanged": 50, "bytes": float64(len(good))})
	human := must(t, dir, good, "import", plain, packed, "-")
	for _, words := range []string{"0 trees, 0 messages, 0 users", "0 messages updated, 150 unchanged",
		`"colour" (150 times)`} {
		if !strings.Contains(human, words) {
			t.Errorf("the summary does not say %q:\n%s", words, human)
		}
	}

	bad := "{\n" + `{"message_id": "c0000000-0000-4000-8000-00000000ffff", ` +
		`"parent_id": "c0000000-0000-4000-8000-00000000fffe", "text": "a", "role": "prompter"}` + "\n" + importLines(60)
	r := tool(t, dir, bad, "import", "--json", "-")
	if r.status != failed || strings.Count(r.stderr, "\n") != 1 ||
		!strings.Contains(r.stderr, "1 line refused, 1 orphan") {
		t.Errorf("bad lines end with %d and say %q", r.status, r.stderr)
	}
	wantSummary(t, r.stdout, map[string]float64{"trees": 1, "messages": 10, "unchanged": 50, "rejected": 1, "orphans": 1})
	var named []string
	for _, e := range summaryOf(t, r.stdout)["errors"].([]any) {
		fault := e.(map[string]any)
		named = append(named, fmt.Sprint(fault["file"], " ", fault["line"], " ", fault["code"]))
	}
	if want := []string{"standard input 1 not_json", "standard input 2 orphan"}; !reflect.DeepEqual(named, want) {
		t.Errorf("named %v, want %v", named, want)
	}
	if r := tool(t, dir, bad, "import", "-"); r.status != failed ||
		!strings.Contains(r.stdout, "standard input, line 1: ") || !strings.Contains(r.stdout, "standard input, line 2: ") {
		t.Errorf("bad lines are named\n%s", r.stdout)
	}
}

// TestKilledImport kills the program during an import, and imports the same
// file again.
func TestKilledImport(t *testing.T) {
	t.Parallel()
	dir := usedDir(t)
	file := filepath.Join(t.TempDir(), "large.jsonl")
	if err := os.WriteFile(file, []byte(importLines(20_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	killed := exec.Command(binary, "--data-dir", dir, "import", file)
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1500 * time.Millisecond)
	if err := killed.Process.Kill(); err != nil {
		t.Log("it was done before:", err)
	}
	_ = killed.Wait() // the test killed it
	summary := summaryOf(t, must(t, dir, "", "import", "--json", file))
	if n := summary["messages"].(float64) + summary["unchanged"].(float64); n != 20_000 {
		t.Errorf("after a kill %v", summary)
	}
	t.Logf("the killed import had %v messages in", summary["unchanged"])
	wantSummary(t, must(t, dir, "", "import", "--json", file),
		map[string]float64{"messages": 0, "trees": 0, "users": 0, "updated": 0, "unchanged": 20_000})
	must(t, dir, "", "score", "verify")
}

// TestImportOfAnotherFormat (fault 26) joins the faults of a file in which every line
// fails alike.
func TestImportOfAnotherFormat(t *testing.T) {
	t.Parallel()
	line := func(code string, n int) corpus.Fault {
		return corpus.Fault{File: "a.jsonl", Line: n, Code: code, Message: "the line has no message_id and no prompt"}
	}
	other := store.ImportSummary{Rejected: 6918, Errors: []corpus.Fault{line(corpus.UnknownShape, 1),
		line(corpus.UnknownShape, 2)}}
	if !joinAlike(&other) || len(other.Errors) != 1 || !strings.Contains(other.Errors[0].Error(),
		"this file has another format: all of its 6,918 lines were refused for the same reason") {
		t.Errorf("%+v", other.Errors)
	}
	if err := new(ImportCmd).verdict(other); !strings.Contains(err.Error(), "6,918 lines") {
		t.Error(err)
	}
	mixed := store.ImportSummary{Rejected: 2, Errors: []corpus.Fault{line(corpus.UnknownShape, 1), line(corpus.BadID, 2)}}
	some := store.ImportSummary{Rejected: 2, Messages: 1, Errors: []corpus.Fault{line(corpus.BadID, 1),
		line(corpus.BadID, 2)}}
	if joinAlike(&mixed) || joinAlike(&some) || len(some.Errors) != 2 {
		t.Error("faults of a file with good lines, or of several kinds, are joined")
	}
}
