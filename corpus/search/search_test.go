package search

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func parsed(t testing.TB, line string) Query {
	t.Helper()
	q, err := Parse(line)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return q
}

// holds reports whether terms have what a query needs.
func holds(needs [][][]int32, terms []int32) bool {
	for _, alternatives := range needs {
		if !slices.ContainsFunc(alternatives, func(all []int32) bool {
			return !slices.ContainsFunc(all, func(t int32) bool {
				_, found := slices.BinarySearch(terms, t)
				return !found
			})
		}) {
			return false
		}
	}
	return true
}

// hasPairs reports whether a text seems to have all pairs that a query needs.
func hasPairs(q Query, text string) bool {
	filter := Pairs(text, nil)
	return !slices.ContainsFunc(q.Pairs(), func(p Pair) bool {
		return slices.ContainsFunc(p[:], func(n uint32) bool {
			n %= uint32(8 * len(filter))
			return filter[n/8]&(1<<(n%8)) == 0
		})
	})
}

// checkMatch matches a text, and checks what holds of every match.
func checkMatch(t testing.TB, q Query, text string) (marked []string, ok bool) {
	t.Helper()
	spans, ok := q.Match(text)
	end := 0
	for _, s := range spans {
		if s.Start < end || s.End <= s.Start || s.End > len(text) {
			t.Fatalf("%q in %q: the spans %v", q, text, spans)
		}
		if utf8.ValidString(text) && (!utf8.RuneStart(text[s.Start]) || s.End < len(text) && !utf8.RuneStart(text[s.End])) {
			t.Fatalf("%q in %q: the span %v cuts a character", q, text, s)
		}
		end = s.End
		marked = append(marked, text[s.Start:s.End])
	}
	if ok && !holds(q.Needs(), Terms(text, nil)) {
		t.Fatalf("%q matches %q, which has not the terms it needs", q, text)
	}
	if ok && !hasPairs(q, text) {
		t.Fatalf("%q matches %q, which has not the pairs it needs", q, text)
	}
	return marked, ok
}

// checkFits compares Fits with Match for a text, alone and with others around it.
func checkFits(t testing.TB, q Query, text string) {
	t.Helper()
	rest := strings.Repeat(" ab", beginning)
	for _, long := range []string{text, text + rest, rest[:beginning] + text + rest, rest + text} {
		if _, ok := q.Match(long); q.Fits(long) != ok {
			t.Fatalf("%q matches %q: %v, which Fits denies", q, long, ok)
		}
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	const none = "\x00" // no match
	for _, tt := range []struct {
		line, text string
		marked     string // joined by |
	}{
		// English
		{"buy", "Buy now, BUY!", "Buy|BUY"},
		{"buy", "The buyer", none},
		{"buy now", "now or never: buy", "now|buy"},
		{`"buy now"`, "buy,\nNOW!", "buy,\nNOW"},
		{`"buy now"`, "buy it now", none},
		{"don't", "I don’t know", "don’t"},
		{"dont", "I don't", none},
		{"example", "see example.com or snake_example", "example|example"},
		{"example.com", "see Example.COM", "Example.COM"},
		{"-spam", "ham", ""},
		{"-spam", "spam", none},
		{"ham -spam", "ham", "ham"},
		{"ham OR eggs", "eggs", "eggs"},
		{"ham OR eggs milk", "milk and ham", "milk|ham"},
		{"ham OR eggs milk", "ham", none},
		{"a OR -b", "c", ""},
		{"a OR -b", "b", none},
		{`"-a"`, "a", "a"},
		{"/colou?r/", "Color COLOUR", "Color|COLOUR"},
		{"/(?-i)color/", "Color", none},
		{`-/https?:/`, "see https://x.y", none},
		{`/a\/b/`, "A/b", "A/b"},
		{"ab a", "ab a AB", "ab|a|AB"},
		{`"a b" "b c"`, "a b c", "a b c"},
		{"aa", "aa aaa", "aa"},
		{`"a a b"`, "a a a b", "a a b"},
		{"lang:de", "anything", ""},
		{"", "anything", ""},
		{"1,000", "1000", none},
		{"1,000", "1 000 and 1,000", "1 000|1,000"},
		{"zero", "ze\u200bro z\u00adero", "ze\u200bro|z\u00adero"},
		{"fine", "ﬁne ＦＩＮＥ", "ﬁne|ＦＩＮＥ"},
		// French, Spanish
		{"homme", "l’Homme", "Homme"},
		{"año", "ANO", none},
		{"año", "AN\u0303O", "AN\u0303O"},
		// German
		{"straße", "STRASSE Straße strasse", "STRASSE|Straße|strasse"},
		{"schon", "schön", none},
		// Turkish: the four letters i are one.
		{"ışık", "IŞIK ışık", "IŞIK|ışık"},
		{"istanbul", "İstanbul ISTANBUL i\u0307stanbul", "İstanbul|ISTANBUL|i\u0307stanbul"},
		{"İSTANBUL", "istanbul", "istanbul"},
		// Greek: capitals have no accents.
		{"οδός", "ΟΔΟΣ", "ΟΔΟΣ"},
		{"ΟΔΟΣ", "οδός", "οδός"},
		// Russian, Ukrainian
		{"елка", "Ёлка", "Ёлка"},
		{"п'ять", "п’ять", "п’ять"},
		// Arabic with and without vowel signs and tatweel; Persian
		{"محمد", "قال مُحَمَّدٌ", "مُحَمَّدٌ"},
		{"مُحَمَّد", "محمد", "محمد"},
		{"جميل", "جمـــيل", "جمـــيل"},
		{"میخواهم", "می\u200cخواهم", "می\u200cخواهم"},
		// Hebrew
		{"שלום", "שָׁלוֹם!", "שָׁלוֹם"},
		{"שָׁלוֹם", "שלום", "שלום"},
		{`צה"ל`, "צה״ל", "צה״ל"},
		// Hindi: vowel signs make the word.
		{"की", "की", "की"},
		{"की", "का", none},
		// Chinese
		{"京", "我去北京。", "京"},
		{"北京", "我去北京。", "北京"},
		{"去北京", "我去北京。", "去北京"},
		{"京北", "我去北京。", none},
		{"北京", "北。京", none},
		{`"北京"`, "北，京", "北，京"},
		{`"我 去"`, "我去", "我去"},
		{"AI模型", "一个AI 模型", "AI 模型"},
		{"株式", "㍿", "㍿"},
		// Japanese
		{"東", "東京タワー", "東"},
		{"タワー", "東京ﾀﾜｰへ", "ﾀﾜｰ"},
		{"きました", "行きました", "きました"},
		{"が", "か\u3099", "か\u3099"},
		{"か", "か\u3099", none},
		// Thai: a letter has its marks.
		{"ไทย", "ภาษาไทยยาก", "ไทย"},
		{"ที่", "อยู่ที่นี่", "ที่"},
		{"ท", "ที่", none},
		// Korean: inside words too.
		{"한국", "대한국민", "한국"},
		{"안", "안녕하세요", "안"},
		{"안녕", "\u110b\u1161\u11ab\u1102\u1167\u11bc", "\u110b\u1161\u11ab\u1102\u1167\u11bc"},
		{"안녕", "안 녕", none},
		// Vietnamese in both forms
		{"tiếng", "TIÊ\u0301NG Việt", "TIÊ\u0301NG"},
		{"vie\u0323\u0302t", "tiếng Việt", "Việt"},
		{"viet", "Việt", none},
		// Emoji
		{"👍", "ok👍🏽👍", "👍|👍"},
		{"👍🏽", "ok 👍🏽", "👍🏽"},
		{"👨‍👩‍👧", "a 👨‍👩‍👧!", "👨‍👩‍👧"},
		{"❤", "❤️", "❤️"},
		{"🇩🇪", "🇫🇷🇩🇪", "🇩🇪"},
		{"🇪🇨", "🇩🇪🇨🇭", none},
		// Broken text
		{"a", "\xff a \xc3", "a"},
		{"/b/", "\xffb", "b"},
	} {
		marked, ok := checkMatch(t, parsed(t, tt.line), tt.text)
		checkFits(t, parsed(t, tt.line), tt.text)
		got := strings.Join(marked, "|")
		if !ok {
			got = none
		}
		if got != tt.marked {
			t.Errorf("%s in %q: %q, want %q", tt.line, tt.text, got, tt.marked)
		}
	}
}

// TestNeeds checks that the index is asked for what rules out other texts.
func TestNeeds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line   string
		groups int
		not    string // a text that the terms rule out; "" for none
	}{
		{"/regex/", 0, ""},
		{"-word lang:de", 0, ""},
		{"a OR /b/", 0, ""},
		{"a OR -b", 0, ""},
		{"a -b /c/", 1, "b c"},
		{"a OR b", 1, "c"},
		{`"a b" c`, 2, "a c"},
		{"北京", 1, "北 大京"},
		{"京", 1, "北"},
		{"한국", 1, "한 마을국"},
		{"AI北", 1, "北"},
		{"北AI", 1, "AI"},
		{"👍👎", 1, "👎👍"},
	} {
		needs := parsed(t, tt.line).Needs()
		if len(needs) != tt.groups {
			t.Errorf("%s needs %v", tt.line, needs)
		}
		if tt.not != "" && holds(needs, Terms(tt.not, nil)) {
			t.Errorf("%s: the terms of %q have all it needs", tt.line, tt.not)
		}
	}
	if needs := parsed(t, "北京大学").Needs(); len(needs[0][0]) != 3 {
		t.Errorf("four characters need %v, want their three pairs", needs)
	}
}

func TestTerms(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"": 0, " .,!": 0, "a": 1, "a A b": 2, "北京": 3, "北京 北京": 4, "a北b京": 4, "\xff": 1, "안녕": 3,
	} {
		terms := Terms(text, nil)
		if len(terms) != want || !slices.IsSorted(terms) {
			t.Errorf("%q has the terms %v, want %d", text, terms, want)
		}
	}
	dst := make([]int32, 3, 100)
	if terms := Terms("two words", dst); len(terms) != 2 || &terms[0] != &dst[0] {
		t.Errorf("the terms %v are not in the memory of dst", terms)
	}
}

// TestTermsStay holds the terms of a text: stored ones would not be found any more
// if they changed.
func TestTermsStay(t *testing.T) {
	t.Parallel()
	want := []int32{-1804988279, -1448581313, -1191825867, -457928984, 467666576, 939000408}
	if got := Terms("Straße 北京 👍", nil); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v; a change needs a migration that computes all terms again", got, want)
	}
}

// TestPairs checks that texts with the words of a phrase apart are left out, but for one in
// ten at most, and that the memory is used again.
func TestPairs(t *testing.T) {
	t.Parallel()
	const n = 400
	var words, others []string
	for i := range n {
		words = append(words, fmt.Sprintf("word%d", i))
	}
	text := strings.Join(words, " ")
	seem := 0
	for i := range n - 2 {
		if !hasPairs(parsed(t, fmt.Sprintf(`"%s, %s"`, words[i], words[i+1])), text) {
			t.Fatalf("the words %d and %d do not follow each other", i, i+1)
		}
		if hasPairs(parsed(t, fmt.Sprintf(`"%s %s"`, words[i], words[i+2])), text) {
			seem++
			others = append(others, words[i])
		}
	}
	if seem > n/10 {
		t.Errorf("of %d pairs, %d seem to follow each other: %v", n-2, seem, others)
	}
	for line, pairs := range map[string]int{"a b": 0, `"a b"`: 1, `-"a b"`: 0, `"a b" OR c`: 0, `"a b c d e f"`: 3,
		`"a b" "c d"`: 2, "don't": 1, "/a b/": 0, "北京": 1} {
		if got := parsed(t, line).Pairs(); len(got) != pairs {
			t.Errorf("%s has the pairs %v, want %d", line, got, pairs)
		}
	}
	dst := append(make([]byte, 0, 64), 0xff, 0xff)
	if got := Pairs("a", dst); len(got) != 8 || &got[0] != &dst[0] || !slices.Equal(got, make([]byte, 8)) {
		t.Errorf("the pairs of one word are %x", got)
	}
	want := []byte{0, 128, 0, 3, 2, 64, 0, 0}
	if got := Pairs("Straße 北京 👍", nil); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v; a change needs a migration that computes all pairs again", got, want)
	}
}

// TestLongTexts matches texts beyond what is searched, and hostile ones.
func TestLongTexts(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"one word":        strings.Repeat("a", 100_000),
		"one letter":      strings.Repeat("a ", 50_000),
		"Chinese":         strings.Repeat("北", 40_000),
		"marks":           "e" + strings.Repeat("\u0301", 50_000),
		"broken":          strings.Repeat("\xff", 100_000),
		"half characters": strings.Repeat("\xf0\x9f\x91", 40_000),
		"emoji":           strings.Repeat("👍", 30_000),
		"joined":          strings.Repeat("👨\u200d", 15_000),
		"Hangul":          strings.Repeat("\u1112\u1161\u11ab", 12_000),
		"large":           strings.Repeat("\ufdfa", 30_000),
		"flags":           strings.Repeat("🇩", 20_001),
	} {
		if n := len(Terms(text, nil)); n > 100 {
			t.Errorf("%s: %d terms", name, n)
		}
		for _, line := range []string{
			"a", "北", "👍", "ε", `"` + strings.Repeat("a ", 900) + `b"`, strings.Repeat("北", 1000) + "京", "/a+b/", "/./",
		} {
			checkMatch(t, parsed(t, line), text)
		}
	}
	for _, c := range []string{"a", "é", "北", "👍"} {
		start := strings.Repeat(c, MaxSearched/len(c)) + strings.Repeat(c, 5)
		if _, ok := checkMatch(t, parsed(t, "end OR /end/"), start+" end"); ok {
			t.Errorf("what stands after %d bytes of %q is found", len(start), c)
		}
	}
	if _, ok := checkMatch(t, parsed(t, "end"), strings.Repeat(" ", MaxSearched-3)+"endless"); !ok {
		t.Error("the last word is not found up to the limit")
	}
}

// naive finds a pattern as find does, by trying each place.
func naive(p *pattern, tokens []token) (spans []Span) {
	n := len(p.hashes)
	for i := 0; i+n <= len(tokens) && len(spans) < MaxPlaces; i++ {
		same := true
		for k := range n {
			same = same && tokens[i+k].hash == p.hashes[k] && !(p.strict && k > 0 && separated(tokens, i+k))
		}
		if same {
			spans = append(spans, Span{int(tokens[i].from), int(tokens[i+n-1].to)})
			i += n - 1
		}
	}
	return spans
}

// FuzzMatch checks that each match has the terms it needs, that its spans are in
// order, that words are found where trying each place finds them, and that a text
// has itself as a phrase.
func FuzzMatch(f *testing.F) {
	for _, seed := range [][2]string{
		{"buy -now", "Buy it"}, {`"a a b"`, "a a a b"}, {"北京", "北。京北京"}, {`"北京" OR ไทย`, "ภาษาไทย"},
		{"ışık 안", "IŞIK 안녕"}, {"👍🏽 🇩🇪", "👍🏽🇩🇪🇩🇪"}, {"株式", "㍿㍿ ㎏½"}, {"/a+/ b", "aab b\xff"},
		{"مُحَمَّد", "محمد"}, {"é", "e\u0301\u0301 ﷺ"}, {"か", "か\u3099カ\u0e49"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, line, text string) {
		c := new(cutter)
		c.cut(text)
		if whole := newPattern(Phrase, text); whole != nil {
			q := Query{Groups: [][]Part{{{Kind: Phrase, Text: text, pattern: whole}}}}
			if _, ok := checkMatch(t, q, text); !ok {
				t.Fatalf("%q has not itself as a phrase", text)
			}
		}
		q, err := Parse(line)
		if err != nil {
			return
		}
		checkMatch(t, q, text)
		checkFits(t, q, text)
		for _, group := range q.Groups {
			for _, p := range group {
				if p.pattern == nil {
					continue
				}
				got, want := p.pattern.find(nil, c.tokens, MaxPlaces), naive(p.pattern, c.tokens)
				if !slices.Equal(got, want) {
					t.Fatalf("%s in %q: %v, want %v", p, text, got, want)
				}
			}
		}
	})
}
