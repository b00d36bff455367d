package admin

import (
	"net/url"

	"github.com/gofiber/fiber/v2"

	"treewarden/store"
)

// The values of a parameter lang that are not the code of a language.
const (
	ownLanguages = "own" // the languages that the person may act on
	allLanguages = "all"
)

// defaultLanguage returns the value of a parameter lang. A page that is not asked
// for a language shows what the person may act on, if that is limited.
func defaultLanguage(c *fiber.Ctx, lang string) string {
	if lang == "" && !isAPI(c) && current(c).Person.ActsOn() != nil {
		return ownLanguages
	}
	return lang
}

// languageFilter returns the language, or the languages, that a parameter lang
// selects. Both are empty for all.
func languageFilter(actor store.Actor, lang string) (one string, within []string) {
	switch lang {
	case ownLanguages:
		return "", actor.ActsOn()
	case allLanguages:
		return "", nil
	}
	return lang, nil
}

// Limited describes a page that shows only what its person may act on, or could. It
// is nil for a person without such a limit.
type Limited struct {
	Languages []string // those of the limit
	Own       bool     // the page shows these only
	Switch    string   // the address of the same page for all languages, or for these
}

// languages returns the languages to filter a page by that shows what its person may
// act on.
func (f *Layout) languages(languages []string, chosen string) []Choice {
	if f.Person.ActsOn() == nil {
		if chosen == ownLanguages || chosen == allLanguages {
			chosen = ""
		}
		return languageChoices(languages, chosen)
	}
	all := languageChoices(languages, "")[1:]
	for i := range all {
		all[i].Chosen = all[i].Value == chosen
	}
	return append([]Choice{{"", "My languages", chosen == ownLanguages},
		{allLanguages, "All languages", chosen == allLanguages}}, all...)
}

// limited makes a page's links carry the language, and returns its limit.
func (f *Layout) limited(lang string) *Limited {
	own := f.Person.ActsOn()
	if own == nil || lang != ownLanguages && lang != allLanguages {
		return nil
	}
	query := url.Values{}
	for name, values := range f.Query {
		query[name] = values
	}
	query.Set("lang", lang)
	f.Query = query
	other := allLanguages
	if lang == allLanguages {
		other = ""
	}
	return &Limited{own, lang == ownLanguages, mustQuery(query, "lang", other, "cursor", "", "open", "")}
}
