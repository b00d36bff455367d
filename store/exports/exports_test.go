package exports_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/corpus"
	"treewarden/demo"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/exports"
	"treewarden/store/messages"
	"treewarden/store/storetest"
)

var ctx = context.Background()

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// everything are the filters that leave nothing out.
func everything(format string) exports.Filters {
	return exports.Filters{
		Format: format, State: exports.AllStates, IncludeDeleted: true, IncludeSpam: true, IncludeSynthetic: true,
		ExportLabels: true, ExportEvents: true,
	}
}

func access(t testing.TB, s *store.Store) exports.Access {
	t.Helper()
	a, err := s.Exports(store.CommandLine)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// export writes a file, checks it against its manifest, and that no reply in it comes
// before its parent.
func export(t testing.TB, s *store.Store, f exports.Filters) (file []byte, m exports.Manifest) {
	t.Helper()
	var out bytes.Buffer
	m, err := access(t, s).Write(ctx, &out, exports.Options{Filters: f, File: "test", Program: "test"})
	if err != nil {
		t.Fatal(err)
	}
	check(t, out.Bytes(), m)
	return out.Bytes(), m
}

func check(t testing.TB, file []byte, m exports.Manifest) {
	t.Helper()
	text, err := m.Text()
	if err != nil {
		t.Fatal(err)
	}
	if m, err = exports.ReadManifest(text); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, difference := range m.Differences(contentOf(t, m, file)) {
		t.Error(difference)
	}
	before := map[uuid.UUID]bool{}
	for _, n := range nodes(t, file) {
		if n.ParentID != nil && !before[*n.ParentID] && !m.Filters.Single() {
			t.Errorf("message %s comes before its parent, or without it", n.MessageID)
		}
		if before[n.MessageID] {
			t.Errorf("message %s is there twice", n.MessageID)
		}
		before[n.MessageID] = true
	}
}

// contentOf reads a file for its manifest.
func contentOf(t testing.TB, m exports.Manifest, file []byte) exports.Content {
	t.Helper()
	content, err := m.Read(bytes.NewReader(file), int64(len(file)), true)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// nodes returns the messages of a file, in their order.
func nodes(t testing.TB, file []byte) (found []corpus.Message) {
	t.Helper()
	for record, err := range corpus.NewReader(bytes.NewReader(asLines(t, file)), "test").All() {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, record.Messages...)
	}
	return found
}

func take(t testing.TB, s *store.Store, file []byte) store.ImportSummary {
	t.Helper()
	summary, err := s.Import(ctx, corpus.NewReader(bytes.NewReader(asLines(t, file)), "test").All(), store.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return summary
}

// generated returns a store with the demonstration.
func generated(t testing.TB) (*store.Store, demo.Corpus) {
	t.Helper()
	s := storetest.New(t)
	c := demo.Generate(demo.Options{Seed: 1, Now: time.Now().Add(-time.Hour)})
	if err := demo.Load(ctx, s, c); err != nil {
		t.Fatal(err)
	}
	return s, c
}

// medium returns a store with trees of 10 messages by 7 users, and the ids of these messages.
func medium(t testing.TB, trees int) (*store.Store, []uuid.UUID) {
	t.Helper()
	var file strings.Builder
	var ids []uuid.UUID
	for range 10 * trees {
		one := uuid.New()
		place := len(ids) % 10
		parent, role := "null", "prompter"
		if place > 0 {
			parent, role = `"`+ids[len(ids)-1-(place-1)/2].String()+`"`, "assistant"
		}
		fmt.Fprintf(&file, `{"message_id": %q, "parent_id": %s, "user_id": %q, "role": %q, "text": %q, "review_result": true}
`, one, parent, id(fmt.Sprintf("%02x", len(ids)%7+1)), role, strings.Repeat(one.String()+" ", 10))
		ids = append(ids, one)
	}
	s := storetest.New(t)
	if summary := take(t, s, []byte(file.String())); summary.Faults() || summary.Trees != int64(trees) {
		t.Fatalf("%+v", summary)
	}
	return s, ids
}

// again imports a file into an empty database, exports it, and compares the bytes.
func again(t *testing.T, file []byte, f exports.Filters) {
	t.Helper()
	s := storetest.New(t)
	if summary := take(t, s, file); summary.Faults() {
		t.Fatalf("the file is not taken back: %+v", summary)
	}
	second, _ := export(t, s, f)
	if len(file) == 0 || !bytes.Equal(file, second) {
		t.Errorf("the second export of %d bytes differs from the first one of %d: %s", len(second), len(file),
			firstDifference(string(file), string(second)))
	}
}

func firstDifference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return fmt.Sprintf("line %d:\n%.1000s\n%.1000s", i+1, as[i], bs[i])
		}
	}
	return "one has more lines"
}

// TestRoundTrip imports real files, exports them, imports the export into an empty
// database and exports that.
func TestRoundTrip(t *testing.T) {
	dir := os.Getenv("TREEWARDEN_CORPORA")
	if dir == "" {
		t.Skip("SKIPPED: TREEWARDEN_CORPORA is not set; it names the folder with the public data sets that this test reads")
	}
	files, err := filepath.Glob(filepath.Join(dir, "oasst", "*.jsonl"))
	if err != nil || len(files) < 4 {
		t.Fatalf("found %d files: %v", len(files), err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			file, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			s := storetest.New(t)
			summary := take(t, s, file)
			for _, format := range exports.Formats {
				first, m := export(t, s, everything(format))
				if m.Out.Trees != summary.Trees || m.Out.Messages != summary.Messages {
					t.Errorf("%d trees and %d messages were imported, %d and %d are exported as %s", summary.Trees,
						summary.Messages, m.Out.Trees, m.Out.Messages, format)
				}
				again(t, first, everything(format))
				sameMessages(t, file, first, format)
			}
		})
	}
}

// sameMessages compares the messages of an export with those of the file that was
// imported, if they were in it once.
func sameMessages(t *testing.T, imported, exported []byte, format string) {
	t.Helper()
	times, want := map[uuid.UUID]int{}, map[uuid.UUID]corpus.Message{}
	for _, n := range nodes(t, imported) {
		n.Depth = 0
		if format == exports.Parquet {
			n.Events, n.Edited = nil, false // it has no columns for them
		}
		times[n.MessageID]++
		want[n.MessageID] = n
	}
	compared := 0
	for _, n := range nodes(t, exported) {
		n.Depth = 0
		if times[n.MessageID] == 1 {
			compared++
			if !reflect.DeepEqual(n, want[n.MessageID]) {
				t.Errorf("message %s was\n%+v\nand is\n%+v", n.MessageID, want[n.MessageID], n)
			}
		}
	}
	if compared < 10 {
		t.Errorf("only %d messages were compared", compared)
	}
}

// TestRoundTripOfTheDemonstration does the same with votes and reactions of single
// users, which an export sums.
func TestRoundTripOfTheDemonstration(t *testing.T) {
	t.Parallel()
	s, c := generated(t)
	formats := exports.Formats
	if testing.Short() {
		formats = formats[:1] // TestRoundTrip has all of them, with fewer messages
	}
	for _, format := range formats {
		file, m := export(t, s, everything(format))
		if m.Out.Messages != int64(len(c.Messages)) || m.Out.Trees != int64(len(c.Trees)) {
			t.Errorf("%d trees and %d messages are exported, of %d and %d", m.Out.Trees, m.Out.Messages, len(c.Trees),
				len(c.Messages))
		}
		for _, what := range []string{"who gave each label", "who reacted", "reports"} {
			if !slices.ContainsFunc(m.NotHeld, func(held string) bool { return strings.HasPrefix(held, what) }) {
				t.Errorf("the manifest does not say that a file does not hold %s: %q", what, m.NotHeld)
			}
		}
		if second, _ := export(t, s, everything(format)); !bytes.Equal(file, second) {
			t.Errorf("the same filters give other bytes: %s", firstDifference(string(file), string(second)))
		}
		again(t, file, everything(format))
	}
}

// TestFiguresAreThoseOfThePages compares labels, reactions and outputs in a file with
// those that pages show, which the database sums.
func TestFiguresAreThoseOfThePages(t *testing.T) {
	t.Parallel()
	s, _ := generated(t)
	storetest.Exec(t, s, `INSERT INTO label_aggregates (tree_id, message_id, spam, spam_count, toxicity_count, other)
		SELECT tree_id, message_id, 0.25, 3, 0, '{"x": {"value": 0.5, "count": 2}}' FROM messages
		WHERE message_id::text LIKE '%1'`)
	storetest.Exec(t, s, `INSERT INTO emoji_aggregates (tree_id, message_id, upvotes, red_flags, other)
		SELECT tree_id, message_id, 7, 0, '{"poop": 2, "skull": 0}' FROM messages WHERE message_id::text LIKE '%2'`)
	file, _ := export(t, s, everything(exports.Trees))
	found, err := messages.Select(ctx, storetest.DB(t, s), "")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[uuid.UUID]messages.Message{}
	for _, m := range found {
		shown[m.MessageID] = m
	}
	labelled := 0
	for _, n := range nodes(t, file) {
		m := shown[n.MessageID]
		if m.Detoxify != nil {
			m.Classifiers["detoxify"] = m.Detoxify
		}
		if len(m.Classifiers) == 0 {
			m.Classifiers = nil
		}
		if !maps.Equal(n.Emojis, m.Emojis) || (n.Emojis == nil) != (m.Emojis == nil) {
			t.Errorf("message %s has the reactions %v, pages show %v", n.MessageID, n.Emojis, m.Emojis)
		}
		if !reflect.DeepEqual(n.Classifiers, m.Classifiers) {
			t.Errorf("message %s has the outputs %v, pages show %v", n.MessageID, n.Classifiers, m.Classifiers)
		}
		if (n.Labels == nil) != (m.Labels == nil) || len(n.Labels) != len(m.Labels) {
			t.Errorf("message %s has the labels %v, pages show %v", n.MessageID, n.Labels, m.Labels)
		}
		for name, label := range m.Labels {
			labelled++
			if got := n.Labels[name]; !reflect.DeepEqual(got, corpus.Label(label)) {
				t.Errorf("message %s has %s %+v, pages show %+v", n.MessageID, name, got, label)
			}
		}
	}
	if labelled < 1000 {
		t.Errorf("only %d labels were compared", labelled)
	}
}

// TestPermission exports as each role.
func TestPermission(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	for role, may := range map[string]bool{policy.Moderator: false, policy.DataLead: true, policy.Admin: true} {
		var forbidden *store.Forbidden
		a, err := s.Exports(storetest.Staff(t, s, role))
		if may != (err == nil) || !may && (!errors.As(err, &forbidden) || forbidden.Permission != policy.Export) {
			t.Errorf("a %s who exports gets %v", role, err)
		}
		if may && !strings.HasPrefix(a.By, role) {
			t.Errorf("the manifest would name %q", a.By)
		}
	}
}

// TestPersonalDataIsNotExported looks for names and addresses in a whole export.
func TestPersonalDataIsNotExported(t *testing.T) {
	t.Parallel()
	s, _ := medium(t, 300)
	storetest.Exec(t, s, `UPDATE users SET display_name = 'Privateperson ' || user_id,
		email = user_id || '@private.example', username = 'signs-in-' || user_id, notes = 'Noteworthy'`)
	file, _ := export(t, s, everything(exports.Trees))
	for _, private := range []string{"Privateperson", "private.example", "signs-in-", "Noteworthy", "import"} {
		if bytes.Contains(file, []byte(private)) {
			t.Errorf("the file holds %q", private)
		}
	}
}

// broken is a file on a full disk.
type broken struct{ room int }

var errFull = errors.New("the disk is full")

func (b *broken) Write(p []byte) (int, error) {
	if b.room -= len(p); b.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// TestFailedExports fills the disk and cancels.
func TestFailedExports(t *testing.T) {
	t.Parallel()
	s, _ := medium(t, 300)
	for _, format := range exports.Formats {
		for _, zip := range []bool{false, true} {
			if zip && format == exports.Parquet {
				continue
			}
			for _, room := range []int{0, 50 << 10} {
				_, err := access(t, s).Write(ctx, &broken{room}, exports.Options{Filters: everything(format), Gzip: zip})
				if !errors.Is(err, errFull) {
					t.Errorf("with room for %d bytes, an export of %s says %v", room, format, err)
				}
			}
		}
		cancelled, cancel := context.WithCancel(ctx)
		_, err := access(t, s).Write(cancelled, &bytes.Buffer{}, exports.Options{Filters: everything(format),
			Progress: func(done, total int64) {
				if done > total {
					t.Errorf("%d messages of %d are done", done, total)
				}
				cancel()
			}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled export of %s says %v", format, err)
		}
		cancel()
	}
}

// TestManifest reads the manifest of a compressed file.
func TestManifest(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	storetest.Tree(t, s, storetest.Node{})
	var out, same bytes.Buffer
	o := exports.Options{Filters: exports.Filters{State: "growing", Seed: "secret"}, File: "x.jsonl.gz", Gzip: true,
		Program: "v1"}
	m, err := access(t, s).Write(ctx, &out, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := access(t, s).Write(ctx, &same, o); err != nil || !bytes.Equal(out.Bytes(), same.Bytes()) {
		t.Errorf("the same filters give other compressed bytes (%v)", err)
	}
	check(t, out.Bytes(), m)
	text, err := m.Text()
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	if err := json.Unmarshal(text, &keys); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"file", "format", "sha256", "bytes", "at", "by", "program", "formula", "log", "filters",
		"in", "out", "left_out", "languages", "roles", "not_held"} {
		if keys[key] == nil {
			t.Errorf("the manifest has no %s: %s", key, text)
		}
	}
	status, err := s.ChainStatus(ctx)
	if err != nil || m.Log != status || m.Program != "treewarden v1" || m.By != "command line" || m.Formula.Version < 1 {
		t.Errorf("%s (%v)", text, err)
	}
	if strings.Contains(string(text), "secret") || !m.Filters.Anonymized {
		t.Errorf("the manifest holds the seed, or does not say that there was one: %s", text)
	}
	if _, err := exports.ReadManifest([]byte(`{"file": "x"}`)); err == nil {
		t.Error("another JSON object is taken for a manifest")
	}
}
