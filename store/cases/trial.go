package cases

import (
	"context"

	"github.com/google/uuid"

	"treewarden/scoring"
	"treewarden/store/db"
	"treewarden/store/queue"
)

// Trial compares the order of the cases that wait by two priorities.
type Trial struct {
	Window  scoring.Window   `json:"frame"`
	Cases   int              `json:"cases"` // that wait
	Top     int              `json:"top"`   // the number of cases in each list
	InForce scoring.Priority `json:"in_force"`
	Tried   scoring.Priority `json:"tried"`
	Before  []TrialCase      `json:"before" description:"the first cases by the weights in force"`
	After   []TrialCase      `json:"after" description:"the first cases by the tried weights"`
	Entered []int64          `json:"entered" description:"the ids of the cases of after that are not in before"`
	Left    []int64          `json:"left" description:"the ids of the cases of before that are not in after"`
}

// TrialCase is a case in two orders.
type TrialCase struct {
	ID             int64      `json:"id"`
	UserID         *uuid.UUID `json:"user_id"` // the message's author
	Author         *string    `json:"display_name"`
	RankBefore     int        `json:"rank_before"`
	RankAfter      int        `json:"rank_after"`
	PriorityBefore Priority   `json:"priority_before"`
	PriorityAfter  Priority   `json:"priority_after"`
}

// Up returns by how many places the case moves up; below zero it moves down.
func (c TrialCase) Up() int { return c.RankBefore - c.RankAfter }

// trialTop is the number of cases that a trial compares.
const trialTop = 50

// Try compares the order by the desk's priority with that by another one.
func (d Desk) Try(ctx context.Context, tried scoring.Priority) (Trial, error) {
	t := Trial{Window: d.By.Window, Top: trialTop, InForce: d.By.Priority, Tried: tried,
		Before: []TrialCase{}, After: []TrialCase{}, Entered: []int64{}, Left: []int64{}}
	orders := d.Index.Ranked(d.By, d.By.Priority, tried)
	t.Cases = len(orders[0])
	ranks := [2]map[int64]int{}
	for i, order := range orders {
		ranks[i] = make(map[int64]int, len(order))
		for rank, p := range order {
			ranks[i][p.Case.ID] = rank + 1
		}
	}
	names, err := d.authors(ctx, orders)
	if err != nil {
		return t, db.Translate(err)
	}
	for i, list := range []*[]TrialCase{&t.Before, &t.After} {
		for _, p := range orders[i][:min(trialTop, t.Cases)] {
			c := TrialCase{ID: p.Case.ID, RankBefore: ranks[0][p.Case.ID], RankAfter: ranks[1][p.Case.ID],
				PriorityBefore: d.priority(d.By.Priority, p.Case), PriorityAfter: d.priority(tried, p.Case)}
			if name, known := names[p.Case.Author]; known {
				c.UserID, c.Author = &p.Case.Author, &name
			}
			*list = append(*list, c)
		}
	}
	for _, c := range t.After {
		if c.RankBefore > trialTop {
			t.Entered = append(t.Entered, c.ID)
		}
	}
	for _, c := range t.Before {
		if c.RankAfter > trialTop {
			t.Left = append(t.Left, c.ID)
		}
	}
	return t, nil
}

// authors returns the names of the authors of the first cases of orders.
func (d Desk) authors(ctx context.Context, orders [][]queue.Place) (map[uuid.UUID]string, error) {
	var ids []uuid.UUID
	for _, order := range orders {
		for _, p := range order[:min(trialTop, len(order))] {
			ids = append(ids, p.Case.Author)
		}
	}
	type row struct {
		UserID      uuid.UUID
		DisplayName string
	}
	rows, err := db.Collect[row](ctx, d.Conn, "SELECT user_id, display_name FROM users WHERE user_id = ANY ($1)",
		db.IDArray(ids))
	names := make(map[uuid.UUID]string, len(rows))
	for _, r := range rows {
		names[r.UserID] = r.DisplayName
	}
	return names, err
}
