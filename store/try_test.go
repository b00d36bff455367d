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
	trial, err := s.CompareFormulas(ctx, store.CommandLine, old, tried, window)
	if err != nil {
		t.Fatal(err)
	}
	return trial
}

// TestTryByHand tries formulas on six users of whom three are sanctioned users: one
// is banned, one had a message deleted, one a reply rejected.
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
	// In the world of the test stand the troll and the other, one of whose
	// messages came deleted: they are on the boards too, without a flag.
	flags := weigh("red_flags", 1.0)
	formula, _ := flags.Apply(onlyWeighs(scoring.RedFlags, 1))
	against, _ := weigh("red_flags", -1.0).Apply(formula)
	trial := try(t, w.Store, formula, against, scoring.Total)
	// Trolls: users 0 (0 flags), 1 (1), 2 (2), the other (0). Others: users 3, 4, 5
	// and the troll (0). Of 16 pairs the trolls lie above in 2 (user 1 and 2 over
	// the troll), level in 2 (user 0 and the other with the troll).
	if trial.Users != 8 || trial.Sanctioned != 4 || *trial.Old.AUC != 3.0/16 || *trial.New.AUC != 13.0/16 ||
		*trial.Difference != 10.0/16 || trial.Old.Precision[20] != 0.5 {
		t.Errorf("users %d, trolls %d, AUC %v and %v", trial.Users, trial.Sanctioned, *trial.Old.AUC, *trial.New.AUC)
	}
	if trial.Between == nil || trial.Between[0] > *trial.Difference || trial.Between[1] < *trial.Difference ||
		len(trial.Entered)+len(trial.Left) > 0 {
		t.Errorf("%+v", trial)
	}
	// On the board of active users user 5 falls from the first place to the last
	// of seven: of the banned one nothing is told.
	i := slices.IndexFunc(trial.Moved, func(r store.TrialRow) bool { return r.UserID == users[5] })
	if i < 0 || trial.Moved[i] != (store.TrialRow{UserID: users[5], DisplayName: "User 5", RankBefore: 1, RankAfter: 7,
		ScoreBefore: 5, ScoreAfter: -5}) ||
		slices.ContainsFunc(trial.Moved, func(r store.TrialRow) bool { return r.UserID == users[0] }) {
		t.Errorf("moved: %+v", trial.Moved)
	}
	// Judged is without the outcome: by it alone nobody is told from another.
	trial = try(t, w.Store, formula, onlyWeighs(scoring.Deleted, 3), scoring.Total)
	if *trial.New.AUC != 0.5 || trial.Moved[0].ScoreAfter != 3 {
		t.Errorf("a formula that weighs only deletions: AUC %v, first %+v", *trial.New.AUC, trial.Moved[0])
	}
	// Today, only flags were given: who has none is on no board.
	trial = try(t, w.Store, formula, against, scoring.Day)
	if trial.Users != 6+1 { // users 1 to 5, the troll and the other, who wrote an hour ago
		t.Errorf("%d users stand on the boards of the day", trial.Users)
	}
	// Another threshold: toxicities 0.3, 0.4 and 0.5 count, not only 0.5. By the
	// first formula these users stand last, so that each of them moves.
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

// onlyWeighs is a formula that weighs one signal.
func onlyWeighs(signal scoring.Signal, weight float64) scoring.Formula {
	f := scoring.Formula{Name: "treewarden", ToxicFrom: 0.5, Weights: map[scoring.Signal]float64{}}
	for _, info := range scoring.Signals {
		f.Weights[info.Signal] = 0
	}
	f.Weights[signal] = weight
	return f
}

// TestTryOnRealTrees compares the figures on a real file with brute force over
// the boards, and tells them.
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
	truth := board(t, s, store.CommandLine, scoring.Total, scoring.Treewarden)
	reference := board(t, s, store.CommandLine, scoring.Total, scoring.OpenAssistant)
	trolls := map[uuid.UUID]bool{}
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
		trolls[id] = true
	}
	if trial.Users != len(truth) || trial.Sanctioned != len(trolls) {
		t.Errorf("%d users with %d trolls, want %d and %d", trial.Users, trial.Sanctioned, len(truth), len(trolls))
	}
	for name, c := range map[string]struct {
		rows    map[uuid.UUID]store.BoardRow
		quality scoring.Quality
	}{"treewarden": {truth, trial.Old}, "open-assistant": {reference, trial.New}} {
		judged := map[uuid.UUID]float64{}
		for id, row := range c.rows {
			judged[id] = row.Score
			for _, part := range row.Parts {
				if slices.Contains(scoring.LeakySignals, part.Signal) {
					judged[id] -= part.Points
				}
			}
		}
		var won, pairs float64
		for troll := range trolls {
			for other, score := range judged {
				if trolls[other] {
					continue
				}
				pairs++
				if judged[troll] > score {
					won++
				} else if judged[troll] == score {
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
	t.Logf("%d users, %d sanctioned users; the reference's AUC is worse by %.3f %.3f", trial.Users, trial.Sanctioned,
		-*trial.Difference, *trial.Between)
	t.Logf("%d enter the top %d, %d leave it, %d move", len(trial.Entered), trial.Top, len(trial.Left), len(trial.Moved))
}

// TestTryAnswersTheSame asks the same of two processes that came to know the
// users in another order: their resamples are the same too.
func TestTryAnswersTheSame(t *testing.T) {
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
