package likeness

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func share(a, b []int32) bool {
	return slices.ContainsFunc(a, func(band int32) bool { return slices.Contains(b, band) })
}

// TestWordSketch checks that two texts share a band as often as the documentation
// says.
func TestWordSketch(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	words := func(n int) []string {
		all := make([]string, n)
		for i := range all {
			letters := make([]byte, 8)
			for k := range letters {
				letters[k] = byte('a' + r.IntN(26))
			}
			all[i] = string(letters)
		}
		return all
	}
	const pairs = 3000
	for _, of := range []struct{ common, own int }{{20, 0}, {18, 2}, {20, 5}, {20, 10}, {6, 17}} {
		found := 0
		for range pairs {
			common := words(of.common)
			a := append(words(of.own), common...)
			b := append(slices.Clone(common), words(of.own)...)
			if share(WordSketch(strings.Join(a, " ")), WordSketch(strings.Join(b, "\n"))) {
				found++
			}
		}
		s := float64(of.common) / float64(of.common+2*of.own)
		got, want := float64(found)/pairs, 1-math.Pow(1-math.Pow(s, wordRows), WordBands)
		if math.Abs(got-want) > 0.03 {
			t.Errorf("at %.2f: %.4f of the pairs share a band, want about %.4f", s, got, want)
		}
	}
}

// TestWordSketchFolds checks what does not count.
func TestWordSketchFolds(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{
		{"Buy 100 watches, café!", "cafe\u0301 - BUY  (7) watches"},
		{"今すぐ電話", "今すぐ、電話"},
		{"abc電話def", "abc 電話 def"},
	} {
		if a, b := WordSketch(pair[0]), WordSketch(pair[1]); !share(a, b) {
			t.Errorf("%q and %q share no band", pair[0], pair[1])
		}
	}
	for _, text := range []string{"", " ", "123 ?!", "😀"} {
		if got := WordSketch(text); got != nil {
			t.Errorf("%q has the sketch %v", text, got)
		}
	}
	for _, text := range []string{"x", "電", "電話", "ก", "\xff\xfeab\xff"} {
		if got := WordSketch(text); len(got) != WordBands {
			t.Errorf("%q has the sketch %v", text, got)
		}
	}
}

func words(text string) (all []string) {
	eachWord(text, func(word []byte) { all = append(all, string(word)) })
	return all
}

func TestEachWord(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"One, TWO  3 four5six": {"one", "two", "four", "six"},
		"今すぐ":                  {"今す", "すぐ"},
		"電":                    {"電"},
		"abc電話def":             {"abc", "電話", "def"},
		"abc電def":              {"abc", "電", "def"},
	} {
		if got := words(text); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
