package params

import (
	"fmt"
	"math"
	"strings"

	"treewarden/corpus"
	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store/db"
)

// UserPatch holds the changes to a user; a nil field is left alone.
type UserPatch struct {
	DisplayName       *string `json:"display_name" form:"display_name"`
	Notes             *string `json:"notes" form:"notes"`
	ShowOnLeaderboard *bool   `json:"show_on_leaderboard" form:"show_on_leaderboard"`
	Role              *string `json:"role" form:"role"`

	// NeedVersion refuses a change by a program that does not say what it read.
	NeedVersion bool `json:"-"`
}

// Permission returns user.role if the patch changes only the role, otherwise
// user.edit.
func (p UserPatch) Permission() policy.Permission {
	if p.roleOnly() {
		return policy.UserRole
	}
	return policy.UserEdit
}

// roleOnly reports whether the patch changes the role and nothing else.
func (p UserPatch) roleOnly() bool {
	return p.Role != nil && p.DisplayName == nil && p.Notes == nil && p.ShowOnLeaderboard == nil
}

// Check returns an Invalid that names each wrong value.
func (p UserPatch) Check(roles *policy.Policy) error {
	wrong := db.Invalid{}
	if p.DisplayName != nil {
		if !db.IsText(*p.DisplayName) {
			wrong["display_name"] = "This name holds bytes that are not text (NUL or broken UTF-8)."
		}
	}
	if p.Notes != nil {
		if corpus.TooLongFor(*p.Notes, corpus.MaxNotes) {
			wrong["notes"] = "Notes have at most 10,000 characters."
		} else if !db.IsText(*p.Notes) {
			wrong["notes"] = "These notes hold bytes that are not text (NUL or broken UTF-8)."
		}
	}
	if p.Role != nil && !roles.KnownRole(*p.Role) {
		wrong["role"] = "There is no such role; it is one of " + strings.Join(roles.Names(), ", ") + "."
	}
	if p == (UserPatch{NeedVersion: p.NeedVersion}) {
		wrong["display_name"] = "Give at least one value to change."
	}
	if len(wrong) > 0 {
		return wrong
	}
	return nil
}

// Labels are the parameters of the action label: values from 0 to 1 by label
// name.
type Labels struct {
	Labels map[string]float64 `json:"labels" form:"labels"`
}

// Check returns an Invalid for a label or a value that does not exist.
func (p Labels) Check() error {
	if len(p.Labels) == 0 {
		return db.Invalid{"labels": "Give at least one label."}
	}
	wrong := db.Invalid{}
	for name, value := range p.Labels {
		switch {
		case !scoring.IsLabel(name):
			wrong["labels"] = "There is no label " + fmt.Sprintf("%.60q", name) + "; there are " +
				strings.Join(scoring.LabelNames, ", ") + "."
		case math.IsNaN(value) || value < 0 || value > 1:
			wrong["labels"] = "The value of a label is a number from 0 to 1: " + name + " is not."
		}
	}
	if len(wrong) > 0 {
		return wrong
	}
	return nil
}
