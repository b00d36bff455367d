package guard

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"treewarden/scoring/classifier"
)

// open returns the *OpenError of a call, which must not have reached the classifier.
func open(t *testing.T, g *Guard, f *fake) *OpenError {
	t.Helper()
	before := len(f.calls)
	_, err := g.Classify(t.Context(), []string{"a"})
	var e *OpenError
	if !errors.As(err, &e) || len(f.calls) != before {
		t.Fatalf("%v after %d requests", err, len(f.calls)-before)
	}
	return e
}

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := true
		f := &fake{run: func(context.Context, int, []string) error {
			if down {
				return unavailable(502, 0)
			}
			return nil
		}}
		g := New(f, Options{})
		call := func() error {
			_, err := g.Classify(t.Context(), []string{"a"})
			return err
		}
		start := time.Now()
		for i := range maxFailures {
			if s := g.State(); s.Phase != Closed || s.Failures != i {
				t.Errorf("before failure %d the state is %+v", i, s)
			}
			if err := call(); err == nil {
				t.Fatal("no error")
			}
		}
		s := g.State()
		if s.Phase != Open || !s.Since.Equal(start) || !s.NextTry.Equal(start.Add(firstPause)) ||
			s.LastError != "answered 502" || !s.LastErrorAt.Equal(start) || s.Errors != maxFailures {
			t.Errorf("the state is %+v", s)
		}
		if e := open(t, g, f); !e.Until.Equal(s.NextTry) || e.Last != "answered 502" {
			t.Errorf("the error is %v", e)
		}
		// Each trial that fails doubles the pause.
		for i, pause := range []time.Duration{2, 4, 8, 16, 30, 30} {
			time.Sleep(time.Until(g.State().NextTry) - time.Nanosecond)
			open(t, g, f)
			time.Sleep(time.Nanosecond)
			if s := g.State(); s.Phase != HalfOpen {
				t.Errorf("trial %d: the state is %+v", i, s)
			}
			if err := call(); err == nil || err.Error() != "answered 502" {
				t.Errorf("trial %d: %v", i, err)
			}
			if s := g.State(); s.Phase != Open || time.Until(s.NextTry) != min(pause*firstPause, maxPause) {
				t.Errorf("trial %d: the pause is %v, %+v", i, time.Until(s.NextTry), s)
			}
		}
		down = false
		time.Sleep(maxPause)
		if err := call(); err != nil {
			t.Error(err)
		}
		if s := g.State(); s.Phase != Closed || s.Failures != 0 || !s.NextTry.IsZero() || !s.Since.Equal(time.Now()) {
			t.Errorf("the state is %+v", s)
		}
		// The next pause is a short one again.
		down = true
		for range maxFailures {
			_ = call()
		}
		if s := g.State(); time.Until(s.NextTry) != firstPause {
			t.Errorf("the state is %+v", s)
		}
	})
}

// A success between failures keeps the breaker closed.
func TestFailuresInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{run: func(_ context.Context, call int, _ []string) error {
			if call%maxFailures != 0 {
				return unavailable(502, 0)
			}
			return nil
		}}
		g := New(f, Options{})
		for range 10 * maxFailures {
			_, _ = g.Classify(t.Context(), []string{"a"})
		}
		if s := g.State(); s.Phase != Closed || s.Requests != 10*maxFailures {
			t.Errorf("the state is %+v", s)
		}
	})
}

// One request at a time tries whether the classifier works again.
func TestTrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{run: func(_ context.Context, call int, _ []string) error {
			if call < maxFailures {
				return unavailable(502, 0)
			}
			time.Sleep(10 * time.Second)
			return nil
		}}
		g := New(f, Options{Parallel: 4})
		for range maxFailures {
			_, _ = g.Classify(t.Context(), []string{"a"})
		}
		time.Sleep(firstPause)
		// A trial whose caller gives up leaves the trial to the next.
		ctx, cancel := context.WithCancel(t.Context())
		cancelled := make(chan error)
		f.run = func(ctx context.Context, _ int, _ []string) error {
			<-ctx.Done()
			return ctx.Err()
		}
		go func() {
			_, err := g.Classify(ctx, []string{"a"})
			cancelled <- err
		}()
		synctest.Wait()
		if e := open(t, g, f); !e.Until.After(time.Now()) {
			t.Errorf("the error is %v", e)
		}
		cancel()
		if err := <-cancelled; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		f.run = nil
		if _, err := g.Classify(t.Context(), []string{"a"}); err != nil {
			t.Error(err)
		}
		if s := g.State(); s.Phase != Closed {
			t.Errorf("the state is %+v", s)
		}
	})
}

// Requests that began before the breaker opened have no say afterwards.
func TestLateAnswers(t *testing.T) {
	for _, late := range []error{nil, unavailable(502, 0)} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{run: func(_ context.Context, call int, _ []string) error {
				if call == 0 {
					time.Sleep(5 * time.Second)
					return late
				}
				return unavailable(502, 0)
			}}
			g := New(f, Options{Parallel: 2})
			go func() { _, _ = g.Classify(t.Context(), []string{"a"}) }()
			synctest.Wait()
			for range maxFailures {
				_, _ = g.Classify(t.Context(), []string{"a"})
			}
			before := g.State()
			time.Sleep(6 * time.Second)
			after := g.State()
			if after.Phase != Open || !after.NextTry.Equal(before.NextTry) || after.Requests != maxFailures+1 {
				t.Errorf("%v: the state is %+v", late, after)
			}
		})
	}
}

func TestOpenAtOnce(t *testing.T) {
	tests := []struct {
		name  string
		err   error
		pause time.Duration
	}{
		{"a key", &classifier.Error{Fault: classifier.Misconfigured, Status: 401, Message: "key"}, firstPause},
		{"a wait", unavailable(429, 2*time.Minute), 2 * time.Minute},
		{"a wait of a day", unavailable(503, 24*time.Hour), maxAsked},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{run: func(context.Context, int, []string) error { return test.err }}
			g := New(f, Options{Retries: 5})
			if _, err := g.Classify(t.Context(), []string{"a"}); !errors.Is(err, test.err) {
				t.Errorf("%s: %v", test.name, err)
			}
			if s := g.State(); s.Phase != Open || time.Until(s.NextTry) != test.pause || len(f.calls) != 1 {
				t.Errorf("%s: %d requests, %+v", test.name, len(f.calls), s)
			}
		})
	}
}

// A server that is busy for all parallel requests at once has not failed yet.
func TestBusyForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{run: func(_ context.Context, call int, _ []string) error {
			time.Sleep(time.Millisecond)
			if call < 8 {
				return unavailable(429, time.Second)
			}
			return nil
		}}
		g := New(f, Options{Batch: 1, Parallel: 8, Retries: 3})
		all := texts(50)
		results, err := g.Each(t.Context(), all)
		if err != nil {
			t.Fatal(err)
		}
		answered(t, all, results)
	})
}

// A server that refuses everything must not have every message noted as refused.
func TestRefusesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := true
		f := &fake{run: func(context.Context, int, []string) error {
			if all {
				return errRefused
			}
			return nil
		}}
		g := New(f, Options{Batch: 32})
		ask := texts(1000)
		count := func() (refused int) {
			results, err := g.Each(t.Context(), ask)
			var e *OpenError
			if !errors.As(err, &e) {
				t.Fatalf("the error is %v", err)
			}
			for _, r := range results {
				if r.Err != nil {
					refused++
				}
			}
			return refused
		}
		if n := count(); n != maxRefusals {
			t.Errorf("%d texts were refused", n)
		}
		// Each trial goes on until it has found one text, so that the others have a turn.
		for i := range 3 {
			if s := g.State(); s.Phase != Open || s.Refusals != maxRefusals+i || s.LastError != "too long" {
				t.Errorf("the state is %+v", s)
			}
			time.Sleep(firstPause)
			if n := count(); n != 1 {
				t.Errorf("%d texts were refused by a trial", n)
			}
		}
		all = false
		time.Sleep(firstPause)
		if _, err := g.Each(t.Context(), ask); err != nil {
			t.Error(err)
		}
		if s := g.State(); s.Phase != Closed || s.Refusals != 0 {
			t.Errorf("the state is %+v", s)
		}
	})
}

// A retry stops as soon as the breaker is open.
func TestRetryMeetsOpenBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{run: func(context.Context, int, []string) error { return unavailable(502, 0) }}
		g := New(f, Options{Retries: 10})
		_, err := g.Classify(t.Context(), []string{"a"})
		var e *OpenError
		if !errors.As(err, &e) || len(f.calls) != maxFailures {
			t.Errorf("%v after %d requests", err, len(f.calls))
		}
		want := fmt.Sprintf("not asked before %s: answered 502", g.State().NextTry.UTC().Format("15:04:05 UTC"))
		if err.Error() != want {
			t.Errorf("%q, not %q", err, want)
		}
	})
}

func TestRecent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(&fake{}, Options{})
		for range 10 {
			if _, err := g.Classify(t.Context(), texts(30)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if rate := g.State().Rate; rate < 27 || rate > 31 {
			t.Errorf("30 texts a second are %v", rate)
		}
		time.Sleep(20 * time.Second)
		if rate := g.State().Rate; rate < 9 || rate > 11 {
			t.Errorf("300 texts in half a minute are %v a second", rate)
		}
		time.Sleep(time.Minute)
		if rate := g.State().Rate; rate != 0 {
			t.Errorf("a minute later the rate is %v", rate)
		}
	})
}
