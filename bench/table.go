package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// row is one figure of the table. A value that was not measured is empty.
type row struct {
	Figure, Legacy, Ours, Ratio, Target string
	Holds                               verdict
	How                                 string // the timed command line, method or query
}

// verdict is the result of a comparison with the target.
type verdict string

const (
	holds     verdict = "yes"
	misses    verdict = "NO"
	undecided verdict = "" // the figure has no target
)

func verdictOf(ok bool) verdict {
	if ok {
		return holds
	}
	return misses
}

// table holds the rows of a run.
type table struct {
	rows []row
	logf func(format string, args ...any)
}

func (t *table) add(r row) {
	t.rows = append(t.rows, r)
	t.logf("%-58s %12s %12s %10s  %s %s", r.Figure, r.Legacy, r.Ours, r.Ratio, r.Target, r.Holds)
}

// faster adds a figure with a target for the ratio of Open-Assistant's time to
// ours.
func (t *table) faster(figure string, legacy, ours time.Duration, atLeast float64, how string) {
	ratio := legacy.Seconds() / ours.Seconds()
	r := row{Figure: figure, Legacy: span(legacy), Ours: span(ours), Ratio: times(ratio), How: how}
	if atLeast > 0 {
		r.Target, r.Holds = fmt.Sprintf("≥ %g×", atLeast), verdictOf(ratio >= atLeast)
	}
	t.add(r)
}

// within adds a figure of ours with a limit on its time; 0 means no limit.
func (t *table) within(figure string, ours, most time.Duration, how string) {
	r := row{Figure: figure, Ours: span(ours), How: how}
	if most > 0 {
		r.Target, r.Holds = "≤ "+span(most), verdictOf(ours <= most)
	}
	t.add(r)
}

// atMost adds a figure with a limit on its ratio to a plainer one.
func (t *table) atMost(figure string, plain, ours time.Duration, most float64, how string) {
	ratio := ours.Seconds() / plain.Seconds()
	t.add(row{Figure: figure, Legacy: span(plain), Ours: span(ours), Ratio: times(ratio),
		Target: fmt.Sprintf("≤ %g×", most), Holds: verdictOf(ratio <= most), How: how})
}

// rate adds a figure of things per second.
func (t *table) rate(figure string, legacy, ours, atLeast float64, how string) {
	ratio := ours / legacy
	t.add(row{Figure: figure, Legacy: fmt.Sprintf("%.0f/s", legacy), Ours: fmt.Sprintf("%.0f/s", ours),
		Ratio: times(ratio), Target: fmt.Sprintf("≥ %g×", atLeast), Holds: verdictOf(ratio >= atLeast), How: how})
}

// memory adds a figure of bytes; 0 means that they are unknown.
func (t *table) memory(figure string, bytes int64, how string) {
	if bytes > 0 {
		t.add(row{Figure: figure, Ours: fmt.Sprintf("%d MB", bytes>>20), How: how})
	}
}

// missed returns the names of the figures that miss their target.
func (t *table) missed() []string {
	var names []string
	for _, r := range t.rows {
		if r.Holds == misses {
			names = append(names, r.Figure)
		}
	}
	return names
}

// markdown returns the table as README quotes it.
func (t *table) markdown() string {
	var b strings.Builder
	b.WriteString("| figure | legacy or plain | treewarden | ratio | target | holds | measured by " +
		"|\n|---|---|---|---|---|---|---|\n")
	for _, r := range t.rows {
		how := r.How
		if how != "" {
			how = "`" + how + "`"
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join([]string{r.Figure, r.Legacy, r.Ours,
			r.Ratio, r.Target, string(r.Holds), how}, " | "))
	}
	return b.String()
}

// times writes a ratio.
func times(ratio float64) string {
	switch {
	case ratio >= 100:
		return fmt.Sprintf("%.0f×", ratio)
	case ratio >= 10:
		return fmt.Sprintf("%.1f×", ratio)
	}
	return fmt.Sprintf("%.2f×", ratio)
}

// span writes a duration with three digits.
func span(d time.Duration) string {
	unit, name := time.Millisecond, "ms"
	if d >= time.Second {
		unit, name = time.Second, "s"
	}
	value := float64(d) / float64(unit)
	digits := 2
	for limit := 10.0; digits > 0 && value >= limit; limit *= 10 {
		digits--
	}
	return fmt.Sprintf("%.*f %s", digits, value, name)
}

// spans holds the times of one repeated operation.
type spans []time.Duration

// percentile returns the time that p percent are below.
func (s spans) percentile(p int) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(len(sorted)-1, len(sorted)*p/100)]
}

func (s spans) median() time.Duration { return s.percentile(50) }
