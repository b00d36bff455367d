package search

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// TestNames looks for lines in names. A name may have a second one after a |.
func TestNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line    string
		in, out []string
	}{
		// Words and parts of them
		{"spam", []string{"spam", "xXspammer99", "SPAM bot", "my.spam", "x|spammer"}, []string{"spa m", "s-pam", ""}},
		{"ann", []string{"Ann", "Anna", "Joanne"}, []string{"Ana"}},
		{"ann lee", []string{"Ann Lee", "Leeann", "lee|ann"}, []string{"Ann", "Lee"}},
		{"99", []string{"xXspammer99", "99 cents", "1999"}, []string{"9 9"}},
		{"", []string{"", "any"}, nil},
		{" \u200b ", []string{"", "any"}, nil},
		// Phrases have whole words, in this order.
		{`"two words"`, []string{"Two Words", "the two-words here", "two_WORDS"}, []string{"words two", "two long words",
			"two wordsmiths", "two|words"}},
		{`"ann"`, []string{"Ann", "ann-lee"}, []string{"Anna", "Joann"}},
		{"“two words”", []string{"two words"}, []string{"words two"}},
		{`"spam` + `"`, []string{"spam!"}, []string{"xXspammer99"}},
		// Negations and alternatives
		{"-bot", []string{"Ann", "", "b.o.t"}, []string{"bot", "Abbott", "Ann|robot", "BOT 7"}},
		{"spam -bot", []string{"spammer"}, []string{"spambot", "spam|bot", "bot"}},
		{`-"spam bot"`, []string{"bot spam", "spam bots"}, []string{"a spam bot"}},
		{"ann OR bob", []string{"Anna", "Bobby"}, []string{"Eve"}},
		{"ann OR bob lee", []string{"Anna Lee", "Lee, Bob"}, []string{"Lee", "Ann"}},
		{"a OR -b", []string{"ab", "c"}, []string{"b"}},
		{"ann or bob", []string{"Gregor Bob Ann"}, []string{"Ann", "Bob"}},
		{"/^bot[0-9]+$/", []string{"Bot7"}, []string{"a bot7", "bot"}},
		{"-/[0-9]/ bot", []string{"bot"}, []string{"bot7"}},
		// Case and Unicode forms
		{"émile", []string{"ÉMILE", "E\u0301MILE", "émile"}, []string{"emile"}},
		{"E\u0301MILE", []string{"émile", "e\u0301mile"}, nil},
		{"josé", []string{norm.NFC.String("José"), norm.NFD.String("José")}, []string{"Jose", "Josè"}},
		{"jose", []string{"Jose"}, []string{"José", norm.NFD.String("José")}},
		{"viê\u0323t", []string{norm.NFC.String("Viê\u0323t"), norm.NFD.String("Viê\u0323t")}, []string{"Viêt"}},
		{"strasse", []string{"Straße 5", "STRASSENKIND"}, nil},
		{"ΑΛΈΞΗΣ", []string{"αλέξης", "Αλεξησ"}, nil},
		{"алёна", []string{"Алена", "АЛЁНА"}, nil},
		{"fine", []string{"ﬁne", "ＦＩＮＥ", "𝐟𝐢𝐧𝐞", "fi\u200bne"}, nil},
		// Turkish: the four letters i are one.
		{"istanbul", []string{"İstanbul", "ISTANBUL", "ıstanbul", "i\u0307stanbul"}, nil},
		{"İSTAN", []string{"istanbul", "İstanbul", "ISTANBUL"}, nil},
		{"ışık", []string{"IŞIK", "Işıkçı"}, nil},
		// Hebrew and Arabic, with and without vowel signs; other scripts
		{"שלום", []string{"שָׁלוֹם", "שלום", "שלומית|שָׁלוֹם"}, []string{"שלמה"}},
		{"שָׁלוֹם", []string{"שלום"}, nil},
		{"דוד", []string{"דָּוִד", "דָּוִד בֶּן־גּוּרְיוֹן"}, []string{"דדו"}},
		{"גוריון", []string{"דָּוִד בֶּן־גּוּרְיוֹן"}, nil},
		{"محمد", []string{"مُحَمَّد", "مـحـمـد", "محمدي"}, []string{"أحمد"}},
		{"مُحَمَّد", []string{"محمد علي"}, nil},
		{"สม", []string{"สมชาย", "คุณสมศรี"}, []string{"สุมาลี"}},
		{"ขา", []string{"ขาว"}, []string{"ข้าว"}},
		{"小明", []string{"王小明", "小明 2", "小明cat"}, []string{"明小", "小 明"}},
		{"明", []string{"王小明"}, []string{"王小"}},
		{`"小明"`, []string{"小 明"}, []string{"明小"}},
		{"ラー", []string{"ラーメン", "ﾗｰﾒﾝ"}, nil},
		{"국어", []string{"한국어", norm.NFD.String("한국어")}, nil},
		{"राम", []string{"राम", "रामायण"}, []string{"रमा"}},
		// Signs in words are boundaries.
		{"a_b%", []string{"a_b%", "A-B", "mega b"}, []string{"ab", "a_bc", "b_a", "axb"}},
		{"50%", []string{"50%", "150%", "50 cents"}, []string{"500", "5"}},
		{"%é", []string{"%é", "Élan"}, []string{"José"}},
		{"jos_é", []string{"jos_é", "jos é"}, []string{"josé"}},
		{"@bob", []string{"@bobby", "Big Bobby", "x|bob@example.com"}, []string{"kabob"}},
		{"bob@exam", []string{"bob@example.com", "kabob@example.com"}, []string{"bob@my.example.com", "bobexample"}},
		{"o'b", []string{"O’Brien", "o'brien"}, []string{"Obrien"}},
		{"jean-luc", []string{"Jean-Luc", "Jean\u2011Luc", "jean luc"}, []string{"Luc-Jean", "Jean-Paul-Luc"}},
		{"discord:foo", []string{"discord:foo#1", "Discord Food"}, []string{"foo discord"}},
		{"c++", []string{"C++ fan"}, []string{"Cats"}},
		{"5'10\"", []string{`5'10"`}, []string{"510"}},
		{"u/bob", []string{"/u/bob"}, []string{"ubob"}},
		// Emoji
		{"🔥", []string{"bob🔥", "🔥🔥"}, []string{"bob", "💧"}},
		{"bob🔥", []string{"bob🔥", "Bob 🔥"}, []string{"🔥bob", "bobby🔥"}},
		{"👍🏽", []string{"👍🏽"}, []string{"👍"}},
		{"🇩🇪", []string{"Jo🇩🇪"}, []string{"🇪🇩"}},
		// Signs alone
		{"-", []string{"a-b", "—"}, []string{"ab"}},
		{"---", []string{"a --- b"}, []string{"a - b"}},
		{"-_-", []string{"(-_-)"}, []string{"- _ -", "-"}},
		{"%", []string{"50%", "50％"}, []string{"50"}},
		{"_", []string{"a_b"}, []string{"ab"}},
		{"@", []string{"a@b", "x|a@b"}, []string{"ab"}},
		{`"`, []string{`the "one"`, "“x”"}, []string{"x"}},
		{`""`, []string{`""`}, []string{`"`, "x"}},
		{`\`, []string{`a\b`}, []string{"a/b"}},
		{"/", []string{"a/b"}, []string{"ab"}},
		{"//", []string{"a//b"}, []string{"a/b"}},
		{"/!/", []string{"a!"}, []string{"/a/"}},
		{"- %", []string{"a - 5%", "%-"}, []string{"a -", "%"}},
		{"bob & alice", []string{"Bob & Alice", "&|alicebob"}, []string{"Bob and Alice"}},
		{"bob - alice", []string{"Alice - Bob"}, []string{"Alice Bob"}},
		{"bob / alice", []string{"Alice / Bob"}, []string{"Alice Bob"}},
		{"~ mika ~", []string{"~ Mika ~", "~mika"}, []string{"Mika"}},
		{`bob "!"`, []string{"bob!"}, []string{"bob"}},
		{`bob -"!"`, []string{"bob"}, []string{"bob!"}},
		{`bob -!`, []string{"bob -!"}, []string{"bob!"}},
		{"% OR bob", []string{"%", "bob"}, []string{"x"}},
	} {
		names, err := ParseNames(tt.line)
		if err != nil {
			t.Errorf("%s: %v", tt.line, err)
			continue
		}
		again, err := ParseNames(names.String())
		if err != nil || again.String() != names.String() {
			t.Errorf("%s is spelled %q, which is %q: %v", tt.line, names, again, err)
		}
		for _, name := range slices.Concat(tt.in, tt.out) {
			want := slices.Contains(tt.in, name)
			for _, n := range []Names{names, again} {
				if got := n.Fit(strings.Split(name, "|")...); got != want {
					t.Errorf("%s (%q) finds %q: %v, want %v", tt.line, n, name, got, want)
				}
			}
		}
	}
}

func TestNamesAreCheckedAsTexts(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`bob lang:de`: "lang:de", `lang:`: "lang:", `-user:x`: "-user:x", `a spam>0.5 b`: "spam>0.5", `bob<3`: "bob<3",
		`list:"a b`: `list:"a b`, `ann OR role:x`: "role:x", `spam>x`: "spam>x",
		`"two words`: `"two words`, `bob "`: `"`, `OR`: "OR", `bob OR`: "OR", `OR bob`: "OR", `--bob`: "--", `/bob`: "/bob",
		`/(bob/`: "/(bob/", `"bob"x`: "x", "a \xff": "\xff", "\xff": "\xff", `bob ""`: `""`, "\u0301": "\u0301",
	} {
		n, err := ParseNames(line)
		var fault *SyntaxError
		if !errors.As(err, &fault) {
			t.Errorf("%s: %v, %v", line, n, err)
			continue
		}
		if got := line[fault.Start:fault.End]; got != want || fault.Why == "" {
			t.Errorf("%s: the fault is %q: %v; want %q", line, got, err, want)
		}
	}
	_, err := ParseNames(strings.Repeat("!", MaxLength+1))
	if err == nil {
		t.Error("a line that is too long is read")
	}
}

// FuzzNames: no line and no name ends the program, a line means the same as it is
// spelled, and a name fits itself in quotes.
func FuzzNames(f *testing.F) {
	for _, line := range []string{"spam", "a_b%", `"`, `-"x`, "/x/ OR y", "lang:de", "小明", "é", "- -", "\u0301 x"} {
		f.Add(line, "xXspammer99 小明")
	}
	f.Fuzz(func(t *testing.T, line, name string) {
		quoted, err := ParseNames(Part{Kind: Phrase, Text: name}.String())
		if err == nil && folded(name) != "" && !quoted.Fit(name) {
			t.Errorf("%q does not fit itself", name)
		}
		n, err := ParseNames(line)
		if err != nil {
			return
		}
		fits := n.Fit(name)
		again, err := ParseNames(n.String())
		if err != nil && utf8.RuneCountInString(n.String()) <= MaxLength || err == nil && again.Fit(name) != fits {
			t.Errorf("%q is spelled %q, which is another line: %v", line, n, err)
		}
	})
}

func BenchmarkNames(b *testing.B) {
	n, err := ParseNames("spam -bot")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		n.Fit("Ein Name mit Wörtern", "someone@example.com")
	}
}
