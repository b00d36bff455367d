package messages

import "strings"

// Excerpt returns the beginning of a text on one line: at most 80 characters.
func Excerpt(text string) string {
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) > 80 {
		return string(runes[:79]) + "…"
	}
	return string(runes)
}
