package rule

import (
	"unicode/utf8"

	"treewarden/scoring/fold"
)

// AppendLetters appends the letters and digits of a text to a slice, folded as
// the texts of word lists are, in UTF-8. White space, punctuation and symbols are
// left out.
func AppendLetters(to []byte, text string) []byte {
	f := fold.Get()
	defer f.Release()
	f.Fold(text)
	for i := range f.Units {
		if u := &f.Units[i]; u.Class != fold.Other {
			to = utf8.AppendRune(to, u.Rune)
		}
	}
	return to
}
