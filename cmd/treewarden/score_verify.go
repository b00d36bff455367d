package main

import (
	"fmt"

	"treewarden/store"
)

// ScoreVerifyCmd compares the counters behind all scores with the base tables.
type ScoreVerifyCmd struct{}

// Run prints the counters that differ, at most 100 of them.
func (c *ScoreVerifyCmd) Run(app *App) error {
	s, err := app.Store(app.Context())
	if err != nil {
		return err
	}
	faults, err := s.VerifyScores(app.Context())
	if err != nil {
		return err
	}
	for _, f := range faults {
		printFault(app, f)
	}
	if len(faults) > 0 {
		return fmt.Errorf("%s not what the signals say (%w); run %q, and tell us how it came about",
			plural(len(faults), "counter"), errFaults, "treewarden score rebuild")
	}
	_, err = fmt.Fprintln(app.Stdout, "all counters agree with the signals")
	return err
}

func printFault(app *App, f store.ScoreFault) {
	when := f.Grain
	if f.At != nil {
		when += " " + f.At.UTC().Format("2006-01-02T15:04Z")
	}
	fmt.Fprintf(app.Stdout, "%s\t%s\t%s\tstored %d\tcounted %d\n", f.UserID, when, f.Column, f.Stored, f.Actual)
}

// ScoreRebuildCmd counts every signal anew and stores it.
type ScoreRebuildCmd struct{}

// Run rebuilds the counters.
func (c *ScoreRebuildCmd) Run(app *App) error {
	s, err := app.Store(app.Context())
	if err != nil {
		return err
	}
	return s.RebuildScores(app.Context())
}
