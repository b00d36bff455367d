// Package params holds the parameters of the actions on people and cases: the terms of
// a ban, and what is decided about a case.
package params

import (
	"errors"
	"maps"
	"slices"
	"time"

	"treewarden/store/cases"
	"treewarden/store/db"
)

// Ban are the terms of a ban.
type Ban struct {
	Until    *time.Time `json:"until" form:"until"` // nil: until the user is unbanned
	Messages string     `json:"messages" form:"messages" validate:"omitempty,oneof=keep delete"`
	Trees    string     `json:"trees" form:"trees" validate:"omitempty,oneof=keep halt"`
	Close

	// For is a length of time that the form offers; "date" stands for Until.
	For string `json:"-" form:"for" validate:"omitempty,oneof=day week month date"`
}

// Unban are the parameters of the action unban.
type Unban struct {
	// Messages is restore to bring back the messages that the ban deleted; keep, the
	// default, leaves them deleted.
	Messages string `json:"messages" form:"messages" validate:"omitempty,oneof=keep restore"`
}

// banLengths are the lengths of a ban that its form offers.
var banLengths = map[string]time.Duration{
	"day":   24 * time.Hour,
	"week":  7 * 24 * time.Hour,
	"month": 30 * 24 * time.Hour,
}

// Complete sets Until from the length that the form sent. The end is a full hour,
// so that a form sent twice by a double click sends the same request twice.
func (p Ban) Complete(now time.Time) (any, error) {
	if length, ok := banLengths[p.For]; ok {
		end := now.Add(length + time.Hour).UTC().Truncate(time.Hour)
		p.Until = &end
	}
	if p.For == "date" && p.Until == nil {
		return p, db.Invalid{"until": "choose the date and time at which the ban ends"}
	}
	return p, nil
}

// Check checks that a ban ends between now and the year 9999 and that the choices
// are valid.
func (p Ban) Check(now time.Time) error {
	wrong := db.Invalid{}
	if p.Until != nil && !p.Until.After(now) {
		wrong["until"] = "The end of a ban must be in the future. Leave it empty for a permanent ban."
	}
	if p.Until != nil && p.Until.UTC().Year() > 9999 {
		wrong["until"] = "The end of a ban must be before the year 10000. Leave it empty for a permanent ban."
	}
	maps.Copy(wrong, OneOf("messages", p.Messages, "keep", "delete"))
	maps.Copy(wrong, OneOf("trees", p.Trees, "keep", "halt"))
	if len(wrong) > 0 {
		return wrong
	}
	return nil
}

// Resolve decide a case.
type Resolve struct {
	Case    int64  `json:"case" form:"case"`
	Outcome string `json:"outcome" form:"outcome" validate:"required,oneof=dismiss delete reject halt ban"`
	// Cases is author to decide all open cases of the same author alike, save those
	// that somebody else holds.
	Cases string `json:"cases" form:"cases" validate:"omitempty,oneof=one author"`

	// The terms of the outcome ban.
	Until    *time.Time `json:"until" form:"until"`
	Messages string     `json:"messages" form:"messages" validate:"omitempty,oneof=keep delete"`
	Trees    string     `json:"trees" form:"trees" validate:"omitempty,oneof=keep halt"`
	For      string     `json:"-" form:"for" validate:"omitempty,oneof=day week month date"`
}

// Complete sets Until from the length that the form sent.
func (p Resolve) Complete(now time.Time) (any, error) {
	terms, err := Ban{Until: p.Until, For: p.For}.Complete(now)
	if ban, ok := terms.(Ban); ok {
		p.Until = ban.Until
	}
	return p, err
}

// Check checks the choices and, for the outcome ban, its terms.
func (p Resolve) Check(now time.Time) error {
	wrong := db.Invalid{}
	maps.Copy(wrong, OneOf("cases", p.Cases, "one", "author"))
	if !slices.Contains(cases.Outcomes, p.Outcome) {
		wrong["outcome"] = "Choose " + orList(cases.Outcomes) + "."
	}
	var terms db.Invalid
	if errors.As(Ban{Until: p.Until, Messages: p.Messages, Trees: p.Trees}.Check(now), &terms) {
		maps.Copy(wrong, terms)
	}
	if p.Outcome != cases.Ban && (p.Until != nil || p.Messages == "delete" || p.Trees == "halt") {
		wrong["outcome"] = "Only the outcome ban takes an end, messages and trees."
	}
	if len(wrong) > 0 {
		return wrong
	}
	return nil
}

// Close are the parameters of actions that may decide the cases they touch.
type Close struct {
	// CloseCases decides the open cases of the messages that the action touches, save
	// those that somebody else holds: their flags are upheld, or dismissed if a message
	// is accepted.
	CloseCases bool `json:"close_cases" form:"close_cases"`
}

// OneOf returns an Invalid if the value is not one of those allowed. An
// empty value is valid.
func OneOf(field, value string, allowed ...string) db.Invalid {
	if value == "" || slices.Contains(allowed, value) {
		return nil
	}
	return db.Invalid{field: "Choose " + orList(allowed) + "."}
}

// orList joins choices for an error text: "keep or halt".
func orList(words []string) string {
	switch n := len(words); n {
	case 0:
		return ""
	case 1:
		return words[0]
	default:
		text := words[0]
		for _, w := range words[1 : n-1] {
			text += ", " + w
		}
		return text + " or " + words[n-1]
	}
}
