package db

import (
	"fmt"
	"strings"
)

// WithinLanguages adds the condition that an expression is one of some languages or a
// variety of one: "pt" is for "pt" and "pt-BR". Nil adds none.
func (q *Query) WithinLanguages(expression string, languages []string) {
	if languages != nil {
		q.Where(q.IsWithin(expression, languages))
	}
}

// IsWithin returns the condition of WithinLanguages.
func (q *Query) IsWithin(expression string, languages []string) string {
	lower := make([]string, len(languages))
	for i, language := range languages {
		lower[i] = strings.ToLower(language)
	}
	return fmt.Sprintf(`EXISTS (SELECT FROM unnest(%[2]s::text[]) AS within(lang)
		WHERE lower(%[1]s) = within.lang OR starts_with(lower(%[1]s), within.lang || '-'))`, expression, q.Arg(lower))
}

// MainLanguageSQL is the language of most messages of user u.
const MainLanguageSQL = `(SELECT w.lang FROM user_languages w WHERE w.user_id = u.user_id AND w.messages > 0
	ORDER BY w.messages DESC, w.lang LIMIT 1)`
