package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"treewarden/corpus/demo"
	"treewarden/policy"
	"treewarden/store"
)

// shift is a first day's work of the demonstration's staff, so that the audit
// log, the banned users and the histories have something to show. Most trolls
// are left for whoever tries the console.
type shift struct {
	ctx    context.Context // of the one call that this lives for
	store  *store.Store
	staff  map[string]store.Actor
	corpus demo.Corpus
	trolls map[demo.Kind][]demo.User
	errs   []error
}

// moderate does a shift. What could not be done is logged and left: a
// demonstration with one action less is still one.
func moderate(ctx context.Context, app *App, s *store.Store, staff map[string]store.Actor, corpus demo.Corpus) error {
	w := &shift{ctx: ctx, store: s, staff: staff, corpus: corpus, trolls: map[demo.Kind][]demo.User{}}
	for _, u := range corpus.Users {
		if u.LastActivity.After(u.Created) {
			w.trolls[u.Kind] = append(w.trolls[u.Kind], u)
		}
	}
	w.banTrolls()
	w.cleanUp()
	w.stopTrees()
	w.takeNotes()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := errors.Join(w.errs...); err != nil {
		app.Log.Warn("the demonstration's staff could not do all of their work", "error", err)
	}
	return nil
}

// act does one action and returns its id, 0 where it failed.
func (w *shift) act(role, kind string, target uuid.UUID, reason string, more store.Act) int64 {
	more.Kind, more.Target, more.Reason = kind, target, reason
	outcome, err := w.store.Act(w.ctx, w.staff[role], more)
	if err != nil {
		w.errs = append(w.errs, fmt.Errorf("%s of %s: %w", kind, target, err))
		return 0
	}
	return outcome.Action.ID
}

func (w *shift) undo(role string, action int64, reason string) {
	if action == 0 {
		return
	}
	if _, err := w.store.Undo(w.ctx, w.staff[role], action, reason, false, ""); err != nil {
		w.errs = append(w.errs, fmt.Errorf("undo of action %d: %w", action, err))
	}
}

// someTroll is the nth of a kind, by when they joined.
func (w *shift) someTroll(kind demo.Kind, n int) uuid.UUID {
	list := w.trolls[kind]
	if len(list) == 0 {
		return uuid.Nil
	}
	return list[n%len(list)].ID
}

func (w *shift) banTrolls() {
	threeDays, tomorrow := time.Now().Add(72*time.Hour), time.Now().Add(20*time.Hour)
	w.act(policy.Moderator, "ban", w.someTroll(demo.Vandal, 0), "Insults in every thread; was warned before.", store.Act{Messages: "delete"})
	w.act(policy.Moderator, "ban", w.someTroll(demo.SlurWriter, 1), "Slurs. Three days to cool off.", store.Act{Until: &threeDays})
	w.act(policy.Moderator, "ban", w.someTroll(demo.Flooder, 0), "Floods the queue with “lol”.", store.Act{Until: &tomorrow})
	w.act(policy.Admin, "ban", w.someTroll(demo.Spammer, 0), "Advertising ring, same text from several accounts.", store.Act{Messages: "delete", Trees: "halt"})
	mistake := w.act(policy.Moderator, "ban", w.someTroll(demo.Honest, 40), "Same name as a spammer.", store.Act{})
	w.undo(policy.Moderator, mistake, "Only the name is the same, sorry.")
}

// cleanUp deletes, undeletes, edits and reviews single messages.
func (w *shift) cleanUp() {
	for _, x := range []struct {
		kind   demo.Kind
		n      int
		reason string
	}{
		{demo.Vandal, 3, "Personal attack."}, {demo.SlurWriter, 3, "Slur against a group."},
		{demo.Spammer, 2, "Advertisement."}, {demo.Flooder, 2, "Noise."},
	} {
		for _, m := range w.messages(w.someTroll(x.kind, 2), x.n) {
			w.act(policy.Moderator, "delete", m.ID, x.reason, store.Act{})
		}
	}
	honest := w.messages(w.someTroll(demo.Honest, 5), 6)
	for i, m := range honest {
		switch i {
		case 0:
			deletion := w.act(policy.Moderator, "delete", m.ID, "Off topic.", store.Act{})
			w.undo(policy.Admin, deletion, "It answers the question above it.")
		case 1:
			w.act(policy.Moderator, "edit", m.ID, "A phone number was in it.", store.Act{Text: m.Text + "\n\n(A phone number was removed here.)"})
		case 2:
			result := "rejected"
			if m.ReviewResult != nil && !*m.ReviewResult {
				result = "accepted"
			}
			w.act(policy.Moderator, "review", m.ID, "The reviewers took it for something else.", store.Act{Result: result})
		case 3:
			w.act(policy.DataLead, "label", m.ID, "", store.Act{Labels: map[string]float64{"quality": 1, "helpfulness": 0.75, "toxicity": 0}})
		case 4:
			w.act(policy.Moderator, "report", m.ID, "Please have a look: is this advice safe?", store.Act{})
		default:
			w.act(policy.Moderator, "react", m.ID, "", store.Act{Emoji: "+1", Op: "add"})
		}
	}
}

// stopTrees halts two trees that still grow, and lets one of them go on.
func (w *shift) stopTrees() {
	stopped := 0
	for _, t := range w.corpus.Trees {
		if t.State != "growing" || stopped == 2 {
			continue
		}
		stopped++
		w.act(policy.Moderator, "halt", t.ID, "The replies turned into a quarrel.", store.Act{})
		if stopped == 2 {
			w.act(policy.Admin, "resume", t.ID, "They have calmed down.", store.Act{})
		}
	}
}

func (w *shift) takeNotes() {
	note := func(kind demo.Kind, n int, notes string) {
		w.act(policy.Moderator, "update_user", w.someTroll(kind, n), "", store.Act{Patch: store.UserPatch{Notes: &notes}})
	}
	note(demo.DownVoter, 1, "Votes down everything in some trees. Watch, maybe talk to them first.")
	note(demo.WrongLanguage, 0, "Writes in languages they do not speak; perhaps a wrong setting.")
	note(demo.WrongLanguage, 0, "Wrote to them: it was a wrong setting, they will change it.")
	hidden := false
	w.act(policy.Admin, "update_user", w.someTroll(demo.SlurWriter, 3), "", store.Act{Patch: store.UserPatch{ShowOnLeaderboard: &hidden}})
}

// messages are up to n messages of a user that are still there, the newest first.
func (w *shift) messages(user uuid.UUID, n int) []demo.Message {
	var list []demo.Message
	for i := len(w.corpus.Messages) - 1; i >= 0 && len(list) < n; i-- {
		if m := w.corpus.Messages[i]; m.Author == user && !m.Deleted {
			list = append(list, m)
		}
	}
	return list
}
