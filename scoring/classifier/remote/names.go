package remote

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is the most characters of an output's name that the store accepts; see
// corpus.MaxName.
const maxName = 256

// names gives the outputs of a server the names under which they are stored.
type names map[string]string

// newNames adds the names of the configuration to those of the kind.
func newNames(kind, configured map[string]string) (names, error) {
	all := names{}
	maps.Copy(all, kind)
	taken := map[string]string{}
	for _, from := range slices.Sorted(maps.Keys(configured)) {
		to := configured[from]
		if to == "" || to != Normalise(to) || utf8.RuneCountInString(to) > maxName {
			return nil, &FieldError{"outputs", fmt.Sprintf(
				"%.60q is not a name of an output; use 1 to %d lower-case letters, digits, _ and -", to, maxName)}
		}
		if other, is := taken[to]; is {
			return nil, &FieldError{"outputs", fmt.Sprintf("%.60q and %.60q have the same name %q; give each its own", other,
				from, to)}
		}
		taken[to] = from
		all[from] = to
	}
	// A default gives way to another output that takes its name.
	for from, to := range kind {
		if _, is := configured[from]; !is && taken[to] != "" {
			delete(all, from)
		}
	}
	return all, nil
}

// of returns the name under which an output is stored, or "" if it has none.
func (n names) of(output string) string {
	if name, ok := n[output]; ok {
		return name
	}
	name := Normalise(output)
	if to, ok := n[name]; ok {
		return to
	}
	if utf8.RuneCountInString(name) > maxName {
		return ""
	}
	return name
}

// Normalise returns the name of an output as the store keeps it and as filters find
// it: lower-case, with _ in place of all but letters, digits, _ and -.
func Normalise(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError:
			return '_'
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.Is(unicode.M, r), r == '_', r == '-':
			return unicode.ToLower(r)
		}
		return '_'
	}, strings.TrimSpace(name))
}
