package demo_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"treewarden/demo"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/storetest"
)

// TestTrialFindsTheTrollsOfTheDemonstration tries the shipped formula on the
// demonstration after its staff's first day: it finds the banned users.
func TestTrialFindsTheTrollsOfTheDemonstration(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, seed := range []uint64{1, 3} {
		s := storetest.New(t)
		c := demo.Generate(demo.Options{Seed: seed, Now: time.Now()})
		if err := demo.Load(ctx, s, c); err != nil {
			t.Fatal(err)
		}
		staff, err := demo.EnsureStaff(ctx, s)
		if err != nil {
			t.Fatal(err)
		}
		if err := demo.Moderate(ctx, slog.New(slog.DiscardHandler), s, staff, c); err != nil {
			t.Fatal(err)
		}
		for _, truth := range scoring.Truths {
			trial, err := s.TryFormula(ctx, store.CommandLine, scoring.Change{}, truth, scoring.Total)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("seed %d, %s: %d of %d users, AUC %.3f, precision %.2v", seed, truth, trial.Sanctioned, trial.Users,
				*trial.Old.AUC, trial.Old.Precision)
			if truth == scoring.TruthBanned && (trial.Sanctioned < 4 || *trial.Old.AUC < 0.85) {
				t.Errorf("seed %d: %d banned users, AUC %.3f", seed, trial.Sanctioned, *trial.Old.AUC)
			}
		}
	}
}
