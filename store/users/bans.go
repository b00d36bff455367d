package users

import (
	"context"

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
