package store

import (
	"context"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store/db"
	"treewarden/store/messages"
	"treewarden/store/users"
)

// Home holds the work that waits for a member of staff.
type Home struct {
	OpenReports []messages.Reported `json:"open_reports"`
	Flagged     []BoardRow          `json:"flagged"` // the top of today's board
	MyActions   []Action            `json:"my_actions"`
	BansEnding  []User              `json:"bans_ending"` // within the next seven days
}

// Home returns the work that waits for the actor, in some languages; nil stands for
// all.
func (s *Store) Home(ctx context.Context, actor Actor, within []string) (Home, error) {
	var h Home
	if err := need(actor, policy.Read); err != nil {
		return h, err
	}
	var err error
	if h.OpenReports, err = messages.OpenReports(ctx, s.pool, within); err != nil {
		return h, err
	}
	formula, err := s.FormulaNamed(ctx, "")
	if err != nil {
		return h, err
	}
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
	q := db.Query{Columns: users.Columns + db.NoCursorKey, From: "users u"}
	q.Where("u.banned_at IS NOT NULL AND u.banned_until BETWEEN now() AND now() + interval '7 days'")
	q.WithinLanguages(db.MainLanguageSQL, within)
	sql, args := q.SQL()
	rows, err := db.Collect[users.Row](ctx, s.pool, sql+" ORDER BY u.banned_until LIMIT 5", args...)
	h.BansEnding = users.Of(rows)
	return h, err
}
