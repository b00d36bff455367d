package search

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// describe writes what Parse read, one item after the other, without places.
func describe(q Query) string {
	var items []string
	for _, group := range q.Groups {
		var parts []string
		for _, p := range group {
			parts = append(parts, fmt.Sprintf("%s%s(%s)", sign(p.Not), []string{"word", "phrase", "regex"}[p.Kind], p.Text))
		}
		items = append(items, strings.Join(parts, "|"))
	}
	for _, f := range q.Filters {
		items = append(items, fmt.Sprintf("%s{%s %s %s}", sign(f.Not), f.Name, f.Op, f.Value))
	}
	return strings.Join(items, " ")
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ line, want, canonical string }{
		{"", "", ""},
		{" \t\n\u3000", "", ""},
		{"one", "word(one)", "one"},
		{"  one\u00a0 two ", "word(one) word(two)", "one two"},
		{`spam>0.5 lang:de "buy now" -/https?:/`, "phrase(buy now) -regex(https?:) {spam > 0.5} {lang : de}",
			`"buy now" -/https?:/ spam>0.5 lang:de`},
		{"a OR b OR c d", "word(a)|word(b)|word(c) word(d)", "a OR b OR c d"},
		{"a or b", "word(a) word(or) word(b)", "a or b"},
		{`a OR -"b c" OR /d/`, "word(a)|-phrase(b c)|regex(d)", `a OR -"b c" OR /d/`},
		{`"OR" -OR`, "phrase(OR) -word(OR)", `"OR" -OR`},
		{"-a -lang:de -spam>=.5", "-word(a) -{lang : de} -{spam >= .5}", "-a -lang:de -spam>=.5"},
		{"detoxify.insult>0.3 toxicity<=1 x<-2 y<1", "{detoxify.insult > 0.3} {toxicity <= 1} {x < -2} {y < 1}",
			"detoxify.insult>0.3 toxicity<=1 x<-2 y<1"},
		{`user:"John  Smith" user:"x" user:x"y`, `{user : John  Smith} {user : x} {user : x"y}`,
			`user:"John  Smith" user:x user:x"y`},
		{`LANG:De has:report list:7 since:2024-01-01T10:00 review:pending label:spam classifier:a.b`,
			"{lang : De} {has : report} {list : 7} {since : 2024-01-01T10:00} {review : pending} {label : spam}" +
				" {classifier : a.b}",
			"lang:De has:report list:7 since:2024-01-01T10:00 review:pending label:spam classifier:a.b"},
		{"tree_state:growing deleted:true role:assistant until:2025 toxicity:1",
			"{tree_state : growing} {deleted : true} {role : assistant} {until : 2025} {toxicity : 1}",
			"tree_state:growing deleted:true role:assistant until:2025 toxicity:1"},
		{"https://example.com/a?b=1 foo:bar 12:30 <3 a->b x=>1", "word(https://example.com/a?b=1) word(foo:bar) word(12:30)" +
			" word(<3) word(a->b) word(x=>1)", "https://example.com/a?b=1 foo:bar 12:30 <3 a->b x=>1"},
		{`"a \"b\" \\ \n"`, `phrase(a "b" \ \n)`, `"a \"b\" \ \n"`},
		{`"a\\"`, `phrase(a\)`, `"a\\"`},
		{"“a b” „c d“ -”e\"", "phrase(a b) phrase(c d) -phrase(e)", `"a b" "c d" -"e"`},
		{`"a “b”"`, "phrase(a “b”)", `"a “b”"`},
		{`/a\/b\\/ /c d/ /[\/]\d/`, `regex(a/b\\) regex(c d) regex([/]\d)`, `/a\/b\\/ /c d/ /[\/]\d/`},
		{`צה"ל well-known 5"`, `word(צה"ל) word(well-known) word(5")`, `צה"ל well-known 5"`},
		{"\ufeffa \u200eb", "word(a) word(b)", "a b"},
		{"北京 👍 1,000", "word(北京) word(👍) word(1,000)", "北京 👍 1,000"},
	} {
		q := parsed(t, tt.line)
		if got := describe(q); got != tt.want {
			t.Errorf("%s\ngot  %s\nwant %s", tt.line, got, tt.want)
		}
		if got := q.String(); got != tt.canonical {
			t.Errorf("%s\ngot  %s\nwant %s", tt.line, got, tt.canonical)
		}
	}
}

// TestPlaces checks the places of parts and filters in the line.
func TestPlaces(t *testing.T) {
	t.Parallel()
	line := ` é  -"ü x" OR /a\/b/ -lang:"d e"  spam>0.5`
	q := parsed(t, line)
	var got []string
	for _, group := range q.Groups {
		for _, p := range group {
			got = append(got, line[p.Start:p.End])
		}
	}
	for _, f := range q.Filters {
		got = append(got, line[f.Start:f.End])
	}
	if want := `é|-"ü x"|/a\/b/|-lang:"d e"|spam>0.5`; strings.Join(got, "|") != want {
		t.Errorf("got %q, want %s", got, want)
	}
}

func TestSyntaxErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ line, place, why string }{
		{`a "b c`, `"b c`, "The quote is not closed"},
		{`lang:"d`, `"d`, "The quote is not closed"},
		{`"say "hi" now"`, `hi"`, "A space must stand after the closing quote"},
		{`é /b c`, `/b c`, "The expression is not closed"},
		{`/b\/`, `/b\/`, "The expression is not closed"},
		{`/home/me`, `me`, "A space must stand after the closing slash"},
		{`a //`, `//`, "The expression between the slashes is empty"},
		{`a -/(b/ c`, `-/(b/`, `The regular expression cannot be used: at character 1, "(b": a ( has no ).`},
		{`/b*/`, `/b*/`, "it matches the empty text"},
		{`/(?<=a)b/`, `/(?<=a)b/`, "RE2 cannot look ahead or behind"},
		{`/((a{1000}){1000})/`, `/((a{1000}){1000})/`, "a number of repetitions is not possible"},
		{`/` + strings.Repeat("a", 1001) + `/`, "/" + strings.Repeat("a", 1001) + "/", "1000 is the most"},
		{`OR a`, "OR", "OR has nothing before it"},
		{`a OR OR b`, "OR", "OR has nothing before it"},
		{`a OR `, "OR", "OR has nothing after it"},
		{`lang:de OR a`, "OR", "filters must all hold"},
		{`a OR lang:de`, "OR lang:de", "filters must all hold"},
		{`a OR spam>0.5`, "OR spam>0.5", "filters must all hold"},
		{`a - b`, "-", "A minus stands alone"},
		{`a -`, "-", "A minus stands alone"},
		{`a --b`, "--", "Only one minus"},
		{`a ?! b`, "?!", "?! has no letter, digit or emoji"},
		{`"..." b`, `"..."`, "has no letter, digit or emoji"},
		{"a -\u200b", "-\u200b", "has no letter, digit or emoji"},
		{`spam > 0.5`, ">", "has no space inside"},
		{`spam>`, "spam>", "After spam> must stand a number"},
		{`a b>c`, "b>c", "After b> must stand a number"},
		{`b>=0,5`, "b>=0,5", "After b>= must stand a number"},
		{`b>"x"`, `b>"x"`, "After b> must stand a number"},
		{`lang: de`, "lang:", "The filter lang: has no value"},
		{`-user:""`, `-user:""`, "The filter user: has no value"},
		{"a \xff b", "\xff", "a broken character"},
		{strings.Repeat("é", MaxLength) + "ab", "ab", "2000 characters are the most"},
		{strings.Repeat("a ", MaxParts) + "bc", "bc", "more than 100 words"},
		{strings.Repeat("lang:a ", MaxParts) + "lang:bc", "lang:bc", "more than 100 words"},
		{strings.Repeat("/a/ ", MaxRegexes) + "/bc/", "/bc/", "more than 10 expressions"},
	} {
		_, err := Parse(tt.line)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%.60q: no error of syntax: %v", tt.line, err)
			continue
		}
		if got := tt.line[syntax.Start:syntax.End]; got != tt.place || !strings.Contains(syntax.Error(), tt.why) {
			t.Errorf("%.60q: at %q: %s", tt.line, got, syntax)
		}
	}
}

// TestStringOfFields renders what a form may hold.
func TestStringOfFields(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		got  interface{ String() string }
		want string
	}{
		{Part{Text: "a b"}, `"a b"`},
		{Part{Text: "OR"}, `"OR"`},
		{Part{Text: "OR", Not: true}, `-OR`},
		{Part{Text: "-a"}, `"-a"`},
		{Part{Text: "/a/"}, `"/a/"`},
		{Part{Text: "lang:de"}, `"lang:de"`},
		{Part{Text: `say "hi" \`}, `"say \"hi\" \\"`},
		{Part{Kind: Phrase, Text: `\\"`}, `"\\\\\""`},
		{Part{Kind: Regex, Text: `a/b\/c\\`}, `/a\/b\/c\\/`},
		{Filter{Name: "user", Op: ":", Value: `„a“ "b"`}, `user:"„a“ \"b\""`},
		{Filter{Name: "user", Op: ":", Value: `a b`, Not: true}, `-user:"a b"`},
	} {
		if got := tt.got.String(); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, line := range []string{
		`spam>0.5 lang:de "buy now" -/https?:/`, `a OR -"b \" c" OR /d\/e\\/`, `user:"John Smith" -has:report x>=.5 <3`,
		"“a„ ” 北京 OR", "- -- // /( :: OR OR", "a\u200b -\u2067b \xff", `"a\\\"" \ "\x"`, `צה"ל`, "\"a\"\"b\"",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		q, err := Parse(line)
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("%q: the error is no error of syntax: %v", line, err)
			}
			if syntax.Start < 0 || syntax.End < syntax.Start || syntax.End > len(line) || syntax.Why == "" {
				t.Fatalf("%q: the place %d to %d: %s", line, syntax.Start, syntax.End, syntax)
			}
			for _, at := range []int{syntax.Start, syntax.End} {
				if utf8.ValidString(line) && at < len(line) && !utf8.RuneStart(line[at]) {
					t.Fatalf("%q: %d is inside a character", line, at)
				}
			}
			return
		}
		canonical := q.String()
		again, err := Parse(canonical)
		if err != nil {
			t.Fatalf("%q becomes %q: %v", line, canonical, err)
		}
		if describe(q) != describe(again) || again.String() != canonical {
			t.Fatalf("%q becomes %q, and then %q", line, canonical, again)
		}
		q.Match(line)
	})
}
