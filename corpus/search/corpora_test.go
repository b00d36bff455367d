package search

import (
	"bufio"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/words"
	"golang.org/x/text/unicode/norm"

	"treewarden/scoring/fold"
)

// texts returns the texts of the public data sets, by the name of their file.
func texts(t testing.TB, pattern string) map[string][]string {
	t.Helper()
	dir := os.Getenv("TREEWARDEN_CORPORA")
	if dir == "" {
		t.Skip("SKIPPED: TREEWARDEN_CORPORA is not set; it names the folder with the texts that this test reads")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "toxicity", "sets", pattern))
	if len(files) == 0 {
		t.Fatal("there are no texts")
	}
	all := map[string][]string{}
	for _, file := range files {
		name, _, _ := strings.Cut(filepath.Base(file), ".")
		packed, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		unpacked, err := gzip.NewReader(packed)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(unpacked)
		for lines.Buffer(nil, 1<<20); lines.Scan(); {
			if column := strings.SplitN(lines.Text(), "\t", 3); len(column) == 3 && column[0] != "label" {
				all[name] = append(all[name], strings.ReplaceAll(column[2], `\n`, "\n"))
			}
		}
		if lines.Err() != nil {
			t.Fatal(lines.Err())
		}
		if err := packed.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// first returns some of the texts: n, or a fifth of that in a short run.
func first(texts []string, n int) []string {
	if testing.Short() {
		n /= 5
	}
	return texts[:min(len(texts), n)]
}

// TestRealTexts looks for each word of real texts, and for pairs of words as
// phrases, in the text as it is, in capitals and in the other Unicode form.
func TestRealTexts(t *testing.T) {
	t.Parallel()
	for name, all := range texts(t, "*-tatoeba.tsv.gz") {
		looked := 0
		for _, text := range first(all, 150) {
			spelled := []string{text, strings.ToUpper(text), norm.NFD.String(text)}
			fields := strings.Fields(text)
			for i, field := range fields {
				queries := []Query{{Groups: [][]Part{{{Text: field, pattern: newPattern(Word, field)}}}}}
				if i > 0 {
					pair := fields[i-1] + " " + field
					queries = append(queries, Query{Groups: [][]Part{{{Text: pair, pattern: newPattern(Phrase, pair)}}}})
				}
				for _, q := range queries {
					if q.Groups[0][0].pattern == nil { // punctuation alone
						continue
					}
					looked++
					for _, text := range spelled {
						if marked, ok := checkMatch(t, q, text); !ok || len(marked) == 0 || !q.Fits(text) {
							t.Errorf("%s: %q is not found in %q", name, q.Groups[0][0].Text, text)
						}
					}
				}
			}
		}
		if looked == 0 {
			t.Errorf("%s: no words were looked for", name)
		}
	}
}

// TestOtherTexts looks for words of some texts in others, so that what the index
// needs is compared with texts that match for another reason, or not.
func TestOtherTexts(t *testing.T) {
	t.Parallel()
	for name, all := range texts(t, "*-tatoeba.tsv.gz") {
		found, wrong := 0, 0
		all = first(all, 100)
		for i, text := range all {
			field := strings.Fields(text)[0]
			p := newPattern(Word, field)
			if p == nil {
				continue
			}
			q := Query{Groups: [][]Part{{{Text: field, pattern: p}}}}
			for k, other := range all {
				_, ok := checkMatch(t, q, other)
				if ok {
					found++
				} else if holds(q.Needs(), Terms(other, nil)) {
					wrong++
				}
				if i == k && !ok {
					t.Errorf("%s: %q is not found in its text", name, field)
				}
			}
		}
		if wrong > found/10+1 {
			t.Errorf("%s: the terms find %d texts that do not match, and %d that do", name, wrong, found)
		}
	}
}

// TestWordsOfUnicode checks that no word crosses a boundary of Unicode's rules (UAX
// #29), as another library finds them in the folded text. Real texts hold this; a
// few signs that are no letters of a living language, such as ➓, do not.
func TestWordsOfUnicode(t *testing.T) {
	t.Parallel()
	for name, all := range texts(t, "*-tatoeba.tsv.gz") {
		for _, text := range first(all, len(all)) {
			if after := crossed(text); after != "" {
				t.Errorf("%s: %q: a word goes on over the boundary before %q", name, text, after)
			}
		}
	}
}

// crossed returns what follows a boundary inside one of our words; "" without one.
func crossed(text string) string {
	f := fold.Get()
	defer f.Release()
	f.Fold(text)
	var folded strings.Builder
	for _, u := range f.Units {
		folded.WriteRune(u.Rune)
	}
	boundary, pieces := map[int]bool{}, words.FromString(folded.String())
	for at := 0; pieces.Next(); {
		at += len(pieces.Value())
		boundary[at] = true
	}
	at := 0
	for i := range f.Units {
		if boundary[at] && i > 0 && isWord(&f.Units[i-1]) && isWord(&f.Units[i]) {
			return folded.String()[at:]
		}
		at += utf8.RuneLen(f.Units[i].Rune)
	}
	return ""
}

// BenchmarkTerms makes the terms of joined sentences of about 500 bytes.
func BenchmarkTerms(b *testing.B) {
	for _, name := range []string{
		"en-wikicontext", "de-gahd", "ru-distorted", "zh-cold", "ko-beep", "th-tatoeba", "ar-mpold",
	} {
		b.Run(name, func(b *testing.B) {
			var joined []string
			size, terms := 0, 0
			for _, text := range texts(b, name+".tsv.gz")[name] {
				if n := len(joined); n > 0 && len(joined[n-1]) < 500 {
					joined[n-1] += " " + text
				} else {
					joined = append(joined, text)
				}
				size += len(text) + 1
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			dst := Terms("a", nil) // makes the tables of folding
			for b.Loop() {
				terms = 0
				for _, text := range joined {
					dst = Terms(text, dst)
					terms += len(dst)
				}
			}
			b.ReportMetric(float64(terms)/float64(len(joined)), "terms/text")
			b.ReportMetric(float64(len(joined)), "texts")
		})
	}
}

func BenchmarkMatch(b *testing.B) {
	all := texts(b, "en-wikicontext.tsv.gz")["en-wikicontext"]
	size := 0
	for _, text := range all {
		size += len(text)
	}
	for _, line := range []string{"people", `"of the"`, "/https?:/", "a b c d e f g h"} {
		b.Run(line, func(b *testing.B) {
			q, err := Parse(line)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				for _, text := range all {
					q.Match(text)
				}
			}
		})
	}
}
