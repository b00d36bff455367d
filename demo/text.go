package demo

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// textLimit is the length that the collection's forms allow, in characters.
const textLimit = 2000

// subject is the subject of a conversation, which its replies keep.
type subject struct {
	language *language
	topic    *topic
	pair     *[2]string // set if the prompt compares two things
}

// prompt writes a prompt and returns it with its subject.
func (g *generator) prompt(t *language) (string, subject) {
	about := subject{language: t, topic: &t.topics[g.rand.IntN(len(t.topics))]}
	var text string
	switch n := g.rand.IntN(10); {
	case n < 6:
		text = fill(g.pick(t.ask), "task", g.pick(about.topic.tasks))
	case n < 8:
		pair := about.topic.pairs[g.rand.IntN(len(about.topic.pairs))]
		about.pair = &pair
		text = fill(fill(g.pick(t.compare), "a", pair[0]), "b", pair[1])
	default:
		text = g.pick(about.topic.questions)
	}
	switch n := g.rand.IntN(10); {
	case n < 3:
		text += " " + g.pick(t.context)
	case n < 4:
		text = g.pick(t.context) + " " + text
	case n < 5:
		text += "\n\n" + strings.Join(g.some(t.context, 2), " ")
	}
	return text, about
}

// followUp writes a prompter's reply to an answer.
func (g *generator) followUp(about subject) string {
	text := fill(g.pick(about.language.follow), "task", g.pick(about.topic.tasks))
	if g.chance(0.2) {
		text += " " + g.pick(about.language.context)
	}
	return text
}

// answer writes an assistant's reply in one of several forms, as people do: a
// paragraph, a list, headings, a table, code, and sometimes an essay up to the
// limit.
func (g *generator) answer(about subject) string {
	t := about.language
	tips := g.some(slices.Concat(about.topic.tips, g.some(t.advice, 2)), 3+g.rand.IntN(4))
	var parts []string
	switch n := g.rand.IntN(100); {
	case about.pair != nil && n < 45:
		parts = []string{g.pick(t.open), g.table(about), strings.Join(tips[:2], " ")}
	case about.topic.name == "code" && n < 50:
		parts = []string{g.pick(t.open), g.pick(snippets), strings.Join(tips, " ")}
	case n < 5:
		return g.essay(about)
	case n < 40:
		parts = []string{g.pick(t.open) + " " + strings.Join(tips, " ")}
	case n < 60:
		parts = []string{g.pick(t.open), list(tips, true), g.pick(t.close)}
	case n < 75:
		parts = []string{g.pick(t.open), list(tips, false)}
	case n < 85:
		parts = []string{"## " + t.head[0], list(tips[:2], false), "## " + t.head[1], list(tips[2:], true), "**" + t.head[3] +
			":** " + g.pick(t.close)}
	case n < 92:
		parts = []string{strings.Join(tips[:2], " ")}
	default:
		parts = []string{g.pick(t.open), strings.Join(tips[:2], " "), strings.Join(tips[2:], " "), g.pick(t.close)}
	}
	return cut(strings.Join(parts, "\n\n"))
}

// essay adds sentences until the text is near the limit, or the language has no
// more sentences.
func (g *generator) essay(about subject) string {
	t := about.language
	text := "# " + capital(g.pick(about.topic.tasks)) + "\n\n" + g.pick(t.open)
	for i, head := range t.head {
		next := "\n\n## " + head + "\n\n" + list(g.some(about.topic.tips, len(about.topic.tips)), i%2 == 1)
		if i > 0 {
			other := &t.topics[g.rand.IntN(len(t.topics))]
			next = "\n\n## " + head + "\n\n> " + g.pick(other.questions) + "\n\n" + strings.Join(g.some(other.tips, 6), " ") +
				"\n\n" + list(g.some(t.advice, 3), i%2 == 1)
		}
		if utf8.RuneCountInString(text+next) > textLimit {
			break
		}
		text += next
	}
	// Add the last sentences one by one, so that some texts end just below the
	// limit.
	between := "\n\n"
	for _, sentence := range g.some(slices.Concat(t.advice, t.close), 12) {
		if utf8.RuneCountInString(text+between+sentence) > textLimit {
			break
		}
		text += between + sentence
		between = " "
	}
	return text
}

// table writes a comparison of the two things in a prompt.
func (g *generator) table(about subject) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| | %s | %s |\n|---|---|---|", capital(about.pair[0]), capital(about.pair[1]))
	for _, criterion := range about.language.criterion {
		fmt.Fprintf(&b, "\n| %s | %s | %s |", criterion, g.stars(), g.stars())
	}
	return b.String()
}

func (g *generator) stars() string {
	n := 1 + g.rand.IntN(5)
	return strings.Repeat("★", n) + strings.Repeat("☆", 5-n)
}

// poor writes the text of an honest but hasty contributor, which is very short.
func (g *generator) poor(about subject, role string) string {
	if role == "prompter" {
		return g.pick(about.language.flood) + "?"
	}
	return g.pick(about.topic.tips)
}

// snippets are the code blocks of answers about programming. They are the same
// in every language.
var snippets = []string{
	"```python\nwith open(\"big.txt\", encoding=\"utf-8\") as lines:\n" +
		"    for number, line in enumerate(lines, 1):\n        print(number, line.rstrip())\n```",
	"```python\nseen = set()\nunique = [x for x in items if not (x in seen or seen.add(x))]\n```",
	"```sh\ngit reset --soft HEAD~1\ngit status\n```",
	"```sql\nEXPLAIN (ANALYZE, BUFFERS)\nSELECT name, count(*) FROM visits\nWHERE day >= '2026-01-01' GROUP BY name " +
		"ORDER BY 2 DESC;\n```",
	"```go\nfunc TestGreeting(t *testing.T) {\n\tnow := time.Date(2026, 1, 2, 9, 0, 0, 0, time.UTC)\n" +
		"\tif got := greeting(now); got != \"Good morning\" {\n\t\tt.Errorf(\"greeting(%v) = %q\", now, got)\n\t}\n}\n```",
	"```js\nconst words = [\"öl\", \"apfel\", \"zebra\"];\nwords.sort(new Intl.Collator(\"de\").compare);\n```",
	"```python\ndef factorial(n):\n    return 1 if n < 2 else n * factorial(n - 1)\n```",
	"Use `==` to compare and `=` to assign:\n\n```c\nif (x == 3) {\n    puts(\"<three> & more\");\n}\n```",
}

// list writes sentences as a Markdown list.
func list(sentences []string, numbered bool) string {
	lines := make([]string, len(sentences))
	for i, s := range sentences {
		if numbered {
			lines[i] = fmt.Sprintf("%d. %s", i+1, s)
		} else {
			lines[i] = "- " + s
		}
	}
	return strings.Join(lines, "\n")
}

// fill puts a clause into a form, with a capital if the form has {Task} instead
// of {task}.
func fill(form, name, clause string) string {
	return strings.NewReplacer("{"+name+"}", clause, "{"+capital(name)+"}", capital(clause)).Replace(form)
}

// cut shortens a text to the limit of the collection's forms.
func cut(text string) string {
	if utf8.RuneCountInString(text) <= textLimit {
		return text
	}
	return string([]rune(text)[:textLimit])
}
