package users

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
)

// BansEnding returns the first five users whose bans end within the next seven days,
// of those who write most in some languages; nil stands for all.
func BansEnding(ctx context.Context, c db.Conn, within []string) ([]User, error) {
	q := db.Query{Columns: Columns + db.NoCursorKey, From: "users u"}
	q.Where("u.banned_at IS NOT NULL AND u.banned_until BETWEEN now() AND now() + interval '7 days'")
	q.WithinLanguages(db.MainLanguageSQL, within)
	sql, args := q.SQL()
	rows, err := db.Collect[Row](ctx, c, sql+" ORDER BY u.banned_until LIMIT 5", args...)
	return Of(rows), err
}

// FeedbackTreesSQL returns a query for the trees in which users left labels,
// reactions or reports. This feedback stops counting when the users are banned. users
// is a list for IN, or a query.
func FeedbackTreesSQL(users string) string {
	return fmt.Sprintf(`SELECT tree_id FROM label_votes WHERE user_id IN (%[1]s)
		UNION ALL SELECT tree_id FROM reactions WHERE user_id IN (%[1]s)
		UNION ALL SELECT tree_id FROM reports WHERE user_id IN (%[1]s)`, users)
}

// BansSQL selects the ids of the actions that made the ban in force of user $1: the
// first one, and those that replaced its terms.
const BansSQL = `SELECT o.action_id FROM action_objects o JOIN users u ON u.user_id = o.object_id
	WHERE o.object_type = 'user' AND o.object_id = $1 AND o.aspect = 'ban'
		AND (o.after->>'since')::timestamptz = u.banned_at`

// BansExpired returns the first users whose ban is over and was not removed, up to a
// number.
func BansExpired(ctx context.Context, c db.Conn, most int) ([]uuid.UUID, error) {
	rows, err := c.Query(ctx, `SELECT user_id FROM users
		WHERE banned_at IS NOT NULL AND banned_until <= now()
		ORDER BY user_id LIMIT $1`, most)
	if err != nil {
		return nil, db.Translate(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	return ids, db.Translate(err)
}
