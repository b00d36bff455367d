package guard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"treewarden/scoring/classifier"
)

// fake is a classifier that a test scripts. Each test runs in a bubble of synctest,
// in which time passes only while all goroutines wait.
type fake struct {
	mu    sync.Mutex
	calls [][]string
	times []time.Time
	run   func(ctx context.Context, call int, texts []string) error
}

func (f *fake) Classify(ctx context.Context, texts []string) ([]classifier.Scores, error) {
	f.mu.Lock()
	call := len(f.calls)
	f.calls = append(f.calls, slices.Clone(texts))
	f.times = append(f.times, time.Now())
	f.mu.Unlock()
	if f.run != nil {
		if err := f.run(ctx, call, texts); err != nil {
			return nil, err
		}
	}
	all := make([]classifier.Scores, len(texts))
	for i, text := range texts {
		all[i] = classifier.Scores{text: 1}
	}
	return all, nil
}

// answered checks that each text has its own scores, or is among the refused.
func answered(t *testing.T, texts []string, results []Result, refused ...string) {
	t.Helper()
	for i, r := range results {
		if slices.Contains(refused, texts[i]) {
			if r.Err == nil || r.Scores != nil {
				t.Errorf("%s is not refused: %v", texts[i], r)
			}
		} else if r.Err != nil || r.Scores[texts[i]] != 1 {
			t.Errorf("%s has %v", texts[i], r)
		}
	}
}

func texts(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("t%d", i)
	}
	return all
}

func unavailable(status int, after time.Duration) error {
	return &classifier.Error{
		Fault: classifier.Unavailable, Status: status, RetryAfter: after, Message: fmt.Sprintf("answered %d", status),
	}
}

var errRefused = &classifier.Error{Fault: classifier.Refused, Status: http.StatusUnprocessableEntity,
	Message: "too long"}

func TestBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		g := New(f, Options{Batch: 3})
		all := texts(8)
		results, err := g.Each(t.Context(), all)
		if err != nil {
			t.Fatal(err)
		}
		answered(t, all, results)
		if len(f.calls) != 3 || len(f.calls[2]) != 2 {
			t.Errorf("the requests are %v", f.calls)
		}
		if scores, err := g.Classify(t.Context(), nil); len(scores) != 0 || err != nil || len(f.calls) != 3 {
			t.Errorf("without texts: %v, %v", scores, err)
		}
		if s := g.State(); s.Phase != Closed || s.Texts != 8 || s.Requests != 3 || s.Errors != 0 || s.Rate != 8 {
			t.Errorf("the state is %+v", s)
		}
	})
}

func TestParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		f := &fake{run: func(context.Context, int, []string) error {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(50 * time.Millisecond)
			now.Add(-1)
			return nil
		}}
		g := New(f, Options{Batch: 1, Parallel: 4})
		start := time.Now()
		var group sync.WaitGroup
		// Two callers share the limit.
		for range 2 {
			group.Go(func() {
				if _, err := g.Each(t.Context(), texts(20)); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if most.Load() != 4 || time.Since(start) != 500*time.Millisecond {
			t.Errorf("%d requests at once, %v for 40 of 50 ms", most.Load(), time.Since(start))
		}
		if s := g.State(); s.Seconds < 1.999 || s.Seconds > 2.001 {
			t.Errorf("requests took %v s together", s.Seconds)
		}
	})
}

func TestRate(t *testing.T) {
	for _, rate := range []float64{0.5, 10, 200} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{}
			g := New(f, Options{Batch: 1, Parallel: 3, Rate: rate})
			start := time.Now()
			if _, err := g.Each(t.Context(), texts(50)); err != nil {
				t.Fatal(err)
			}
			ideal := time.Duration(49 / rate * float64(time.Second))
			if took := time.Since(start); took > ideal || took < ideal-slack-time.Millisecond {
				t.Errorf("50 requests at %v a second took %v", rate, took)
			}
			// No second has more than the rate, the slack and the first request.
			for i, at := range f.times {
				within := 0
				for _, other := range f.times[i:] {
					if other.Sub(at) < time.Second {
						within++
					}
				}
				if float64(within) > rate*1.1+1 {
					t.Errorf("%d requests within a second at a rate of %v", within, rate)
				}
			}
		})
	}
}

// Idle time is not saved up: after a break, the rate holds from the first second.
func TestRateAfterIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		g := New(f, Options{Batch: 1, Rate: 2})
		for range 2 {
			if _, err := g.Each(t.Context(), texts(5)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
		}
		if took := f.times[9].Sub(f.times[5]); took < 1900*time.Millisecond {
			t.Errorf("5 requests at 2 a second took %v after a break", took)
		}
	})
}

func TestRetries(t *testing.T) {
	tests := []struct {
		name  string
		err   error
		calls int // with 3 retries, if the first two requests fail
	}{
		{"no connection", unavailable(0, 0), 3},
		{"408", unavailable(408, 0), 3},
		{"429", unavailable(429, 0), 3},
		{"503", unavailable(503, time.Second), 3},
		{"a key", &classifier.Error{Fault: classifier.Misconfigured, Status: 401, Message: "key"}, 1},
		{"a page", &classifier.Error{Fault: classifier.Broken, Message: "page"}, 1},
		{"another error", errors.New("other"), 1},
		{"too long a wait", unavailable(429, time.Hour), 1},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{run: func(_ context.Context, call int, _ []string) error {
				if call < 2 {
					return test.err
				}
				return nil
			}}
			g := New(f, Options{Retries: 3})
			_, err := g.Classify(t.Context(), []string{"a"})
			if len(f.calls) != test.calls || (err == nil) != (test.calls == 3) {
				t.Errorf("%s: %d requests, %v", test.name, len(f.calls), err)
			}
			if err != nil && err.Error() != test.err.Error() {
				t.Errorf("%s: the error is %v", test.name, err)
			}
		})
	}
}

func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{run: func(context.Context, int, []string) error { return unavailable(502, 0) }}
		g := New(f, Options{Retries: 4})
		if _, err := g.Classify(t.Context(), []string{"a"}); err == nil {
			t.Fatal("no error")
		}
		for i, full := range []time.Duration{firstWait, 2 * firstWait, 4 * firstWait, 8 * firstWait} {
			if wait := f.times[i+1].Sub(f.times[i]); wait < full/2 || wait >= full {
				t.Errorf("wait %d is %v, not %v to %v", i, wait, full/2, full)
			}
		}
		if wait := backOff(60); wait < maxWait/2 || wait >= maxWait {
			t.Errorf("the last wait is %v", wait)
		}
	})
}

// Retry-After stops all requests, not only the one that was told so.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{run: func(_ context.Context, call int, _ []string) error {
			if call == 0 {
				return unavailable(429, 20*time.Second)
			}
			time.Sleep(time.Second)
			return nil
		}}
		g := New(f, Options{Batch: 1, Parallel: 2, Retries: 1, Rate: 100})
		start := time.Now()
		all := texts(10)
		results, err := g.Each(t.Context(), all)
		if err != nil {
			t.Fatal(err)
		}
		answered(t, all, results)
		early := 0
		for _, at := range f.times {
			if at.Sub(start) < 20*time.Second {
				early++
			}
		}
		// The first request, and the one that ran beside it.
		if early > 2 {
			t.Errorf("%d requests before Retry-After", early)
		}
		if s := g.State(); s.Phase != Closed || s.Failures != 0 {
			t.Errorf("the state is %+v", s)
		}
	})
}

func TestTimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{run: func(ctx context.Context, _ int, _ []string) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		g := New(f, Options{Timeout: 2 * time.Second, Retries: 1})
		_, err := g.Classify(t.Context(), []string{"a"})
		var e *classifier.Error
		if !errors.As(err, &e) || e.Fault != classifier.Unavailable || e.Error() != "no answer within 2s" ||
			len(f.calls) != 2 {
			t.Errorf("%v after %d requests", err, len(f.calls))
		}
	})
}

// A caller that gives up is no failure of the classifier.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{run: func(ctx context.Context, _ int, _ []string) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		g := New(f, Options{Timeout: time.Minute, Retries: 3})
		for range 10 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			if _, err := g.Classify(ctx, []string{"a"}); !errors.Is(err, context.Canceled) {
				t.Fatalf("the error is %v", err)
			}
		}
		if s := g.State(); s.Phase != Closed || s.Failures != 0 || s.Errors != 0 || s.LastError != "" {
			t.Errorf("the state is %+v", s)
		}
	})
}

// Waiting for a place, for the rate or for a retry ends with the context.
func TestCancelWhileWaiting(t *testing.T) {
	tests := []struct {
		name    string
		options Options
		run     func(ctx context.Context, call int, texts []string) error
	}{
		{"place", Options{}, func(context.Context, int, []string) error { time.Sleep(time.Minute); return nil }},
		{"rate", Options{Rate: 0.1}, nil},
		{"retry", Options{Retries: 1, Parallel: 2}, func(_ context.Context, _ int, texts []string) error {
			if texts[0] == "second" {
				return unavailable(503, 20*time.Second)
			}
			return nil
		}},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			g := New(&fake{run: test.run}, test.options)
			var first sync.WaitGroup
			defer first.Wait()
			first.Go(func() {
				if _, err := g.Classify(t.Context(), []string{"first"}); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			_, err := g.Classify(ctx, []string{"second"})
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
				t.Errorf("waiting for the %s: %v after %v", test.name, err, time.Since(start))
			}
		})
	}
}

func TestRefusedText(t *testing.T) {
	for _, bad := range [][]string{{"t0"}, {"t31"}, {"t7"}, {"t0", "t1"}, {"t3", "t17", "t30"}} {
		for _, named := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{run: func(_ context.Context, _ int, texts []string) error {
					for i, text := range texts {
						if slices.Contains(bad, text) {
							if named {
								return &classifier.TextError{Index: i, Err: errRefused}
							}
							return errRefused
						}
					}
					return nil
				}}
				g := New(f, Options{Batch: 32, Retries: 3})
				all := texts(40)
				results, err := g.Each(t.Context(), all)
				if err != nil {
					t.Fatal(err)
				}
				answered(t, all, results, bad...)
				// Five halvings for each text at most, two requests each; and the two batches.
				if most := 2 + 10*len(bad); len(f.calls) > most {
					t.Errorf("%d requests for %v", len(f.calls), bad)
				}
				s := g.State()
				if s.Phase != Closed || s.Refused != int64(len(bad)) || s.Texts != int64(40-len(bad)) {
					t.Errorf("the state is %+v", s)
				}
				_, err = g.Classify(t.Context(), all)
				var one *classifier.TextError
				if !errors.As(err, &one) || all[one.Index] != bad[0] || !strings.Contains(err.Error(), "too long") {
					t.Errorf("the error of Classify is %v", err)
				}
			})
		}
	}
}

// What was classified before an error is kept.
func TestPartOfBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{run: func(_ context.Context, call int, _ []string) error {
			if call == 1 {
				return &classifier.Error{Fault: classifier.Broken, Message: "page"}
			}
			return nil
		}}
		g := New(f, Options{Batch: 2})
		all := texts(100)
		results, err := g.Each(t.Context(), all)
		if err == nil || err.Error() != "page" {
			t.Errorf("the error is %v", err)
		}
		answered(t, all[:2], results[:2])
		if results[2].Scores != nil || results[2].Err != nil || results[99].Scores != nil {
			t.Errorf("the results are %v", results)
		}
		// One more batch may have been waiting.
		if len(f.calls) > 3 {
			t.Errorf("%d requests after an error", len(f.calls))
		}
		if _, err := g.Classify(t.Context(), all[:1]); err != nil {
			t.Error(err)
		}
	})
}

type wrongCount struct{}

func (wrongCount) Classify(context.Context, []string) ([]classifier.Scores, error) {
	return make([]classifier.Scores, 2), nil
}

func TestWrongCount(t *testing.T) {
	_, err := New(wrongCount{}, Options{}).Classify(t.Context(), []string{"a"})
	var e *classifier.Error
	if !errors.As(err, &e) || e.Fault != classifier.Broken {
		t.Errorf("the error is %v", err)
	}
}
