package markup

import (
	"strings"
	"testing"
)

func TestMarked(t *testing.T) {
	for _, c := range []struct {
		text  string
		spans []Span
		want  string
	}{
		{"a <b> c", nil, "a &lt;b&gt; c"},
		{"a <b> c", []Span{{2, 5}}, "a <mark>&lt;b&gt;</mark> c"},
		{"abcdef", []Span{{4, 6}, {0, 2}, {1, 3}}, "<mark>abc</mark>d<mark>ef</mark>"},
		{"äöü", []Span{{1, 3}}, "<mark>äö</mark>ü"}, // never within a character
		{"abc", []Span{{-1, 2}, {2, 9}, {1, 1}, {2, 1}}, "abc"},
		{"a\u202eb", []Span{{0, 4}},
			`<mark>a<span class="ctl" title="U+202E right-to-left override">RLO</span></mark>b`},
	} {
		if got := string(Marked(c.text, c.spans)); got != c.want {
			t.Errorf("%q %v: %s, want %s", c.text, c.spans, got, c.want)
		}
	}
}

func TestAround(t *testing.T) {
	text := strings.Repeat("a", 100) + "WORD" + strings.Repeat("ä", 100)
	part, cut := Around(text, []Span{{100, 104}}, 40)
	if want := "… aaaaaaaaaa<mark>WORD</mark>" + strings.Repeat("ä", 13) + " …"; !cut || string(part) != want {
		t.Errorf("%s, want %s", part, want)
	}
	if part, cut := Around(text, nil, 20); !cut || string(part) != strings.Repeat("a", 20)+" …" {
		t.Errorf("without a span: %s", part)
	}
	if part, cut := Around(text, []Span{{302, 304}}, 10); !cut || string(part) != "… ääää<mark>ä</mark>" {
		t.Errorf("at the end: %s", part)
	}
	if part, cut := Around("short", []Span{{0, 5}}, 40); cut || part != "<mark>short</mark>" {
		t.Errorf("a short text: %s, %t", part, cut)
	}
}

func FuzzMarked(f *testing.F) {
	f.Add("a\xff<b>", 1, 2, 3)
	f.Fuzz(func(t *testing.T, text string, start, end, n int) {
		Around(text, []Span{{start, end}, {end, start}, {0, end}}, max(1, n%100))
	})
}
