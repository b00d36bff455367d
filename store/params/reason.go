package params

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"treewarden/store/db"
)

// CheckReason checks that a reason has 3 to 500 characters.
func CheckReason(reason string, needed bool) error {
	n := utf8.RuneCountInString(strings.TrimSpace(reason))
	switch {
	case n == 0 && !needed:
		return nil
	case n < 3 || n > 500 || !strings.ContainsFunc(reason, canBeSeen):
		return db.Invalid{"reason": "Give a reason of 3 to 500 characters. The audit log records it."}
	}
	return CheckText("reason", reason)
}

// canBeSeen reports whether a character shows: a reason of spaces without width is none.
func canBeSeen(r rune) bool {
	return unicode.IsGraphic(r) && !unicode.IsSpace(r) && !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}

// CheckText returns an Invalid for a text that PostgreSQL cannot store.
func CheckText(field, text string) error {
	if !db.IsText(text) {
		return db.Invalid{field: db.NotText}
	}
	return nil
}
