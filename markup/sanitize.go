package markup

import (
	"bytes"
	"html"
	"regexp"
	"unicode"
	"unicode/utf8"

	"github.com/microcosm-cc/bluemonday"
	nethtml "golang.org/x/net/html"
)

// sanitizer allows exactly the HTML that the renderer writes. The renderer
// escapes all text by itself; the sanitizer is a second check in case a release
// of the renderer has an error.
var sanitizer = newSanitizer()

func newSanitizer() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "hr", "em", "strong", "del", "blockquote", "pre", "code", "bdi",
		"ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td")
	p.AllowAttrs("class").Matching(regexp.MustCompile(`^text-h[1-6]$`)).OnElements("p")
	p.AllowAttrs("class").Matching(regexp.MustCompile(`^text-(target|image|language)$`)).OnElements("span")
	p.AllowAttrs("class").Matching(regexp.MustCompile(`^text-table$`)).OnElements("div")
	p.AllowAttrs("role").Matching(regexp.MustCompile(`^group$`)).OnElements("div")
	p.AllowAttrs("aria-label").Matching(regexp.MustCompile(`^Table$`)).OnElements("div")
	p.AllowAttrs("tabindex").Matching(regexp.MustCompile(`^0$`)).OnElements("div")
	p.AllowAttrs("start").Matching(regexp.MustCompile(`^[0-9]{1,9}$`)).OnElements("ol")
	p.AllowAttrs("align").Matching(regexp.MustCompile(`^(left|right|center)$`)).OnElements("th", "td")
	p.AllowAttrs("target").Matching(regexp.MustCompile(`^_blank$`)).OnElements("a")
	// The policy requires no rel: bluemonday would then write its own. The
	// renderer writes rel on every link, and noreferrer implies noopener.
	p.AllowAttrs("rel").Matching(regexp.MustCompile(`^noreferrer nofollow$`)).OnElements("a")
	p.AllowAttrs("href").OnElements("a")
	p.AllowURLSchemes("http", "https")
	p.RequireParseableURLs(true)
	return p
}

// showsAll reports whether every letter of a Markdown source is among the
// letters of its HTML, in the same order.
func showsAll(source string, rendered []byte) bool {
	want := []byte(html.UnescapeString(source))
	tokens := nethtml.NewTokenizer(bytes.NewReader(rendered))
	for want = nextLetter(want); len(want) > 0; {
		switch tokens.Next() {
		case nethtml.ErrorToken:
			return false
		case nethtml.TextToken:
			want = consume(want, tokens.Text())
		}
	}
	return true
}

// consume removes from want the letters of shown, one at a time.
func consume(want, shown []byte) []byte {
	for shown = nextLetter(shown); len(shown) > 0 && len(want) > 0; {
		a, sizeA := utf8.DecodeRune(want)
		b, sizeB := utf8.DecodeRune(shown)
		if a == b {
			want = nextLetter(want[sizeA:])
		}
		shown = nextLetter(shown[sizeB:])
	}
	return want
}

// nextLetter removes the characters before the first letter.
func nextLetter(s []byte) []byte {
	for len(s) > 0 {
		r, size := utf8.DecodeRune(s)
		if unicode.IsLetter(r) {
			return s
		}
		s = s[size:]
	}
	return s
}
