package e2e

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/exportjobs"
	"treewarden/store/exports"
	"treewarden/store/storetest"
)

// exportsOf makes exports in every state, unless they are there, and returns the path of
// the one whose file has a name.
func (w *world) exportsOf(t *testing.T, name string) string {
	t.Helper()
	if w.one(t, "SELECT count(*)::text FROM exports") == "0" {
		lead := w.staff[policy.DataLead]
		access, err := w.store.Exports(lead)
		if err != nil {
			t.Fatal(err)
		}
		a := exportjobs.Access{Access: access, Person: lead.UserID, Via: lead.Via}
		order := func(out string, flags exports.Flags) {
			t.Helper()
			if _, err := a.Create(t.Context(), exportjobs.Order{Flags: flags, Out: out}); err != nil {
				t.Fatal(err)
			}
		}
		order("removed.jsonl", exports.Flags{})
		order("the-second-release-of-the-collection-of-may-"+strings.Repeat("long-", 8)+"1.jsonl", exports.Flags{
			State: exports.AllStates, WithoutBanned: true, WithoutClassifier: []string{"detoxify.toxicity>0.8"},
			Since: "2023-01-31", AnonymizerSeed: "s", ExportLabels: true, DeletedNodes: exports.Blank})
		order("done.jsonl.gz", exports.Flags{State: exports.AllStates})
		if err := w.store.RunExports(t.Context(), "test"); err != nil {
			t.Fatal(err)
		}
		storetest.Exec(t, w.store, "UPDATE exports SET removed_at = now() WHERE file = 'removed.jsonl'")
		for state, job := range map[string]string{
			"running": "done = 1200, total = 3400", "failed": "error = 'There is no list “Bad”.'", "cancelled": "total = 0",
		} {
			order(state+".jsonl.gz", exports.Flags{})
			storetest.Exec(t, w.store, "UPDATE jobs SET state = $1, "+job+`, heartbeat = now() + interval '1 day'
				WHERE kind = 'export' AND state = 'queued'`, state)
		}
	}
	return "/exports/" + w.one(t, "SELECT export_id::text FROM exports WHERE file LIKE $1 || '%'", name)
}

// TestExport orders a file by the form, watches it, and downloads it.
func TestExport(t *testing.T) {
	w := newWorld(t)
	author := storetest.User(t, w.store, "Author")
	for range 5 {
		storetest.Tree(t, w.store, storetest.Node{Author: author, Text: "How do bees sleep? " + uuid.NewString(),
			Replies: []storetest.Node{{Author: author, Text: "Standing."}, {Author: author, Text: "Never.", Deleted: true}}})
	}
	b := signedIn(t, w, policy.DataLead)
	b.visit("/")
	b.pressFollow("ge")
	b.wantText("h1", "Exports")
	b.wantText(".empty", "No export yet")
	b.follow(".empty a")
	b.wantText("h1", "New export")

	b.fill("#x-out", "of bees.jsonl")
	b.choose("#x-state", "growing")
	b.expect(422)
	b.wantStatus(b.follow(".form-foot button"), 422)
	b.wantText("#x-out-more", "letters from a to z")
	if state := eval[string](b, "document.querySelector('#x-state').value"); state != "growing" ||
		b.attribute("#x-out", "value") != "of bees.jsonl" {
		t.Error("the refused form lost what was typed")
	}
	eval[bool](b, "(document.querySelector('#x-out').value = '') === ''")
	b.fill("#x-out", "bees.jsonl")
	b.follow(".form-foot button")
	b.wantText("#export .badge", "Waiting")
	if err := w.store.RunExports(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	b.wantText("#export .badge", "Done") // the page reads itself again
	b.wantText("#export", "10 messages in 5 trees")
	b.wantText("#export table", "Deleted")
	got := eval[string](b, `fetch(document.querySelector("#export-file").href).then(answer => answer.arrayBuffer())
		.then(file => crypto.subtle.digest("SHA-256", file))
		.then(sum => [...new Uint8Array(sum)].map(byte => byte.toString(16).padStart(2, "0")).join(""))`)
	if want := b.text(".export-sum"); got != want {
		t.Errorf("the file has the SHA-256 %s, the page says %s", got, want)
	}
	name := eval[string](b, `fetch(document.querySelector("#export-manifest").href)
		.then(answer => answer.json()).then(manifest => manifest.file)`)
	if name != "bees.jsonl" {
		t.Errorf("the manifest is of %q", name)
	}
	b.follow(".actions a[href='/exports']")
	b.wantText("#exports tbody tr", "bees.jsonl")
	b.see("#exports a[href$='/file']")
}

// wrongExport sends the form of an export with wrong fields.
func wrongExport(b *tab) {
	b.fill("#x-out", "../a b")
	b.expect(422)
	b.follow(".form-foot button")
	b.see("#x-out-more .error")
}
