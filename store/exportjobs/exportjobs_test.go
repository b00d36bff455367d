package exportjobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/corpus"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/db"
	"treewarden/store/exportjobs"
	"treewarden/store/exports"
	"treewarden/store/jobs"
	"treewarden/store/storetest"
)

var ctx = context.Background()

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// world is a store with messages, and a data lead who may export.
type world struct {
	*store.Store
	t    *testing.T
	lead store.Actor
}

// newWorld returns a store with trees of 10 messages.
func newWorld(t *testing.T, trees int) world {
	t.Helper()
	var file strings.Builder
	for n := range 10 * trees {
		id, parent, role := messageID(n), "null", "prompter"
		if n%10 > 0 {
			parent, role = `"`+messageID(n-n%10)+`"`, "assistant"
		}
		fmt.Fprintf(&file, `{"message_id": %q, "parent_id": %s, "user_id": "a0000000-0000-4000-8000-00000000000%d", `+
			`"role": %q, "text": %q, "review_result": true}`+"\n", id, parent, n%7, role, strings.Repeat(id+" ", 10))
	}
	s := storetest.New(t)
	summary, err := s.Import(ctx, corpus.NewReader(strings.NewReader(file.String()), "test").All(), store.ImportOptions{})
	if err != nil || summary.Trees != int64(trees) {
		t.Fatalf("%+v %v", summary, err)
	}
	return world{s, t, storetest.Staff(t, s, policy.DataLead)}
}

func messageID(n int) string { return fmt.Sprintf("c0000000-0000-4000-8000-%012d", n) }

// all are the filters that keep every message of a world.
func all(format string) exports.Flags { return exports.Flags{Format: format, State: exports.AllStates} }

func (w world) access() exportjobs.Access {
	w.t.Helper()
	access, err := w.Exports(w.lead)
	if err != nil {
		w.t.Fatal(err)
	}
	return exportjobs.Access{Access: access, Person: w.lead.UserID, Via: w.lead.Via}
}

func (w world) order(o exportjobs.Order) exportjobs.Export {
	w.t.Helper()
	e, err := w.access().Create(ctx, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

func (w world) run() {
	w.t.Helper()
	if err := w.RunExports(ctx, "v1"); err != nil {
		w.t.Fatal(err)
	}
}

func (w world) byID(id uuid.UUID) exportjobs.Export {
	w.t.Helper()
	e, err := w.access().ByID(ctx, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// file reads the file of an export in its parts.
func (w world) file(id uuid.UUID) []byte {
	w.t.Helper()
	file, err := w.access().File(ctx, id)
	if err != nil {
		w.t.Fatal(err)
	}
	var all []byte
	for n := range file.Parts {
		part, err := file.Part(ctx, n)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, part...)
	}
	if int64(len(all)) != file.Bytes {
		w.t.Errorf("the file has %d bytes, not %d", len(all), file.Bytes)
	}
	return all
}

func (w world) count(sql string, args ...any) (n int) {
	w.t.Helper()
	if err := storetest.DB(w.t, w.Store).QueryRow(ctx, sql, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// wantWhole checks that an export is done, that its file is the one that the command
// writes, and that the file is as its manifest says.
func (w world) wantWhole(e exportjobs.Export, seed string) {
	w.t.Helper()
	if e = w.byID(e.ExportID); e.State != jobs.Done || e.Error != "" || e.Done != e.Total || e.Manifest == nil {
		w.t.Fatalf("the export is %+v", e)
	}
	flags := e.Filters
	flags.AnonymizerSeed = seed
	f, err := flags.Filters()
	if err != nil {
		w.t.Fatal(err)
	}
	var command bytes.Buffer
	m, err := w.access().Write(ctx, &command, exports.Options{Filters: f, File: e.File,
		Gzip: strings.HasSuffix(e.File, ".gz"), Program: "v1"})
	if err != nil {
		w.t.Fatal(err)
	}
	file := w.file(e.ExportID)
	if !bytes.Equal(file, command.Bytes()) || *e.SHA256 != m.SHA256 {
		w.t.Errorf("%s has %d bytes, and the command writes %d others", e.File, len(file), command.Len())
	}
	name, text, err := w.access().Manifest(ctx, e.ExportID)
	if err != nil || name != e.File+".manifest.json" {
		w.t.Fatalf("the manifest is called %q: %v", name, err)
	}
	read, err := exports.ReadManifest([]byte(text))
	if err != nil {
		w.t.Fatal(err)
	}
	content, err := read.Read(bytes.NewReader(file), int64(len(file)), false)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, difference := range read.Differences(content) {
		w.t.Error(difference)
	}
	if read.By != w.lead.Name || read.Out.Messages == 0 {
		w.t.Errorf("the manifest is %s", text)
	}
}

// TestFilesAreThoseOfTheCommand orders files of more than one part in each format.
func TestFilesAreThoseOfTheCommand(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 300)
	var ordered []exportjobs.Export
	for _, format := range exports.Formats {
		e := w.order(exportjobs.Order{Flags: all(format), Out: format + ".data"})
		if e.State != jobs.Queued || e.Manifest != nil || e.Bytes != nil || e.KeptUntil != nil {
			t.Errorf("before it ran, the export is %+v", e)
		}
		var conflict exportjobs.Conflict
		if _, err := w.access().File(ctx, e.ExportID); !errors.As(err, &conflict) {
			t.Errorf("the file of an export that waits: %v", err)
		}
		ordered = append(ordered, e, w.order(exportjobs.Order{Flags: all(format)}))
	}
	w.run()
	for _, e := range ordered {
		w.wantWhole(e, "")
	}
	if n := w.count("SELECT count(*) FROM export_chunks WHERE part = 1 AND export_id = $1", ordered[0].ExportID); n != 1 {
		t.Error("the file has one part only")
	}
	var names []string
	for i := 1; i < len(ordered); i += 2 {
		names = append(names, ordered[i].File)
	}
	want := []string{"trees.jsonl.gz", "messages.jsonl.gz", "messages.csv", "messages.parquet"}
	if !slices.Equal(names, want) {
		t.Errorf("files without names are called %q, want %q", names, want)
	}
	list, err := w.access().All(ctx, db.Page{Limit: 3})
	if err != nil || len(list.Items) != 3 || list.Next == nil ||
		list.Items[0].ExportID != ordered[len(ordered)-1].ExportID ||
		list.Items[0].Manifest == nil {
		t.Errorf("the list is %+v, %v", list, err)
	}
}

// TestSeedIsForgotten anonymizes a file. The seed is nowhere when the job has ended.
func TestSeedIsForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	flags := all(exports.Messages)
	flags.AnonymizerSeed = "a secret seed"
	e := w.order(exportjobs.Order{Flags: flags})
	if e.Filters.AnonymizerSeed != "" || !e.Anonymized {
		t.Errorf("the export is %+v", e)
	}
	cancelled := w.order(exportjobs.Order{Flags: flags})
	if _, err := w.CancelJob(ctx, w.lead, cancelled.ExportID); err != nil {
		t.Fatal(err)
	}
	w.run()
	w.wantWhole(e, "a secret seed")
	if bytes.Contains(w.file(e.ExportID), []byte(messageID(1)[:20])) {
		t.Error("the ids were not replaced")
	}
	if n := w.count("SELECT count(*) FROM exports e, jobs j WHERE e::text || j::text LIKE '%secret seed%'"); n != 0 {
		t.Error("the seed is still in the database")
	}
}

// TestTakenUpAgain stops a process half-way. Another one writes the file from the
// beginning, and what the first one left is removed.
func TestTakenUpAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 600)
	e := w.order(exportjobs.Order{Flags: all(exports.Messages), Out: "all.jsonl"})
	first, kill := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		for w.count("SELECT count(*) FROM export_chunks") == 0 && first.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		kill()
	})
	if err := w.RunExports(first, "v1"); !errors.Is(err, context.Canceled) {
		t.Fatalf("a process that was stopped half-way says %v", err)
	}
	watching.Wait()
	if now := w.byID(e.ExportID); now.State != jobs.Running || now.Attempt != 1 {
		t.Fatalf("then the export is %+v", now)
	}
	w.run() // nobody takes it as long as its process may live
	if now := w.byID(e.ExportID); now.State != jobs.Running || now.Attempt != 1 {
		t.Fatalf("it was taken too early: %+v", now)
	}
	// A process that is killed leaves chunks and no heartbeat.
	storetest.Exec(t, w.Store, `INSERT INTO export_chunks VALUES ($1, 1, 0, 'left'), ($1, 1, 99, 'left')
		ON CONFLICT DO NOTHING`, e.ExportID)
	storetest.Exec(t, w.Store, "UPDATE jobs SET heartbeat = now() - interval '1 minute'")
	if err := storetest.Another(t, w.Store).RunExports(ctx, "v1"); err != nil {
		t.Fatal(err)
	}
	w.wantWhole(e, "")
	if n := w.count("SELECT count(*) FROM export_chunks WHERE attempt = 1"); n != 0 {
		t.Errorf("%d chunks of the first attempt are left", n)
	}
}

// TestOvertaken has another process begin an export while one writes it: only the later
// one ends it.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 600)
	e := w.order(exportjobs.Order{Flags: all(exports.Messages), Out: "all.jsonl"})
	var other sync.WaitGroup
	other.Go(func() {
		for w.count("SELECT count(*) FROM export_chunks") == 0 {
			time.Sleep(time.Millisecond)
		}
		storetest.Exec(t, w.Store, "UPDATE exports SET attempt = attempt + 1")
	})
	if err := w.RunExports(ctx, "v1"); err == nil {
		t.Error("the process that was overtaken ended the export")
	}
	other.Wait()
	if now := w.byID(e.ExportID); now.State != jobs.Running {
		t.Errorf("then the export is %+v", now)
	}
	// And then the program is stopped again and again.
	storetest.Exec(t, w.Store, "UPDATE jobs SET heartbeat = now() - interval '1 minute'")
	storetest.Exec(t, w.Store, "UPDATE exports SET attempt = 5")
	w.run()
	if now := w.byID(e.ExportID); now.State != jobs.Failed || !strings.Contains(now.Error, "begun 5 times") {
		t.Errorf("an export that never ends is %+v", now)
	}
	if n := w.count("SELECT count(*) FROM export_chunks"); n != 0 {
		t.Errorf("%d chunks are left", n)
	}
}

// TestTwoInstances has two processes write eight files.
func TestTwoInstances(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 100)
	var ordered []exportjobs.Export
	for range 8 {
		ordered = append(ordered, w.order(exportjobs.Order{Flags: all(exports.Trees)}))
	}
	other := storetest.Another(t, w.Store)
	var running sync.WaitGroup
	for _, s := range []*store.Store{w.Store, other} {
		running.Go(func() {
			if err := s.RunExports(ctx, "v1"); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	for _, e := range ordered {
		w.wantWhole(e, "")
	}
	if n := w.count("SELECT count(*) FROM exports WHERE attempt <> 1"); n != 0 {
		t.Errorf("%d exports were written twice", n)
	}
}

// TestCancel cancels an export that waits, and one that runs.
func TestCancel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	waits, runs := w.order(exportjobs.Order{Flags: all("")}), w.order(exportjobs.Order{Flags: all("")})
	var forbidden *store.Forbidden
	moderator := storetest.Staff(t, w.Store, policy.Moderator)
	if _, err := w.CancelJob(ctx, moderator, waits.ExportID); !errors.As(err, &forbidden) {
		t.Errorf("a moderator cancels it: %v", err)
	}
	if _, err := w.CancelJob(ctx, w.lead, waits.ExportID); err != nil {
		t.Fatal(err)
	}
	// The export waits for this lock until it is cancelled.
	tx, err := storetest.DB(t, w.Store).Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(ctx) //nolint:errcheck // it releases the lock
	if _, err := tx.Exec(ctx, "LOCK TABLE export_chunks IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- w.RunExports(ctx, "v1") }()
	for w.byID(runs.ExportID).State != jobs.Running {
		time.Sleep(5 * time.Millisecond)
	}
	if _, err := w.CancelJob(ctx, w.lead, runs.ExportID); err != nil {
		t.Fatal(err)
	}
	for w.byID(runs.ExportID).State == jobs.Running {
		time.Sleep(5 * time.Millisecond)
	}
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	var conflict exportjobs.Conflict
	for _, e := range []exportjobs.Export{waits, runs} {
		if now := w.byID(e.ExportID); now.State != jobs.Cancelled || now.HasFile() {
			t.Errorf("a cancelled export is %+v", now)
		}
		if _, err := w.access().File(ctx, e.ExportID); !errors.As(err, &conflict) {
			t.Errorf("the file of a cancelled export: %v", err)
		}
	}
	if n := w.count("SELECT count(*) FROM export_chunks"); n != 0 {
		t.Errorf("%d chunks are left", n)
	}
}

// TestOldFilesAreRemoved keeps the newest files for a week. The rest of an export stays.
func TestOldFilesAreRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	var ordered []exportjobs.Export
	for i := range exportjobs.KeptFiles {
		ordered = append(ordered, w.order(exportjobs.Order{Flags: all(""), IdempotencyKey: fmt.Sprint(i)}))
	}
	var conflict exportjobs.Conflict
	if _, err := w.access().Create(ctx, exportjobs.Order{}); !errors.As(err, &conflict) {
		t.Errorf("one more that waits: %v", err)
	}
	if again := w.order(exportjobs.Order{Flags: all(""), IdempotencyKey: "0"}); again.ExportID != ordered[0].ExportID {
		t.Error("an order that is sent again is another one")
	}
	w.run()
	storetest.Exec(t, w.Store, "UPDATE jobs SET ended_at = ended_at - interval '8 days' WHERE job_id = $1",
		ordered[3].ExportID)
	for range 2 {
		ordered = append(ordered, w.order(exportjobs.Order{Flags: all("")}))
	}
	w.run()
	w.run()
	gone := 0
	for i, e := range ordered {
		e = w.byID(e.ExportID)
		_, err := w.access().File(ctx, e.ExportID)
		if e.Gone != errors.Is(err, exportjobs.ErrGone) || e.Gone == e.HasFile() || i >= exportjobs.KeptFiles && e.Gone {
			t.Errorf("export %d is gone: %t, and its file says %v", i, e.Gone, err)
		}
		if e.Gone {
			gone++
		}
		if _, _, err := w.access().Manifest(ctx, e.ExportID); err != nil || e.Manifest == nil || e.ActorName != w.lead.Name {
			t.Errorf("the rest of export %d is %+v, %v", i, e, err)
		}
	}
	if kept := w.count("SELECT count(DISTINCT export_id) FROM export_chunks"); gone != 2 || kept != exportjobs.KeptFiles {
		t.Errorf("%d files are gone, and %d are kept", gone, kept)
	}
}

// TestWrongOrders names the field of each wrong order, and keeps nothing of it.
func TestWrongOrders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	name := func(out string) exportjobs.Order { return exportjobs.Order{Out: out} }
	with := func(all ...exports.Flags) (orders []exportjobs.Order) {
		for _, f := range all {
			orders = append(orders, exportjobs.Order{Flags: f})
		}
		return orders
	}
	for field, orders := range map[string][]exportjobs.Order{
		"out": {name("../../etc/passwd"), name(".hidden"), name("a\"\r\nSet-Cookie: x"), name("\u202efile"), name("a/b"),
			name(`a\b`), name("a b"), name("ж.jsonl"), name("-rf"), name(strings.Repeat("a", 101)), name("\x00"), name(" ")},
		"format":        with(exports.Flags{Format: "xml"}, exports.Flags{Format: "trees", DeletedOnly: true}),
		"state":         with(exports.Flags{State: "grown"}, exports.Flags{State: "growing", User: uuid.NewString()}),
		"deleted_only":  with(exports.Flags{DeletedOnly: true, IncludeDeleted: true}),
		"user":          with(exports.Flags{User: "ada"}, exports.Flags{User: uuid.NewString()}),
		"since":         with(exports.Flags{Since: "yesterday"}),
		"until":         with(exports.Flags{Until: "2023-02-30"}, exports.Flags{Since: "2023-02-01", Until: "2023-01-01"}),
		"limit":         with(exports.Flags{Limit: -1}),
		"deleted_nodes": with(exports.Flags{DeletedNodes: "keep"}),
		"without_list": with(exports.Flags{WithoutList: []string{"no such list"}},
			exports.Flags{WithoutList: []string{"\x00"}}),
		"without_classifier": with(exports.Flags{WithoutClassifier: []string{"toxic"}}),
	} {
		for _, o := range orders {
			var invalid db.Invalid
			if _, err := w.access().Create(ctx, o); !errors.As(err, &invalid) || invalid[field] == "" {
				t.Errorf("%+v: %v", o, err)
			}
		}
	}
	if n := w.count("SELECT count(*) FROM jobs"); n != 0 {
		t.Errorf("%d jobs were made", n)
	}
}

// TestSameKey orders twice with one Idempotency-Key.
func TestSameKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	o := exportjobs.Order{Flags: all(""), IdempotencyKey: "once"}
	if one, two := w.order(o), w.order(o); one.ExportID != two.ExportID {
		t.Errorf("there are two exports: %s and %s", one.ExportID, two.ExportID)
	}
	var conflict exportjobs.Conflict
	for _, change := range []func(*exportjobs.Order){
		func(o *exportjobs.Order) { o.Limit = 3 }, func(o *exportjobs.Order) { o.AnonymizerSeed = "s" },
		func(o *exportjobs.Order) { o.Out = "b.jsonl" },
	} {
		other := o
		change(&other)
		if _, err := w.access().Create(ctx, other); !errors.As(err, &conflict) {
			t.Errorf("another order with the same key: %v", err)
		}
	}
	// A key that an act on many messages has used.
	acted := jobs.ID(w.lead.UserID, "acted")
	storetest.Exec(t, w.Store, `INSERT INTO jobs (job_id, kind, actor_id, via, request, state)
		VALUES ($1, 'apply_list', $2, 'session', '{}', 'done')`, acted, w.lead.UserID)
	o.IdempotencyKey = "acted"
	if _, err := w.access().Create(ctx, o); !errors.As(err, &conflict) {
		t.Errorf("the key of an act: %v", err)
	}
}

// TestWithdrawnPermission takes the permission away between the order and the export, and
// removes a list that an order leaves out.
func TestWithdrawnPermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	name, kind, list := "Bad", "bad", uuid.New()
	if _, err := w.Act(ctx, w.lead, store.Act{Kind: "create_list", Target: list,
		Params: store.ListParams{Name: &name, Kind: &kind}}); err != nil {
		t.Fatal(err)
	}
	flags := all("")
	flags.WithoutList = []string{"Bad"}
	listed := w.order(exportjobs.Order{Flags: flags})
	storetest.Exec(t, w.Store, "UPDATE lists SET removed = true")
	w.run()
	if e := w.byID(listed.ExportID); e.State != jobs.Failed || !strings.Contains(e.Error, "no list") {
		t.Errorf("the export is %+v", e)
	}
	e := w.order(exportjobs.Order{Flags: all("")})
	storetest.Exec(t, w.Store, "UPDATE users SET role = 'moderator' WHERE user_id = $1", w.lead.UserID)
	w.run()
	if e = w.byID(e.ExportID); e.State != jobs.Failed || !strings.Contains(e.Error, "export.create") {
		t.Errorf("the export is %+v", e)
	}
}
