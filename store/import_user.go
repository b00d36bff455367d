package store

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/corpus"
)

// importUsers remembers what the database knows of authors, so that most
// batches need not ask.
type importUsers struct {
	known map[uuid.UUID]importSpan // as the database has it
	now   map[uuid.UUID]importSpan // as this batch tells
}

// importSpan is the time from an author's first message to the last one, in
// microseconds; known is false where no message had a date.
type importSpan struct {
	first, last int64
	dated       bool
}

// importUsersKept bounds how many authors are remembered.
const importUsersKept = 200_000

func (u *importUsers) forget() { u.known, u.now = nil, nil }

// saw takes in a message's author and date.
func (u *importUsers) saw(m *corpus.Message) {
	if m.UserID == nil {
		return
	}
	if u.now == nil {
		u.now = map[uuid.UUID]importSpan{}
	}
	span := u.now[*m.UserID]
	if m.CreatedDate != nil {
		at := m.CreatedDate.UnixMicro()
		if !span.dated {
			span = importSpan{at, at, true}
		}
		span.first, span.last = min(span.first, at), max(span.last, at)
	}
	u.now[*m.UserID] = span
}

// news returns the authors of whom the database may not know yet what this
// batch told.
func (u *importUsers) news() map[uuid.UUID]importSpan {
	for id, span := range u.now {
		before, known := u.known[id]
		if known && (!span.dated || before.dated && before.first <= span.first && before.last >= span.last) {
			delete(u.now, id)
		}
	}
	return u.now
}

// write makes authors that are new, and gives all their dates, which boards
// show. It returns how many are new.
func (u *importUsers) write(ctx context.Context, tx pgx.Tx, tally *tallying) (int64, error) {
	news := u.news()
	u.now = nil
	if len(news) == 0 {
		return 0, nil
	}
	ids, first, last := make([]uuid.UUID, 0, len(news)), make([]*time.Time, 0, len(news)), make([]*time.Time, 0, len(news))
	for _, id := range slices.SortedFunc(maps.Keys(news), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }) {
		span := news[id]
		ids = append(ids, id)
		if span.dated {
			first, last = append(first, new(time.UnixMicro(span.first))), append(last, new(time.UnixMicro(span.last)))
		} else {
			first, last = append(first, nil), append(last, nil)
		}
	}
	tally.change(ids...)
	if _, err := tx.Exec(ctx, importUserLocksSQL, idArray(ids), first, last); err != nil {
		return 0, fmt.Errorf("lock users: %w", err)
	}
	tag, err := tx.Exec(ctx, importUsersSQL, idArray(ids), first, last)
	if err != nil {
		return 0, fmt.Errorf("make users: %w", err)
	}
	if _, err := tx.Exec(ctx, importUserDatesSQL, idArray(ids), first, last); err != nil {
		return 0, fmt.Errorf("update the dates of users: %w", err)
	}
	if u.known == nil || len(u.known) > importUsersKept {
		u.known = map[uuid.UUID]importSpan{}
	}
	for id, span := range news {
		if before := u.known[id]; before.dated && span.dated {
			span.first, span.last = min(span.first, before.first), max(span.last, before.last)
		}
		u.known[id] = span
	}
	return tag.RowsAffected(), nil
}

const (
	importUsersFrom = `unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) a(id, first, last)`

	importUsersSQL = `INSERT INTO users (user_id, display_name, auth_method, username, created_date, last_activity_date)
		SELECT id, 'User ' || left(id::text, 8), 'import', id::text, coalesce(first, now()), coalesce(last, '-infinity')
		FROM ` + importUsersFrom + ` ORDER BY a.id ON CONFLICT DO NOTHING`

	// Those that are known are locked first, in the order of their ids, as
	// everybody does it.
	importUserLocksSQL = `SELECT FROM users u JOIN ` + importUsersFrom + ` ON u.user_id = a.id
		WHERE ` + importUserDiffers + ` ORDER BY u.user_id FOR NO KEY UPDATE OF u`

	importUserDiffers = `(a.last > u.last_activity_date OR u.auth_method = 'import' AND a.first < u.created_date)`

	importUserDatesSQL = `UPDATE users u SET last_activity_date = greatest(u.last_activity_date, a.last),
		created_date = CASE WHEN u.auth_method = 'import' THEN least(u.created_date, a.first) ELSE u.created_date END
		FROM ` + importUsersFrom + ` WHERE u.user_id = a.id AND ` + importUserDiffers
)
