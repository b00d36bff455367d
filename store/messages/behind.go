package messages

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
	"treewarden/store/counters"
	"treewarden/store/db"
)

// Behind selects the messages of a user that gave a signal of their score.
type Behind struct {
	Signal  scoring.Signal
	Window  scoring.Window
	Formula scoring.Formula
}

// starts holds the starts of the windows, as scoring.Window.Since computes them.
// A filter must not hold the time of a request: its cursors would change.
var starts = map[scoring.Window]string{
	scoring.Day:   "date_trunc('hour', now(), 'UTC') - interval '24 hours'",
	scoring.Week:  "(date_trunc('day', now() AT TIME ZONE 'UTC') - interval '7 days') AT TIME ZONE 'UTC'",
	scoring.Month: "(date_trunc('day', now() AT TIME ZONE 'UTC') - interval '30 days') AT TIME ZONE 'UTC'",
	scoring.Total: "'-infinity'::timestamptz",
}

// sql returns the condition on a user's messages m. It counts as the evidence
// of a score does.
func (b Behind) sql(q *db.Query, user uuid.UUID) string {
	column := string(b.Signal)
	if b.Formula.Legacy {
		column = scoring.LegacyPrefix + column
	}
	counted := counters.CountSQL("messages m", "m.user_id = {user} AND {at} >= "+starts[b.Window], "m.message_id")
	from, models := counters.RuleArgs(b.Formula.ToxicityRule())
	counted = strings.NewReplacer("$1", q.Arg(from), "$2", q.Arg(models), "{user}", q.Arg(user)).Replace(counted)
	return "m.message_id IN (SELECT s.g1 FROM (" + counted + ") s WHERE s." + column + " <> 0)"
}

// ReasonsFor returns the reason of the newest report that counts, by message.
func ReasonsFor(ctx context.Context, c db.Conn, ids []uuid.UUID) (map[uuid.UUID]string, error) {
	type row struct {
		MessageID uuid.UUID
		Reason    string
	}
	rows, err := db.Collect[row](ctx, c, `SELECT DISTINCT ON (r.message_id) r.message_id, r.reason
		FROM message_trees t JOIN reports r ON r.tree_id = t.tree_id AND r.message_id = t.message_id
		WHERE t.message_id = ANY ($1) AND r.status IN ('open', 'upheld')
		ORDER BY r.message_id, r.at DESC, r.report_id DESC`, ids)
	reasons := make(map[uuid.UUID]string, len(rows))
	for _, r := range rows {
		reasons[r.MessageID] = r.Reason
	}
	return reasons, err
}

// UserReport is an open report on a message of a user.
type UserReport struct {
	MessageID uuid.UUID
	Reason    string
	At        time.Time
	Total     int // of the user's open reports
}

// shownReports is the number of reports that OpenReportsOn returns.
const shownReports = 3

// OpenReportsOn returns the newest open reports on a user's messages, each with
// the number of all. It reads them by the open cases of the user, of whom most have
// few: a message with an open report has one.
func OpenReportsOn(ctx context.Context, c db.Conn, user uuid.UUID) ([]UserReport, error) {
	return db.Collect[UserReport](ctx, c, `SELECT r.message_id, r.reason, r.at, count(*) OVER () AS total
		FROM cases c JOIN reports r ON r.tree_id = c.tree_id AND r.message_id = c.message_id AND r.status = 'open'
		WHERE c.user_id = $1 AND c.status = 'open' ORDER BY r.at DESC, r.report_id DESC LIMIT $2`, user, shownReports)
}
