package admin

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/dustin/go-humanize"
	"github.com/google/uuid"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"treewarden/corpus"
	"treewarden/markup"
	"treewarden/policy"
	"treewarden/store"
)

// functions lists the functions of the templates.
func (s *Server) functions() map[string]any {
	return map[string]any{
		"ago":      ago,          // 3 minutes ago
		"counted":  counted,      // {{counted .N "message"}}: 3 messages
		"browser":  browser,      // Firefox on Linux
		"capital":  capital,      // Open
		"minute":   minute,       // 2026-11-30T12:00, for a field of date and time
		"day":      day,          // 2026-11-30, for a date field
		"asset":    s.assetPath,  // the address of a static file
		"icon":     icon,         // a small drawing
		"initials": initials,     // AB
		"json":     indentedJSON, // raw JSON for people
		"langcode": langCode,     // pt-BR
		"langname": langName,     // Brazilian Portuguese
		"may":      may,          // {{if may .Person "user.ban"}}
		"moment":   momentOf,     // the argument of partials/time
		"name":     named,        // a user's name, or a stand-in for an invisible one
		"number":   number,       // 1,234.5
		"percent":  percent,      // 12 %
		"plain":    undirected,   // contributor text, in the order in which it was written
		"query":    changeQuery,  // {{query .Query "sort" "rate"}}: the same page, changed
		"role":     s.roleTitle,  // data lead
		"sentence": s.sentence,   // Banned Jane
		"markdown": markup.HTML,  // contributor text
		"raw":      markup.Raw,   // contributor text as it was written
		"target":   targetPath,   // the page of an action's target
		"touched":  touchedWords, // 53 messages, 7 by others; 2 trees
		"weight":   weight,       // 0.125
	}
}

// moment is a time as a page shows it.
type moment struct {
	Known   bool
	Machine string // for <time datetime>
	Exact   string // in UTC
	Ago     string
}

// momentOf takes a time.Time or a *time.Time. The zero time and nil are unknown
// times.
func momentOf(at any) moment {
	var t time.Time
	switch at := at.(type) {
	case time.Time:
		t = at
	case *time.Time:
		if at != nil {
			t = *at
		}
	}
	if t.IsZero() {
		return moment{}
	}
	t = t.UTC()
	return moment{true, t.Format(time.RFC3339), t.Format("2 Jan 2006, 15:04:05") + " UTC", ago(t)}
}

// ago writes a time as a distance from now. A time more than a month away is
// written as a date, because "5 months ago" is too vague.
func ago(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	since := time.Since(t)
	switch {
	case since.Abs() < 45*time.Second:
		return "just now"
	case since < 0 && since > -30*24*time.Hour:
		return "in " + strings.TrimSpace(humanize.RelTime(t, time.Now(), "", ""))
	case since > 0 && since < 30*24*time.Hour:
		return humanize.RelTime(t, time.Now(), "ago", "")
	}
	return t.UTC().Format("2 Jan 2006")
}

// minute writes a time in UTC as the value of a field of date and time.
func minute(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04")
}

// day writes the value of a date field.
func day(at *time.Time) string {
	if at == nil {
		return ""
	}
	return at.UTC().Format(time.DateOnly)
}

// browser returns a short form of a User-Agent header, enough for people to
// recognize their own sessions.
func browser(agent string) string {
	find := func(pairs ...string) string {
		for i := 0; i < len(pairs); i += 2 {
			if strings.Contains(agent, pairs[i]) {
				return pairs[i+1]
			}
		}
		return ""
	}
	name := find("Edg/", "Edge", "OPR/", "Opera", "Firefox/", "Firefox", "HeadlessChrome", "Headless Chrome", "Chrome/",
		"Chrome", "Safari/", "Safari", "curl/", "curl")
	system := find("Android", "Android", "iPhone", "iPhone", "iPad", "iPad", "Windows",
		"Windows", "Mac OS", "macOS", "Linux", "Linux")
	switch {
	case name == "" && agent == "":
		return "Unknown browser"
	case name == "":
		return excerpt(agent, 60)
	case system == "":
		return name
	}
	return name + " on " + system
}

// number writes a figure with thousands separated and at most two decimals.
func number(n any) string {
	switch n := n.(type) {
	case int:
		return humanize.Comma(int64(n))
	case int64:
		return humanize.Comma(n)
	case *int:
		if n != nil {
			return humanize.Comma(int64(*n))
		}
	case float64:
		return decimal(n)
	case *float64:
		if n != nil {
			return decimal(*n)
		}
	}
	return "–"
}

// weight writes a figure that a person chose, to its last digit.
func weight(n float64) string {
	form := byte('f')
	if n != 0 && math.Abs(n) < 1e-6 {
		form = 'g' // 1e−300, not three hundred zeros
	}
	return strings.ReplaceAll(strconv.FormatFloat(n, form, -1, 64), "-", "−")
}

func decimal(n float64) string {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return "–"
	}
	rounded := math.Round(n*100) / 100
	if rounded == 0 {
		return "0" // not -0
	}
	return strings.Replace(humanize.Commaf(rounded), "-", "−", 1)
}

// fixed writes a figure with a number of decimals. Its minus is a minus sign, as in
// all figures of pages.
func fixed(n float64, digits int) string {
	text := strconv.FormatFloat(math.Abs(n), 'f', digits, 64)
	if n < 0 && strings.Trim(text, "0.") != "" {
		return "−" + text
	}
	return text
}

// signed is like fixed, with a plus before a figure above 0.
func signed(n float64, digits int) string {
	text := fixed(n, digits)
	if n > 0 && strings.Trim(text, "0.") != "" {
		return "+" + text
	}
	return text
}

// counted writes a number of things. All nouns here take an s.
func counted(n any, noun string) string {
	text := number(n)
	if text != "1" {
		noun += "s"
	}
	return text + " " + noun
}

// percent writes a share of 1 in whole percent. It writes an unknown share as a
// dash, never as 0 %.
func percent(share any) string {
	var value float64
	switch s := share.(type) {
	case float64:
		value = s
	case *float64:
		if s == nil {
			return "–"
		}
		value = *s
	default:
		return "–"
	}
	return fixed(math.Round(value*100), 0) + " %"
}

// initials returns the first letters of a name's first and last word.
func initials(name string) string {
	var letters []rune
	for _, word := range strings.FieldsFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) &&
			!unicode.IsNumber(r)
	}) {
		if !canBeSeen(word) {
			continue
		}
		first := unicode.ToUpper([]rune(word)[0])
		if len(letters) == 2 {
			letters = letters[:1]
		}
		letters = append(letters, first)
	}
	if len(letters) == 0 {
		return "?"
	}
	return string(letters)
}

// named returns a display name as pages show it. It removes characters that
// change the direction, because "\u202enimda" would be shown as admin. It
// replaces an invisible name by the beginning of the id of who bears it, because a
// link needs a visible text. It cuts a name that no list could show.
func named(name string, who ...any) string {
	if name = undirected(name); canBeSeen(name) {
		if corpus.TooLongFor(name, longestName) {
			return string([]rune(name)[:longestName-1]) + "…"
		}
		return name
	}
	for _, id := range who {
		switch id := id.(type) {
		case uuid.UUID:
			return id.String()[:8]
		case *uuid.UUID:
			if id != nil {
				return id.String()[:8]
			}
		}
	}
	return nameless
}

// longestName is the longest part of a name that pages show, in characters.
const longestName = corpus.MaxDisplayName

// undirected returns a text without the characters that change its direction.
func undirected(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, text)
}

var english = display.English.Languages()

// langName returns the name of a language. It returns an unknown code as it is.
func langName(code any) string {
	var text string
	switch c := code.(type) {
	case string:
		text = c
	case *string:
		if c != nil {
			text = *c
		}
	}
	if text == "" {
		return "unknown"
	}
	if tag, err := language.Parse(text); err == nil {
		if name := english.Name(tag); name != "" && !strings.Contains(name, "Unknown") {
			return name
		}
	}
	return excerpt(text, 20)
}

// langCode returns a language's code for a narrow place. The code came from a
// file and can be any text.
func langCode(code string) string { return excerpt(code, 8) }

// may reports whether a person has a permission.
func may(person store.Person, permission policy.Permission) bool { return person.May(permission) }

// changeQuery writes the query of the page with some parameters changed, passed as
// names and values. An empty value removes a parameter. Any change but its own
// removes the cursor, and every change removes the notice.
func changeQuery(values url.Values, changes ...string) (string, error) {
	if len(changes)%2 != 0 {
		return "", fmt.Errorf("query: a name without a value in %q", changes)
	}
	changed := url.Values{}
	for name, all := range values {
		switch name {
		case "done", "notice", "format", "cursor":
		default:
			changed[name] = all
		}
	}
	for i := 0; i < len(changes); i += 2 {
		if changes[i+1] == "" {
			changed.Del(changes[i])
			continue
		}
		changed.Set(changes[i], changes[i+1])
	}
	return "?" + changed.Encode(), nil
}

// indentedJSON writes a value as indented JSON.
func indentedJSON(v any) (string, error) {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false) // the template escapes it
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return "", fmt.Errorf("show as JSON: %w", err)
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

// capital returns a text with a capital first letter.
func capital(text string) string {
	for i, r := range text {
		return string(unicode.ToUpper(r)) + text[i+len(string(r)):]
	}
	return text
}

// fullStop ends a sentence that has no end yet.
func fullStop(text string) string {
	if text == "" || strings.ContainsAny(text[len(text)-1:], ".?!") {
		return text
	}
	return text + "."
}

// printable reports whether a text is plain, visible ASCII.
func printable(text string) bool {
	for _, r := range text {
		if r <= ' ' || r > '~' {
			return false
		}
	}
	return true
}

func escapeQuery(text string) string { return url.QueryEscape(text) }
