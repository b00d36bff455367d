package rule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// compiled compiles a rule that is right.
func compiled(t testing.TB, r Rule) *Matcher {
	t.Helper()
	m, err := Compile(r)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// places returns the matched parts of a text, each in brackets, with dots
// between.
func places(text string, found []Match) string {
	var places []string
	for _, m := range found {
		places = append(places, "["+text[m.Start:m.End]+"]")
	}
	return strings.Join(places, " ")
}

func TestWords(t *testing.T) {
	for _, c := range []struct{ words, text, want string }{
		{"ass", "ass", "[ass]"},
		{"ass", "class assassin assess", ""},
		{"ass", "an ASS! kick-ass _ass_ (ass)", "[ASS] [ass] [ass] [ass]"},
		{"ass", "ass's d'ass ass1 1ass", "[ass] [ass]"},
		{"ass", "das ist ä ässe", ""},
		{"ano", "año ano", "[ano]"},
		{"año", "an\u0303o ano", "[an\u0303o]"},
		{"a", "a ab a", "[a] [a]"},
		{"kick ass", "kick  ass, kick\n\tass, kick\u00a0ass, kickass, kick-ass", "[kick  ass] [kick\n\tass] [kick\u00a0ass]"},
		{"kick|kick ass", "kick ass kick it", "[kick ass] [kick]"},
		{"kick ass hole|ass", "kick ass", "[ass]"},
		{"a$$", "a$$ A$$! a$$hole ba$$ a$$$", "[a$$] [A$$] [a$$]"},
		{"$hit", "$hit a$hit $$hit", "[$hit] [$hit]"},
		{"@", "me@example.com @", "[@] [@]"},
		{"🖕", "you🖕🏿!", "[🖕]"},
		{"c++", "C++ c++11 c", "[C++]"},

		// Folding that changes the length.
		{"straße", "STRASSE Straße strasse STRAẞE", "[STRASSE] [Straße] [strasse] [STRAẞE]"},
		{"strasse", "die Straße.", "[Straße]"},
		{"s", "ß s", "[s]"},
		{"fick", "xx ﬁck fick", "[ﬁck] [fick]"},
		{"ass", "ＡＳＳ ａｓｓ 𝐚𝐬𝐬 ⓐⓢⓢ", "[ＡＳＳ] [ａｓｓ] [𝐚𝐬𝐬] [ⓐⓢⓢ]"},
		{"ass", "a\u0336s\u0336s\u0336 a\u00ads\u200bs\ufe0f", "[a\u0336s\u0336s\u0336] [a\u00ads\u200bs]"},
		{"sik", "İ SİK sik si\u0307k SIK sık", "[SİK] [sik] [si\u0307k] [SIK]"},
		{"sık", "SIK sık sik", "[SIK] [sık] [sik]"},
		{"μαλάκας", "ΜΑΛΑΚΑΣ μαλακας μαλάκασ", "[ΜΑΛΑΚΑΣ] [μαλακας] [μαλάκασ]"},
		{"ёж", "ЁЖ еж е\u0308ж ежи", "[ЁЖ] [еж] [е\u0308ж]"},
		{"йод", "йод и\u0306од иод", "[йод] [и\u0306од]"},
		{"don't", "Don’t DON´T dont", "[Don’t] [DON´T]"},
		{"كلب", "كَلْب كـلـب كلبة", "[كَلْب] [كـلـب]"},
		{"שלום", "שָׁלוֹם", "[שָׁלוֹם]"},
		{"नमक", "नमक नमकीन", "[नमक]"},
		{"가", "가 각 \u1100\u1161 \u1100\u1161\u11a8 가나", "[가] [\u1100\u1161]"},

		// Scripts without spaces.
		{"下贱", "你很下贱吗", "[下贱]"},
		{"ass", "这个ass很 a ass女", "[ass] [ass]"},
		{"sm女王", "あのSM女王は", "[SM女王]"},
		{"ai语言模型", "作为 AI 语言模型，xai语言模型", "[AI 语言模型]"},
		{"下贱", "下 贱", ""},
		{"กู", "พวกกูมา กู้เงิน", "[กู]"},
		{"シコ", "メキシコ シコ シコは ｼｺ", "[シコ] [シコ] [ｼｺ]"},
		{"ガス", "カ\u3099ス ｶﾞｽ", "[カ\u3099ス] [ｶﾞｽ]"},
		{"ばか", "おまえばかだ", "[ばか]"},

		// What is ignored.
		{"||ass|\t|ASS| ass |\u200b", "ass", "[ass]"},
		{"ass", "", ""},
		{"ass", "\xff ass\xffass", "[ass] [ass]"},
	} {
		m := compiled(t, Rule{Words: strings.Split(c.words, "|")})
		if got := places(c.text, m.Match(c.text, "")); got != c.want {
			t.Errorf("%q in %q: %s, want %s", c.words, c.text, got, c.want)
		}
	}
}

// TestWhat checks that a match names the word as the list has it, the first of
// equal ones.
func TestWhat(t *testing.T) {
	m := compiled(t, Rule{Words: []string{" Kick  Ass ", "kick ass", "sık"}})
	got := m.Match("KICK\nASS SIK", "")
	want := []Match{{Part: Words, What: "Kick  Ass", Start: 0, End: 8}, {Part: Words, What: "sık", Start: 9, End: 12}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestOffsets(t *testing.T) {
	m := compiled(t, Rule{Words: []string{"ass"}})
	for _, before := range []string{"ß", "İ", "ﬁ", "e\u0301\u0336", "Ｆ", "㍿", "ﷺ", "´", "\u0300", "\xff", "𝐚"} {
		text := strings.Repeat(before, 3) + " ÄSS ass "
		at := strings.Index(text, "ass")
		want := []Match{{Part: Words, What: "ass", Start: at, End: at + 3}}
		if got := m.Match(text, ""); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestRegex(t *testing.T) {
	for _, c := range []struct{ regex, text, want string }{
		{`\d{3,}`, "12 123 – 4567", "[123] [4567]"},
		{`(?i)käse`, "KÄSE käse", "[KÄSE] [käse]"},
		{`\bx+\b`, "xx ax x", "[xx] [x]"},
		{`(a|b)c?`, strings.Repeat("a", 30), strings.TrimSpace(strings.Repeat("[a] ", MaxRegexFound))},
	} {
		if got := places(c.text, compiled(t, Rule{Regex: c.regex}).Match(c.text, "")); got != c.want {
			t.Errorf("%s in %q: %s, want %s", c.regex, c.text, got, c.want)
		}
	}
}

func TestShorterThan(t *testing.T) {
	m := compiled(t, Rule{ShorterThan: 3})
	for text, want := range map[string]string{
		"": "0 characters", " äö\n": "2 characters", "äöü": "", "日本": "2 characters",
	} {
		what := ""
		for _, f := range m.Match(text, "") {
			if what = f.What; f.Start != 0 || f.End != 0 || f.Part != ShorterThan {
				t.Errorf("%q: %v", text, f)
			}
		}
		if what != want {
			t.Errorf("%q: %q, want %q", text, what, want)
		}
	}
}

func TestBoilerplate(t *testing.T) {
	m := compiled(t, Rule{Boilerplate: true})
	for text, want := range map[string]string{
		"As an AI  Language Model, I":     "self: as an ai language model",
		"I don’t have personal opinions.": "self: i don't have personal opinions",
		"Als KI‑Sprachmodell kann ich":    "self: als ki-sprachmodell",
		"作为 AI 语言模型":                      "self: 作为ai语言模型",
		"I have language models":          "",
	} {
		what := ""
		for _, f := range m.Match(text, "") {
			what = f.What
		}
		if what != want {
			t.Errorf("%q: %q, want %q", text, what, want)
		}
	}
}

func TestLang(t *testing.T) {
	for _, c := range []struct {
		rule, message string
		want          bool
	}{
		{"", "", true}, {"", "de", true}, {"de", "de", true}, {"de", "", false}, {"de", "en", false},
		{"pt", "pt-BR", true}, {"pt", "PT_br", true}, {"pt-BR", "pt", false}, {"pt-BR", "pt-BR", true}, {"d", "de", false},
	} {
		if got := Covers(c.rule, c.message); got != c.want {
			t.Errorf("a rule for %q covers %q: %t", c.rule, c.message, got)
		}
	}
	m := compiled(t, Rule{Words: []string{"a"}, Lang: "de"})
	if m.Match("a", "en") != nil || len(m.Match("a", "de")) != 1 {
		t.Error("the language of the rule is not heeded")
	}
}

func TestOrder(t *testing.T) {
	m := compiled(t, Rule{Words: []string{"b", "a"}, Regex: `[ab]`, ShorterThan: 100})
	got := m.Match("a b", "")
	want := []Match{{Part: Regex, What: "a", End: 1}, {Part: ShorterThan, What: "3 characters"},
		{Part: Words, What: "a", End: 1}, {Part: Regex, What: "b", Start: 2, End: 3},
		{Part: Words, What: "b", Start: 2, End: 3}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if n := len(m.Match(strings.Repeat("a ", 49)+"b", "")); n != 71 {
		t.Errorf("%d matches of a short text, want 50 words, %d of the expression and the length", n, MaxRegexFound)
	}
	words := compiled(t, Rule{Words: []string{"a"}})
	if n := len(words.Match(strings.Repeat("a ", 500), "")); n != MaxMatches {
		t.Errorf("%d matches of a text, want %d", n, MaxMatches)
	}
}

func TestErrors(t *testing.T) {
	many := make([]string, MaxWords+1)
	for i := range many {
		many[i] = fmt.Sprint("w", i)
	}
	for _, c := range []struct {
		rule        Rule
		field, part string
	}{
		{Rule{}, "rule", "has no condition"},
		{Rule{Lang: "de", Words: []string{" "}}, "rule", "has no condition"},
		{Rule{Words: []string{"ok", strings.Repeat("ä", 201)}}, Words, `ää…" has 201 characters, 200 is the most`},
		{Rule{Words: many}, Words, `"w20000" is word number 20001`},
		{Rule{ShorterThan: -1}, ShorterThan, "1 to 10000"},
		{Rule{ShorterThan: 10_001}, ShorterThan, "1 to 10000"},
		{Rule{Regex: "a", Lang: "klingon language"}, "lang", `"klingon language"`},
		{Rule{Regex: strings.Repeat("a", 1001)}, Regex, "1001 characters"},
		{Rule{Regex: "ab("}, Regex, `at character 3, "(": a ( has no )`},
		{Rule{Regex: `\(ä)b`}, Regex, `at character 4, ")b": a ) has no (`},
		{Rule{Regex: "äb[c"}, Regex, `at character 3, "[c": a [ has no ]`},
		{Rule{Regex: "a[z-b]"}, Regex, `at character 3, "z-b]": a range`},
		{Rule{Regex: "*a"}, Regex, `at character 1, "*a": nothing to repeat`},
		{Rule{Regex: "a**"}, Regex, `at character 2, "**": two signs`},
		{Rule{Regex: `(a)\1`}, Regex, `at character 4, "\\1": there is no such escape`},
		{Rule{Regex: `a(?=b)`}, Regex, `at character 2, "(?=b)": there is no such group; RE2 cannot look ahead`},
		{Rule{Regex: `a(?<!b)`}, Regex, "RE2 cannot look ahead"},
		{Rule{Regex: `ab\`}, Regex, `at character 3, "\\": the backslash at the end`},
		{Rule{Regex: `a{1001}`}, Regex, "1000 is the most"},
		{Rule{Regex: `((a{100}){100}){100}`}, Regex, ""},
		{Rule{Regex: "a*"}, Regex, "empty text"},
		{Rule{Regex: `\b`}, Regex, "empty text"},
		{Rule{Regex: `(?m)^|a`}, Regex, "empty text"},
		{Rule{Regex: `(a?){3}`}, Regex, "empty text"},
	} {
		_, err := Compile(c.rule)
		var fault *Error
		if !errors.As(err, &fault) || fault.Field != c.field || !strings.Contains(fault.Why, c.part) {
			t.Errorf("%.60v: %v, want %s: … %s", c.rule, err, c.field, c.part)
		}
	}
	_, err := Compile(Rule{Regex: "(", ShorterThan: -1})
	if err == nil || !strings.Contains(err.Error(), Regex) || !strings.Contains(err.Error(), ShorterThan) {
		t.Errorf("two wrong fields: %v", err)
	}
}

func TestLanguageMismatch(t *testing.T) {
	const (
		russian  = "Это предложение написано по-русски."
		english  = "This sentence is written in English."
		chinese  = "这句话是用中文写的，读者应当立即看出来，对吗朋友们。"
		japanese = "この文は日本語で書かれています。すぐに分かるはずです。"
	)
	for _, c := range []struct{ text, lang, want string }{
		{russian, "en", "Cyrillic"},
		{russian, "ru", ""},
		{russian, "uk-UA", ""},
		{russian, "sr-Latn", ""}, // Serbian is written in both
		{russian, "", ""},
		{russian, "xx", ""},
		{english, "ru", "Latin"},
		{english, "de", ""},
		{chinese, "de", "Han"},
		{chinese, "zh", ""},
		{chinese, "zh-TW", ""},
		{chinese, "ja", ""},
		{japanese, "ja", ""},
		{"이 문장은 한국어로 쓰여 있습니다. 바로 알 수 있습니다.", "ko", ""},
		{"이 문장은 한국어로 쓰여 있습니다. 바로 알 수 있습니다.", "en", "Hangul"},
		{"Это по-русски", "en", ""}, // too short
		{russian + " " + english, "en", ""},
		{"Переведи код:\n" + strings.Repeat("import torch\n", 20), "ru", ""},
		{strings.Repeat(chinese, 5) + " iPhone iPad", "en", "Han"},
		{"```go\n" + strings.Repeat("func main() {}\n", 9) + "```\nПривет", "ru", ""},
		{"Смотри https://example.com/a/long/address/of/a/page", "ru", ""},
	} {
		what := ""
		for _, f := range compiled(t, Rule{LanguageMismatch: true}).Match(c.text, c.lang) {
			what = f.What
		}
		if what != c.want {
			t.Errorf("%q under %q: %q, want %q", c.text, c.lang, what, c.want)
		}
	}
}

// TestEachPart checks that a text must match each part that is set.
func TestEachPart(t *testing.T) {
	m := compiled(t, Rule{Words: []string{"ass"}, Regex: `\d`, ShorterThan: 9})
	for text, want := range map[string]int{"ass 1": 3, "ass": 0, "1": 0, "ass 1 and longer": 0} {
		if got := len(m.Match(text, "")); got != want {
			t.Errorf("%q: %d matches, want %d", text, got, want)
		}
	}
}

// TestConcurrent is of use under the race detector.
func TestConcurrent(t *testing.T) {
	m := compiled(t, Rule{Words: []string{"ass"}, Regex: "a", ShorterThan: 9})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				if n := len(m.Match("ａss a\u0336", "ru")); n != 3 {
					t.Errorf("%d matches", n)
				}
			}
		})
	}
	group.Wait()
}
