package main

import (
	"context"
	"fmt"
	"time"

	"treewarden/store"
	"treewarden/store/insights"
)

// InsightsCmd counts and checks the figures of the insights.
type InsightsCmd struct {
	Verify InsightsVerifyCmd `cmd:"" help:"Count the figures by another method, and compare."`
	Count  InsightsCountCmd  `cmd:"" help:"Count the figures anew, which serve does after changes."`
}

// InsightsVerifyCmd compares the figures with the messages.
type InsightsVerifyCmd struct{}

// Run prints the figures that differ, at most 100 of them.
func (c *InsightsVerifyCmd) Run(app *App) error {
	access, err := app.insights()
	if err != nil {
		return err
	}
	check, err := access.Verify(app.Context())
	if err != nil {
		return err
	}
	if check.AsOf.IsZero() {
		return fmt.Errorf("the figures were never counted; run %q", "treewarden insights count")
	}
	for _, difference := range check.Found {
		fmt.Fprintln(app.Stdout, difference)
	}
	asOf := check.AsOf.Format(time.RFC3339)
	switch {
	case len(check.Found) == 0:
		_, err = fmt.Fprintf(app.Stdout, "%s as of %s are what the messages say\n", plural(int(check.Rows), "figure"), asOf)
		return err
	case check.Changed:
		return fmt.Errorf("%s not what the messages say (%w), but something was written since they were counted at %s; "+
			"run %q, and verify again", plural(len(check.Found), "figure"), errFaults, asOf, "treewarden insights count")
	}
	return fmt.Errorf("%s not what the messages say (%w); run %q, and tell us how it came about",
		plural(len(check.Found), "figure"), errFaults, "treewarden insights count")
}

// InsightsCountCmd counts the figures anew.
type InsightsCountCmd struct{}

// Run counts the figures.
func (c *InsightsCountCmd) Run(app *App) error {
	access, err := app.insights()
	if err != nil {
		return err
	}
	if err := access.CountActions(app.Context()); err != nil {
		return err
	}
	return access.Count(app.Context())
}

// insights opens the store and returns its figures.
func (a *App) insights() (insights.Access, error) {
	s, err := a.Store(a.Context())
	if err != nil {
		return insights.Access{}, err
	}
	return s.Insights(store.CommandLine)
}

// keepInsights returns the chore that counts the figures after changes.
func keepInsights(s *store.Store) func(context.Context) error {
	return func(ctx context.Context) error {
		access, err := s.Insights(store.CommandLine)
		if err != nil {
			return err
		}
		return access.KeepUp(ctx)
	}
}
