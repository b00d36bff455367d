package policy

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Refusal is the error text of a rule that forbids an act and that no policy can
// lift.
type Refusal string

func (r Refusal) Error() string { return string(r) }

const refusalSelf = "Nobody may act on themselves. Ask another member of staff."

// MayActOn checks the rank rules for an act on a user: not on oneself, and only
// on lower ranks, except among admins. It returns a Refusal or nil.
func (p *Policy) MayActOn(actorRole, targetRole string, self bool) error {
	actor, known := p.Role(actorRole)
	target, _ := p.Role(targetRole)
	switch {
	case self:
		return Refusal(refusalSelf)
	case known && target.Rank < actor.Rank, known && actorRole == Admin && targetRole == Admin:
		return nil
	}
	return Refusal(fmt.Sprintf("%s may not act on %s: their rank is not below yours. Ask an admin.",
		capital(p.withArticle(actorRole)), p.withArticle(targetRole)))
}

// MayGrant checks that an actor may give somebody a role and limit of languages:
// nobody grants a permission, a language or a rank that they do not have. It
// returns a Refusal or nil.
func (p *Policy) MayGrant(actor, granted Subject) error {
	role, known := p.Role(granted.Role)
	refuse := func(format string, args ...any) error {
		return Refusal(fmt.Sprintf("%s may not make anybody %s: ", capital(p.withArticle(actor.Role)),
			p.withArticle(granted.Role)) + fmt.Sprintf(format, args...))
	}
	if !known {
		return refuse("there is no such role.")
	}
	for _, info := range All {
		if !p.Allows(granted.Role, info.Permission) {
			continue
		}
		if !p.Allows(actor.Role, info.Permission) {
			return refuse("that role may %s, and yours may not.", info.Does)
		}
		own, given := p.Languages(actor), p.Languages(granted)
		if !info.Permission.HasLanguage() || own == nil {
			continue
		}
		if given == nil {
			return refuse("they could %s in all languages, and you only in %s.", info.Does, languageNames(own))
		}
		if more := without(given, own); len(more) > 0 {
			return refuse("they could %s in %s, and you may not.", info.Does, languageNames(more))
		}
	}
	if r, _ := p.Role(actor.Role); role.Rank > r.Rank {
		return refuse("that rank is above yours.")
	}
	return nil
}

// withArticle returns a role's title with "a" or "an". The role of contributors
// ships with the title "general", which is no word for a person.
func (p *Policy) withArticle(role string) string {
	title := p.Title(role)
	if role == General && title == General {
		title = "contributor"
	}
	return article(title) + " " + title
}

var (
	// soundsOpen matches words that begin with a vowel's sound: an editor, an hour.
	soundsOpen = regexp.MustCompile(`(?i)^([aeio]|hour|heir|hono|honest|u[^-_ ])`)
	// soundsClosed matches those that begin with a vowel and another sound: a user.
	soundsClosed = regexp.MustCompile(`(?i)^(eu|one\b|uni([^nm]|\b)|us[aeiu]|ut[eio]|ukr|uru|uy)`)
	// spelled matches abbreviations that are read by their letters: an LLM, a UK.
	spelled = regexp.MustCompile(`^[A-Z]{2,4}\b`)
)

// article returns "a" or "an", as a word is read.
func article(word string) string {
	an := soundsOpen.MatchString(word) && !soundsClosed.MatchString(word)
	if spelled.MatchString(word) {
		an = strings.ContainsRune("AEFHILMNORSX", rune(word[0]))
	}
	if an {
		return "an"
	}
	return "a"
}

func capital(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}
