package markup

import (
	"fmt"
	"html"
	"html/template"
	"strings"
	"unicode"
	"unicode/utf8"
)

// named holds the characters that are invisible, or look like another one, and
// that have a short name which readers know.
var named = map[rune][2]string{
	'\t':     {"TAB", "tabulator"},
	0x7F:     {"DEL", "delete"},
	0x85:     {"NEL", "next line"},
	0xA0:     {"NBSP", "no-break space"},
	0xAD:     {"SHY", "soft hyphen"},
	0x034F:   {"CGJ", "combining grapheme joiner"},
	0x061C:   {"ALM", "Arabic letter mark"},
	0x115F:   {"HCF", "Hangul choseong filler"},
	0x1160:   {"HJF", "Hangul jungseong filler"},
	0x17B4:   {"KIVAQ", "Khmer vowel inherent aq"},
	0x17B5:   {"KIVAA", "Khmer vowel inherent aa"},
	0x180E:   {"MVS", "Mongolian vowel separator"},
	0x200B:   {"ZWSP", "zero width space"},
	0x200C:   {"ZWNJ", "zero width non-joiner"},
	0x200D:   {"ZWJ", "zero width joiner"},
	0x200E:   {"LRM", "left-to-right mark"},
	0x200F:   {"RLM", "right-to-left mark"},
	0x2028:   {"LS", "line separator"},
	0x2029:   {"PS", "paragraph separator"},
	0x202A:   {"LRE", "left-to-right embedding"},
	0x202B:   {"RLE", "right-to-left embedding"},
	0x202C:   {"PDF", "pop directional formatting"},
	0x202D:   {"LRO", "left-to-right override"},
	0x202E:   {"RLO", "right-to-left override"},
	0x202F:   {"NNBSP", "narrow no-break space"},
	0x2060:   {"WJ", "word joiner"},
	0x2066:   {"LRI", "left-to-right isolate"},
	0x2067:   {"RLI", "right-to-left isolate"},
	0x2068:   {"FSI", "first strong isolate"},
	0x2069:   {"PDI", "pop directional isolate"},
	0x2800:   {"BRBLANK", "blank braille pattern"},
	0x3000:   {"IDSP", "ideographic space"},
	0x3164:   {"HF", "Hangul filler"},
	0xFEFF:   {"BOM", "zero width no-break space"},
	0xFFA0:   {"HWHF", "halfwidth Hangul filler"},
	0xFFFD:   {"FFFD", "replacement character"},
	'\u000D': {"CR", "carriage return"},
}

// Raw renders a text as it is: without Markdown, and with a name in place of
// every control, zero-width and direction character, so that no character can
// hide or reorder text. It keeps line breaks and runs of spaces. The element
// around the text needs white-space: pre-wrap.
func Raw(text string) template.HTML {
	var out strings.Builder
	start := 0
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		label, name := invisible(r, size, text[i])
		if label != "" {
			out.WriteString(html.EscapeString(text[start:i]))
			fmt.Fprintf(&out, `<span class="ctl" title="%s">%s</span>`, name, label)
			if r == '\t' {
				out.WriteByte('\t')
			}
			start = i + size
		}
		i += size
	}
	out.WriteString(html.EscapeString(text[start:]))
	return template.HTML(out.String())
}

// Invisible reports whether a character is invisible, or only moves others.
func Invisible(r rune) bool {
	label, _ := invisible(r, utf8.RuneLen(r), 0)
	return label != "" && r != utf8.RuneError
}

// invisible returns the name of an invisible character. The label is empty for
// all others. first is the character's first byte, for bytes that are not
// UTF-8.
func invisible(r rune, size int, first byte) (label, name string) {
	if r == utf8.RuneError && size == 1 {
		return fmt.Sprintf("x%02X", first), "a byte that is no UTF-8"
	}
	if r == '\n' || r >= 0x20 && r < 0x7F {
		return "", ""
	}
	code := fmt.Sprintf("U+%04X", r)
	if n, ok := named[r]; ok {
		return n[0], code + " " + n[1]
	}
	switch {
	case r < 0x20:
		return string(rune(0x2400 + r)), code + " control character"
	case unicode.Is(unicode.Cc, r):
		return code, code + " control character"
	case r >= 0xE0020 && r < 0xE007F:
		return "TAG " + html.EscapeString(string(r-0xE0000)), code + " tag character"
	case unicode.Is(unicode.Variation_Selector, r):
		return "VS", code + " variation selector"
	case unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return "", "" // of category Cf, but visible
	case unicode.Is(unicode.Cf, r):
		return code, code + " format character"
	case unicode.Is(unicode.Zs, r):
		return code, code + " space"
	case unicode.Is(unicode.Co, r), unicode.Is(unicode.Noncharacter_Code_Point, r):
		return code, code + " private or unassigned character"
	}
	return "", ""
}

// Excerpt returns the beginning of a text on one line, of at most n characters,
// for tables and lists. It is a plain string; the template escapes it. It has
// no direction characters, so that the cut cannot leave one open, and no marks of
// headings, quotes and lists.
func Excerpt(text string, n int) string {
	var out strings.Builder
	length, space := 0, false
	atStart, skip := true, 0 // of a line; the bytes up to skip are a mark
	for i, r := range text {
		if i < skip {
			continue
		}
		if atStart && !unicode.IsSpace(r) {
			if mark := blockMark(text[i:]); mark > 0 {
				skip = i + mark
				continue
			}
			atStart = false
		}
		atStart = atStart || r == '\n'
		switch {
		case unicode.IsSpace(r) || unicode.Is(unicode.Cc, r):
			space = length > 0
			continue
		case unicode.Is(unicode.Bidi_Control, r):
			continue
		}
		if space {
			out.WriteByte(' ')
			length, space = length+1, false
		}
		if length >= n {
			return strings.TrimRight(out.String(), " ") + "…"
		}
		out.WriteRune(r)
		length++
	}
	return out.String()
}

// blockMark returns the length of the mark of a heading, a quote or a list at the start
// of a line, or 0.
func blockMark(line string) int {
	n := len(line) - len(strings.TrimLeft(line, "#"))
	if n == 0 && line != "" && strings.IndexByte(">-*+", line[0]) >= 0 {
		n = 1
	}
	if n > 6 || n >= len(line) || line[n] != ' ' && line[n] != '\t' {
		return 0
	}
	return n
}
