package messages

import (
	"context"
	"time"

	"github.com/google/uuid"

	"treewarden/store/db"
)

// Reported is an open report with its message.
type Reported struct {
	Message Message   `json:"message"`
	UserID  uuid.UUID `json:"user_id"` // who reported it
	By      string    `json:"by"`
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
}

// OpenReports reads the newest open reports of messages in some languages; nil
// stands for all.
func OpenReports(ctx context.Context, c db.Conn, within []string) ([]Reported, error) {
	type row struct {
		TreeID, MessageID uuid.UUID
		UserID            uuid.UUID
		By, Reason        string
		At                time.Time
	}
	q := db.Query{
		Columns: "r.tree_id, r.message_id, r.user_id, u.display_name AS by, r.reason, r.at",
		From: `reports r JOIN users u USING (user_id)
			JOIN messages m ON m.tree_id = r.tree_id AND m.message_id = r.message_id`,
	}
	q.Where("r.status = 'open'")
	q.WithinLanguages("m.lang", within)
	sql, args := q.SQL()
	rows, err := db.Collect[row](ctx, c, sql+" ORDER BY r.at DESC, r.report_id DESC LIMIT 10", args...)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	trees, ids := make([]uuid.UUID, len(rows)), make([]uuid.UUID, len(rows))
	for i, r := range rows {
		trees[i], ids[i] = r.TreeID, r.MessageID
	}
	found, err := Select(ctx, c,
		"WHERE (m.tree_id, m.message_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))", trees, ids)
	if err != nil {
		return nil, err
	}
	reports := make([]Reported, len(rows))
	for i, r := range rows {
		reports[i] = Reported{UserID: r.UserID, By: r.By, Reason: r.Reason, At: r.At}
		for _, m := range found {
			if m.MessageID == r.MessageID {
				reports[i].Message = m
			}
		}
	}
	return reports, nil
}
