package admin

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/exportjobs"
	"treewarden/store/exports"
	"treewarden/store/storetest"
)

// exported makes two exports that are done, and returns one of them.
func (w *world) exported() (id uuid.UUID) {
	w.t.Helper()
	lead := storetest.Staff(w.t, w.store, policy.DataLead)
	access, err := w.store.Exports(lead)
	if err != nil {
		w.t.Fatal(err)
	}
	orders := exportjobs.Access{Access: access, Person: lead.UserID, Via: lead.Via}
	for range 2 {
		e, err := orders.Create(w.t.Context(), exportjobs.Order{})
		if err != nil {
			w.t.Fatal(err)
		}
		id = e.ExportID
	}
	if err := w.store.RunExports(w.t.Context(), "test"); err != nil {
		w.t.Fatal(err)
	}
	return id
}

// exporter is a data lead with a session, and messages to export.
type exporter struct {
	*client
	store  *store.Store
	server *Server
}

func newExporter(t *testing.T) exporter {
	t.Helper()
	s := storetest.New(t)
	author := storetest.User(t, s, "Author")
	for range 40 {
		long := strings.Repeat(uuid.NewString()+" ", 350)
		storetest.Tree(t, s, storetest.Node{Author: author, Text: long, Replies: []storetest.Node{
			{Author: author, Text: long}, {Author: author, Text: "gone", Deleted: true}}})
	}
	server := newServer(t, s)
	return exporter{staff(t, server, policy.DataLead), s, server}
}

func (e exporter) run() {
	e.t.Helper()
	if err := e.store.RunExports(e.t.Context(), "v1"); err != nil {
		e.t.Fatal(err)
	}
}

// order orders an export by the API, and returns its address.
func (e exporter) order(body object) string {
	e.t.Helper()
	a := e.send(http.MethodPost, apiPrefix+"/exports", body).want(202)
	job, _ := a.field("job").(map[string]any)
	if job["kind"] != "export" || job["state"] != "queued" {
		e.t.Fatalf("the job is %s", a.body)
	}
	return apiPrefix + "/exports/" + job["job_id"].(string)
}

// command returns what the command export writes.
func (e exporter) command(flags exports.Flags, gzip bool) []byte {
	e.t.Helper()
	f, err := flags.Filters()
	if err != nil {
		e.t.Fatal(err)
	}
	access, err := e.store.Exports(store.CommandLine)
	if err != nil {
		e.t.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := access.Write(e.t.Context(), &file, exports.Options{Filters: f, Gzip: gzip}); err != nil {
		e.t.Fatal(err)
	}
	return file.Bytes()
}

// TestExportAPI orders files with the API, watches them, and downloads them: they are
// those of the command, and as their manifests say.
func TestExportAPI(t *testing.T) {
	t.Parallel()
	e := newExporter(t)
	for _, c := range []struct {
		name  string
		body  object
		flags exports.Flags
	}{
		{"trees.jsonl.gz", object{"state": "all"}, exports.Flags{State: "all"}},
		{"release-2.jsonl", object{"state": "growing", "format": "messages", "include_deleted": true, "include_spam": true,
			"out": "release-2.jsonl", "without_banned": true, "without_classifier": []string{"detoxify.toxicity>0.8"},
			"until": "2100-01-01", "limit": 39}, exports.Flags{State: "growing", Format: "messages", IncludeDeleted: true,
			IncludeSpam: true, Limit: 39}},
		{"messages.jsonl.gz", object{"state": "all", "deleted_only": true, "anonymizer_seed": "s", "export_labels": true},
			exports.Flags{State: "all", DeletedOnly: true, AnonymizerSeed: "s", ExportLabels: true}},
	} {
		path := e.order(c.body)
		waits := e.get(path).want(200)
		if waits.field("state") != "queued" || waits.field("manifest") != nil || waits.field("file") != c.name {
			t.Errorf("before it runs: %s", waits.body)
		}
		for _, part := range []string{"/file", "/manifest", "/card"} {
			if a := e.get(path + part).want(409); !strings.Contains(a.body, "not done yet") {
				t.Errorf("%s of an export that waits: %s", part, a.body)
			}
		}
		e.run()
		done := e.get(path).want(200)
		job := e.get(strings.Replace(path, "/exports/", "/jobs/", 1)).want(200)
		if done.field("state") != "done" || done.field("done") != done.field("total") || job.field("state") != "done" ||
			done.field("total") != 120.0 || done.field("error") != "" {
			t.Errorf("%s is %s", c.name, done.body)
		}
		file := e.get(path + "/file").want(200)
		if want := e.command(c.flags, strings.HasSuffix(c.name, ".gz")); file.body != string(want) {
			t.Errorf("%s has %d bytes, and the command writes %d others", c.name, len(file.body), len(want))
		}
		if got := file.header.Get("Content-Disposition"); got != `attachment; filename=`+c.name {
			t.Errorf("the file is sent as %s", got)
		}
		text := e.get(path + "/manifest").want(200)
		if got := text.header.Get("Content-Disposition"); got != `attachment; filename=`+c.name+".manifest.json" {
			t.Errorf("the manifest is sent as %s", got)
		}
		card := e.get(path + "/card").want(200)
		if got := card.header.Get("Content-Disposition"); got != `attachment; filename=`+c.name+".README.md" ||
			!strings.Contains(card.body, "license:") || !strings.Contains(card.body, c.name) {
			t.Errorf("the card is sent as %s: %s", got, card.body)
		}
		m, err := exports.ReadManifest([]byte(text.body))
		if err != nil {
			t.Fatal(err)
		}
		content, err := m.Read(strings.NewReader(file.body), int64(len(file.body)), false)
		if err != nil {
			t.Fatal(err)
		}
		for _, difference := range m.Differences(content) {
			t.Errorf("%s: %s", c.name, difference)
		}
		if m.Out.Messages == 0 || m.Program != "treewarden v1" || !strings.HasPrefix(m.By, policy.DataLead) {
			t.Errorf("the manifest is %s", text.body)
		}
	}
	var list store.List[exportjobs.Export]
	e.get(apiPrefix + "/exports?limit=2").want(200).json(&list)
	if len(list.Items) != 2 || list.Next == nil || list.Items[0].File != "messages.jsonl.gz" ||
		list.Items[0].Manifest == nil {
		t.Errorf("the list is %+v", list)
	}
}

// TestExportIsAllowedToFew refuses all of it to moderators, by pages and by the API, and
// what is no export to all.
func TestExportIsAllowedToFew(t *testing.T) {
	t.Parallel()
	e := newExporter(t)
	path := e.order(object{"state": "all"})
	e.run()
	moderator := staff(t, e.server, policy.Moderator)
	page := strings.TrimPrefix(path, apiPrefix)
	for _, address := range []string{path, path + "/file", path + "/manifest", path + "/card", apiPrefix + "/exports",
		page, page + "/file", page + "/manifest", page + "/card", "/exports", "/exports/new"} {
		if a := moderator.get(address).want(403); !strings.Contains(a.body, "export.create") {
			t.Errorf("%s is refused with %s", address, a.body)
		}
		e.get(address).want(200)
	}
	moderator.send(http.MethodPost, apiPrefix+"/exports", object{}).want(403)
	moderator.post("/exports", url.Values{}).want(403)
	moderator.send(http.MethodPost, strings.Replace(path, "/exports/", "/jobs/", 1)+"/cancel", object{}).want(403)
	if n := moderator.get("/").want(200).page().Find("nav a[href='/exports']").Length(); n != 0 {
		t.Error("a moderator is led to the exports")
	}
	if n := e.get("/").want(200).page().Find("nav a[href='/exports']").Length(); n == 0 {
		t.Error("a data lead is not led to the exports")
	}
	other := uuid.New() // the job of an act
	storetest.Exec(t, e.store, `INSERT INTO jobs (job_id, kind, actor_id, via, request, state)
		VALUES ($1, 'apply_list', $2, 'session', '{}', 'done')`, other, e.self())
	for _, id := range []string{other.String(), uuid.NewString()} {
		for _, part := range []string{"", "/file", "/manifest", "/card"} {
			e.get(apiPrefix + "/exports/" + id + part).want(404)
		}
	}
}

// TestExportFileIsGone reads the file of an export after its time.
func TestExportFileIsGone(t *testing.T) {
	t.Parallel()
	e := newExporter(t)
	path := e.order(object{"state": "all"})
	e.run()
	storetest.Exec(t, e.store, "UPDATE jobs SET ended_at = now() - interval '8 days'")
	e.run()
	if a := e.get(path + "/file").want(410); !strings.Contains(a.body, `"gone"`) || !strings.Contains(a.body, "7 days") {
		t.Errorf("the file is gone: %s", a.body)
	}
	e.get(path + "/manifest").want(200)
	page := e.get(strings.TrimPrefix(path, apiPrefix)).want(200)
	if page.page().Find("#export-file").Length() != 0 || page.page().Find("#export-manifest").Length() != 1 ||
		!strings.Contains(page.text("#export"), "The file was removed") {
		t.Errorf("its page: %s", page.text("main"))
	}
	if list := e.get("/exports").want(200); !strings.Contains(list.text("tbody tr"), "File removed") {
		t.Errorf("the list: %s", list.text("main"))
	}
	e.get(strings.TrimPrefix(path, apiPrefix) + "/file").want(410)
}

// TestWrongExports names the field of what is wrong with an order.
func TestWrongExports(t *testing.T) {
	t.Parallel()
	e := newExporter(t)
	for field, value := range map[string]any{
		"format": "xml", "state": "grown", "include_deleted": "yes", "user": uuid.NewString(), "limit": -1,
		"without_list": []any{"no such list"}, "without_classifier": []any{"toxic"}, "since": "yesterday",
		"until": "2023-02-30", "deleted_nodes": "keep", "out": "../../etc/passwd", "anonymizer": "s", "deleted": "only",
		"key": "k", "anonymized": true,
	} {
		a := e.send(http.MethodPost, apiPrefix+"/exports", object{field: value}).want(422)
		fields, _ := a.field("error").(map[string]any)["fields"].(map[string]any)
		if fields[field] == nil {
			t.Errorf("%s is not named: %s", field, a.body)
		}
	}
	for _, out := range []string{"a\"\r\nSet-Cookie: x", "\u202efile", "a;b", "con\x7f", "файл", "a\x00", ".."} {
		e.send(http.MethodPost, apiPrefix+"/exports", object{"out": out}).want(422)
	}
	form := url.Values{"out": {"<b>.gz"}, "since": {"soon <i>"}, "limit": {"many"},
		"classifiers": {"detoxify.toxicity>0.8\ntoxic"}, "deleted": {"only"}, "key": {"k"}}
	page := e.post("/exports", form).want(422)
	for selector, want := range map[string]string{"#x-out": "<b>.gz", "#x-since": "soon <i>", "#x-limit": "many"} {
		if got, _ := page.page().Find(selector).Attr("value"); got != want {
			t.Errorf("%s holds %q", selector, got)
		}
	}
	if page.text("#x-limit-more .error") == "" || page.text("#x-deleted option[selected]") != "Only these" ||
		!strings.Contains(page.text("#x-classifiers"), "toxic") {
		t.Errorf("the form: %s", page.text("main"))
	}
	form.Set("limit", "3")
	if page = e.post("/exports", form).want(422); page.text("#x-since-more .error") == "" {
		t.Errorf("the form: %s", page.text("main"))
	}
	e.post("/exports", url.Values{"deleted": {"none"}}).want(422)
}

// TestExportPages orders an export by the form, watches it, cancels it, orders it again
// and downloads it.
func TestExportPages(t *testing.T) {
	t.Parallel()
	e := newExporter(t)
	name, kind, list := "<Bad> & worse", "bad", uuid.New()
	if _, err := e.store.Act(t.Context(), store.CommandLine, store.Act{Kind: "create_list", Target: list,
		Params: store.ListParams{Name: &name, Kind: &kind}}); err != nil {
		t.Fatal(err)
	}
	if empty := e.get("/exports").want(200); !strings.Contains(empty.text(".empty"), "No export yet") {
		t.Errorf("without exports: %s", empty.text("main"))
	}
	form := bulkForm(e.get("/exports/new").want(200), "main form")
	if boxes := form["without_list"]; len(boxes) != 1 || boxes[0] != list.String() {
		t.Errorf("the form offers the lists %v", boxes)
	}
	for _, box := range []string{"prompts_only", "export_events", "without_banned", "export_labels"} {
		form.Del(box)
	}
	form.Set("state", "all")
	form.Set("deleted", "include")
	form.Set("out", "march.jsonl.gz")
	to := e.post("/exports", form).want(303).header.Get("Location")
	if again := e.post("/exports", form).want(303).header.Get("Location"); again != to {
		t.Errorf("a second click leads to %s", again)
	}
	page := e.get(to).want(200)
	if page.page().Find("#export[data-refresh]").Length() != 1 || !strings.Contains(page.text("#export"), "Waiting") ||
		!strings.Contains(page.body, `<noscript><meta http-equiv="refresh"`) ||
		!strings.Contains(page.text("main"), "in any state") {
		t.Errorf("the page of an export: %s", page.text("main"))
	}
	cancel, _ := page.page().Find("#export form").Attr("action")
	job := e.post(cancel, nil).want(303).header.Get("Location")
	if back := e.get(job).want(303).header.Get("Location"); back != to {
		t.Errorf("the page of its job leads to %s", back)
	}
	page = e.get(to).want(200)
	if !strings.Contains(page.text("#export"), "Cancelled") ||
		page.page().Find("[data-refresh], #export form").Length() != 0 {
		t.Errorf("a cancelled export: %s", page.text("main"))
	}

	form.Set("key", "another")
	to = e.post("/exports", form).want(303).header.Get("Location")
	storetest.Exec(t, e.store, `UPDATE jobs SET state = 'running', done = 30, total = 120, heartbeat = now()
		WHERE state = 'queued'`)
	if page = e.get(to).want(200); !strings.Contains(page.text("#export"), "Running Looked at 30 of 120 messages") {
		t.Errorf("a running export: %s", page.text("main"))
	}
	if row := e.get("/exports").want(200); row.page().Find("#exports[data-refresh] tbody tr").Length() != 2 ||
		!strings.Contains(row.text("tbody tr:first-child"), "Running 25 %") {
		t.Errorf("the list: %s", row.text("main"))
	}
	storetest.Exec(t, e.store, "UPDATE jobs SET heartbeat = now() - interval '1 minute' WHERE state = 'running'")
	e.run()
	page = e.get(to).want(200)
	if !strings.Contains(page.text("#export"), "Done 120 messages in 40 trees") ||
		!strings.Contains(page.text("#export"), "Nothing was left out of 120 messages") ||
		!strings.Contains(page.text("main"), "Without the list<Bad> & worse") {
		t.Errorf("an export that is done: %s", page.text("main"))
	}
	href, _ := page.page().Find("#export-file").Attr("href")
	want := e.command(exports.Flags{State: "all", IncludeDeleted: true}, true)
	if file := e.get(href).want(200); file.body != string(want) {
		t.Errorf("the file has %d bytes, and the command writes %d others", len(file.body), len(want))
	}
	href, _ = page.page().Find("#export-manifest").Attr("href")
	var m exports.Manifest
	if err := json.Unmarshal([]byte(e.get(href).want(200).body), &m); err != nil || m.SHA256 != page.text(".export-sum") {
		t.Errorf("the manifest has the SHA-256 %s: %v", m.SHA256, err)
	}
	row := e.get("/exports").want(200)
	if !strings.Contains(row.text("tbody tr:first-child"), "march.jsonl.gz Done 120") {
		t.Errorf("the list: %s", row.text("main"))
	}
	if csv := e.get("/exports?format=csv").want(200).body; !strings.Contains(csv, ",march.jsonl.gz,trees,done,120,40,") {
		t.Errorf("CSV: %s", csv)
	}
}

// TestExportKeyOfACaller sends an order twice with an Idempotency-Key, and cancels one
// that runs.
func TestExportKeyOfACaller(t *testing.T) {
	t.Parallel()
	e := newExporter(t)
	send := func(body string, status int) answer {
		t.Helper()
		return e.do(http.MethodPost, apiPrefix+"/exports", strings.NewReader(body), "application/json",
			"Idempotency-Key", "k").want(status)
	}
	one, two := send(`{"state": "all"}`, 202), send(`{"state": "all"}`, 202)
	if one.body != two.body {
		t.Errorf("two exports were made: %s %s", one.body, two.body)
	}
	send(`{"state": "growing"}`, 409)
	id := one.field("job").(map[string]any)["job_id"].(string)
	storetest.Exec(t, e.store, "UPDATE jobs SET state = 'running', heartbeat = now() - interval '1 minute', cancel = true")
	ended := make(chan error)
	// It holds the export until its job is cancelled, at the next heartbeat.
	tx, err := storetest.DB(t, e.store).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT FROM exports FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	go func() { ended <- e.store.RunExports(t.Context(), "v1") }()
	for e.get(apiPrefix+"/exports/"+id).want(200).field("state") == "running" {
		time.Sleep(10 * time.Millisecond)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if a := e.get(apiPrefix + "/exports/" + id).want(200); a.field("state") != "cancelled" || a.field("bytes") != nil {
		t.Errorf("a cancelled export is %s", a.body)
	}
	e.get(apiPrefix + "/exports/" + id + "/file").want(409)
}
