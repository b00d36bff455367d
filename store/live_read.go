package store

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

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

// framesMoved is how far frames may move before everybody is read: the hours that
// left the day, which is 24 long, may be forgotten by then (ForgetCounters). One
// hour more passes until the next one begins.
const framesMoved = hoursKept - 25*time.Hour

// moveFrames marks the users of whom something leaves a frame as the clock goes
// on to an hour. A clock that went back, or far ahead, has everybody read.
func (l *live) moveFrames(ctx context.Context, hour time.Time) error {
	l.mu.Lock()
	was := l.hour
	if was.After(hour) || !was.IsZero() && hour.Sub(was) > framesMoved {
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
	found, err := l.readUsers(ctx, ids)
	if err != nil {
		return err
	}
	places := make(map[uuid.UUID]int, len(found))
	for i := range found {
		places[found[i].ID] = i
	}
	day, _ := scoring.Day.Since(hour)
	weekBegins, _ := scoring.Week.Since(hour)
	month, _ := scoring.Month.Since(hour)
	week := momentOf(weekBegins)
	sql, args := countersSQL, []any{day, month}
	if ids != nil {
		sql, args = countersOfSQL, append(args, idArray(ids))
	}
	var t tally
	if err := eachRaw(ctx, l.pool, sql, func(raw [][]byte) {
		at, ok := places[uuid.UUID(raw[0])]
		if !ok {
			return // made after the users were read, and marked since
		}
		readTally(raw[3:], &t)
		frames := &found[at].Frames
		switch int16(raw[1][1]) {
		case inAll:
			sumUp(&frames[3], &t)
		case byHour:
			sumUp(&frames[0], &t)
		case byDay:
			if date(raw[2]) >= week {
				sumUp(&frames[1], &t)
			}
			sumUp(&frames[2], &t)
		}
	}, args...); err != nil {
		return err
	}
	l.board.Put(found)
	return nil
}

// readUsers reads what boards show of users besides their counts.
func (l *live) readUsers(ctx context.Context, ids []uuid.UUID) ([]board.User, error) {
	sql, args := usersOfBoardSQL, []any{}
	if ids != nil {
		sql, args = sql+" AND user_id = ANY ($1)", []any{idArray(ids)}
	}
	rows, err := l.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	found := []board.User{}
	var u board.User
	var active *time.Time
	_, err = pgx.ForEachRow(rows, []any{&u.ID, &u.Name, &u.AuthMethod, &u.Role, &u.Status, &active, &u.Languages}, func() error {
		u.LastActivity = time.Time{}
		if active != nil {
			u.LastActivity = active.UTC()
		}
		found = append(found, u)
		u.Languages = nil // the next row's are its own
		return nil
	})
	return found, err
}

const usersOfBoardSQL = `SELECT user_id, display_name, auth_method, role, ` + userStatus + `, nullif(last_activity_date, '-infinity'),
		ARRAY(SELECT lang FROM user_languages l WHERE l.user_id = u.user_id AND l.messages > 0 ORDER BY l.messages DESC, lang)
	FROM users u WHERE auth_method <> 'key'`

// sumUp adds a tally to one of a user's own, or makes that.
func sumUp(frame **tally, t *tally) {
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
