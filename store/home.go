package store

import (
	"context"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store/cases"
	"treewarden/store/db"
	"treewarden/store/messages"
	"treewarden/store/queue"
	"treewarden/store/users"
)

// Home holds the work that waits for a member of staff.
type Home struct {
	Cases       int // that wait in the queue
	OpenReports messages.OpenReports
	Flagged     []BoardRow // the top of today's board
	MyActions   []Action
	BansEnding  []User // within the next seven days
}

// Home returns the work that waits for the actor, in some languages; nil stands for
// all.
func (s *Store) Home(ctx context.Context, actor Actor, within []string) (Home, error) {
	var h Home
	if err := need(actor, policy.Read); err != nil {
		return h, err
	}
	formula, err := s.FormulaNamed(ctx, "")
	if err != nil {
		return h, err
	}
	overall, err := s.overallScores(ctx, formula)
	if err != nil {
		return h, err
	}
	if h.OpenReports, err = messages.ReadReported(ctx, s.pool, within, overall); err != nil {
		return h, err
	}
	skipped, err := cases.Skipped(ctx, s.pool, actor.UserID)
	if err != nil {
		return h, db.Translate(err)
	}
	h.Cases = s.cases.Count(&queue.View{Filter: QueueFilter{Within: within}, By: queue.By{Now: s.now()}, Skipped: skipped})
	board, err := s.Board(ctx, actor, BoardFilter{Window: scoring.Day, Formula: formula, Within: within,
		Page: Page{Limit: 5}})
	if err != nil {
		return h, err
	}
	h.Flagged = board.Items
	if actor.May(policy.AuditOwn) || actor.May(policy.AuditAll) {
		mine, err := s.Actions(ctx, actor, ActionFilter{Actor: &actor.UserID, Page: Page{Limit: 5}})
		if err != nil {
			return h, err
		}
		h.MyActions = mine.Items
	}
	h.BansEnding, err = users.BansEnding(ctx, s.pool, within)
	return h, err
}

// OverallScores returns the function that gives the score of a user over all time, by
// the formula in force.
func (s *Store) OverallScores(ctx context.Context, actor Actor) (func(user uuid.UUID) float64, error) {
	if err := need(actor, policy.Read); err != nil {
		return nil, err
	}
	formula, err := s.FormulaNamed(ctx, "")
	if err != nil {
		return nil, err
	}
	return s.overallScores(ctx, formula)
}

func (s *Store) overallScores(ctx context.Context, formula scoring.Formula) (func(user uuid.UUID) float64, error) {
	current, err := s.boards.Current(ctx)
	scorer := formula.Scorer()
	return func(user uuid.UUID) float64 {
		u, _ := current.User(user)
		return scorer.Score(u.Counters(scoring.Total))
	}, err
}
