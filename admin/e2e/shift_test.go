package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/demo"
	"treewarden/policy"
	"treewarden/store"
)

// moderate does some days' work on the demonstration, so that no page is empty:
// permanent and timed bans, deletes, an edit, a stopped tree, notes, and some
// undos.
func (w *world) moderate(t *testing.T, corpus demo.Corpus) {
	t.Helper()
	trolls := map[demo.Kind][]uuid.UUID{}
	for _, u := range corpus.Users {
		if !u.LastActivity.IsZero() {
			trolls[u.Kind] = append(trolls[u.Kind], u.ID)
		}
	}
	tomorrow, friday := time.Now().Add(20*time.Hour), time.Now().Add(72*time.Hour)
	w.act(t, policy.Moderator, store.Act{Kind: "ban", Target: trolls[demo.Vandal][0],
		Reason: "Insults in every thread; was warned before.", Params: store.BanParams{Messages: "delete"}})
	w.act(t, policy.Moderator, store.Act{Kind: "ban", Target: trolls[demo.SlurWriter][1],
		Reason: "Slurs. Three days to cool off.", Params: store.BanParams{Until: &friday}})
	w.act(t, policy.Moderator, store.Act{Kind: "ban", Target: trolls[demo.Flooder][0], Reason: "Floods the queue.",
		Params: store.BanParams{Until: &tomorrow}})
	w.act(t, policy.Admin, store.Act{Kind: "ban", Target: trolls[demo.Spammer][0],
		Reason: "Advertising ring, same text from several accounts.",
		Params: store.BanParams{Messages: "delete", Trees: "halt"}})
	mistake := w.act(t, policy.Moderator, store.Act{Kind: "ban", Target: trolls[demo.Honest][40],
		Reason: "Same name as a spammer."})
	w.undo(t, policy.Moderator, mistake.ID, "Only the name is the same, sorry.")

	for _, m := range written(corpus, trolls[demo.SlurWriter][2], 3) {
		w.act(t, policy.Moderator, store.Act{Kind: "delete", Target: m.ID, Reason: "Slur against a group."})
	}
	honest := written(corpus, trolls[demo.Honest][5], 4)
	deletion := w.act(t, policy.Moderator, store.Act{Kind: "delete", Target: honest[0].ID, Reason: "Off topic."})
	w.undo(t, policy.Admin, deletion.ID, "It answers the question above it.")
	w.act(t, policy.Moderator, store.Act{Kind: "edit", Target: honest[1].ID, Reason: "A phone number was in it.",
		Params: store.EditParams{Text: honest[1].Text + "\n\n(A phone number was removed here.)"}})
	for _, m := range corpus.Messages {
		if !m.Deleted && m.ReviewResult != nil && !*m.ReviewResult && slices.Contains(trolls[demo.Honest], m.Author) {
			w.act(t, policy.Moderator, store.Act{Kind: "review", Target: m.ID,
				Reason: "Correct and helpful; the votes were a prank.", Params: store.ReviewParams{Result: "accepted"}})
			break
		}
	}
	w.act(t, policy.DataLead, store.Act{Kind: "label", Target: honest[3].ID,
		Params: store.LabelParams{Labels: map[string]float64{"quality": 1, "helpfulness": 0.75, "toxicity": 0}}})
	w.act(t, policy.Moderator, store.Act{Kind: "report", Target: honest[3].ID,
		Reason: "Please have a look: is this advice safe?"})

	for _, tree := range corpus.Trees {
		if tree.State == "growing" {
			w.act(t, policy.Moderator, store.Act{Kind: "halt", Target: tree.ID, Reason: "The replies turned into a quarrel."})
			break
		}
	}
	for _, notes := range []string{
		"Writes in languages they do not speak; perhaps a wrong setting.",
		"Wrote to them: it was a wrong setting, they will change it.",
	} {
		w.act(t, policy.Moderator, store.Act{Kind: "update_user", Target: trolls[demo.WrongLanguage][0],
			Params: store.UserPatch{Notes: &notes}})
	}
}

func (w *world) undo(t *testing.T, role string, action int64, reason string) {
	t.Helper()
	if _, err := w.store.Undo(t.Context(), w.staff[role], action, reason, false, ""); err != nil {
		t.Fatalf("undo of action %d: %v", action, err)
	}
}

// written returns up to n messages of a user that are not deleted, the newest
// first.
func written(corpus demo.Corpus, user uuid.UUID, n int) []demo.Message {
	var list []demo.Message
	for i := len(corpus.Messages) - 1; i >= 0 && len(list) < n; i-- {
		if m := corpus.Messages[i]; m.Author == user && !m.Deleted {
			list = append(list, m)
		}
	}
	return list
}
