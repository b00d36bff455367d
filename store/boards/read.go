package boards

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"treewarden/scoring"
	"treewarden/store/counters"
	"treewarden/store/db"
)

// catchUp reads the users with changes or moved windows since the last read.
func (l *Boards) catchUp(ctx context.Context) error {
	hour := l.now().UTC().Truncate(time.Hour)
	if l.upToDate(hour) {
		return nil
	}
	l.reading.Lock()
	defer l.reading.Unlock()
	if err := l.moveWindows(ctx, hour); err != nil {
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
	l.notifyWatchers()
	return nil
}

// upToDate reports whether no user changed and no window moved. It is false
// during a read, so that callers wait for it.
func (l *Boards) upToDate(hour time.Time) bool {
	if !l.reading.TryLock() {
		return false
	}
	defer l.reading.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pending) == 0 && !l.all && l.hour.Equal(hour)
}

// take returns the users to read and resets them.
func (l *Boards) take() (users map[uuid.UUID]bool, all bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	users, all = l.pending, l.all
	l.pending, l.all = map[uuid.UUID]bool{}, false
	return users, all
}

func (l *Boards) putBack(users map[uuid.UUID]bool, all bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.Copy(l.pending, users)
	l.all = l.all || all
}

// windowsMoved is how far windows may move before all users are read: the hours
// that left the day, which is 24 long, may have been removed by then (Forget).
// One hour more passes until the next one begins.
const windowsMoved = counters.HoursKept - 25*time.Hour

// moveWindows marks the users with counts that leave a window when the clock
// moves to an hour. If the clock moved back or far ahead, all users are read.
func (l *Boards) moveWindows(ctx context.Context, hour time.Time) error {
	l.mu.Lock()
	was := l.hour
	if was.After(hour) || !was.IsZero() && hour.Sub(was) > windowsMoved {
		l.all = true
	}
	skip := l.all || was.IsZero() || was.Equal(hour)
	l.mu.Unlock()
	if skip {
		return nil
	}
	left := func(window scoring.Window) (from, to time.Time) {
		from, _ = window.Since(was)
		to, _ = window.Since(hour)
		return from, to
	}
	args := []any{counters.ByHour, counters.ByDay}
	for _, window := range []scoring.Window{scoring.Day, scoring.Week, scoring.Month} {
		from, to := left(window)
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

// read reads some or all users into the board, as of an hour.
func (l *Boards) read(ctx context.Context, users map[uuid.UUID]bool, all bool, hour time.Time) error {
	if all {
		return l.readEverybody(ctx, hour)
	}
	// Read in parts, so that readers of the board do not wait for long.
	for ids := range slices.Chunk(slices.Collect(maps.Keys(users)), 5000) {
		if err := l.readSome(ctx, ids, hour); err != nil {
			return err
		}
	}
	return nil
}

// readSome reads users by their ids into the board.
func (l *Boards) readSome(ctx context.Context, ids []uuid.UUID, hour time.Time) error {
	of := db.IDArray(ids)
	g := newLoader(hour)
	if err := db.EachRaw(ctx, l.pool, boardUsersSQL("= ANY ($1)"), g.user, of); err != nil {
		return err
	}
	if err := db.EachRaw(ctx, l.pool, boardLanguagesSQL("= ANY ($1)"), g.language, of); err != nil {
		return err
	}
	if err := db.EachRaw(ctx, l.pool, boardCountersSQL("= ANY ($1)", hour), g.counters, of); err != nil {
		return err
	}
	l.board.Put(g.users)
	return l.follower.ReadSome(ctx, l.pool, ids)
}

// readEverybody reads all users into the board in two halves of the ids,
// concurrently if there are connections.
func (l *Boards) readEverybody(ctx context.Context, hour time.Time) error {
	const middle = "'80000000-0000-0000-0000-000000000000'"
	halves := []*loader{newLoader(hour), newLoader(hour)}
	group, reading := errgroup.WithContext(ctx)
	for i, which := range []string{"< " + middle, ">= " + middle} {
		g := halves[i]
		group.Go(func() error {
			return l.pool.AcquireFunc(reading, func(c *pgxpool.Conn) error {
				if err := db.EachCopied(reading, c.Conn(), boardUsersSQL(which), g.user); err != nil {
					return err
				}
				if err := db.EachCopied(reading, c.Conn(), boardLanguagesSQL(which), g.language); err != nil {
					return err
				}
				return db.EachCopied(reading, c.Conn(), boardCountersSQL(which, hour), g.counters)
			})
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	l.board.Put(append(halves[0].users, halves[1].users...))
	return l.follower.ReadAll(ctx, l.pool)
}
