package e2e

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// list makes a list without the browser, and returns the path of its page. A
// list of that name is made once.
func (w *world) list(t *testing.T, role, name, kind, note string) string {
	t.Helper()
	var id uuid.UUID
	row := storetest.DB(t, w.store).QueryRow(t.Context(), "SELECT list_id FROM lists WHERE name = $1", name)
	if row.Scan(&id) != nil {
		id = uuid.New()
		w.act(t, role, store.Act{Kind: "create_list", Target: id,
			Params: store.ListParams{Name: &name, Kind: &kind, Note: &note}})
	}
	return "/lists/" + id.String()
}

// listOfAll makes a list with items of every state, in many languages, and
// audits it. It returns the path of its page.
func (w *world) listOfAll(t *testing.T) string {
	t.Helper()
	path := w.list(t, policy.DataLead, "Spam and insults in the collection of May, before the second release "+
		strings.Repeat("of the year, ", 8)+"at last", "bad", "What two of us read and agreed on.\nרשימה של הודעות")
	id := uuid.MustParse(strings.TrimPrefix(path, "/lists/"))
	if w.one(t, "SELECT items::text FROM lists WHERE list_id = $1", id) != "0" {
		return path
	}
	rows, err := storetest.DB(t, w.store).Query(t.Context(), `SELECT message_id FROM (
		(SELECT message_id FROM messages WHERE deleted ORDER BY message_id LIMIT 3) UNION
		(SELECT message_id FROM messages WHERE NOT deleted AND NOT edited ORDER BY message_id LIMIT 25) UNION
		(SELECT m.message_id FROM messages m JOIN trees t USING (tree_id) WHERE t.state = 'halted_by_moderator'
			ORDER BY 1 LIMIT 2) UNION
		(SELECT message_id FROM messages WHERE lang IN ('ar', 'he', 'fa', 'th', 'zh') ORDER BY message_id LIMIT 6)) m`)
	if err != nil {
		t.Fatal(err)
	}
	var items []store.NewItem
	for rows.Next() {
		var item store.NewItem
		if err := rows.Scan(&item.MessageID); err != nil {
			t.Fatal(err)
		}
		if len(items)%4 == 0 {
			item.Note = "the same as on the sheet of " + strings.Repeat("April ", len(items)%7)
		}
		items = append(items, item)
	}
	items = append(items, store.NewItem{MessageID: uuid.New(), Note: "לא נמצא"})
	lead := w.staff[policy.DataLead]
	if _, _, err := w.store.AddToList(t.Context(), lead, id, store.AddParams{Items: items}, "the sheet", ""); err != nil {
		t.Fatal(err)
	}
	edited := uuid.MustParse(w.one(t, `SELECT message_id::text FROM list_items JOIN messages USING (message_id)
		WHERE list_id = $1 AND NOT deleted AND length(text) BETWEEN 40 AND 300 ORDER BY 1 LIMIT 1`, id))
	w.act(t, policy.Moderator, store.Act{Kind: "edit", Target: edited, Reason: "a typing error", Params: store.EditParams{
		Text: "Another beginning: " + w.one(t, "SELECT text FROM messages WHERE message_id = $1", edited)}})
	if _, err := w.store.AuditList(t.Context(), lead, id); err != nil {
		t.Fatal(err)
	}
	return path
}

// jobOf makes a job on a list that nobody takes, and returns the path of its page.
func (w *world) jobOf(t *testing.T, list, state string, done int) string {
	t.Helper()
	return "/jobs/" + w.one(t,
		`INSERT INTO jobs (job_id, kind, actor_id, via, request, state, done, total, error, heartbeat)
		VALUES (gen_random_uuid(), 'apply_list', $1, 'session', jsonb_build_object('target', $2::text, 'reason',
			'Agreed on by two of us', 'params', NULL), $3, $4, 3400,
			CASE $3 WHEN 'failed' THEN 'The list would delete another number of messages now.' ELSE '' END,
			now() + interval '1 day') RETURNING job_id::text`,
		w.staff[policy.Moderator].UserID, strings.TrimPrefix(list, "/lists/"), state, done)
}

// pasteBadly pastes lines of every kind.
func pasteBadly(b *tab) {
	b.paste(uuid.NewString() + "\n" + uuid.NewString() + uuid.NewString() + "\nspam, I think\n1.23E+35\n" +
		"\u202eright to left: מילה\n" + uuid.NewString() + " with a note")
	b.see(".faults")
}

// paste sends a text by the form that adds messages to a list.
func (b *tab) paste(text string) int64 {
	b.t.Helper()
	b.see("#add-items")
	eval[bool](b, "(document.querySelector('#add-items').value = "+quote(text)+") !== null")
	return b.follow(".add-form button.btn-primary")
}

// TestLists makes a list, pastes ids, audits it, removes an item and takes that
// back.
func TestLists(t *testing.T) {
	w := newWorld(t)
	ids := storetest.Tree(t, w.store, storetest.Node{Author: storetest.User(t, w.store, "Author"),
		Text: "How do bees sleep?", Replies: []storetest.Node{{Text: "Upside down."}, {Text: "Standing."}}})
	b := signedIn(t, w, policy.Moderator)
	b.pressFollow("gl")
	b.wantText("h1", "Lists")
	b.wantText(".empty", "No list yet")
	b.click(".empty a.btn-primary")
	b.see(dialog)
	b.press("Before the release")
	b.wantStatus(b.follow(confirm), 200)
	b.wantText("h1", "Before the release")
	b.wantText(".toast", "Created the list")

	b.wantStatus(b.follow(".empty a.btn-primary"), 200)
	b.expect(422)
	b.wantStatus(b.follow(".add-form button.btn-primary"), 422)
	b.wantText("#add-items-more .error", "Paste at least one message id")
	b.wantStatus(b.paste(ids[0].String()+" twice\n"+ids[1].String()+"\nnonsense\n"+ids[0].String()), 200)
	if got := b.text(".added .numbers"); !strings.Contains(got, "2") {
		t.Errorf("the numbers are %s", got)
	}
	b.wantText(".faults", "nonsense")
	w.act(t, policy.Admin, store.Act{Kind: "delete", Target: ids[1], Reason: "for the test"})

	b.wantStatus(b.follow(".page-head .actions a.btn-primary"), 200)
	b.wantStatus(b.follow(".audit-line button"), 200)
	b.wantText(".states", "Deleted 1")
	b.wantStatus(b.follow("//nav[@aria-label='State']/a[contains(., 'Deleted')]"), 200)
	b.wantText(".items tbody", "Upside down.")
	b.wantStatus(b.follow(".items tbody .tools form button"), 200)
	b.wantText(".empty", "No items match")
	b.wantStatus(b.follow(toastUndo), 200)
	b.wantText(".items tbody", "Upside down.")

	w.applyAndUndo(t, strings.Split(b.at(), "?")[0])

	b.visit("/messages/" + ids[2].String())
	b.press("l")
	b.see(dialog)
	b.wantText("#choose-to", "Before the release (bad, 2 items)")
	b.fill("#choose-note", "by the menu")
	b.wantStatus(b.follow(confirm), 200)
	b.wantText(".on-lists", "Before the release")
	b.wantStatus(b.follow(toastUndo), 200)
	b.gone(".on-lists")
}

// applyAndUndo deletes what is on a list as an admin, and takes that back.
func (w *world) applyAndUndo(t *testing.T, list string) {
	t.Helper()
	b := signedIn(t, w, policy.Admin)
	b.visit(list)
	b.wantStatus(b.follow(".page-head .actions a.btn-danger"), 200)
	b.wantText("h1", "Delete the messages on a list")
	b.wantText(".numbers", "2")
	b.wantText(".apply .feed", "How do bees sleep?")
	b.fill("#apply-reason", "before the release")
	b.wantText(".form-foot button", "Delete 2 messages")
	b.wantStatus(b.follow(".form-foot button"), 200)
	b.wantText(".toast", "Deleted the messages on the list")
	b.wantStatus(b.follow(".audit-line button"), 200)
	b.wantText(".states", "Deleted 2")
	b.visit(list + "?done=" + w.one(t, "SELECT max(id)::text FROM actions WHERE kind = 'apply_list'"))
	b.wantStatus(b.follow(toastUndo), 200)
	b.wantStatus(b.follow(".audit-line button"), 200)
	b.wantText(".states", "Deleted 1")
}

// TestLongListGoesOn opens a state that only the last item of a long list is in. The pages
// are cut before they are through with the list, and go on by themselves.
func TestLongListGoesOn(t *testing.T) {
	w := demonstration(t)
	path := w.list(t, policy.DataLead, "Sixty thousand ids", "custom", "")
	gone := uuid.MustParse(w.one(t, "SELECT message_id::text FROM messages WHERE deleted ORDER BY message_id LIMIT 1"))
	items := make([]store.NewItem, 60_000)
	for i := range items {
		items[i].MessageID = uuid.New()
	}
	items[len(items)-1].MessageID = gone
	if _, _, err := w.store.AddToList(t.Context(), w.staff[policy.DataLead],
		uuid.MustParse(strings.TrimPrefix(path, "/lists/")), store.AddParams{Items: items}, "a long sheet", ""); err != nil {
		t.Fatal(err)
	}
	b := signedIn(t, w, policy.DataLead)
	b.visit(path + "?state=deleted")
	b.until("the item shows", "document.getElementById('i-"+gone.String()+"') !== null")
	b.visit(path + "?state=halted")
	b.until("nothing was found to the end", "document.querySelector('[data-go-on]') === null && "+
		"document.querySelector('[data-row]') === null && document.querySelector('.empty') !== null")
}
