package accounts

import (
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"treewarden/policy"
	"treewarden/store/db"
)

// Params are a new account, or the changes of one. A nil field of a change is left
// alone.
type Params struct {
	Name *string
	Role *string
	// Languages is the account's own limit of languages if SetLanguages is set; nil
	// is none.
	Languages    []string
	SetLanguages bool
}

// CheckNew returns an Invalid unless these are the values of a new account.
func (p Params) CheckNew() error {
	wrong := p.check()
	if p.Name == nil {
		wrong["name"] = "Give the account a name."
	}
	if p.Role == nil || *p.Role == "" {
		wrong["role"] = "Choose a role."
	}
	return wrong.Err()
}

// CheckChange returns an Invalid unless these are changes of an account.
func (p Params) CheckChange() error {
	wrong := p.check()
	if p.Name == nil && p.Role == nil && !p.SetLanguages {
		wrong["role"] = "Give at least one value to change."
	}
	return wrong.Err()
}

// check returns what is wrong with the values by themselves.
func (p Params) check() db.Invalid {
	wrong := db.Invalid{}
	if p.Name != nil {
		var invalid db.Invalid
		if errors.As(CheckName(*p.Name), &invalid) {
			wrong = invalid
		}
	}
	if why := policy.LimitFault(p.Languages); why != "" {
		wrong["languages"] = why
	}
	return wrong
}

// Change returns an account after the change, as the policy sees it. moved is false if
// that is what it was before.
func (p Params) Change(a Account) (to policy.Subject, moved bool) {
	to = a.Subject()
	if p.Role != nil {
		to.Role = *p.Role
	}
	if p.SetLanguages {
		to.Languages = p.Languages
	}
	return to, to.Role != a.Role || !SameLimit(to.Languages, a.Languages)
}

// SameLimit reports whether two limits of languages are the same.
func SameLimit(a, b []string) bool { return (a == nil) == (b == nil) && slices.Equal(a, b) }

// CheckName returns an Invalid unless a name has 1 to 100 characters, at least one
// of them visible.
func CheckName(name string) error {
	if n := utf8.RuneCountInString(strings.TrimSpace(name)); n > 100 || !Visible(name) {
		return db.Invalid{"name": "A name has 1 to 100 characters, at least one of them visible."}
	}
	if !db.IsText(name) {
		return db.Invalid{"name": "This name holds bytes that are not text (NUL or broken UTF-8)."}
	}
	return nil
}

// CheckPassword returns an Invalid for the field unless a new password has 10 to 200
// characters.
func CheckPassword(field, password string) error {
	if n := utf8.RuneCountInString(password); n < 10 || n > 200 {
		return db.Invalid{field: "A password has 10 to 200 characters."}
	}
	return nil
}

// Visible reports whether a text has a visible character.
func Visible(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		const blankBraille = 0x2800
		return unicode.IsGraphic(r) && !unicode.IsSpace(r) && r != blankBraille &&
			!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
	})
}
