package likeness

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestLikeness(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, a, b string
		want       float64
	}{
		{"both empty", "", "", 1},
		{"empty and white space", "", " \n\t", 1},
		{"empty and letters", "", "hello", 0},
		{"white space, case, punctuation", "Hello,   World!", "hello world", 1},
		{"spaces between letters", "h e l l o w o r l d", "Hello World", 1},
		{"Unicode forms", "caf\u00e9 au lait", "CAFE\u0301 au lait", 1},
		{"wide letters", "Ｈｅｌｌｏ world", "hello world", 1},
		{"short and equal", "ok", "OK!", 1},
		{"short and different", "ok", "no", 0},
		{"short is no part of long", "hell", "hello", 0},
		{"symbols alone, equal", "👍 👍", "👍  👍", 1},
		{"symbols alone, different", "👍", "👎", 0},
		{"one letter more", "abcdefghij", "abcdefghijk", 6.0 / 7},
		{"half of the letters", "abcdefghij", "abcdefg", 3.0 / 6},
		{"a text twice has new shingles at the seam", "abcdefg", "abcdefgabcdefg", 3.0 / 7},
		{"Chinese", "我今天去北京旅游了", "我今天去北京旅游吧", 4.0 / 6},
		{"Japanese and Thai", "東京に行きました", "สวัสดีครับผม", 0},
		{"Thai without punctuation", "สวัสดีครับ ผม", "สวัสดีครับผม!", 1},
	}
	for _, tt := range tests {
		if got := Likeness(tt.a, tt.b); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
		if back := Likeness(tt.b, tt.a); back != Likeness(tt.a, tt.b) {
			t.Errorf("%s: the likeness depends on the order", tt.name)
		}
	}
}

// TestLikenessIsExact compares the likeness with one that is computed from sets of
// strings.
func TestLikenessIsExact(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	set := func(text string) map[string]bool {
		runes, all := []rune(text), map[string]bool{}
		for i := 0; i+shingleLetters <= len(runes); i++ {
			all[string(runes[i:i+shingleLetters])] = true
		}
		return all
	}
	for range 300 {
		a := letters(random, 20+random.IntN(300), 3) // few letters: many shingles come twice
		b := change(random, a, random.IntN(8), 3)
		both, one, other := 0, set(a), set(b)
		for s := range one {
			if other[s] {
				both++
			}
		}
		want := float64(both) / float64(len(one)+len(other)-both)
		if got := Likeness(a, b); math.Abs(got-want) > 1e-12 {
			t.Fatalf("%q, %q: got %v, want %v", a, b, got, want)
		}
	}
}

// letters returns a random text of n letters out of the first kinds of the Latin
// alphabet.
func letters(random *rand.Rand, n, kinds int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = byte('a' + random.IntN(kinds))
	}
	return string(text)
}

// change returns a text with n of its letters replaced.
func change(random *rand.Rand, text string, n, kinds int) string {
	changed := []byte(text)
	for range n {
		changed[random.IntN(len(changed))] = byte('a' + random.IntN(kinds))
	}
	return string(changed)
}

// TestChanceOfSharedBand measures how many pairs of a likeness share a band. It
// makes the pairs of texts of three lengths, and takes those whose exact likeness
// is near the one wanted.
func TestChanceOfSharedBand(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	const fewest = 500
	most := 1500
	if testing.Short() {
		most = fewest
	}
	for _, length := range []int{60, 200, 1000} {
		for _, tt := range []struct{ likeness, least, most float64 }{
			{0.1, 0, 0.01}, {0.3, 0, 0.08}, {0.7, 0.60, 0.92}, {0.8, 0.88, 1}, {0.9, 0.98, 1},
		} {
			pairs, shared := 0, 0
			for range 40_000 {
				if pairs == most {
					break
				}
				a, b := pairOf(random, length, tt.likeness)
				if s := Likeness(a, b); math.Abs(s-tt.likeness) > 0.03 {
					continue
				}
				pairs++
				if share := Sketch(b); slices.ContainsFunc(Sketch(a), func(v int32) bool { return slices.Contains(share, v) }) {
					shared++
				}
			}
			if pairs < fewest {
				t.Fatalf("%d letters, likeness %v: only %d pairs", length, tt.likeness, pairs)
			}
			got := float64(shared) / float64(pairs)
			t.Logf("%d letters, likeness %v: %.4f of %d pairs share a band", length, tt.likeness, got, pairs)
			if got < tt.least || got > tt.most {
				t.Errorf("%d letters, likeness %v: %v share a band, want %v to %v", length, tt.likeness, got, tt.least, tt.most)
			}
		}
	}
}

// pairOf returns two texts with about a likeness. Those of less than 0.5 share
// their beginnings; the others differ in letters here and there.
func pairOf(random *rand.Rand, length int, likeness float64) (a, b string) {
	a = letters(random, length, 26)
	shingles := float64(length - shingleLetters + 1)
	if likeness < 0.5 {
		common := int(2*likeness/(1+likeness)*shingles) + shingleLetters - 1
		return a, a[:common] + letters(random, length-common, 26)
	}
	// A changed letter changes up to 5 shingles.
	changed := shingles * (1 - likeness) / (1 + likeness) / shingleLetters
	return a, change(random, a, int(changed+random.Float64()*2), 26)
}

func TestSketch(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "  \n", "?!?!?!?!?!?!?!?!", "Thank you!", "👍👍👍👍👍👍👍👍👍👍👍👍", "谢谢你的回答啊"} {
		if got := Sketch(text); got != nil {
			t.Errorf("%q has a sketch", text)
		}
	}
	a, b := Sketch("The quick brown fox jumps."), Sketch("the QUICK brown-fox  jumps")
	if len(a) != Bands || !slices.Equal(a, b) {
		t.Errorf("texts with the same letters have the sketches %v and %v", a, b)
	}
	if len(Sketch("我今天去北京旅游了很开心")) != Bands {
		t.Error("a text of 12 Chinese letters has no sketch")
	}
	long := strings.Repeat("abcdefgh ", 50_000)
	if len(Sketch(long)) != Bands {
		t.Error("a long text has no sketch")
	}
}

// TestSketchStays holds the sketch of a text: stored ones would not be found any
// more if it changed.
func TestSketchStays(t *testing.T) {
	t.Parallel()
	want := "[517952767 1201356455 -2094228701 -722887273 -986465521 -1326563144 -1972137311 -1613816450]"
	if got := fmt.Sprint(Sketch("Can you write a short introduction about monopsony?")); got != want {
		t.Errorf("got %s, want %s; a change needs a migration that sketches all texts again", got, want)
	}
}

func FuzzSketch(f *testing.F) {
	f.Add("Hello, World! Straße ﬁ Ａ \x00 \xff สวัสดีครับ")
	f.Fuzz(func(t *testing.T, text string) {
		if n := len(Sketch(text)); n != 0 && n != Bands {
			t.Errorf("%d bands", n)
		}
		if Likeness(text, text) != 1 {
			t.Error("a text is not like itself")
		}
	})
}

// benchText is a text of about 500 characters, as messages are on average.
var benchText = strings.Repeat("It's a market with one buyer; see the labour market of a company town. ", 7)

func BenchmarkSketch(b *testing.B) {
	b.SetBytes(int64(len(benchText)))
	for b.Loop() {
		Sketch(benchText)
	}
}

func BenchmarkLikeness(b *testing.B) {
	other := strings.ReplaceAll(benchText, "buyer", "seller")
	b.SetBytes(int64(len(benchText)))
	for b.Loop() {
		Likeness(benchText, other)
	}
}
