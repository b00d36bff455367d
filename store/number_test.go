package store_test

import (
	"testing"

	"github.com/google/uuid"

	"treewarden/scoring"
	"treewarden/store"
)

// TestNumbersWithoutGaps counts actions: previews, refused actions and those that
// change nothing use up no number, and whatever names an action names that number.
func TestNumbersWithoutGaps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	last := int64(0)
	next := func(what string, action store.Action) int64 {
		t.Helper()
		last++
		if action.ID != last || action.Seq != last {
			t.Errorf("%s is action %d, entry %d; want %d", what, action.ID, action.Seq, last)
		}
		return last
	}
	refuse := func(act store.Act) {
		t.Helper()
		act.Reason = "because"
		if done, err := w.Act(ctx, w.moderator, act); err == nil && !act.Preview && !done.Unchanged {
			t.Errorf("%s was done", act.Kind)
		}
	}
	refuse(store.Act{Kind: "ban", Target: w.troll, Preview: true})
	refuse(store.Act{Kind: "undelete", Target: w.reply})
	refuse(store.Act{Kind: "ban", Target: w.admin.UserID})
	refuse(store.Act{Kind: "delete", Target: uuid.New()})
	ban := act(t, w.Store, w.moderator, store.Act{Kind: "ban", Target: w.troll})
	banned := next("the ban", ban.Action)
	refuse(store.Act{Kind: "delete", Target: w.deep, Preview: true})
	deleted := next("the delete", act(t, w.Store, w.moderator, store.Act{Kind: "delete", Target: w.deep}).Action)
	refuse(store.Act{Kind: "delete", Target: w.deep})
	edited := next("the edit", act(t, w.Store, w.moderator, store.Act{Kind: "edit", Target: w.reply,
		Params: store.EditParams{Text: "Another text"}}).Action)
	user, err := w.User(ctx, w.moderator, w.troll, scoring.Treewarden)
	if err != nil || user.Ban == nil || *user.Ban.Action != banned {
		t.Errorf("the ban of the user is %+v, %v", user.Ban, err)
	}
	gone, err := w.Message(ctx, w.moderator, w.deep)
	if err != nil || *gone.Deletion.Action != deleted {
		t.Errorf("the deletion is %+v, %v", gone.Deletion, err)
	}
	changed, err := w.Message(ctx, w.moderator, w.reply)
	if err != nil || len(changed.Revisions) != 2 || *changed.Revisions[1].Action != edited {
		t.Errorf("the versions are %+v, %v", changed.Revisions, err)
	}
	events, err := w.Events(ctx, store.System, 0, 0)
	if err != nil || len(events.Items) != 3 || events.Items[0].ActionID != banned || events.Items[1].ActionID != deleted {
		t.Errorf("the events are %+v, %v", events.Items, err)
	}
	undone, err := w.Undo(ctx, w.moderator, banned, "a mistake", false, "")
	if err != nil || undone.Action.Undoes == nil || *undone.Action.Undoes != banned {
		t.Fatalf("the undo is %+v, %v", undone.Action, err)
	}
	next("the undo", undone.Action)
	first, err := w.Action(ctx, w.moderator, banned, uuid.Nil)
	if err != nil || first.UndoneBy == nil || *first.UndoneBy != last {
		t.Errorf("the ban is %+v, %v", first, err)
	}
	list, err := w.Actions(ctx, w.admin, store.ActionFilter{})
	if err != nil || len(list.Items) != int(last) {
		t.Fatalf("%d actions, %v", len(list.Items), err)
	}
	for i, action := range list.Items {
		if action.ID != last-int64(i) {
			t.Errorf("the list has action %d at place %d", action.ID, i)
		}
	}
}
