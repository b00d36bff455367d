package search

import (
	"math"
	"strings"
	"testing"
)

// TestScoreOrders compares the scores of two texts, the better one first.
func TestScoreOrders(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(" other", 200)
	for _, tt := range []struct{ name, line, better, worse string }{
		{"more places", "watch", "a watch, a watch", "a watch, a clock"},
		{"a short text", "watch", "a cheap watch", "a cheap watch" + long},
		{"both alternatives", "watch OR clock", "a watch, a clock", "a watch, a thing"},
		{"both rather than one twice", "watch OR clock", "a watch, a clock", "a watch, a watch"},
		{"one alternative twice", "watch OR clock", "a watch, a watch", "a watch, a thing"},
		{"a second word twice", "buy watch", "buy a watch watch", "buy a watch now"},
		{"a phrase twice", `"buy now"`, "buy now, buy now", "buy now, now buy"},
		{"an expression twice", "/w.tch/", "watch witch", "watch which"},
		{"whole words", "watch", "watch watch", "watch watches"},
		{"what must not be there does not count", "watch -clock", "watch watch clock", "watch which clock"},
		{"case and form", "café", "CAFE\u0301 café", "CAFE\u0301 cafe"},
		{"Arabic vowel signs", "محمد", "مُحَمَّدٌ محمد", "مُحَمَّدٌ أحمد"},
		{"Hebrew vowel signs", "שָׁלוֹם", "שלום שָׁלוֹם", "שלום שלם"},
		{"Chinese", "苹果", "苹果和苹果", "苹果和香蕉"},
		{"a short Chinese text", "苹果", "我吃苹果", "我吃苹果" + strings.Repeat("和香蕉", 60)},
		{"Thai", "ข้าว", "ข้าวข้าว", "ข้าวผัด"},
		{"Korean", "한국", "한국 한국어", "한국 일본어"},
		{"emoji", "👍", "👍👍", "👍👎"},
		{"Turkish", "ışık", "IŞIK ışık", "IŞIK isim"},
	} {
		q := parsed(t, tt.line)
		if better, worse := q.Score(tt.better), q.Score(tt.worse); better <= worse {
			t.Errorf("%s: %s in %q has %v, in %q %v", tt.name, tt.line, tt.better, better, tt.worse, worse)
		}
	}
}

// TestScoreIsBM25 compares scores with the formula, and checks what does not count.
func TestScoreIsBM25(t *testing.T) {
	t.Parallel()
	weight := func(n, length float64) float64 { return n / (n + 1.2*(0.25+0.75*length/100)) }
	hundred := "watch" + strings.Repeat(" x", 99)
	for _, tt := range []struct {
		line, text string
		want       float64
	}{
		{"watch", hundred, 1 / 2.2},
		{"watch", "watch", weight(1, 1)},
		{"watch", "a watch and a watch", weight(2, 5)},
		{`"a watch"`, "a watch and a watch", weight(2, 5)},
		{"/a w/", "a watch and a watch", weight(2, 5)},
		{"watch and", "a watch and a watch", weight(2, 5) + weight(1, 5)},
		{"watch OR and", "a watch and a watch", 1 - (1-weight(2, 5))*(1-weight(1, 5))},
		{"watch -clock lang:de", "a watch", weight(1, 2)},
		{"watch OR -clock", "a watch clock", weight(1, 3)},
		{"watch", "a clock", 0},
		{"watch", "", 0},
		{"/x/", "", 0},
		{"/watch/", "...", 0},
		{"-watch", "a clock", 0},
		{"-watch", "", 0},
		{"lang:de", "a clock", 0},
		{"", "", 0},
		{"watch", "\xff\xfe", 0},
		{"watch", strings.Repeat("x ", MaxSearched/2) + "watch", 0}, // beyond what is searched
	} {
		if got := parsed(t, tt.line).Score(tt.text); math.IsNaN(got) || math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("%s in %.40q: %v, want %v", tt.line, tt.text, got, tt.want)
		}
	}
}

func TestRanks(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"": false, "lang:de": false, "-watch": false, `-"a watch" -/x/ lang:de`: false, "-a OR -b": false,
		"watch": true, `"a watch"`: true, "/x/": true, "-a OR b": true, "-a b": true,
	} {
		if got := parsed(t, line).Ranks(); got != want {
			t.Errorf("%s ranks: %v, want %v", line, got, want)
		}
	}
}

// FuzzScore checks that a score is from 0 to the number of groups, the same each time, and
// more than 0 for a text with a part that must be there.
func FuzzScore(f *testing.F) {
	for _, seed := range [][2]string{
		{"buy -now", "Buy it"}, {`"a a b"`, "a a a b"}, {"北京", "北。京北京"}, {`"北京" OR ไทย`, "ภาษาไทย"},
		{"a OR b OR c d", "a b c d"}, {"👍🏽 🇩🇪", "👍🏽🇩🇪🇩🇪"}, {"/a*/ b", "aab b\xff"}, {"مُحَمَّد", "محمد"}, {"x", ""},
		{"-x", "y"}, {"-x OR y", "y"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, line, text string) {
		q, err := Parse(line)
		if err != nil {
			return
		}
		score := q.Score(text)
		if !(score >= 0 && score <= float64(len(q.Groups))) {
			t.Fatalf("%q in %q has the score %v", q, text, score)
		}
		if again := q.Score(text); again != score {
			t.Fatalf("%q in %q has the score %v, then %v", q, text, score, again)
		}
		if spans, ok := q.Match(text); ok && len(spans) > 0 && score == 0 {
			t.Fatalf("%q matches %q at %v with the score 0", q, text, spans)
		}
	})
}
