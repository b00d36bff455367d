package rule

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpora returns the folder of public data on toxicity, or skips.
func corpora(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("TREEWARDEN_CORPORA")
	if dir == "" {
		t.Skip("SKIPPED: TREEWARDEN_CORPORA is not set; it names the folder with the word lists that this test reads")
	}
	return filepath.Join(dir, "toxicity")
}

// lists returns the public word lists, by language.
func lists(t testing.TB) map[string][]string {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(corpora(t), "ldnoobw", "*"))
	if len(files) == 0 {
		t.Fatal("there are no word lists")
	}
	lists := map[string][]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lists[filepath.Base(file)] = strings.Split(string(text), "\n")
	}
	return lists
}

// texts returns the texts of a data set.
func texts(t testing.TB, file string) (texts []string) {
	t.Helper()
	packed, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(unpacked)
	for lines.Buffer(nil, 1<<20); lines.Scan(); {
		if column := strings.SplitN(lines.Text(), "\t", 3); len(column) == 3 && column[0] != "label" {
			texts = append(texts, strings.ReplaceAll(column[2], `\n`, "\n"))
		}
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
	return texts
}

// TestRealLists checks that each word of the public lists is found between signs,
// in capitals and in the list's own spelling, as a whole.
func TestRealLists(t *testing.T) {
	for lang, words := range lists(t) {
		m := compiled(t, Rule{Words: words})
		for _, word := range words {
			word = strings.TrimSpace(word)
			if word == "" {
				continue
			}
			for _, spelled := range []string{word, strings.ToUpper(word), strings.Join(strings.Fields(word), "\n ")} {
				text := "«" + spelled + "»."
				found := m.Match(text, lang)
				if len(found) != 1 || text[found[0].Start:found[0].End] != spelled {
					t.Errorf("%s: %q: %v", lang, text, found)
				}
			}
		}
	}
}

// TestOrdinarySentences checks that ordinary sentences of volunteers, in 33
// languages, are not taken for the text of a model or of another language.
func TestOrdinarySentences(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(corpora(t), "sets", "*-tatoeba.tsv.gz"))
	model, language := compiled(t, Rule{Boilerplate: true}), compiled(t, Rule{LanguageMismatch: true})
	read, boilerplate, mismatches := 0, 0, 0
	for _, file := range files {
		lang, _, _ := strings.Cut(filepath.Base(file), "-")
		for _, text := range texts(t, file) {
			read++
			for _, f := range append(model.Match(text, lang), language.Match(text, lang)...) {
				t.Logf("%s: %s: %.80s", lang, f.What, text)
				if f.Part == Boilerplate {
					boilerplate++
				} else {
					mismatches++
				}
			}
		}
	}
	// Two sentences of the Arabic set are Spanish; else there is none of either.
	if boilerplate > 0 || mismatches > 2 {
		t.Errorf("of %d sentences, %d have boilerplate and %d another script", read, boilerplate, mismatches)
	}
}

// benchTexts returns texts of about 500 bytes: joined sentences, mostly English
// as in OASST, or all of one language.
func benchTexts(b *testing.B, lang string) (joined []string, size int64) {
	for _, text := range texts(b, filepath.Join(corpora(b), "sets", lang+".tsv.gz")) {
		if n := len(joined); n > 0 && len(joined[n-1]) < 500 {
			joined[n-1] += " " + text
		} else {
			joined = append(joined, text)
		}
		size += int64(len(text)) + 1
	}
	return joined, size
}

// BenchmarkWords matches the public word lists, and 5,000 made-up words, with
// texts of about 500 bytes. 1.6 million such messages are 800 MB.
func BenchmarkWords(b *testing.B) {
	all := lists(b)
	many := []string{}
	for i := range 5000 {
		many = append(many, fmt.Sprintf("%c%cord%d", 'a'+i%26, 'a'+i/26%26, i))
	}
	for _, c := range []struct {
		name, texts string
		words       []string
	}{
		{"en", "en-wikicontext", all["en"]},
		{"en-5000", "en-wikicontext", many},
		{"de", "de-gahd", all["de"]},
		{"ru", "ru-distorted", all["ru"]},
		{"zh", "zh-cold", all["zh"]},
		{"ko", "ko-beep", all["ko"]},
		{"th", "th-tatoeba", all["th"]},
		{"vi", "vi-thienit", all["en"]},
	} {
		b.Run(c.name, func(b *testing.B) {
			texts, size := benchTexts(b, c.texts)
			m := compiled(b, Rule{Words: c.words})
			b.SetBytes(size)
			found := 0
			for b.Loop() {
				for _, text := range texts {
					found += len(m.Match(text, ""))
				}
			}
			b.ReportMetric(float64(found)/float64(b.N)/float64(len(texts)), "found/text")
		})
	}
}
