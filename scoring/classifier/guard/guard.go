// Package guard keeps a classifier from being overrun, and its callers from waiting
// for one that does not work. It splits texts into batches, limits the requests,
// repeats those that may work later, finds the text for which a batch is refused,
// and stops asking for a while after many failures.
package guard

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"treewarden/scoring/classifier"
)

// The waits between the tries of one request. Each is twice as long as the one
// before, less a random part of up to a half, so that several instances of the
// program do not all ask again at the same time.
const (
	firstWait = 500 * time.Millisecond
	maxWait   = 30 * time.Second
)

// Options are the limits of a guard. A zero number is no limit, except where it says
// otherwise.
type Options struct {
	// Batch is the most texts of a request.
	Batch int
	// Parallel is the most requests at once; 0 is 1.
	Parallel int
	// Rate is the most requests a second.
	Rate float64
	// Timeout is how long one request may take.
	Timeout time.Duration
	// Retries is how often a request that may work later is repeated; 0 is never.
	Retries int
}

// Guard is a classifier behind limits. It is safe for several goroutines, and they
// share the limits.
type Guard struct {
	inner   classifier.Classifier
	options Options
	// places has an entry for each request that is running.
	places  chan struct{}
	limiter limiter
	breaker breaker
}

// New returns a guard around a classifier.
func New(inner classifier.Classifier, o Options) *Guard {
	o.Parallel = max(o.Parallel, 1)
	g := &Guard{inner: inner, options: o, places: make(chan struct{}, o.Parallel)}
	if o.Rate > 0 {
		g.limiter.interval = time.Duration(float64(time.Second) / o.Rate)
	}
	g.breaker.since = time.Now()
	return g
}

// Result is what came of one text: scores, or the error for which the classifier
// refuses it, or neither if the text was not asked about.
type Result struct {
	Scores classifier.Scores
	Err    error
}

// Classify returns the scores of each text. If some texts are refused, the error is
// the *classifier.TextError of the first of them.
func (g *Guard) Classify(ctx context.Context, texts []string) ([]classifier.Scores, error) {
	results, err := g.Each(ctx, texts)
	if err != nil {
		return nil, err
	}
	all := make([]classifier.Scores, len(results))
	for i, r := range results {
		if r.Err != nil {
			return nil, &classifier.TextError{Index: i, Err: r.Err}
		}
		all[i] = r.Scores
	}
	return all, nil
}

// Each returns what came of each text. The error says why texts without a result
// have none; the other results hold in spite of it. It is an *OpenError while the
// classifier is not asked, the context's error if that is done, and else the error
// of the last try.
func (g *Guard) Each(ctx context.Context, texts []string) ([]Result, error) {
	results := make([]Result, len(texts))
	size := g.options.Batch
	if size <= 0 {
		size = max(len(texts), 1)
	}
	var group errgroup.Group
	group.SetLimit(g.options.Parallel)
	var failed atomic.Bool
	for from := 0; from < len(texts) && !failed.Load(); from += size {
		to := min(from+size, len(texts))
		group.Go(func() error {
			err := g.batch(ctx, texts[from:to], results[from:to])
			if err != nil {
				failed.Store(true)
			}
			return err
		})
	}
	return results, group.Wait()
}

// batch classifies the texts of one request. If they are refused, it takes out the
// text that is at fault, or asks for each half.
func (g *Guard) batch(ctx context.Context, texts []string, results []Result) error {
	if len(texts) == 0 {
		return nil
	}
	scores, err := g.request(ctx, texts)
	if err == nil {
		for i := range scores {
			results[i].Scores = scores[i]
		}
		return nil
	}
	at, why, refused := refusal(err, len(texts))
	if !refused {
		return err
	}
	left, right := len(texts)/2, len(texts)/2
	if at >= 0 {
		results[at].Err = why
		left, right = at, at+1
	}
	if err := g.batch(ctx, texts[:left], results[:left]); err != nil {
		return err
	}
	return g.batch(ctx, texts[right:], results[right:])
}

// refusal reports whether an error is about the texts, and which of them is at
// fault, or -1 if that is not known.
func refusal(err error, texts int) (at int, why error, refused bool) {
	var one *classifier.TextError
	if errors.As(err, &one) && one.Index >= 0 && one.Index < texts {
		return one.Index, one.Err, true
	}
	var e *classifier.Error
	if !errors.As(err, &e) || e.Fault != classifier.Refused {
		return 0, nil, false
	}
	if texts == 1 {
		return 0, err, true
	}
	return -1, err, true
}

// request asks for texts, and asks again where that may help.
func (g *Guard) request(ctx context.Context, texts []string) ([]classifier.Scores, error) {
	for try := 0; ; try++ {
		last := try >= g.options.Retries
		scores, err := g.attempt(ctx, texts, last)
		var e *classifier.Error
		if err == nil || last || !errors.As(err, &e) || e.Fault != classifier.Unavailable || e.RetryAfter > maxWait {
			return scores, err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		wait := backOff(try)
		if e.RetryAfter > 0 {
			wait = e.RetryAfter + wait/10 // not a moment too early, and not all at once
			g.limiter.pause(time.Now().Add(e.RetryAfter))
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// backOff returns how long to wait after a try.
func backOff(try int) time.Duration {
	full := maxWait
	if try < 10 {
		full = min(firstWait<<try, maxWait)
	}
	return full/2 + rand.N(full/2)
}

// attempt sends one request, as soon as the limits allow it.
func (g *Guard) attempt(ctx context.Context, texts []string, last bool) ([]classifier.Scores, error) {
	select {
	case g.places <- struct{}{}:
		defer func() { <-g.places }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	// While the classifier is not asked, nobody should wait for the limit first.
	if err := g.breaker.check(time.Now()); err != nil {
		return nil, err
	}
	if err := g.limiter.wait(ctx); err != nil {
		return nil, err
	}
	turn, err := g.breaker.begin(time.Now())
	if err != nil {
		return nil, err
	}
	start := time.Now()
	scores, err := g.ask(ctx, texts)
	o := outcome{texts: len(texts), err: err, last: last, spent: time.Since(start)}
	if err != nil && ctx.Err() != nil {
		o.cancelled = true
		err = ctx.Err()
	}
	g.breaker.end(time.Now(), turn, o)
	return scores, err
}

// ask calls the classifier within the time limit.
func (g *Guard) ask(ctx context.Context, texts []string) ([]classifier.Scores, error) {
	limited := ctx
	if g.options.Timeout > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, g.options.Timeout)
		defer cancel()
	}
	scores, err := g.inner.Classify(limited, texts)
	var known *classifier.Error
	switch {
	case err == nil && len(scores) != len(texts):
		return nil, &classifier.Error{
			Fault:   classifier.Broken,
			Message: fmt.Sprintf("the classifier gave scores of %d texts instead of %d", len(scores), len(texts)),
		}
	case err != nil && !errors.As(err, &known) && errors.Is(err, context.DeadlineExceeded):
		return nil, &classifier.Error{
			Fault: classifier.Unavailable, Cause: err,
			Message: fmt.Sprintf("no answer within %v", g.options.Timeout),
		}
	case err != nil:
		return nil, err
	}
	return scores, nil
}

// sleep waits, or returns the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
