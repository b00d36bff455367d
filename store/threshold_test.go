package store_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/storetest"
)

// TestCountersFollowTheThreshold changes the threshold of toxic messages, which is
// part of the formula. The counters, the boards of every process, new lines and
// imports use the new threshold, and an undo restores the old one.
func TestCountersFollowTheThreshold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := storetest.Another(t, w.Store)
	reader := storetest.User(t, w.Store, "a reader")
	for message, toxicity := range map[uuid.UUID]float64{w.prompt: 0.55, w.deep: 0.7, w.reply: 0.9} {
		accepted(t, w.Store, event("classifier_output", "message_id", message, "model", "m", "scores",
			map[string]float64{"toxicity": toxicity}))
		// Open-Assistant counts only messages with a reaction.
		storetest.React(t, w.Store, message, reader, "rofl", time.Now())
	}
	if err := w.RebuildScores(ctx); err != nil {
		t.Fatal(err)
	}
	accepted(t, w.Store, event("classifier_output", "message_id", w.deep, "model", "n", "scores",
		map[string]float64{"toxicity": 0.1}))
	toxic := func(s *store.Store, user uuid.UUID) int64 {
		row, _ := boardRow(t, s, scoring.Total, user)
		return countOf(row.Parts, scoring.ToxicMessages)
	}
	// The process that made the change shows it at once, the other one soon.
	wantFrom := func(changed, hears *store.Store, troll, otherUser int64) {
		t.Helper()
		verify(t, w.Store)
		if got := [2]int64{toxic(changed, w.troll), toxic(changed, w.other)}; got != [2]int64{troll, otherUser} {
			t.Errorf("toxic messages %v, want %d and %d", got, troll, otherUser)
		}
		eventually(t, "the other process", func() bool {
			return toxic(hears, w.troll) == troll && toxic(hears, w.other) == otherUser
		})
		score, err := w.Score(ctx, w.admin, w.troll, scoring.Total, inForce(t, w.Store))
		if err != nil || countOf(score.Parts, scoring.ToxicMessages) != troll {
			t.Errorf("the explanation has %+v %v", score.Parts, err)
		}
		// Open-Assistant's formula gives them no weight, but has the same counts.
		legacy, err := w.FormulaNamed(ctx, scoring.OpenAssistant.Name)
		if err != nil {
			t.Fatal(err)
		}
		score, err = w.Score(ctx, w.admin, w.troll, scoring.Total, legacy)
		board, _ := boardRowBy(t, w.Store, scoring.Total, w.troll, scoring.OpenAssistant)
		if err != nil || !slices.Equal(score.Parts, board.Parts) {
			t.Errorf("the explanation has %+v %v, the board %+v", score.Parts, err, board.Parts)
		}
	}
	want := func(troll, otherUser int64) {
		t.Helper()
		wantFrom(w.Store, other, troll, otherUser)
	}
	want(2, 1)
	change := func(s *store.Store, from float64) store.Outcome {
		return saveFormula(t, s, w.admin, scoring.Change{Weights: map[string]float64{}, ToxicFrom: &from},
			fmt.Sprintf("toxic from %v", from))
	}
	up := change(w.Store, 0.6)
	if f := inForce(t, w.Store); f.ToxicFrom != 0.6 {
		t.Errorf("the process that changed the formula reads %+v", f)
	}
	eventually(t, "the other process sees the formula", func() bool { return inForce(t, other).ToxicFrom == 0.6 })
	want(1, 1)
	change(other, 0.95)
	wantFrom(other, w.Store, 0, 0)
	// The first process may still have 0.6. Its ingest reads the new threshold.
	accepted(t, w.Store, event("classifier_output", "message_id", w.prompt, "model", "m", "scores",
		map[string]float64{"toxicity": 0.8}))
	want(0, 0)
	importText(t, w.Store, `{"message_id": "`+uuid.NewString()+`", "parent_id": "`+w.prompt.String()+`", "user_id": "`+
		w.troll.String()+`", "role": "assistant", "text": "x", "lang": "de", "detoxify": {"toxicity": 0.97}}`)
	want(1, 0)
	last := change(w.Store, 0)
	want(3, 1)
	if _, err := w.Undo(ctx, w.admin, last.Action.ID, "too much", false, ""); err != nil {
		t.Fatal(err)
	}
	want(1, 0)
	if _, err := w.Undo(ctx, w.admin, up.Action.ID, "preview of what is in the way", true, ""); !isConflict(err) {
		t.Errorf("an undo below a later change: %v", err)
	}
}

// TestThresholdWhileOthersWrite changes the threshold and the models that count
// repeatedly during ingests. No count is lost, and none uses an old rule; the cases of
// the queue have the toxicity by the last one.
func TestThresholdWhileOthersWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n, message := range []uuid.UUID{w.prompt, w.reply, w.deep} {
		accepted(t, w.Store, event("classifier_output", "message_id", message, "model", fmt.Sprint("m", n), "scores",
			map[string]float64{"toxicity": 0.5}), event("classifier_output", "message_id", message, "model", "m3", "scores",
			map[string]float64{"toxicity": 0.5}), event("report", "message_id", message, "user_id",
			storetest.User(t, w.Store, "a reader"), "reason", "spam"))
	}
	var writers sync.WaitGroup
	for n := range 4 {
		writers.Go(func() {
			for i := range 25 {
				message := []uuid.UUID{w.prompt, w.reply, w.deep}[(n+i)%3]
				done, err := w.Ingest(ctx, store.CommandLine, []byte(event("classifier_output", "message_id", message, "model",
					fmt.Sprint("m", n), "scores", map[string]float64{"toxicity": float64(i%10) / 10})))
				if err != nil || done.Accepted != 1 {
					t.Errorf("%+v %v", done, err)
				}
			}
		})
	}
	for i := range 12 {
		from, classifier := float64(i%3)/4+0.25, []string{"m0", "", "m1, m3"}[i/2%3]
		if _, err := w.SaveFormula(ctx, w.admin, scoring.Change{ToxicFrom: &from, Classifier: &classifier},
			"another threshold", nil, ""); err != nil {
			t.Error(err)
		}
	}
	writers.Wait()
	verify(t, w.Store)
}

func countOf(parts []scoring.Part, signal scoring.Signal) int64 {
	for _, p := range parts {
		if p.Signal == signal {
			return p.Count
		}
	}
	return 0
}
