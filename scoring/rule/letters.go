package rule

import "unicode/utf8"

// AppendLetters appends the letters and digits of a text to a slice, folded as
// the texts of word lists are, in UTF-8. White space, punctuation and symbols are
// left out.
func AppendLetters(to []byte, text string) []byte {
	f := folders.Get().(*folder) // the pool holds only folders
	f.fold(text)
	for i := range f.units {
		if u := &f.units[i]; u.class != other {
			to = utf8.AppendRune(to, u.r)
		}
	}
	if cap(f.units) <= keptUnits {
		folders.Put(f)
	}
	return to
}
