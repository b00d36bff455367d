// Package boards keeps the trollboards in memory. They follow the database: each
// transaction that changes what they show names the users in a notification, and
// every process reads these users again.
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

// Boards keeps a board in memory that follows the database. A transaction that
// changes counters, or other data of users on a board, notifies every process
// of the users (NOTIFY), which then reads them again. A process marks the users
// of its own transactions itself and reads them before it answers, so that an
// actor sees their own changes at once.
//
// While the process cannot listen to the database, changes of other processes
// are late; afterwards it reads everything again.
type Boards struct {
	pool  *pgxpool.Pool
	now   func() time.Time
	name  string // identifies this process in payloads
	board *board.Board

	start   sync.Mutex
	running bool
	stop    context.CancelFunc
	done    chan struct{}

	mu         sync.Mutex
	pending    map[uuid.UUID]bool // users to be read again
	all        bool               // all users are
	wakeReader chan struct{}      // wakes refresh

	reading sync.Mutex // one read at a time, so that older data does not overwrite newer
	hour    time.Time  // the hour of the windows; zero before the first read

	watchers sync.Mutex
	watching map[chan struct{}]bool

	rules    *counters.RuleCache
	follower Follower

	// readWeights reads the weights in force from the database.
	readWeights func(context.Context) (Weights, error)
	// readPolicy reads what roles may do from the database. The boards do not show
	// it: they only hear of changes.
	readPolicy func(context.Context)
	// weights are the weights in force. They are cached while the process listens;
	// changes counts their possible changes.
	weights struct {
		sync.Mutex
		listening, known bool
		changes          int
		inForce          Weights
	}
}

// Weights are what people change as versions: the formula of the scores, and the
// weights that order the queue.
type Weights struct {
	Formula  scoring.Formula
	Priority scoring.Priority
}

// A Follower keeps something else of the users in memory. It reads it after the boards
// have read the users.
type Follower interface {
	ReadSome(ctx context.Context, pool *pgxpool.Pool, users []uuid.UUID) error
	ReadAll(ctx context.Context, pool *pgxpool.Pool) error
}

// New returns the boards of a database. They are read on first use.
func New(pool *pgxpool.Pool, now func() time.Time, rules *counters.RuleCache, follower Follower,
	readWeights func(context.Context) (Weights, error), readPolicy func(context.Context)) *Boards {
	id := uuid.New()
	return &Boards{
		pool: pool, now: now, rules: rules, follower: follower,
		readWeights: readWeights, readPolicy: readPolicy,
		name: base64.RawURLEncoding.EncodeToString(id[:6]), board: board.New(),
		pending: map[uuid.UUID]bool{}, wakeReader: make(chan struct{}, 1), watching: map[chan struct{}]bool{},
	}
}

// ensure starts to listen to the database on the first call.
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

// Close ends the background goroutines.
func (l *Boards) Close() {
	l.start.Lock()
	defer l.start.Unlock()
	if l.running {
		l.stop()
		<-l.done
		l.running = false
	}
}

// listen opens a connection of its own. A connection of the pool would be missing
// there, and a pooler does not forward notifications.
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

// follow receives notifications until the context ends.
func (l *Boards) follow(ctx context.Context, conn *pgx.Conn) {
	for {
		news, err := conn.WaitForNotification(ctx)
		if err == nil {
			l.onNotify(ctx, news.Payload)
			continue
		}
		l.setListening(false)
		conn.Close(context.WithoutCancel(ctx)) // the connection is broken
		if conn = l.listenAgain(ctx); conn == nil {
			return
		}
		l.setListening(true)
		l.rules.Forget()
		l.MarkAll() // notifications in the meantime are lost
		l.readPolicy(ctx)
	}
}

// listenAgain retries until the database answers; it returns nil if the context ends.
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

// refresh reads changes soon after they were made, for the watchers of a board,
// and at the start of each hour, when windows move.
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
		// An outage of the database is logged where requests and chores notice it.
		if err != nil && ctx.Err() == nil && !failing && !errors.Is(db.Translate(err), db.ErrUnavailable) {
			slog.Error("the boards cannot be brought up to date for now", "error", err)
		}
		if failing = err != nil; failing {
			l.pause(ctx)
		}
	}
}

// waitForMore waits a moment, so that the changes of many transactions are read
// at once. Requests do not wait for it.
func waitForMore(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(25 * time.Millisecond):
	}
}

// pause waits a moment before a retry.
func (l *Boards) pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(500 * time.Millisecond):
		l.wake()
	}
}

// Watch returns a channel that receives a value after boards changed, at most one
// until it is read. The function stop ends this.
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

// Current returns the board, up to date with the database.
func (l *Boards) Current(ctx context.Context) (*board.Board, error) {
	if err := l.ensure(ctx); err != nil {
		return nil, err
	}
	if err := l.catchUp(ctx); err != nil {
		return nil, fmt.Errorf("bring the boards up to date: %w", db.Translate(err))
	}
	return l.board, nil
}
