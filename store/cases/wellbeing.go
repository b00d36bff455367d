package cases

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
	"treewarden/store/queue"
	"treewarden/store/tables"
)

const (
	// Break is how long a person looks at no case before what they do counts as a new
	// stretch of work. The open page of a case gives signs of life more often.
	Break = Lease
	// toxicWithin is the time within which opened toxic cases count.
	toxicWithin = time.Hour
	// longestStretch bounds the reading of what a person looked at.
	longestStretch = 24 * time.Hour
)

// Rest is what a person's own settings ask for now.
type Rest struct {
	// Worked is how long the person has worked without a break, if it is time to remind
	// them of one, else 0.
	Worked time.Duration
	// Toxic is the number of toxic cases that the person opened within the last hour, if
	// their limit is reached, else 0.
	Toxic int
	// Below is the toxicity from which on cases are left out; nil if none are.
	Below *float64
	// Until is when the number is below the limit again, if they open no other.
	Until time.Time
}

// Resting tells what a person's settings ask for. opening is a case that they open just
// now, or nil; toxicFrom is the toxicity from which on a case is toxic.
func Resting(
	ctx context.Context, c db.Conn, person uuid.UUID, set tables.Wellbeing, now time.Time, toxicFrom float64,
	opening *queue.Case,
) (r Rest, err error) {
	if set.BreakAfter > 0 {
		after := time.Duration(set.BreakAfter) * time.Minute
		since, err := workedSince(ctx, c, person, now)
		if err != nil {
			return r, db.Translate(err)
		}
		dismissed := set.BreakDismissedAt != nil && now.Sub(*set.BreakDismissedAt) < after
		if worked := now.Sub(since); worked >= after && !dismissed {
			r.Worked = worked
		}
	}
	if set.ToxicPerHour > 0 {
		opened, err := toxicOpened(ctx, c, person, now, toxicFrom, opening)
		if err != nil {
			return r, db.Translate(err)
		}
		if len(opened) >= set.ToxicPerHour {
			r.Toxic, r.Below = len(opened), &toxicFrom
			r.Until = opened[set.ToxicPerHour-1].Add(toxicWithin)
		}
	}
	return r, nil
}

// workedSince returns when the current stretch of a person's work began: now, if they
// take a break.
func workedSince(ctx context.Context, c db.Conn, person uuid.UUID, now time.Time) (time.Time, error) {
	rows, err := c.Query(ctx, `SELECT opened_at, seen_at FROM case_views
		WHERE user_id = $1 AND seen_at > $2 AND opened_at IS NOT NULL ORDER BY seen_at DESC`,
		person, now.Add(-longestStretch))
	if err != nil {
		return now, err
	}
	defer rows.Close()
	since := now
	for rows.Next() {
		var opened, seen time.Time
		if err := rows.Scan(&opened, &seen); err != nil {
			return now, err
		}
		if since.Sub(seen) >= Break {
			return since, nil // all others ended even earlier
		}
		if opened.Before(since) {
			since = opened
		}
	}
	return since, rows.Err()
}

// toxicOpened returns when a person opened toxic cases within the last hour, the newest
// first, each case once. opening is opened now.
func toxicOpened(
	ctx context.Context, c db.Conn, person uuid.UUID, now time.Time, from float64, opening *queue.Case,
) ([]time.Time, error) {
	rows, err := c.Query(ctx, `SELECT case_id, opened_at FROM case_views
		WHERE user_id = $1 AND seen_at > $2 AND opened_at > $2`, person, now.Add(-toxicWithin))
	if err != nil {
		return nil, err
	}
	opened := map[int64]time.Time{}
	ids := []int64{}
	var id int64
	var at time.Time
	if _, err := pgx.ForEachRow(rows, []any{&id, &at}, func() error {
		opened[id] = at
		ids = append(ids, id)
		return nil
	}); err != nil {
		return nil, err
	}
	rows, err = c.Query(ctx, "SELECT case_id FROM cases WHERE case_id = ANY ($1) AND toxicity >= $2", ids, from)
	if err != nil {
		return nil, err
	}
	toxic, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, err
	}
	var times []time.Time
	for _, id := range toxic {
		times = append(times, opened[id])
	}
	if opening != nil && opening.Toxicity != nil && *opening.Toxicity >= from && !slices.Contains(toxic, opening.ID) {
		times = append(times, now)
	}
	slices.SortFunc(times, func(a, b time.Time) int { return b.Compare(a) })
	return times, nil
}
