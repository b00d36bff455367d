package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/corpus"
	"treewarden/store"
	"treewarden/store/storetest"
)

// flat converts trees to lines of one message each. Each line also has the data of
// its tree.
func flat(t testing.TB, text []byte) []string {
	t.Helper()
	var lines []string
	for record, err := range corpus.NewReader(bytes.NewReader(text), "").All() {
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range record.Messages {
			m.Depth = 0
			one := corpus.Record{Tree: record.Tree, Messages: []corpus.Message{m}}
			lines = append(lines, string(one.Append(nil))+"\n")
		}
	}
	return lines
}

// TestImportFlat checks that three files give the same database: one tree in each
// line, one message in each line, and the same in random order.
func TestImportFlat(t *testing.T) {
	t.Parallel()
	text := benchCorpus(300)
	trees := storetest.New(t)
	importText(t, trees, string(text))
	want := dump(t, trees, false)

	lines := flat(t, text)
	inOrder := storetest.New(t)
	wantCounts(t, importText(t, inOrder, strings.Join(lines, "")), count(t, trees, "trees"), 300, count(t, trees, "users"),
		0, 0, 0, 0)
	if d := diff(want, dump(t, inOrder, false)); d != "" {
		t.Errorf("one message in each line gives another database: %s", d)
	}
	for seed := range uint64(2) {
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		shuffled := storetest.New(t)
		summary := importWith(t, shuffled, strings.Join(lines, ""), store.ImportOptions{Batch: 50})
		wantCounts(t, summary, count(t, trees, "trees"), 300, count(t, trees, "users"), 0, 0, 0, 0)
		if d := diff(want, dump(t, shuffled, false)); d != "" {
			t.Errorf("the order of seed %d gives another database: %s", seed, d)
		}
	}
}

func count(t testing.TB, s *store.Store, table string) int64 {
	t.Helper()
	var n int64
	if err := storetest.DB(t, s).QueryRow(context.Background(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestImportDryRun checks that a dry run returns the summary of the real import and
// writes nothing.
func TestImportDryRun(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	importText(t, s, line(1, 0, "")+line(2, 1, `"classifiers": {"m": {"a": 1}}`)+line(3, 22, ""))
	file := fixture(t, "tree.jsonl") + fixture(t, "flat.jsonl") + fixture(t, "rows.jsonl") + fixture(t, "tree.jsonl") +
		"{\n" +
		line(1, 0, `"lang": "en", "user_id": "`+testID(99)+`"`) + line(2, 1, `"classifiers": {"m": {"a": 1}}`) +
		line(2, 1, `"classifiers": {"m": {"b": 1}}`) +
		line(22, 1, "") + line(25, 24, "") + line(24, 5, "") + line(5, 2, "") + line(32, 34, "") + line(34, 32, "") +
		line(2, 5, "") +
		line(5, 2, "") + line(5, 2, `"lang": "de"`)
	before := dump(t, s, true)
	dry := importWith(t, s, file, store.ImportOptions{DryRun: true, Batch: 4})
	if d := diff(before, dump(t, s, true)); d != "" {
		t.Errorf("a dry run wrote: %s", d)
	}
	wet := importWith(t, s, file, store.ImportOptions{Batch: 4})
	if counts(dry) != counts(wet) {
		t.Errorf("the dry run counts %v, the import %v", counts(dry), counts(wet))
	}
	if fmt.Sprint(dry.Errors) != fmt.Sprint(wet.Errors) {
		t.Errorf("the dry run names\n%v, the import\n%v", dry.Errors, wet.Errors)
	}
}

// TestImportNamesBadLines checks that an import names every bad line and takes all
// others.
func TestImportNamesBadLines(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	deep := strings.Repeat(`{"message_id": "`+testID(1)+`", "replies": [`, 100_000)
	bad := []string{"{", `{"message_id": 1}`, `{"message_id": "x", "text": "", "role": "prompter"}`, `{}`, "[]",
		`{"message_id": "` + testID(3) + `", "text": "", "role": "system"}`,
		strings.TrimSpace(line(5, 5, "")), deep, strings.TrimSpace(line(7, 0, `"text": "\u0000"`)),
		strings.TrimSpace(line(9, 0, "\"text\": \"\xff\"")), " "}
	var lines strings.Builder
	for i, b := range bad {
		fmt.Fprint(&lines, line(100+2*i+1, 0, ""), b, "\n")
	}
	summary := importText(t, s, lines.String())
	wantCounts(t, summary, int64(len(bad)), int64(len(bad)), 0, 0, 0, int64(len(bad)), 0)
	for i, f := range summary.Errors {
		if f.Line != 2*i+2 || f.Code == "" || f.Message == "" || f.File != "test.jsonl" {
			t.Errorf("bad line %d is named %+v", i, f)
		}
	}
	many := importText(t, s, strings.Repeat("{\n", 250))
	if many.Rejected != 250 || len(many.Errors) != 100 {
		t.Errorf("%d refused, %d named", many.Rejected, len(many.Errors))
	}
}

// TestImportDeepThreads checks that the limit of depth is the same for replies in
// separate lines and in one line.
func TestImportDeepThreads(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	var lines strings.Builder
	for i := range corpus.MaxDepth + 3 {
		lines.WriteString(line(i+1, i, ""))
	}
	summary := importText(t, s, lines.String())
	wantCounts(t, summary, 1, corpus.MaxDepth+1, 0, 0, 0, 1, 1)
	if summary.Errors[0].Code != corpus.TooDeep || summary.Errors[1].Code != corpus.Orphan {
		t.Errorf("the errors are %v", summary.Errors)
	}
	// The import keeps a branch of the maximum depth until its parent comes.
	branch := strings.TrimSpace(line(2*corpus.MaxDepth+1, 0, ""))
	for i := corpus.MaxDepth - 1; i > 0; i-- {
		branch = strings.TrimSpace(line(corpus.MaxDepth+1+i, 0, `"replies": [`+branch+`]`))
	}
	branch = strings.Replace(branch, `"parent_id": null`, `"parent_id": "`+testID(3001)+`"`, 1) + "\n"
	waiting := storetest.New(t)
	wantCounts(t, importText(t, waiting, branch), 0, 0, 0, 0, 0, 0, 1)
	wantCounts(t, importText(t, waiting, line(3001, 0, "")), 1, corpus.MaxDepth+1, 0, 0, 0, 0, 0)

	upwards := storetest.New(t)
	for i := corpus.MaxDepth; i >= 0; i-- {
		lines.WriteString(line(i+1, i, ""))
	}
	all := strings.SplitAfter(lines.String(), "\n")
	wantCounts(t, importWith(t, upwards, strings.Join(all[corpus.MaxDepth+3:], ""), store.ImportOptions{Batch: 100}), 1,
		corpus.MaxDepth+1, 0, 0, 0, 0, 0)
}

// TestImportStoppedAndStartedAgain checks that an import that was stopped several
// times ends with the same database as one that was not.
func TestImportStoppedAndStartedAgain(t *testing.T) {
	t.Parallel()
	// Trees and single messages in random order, so that many messages come before
	// their parent.
	lines := append(flat(t, benchCorpus(300)), strings.SplitAfter(string(benchCorpus(700)), "\n")[30:]...)
	random := rand.New(rand.NewPCG(7, 7))
	random.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	file := strings.Join(lines, "")
	clean := storetest.New(t)
	importWith(t, clean, file, store.ImportOptions{Batch: 100})

	s := storetest.New(t)
	const stops = 6
	for stop := range stops + 1 {
		ctx, cancel := context.WithCancel(context.Background())
		last := len(lines) * stop / stops // the import stops after this line, or while it writes earlier lines
		// The goroutine that reads may outlive its import, so it must not use random.
		delay := time.Duration(random.IntN(50)) * time.Millisecond
		_, err := s.Import(ctx, func(yield func(*corpus.Record, error) bool) {
			for record, err := range corpus.NewReader(strings.NewReader(file), "").All() {
				if record.Line > last && stop < stops {
					time.AfterFunc(delay, cancel)
					<-ctx.Done()
				}
				if !yield(record, err) {
					return
				}
			}
		}, store.ImportOptions{Batch: 100})
		cancel()
		if (err == nil) != (stop == stops) {
			t.Fatalf("stop %d: %v", stop, err)
		}
	}
	if d := diff(dump(t, clean, false), dump(t, s, false)); d != "" {
		t.Errorf("an import that was stopped gives another database: %s", d)
	}
}

// TestImportChild is the process that TestImportKilled kills.
func TestImportChild(t *testing.T) {
	url := os.Getenv("TREEWARDEN_TEST_IMPORT_INTO")
	if url == "" {
		t.Skip("TestImportKilled runs this test in a child process")
	}
	s, err := store.Open(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	text := benchCorpus(1500)
	if _, err := s.Import(context.Background(), corpus.NewReader(bytes.NewReader(text), "").All(),
		store.ImportOptions{Batch: 100}); err != nil {
		t.Fatal(err)
	}
}

// TestImportKilled kills the importing process with SIGKILL, each time later,
// until one run is complete.
func TestImportKilled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts processes")
	}
	clean := storetest.New(t)
	text := benchCorpus(1500)
	importWith(t, clean, string(text), store.ImportOptions{Batch: 100})

	url := storetest.Database(t)
	for kills := 0; ; kills++ {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(200+400*kills)*time.Millisecond)
		child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestImportChild$", "-test.count=1")
		child.Env = append(os.Environ(), "TREEWARDEN_TEST_IMPORT_INTO="+url)
		out, err := child.CombinedOutput()
		cancel()
		if err == nil {
			t.Logf("the import was complete after %d kills", kills)
			break
		}
		if ctx.Err() == nil {
			t.Fatalf("the child failed before it was killed: %v\n%s", err, out)
		}
	}
	s, err := store.Open(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	again, err := s.Import(context.Background(), corpus.NewReader(bytes.NewReader(text), "").All(), store.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wantCounts(t, again, 0, 0, 0, 0, 1500, 0, 0)
	if faults, err := s.VerifyScores(context.Background()); err != nil || len(faults) > 0 {
		t.Errorf("counters are wrong: %v %v", faults, err)
	}
}

// TestImportsAtOnce checks that imports wait for the one that runs, and log this if
// they wait long.
func TestImportsAtOnce(t *testing.T) {
	t.Parallel()
	text := benchCorpus(500)
	clean := storetest.New(t)
	importText(t, clean, string(text))

	s := storetest.New(t)
	var log bytes.Buffer
	var group sync.WaitGroup
	var mutex sync.Mutex
	handler := slog.New(slog.NewTextHandler(writer(func(p []byte) (int, error) {
		mutex.Lock()
		defer mutex.Unlock()
		return log.Write(p)
	}), nil))
	logged := func() bool {
		mutex.Lock()
		defer mutex.Unlock()
		return strings.Contains(log.String(), "another import is running")
	}
	var known, fresh int64
	for range 3 {
		group.Go(func() {
			held := false
			summary, err := s.Import(context.Background(), corpus.NewReader(bytes.NewReader(text), "").All(),
				store.ImportOptions{Batch: 100, Log: handler, Progress: func(store.ImportSummary) {
					// The first import waits until another one has logged that it waits.
					for !held && !logged() {
						time.Sleep(10 * time.Millisecond)
					}
					held = true
				}})
			if err != nil {
				t.Error(err)
			}
			mutex.Lock()
			defer mutex.Unlock()
			fresh, known = fresh+summary.Messages, known+summary.Unchanged
		})
	}
	group.Wait()
	if fresh != 500 || known != 1000 {
		t.Errorf("three imports of the same 500 messages: %d are new, %d unchanged", fresh, known)
	}
	if d := diff(dump(t, clean, false), dump(t, s, false)); d != "" {
		t.Errorf("three imports at once give another database than one: %s", d)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// TestImportBesideStaff imports changed files while staff act on the same trees.
// No decision is lost, and no counter is wrong.
func TestImportBesideStaff(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	text := benchCorpus(200)
	importText(t, s, string(text))
	var ids []uuid.UUID
	for record := range corpus.NewReader(bytes.NewReader(text), "").All() {
		for _, m := range record.Messages {
			if !m.Deleted {
				ids = append(ids, m.MessageID)
			}
		}
	}
	moderator := storetest.Staff(t, s, "moderator")
	ctx, stop := context.WithCancel(context.Background())
	deleted := map[uuid.UUID]bool{}
	var group sync.WaitGroup
	group.Go(func() {
		random := rand.New(rand.NewPCG(3, 3))
		for ctx.Err() == nil {
			id := ids[random.IntN(len(ids))]
			kind := "delete"
			if deleted[id] {
				kind = "undelete"
			}
			_, err := s.Act(context.Background(), moderator, store.Act{Kind: kind, Target: id, Reason: "a test of both at once"})
			var conflict *store.Conflict
			if err != nil && !errors.As(err, &conflict) {
				t.Errorf("%s: %v", kind, err)
			}
			if err == nil {
				deleted[id] = kind == "delete"
			}
		}
	})
	for round := range 4 {
		more := strings.ReplaceAll(string(text), `"+1": `, fmt.Sprintf(`"+1": %d`, round+1))
		more = strings.ReplaceAll(more, `"deleted": true`, `"deleted": false`)
		summary, err := s.Import(context.Background(), corpus.NewReader(strings.NewReader(more), "").All(),
			store.ImportOptions{Batch: 50})
		if err != nil || summary.Faults() || summary.Updated == 0 {
			t.Errorf("round %d: %+v %v", round, summary, err)
		}
	}
	stop()
	group.Wait()
	for id, byStaff := range deleted {
		if got := one(t, s, `SELECT deleted FROM messages WHERE message_id = $1`, id); byStaff && got != "true" {
			t.Errorf("staff deleted %s, but an import restored it", id)
		}
	}
	if faults, err := s.VerifyScores(context.Background()); err != nil || len(faults) > 0 {
		t.Errorf("counters are wrong: %v %v", faults, err)
	}
	t.Logf("staff acted on %d messages meanwhile", len(deleted))
}

// TestImportMemory checks that memory does not grow with the size of the file.
func TestImportMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("imports a large file")
	}
	s := storetest.New(t)
	body := strings.Repeat("x", 1<<20)
	const lines = 250
	at := 0
	var highest uint64
	source := func(yield func(*corpus.Record, error) bool) {
		parser := corpus.NewParser()
		for ; at < lines; at++ {
			record, bad := parser.Parse([]byte(strings.TrimSpace(line(1+at, 0, `"events": ["`+body+`"]`))))
			if bad != nil {
				t.Error(bad)
				return
			}
			record.Size = len(body)
			if !yield(record, nil) {
				return
			}
			if at%20 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				highest = max(highest, m.HeapInuse)
			}
		}
	}
	summary, err := s.Import(context.Background(), source, store.ImportOptions{})
	if err != nil || summary.Messages != lines {
		t.Fatalf("%+v %v", summary, err)
	}
	const most = 500 << 20
	if highest > most {
		t.Errorf("%d MB of heap for %d MB of lines", highest>>20, lines)
	}
	t.Logf("at most %d MB of heap for %d MB of lines", highest>>20, lines)
}
