package store_test

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/store"
	"treewarden/store/jobs"
	"treewarden/store/lists"
	"treewarden/store/storetest"
)

// newList creates a list and returns its id and the action.
func newList(t *testing.T, w world, name string) (uuid.UUID, store.Outcome) {
	t.Helper()
	id, kind := uuid.New(), "bad"
	return id, act(t, w.Store, w.moderator, store.Act{Kind: "create_list", Target: id,
		Params: store.ListParams{Name: &name, Kind: &kind}})
}

// add adds messages to a list.
func add(t *testing.T, w world, list uuid.UUID, ids ...uuid.UUID) (store.Outcome, store.Added) {
	t.Helper()
	var p store.AddParams
	for _, id := range ids {
		p.Items = append(p.Items, store.NewItem{MessageID: id, Note: "note of " + id.String()[:8]})
	}
	outcome, added, err := w.AddToList(ctx, w.moderator, list, p, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return outcome, added
}

// statesOf returns the state of each item of a list, and checks that the audit
// and the filter by state agree with it.
func statesOf(t *testing.T, w world, list uuid.UUID) map[uuid.UUID]string {
	t.Helper()
	page, err := w.ListItems(ctx, w.moderator, list, lists.ItemFilter{})
	if err != nil {
		t.Fatal(err)
	}
	states, counts := map[uuid.UUID]string{}, map[string]int64{}
	for _, state := range lists.States {
		counts[state] = 0
		narrow, err := w.ListItems(ctx, w.moderator, list, lists.ItemFilter{State: state})
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range narrow.Items {
			states[item.MessageID] = state
		}
	}
	for _, item := range page.Items {
		if counts[item.State]++; states[item.MessageID] != item.State {
			t.Errorf("%s is %s, and among the items that are %q", item.MessageID, item.State, states[item.MessageID])
		}
	}
	audit, err := w.AuditList(ctx, w.moderator, list)
	if err != nil || !maps.Equal(audit.Counts, counts) || audit.Items != int64(len(page.Items)) {
		t.Errorf("the audit counts %v (%v), the items are %v", audit, err, counts)
	}
	found, err := w.ListByID(ctx, w.moderator, list)
	if err != nil || found.Items != audit.Items || found.LastAudit == nil {
		t.Errorf("the list has %+v (%v)", found, err)
	}
	return states
}

func TestListStates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	halted := storetest.Tree(t, w.Store, storetest.Node{Author: w.other})
	banned := storetest.User(t, w.Store, "Banned")
	theirs := storetest.Tree(t, w.Store, storetest.Node{Author: banned})
	edited := storetest.Tree(t, w.Store, storetest.Node{Author: w.other, Text: "before"})
	unknown := uuid.New()
	list, _ := newList(t, w, "Bad messages")
	all := []uuid.UUID{w.prompt, w.deleted, halted[0], theirs[0], edited[0], unknown}
	_, added := add(t, w, list, append(slices.Clone(all), w.prompt)...)
	if added.Added != 5 || added.Duplicate != 1 || !slices.Equal(added.Missing, []uuid.UUID{unknown}) {
		t.Errorf("added %+v", added)
	}
	halt := act(t, w.Store, w.moderator, store.Act{Kind: "halt", Target: halted[0]})
	ban := act(t, w.Store, w.moderator, store.Act{Kind: "ban", Target: banned})
	edit := act(t, w.Store, w.moderator,
		store.Act{Kind: "edit", Target: edited[0], Params: store.EditParams{Text: "after"}})

	want := map[uuid.UUID]string{w.prompt: lists.Present, w.deleted: lists.Deleted, halted[0]: lists.Halted,
		theirs[0]: lists.AuthorBanned, edited[0]: lists.EditedSince, unknown: lists.Missing}
	if states := statesOf(t, w, list); !maps.Equal(states, want) {
		t.Errorf("the states are %v, want %v", states, want)
	}
	page, err := w.ListItems(ctx, w.moderator, list, lists.ItemFilter{})
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[uuid.UUID]int64{halted[0]: halt.Action.ID, theirs[0]: ban.Action.ID, edited[0]: edit.Action.ID}
	for i, item := range page.Items {
		if item.MessageID != all[i] {
			t.Errorf("item %d is %s, want %s: the order of the paste", i, item.MessageID, all[i])
		}
		if because := reasons[item.MessageID]; (because != 0) != (item.Action != nil) ||
			because != 0 && (*item.Action != because || item.Since == nil) {
			t.Errorf("%s is %s by action %v at %v, want %d", item.MessageID, item.State, item.Action, item.Since, because)
		}
		if before := item.TextBefore; (before != nil) != (item.MessageID == edited[0]) ||
			before != nil && *before != "before" {
			t.Errorf("%s had the text %v before", item.MessageID, before)
		}
	}
	act(t, w.Store, w.moderator, store.Act{Kind: "edit", Target: edited[0], Params: store.EditParams{Text: "before"}})
	if states := statesOf(t, w, list); states[edited[0]] != lists.Present {
		t.Errorf("a text that is again what it was is %s", states[edited[0]])
	}
	verify(t, w.Store)
}

// TestListPagesAreCut reads long lists page by page, with a time that is over at once.
func TestListPagesAreCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list, _ := newList(t, w, "Long")
	var all []uuid.UUID
	for range 6 {
		replies := make([]storetest.Node, 49)
		for i := range replies {
			replies[i] = storetest.Node{Author: w.other, Lang: "en"}
		}
		all = append(all, storetest.Tree(t, w.Store, storetest.Node{Author: w.other, Lang: "en", Replies: replies})...)
	}
	for range lists.Short { // missing ones
		all = append(all, uuid.New())
	}
	add(t, w, list, all...)
	gone := map[uuid.UUID]bool{all[288]: true, all[299]: true}
	for id := range gone {
		act(t, w.Store, w.moderator, store.Act{Kind: "delete", Target: id})
	}
	walk := func(f lists.ItemFilter) (found []uuid.UUID, cut int) {
		t.Helper()
		f.CutAfter, f.Limit = time.Nanosecond, 200
		for pages := 0; pages < 100; pages++ {
			page, err := w.ListItems(ctx, w.moderator, list, f)
			if err != nil {
				t.Fatal(err)
			}
			for _, item := range page.Items {
				found = append(found, item.MessageID)
			}
			if page.Cut {
				cut++
			}
			if page.Cut != (page.Note != "") || page.Cut && page.Next == nil {
				t.Errorf("a page is cut: %v, with the note %q and the next page %v", page.Cut, page.Note, page.Next)
			}
			if page.Next == nil {
				return found, cut
			}
			f.Cursor = *page.Next
		}
		t.Fatal("there is no end of pages")
		return nil, 0
	}
	if found, cut := walk(lists.ItemFilter{State: lists.Deleted}); cut == 0 ||
		!slices.Equal(found, []uuid.UUID{all[288], all[299]}) {
		t.Errorf("deleted are %v, after %d cut pages; want %v", found, cut, slices.Collect(maps.Keys(gone)))
	}
	if found, _ := walk(lists.ItemFilter{State: lists.Missing}); !slices.Equal(found, all[300:]) {
		t.Errorf("missing are %v, want %v", found, all[300:])
	}
	if found, cut := walk(lists.ItemFilter{State: lists.Halted}); cut == 0 || len(found) > 0 {
		t.Errorf("halted are %v, after %d cut pages", found, cut)
	}
	if found, _ := walk(lists.ItemFilter{Lang: "en"}); !slices.Equal(found, all[:300]) {
		t.Errorf("there are %d items in English, want 300 in their order", len(found))
	}
	if found, _ := walk(lists.ItemFilter{State: lists.Present, Q: "lang:en"}); len(found) != 298 {
		t.Errorf("there are %d present items in English, want 298", len(found))
	}
}

// TestListUndo undoes each action on a list.
func TestListUndo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	undo := func(of store.Outcome) error {
		_, err := w.Undo(ctx, w.admin, of.Action.ID, "not right", false, "")
		return err
	}
	conflict := func(err error, what string) {
		t.Helper()
		var refused *store.Conflict
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v", what, err)
		}
	}
	list, created := newList(t, w, "A list")
	first, _ := add(t, w, list, w.prompt, w.reply)
	second, _ := add(t, w, list, w.reply, w.deep)
	if second.Affected.Messages != 1 || first.Affected.Messages != 2 {
		t.Errorf("%+v, then %+v", first.Affected, second.Affected)
	}
	conflict(undo(created), "the creation of a list with items is undone")
	removed := act(t, w.Store, w.moderator, store.Act{Kind: "remove_from_list", Target: list,
		Params: store.RemoveParams{Items: []uuid.UUID{w.prompt, w.deep, uuid.New()}}})
	conflict(undo(first), "an addition is undone, of which an item was removed since")
	if err := undo(removed); err != nil {
		t.Fatal(err)
	}
	page, err := w.ListItems(ctx, w.moderator, list, lists.ItemFilter{})
	if err != nil || len(page.Items) != 3 || page.Items[0].MessageID != w.deep ||
		page.Items[1].Note != "note of "+w.prompt.String()[:8] || page.Items[1].AddedAction != first.Action.ID {
		t.Errorf("what was removed comes back as %+v (%v)", page.Items, err)
	}
	for _, of := range []store.Outcome{second, first} {
		if err := undo(of); err != nil {
			t.Fatal(err)
		}
	}
	if states := statesOf(t, w, list); len(states) != 0 {
		t.Errorf("after all was undone: %v", states)
	}

	name, archived := "Another name", true
	renamed := act(t, w.Store, w.moderator, store.Act{Kind: "update_list", Target: list,
		Params: store.ListParams{Name: &name, Archived: &archived}})
	_, _, err = w.AddToList(ctx, w.moderator, list, store.AddParams{Items: []store.NewItem{{MessageID: w.deep}}}, "", "")
	conflict(err, "an archived list is added to")
	found, err := w.ListByID(ctx, w.moderator, list)
	if err != nil || found.Name != name || !found.Archived || found.Kind != "bad" {
		t.Errorf("renamed: %+v %v", found, err)
	}
	if err := undo(renamed); err != nil {
		t.Fatal(err)
	}
	if found, err = w.ListByID(ctx, w.moderator, list); err != nil || found.Name != "A list" || found.Archived {
		t.Errorf("renamed back: %+v %v", found, err)
	}
	if err := undo(created); err != nil {
		t.Fatal(err)
	}
	if _, err := w.ListByID(ctx, w.moderator, list); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("after its creation was undone, the list is %v", err)
	}
	if _, err := w.VerifyChain(ctx); err != nil {
		t.Error(err)
	}
}

// TestAddByFilter adds what the list of messages finds, and finds it by the list.
func TestAddByFilter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list, _ := newList(t, w, "By filter")
	_, added, err := w.AddToList(ctx, w.moderator, list,
		store.AddParams{Filter: &store.MessageFilter{User: &w.troll, Deleted: "include"}}, "", "")
	if err != nil || added.Added != 3 {
		t.Fatalf("%+v %v", added, err)
	}
	for deleted, want := range map[string]int{"": 2, "include": 3, "only": 1} {
		page, err := w.Messages(ctx, w.moderator, store.MessageFilter{List: &list, Deleted: deleted})
		if err != nil || len(page.Items) != want {
			t.Errorf("deleted=%s finds %d messages on the list, want %d (%v)", deleted, len(page.Items), want, err)
		}
	}
	other, _ := newList(t, w, "Another")
	add(t, w, other, w.prompt, w.reply)
	compared, err := w.CompareList(ctx, w.moderator, list, lists.Other{List: other}, store.Page{})
	if err != nil || compared.Both.Count != 1 || compared.OnlyThis.Count != 2 || compared.OnlyOther.Count != 1 ||
		!slices.Equal(compared.OnlyOther.IDs.Items, []uuid.UUID{w.reply}) {
		t.Errorf("compared: %+v %v", compared, err)
	}
	storetest.Exec(t, w.Store, "UPDATE messages SET deletion_by_staff = true WHERE message_id = $1", w.belowDeleted)
	compared, err = w.CompareList(ctx, w.moderator, list, lists.Other{Deleted: true}, store.Page{Limit: 1})
	if err != nil || compared.Both.Count != 1 || compared.OnlyThis.Count != 2 || compared.OnlyOther.Count != 0 ||
		compared.OnlyThis.IDs.Next == nil {
		t.Fatalf("compared with what staff deleted: %+v %v", compared, err)
	}
	next, err := w.CompareList(ctx, w.moderator, list, lists.Other{Deleted: true},
		store.Page{Limit: 1, Cursor: *compared.OnlyThis.IDs.Next})
	if err != nil || len(next.OnlyThis.IDs.Items) != 1 || next.OnlyThis.IDs.Items[0] == compared.OnlyThis.IDs.Items[0] ||
		next.Both.Count != 1 {
		t.Errorf("its next page: %+v %v", next, err)
	}
}

// TestApplyList deletes what is present on a list, and nothing else of it.
func TestApplyList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	edited := storetest.Tree(t, w.Store, storetest.Node{Author: w.other, Text: "before"})
	kept := storetest.Tree(t, w.Store, storetest.Node{Author: w.other})
	list, _ := newList(t, w, "To delete")
	add(t, w, list, w.prompt, w.reply, w.deleted, edited[0], uuid.New())
	act(t, w.Store, w.moderator, store.Act{Kind: "edit", Target: edited[0], Params: store.EditParams{Text: "after"}})
	before := state(t, w.Store)
	preview, err := w.PreviewList(ctx, w.admin, store.Act{Target: list, Reason: "preview"})
	if err != nil {
		t.Fatal(err)
	}
	// The prompt, the reply on the list, and the reply below it; the others are deleted already.
	if preview.Expected != 3 || preview.Affected.OthersMessages != 1 || len(preview.Sample) != 2 ||
		preview.Left[lists.Deleted] != 1 || preview.Left[lists.EditedSince] != 1 || preview.Left[lists.Missing] != 1 {
		t.Errorf("the preview is %+v", preview)
	}
	wrong := int64(2)
	apply := store.Act{Kind: "apply_list", Target: list, Reason: "before the release",
		Params: store.ApplyParams{Expected: &wrong}}
	var conflict *store.Conflict
	if _, err := w.Act(ctx, w.admin, apply); !errors.As(err, &conflict) || conflict.Expected == nil ||
		*conflict.Expected != 3 {
		t.Errorf("with another number: %v", err)
	}
	var forbidden *store.Forbidden
	if _, err := w.Act(ctx, w.moderator, apply); !errors.As(err, &forbidden) {
		t.Errorf("by a moderator: %v", err)
	}
	if now := state(t, w.Store); now != before {
		t.Error("the preview or a refused act changed something")
	}
	apply.Params = store.ApplyParams{Expected: &preview.Expected}
	done := act(t, w.Store, w.admin, apply)
	if done.Affected != preview.Affected {
		t.Errorf("previewed %+v, done %+v", preview.Affected, done.Affected)
	}
	wantOne(t, w.Store, "0", "SELECT count(*) FROM messages WHERE tree_id = $1 AND NOT deleted", w.prompt)
	wantOne(t, w.Store, "false", "SELECT deleted FROM messages WHERE message_id = $1", kept[0])
	states := statesOf(t, w, list)
	if states[w.prompt] != lists.Deleted || states[edited[0]] != lists.EditedSince {
		t.Errorf("then the states are %v", states)
	}
	if again := act(t, w.Store, w.admin, store.Act{Kind: "apply_list", Target: list}); again.Action.ID != 0 {
		t.Errorf("applied again: %+v", again)
	}
	verify(t, w.Store)
	if _, err := w.Undo(ctx, w.admin, done.Action.ID, "too early", false, ""); err != nil {
		t.Fatal(err)
	}
	storetest.Exec(t, w.Store, "DELETE FROM list_audits")
	if now := state(t, w.Store); now != before {
		t.Error("the undo does not bring back what was")
	}
	verify(t, w.Store)
}

// TestApplyListAsJob deletes more messages than one request may.
func TestApplyListAsJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := storetest.Tree(t, w.Store, storetest.Node{Author: w.troll, Replies: slices.Repeat([]storetest.Node{{}}, 501)})
	list, _ := newList(t, w, "A large list")
	add(t, w, list, ids...)
	before := state(t, w.Store)
	expected := int64(len(ids))
	apply := store.Act{Kind: "apply_list", Target: list, Reason: "before the release", IdempotencyKey: "once",
		Params: store.ApplyParams{Expected: &expected}}
	queue := func() jobs.Job {
		t.Helper()
		outcome, job, err := w.ActOrQueue(ctx, w.admin, apply)
		if err != nil || job == nil || outcome.Action.ID != 0 {
			t.Fatalf("%+v %+v %v", outcome, job, err)
		}
		return *job
	}
	run := func() jobs.Job {
		t.Helper()
		if err := w.RunJobs(ctx); err != nil {
			t.Fatal(err)
		}
		job, err := w.Job(ctx, w.admin, queue().JobID)
		if err != nil {
			t.Fatal(err)
		}
		return job
	}
	job := queue()
	if job.State != jobs.Queued || job.Total != expected || queue().JobID != job.JobID {
		t.Errorf("the job is %+v", job)
	}
	other := apply
	other.Reason = "for another reason"
	var conflict *store.Conflict
	if _, _, err := w.ActOrQueue(ctx, w.admin, other); !errors.As(err, &conflict) {
		t.Errorf("another request with the same key: %v", err)
	}
	if now := state(t, w.Store); now != before {
		t.Error("it changed something before it ran")
	}
	// A process that took it and was killed leaves it running without a heartbeat.
	storetest.Exec(t, w.Store, "UPDATE jobs SET state = 'running', heartbeat = now() - interval '1 minute'")
	job = run()
	if job.State != jobs.Done || job.Done != expected || job.Action == nil || job.Error != "" || job.EndedAt == nil {
		t.Fatalf("then the job is %+v", job)
	}
	action, err := w.Action(ctx, w.admin, *job.Action, uuid.Nil)
	if err != nil || action.Affected.Messages != expected || action.ActorName != w.admin.Name {
		t.Errorf("its action is %+v %v", action, err)
	}
	// If it ended without a word of it, the same job finds its action.
	storetest.Exec(t, w.Store, "UPDATE jobs SET state = 'queued', action_id = NULL")
	if again := run(); again.Action == nil || *again.Action != action.ID {
		t.Errorf("run again: %+v", again)
	}
	if _, err := w.Undo(ctx, w.admin, action.ID, "too early", false, ""); err != nil {
		t.Fatal(err)
	}
	if now := state(t, w.Store); now != before {
		t.Error("the undo does not bring back what was")
	}

	apply.IdempotencyKey = "cancelled"
	if _, err := w.CancelJob(ctx, w.moderator, queue().JobID); err == nil {
		t.Error("a moderator cancels the job of an admin")
	}
	if job, err := w.CancelJob(ctx, w.admin, queue().JobID); err != nil || job.State != jobs.Cancelled {
		t.Errorf("cancelled: %+v %v", job, err)
	}
	if job := run(); job.State != jobs.Cancelled {
		t.Errorf("a cancelled job is %+v", job)
	}
	// Its person loses the role before it runs.
	apply.IdempotencyKey = "late"
	queue()
	storetest.Exec(t, w.Store, "UPDATE users SET role = 'moderator' WHERE user_id = $1", w.admin.UserID)
	if job := run(); job.State != jobs.Failed || job.Error == "" {
		t.Errorf("the job of a former admin is %+v", job)
	}
	wantOne(t, w.Store, "0", "SELECT count(*) FROM messages WHERE tree_id = $1 AND deleted", ids[0])
	verify(t, w.Store)
}
