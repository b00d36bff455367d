// Package briefs reads what pages show of a user: their own page whole, other pages in
// short.
package briefs

import (
	"context"
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
	"treewarden/store/audit"
	"treewarden/store/db"
	"treewarden/store/messages"
	"treewarden/store/scores"
)

// Brief is what the head of a user's page, and the card of a message's author,
// show of a user.
type Brief struct {
	Today, Overall float64               // scores
	Parts          []scoring.Part        // of the overall score
	Reports        []messages.UserReport // the newest open ones
	Notes          string                // of staff
	// Done is the number of actions on the user, nil if the reader may not see
	// them, and Actions are the last.
	Done    *int
	Actions []audit.Action
}

// ShownActions is the number of actions in a Brief.
const ShownActions = 3

// OpenReports returns the number of open reports on the user's messages.
func (b Brief) OpenReports() int {
	if len(b.Reports) == 0 {
		return 0
	}
	return b.Reports[0].Total
}

// Of reads the brief of a user. The filter selects the actions on the user
// that the reader may see; seesActions is false if the reader sees none.
func Of(ctx context.Context, c db.Conn, id uuid.UUID, formula scoring.Formula, now time.Time,
	f audit.Filter, seesActions bool) (b Brief, err error) {
	for window, score := range map[scoring.Window]*float64{scoring.Day: &b.Today, scoring.Total: &b.Overall} {
		counts, err := scores.Kept(ctx, c, id, window, now, formula)
		if err != nil {
			return b, err
		}
		if *score = formula.Score(counts); window == scoring.Total {
			b.Parts = formula.Parts(counts)
		}
	}
	if b.Reports, err = messages.OpenReportsOn(ctx, c, id); err != nil {
		return b, err
	}
	if err = c.QueryRow(ctx, "SELECT coalesce(notes, '') FROM users WHERE user_id = $1", id).Scan(&b.Notes); err != nil {
		return b, err
	}
	if !seesActions {
		return b, nil
	}
	last, all, err := audit.Last(ctx, c, f, ShownActions)
	b.Actions, b.Done = last, &all
	return b, err
}
