package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/figures"
	"treewarden/store/insights"
)

// measureInsights times the count of the figures, its check, and the pages that show
// them. The page of the queue gets 100,000 open cases.
func (b *bench) measureInsights(ctx context.Context) error {
	if err := b.openCases(ctx); err != nil {
		return err
	}
	counting, err := b.countInsights(ctx)
	if err != nil {
		return err
	}
	b.within("figures of the insights counted whole, in the background", counting, 0, "treewarden insights count")
	following, err := b.followInsights(ctx)
	if err != nil {
		return err
	}
	b.within("a deletion, until the figures of the insights have it, median", following.median(), 0, "treewarden serve")
	b.within("a deletion, until the figures of the insights have it, longest", following.percentile(100), 0,
		"treewarden serve")
	verifying, err := b.web.run("insights", "verify")
	if err != nil {
		return err
	}
	b.within("figures of the insights counted by another method, and compared", verifying, 0, "treewarden insights verify")
	return b.insightPages(ctx)
}

// countInsights returns the time of a count. The program that serves the pages may be
// about one already, and then the command leaves it to that: it is repeated until it has
// counted itself.
func (b *bench) countInsights(ctx context.Context) (time.Duration, error) {
	for {
		began := time.Now()
		took, err := b.web.run("insights", "count")
		if err != nil {
			return 0, err
		}
		counted, err := column[bool](ctx, b.ours, "SELECT as_of >= $1 FROM insight_state", began)
		if err != nil {
			return 0, err
		}
		if len(counted) > 0 && counted[0] {
			return took, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// followInsights deletes a few messages, undoes that, and returns how long it took after
// each until the program that serves had counted it.
func (b *bench) followInsights(ctx context.Context) (spans, error) {
	var took spans
	for range 5 {
		ids, err := column[uuid.UUID](ctx, b.ours, `(SELECT message_id FROM messages
				WHERE tree_id > $1 AND parent_id IS NOT NULL AND NOT deleted LIMIT 1)
			UNION ALL (SELECT message_id FROM messages WHERE parent_id IS NOT NULL AND NOT deleted LIMIT 1) LIMIT 1`, uuid.New())
		if err != nil || len(ids) == 0 {
			return nil, cmp.Or(err, errors.New("no message to delete"))
		}
		var deleted store.Outcome
		for _, change := range []func() error{
			func() error {
				act := store.Act{Kind: "delete", Target: ids[0], Reason: "measure", Params: store.CloseParams{}}
				deleted, err = b.store.Act(ctx, store.CommandLine, act)
				return err
			},
			func() error {
				_, err := b.store.Undo(ctx, store.CommandLine, deleted.Action.ID, "measure", false, "")
				return err
			},
		} {
			if err := change(); err != nil {
				return nil, err
			}
			began := time.Now()
			if err := b.untilNoChanges(ctx); err != nil {
				return nil, err
			}
			took = append(took, time.Since(began))
		}
	}
	return took, nil
}

// untilNoChanges waits until all changes are counted.
func (b *bench) untilNoChanges(ctx context.Context) error {
	for {
		left, err := column[bool](ctx, b.ours, "SELECT EXISTS (SELECT FROM insight_changes)")
		if err != nil || !left[0] {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// insightPages times what each page reads, and the whole page.
func (b *bench) insightPages(ctx context.Context) error {
	access, err := b.store.Insights(store.CommandLine)
	if err != nil {
		return err
	}
	since := b.end.AddDate(0, -1, 0).Truncate(24 * time.Hour)
	for _, page := range []struct {
		name, read, path string
		do               func() error
	}{
		{"the queue, a month", "store.QueueFigures", "/insights?since=" + since.Format(time.DateOnly), func() error {
			_, err := b.store.QueueFigures(ctx, store.CommandLine, figures.Filter{Since: &since})
			return err
		}},
		{"toxicity by deletion", "insights.Outputs", "/insights/toxicity", func() error {
			_, err := access.Outputs(ctx, insights.ByDeleted, "")
			return err
		}},
		{"toxicity by language", "insights.Outputs", "/insights/toxicity?by=lang", func() error {
			_, err := access.Outputs(ctx, insights.ByLang, "")
			return err
		}},
		{"correlations", "insights.Correlations", "/insights/correlations", func() error {
			_, err := access.Correlations(ctx, "", insights.All)
			return err
		}},
		{"contributors", "insights.Contributors", "/insights/contributors", func() error {
			_, err := access.Contributors(ctx, insights.AnyRole, string(scoring.Total), insights.DefaultTop)
			return err
		}},
		{"the collection, users by month", "insights.Collection", "/insights/collection?of=users&by=month", func() error {
			_, err := access.Collection(ctx, "users", "month", string(scoring.Total), "")
			return err
		}},
		{"raters", "insights.Raters", "/insights/raters", func() error {
			_, err := access.Raters(ctx, "", "")
			return err
		}},
		{"classifiers and labels", "insights.ClassifierAgreement", "/insights/models", func() error {
			_, err := access.ClassifierAgreement(ctx, insights.AgreementFilter{})
			return err
		}},
		{"staff, a month", "insights.Staff", "/insights/staff?since=" + since.Format(time.DateOnly), func() error {
			_, err := access.Staff(ctx, figures.StaffFilter{Since: &since})
			return err
		}},
	} {
		took, err := b.inTurns(200, 20*time.Second, func(int) error { return page.do() },
			func(int) error { return b.web.page(ctx, b.keys[policy.Admin], http.MethodGet, page.path) })
		if err != nil {
			return fmt.Errorf("insights of %s: %w", page.name, err)
		}
		for i, how := range []string{page.read, "GET " + page.path} {
			what := []string{"read", "page over HTTP"}[i]
			b.within(fmt.Sprintf("insights, %s, %s, p50", page.name, what), took[i].median(), 0, how)
			b.within(fmt.Sprintf("insights, %s, %s, p99", page.name, what), took[i].percentile(99), time.Second, how)
		}
	}
	return nil
}
