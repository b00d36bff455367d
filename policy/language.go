package policy

import (
	"slices"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// Undetermined is the language of a message or tree without a language (BCP 47).
// It is outside every limit of languages.
const Undetermined = "und"

// outside stands in decisions for all languages that no limit contains.
const outside = "\x00"

// Covers reports whether a limit of languages allows an act on something in a
// language; "" is an act on something that has none, such as an API key.
func Covers(limit []string, lang string) bool {
	if limit == nil || lang == "" {
		return true
	}
	return !contains(Undetermined, lang) && slices.ContainsFunc(limit, func(l string) bool { return contains(l, lang) })
}

// contains reports whether a language is another one or a variety of it: "pt"
// contains "pt" and "pt-BR". The letters' case and the separator (- or _) do not
// matter.
func contains(wide, narrow string) bool {
	if len(narrow) < len(wide) {
		return false
	}
	for i := range len(wide) {
		if folded(wide[i]) != folded(narrow[i]) {
			return false
		}
	}
	return len(narrow) == len(wide) || folded(narrow[len(wide)]) == '-'
}

func folded(b byte) byte {
	switch {
	case b == '_':
		return '-'
	case 'A' <= b && b <= 'Z':
		return b + 'a' - 'A'
	}
	return b
}

// intersection returns the languages that are within two limits.
func intersection(a, b []string) []string {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	both := []string{}
	for _, pair := range [][2][]string{{a, b}, {b, a}} {
		for _, lang := range pair[0] {
			if Covers(pair[1], lang) && !Covers(both, lang) {
				both = append(both, lang)
			}
		}
	}
	return both
}

// without returns the languages of a that are not within the limit b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(lang string) bool { return Covers(b, lang) })
}

// representative returns the language that stands for another one in decisions:
// the narrowest language of the limits that contains it. A policy thereby knows
// few questions, however many languages messages have.
func representative(lang string, limits ...[]string) string {
	if lang == "" {
		return ""
	}
	narrowest := outside
	for _, limit := range limits {
		for _, l := range limit {
			if contains(l, lang) && (narrowest == outside || contains(narrowest, l)) {
				narrowest = l
			}
		}
	}
	return narrowest
}

// languageFault returns what is wrong with a language of a limit, or "".
func languageFault(lang string) string {
	if _, err := language.Parse(lang); err != nil || lang == "" || contains(Undetermined, lang) {
		if len(lang) > 40 {
			lang = strings.ToValidUTF8(lang[:40], "") + "…"
		}
		return `There is no language "` + lang + `": give a code such as en, de or pt-BR.`
	}
	return ""
}

// languageName returns the English name of a language.
func languageName(lang string) string {
	if tag, err := language.Parse(lang); err == nil {
		if name := display.English.Tags().Name(tag); name != "" {
			return name
		}
	}
	return lang
}

// LimitWords returns a limit of languages in words: "all languages", "Danish and
// German".
func LimitWords(limit []string) string {
	switch {
	case limit == nil:
		return "all languages"
	case len(limit) == 0:
		return "no language"
	}
	return languageNames(limit)
}

// languageNames returns the names of languages in a sentence: "Danish and German".
func languageNames(langs []string) string {
	names := make([]string, len(langs))
	for i, lang := range langs {
		names[i] = languageName(lang)
	}
	return listed(names)
}

// listed joins words for a sentence: "a, b and c".
func listed(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
