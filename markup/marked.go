package markup

import (
	"html/template"
	"slices"
	"strings"
	"unicode/utf8"
)

// Span is a part of a text, as byte offsets.
type Span struct{ Start, End int }

// Marked renders a text like Raw, with the spans marked. Spans may overlap, and
// may be in any order. Those outside the text are left out.
func Marked(text string, spans []Span) template.HTML {
	var out strings.Builder
	at := 0
	for _, s := range merge(text, spans) {
		out.WriteString(string(Raw(text[at:s.Start])))
		out.WriteString("<mark>" + string(Raw(text[s.Start:s.End])) + "</mark>")
		at = s.End
	}
	out.WriteString(string(Raw(text[at:])))
	return template.HTML(out.String())
}

// merge returns the spans of a text in order, those that touch as one, each from
// the beginning of a character to that of another.
func merge(text string, spans []Span) []Span {
	sorted := slices.Clone(spans)
	slices.SortFunc(sorted, func(a, b Span) int { return a.Start - b.Start })
	merged := sorted[:0]
	for _, s := range sorted {
		if s.Start < 0 || s.End > len(text) || s.Start >= s.End {
			continue
		}
		s = Span{runeStart(text, s.Start), runeEnd(text, s.End)}
		if last := len(merged) - 1; last >= 0 && s.Start <= merged[last].End {
			merged[last].End = max(merged[last].End, s.End)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// runeStart moves an offset back to the beginning of its character.
func runeStart(text string, i int) int {
	for i > 0 && i < len(text) && !utf8.RuneStart(text[i]) {
		i--
	}
	return i
}

// runeEnd moves an offset forward to the beginning of a character.
func runeEnd(text string, i int) int {
	for i < len(text) && !utf8.RuneStart(text[i]) {
		i++
	}
	return i
}

// Around renders the part of a text around its first span like Marked: about n
// bytes, of which a fourth stand before the span. It reports whether this is less
// than the whole text.
func Around(text string, spans []Span, n int) (part template.HTML, cut bool) {
	if len(text) <= n {
		return Marked(text, spans), false
	}
	first := 0
	if merged := merge(text, spans); len(merged) > 0 {
		first = merged[0].Start
	}
	from := runeStart(text, max(0, min(first-n/4, len(text)-n)))
	to := runeEnd(text, min(len(text), from+n))
	var within []Span
	for _, s := range spans {
		if s = (Span{max(s.Start, from) - from, min(s.End, to) - from}); s.Start < s.End {
			within = append(within, s)
		}
	}
	part = Marked(text[from:to], within)
	if from > 0 {
		part = "… " + part
	}
	if to < len(text) {
		part += " …"
	}
	return part, true
}
