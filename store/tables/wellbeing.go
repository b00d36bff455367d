package tables

import "time"

// Wellbeing is what a person sets for themselves in the queue. 0 is off.
type Wellbeing struct {
	BreakAfter   int // minutes of work after which they are reminded to take a break
	ToxicPerHour int // the most toxic cases that they are offered within an hour
	// BreakDismissedAt is when they last dismissed the reminder, nil if never.
	BreakDismissedAt *time.Time
}

// The limits of the settings, besides 0.
const (
	MinBreakAfter   = 15
	MaxBreakAfter   = 240
	MaxToxicPerHour = 200
)
