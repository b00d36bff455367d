package scoring

import (
	"fmt"
	"slices"
	"time"
)

// Window is a span of time up to now over which signals count.
type Window string

// The windows.
const (
	Day   Window = "day"
	Week  Window = "week"
	Month Window = "month"
	Total Window = "total"
)

// Windows holds the windows, the shortest first.
var Windows = windows[:]

var windows = [NumWindows]Window{Day, Week, Month, Total}

// NumWindows is the number of time frames.
const NumWindows = 4

// WindowNamed returns the window with a name; the empty name is Total.
func WindowNamed(name string) (Window, error) {
	if name == "" {
		return Total, nil
	}
	if !slices.Contains(Windows, Window(name)) {
		return "", fmt.Errorf("there is no frame %q: it is day, week, month or total", name)
	}
	return Window(name), nil
}

// Since returns the start of the window: 24 hours ago to the hour, or 00:00 UTC 7
// or 30 days ago. ok is false for Total.
func (f Window) Since(now time.Time) (since time.Time, ok bool) {
	now = now.UTC()
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	switch f {
	case Day:
		return now.Truncate(time.Hour).Add(-24 * time.Hour), true
	case Week:
		return midnight.AddDate(0, 0, -7), true
	case Month:
		return midnight.AddDate(0, 0, -30), true
	}
	return time.Time{}, false
}

// Title returns the window's name on pages.
func (f Window) Title() string {
	return map[Window]string{Day: "Daily", Week: "Weekly", Month: "Monthly", Total: "Overall"}[f]
}
