package importer

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
	"treewarden/store/counters"
	"treewarden/store/db"
)

// authorCache caches authors, so that most batches need no query for them.
type authorCache struct {
	known map[uuid.UUID]dateSpan // in the database
	batch map[uuid.UUID]dateSpan // in this batch
}

// dateSpan is the time from an author's first message to the last, in
// microseconds; dated is false if no message has a date.
type dateSpan struct {
	first, last int64
	dated       bool
}

// maxAuthorsKept is the maximum number of cached authors.
const maxAuthorsKept = 200_000

func (u *authorCache) forget() { u.known, u.batch = nil, nil }

// note adds a message's author and date.
func (u *authorCache) note(m *corpus.Message) {
	if m.UserID == nil {
		return
	}
	if u.batch == nil {
		u.batch = map[uuid.UUID]dateSpan{}
	}
	span := u.batch[*m.UserID]
	if m.CreatedDate != nil {
		at := m.CreatedDate.UnixMicro()
		if !span.dated {
			span = dateSpan{at, at, true}
		}
		span.first, span.last = min(span.first, at), max(span.last, at)
	}
	u.batch[*m.UserID] = span
}

// changed returns the authors of this batch that may be missing in the database
// or differ there.
func (u *authorCache) changed() map[uuid.UUID]dateSpan {
	for id, span := range u.batch {
		before, known := u.known[id]
		if known && (!span.dated || before.dated && before.first <= span.first && before.last >= span.last) {
			delete(u.batch, id)
		}
	}
	return u.batch
}

// write inserts new authors and updates the dates of all. It returns the number
// of new authors.
func (u *authorCache) write(ctx context.Context, tx pgx.Tx, update *counters.Update) (int64, error) {
	news := u.changed()
	u.batch = nil
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
	update.Changed.Add(ids...)
	if _, err := tx.Exec(ctx, lockAuthorsSQL, db.IDArray(ids), first, last); err != nil {
		return 0, fmt.Errorf("lock users: %w", err)
	}
	tag, err := tx.Exec(ctx, insertAuthorsSQL, db.IDArray(ids), first, last)
	if err != nil {
		return 0, fmt.Errorf("make users: %w", err)
	}
	if _, err := tx.Exec(ctx, authorDatesSQL, db.IDArray(ids), first, last); err != nil {
		return 0, fmt.Errorf("update the dates of users: %w", err)
	}
	if u.known == nil || len(u.known) > maxAuthorsKept {
		u.known = map[uuid.UUID]dateSpan{}
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
	authorsFrom = `unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) a(id, first, last)`

	insertAuthorsSQL = `INSERT INTO users (user_id, display_name, auth_method, username, created_date, last_activity_date)
		SELECT id, 'User ' || left(id::text, 8), 'import', id::text, coalesce(first, now()), coalesce(last, '-infinity')
		FROM ` + authorsFrom + ` ORDER BY a.id ON CONFLICT DO NOTHING`

	// Known authors are locked first, in the order of their ids, as everywhere.
	lockAuthorsSQL = `SELECT FROM users u JOIN ` + authorsFrom + ` ON u.user_id = a.id
		WHERE ` + authorDiffers + ` ORDER BY u.user_id FOR NO KEY UPDATE OF u`

	authorDiffers = `(a.last > u.last_activity_date OR u.auth_method = 'import' AND a.first < u.created_date)`

	authorDatesSQL = `UPDATE users u SET last_activity_date = greatest(u.last_activity_date, a.last),
		created_date = CASE WHEN u.auth_method = 'import' THEN least(u.created_date, a.first) ELSE u.created_date END
		FROM ` + authorsFrom + ` WHERE u.user_id = a.id AND ` + authorDiffers
)
