package messages

import (
	"testing"
	"time"

	"treewarden/corpus/search"
)

// TestPeriods checks that the first period is expected to have the wanted number of texts
// or a little more, and the next four times as many.
func TestPeriods(t *testing.T) {
	from := time.Date(2026, 3, 31, 23, 59, 59, 0, time.FixedZone("", -5*3600)) // 1 April in UTC
	day := func(back int) time.Time { return time.Date(2026, time.April, 1-back, 0, 0, 0, 0, time.UTC) }
	f := frequencies{texts: 100_000, of: map[int32]float64{}}
	for i := 1; i < 50; i++ { // the newest day has no statistics
		f.of[search.DayTerm(day(i))] = 0.02
	}
	ends := func(share float64, from time.Time, want float64) (ends []string) {
		for _, p := range f.periods(share, from, want, nil) {
			ends = append(ends, p.To[0])
		}
		return ends
	}
	// 10 % of 100,000 texts are 10,000: 200 in each day.
	got := ends(0.1, from, 300)
	want := []string{day(2).Format(time.RFC3339), day(2 + 6).Format(time.RFC3339)}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("the periods end at %v, want %v", got, want)
	}
	if got := ends(0.004, from, 300); got != nil {
		t.Errorf("few texts have periods that end at %v", got)
	}
	if got := ends(0.1, from, 6000); got != nil {
		t.Errorf("most of the texts have periods that end at %v", got)
	}
	if got := ends(0.1, from.AddDate(70, 0, 0), 300); got != nil {
		t.Errorf("days without statistics have periods that end at %v", got)
	}
	if got := ends(0.1, time.Time{}, 300); got != nil {
		t.Errorf("an unknown time has periods that end at %v", got)
	}
}

// TestLatest reads the times of keys as PostgreSQL writes them.
func TestLatest(t *testing.T) {
	all := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	until := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, of := range []struct {
		key   string
		until *time.Time
		want  time.Time
	}{
		{"", nil, all},
		{"2025-12-31 23:30:00.25+00", nil, time.Date(2025, 12, 31, 23, 30, 0, 250e6, time.UTC)},
		{"2025-12-31 23:30:00+00", nil, time.Date(2025, 12, 31, 23, 30, 0, 0, time.UTC)},
		{"2027-01-01 00:00:00+00", nil, all},
		{"2025-12-31 23:30:00+00", &until, until},
		{"-infinity", nil, time.Time{}},
		{"0044-03-15 12:00:00+00 BC", nil, time.Time{}},
	} {
		var from []string
		if of.key != "" {
			from = []string{of.key, "00000000-0000-0000-0000-000000000000"}
		}
		if got := (prepared{Filter: Filter{Until: of.until}}).latest(from, all); !got.Equal(of.want) {
			t.Errorf("%q: %v, want %v", of.key, got, of.want)
		}
	}
}
