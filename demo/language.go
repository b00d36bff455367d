package demo

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

//go:embed languages/*.txt
var languageFiles embed.FS

// language is the vocabulary of one language. Its whole clauses can be combined
// without inflection, because every form uses a verb phrase ({task}, {Task}
// with a capital) or two nouns ({a}, {b}, {A}).
type language struct {
	code  string
	share float64 // of all trees, in percent

	given, family, handle                   []string
	ask, compare, context, follow           []string
	open, close, advice, head, criterion    []string
	flood, insult, abuse, slur, ad, product []string
	// Reasons of reports, in this order: advertising, insults, wrong language,
	// the same text again, and then any other.
	report []string
	topics []topic
}

// topic is one subject of prompts.
type topic struct {
	name      string
	tasks     []string
	pairs     [][2]string
	questions []string
	tips      []string
}

// languages reads the vocabularies once, in the order of their share.
var languages = sync.OnceValue(func() []*language {
	list, err := readLanguages(languageFiles)
	if err != nil {
		panic(err) // they are embedded, and a test reads them
	}
	return list
})

// Languages lists the codes of the languages that a corpus holds, the most
// used first.
func Languages() []string {
	var codes []string
	for _, t := range languages() {
		codes = append(codes, t.code)
	}
	return codes
}

func readLanguages(files fs.FS) ([]*language, error) {
	names, err := fs.Glob(files, "languages/*.txt")
	if err != nil {
		return nil, fmt.Errorf("list the vocabularies: %w", err)
	}
	var list []*language
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read a vocabulary: %w", err)
		}
		t := &language{code: strings.TrimSuffix(path.Base(name), ".txt")}
		for i, line := range strings.Split(string(text), "\n") {
			if strings.TrimSpace(line) == "" {
				continue
			}
			if err := t.read(line); err != nil {
				return nil, fmt.Errorf("%s, line %d: %w", name, i+1, err)
			}
		}
		list = append(list, t)
	}
	slices.SortStableFunc(list, func(a, b *language) int { return int(b.share*100) - int(a.share*100) })
	return list, nil
}

// read reads one line of a vocabulary, "key: value". The lines of a topic
// follow the line with its name.
func (t *language) read(line string) error {
	key, value, ok := strings.Cut(line, ": ")
	if !ok {
		return fmt.Errorf("%q is not of the form key: value", line)
	}
	// These values are a list with one word per line.
	words := map[string]*[]string{
		"given": &t.given, "family": &t.family, "handle": &t.handle, "head": &t.head,
		"criterion": &t.criterion, "slur": &t.slur, "product": &t.product,
	}
	sentences := map[string]*[]string{
		"ask": &t.ask, "compare": &t.compare, "context": &t.context, "follow": &t.follow, "open": &t.open,
		"close": &t.close, "advice": &t.advice, "report": &t.report, "flood": &t.flood, "insult": &t.insult,
		"abuse": &t.abuse, "ad": &t.ad,
	}
	switch {
	case words[key] != nil:
		for word := range strings.SplitSeq(value, ",") {
			*words[key] = append(*words[key], strings.TrimSpace(word))
		}
		return nil
	case sentences[key] != nil:
		*sentences[key] = append(*sentences[key], value)
		return nil
	case key == "topic":
		t.topics = append(t.topics, topic{name: value})
		return nil
	case key == "share":
		share, err := strconv.ParseFloat(value, 64)
		t.share = share
		return err
	case len(t.topics) == 0:
		return fmt.Errorf("%s is not known, or stands before the first topic", key)
	}
	return t.topics[len(t.topics)-1].read(key, value)
}

func (t *topic) read(key, value string) error {
	switch key {
	case "task":
		t.tasks = append(t.tasks, value)
	case "question":
		t.questions = append(t.questions, value)
	case "tip":
		t.tips = append(t.tips, value)
	case "pair":
		a, b, ok := strings.Cut(value, " | ")
		if !ok {
			return fmt.Errorf("the pair %q has no |", value)
		}
		t.pairs = append(t.pairs, [2]string{a, b})
	default:
		return fmt.Errorf("%s is not known", key)
	}
	return nil
}

// capital returns a clause with a capital first letter, in the scripts that
// have capitals.
func capital(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}
