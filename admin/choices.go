package admin

import (
	"net/url"
	"strconv"
	"time"
)

// choices returns options from pairs of value and title.
func choices(chosen string, pairs ...string) []Choice {
	var all []Choice
	for i := 0; i+1 < len(pairs); i += 2 {
		all = append(all, Choice{pairs[i], pairs[i+1], pairs[i] == chosen})
	}
	return all
}

// languageChoices returns the languages to filter by. The chosen language is
// among them even if no message is written in it.
func languageChoices(languages []string, chosen string) []Choice {
	all := []Choice{{"", "All languages", chosen == ""}}
	found := chosen == ""
	for _, code := range languages {
		if code == "" {
			continue // not a filter: it would match all
		}
		all = append(all, Choice{code, langName(code) + " (" + langCode(code) + ")", code == chosen})
		found = found || code == chosen
	}
	if !found {
		all = append(all, Choice{chosen, langCode(chosen), true})
	}
	return all
}

// carried returns the parameters of a query that a form with other fields sends
// along.
func carried(values url.Values, names ...string) []Choice {
	var all []Choice
	for _, name := range names {
		if value := values.Get(name); value != "" {
			all = append(all, Choice{Value: value, Text: name})
		}
	}
	return all
}

// column is the head of a column. Link sorts by the column. Sort is the value
// of aria-sort, empty if the list is sorted by another column.
type column struct{ Title, Hint, Link, Class, Sort string }

// mustQuery is changeQuery for arguments that are known to be pairs.
func mustQuery(values url.Values, changes ...string) string {
	text, err := changeQuery(values, changes...)
	if err != nil {
		panic(err)
	}
	return text
}

// figure writes a number for programs, and "" for an unknown one.
func figure(n *float64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatFloat(*n, 'g', -1, 64)
}

func orEmpty(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

func rfc3339(at *time.Time) string {
	if at == nil || at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339Nano)
}
