package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
)

// activity is a first day's work of the demonstration's staff, so that the
// audit log, the banned users and the histories are not empty. It leaves most
// trolls for the people who try the console.
type activity struct {
	ctx    context.Context // of the call of Moderate
	store  *store.Store
	staff  map[string]store.Actor
	corpus Corpus
	trolls map[Kind][]User
	errs   []error
}

// Moderate makes the staff of the demonstration act on a loaded corpus, each
// within their role. It logs the actions that failed and continues: the
// demonstration does not depend on a single action.
func Moderate(
	ctx context.Context, log *slog.Logger, s *store.Store, staff map[string]store.Actor, corpus Corpus,
) error {
	a := &activity{ctx: ctx, store: s, staff: staff, corpus: corpus, trolls: map[Kind][]User{}}
	for _, u := range corpus.Users {
		if u.LastActivity.After(u.Created) {
			a.trolls[u.Kind] = append(a.trolls[u.Kind], u)
		}
	}
	a.banTrolls()
	a.cleanUp()
	a.stopTrees()
	a.takeNotes()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := errors.Join(a.errs...); err != nil {
		log.Warn("the demonstration's staff could not do all of their work", "error", err)
	}
	return nil
}

// act does one action and returns its id, or 0 if it failed.
func (a *activity) act(role, kind string, target uuid.UUID, reason string, more store.Act) int64 {
	more.Kind, more.Target, more.Reason = kind, target, reason
	outcome, err := a.store.Act(a.ctx, a.staff[role], more)
	if err != nil {
		a.errs = append(a.errs, fmt.Errorf("%s of %s: %w", kind, target, err))
		return 0
	}
	return outcome.Action.ID
}

func (a *activity) undo(role string, action int64, reason string) {
	if action == 0 {
		return
	}
	if _, err := a.store.Undo(a.ctx, a.staff[role], action, reason, false, ""); err != nil {
		a.errs = append(a.errs, fmt.Errorf("undo of action %d: %w", action, err))
	}
}

// someTroll returns the nth troll of a kind, in the order in which they joined.
func (a *activity) someTroll(kind Kind, n int) uuid.UUID {
	list := a.trolls[kind]
	if len(list) == 0 {
		return uuid.Nil
	}
	return list[n%len(list)].ID
}

func (a *activity) banTrolls() {
	threeDays, tomorrow := time.Now().Add(72*time.Hour), time.Now().Add(20*time.Hour)
	a.act(policy.Moderator, "ban", a.someTroll(Vandal, 0), "Insults in every thread; was warned before.",
		store.Act{Params: store.BanParams{Messages: "delete"}})
	a.act(policy.Moderator, "ban", a.someTroll(SlurWriter, 1), "Slurs. Three days to cool off.",
		store.Act{Params: store.BanParams{Until: &threeDays}})
	a.act(policy.Moderator, "ban", a.someTroll(Flooder, 0), "Floods the queue with “lol”.",
		store.Act{Params: store.BanParams{Until: &tomorrow}})
	a.act(policy.Admin, "ban", a.someTroll(Spammer, 0), "Advertising ring, same text from several accounts.",
		store.Act{Params: store.BanParams{Messages: "delete", Trees: "halt"}})
	mistake := a.act(policy.Moderator, "ban", a.someTroll(Honest, 40), "Same name as a spammer.", store.Act{})
	a.undo(policy.Moderator, mistake, "Only the name is the same, sorry.")
}

// cleanUp deletes, undeletes, edits and reviews single messages.
func (a *activity) cleanUp() {
	for _, x := range []struct {
		kind   Kind
		n      int
		reason string
	}{
		{Vandal, 3, "Personal attack."}, {SlurWriter, 3, "Slur against a group."},
		{Spammer, 2, "Advertisement."}, {Flooder, 2, "Noise."},
	} {
		for _, m := range a.messages(a.someTroll(x.kind, 2), x.n) {
			a.act(policy.Moderator, "delete", m.ID, x.reason, store.Act{})
		}
	}
	honest := a.messages(a.someTroll(Honest, 5), 6)
	for i, m := range honest {
		switch i {
		case 0:
			deletion := a.act(policy.Moderator, "delete", m.ID, "Off topic.", store.Act{})
			a.undo(policy.Admin, deletion, "It answers the question above it.")
		case 1:
			a.act(policy.Moderator, "edit", m.ID, "A phone number was in it.",
				store.Act{Params: store.EditParams{Text: m.Text + "\n\n(A phone number was removed here.)"}})
		case 2:
			result := "rejected"
			if m.ReviewResult != nil && !*m.ReviewResult {
				result = "accepted"
			}
			a.act(policy.Moderator, "review", m.ID, "The reviewers took it for something else.",
				store.Act{Params: store.ReviewParams{Result: result}})
		case 3:
			a.act(policy.DataLead, "label", m.ID, "",
				store.Act{Params: store.LabelParams{Labels: map[string]float64{"quality": 1, "helpfulness": 0.75, "toxicity": 0}}})
		case 4:
			a.act(policy.Moderator, "report", m.ID, "Please have a look: is this advice safe?", store.Act{})
		default:
			a.act(policy.Moderator, "react", m.ID, "", store.Act{Params: store.ReactParams{Emoji: "+1", Op: "add"}})
		}
	}
}

// stopTrees stops two growing trees, and restarts one of them.
func (a *activity) stopTrees() {
	stopped := 0
	for _, t := range a.corpus.Trees {
		if t.State != "growing" || stopped == 2 {
			continue
		}
		stopped++
		a.act(policy.Moderator, "halt", t.ID, "The replies turned into a quarrel.", store.Act{})
		if stopped == 2 {
			a.act(policy.Admin, "resume", t.ID, "They have calmed down.", store.Act{})
		}
	}
}

func (a *activity) takeNotes() {
	note := func(kind Kind, n int, notes string) {
		a.act(policy.Moderator, "update_user", a.someTroll(kind, n), "", store.Act{Params: store.UserPatch{Notes: &notes}})
	}
	note(DownVoter, 1, "Votes down everything in some trees. Watch, maybe talk to them first.")
	note(WrongLanguage, 0, "Writes in languages they do not speak; perhaps a wrong setting.")
	note(WrongLanguage, 0, "Wrote to them: it was a wrong setting, they will change it.")
	hidden := false
	a.act(policy.Admin, "update_user", a.someTroll(SlurWriter, 3), "",
		store.Act{Params: store.UserPatch{ShowOnLeaderboard: &hidden}})
}

// messages returns up to n messages of a user that are not deleted, the newest
// first.
func (a *activity) messages(user uuid.UUID, n int) []Message {
	var list []Message
	for i := len(a.corpus.Messages) - 1; i >= 0 && len(list) < n; i-- {
		if m := a.corpus.Messages[i]; m.Author == user && !m.Deleted {
			list = append(list, m)
		}
	}
	return list
}
