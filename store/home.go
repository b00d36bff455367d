package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store/db"
	"treewarden/store/messages"
)

// Home holds the work that waits for a member of staff.
type Home struct {
	OpenReports []HomeReport `json:"open_reports"`
	Flagged     []BoardRow   `json:"flagged"` // the top of today's board
	MyActions   []Action     `json:"my_actions"`
	BansEnding  []User       `json:"bans_ending"` // within the next seven days
}

// HomeReport is an open report with its message.
type HomeReport struct {
	Message Message   `json:"message"`
	By      string    `json:"by"`
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
}

// Home returns the work that waits for the actor.
func (s *Store) Home(ctx context.Context, actor Actor) (Home, error) {
	var h Home
	if err := need(actor, policy.Read); err != nil {
		return h, err
	}
	var err error
	if h.OpenReports, err = s.openReports(ctx); err != nil {
		return h, err
	}
	formula, err := s.FormulaNamed(ctx, "")
	if err != nil {
		return h, err
	}
	board, err := s.Board(ctx, actor, BoardFilter{Window: scoring.Day, Formula: formula, Page: Page{Limit: 5}})
	if err != nil {
		return h, err
	}
	h.Flagged = board.Items
	mine, err := s.Actions(ctx, actor, ActionFilter{Actor: &actor.UserID, Page: Page{Limit: 5}})
	if err != nil {
		return h, err
	}
	h.MyActions = mine.Items
	rows, err := db.Collect[userRow](ctx, s.pool, "SELECT "+userColumns+db.NoCursorKey+` FROM users u
		WHERE u.banned_at IS NOT NULL AND u.banned_until BETWEEN now() AND now() + interval '7 days'
			ORDER BY u.banned_until LIMIT 5`)
	for _, r := range rows {
		h.BansEnding = append(h.BansEnding, r.user())
	}
	return h, err
}

// openReports reads the newest open reports.
func (s *Store) openReports(ctx context.Context) ([]HomeReport, error) {
	type row struct {
		TreeID, MessageID uuid.UUID
		By, Reason        string
		At                time.Time
	}
	rows, err := db.Collect[row](ctx, s.pool, `SELECT r.tree_id, r.message_id, u.display_name AS by, r.reason, r.at
		FROM reports r JOIN users u USING (user_id) WHERE r.status = 'open' ORDER BY r.at DESC, r.report_id DESC LIMIT 10`)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	trees, ids := make([]uuid.UUID, len(rows)), make([]uuid.UUID, len(rows))
	for i, r := range rows {
		trees[i], ids[i] = r.TreeID, r.MessageID
	}
	found, err := messages.Select(ctx, s.pool,
		"WHERE (m.tree_id, m.message_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))", trees, ids)
	if err != nil {
		return nil, err
	}
	reports := make([]HomeReport, len(rows))
	for i, r := range rows {
		reports[i] = HomeReport{By: r.By, Reason: r.Reason, At: r.At}
		for _, m := range found {
			if m.MessageID == r.MessageID {
				reports[i].Message = m
			}
		}
	}
	return reports, nil
}
