package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/storetest"
)

// ban bans the troll.
func (w world) ban(t *testing.T, until *time.Time, reason string, p store.BanParams) store.Outcome {
	t.Helper()
	p.Until = until
	return act(t, w.Store, w.admin, store.Act{Kind: "ban", Target: w.troll, Reason: reason, Params: p})
}

func (w world) trollNow(t *testing.T) store.User {
	t.Helper()
	user, err := w.User(ctx, w.admin, w.troll, scoring.Treewarden)
	if err != nil {
		t.Fatal(err)
	}
	return user.User
}

// deletedOfTroll counts the troll's deleted messages.
func (w world) deletedOfTroll(t *testing.T) (n int) {
	t.Helper()
	list, err := w.Messages(ctx, w.admin, store.MessageFilter{User: &w.troll, Deleted: "only"})
	if err != nil {
		t.Fatal(err)
	}
	return len(list.Items)
}

// TestBanOverBan replaces the terms of a ban by another ban, whose undo restores
// them. The user stays banned since the first.
func TestBanOverBan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := w.deletedOfTroll(t) // deleted before
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	first := w.ban(t, &until, "first terms", store.BanParams{Messages: "delete"})
	before := w.trollNow(t)
	second := w.ban(t, nil, "second terms", store.BanParams{})
	now := w.trollNow(t)
	if now.Status != store.Banned || now.Ban.Until != nil || now.Ban.Reason != "second terms" ||
		*now.Ban.Action != second.Action.ID || !now.Ban.Since.Equal(before.Ban.Since) {
		t.Errorf("the second ban is %+v", now.Ban)
	}
	var conflict *store.Conflict
	if _, err := w.Undo(ctx, w.admin, first.Action.ID, "too early", false, ""); !errors.As(err, &conflict) ||
		conflict.Action.ID != second.Action.ID {
		t.Errorf("the first ban is undone below the second: %v", err)
	}
	if _, err := w.Undo(ctx, w.admin, second.Action.ID, "not for good", false, ""); err != nil {
		t.Fatal(err)
	}
	if now = w.trollNow(t); now.Ban.Reason != "first terms" || !now.Ban.Until.Equal(until) ||
		*now.Ban.Action != first.Action.ID {
		t.Errorf("the undo leaves %+v", now.Ban)
	}
	if _, err := w.Undo(ctx, w.admin, first.Action.ID, "not at all", false, ""); err != nil {
		t.Fatal(err)
	}
	if now = w.trollNow(t); now.Status != store.Active || w.deletedOfTroll(t) != own {
		t.Errorf("the undo of both leaves %+v and %d deleted messages", now, w.deletedOfTroll(t))
	}
	verify(t, w.Store)
}

// TestUndoOfLapsedBan undoes a ban that ended on its date, before and after the
// program noticed: the messages return, and the user stays active. The end itself
// cannot be undone.
func TestUndoOfLapsedBan(t *testing.T) {
	t.Parallel()
	for _, noticed := range []bool{false, true} {
		w := newWorld(t)
		own := w.deletedOfTroll(t)
		until := time.Now().Add(time.Second)
		banned := w.ban(t, &until, "a short ban", store.BanParams{Messages: "delete", Trees: "halt"})
		if w.deletedOfTroll(t) == own {
			t.Fatal("the ban deleted nothing")
		}
		eventually(t, "the ban ends", func() bool { return w.trollNow(t).Status == store.Active })
		if noticed {
			if n, err := w.EndExpiredBans(ctx); n != 1 || err != nil {
				t.Fatalf("%d bans ended, %v", n, err)
			}
			lapse, err := w.Actions(ctx, w.admin, store.ActionFilter{Kind: "unban"})
			if err != nil || len(lapse.Items) != 1 || lapse.Items[0].Undoable {
				t.Fatalf("the end of the ban is %+v, %v", lapse.Items, err)
			}
			var conflict *store.Conflict
			if _, err := w.Undo(ctx, w.admin, lapse.Items[0].ID, "back again", false, ""); !errors.As(err, &conflict) ||
				!strings.Contains(conflict.Why, "by itself") {
				t.Errorf("the end of the ban is undone: %v", err)
			}
		}
		if _, err := w.Undo(ctx, w.admin, banned.Action.ID, "it was a mistake", false, ""); err != nil {
			t.Fatalf("noticed %v: %v", noticed, err)
		}
		if now := w.trollNow(t); now.Status != store.Active || w.deletedOfTroll(t) != own {
			t.Errorf("noticed %v: the undo leaves %+v and %d deleted messages", noticed, now, w.deletedOfTroll(t))
		}
		if n, err := w.EndExpiredBans(ctx); n != 0 || err != nil {
			t.Errorf("after the undo %d bans end, %v", n, err)
		}
		verify(t, w.Store)
	}
}

// TestUnbanRestores unbans with the messages: those that the ban deleted return,
// also where its terms were replaced, and the undo of the unban takes them again.
func TestUnbanRestores(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := w.deletedOfTroll(t)
	w.ban(t, nil, "first terms", store.BanParams{Messages: "delete"})
	deleted := w.deletedOfTroll(t)
	until := time.Now().Add(time.Hour)
	w.ban(t, &until, "second terms", store.BanParams{})
	unban := store.Act{Kind: "unban", Target: w.troll, Reason: "apologised",
		Params: store.UnbanParams{Messages: "restore"}}
	unban.Preview = true
	preview := act(t, w.Store, w.admin, unban)
	unban.Preview = false
	done := act(t, w.Store, w.admin, unban)
	if preview.Affected != done.Affected || done.Affected.Messages < int64(deleted-own) || deleted == own {
		t.Errorf("preview %+v, done %+v, %d deleted before", preview.Affected, done.Affected, deleted)
	}
	if now := w.trollNow(t); now.Status != store.Active || w.deletedOfTroll(t) != own {
		t.Errorf("the unban leaves %+v and %d deleted messages", now, w.deletedOfTroll(t))
	}
	verify(t, w.Store)
	if _, err := w.Undo(ctx, w.admin, done.Action.ID, "not yet", false, ""); err != nil {
		t.Fatal(err)
	}
	if now := w.trollNow(t); now.Status != store.Banned || w.deletedOfTroll(t) != deleted {
		t.Errorf("the undo leaves %+v and %d deleted messages", now, w.deletedOfTroll(t))
	}
	verify(t, w.Store)
}

// TestUndoNamesTheLaterAction lets an action take its id and wait, while others
// commit: it is the later one, although its id is lower, and an undo names it.
func TestUndoNamesTheLaterAction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	message := storetest.Tree(t, w.Store, storetest.Node{Author: w.troll})[0]
	tx := holding(t, w.Store, "SELECT FROM users WHERE user_id = $1 FOR UPDATE", w.troll)
	banned := make(chan store.Outcome, 1)
	go func() {
		done, err := w.Act(ctx, w.admin, store.Act{Kind: "ban", Target: w.troll, Reason: "because",
			Params: store.BanParams{Messages: "delete"}})
		if err != nil {
			t.Error(err)
		}
		banned <- done
	}()
	waiting(t, w.Store, 1)
	act(t, w.Store, w.moderator, store.Act{Kind: "delete", Target: message})
	undeleted := act(t, w.Store, w.moderator, store.Act{Kind: "undelete", Target: message})
	commit(t, tx)
	ban := <-banned
	if ban.Action.Seq < undeleted.Action.Seq {
		t.Fatalf("the ban did not wait: %d, %d", ban.Action.Seq, undeleted.Action.Seq)
	}
	var conflict *store.Conflict
	if _, err := w.Undo(ctx, w.moderator, undeleted.Action.ID, "a mistake", false, ""); !errors.As(err, &conflict) ||
		conflict.Action == nil || conflict.Action.ID != ban.Action.ID {
		t.Errorf("the undo: %v, want it to name action %d", err, ban.Action.ID)
	}
	_, err := w.Act(ctx, w.moderator, store.Act{Kind: "delete", Target: message, Reason: "again"})
	if !errors.As(err, &conflict) || conflict.Action == nil || conflict.Action.ID != ban.Action.ID {
		t.Errorf("the delete: %v, want it to name action %d", err, ban.Action.ID)
	}
}

// TestDeletionAroundImportedOne deletes a message above one that came deleted with a
// live reply below it: undo, undelete and an unban bring all back as it was.
func TestDeletionAroundImportedOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := storetest.Tree(t, w.Store, storetest.Node{Author: w.troll, Replies: []storetest.Node{{Author: w.other,
		Deleted: true, Replies: []storetest.Node{{Author: w.other}}}}})
	storetest.Exec(t, w.Store, "UPDATE messages SET deleted = false, deleted_root = NULL WHERE message_id = $1", ids[2])
	if err := w.RebuildScores(ctx); err != nil {
		t.Fatal(err)
	}
	state := func() string {
		return one(t, w.Store, "SELECT string_agg(depth || ' ' || deleted, ', ' ORDER BY depth) FROM messages "+
			"WHERE tree_id = '"+ids[0].String()+"'")
	}
	before := state()
	for name, back := range map[string]func(done store.Outcome) error{
		"undo": func(done store.Outcome) error {
			_, err := w.Undo(ctx, w.admin, done.Action.ID, "a mistake", false, "")
			return err
		},
		"undelete": func(store.Outcome) error {
			_, err := w.Act(ctx, w.admin, store.Act{Kind: "undelete", Target: ids[0], Reason: "a mistake"})
			return err
		},
	} {
		done := act(t, w.Store, w.admin, store.Act{Kind: "delete", Target: ids[0]})
		if state() == before {
			t.Fatal("nothing was deleted")
		}
		if err := back(done); err != nil || state() != before {
			t.Errorf("%s: %v; %s, want %s", name, err, state(), before)
		}
	}
	w.ban(t, nil, "a troll", store.BanParams{Messages: "delete"})
	if _, err := w.Act(ctx, w.admin, store.Act{Kind: "unban", Target: w.troll, Reason: "a mistake",
		Params: store.UnbanParams{Messages: "restore"}}); err != nil || state() != before {
		t.Errorf("unban: %v; %s, want %s", err, state(), before)
	}
	// What came deleted is brought back only below what is there.
	act(t, w.Store, w.admin, store.Act{Kind: "delete", Target: ids[0]})
	var conflict *store.Conflict
	if _, err := w.Act(ctx, w.admin, store.Act{Kind: "undelete", Target: ids[1], Reason: "too early"}); !errors.As(err,
		&conflict) {
		t.Errorf("undelete below a deleted message: %v", err)
	}
	verify(t, w.Store)
}
