package store_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/corpus"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/storetest"
)

// try compares two formulas.
func try(t *testing.T, s *store.Store, old, tried scoring.Formula, window scoring.Window) store.Trial {
	t.Helper()
	trial, err := s.CompareFormulas(ctx, store.CommandLine, old, tried, scoring.TruthRejected, window)
	if err != nil {
		t.Fatal(err)
	}
	return trial
}

// TestTryByHand compares the results on few users with results that were computed by
// hand. Of the six users that it makes, three are sanctioned: the first one is
// banned, the second one has a deleted message, and the third one a rejected reply.
func TestTryByHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	storetest.Exec(t, w.Store, "INSERT INTO classifier_models (name, outputs) VALUES ('detoxify', '{toxicity}')")
	users := make([]uuid.UUID, 6)
	lastMonth := time.Now().Add(-20 * 24 * time.Hour)
	for i := range users {
		users[i] = storetest.User(t, w.Store, fmt.Sprint("User ", i))
		ids := storetest.Tree(t, w.Store, storetest.Node{Author: w.other, At: lastMonth,
			Replies: []storetest.Node{{Author: users[i], At: lastMonth, Deleted: i == 1}}})
		// User i has i flags, and a toxicity of i tenths.
		for range i {
			storetest.React(t, w.Store, ids[1], storetest.User(t, w.Store, "Witness"), "red_flag", time.Now())
		}
		storetest.Exec(t, w.Store, "INSERT INTO classifier_outputs (tree_id, message_id, model_id, toxicity, scores, at) "+
			"VALUES ($1, $2, 1, $3, '{0}', $4)", ids[0], ids[1], float64(i)/10, lastMonth)
		switch i {
		case 0:
			act(t, w.Store, w.moderator, store.Act{Kind: "ban", Target: users[i]})
		case 2:
			act(t, w.Store, w.moderator, store.Act{Kind: "review", Target: ids[1],
				Params: store.ReviewParams{Result: "rejected"}})
		}
	}
	if err := w.RebuildScores(ctx); err != nil {
		t.Fatal(err)
	}
	// The troll and the other user of newWorld are on the boards too, without a red
	// flag. The other user is sanctioned, because a reply of theirs is deleted.
	flags := weigh("red_flags", 1.0)
	formula, _ := flags.Apply(onlyWeighs(scoring.RedFlags, 1))
	against, _ := weigh("red_flags", -1.0).Apply(formula)
	trial := try(t, w.Store, formula, against, scoring.Total)
	// Sanctioned: users 0 (0 flags), 1 (1), 2 (2) and the other user (0). Not
	// sanctioned: users 3, 4, 5 and the troll (0). Of 16 pairs the sanctioned user has
	// the higher score in 2 (users 1 and 2 against the troll) and the same score in 2
	// (user 0 and the other user against the troll).
	if trial.Users != 8 || trial.Sanctioned != 4 || *trial.Old.AUC != 3.0/16 || *trial.New.AUC != 13.0/16 ||
		*trial.Difference != 10.0/16 || trial.Old.Precision[20] != 0.5 {
		t.Errorf("users %d, sanctioned %d, AUC %v and %v", trial.Users, trial.Sanctioned, *trial.Old.AUC, *trial.New.AUC)
	}
	if trial.Between == nil || trial.Between[0] > *trial.Difference || trial.Between[1] < *trial.Difference ||
		len(trial.Entered)+len(trial.Left) > 0 {
		t.Errorf("%+v", trial)
	}
	// On the board of seven active users, user 5 moves from the first rank to the
	// last. The banned user 0 is not among the moved users.
	i := slices.IndexFunc(trial.Moved, func(r store.TrialRow) bool { return r.UserID == users[5] })
	if i < 0 || trial.Moved[i] != (store.TrialRow{UserID: users[5], DisplayName: "User 5", RankBefore: 1, RankAfter: 7,
		ScoreBefore: 5, ScoreAfter: -5}) ||
		slices.ContainsFunc(trial.Moved, func(r store.TrialRow) bool { return r.UserID == users[0] }) {
		t.Errorf("moved: %+v", trial.Moved)
	}
	// The quality leaves out signals of sanctions. Without them all scores of this
	// formula are equal, so its AUC is 0.5.
	trial = try(t, w.Store, formula, onlyWeighs(scoring.Deleted, 3), scoring.Total)
	if *trial.New.AUC != 0.5 || trial.Moved[0].ScoreAfter != 3 {
		t.Errorf("a formula that weighs only deletions: AUC %v, first %+v", *trial.New.AUC, trial.Moved[0])
	}
	// The messages are 20 days old, so the users are on today's board only by their
	// red flags. User 0 has none.
	trial = try(t, w.Store, formula, against, scoring.Day)
	if trial.Users != 6+1 { // users 1 to 5, the troll and the other user, who wrote an hour ago
		t.Errorf("%d users are on the board of the day", trial.Users)
	}
	// With another threshold, toxicities 0.3, 0.4 and 0.5 count, not only 0.5. By the
	// first formula these users have the last ranks, so that each of them moves.
	for window, want := range map[scoring.Window]int{scoring.Total: 3, scoring.Month: 3, scoring.Week: 0} {
		lower := onlyWeighs(scoring.ToxicMessages, 2)
		lower.ToxicFrom = 0.3
		trial = try(t, w.Store, onlyWeighs(scoring.RedFlags, -1), lower, window)
		toxic := 0
		for _, r := range trial.Moved {
			if r.ScoreAfter == 2 {
				toxic++
			}
		}
		if toxic != want {
			t.Errorf("%s: %d users have a toxic message from 0.3 on, want %d: %+v", window, toxic, want, trial.Moved)
		}
	}
	verify(t, w.Store)
}

// onlyWeighs returns a formula in which only one signal has a weight.
func onlyWeighs(signal scoring.Signal, weight float64) scoring.Formula {
	f := scoring.Formula{Name: "treewarden", ToxicFrom: 0.5, Weights: map[scoring.Signal]float64{}}
	for _, info := range scoring.Signals {
		f.Weights[info.Signal] = 0
	}
	f.Weights[signal] = weight
	return f
}

// TestTryOnRealTrees compares the AUC on a real file with one that is computed from
// all pairs of users on the boards. It logs the results.
func TestTryOnRealTrees(t *testing.T) {
	t.Parallel()
	file := filepath.Join(corpora(t), "oasst", "oasst2-sample.trees.jsonl")
	s := storetest.New(t)
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := s.Import(ctx, corpus.NewReader(f, file).All(), store.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	trial := try(t, s, scoring.Treewarden, scoring.OpenAssistant, scoring.Total)
	current := board(t, s, store.CommandLine, scoring.Total, scoring.Treewarden)
	legacy := board(t, s, store.CommandLine, scoring.Total, scoring.OpenAssistant)
	sanctioned := map[uuid.UUID]bool{}
	rows, err := storetest.DB(t, s).Query(ctx, "SELECT user_id FROM messages WHERE user_id IS NOT NULL AND (deleted "+
		"AND deleted_root = message_id OR review_result = false)")
	if err != nil {
		t.Fatal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range found {
		sanctioned[id] = true
	}
	if trial.Users != len(current) || trial.Sanctioned != len(sanctioned) {
		t.Errorf("%d users with %d sanctioned, want %d and %d", trial.Users, trial.Sanctioned, len(current), len(sanctioned))
	}
	for name, c := range map[string]struct {
		rows    map[uuid.UUID]store.BoardRow
		quality scoring.Quality
	}{"treewarden": {current, trial.Old}, "open-assistant": {legacy, trial.New}} {
		scores := map[uuid.UUID]float64{}
		for id, row := range c.rows {
			scores[id] = row.Score
			for _, part := range row.Parts {
				if slices.Contains(scoring.LeakySignals, part.Signal) {
					scores[id] -= part.Points
				}
			}
		}
		var won, pairs float64
		for id := range sanctioned {
			for other, score := range scores {
				if sanctioned[other] {
					continue
				}
				pairs++
				if scores[id] > score {
					won++
				} else if scores[id] == score {
					won += 0.5
				}
			}
		}
		if math.Abs(*c.quality.AUC-won/pairs) > 1e-12 {
			t.Errorf("%s: AUC %v, want %v", name, *c.quality.AUC, won/pairs)
		}
		t.Logf("%s: AUC %.3f %.3f, precision %.3v %.3v", name, *c.quality.AUC, *c.quality.AUCInterval, c.quality.Precision,
			c.quality.PrecisionInterval)
	}
	t.Logf("%d users, %d sanctioned users; the AUC of open-assistant is lower by %.3f %.3f", trial.Users, trial.Sanctioned,
		-*trial.Difference, *trial.Between)
	t.Logf("%d enter the top %d, %d leave it, %d move", len(trial.Entered), trial.Top, len(trial.Left), len(trial.Moved))
}

// TestTryIsDeterministic tries the same formulas in two processes that read the users
// in different orders. Their resamples are the same.
func TestTryIsDeterministic(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 40 {
		user := storetest.User(t, w.Store, fmt.Sprint("User ", i))
		ids := storetest.Tree(t, w.Store, storetest.Node{Author: w.other, Replies: []storetest.Node{{Author: user,
			Deleted: i%7 == 1}}})
		for range (i * i) % 9 {
			storetest.React(t, w.Store, ids[1], storetest.User(t, w.Store, "Witness"), []string{"red_flag", "-1"}[i%2],
				time.Now())
		}
	}
	storetest.Exec(t, w.Store, "UPDATE messages SET deletion_by_staff = true WHERE deleted")
	if err := w.RebuildScores(ctx); err != nil {
		t.Fatal(err)
	}
	tried, _ := weigh("red_flags", 1.0).Apply(scoring.Treewarden)
	one := try(t, w.Store, scoring.Treewarden, tried, scoring.Total)
	storetest.Exec(t, w.Store, "UPDATE users SET notes = 'elsewhere on the disk' WHERE substr(user_id::text, 1, 1) < '8'")
	two := try(t, storetest.Another(t, w.Store), scoring.Treewarden, tried, scoring.Total)
	if one.Between == nil || *one.Between != *two.Between || *one.Old.AUCInterval != *two.Old.AUCInterval {
		t.Errorf("the intervals are %v and %v, then %v and %v", *one.Between, *one.Old.AUCInterval, *two.Between,
			*two.Old.AUCInterval)
	}
}
