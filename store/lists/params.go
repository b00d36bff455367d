package lists

import (
	"strings"

	"treewarden/store/accounts"
	"treewarden/store/db"
)

// ListParams describes a list. A nil field of a change is left alone; a new list
// needs a name and a kind.
type ListParams struct {
	Name     *string `json:"name" form:"name" validate:"omitempty,max=200"`
	Kind     *string `json:"kind" form:"kind" validate:"omitempty,oneof=bad good custom"`
	Note     *string `json:"note" form:"note" validate:"omitempty,max=2000"`
	Archived *bool   `json:"archived" form:"archived"`
}

// chooseKind names Kinds.
const chooseKind = "Choose bad, good or custom."

// CheckNew returns an Invalid unless these are the values of a new list.
func (p ListParams) CheckNew() error {
	wrong := p.check()
	if p.Name == nil {
		wrong["name"] = "Give the list a name."
	}
	if p.Kind == nil {
		wrong["kind"] = chooseKind
	}
	return wrong.Err()
}

// CheckChange returns an Invalid unless these are changes of a list.
func (p ListParams) CheckChange() error {
	wrong := p.check()
	if p == (ListParams{}) {
		wrong["name"] = "Give at least one value to change."
	}
	return wrong.Err()
}

func (p ListParams) check() db.Invalid {
	wrong := db.Invalid{}
	if p.Name != nil && (!accounts.Visible(*p.Name) || len([]rune(*p.Name)) > 200) {
		wrong["name"] = "A name has 1 to 200 characters, at least one of them visible."
	}
	if p.Kind != nil && db.OneOf("kind", *p.Kind, Kinds...) != nil {
		wrong["kind"] = chooseKind
	}
	for field, text := range map[string]*string{"name": p.Name, "note": p.Note} {
		if text != nil && !db.IsText(*text) {
			wrong[field] = db.NotText
		}
	}
	if p.Note != nil && len([]rune(*p.Note)) > 2000 {
		wrong["note"] = "A note has at most 2,000 characters."
	}
	return wrong
}

// Apply returns a list with the changes.
func (p ListParams) Apply(l List) List {
	for _, f := range []struct {
		given *string
		field *string
	}{{p.Name, &l.Name}, {p.Kind, &l.Kind}, {p.Note, &l.Note}} {
		if f.given != nil {
			*f.field = strings.TrimSpace(*f.given)
		}
	}
	if p.Archived != nil {
		l.Archived = *p.Archived
	}
	return l
}
