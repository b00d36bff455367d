package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"sync/atomic"
	"time"

	"treewarden/store/db"
)

// beat is the time between two heartbeats of a running job.
const beat = time.Second

// Later is the error of a job for which it waits: something that it needs does not work now.
// Meanwhile other jobs have their turn.
type Later struct {
	Why   string // for people
	After time.Duration
}

func (l *Later) Error() string { return l.Why }

// Run performs the jobs that are actions, one after the other, until none waits. do
// performs a job and returns its action, or 0 if nothing had to be changed. It calls progress with
// the number of objects that are done. An error for which isFinal is true ends the
// job as failed. A *Later has the job wait. After any other error, Run returns, and the
// job is taken up again later.
func Run(
	ctx context.Context, c db.Conn, do func(context.Context, Job, func(int64)) (int64, error),
	isFinal func(error) bool,
) error {
	return run(ctx, c, "", do, isFinal)
}

// RunKind is Run for the jobs of a kind that are no actions.
func RunKind(
	ctx context.Context, c db.Conn, kind string,
	do func(context.Context, Job, func(int64)) error, isFinal func(error) bool,
) error {
	return run(ctx, c, kind, func(ctx context.Context, job Job, progress func(int64)) (int64, error) {
		return 0, do(ctx, job, progress)
	}, isFinal)
}

func run(
	ctx context.Context, c db.Conn, kind string, do func(context.Context, Job, func(int64)) (int64, error),
	isFinal func(error) bool,
) error {
	for {
		job, err := take(ctx, c, kind)
		if errors.Is(err, db.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		action, cancelled, err := runBeating(ctx, c, job, do)
		state, why := Done, ""
		var later *Later
		switch {
		case err == nil:
		case cancelled:
			state = Cancelled
		case errors.As(err, &later):
			if err := putBack(ctx, c, job.JobID, later); err != nil {
				return err
			}
			continue
		case isFinal(err):
			state, why = Failed, err.Error()
		default:
			return err
		}
		if err := End(ctx, c, job.JobID, state, action, why); err != nil {
			return err
		}
	}
}

// runBeating performs a job while it writes the heartbeats. It reports whether
// somebody cancelled the job.
func runBeating(
	ctx context.Context, c db.Conn, job Job, do func(context.Context, Job, func(int64)) (int64, error),
) (action int64, cancelled bool, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var done atomic.Int64
	ended, beating := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(beating)
		for !cancelled {
			select {
			case <-ended:
				return
			case <-time.After(beat):
			}
			var err error
			if cancelled, err = Beat(ctx, c, job.JobID, done.Load(), job.Total); err == nil && cancelled {
				stop()
			}
		}
	}()
	action, err = doAgain(ctx, func() (int64, error) { return do(ctx, job, done.Store) })
	close(ended)
	<-beating
	if err != nil && !cancelled {
		// It may have ended before a heartbeat: the rest of its progress is written, and it is
		// cancelled if somebody asked for it meanwhile.
		if asked, e := Beat(ctx, c, job.JobID, done.Load(), job.Total); e == nil {
			cancelled = asked
		}
	}
	return action, cancelled, err
}

// doAgain does something until it does not find what it changes held by others.
func doAgain(ctx context.Context, do func() (int64, error)) (int64, error) {
	for {
		action, err := do()
		if !db.IsBusy(err) {
			return action, err
		}
		select {
		case <-ctx.Done():
			return action, err
		case <-time.After(beat):
		}
	}
}

// OtherRequest is why a request is refused whose job is that of another request.
const OtherRequest = "This Idempotency-Key was used for another request. Send a new one."

// Asks reports whether a job is of a kind, and its request holds the same value as another
// JSON text.
func (j Job) Asks(kind string, request json.RawMessage) bool {
	var one, other any
	return j.Kind == kind && json.Unmarshal(j.Request, &one) == nil && json.Unmarshal(request, &other) == nil &&
		reflect.DeepEqual(one, other)
}
