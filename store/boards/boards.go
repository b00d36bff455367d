package boards

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/scoring"
	"treewarden/scoring/board"
	"treewarden/store/counters"
	"treewarden/store/db"
)

// live keeps a board in memory that follows the database. The counters there
// are the truth: whoever changes them, or what else a board shows of users, says
// whose in the same transaction (NOTIFY), and every process reads those users
// again. A process does not wait for the news of its own transactions: it reads
// before it answers, so that nobody misses what they just did themselves.
//
// While the database cannot be listened to, rows that other processes change are
// late; once it can, everything is read anew.
type Boards struct {
	pool  *pgxpool.Pool
	now   func() time.Time
	name  string // of this process among those that share the database
	board *board.Board

	start   sync.Mutex
	running bool
	stop    context.CancelFunc
	done    chan struct{}

	mu         sync.Mutex
	pending    map[uuid.UUID]bool // users to be read again
	all        bool               // everybody is
	wakeReader chan struct{}      // wakes the reader in the background

	reading sync.Mutex // one reads at a time, so that nothing older overwrites
	hour    time.Time  // up to which the frames are true; zero: nothing was read

	watchers sync.Mutex
	watching map[chan struct{}]bool

	threshold *counters.Threshold

	// readFormula reads the formula in force from the database.
	readFormula func(context.Context) (scoring.Formula, error)
	// formula is the one in force. It is remembered while the database is
	// listened to; changes counts how often it may have changed.
	formula struct {
		sync.Mutex
		listening, known bool
		changes          int
		inForce          scoring.Formula
	}
}

// New makes boards of a database; nothing is read before the first look.
func New(pool *pgxpool.Pool, now func() time.Time, threshold *counters.Threshold,
	readFormula func(context.Context) (scoring.Formula, error)) *Boards {
	id := uuid.New()
	return &Boards{
		pool: pool, now: now, threshold: threshold, readFormula: readFormula,
		name: base64.RawURLEncoding.EncodeToString(id[:6]), board: board.New(),
		pending: map[uuid.UUID]bool{}, wakeReader: make(chan struct{}, 1), watching: map[chan struct{}]bool{},
	}
}

// ensure listens to the database from the first call on.
func (l *Boards) ensure(ctx context.Context) error {
	l.start.Lock()
	defer l.start.Unlock()
	if l.running {
		return nil
	}
	conn, err := l.listen(ctx)
	if err != nil {
		return db.Translate(err)
	}
	l.MarkAll()
	l.setListening(true)
	background, stop := context.WithCancel(context.Background())
	l.running, l.stop, l.done = true, stop, make(chan struct{})
	var both sync.WaitGroup
	both.Go(func() { l.follow(background, conn) })
	both.Go(func() { l.refresh(background) })
	go func() {
		both.Wait()
		close(l.done)
	}()
	return nil
}

// Close ends what runs in the background.
func (l *Boards) Close() {
	l.start.Lock()
	defer l.start.Unlock()
	if l.running {
		l.stop()
		<-l.done
		l.running = false
	}
}

// listen opens a connection of its own: one from the pool would be missing
// there, and a pooler in between hands nothing on.
func (l *Boards) listen(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, l.pool.Config().ConnConfig.Copy())
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return conn, nil
}

// follow hears what other processes changed, until the context ends.
func (l *Boards) follow(ctx context.Context, conn *pgx.Conn) {
	for {
		news, err := conn.WaitForNotification(ctx)
		if err == nil {
			l.onNotify(news.Payload)
			continue
		}
		l.setListening(false)
		conn.Close(context.WithoutCancel(ctx)) // it is of no use any more
		if conn = l.listenAgain(ctx); conn == nil {
			return
		}
		l.setListening(true)
		l.threshold.Forget()
		l.MarkAll() // notifications that came meanwhile are lost
	}
}

// listenAgain tries until the database answers; nil says that the context ended.
func (l *Boards) listenAgain(ctx context.Context) *pgx.Conn {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		if conn, err := l.listen(ctx); err == nil {
			return conn
		}
	}
}

// refresh reads what changed soon after it did, so that whoever watches a board
// sees it, and at the beginning of each hour, when frames move.
func (l *Boards) refresh(ctx context.Context) {
	failing := false
	for {
		hour := time.NewTimer(time.Until(time.Now().Truncate(time.Hour).Add(time.Hour)))
		select {
		case <-ctx.Done():
			hour.Stop()
			return
		case <-l.wakeReader:
		case <-hour.C:
		}
		hour.Stop()
		waitForMore(ctx)
		err := l.catchUp(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			slog.Error("the boards cannot be brought up to date for now", "error", err)
		}
		if failing = err != nil; failing {
			l.pause(ctx)
		}
	}
}

// waitForMore waits a moment, so that what many transactions change is read at once.
// Who looks at a board meanwhile does not wait.
func waitForMore(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(25 * time.Millisecond):
	}
}

// pause waits a moment before a failure is tried again.
func (l *Boards) pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(500 * time.Millisecond):
		l.wake()
	}
}

// Watch returns a channel that is sent to after boards changed, at most once
// until it is received from; stop ends that.
func (l *Boards) Watch(ctx context.Context) (changed <-chan struct{}, stop func(), err error) {
	if err := l.ensure(ctx); err != nil {
		return nil, nil, err
	}
	c := make(chan struct{}, 1)
	l.watchers.Lock()
	l.watching[c] = true
	l.watchers.Unlock()
	return c, func() {
		l.watchers.Lock()
		delete(l.watching, c)
		l.watchers.Unlock()
	}, nil
}

func (l *Boards) notifyWatchers() {
	l.watchers.Lock()
	defer l.watchers.Unlock()
	for c := range l.watching {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Current is the board as the database has it now.
func (l *Boards) Current(ctx context.Context) (*board.Board, error) {
	if err := l.ensure(ctx); err != nil {
		return nil, err
	}
	if err := l.catchUp(ctx); err != nil {
		return nil, fmt.Errorf("bring the boards up to date: %w", db.Translate(err))
	}
	return l.board, nil
}
