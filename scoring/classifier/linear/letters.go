package linear

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// letter is what a folded character is in a word.
type letter struct {
	plain rune // without accents
	// latin and cyrillic are what it stands for among letters of that script: a
	// look-alike, or the letter for which people write a digit. 0 is none.
	latin, cyrillic rune
	script          script
}

type script uint8

const (
	otherScript script = iota
	latinScript
	cyrillicScript
	digitScript
)

// lookalikes holds small letters of Cyrillic and Greek, each before the Latin one
// that looks the same, small or as a capital.
const lookalikes = "аaеeоoрpсcуyхxіiјjѕsкkмmтtвbнhԁdԛqԝwгr" + "αaοoρpυuνvκkτtιiεeχx"

// leet holds digits and signs, each before the letter that it stands for.
const leet = "0o1i3e4a5s7t8b@a$s!i"

// respelled holds letters before those that many people write instead of them,
// and that are not the letter without its accent.
const respelled = "ıiøođdłlæaأاإاآاٱاىيةهکكیي"

// letterTableSize is above all letters that letterOf changes.
const letterTableSize = 0x2000

var letterTable = buildLetters()

func buildLetters() *[letterTableSize]letter {
	table := new([letterTableSize]letter)
	for r := range rune(letterTableSize) {
		l := letter{plain: r}
		switch {
		case unicode.Is(unicode.Latin, r):
			l.script = latinScript
			if r >= utf8.RuneSelf {
				l.plain, _ = utf8.DecodeRuneInString(norm.NFD.String(string(r)))
			}
		case unicode.Is(unicode.Cyrillic, r):
			l.script = cyrillicScript
		case r >= '0' && r <= '9':
			l.script = digitScript
		}
		table[r] = l
	}
	eachPair(respelled, func(from, to rune) { table[from].plain = to })
	eachPair(lookalikes, func(from, to rune) {
		table[from].latin = to
		if table[from].script == cyrillicScript {
			table[to].cyrillic = from
		}
	})
	eachPair(leet, func(from, to rune) { table[from].latin = to })
	return table
}

func eachPair(pairs string, do func(from, to rune)) {
	runes := []rune(pairs)
	for i := 0; i < len(runes); i += 2 {
		do(runes[i], runes[i+1])
	}
}

func letterOf(r rune) letter {
	if r < letterTableSize {
		return letterTable[r]
	}
	return letter{plain: r}
}

// traits are those of letters that decide whether they stand for others in a word.
type traits uint8

const (
	changes  traits = 1 << iota // not without accents
	latin                       // of Latin script
	notLatin                    // stands for another one beside Latin letters
	digit                       // of a number
	repeats                     // there three times or more in a row
)

// plain reports whether the letters of a word, whose traits these are together,
// stand for themselves.
func (t traits) plain() bool {
	return t&(changes|digit|repeats) == 0 && t&(latin|notLatin) != latin|notLatin
}

var traitTable = buildTraits()

func buildTraits() *[letterTableSize]traits {
	table := new([letterTableSize]traits)
	for r, l := range letterTable {
		if l.plain != rune(r) {
			table[r] |= changes
		}
		if l.latin != 0 || l.script == cyrillicScript {
			table[r] |= notLatin
		}
		switch l.script {
		case latinScript:
			table[r] |= latin
		case digitScript:
			table[r] |= digit
		}
	}
	return table
}

func traitsOf(r rune) traits {
	if r < letterTableSize {
		return traitTable[r]
	}
	return 0
}
