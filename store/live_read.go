package store

import (
	"context"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/scoring"
	"treewarden/scoring/board"
)

// catchUp reads who changed since the last time, and whose frames moved.
func (l *live) catchUp(ctx context.Context) error {
	hour := l.now().UTC().Truncate(time.Hour)
	if l.upToDate(hour) {
		return nil
	}
	l.reading.Lock()
	defer l.reading.Unlock()
	if err := l.moveFrames(ctx, hour); err != nil {
		return err
	}
	users, all := l.take()
	if len(users) == 0 && !all {
		return nil
	}
	if err := l.read(ctx, users, all, hour); err != nil {
		l.putBack(users, all)
		return err
	}
	l.mu.Lock()
	l.hour = hour
	l.mu.Unlock()
	l.tell()
	return nil
}

// upToDate says that nobody changed and no frame moved. While somebody reads, it
// is not: whoever asks waits for what is being read.
func (l *live) upToDate(hour time.Time) bool {
	if !l.reading.TryLock() {
		return false
	}
	defer l.reading.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pending) == 0 && !l.all && l.hour.Equal(hour)
}

// take takes over who is to be read.
func (l *live) take() (users map[uuid.UUID]bool, all bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	users, all = l.pending, l.all
	l.pending, l.all = map[uuid.UUID]bool{}, false
	return users, all
}

func (l *live) putBack(users map[uuid.UUID]bool, all bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.Copy(l.pending, users)
	l.all = l.all || all
}

// moveFrames marks the users of whom something leaves a frame as the clock goes
// on to an hour. A clock that went back has everybody read.
func (l *live) moveFrames(ctx context.Context, hour time.Time) error {
	l.mu.Lock()
	was := l.hour
	if was.After(hour) {
		l.all = true
	}
	skip := l.all || was.IsZero() || was.Equal(hour)
	l.mu.Unlock()
	if skip {
		return nil
	}
	left := func(frame scoring.Frame) (from, to time.Time) {
		from, _ = frame.Since(was)
		to, _ = frame.Since(hour)
		return from, to
	}
	args := []any{byHour, byDay}
	for _, frame := range []scoring.Frame{scoring.Day, scoring.Week, scoring.Month} {
		from, to := left(frame)
		args = append(args, from, to)
	}
	rows, err := l.pool.Query(ctx, `SELECT DISTINCT user_id FROM user_signals
		WHERE grain = $1 AND at >= $3 AND at < $4 OR grain = $2 AND (at >= $5 AND at < $6 OR at >= $7 AND at < $8)`, args...)
	if err != nil {
		return err
	}
	users, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, user := range users {
		l.pending[user] = true
	}
	l.hour = hour
	return nil
}

// read reads users, or everybody, into the board, as of an hour.
func (l *live) read(ctx context.Context, users map[uuid.UUID]bool, all bool, hour time.Time) error {
	if all {
		return l.readSome(ctx, nil, hour)
	}
	// In parts, so that those who look at the board are not held up for long.
	for ids := range slices.Chunk(slices.Collect(maps.Keys(users)), 5000) {
		if err := l.readSome(ctx, ids, hour); err != nil {
			return err
		}
	}
	return nil
}

// readSome reads users, given by their ids, into the board; nil is everybody.
func (l *live) readSome(ctx context.Context, ids []uuid.UUID, hour time.Time) error {
	where, args := "", []any{}
	if ids != nil {
		where, args = " AND user_id = ANY ($1)", []any{ids}
	}
	found := []board.User{}
	places := map[uuid.UUID]int{}
	batch := &pgx.Batch{}
	batch.Queue(`SELECT user_id, display_name, auth_method, role, `+userStatus+`, nullif(last_activity_date, '-infinity'),
			ARRAY(SELECT lang FROM user_languages l WHERE l.user_id = u.user_id AND l.messages > 0 ORDER BY l.messages DESC, lang)
		FROM users u WHERE auth_method <> 'key'`+where, args...).Query(func(rows pgx.Rows) error {
		var u board.User
		var active *time.Time
		_, err := pgx.ForEachRow(rows, []any{&u.ID, &u.Name, &u.AuthMethod, &u.Role, &u.Status, &active, &u.Languages}, func() error {
			u.LastActivity = time.Time{}
			if active != nil {
				u.LastActivity = *active
			}
			places[u.ID] = len(found)
			found = append(found, u)
			u.Languages = nil
			return nil
		})
		return err
	})
	since := func(frame scoring.Frame) pgtype.Timestamptz {
		at, _ := frame.Since(hour)
		return pgtype.Timestamptz{Time: at, Valid: true}
	}
	day, week, month := since(scoring.Day), since(scoring.Week), since(scoring.Month)
	counters, bounds := countersSQL, []any{day, month}
	if ids != nil {
		counters, bounds = countersOfSQL, append(bounds, ids)
	}
	batch.Queue(counters, bounds...).Query(func(rows pgx.Rows) error {
		return eachCounter(rows, func(key slot, t *tally) {
			at, ok := places[key.user]
			if !ok {
				return // made after the users were read, and marked since
			}
			frames := &found[at].Frames
			switch key.grain {
			case inAll:
				gather(&frames[3], t)
			case byHour:
				gather(&frames[0], t)
			case byDay:
				if !key.at.Time.Before(week.Time) {
					gather(&frames[1], t)
				}
				gather(&frames[2], t)
			}
		})
	})
	if err := l.pool.SendBatch(ctx, batch).Close(); err != nil {
		return err
	}
	l.board.Put(found)
	return nil
}

// gather adds a tally to one of a user's own, or makes that.
func gather(frame **tally, t *tally) {
	if *frame == nil {
		*frame = new(*t)
		return
	}
	(*frame).Add(t, 1)
}

// countersSQL reads the counters that make up frames: hours of the day from $1
// on, days of the month from $2 on, and the sums of all; of everybody, or of
// the users $3.
var countersSQL, countersOfSQL = func() (string, string) {
	all := "SELECT user_id, grain, at, " + strings.Join(columns, ", ") + " FROM user_signals WHERE (grain = 0 OR grain = 2 AND at >= $1 OR grain = 1 AND at >= $2)"
	return all, all + " AND user_id = ANY ($3)"
}()

// eachCounter reads rows of user_signals, the key first and then the counts in
// the order of columns. It reads PostgreSQL's binary format by itself: there
// may be a million rows. The tally is used again for the next row.
func eachCounter(rows pgx.Rows, do func(slot, *tally)) error {
	defer rows.Close()
	var t tally
	for rows.Next() {
		raw := rows.RawValues()
		var key slot
		copy(key.user[:], raw[0])
		key.grain = int16(binary.BigEndian.Uint16(raw[1]))
		key.at = timestamptz(raw[2])
		t = tally{}
		for i := range t {
			if value := raw[3+i]; value != nil {
				t[i] = int64(binary.BigEndian.Uint64(value))
			}
		}
		do(key, &t)
	}
	return rows.Err()
}

// timestamptz reads PostgreSQL's binary form: microseconds since 2000.
func timestamptz(raw []byte) pgtype.Timestamptz {
	micros := int64(binary.BigEndian.Uint64(raw))
	if micros == -1<<63 {
		return undated
	}
	return pgtype.Timestamptz{Time: time.UnixMicro(micros + 946_684_800_000_000).UTC(), Valid: true}
}
