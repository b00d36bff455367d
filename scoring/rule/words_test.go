package rule

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"treewarden/scoring/fold"
)

// foldedOf returns the folding of a text by itself.
func foldedOf(text string) string {
	f := fold.New()
	f.Fold(text)
	return foldedText(f.Units)
}

// naive finds the words of a list as match does, by trying each word at each
// place.
func naive(list []string, text string) (found []Match) {
	f := fold.New()
	f.Fold(text)
	units := f.Units
	at := func(i int) fold.Class {
		if i < 0 || i >= len(units) {
			return fold.Other
		}
		return units[i].Class
	}
	for i := 0; i < len(units); i++ {
		best, what := i, ""
		for _, word := range list {
			runes := []rune(foldedOf(word))
			end := i + len(runes)
			same := func(r rune, u fold.Unit) bool { return r == u.Rune }
			if end <= best || end > len(units) || !slices.EqualFunc(runes, units[i:end], same) {
				continue
			}
			inside := i > 0 && units[i-1].To > units[i].From || end < len(units) && units[end].From < units[end-1].To
			joined := sameWord(at(i-1), at(i)) || end < len(units) && sameWord(at(end-1), at(end))
			letters := hasSpaced(word)
			sign := letters && (at(i) == fold.Other && at(i-1) == fold.Spaced ||
				at(end-1) == fold.Other && at(end) == fold.Spaced)
			if !inside && !joined && !sign {
				best, what = end, word
			}
		}
		if best > i {
			found = append(found, Match{Part: Words, What: what, Start: int(units[i].From),
				End: int(units[best-1].To)})
			i = best - 1
		}
	}
	return found
}

func hasSpaced(text string) bool {
	f := fold.New()
	f.Fold(text)
	return slices.ContainsFunc(f.Units, func(u fold.Unit) bool { return u.Class == fold.Spaced })
}

func random(r *rand.Rand, alphabet []string, most int) string {
	var text strings.Builder
	for range 1 + r.IntN(most) {
		text.WriteString(alphabet[r.IntN(len(alphabet))])
	}
	return text.String()
}

func TestWordsAsNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, alphabet := range [][]string{
		{"a", "b", " "},
		{"a", "$", " ", "女", "ア"},
		{"s", "ß", "ﬁ", "i", "İ", "\u0307", "f"},
		{"ก", "ู", "้", "a", " ", "\u200b"},
		{"カ", "\u3099", "ー", "か", " ", "x", "\xff"},
	} {
		for range 2000 {
			var list []string
			for range 1 + r.IntN(6) {
				word := strings.TrimSpace(random(r, alphabet, 5))
				same := func(w string) bool { return foldedOf(w) == foldedOf(word) }
				if foldedOf(word) != "" && !slices.ContainsFunc(list, same) {
					list = append(list, word)
				}
			}
			if list == nil {
				continue
			}
			text := random(r, alphabet, 40)
			got, want := compiled(t, Rule{Words: list}).Match(text, ""), naive(list, text)
			if !slices.Equal(got, want) {
				t.Fatalf("%q in %q: %v, want %v", list, text, got, want)
			}
		}
	}
}

func FuzzMatch(f *testing.F) {
	for _, text := range []string{
		"kick\n ass", "Straße ﬁ İ", "a\u0336s\u0301s", "作为 AI 语言模型", "´ \u00a8 ﷺ㍿", "\xff\xcc\x80", "กู้ カ\u3099",
	} {
		f.Add(text, text[:1+len(text)/2], "en")
	}
	f.Fuzz(func(t *testing.T, text, words, lang string) {
		list := strings.Split(words, "\n")
		m, err := Compile(Rule{Words: list, ShorterThan: 5})
		if err != nil {
			return
		}
		all := append(m.Match(text, lang), compiled(t, Rule{Boilerplate: true}).Match(text, lang)...)
		for _, found := range append(all, compiled(t, Rule{LanguageMismatch: true}).Match(text, lang)...) {
			if found.Start < 0 || found.End < found.Start || found.End > len(text) {
				t.Fatalf("%v of %d bytes", found, len(text))
			}
			if found.Part == LanguageMismatch || found.Part == ShorterThan {
				continue
			}
			if found.Start == found.End || !onRune(text, found.Start) || !onRune(text, found.End) {
				t.Fatalf("%v is not on characters of %q", found, text)
			}
			_, phrase, _ := strings.Cut(found.What, ": ")
			if found.Part == Words {
				phrase = found.What
			}
			got, want := foldedOf(text[found.Start:found.End]), foldedOf(phrase)
			if got != want && got != strings.ReplaceAll(want, "ı", "i") {
				t.Fatalf("%v: %q folds to %q, the word to %q", found, text[found.Start:found.End], got, want)
			}
		}
	})
}

// onRune reports whether no valid character stands across an offset.
func onRune(text string, at int) bool {
	return at == len(text) || utf8.RuneStart(text[at]) || !utf8.ValidString(text)
}
