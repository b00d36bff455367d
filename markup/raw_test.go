package markup

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	nethtml "golang.org/x/net/html"
)

func TestRaw(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"plain <b>\n**x**", "plain &lt;b&gt;\n**x**"},
		{"a\u202eb", `a<span class="ctl" title="U+202E right-to-left override">RLO</span>b`},
		{"a\u200bb", `a<span class="ctl" title="U+200B zero width space">ZWSP</span>b`},
		{"\x00\x1b", `<span class="ctl" title="U+0000 control character">␀</span>` +
			`<span class="ctl" title="U+001B control character">␛</span>`},
		{"a\tb", "a<span class=\"ctl\" title=\"U+0009 tabulator\">TAB</span>\tb"},
		{"\xff", `<span class="ctl" title="a byte that is no UTF-8">xFF</span>`},
		{"\U000E003C", `<span class="ctl" title="U+E003C tag character">TAG &lt;</span>`},
		{"é 漢 ا 😀", "é 漢 ا 😀"},
	} {
		if got := string(Raw(test.in)); got != test.want {
			t.Errorf("Raw(%q)\n got %s\nwant %s", test.in, got, test.want)
		}
	}
}

// checkRaw fails the test if the HTML holds anything but the marks of Raw, or
// an invisible character.
func checkRaw(t *testing.T, source, rendered string) {
	t.Helper()
	if !utf8.ValidString(rendered) {
		t.Fatalf("Raw(%q) is no UTF-8", source)
	}
	for _, r := range rendered {
		if r != '\n' && r != '\t' && unicode.In(r, unicode.Cc, unicode.Bidi_Control, unicode.Join_Control,
			unicode.Variation_Selector) {
			t.Fatalf("Raw(%q) holds %U", source, r)
		}
	}
	tokens := nethtml.NewTokenizer(strings.NewReader(rendered))
	for {
		switch kind := tokens.Next(); kind {
		case nethtml.ErrorToken:
			return
		case nethtml.TextToken:
		case nethtml.StartTagToken, nethtml.EndTagToken:
			token := tokens.Token()
			if token.Data != "span" || kind == nethtml.StartTagToken && (len(token.Attr) != 2 || token.Attr[0].Val != "ctl") {
				t.Fatalf("Raw(%q) holds %s", source, token)
			}
		default:
			t.Fatalf("Raw(%q) holds a %s", source, kind)
		}
	}
}

func TestExcerpt(t *testing.T) {
	for _, test := range []struct {
		in   string
		n    int
		want string
	}{
		{"  one\n\n two\tthree ", 40, "one two three"},
		{"one two", 7, "one two"},
		{"one two", 4, "one…"},
		{"one two", 5, "one t…"},
		{"漢字漢字", 2, "漢字…"},
		{"a\u202eb\u2066c", 9, "abc"},
		{"", 9, ""},
		{"## What you need\n\n- a pan\n  * oil\n> hot", 40, "What you need a pan oil hot"},
		{"#tag, 2 - 1 = 1 and -5", 40, "#tag, 2 - 1 = 1 and -5"},
		{"> - #### deep\n####### seven\n-\n- ", 40, "deep ####### seven -"},
		{strings.Repeat(" ", 1000) + "late", 4, "late"},
	} {
		if got := Excerpt(test.in, test.n); got != test.want {
			t.Errorf("Excerpt(%q, %d) = %q, want %q", test.in, test.n, got, test.want)
		}
	}
}
