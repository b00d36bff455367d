package linear

import (
	"context"
	"crypto/sha256"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"treewarden/scoring/classifier"
)

var _ classifier.Classifier = (*Model)(nil)

func scoreOf(t *testing.T, m *Model, text string) float64 {
	t.Helper()
	out := make([]float64, len(m.Outputs()))
	m.Score(text, out)
	return out[slices.Index(m.Outputs(), classifier.Toxicity)]
}

func TestDefault(t *testing.T) {
	t.Parallel()
	if _, err := Decode(defaultFile); err != nil {
		t.Fatal(err)
	}
	if most := 6 << 20; len(defaultFile) > most {
		t.Errorf("the file has %d bytes, %d are the most", len(defaultFile), most)
	}
	m := Default()
	if got, want := m.Outputs(), []string{classifier.Toxicity, classifier.Spam}; !slices.Equal(got, want) {
		t.Errorf("the outputs are %q, want %q", got, want)
	}
	if m.Version() == "" {
		t.Error("the model has no version")
	}
	for _, c := range []struct {
		output, lang string
		want         bool
	}{
		{classifier.Toxicity, "en", true}, {classifier.Toxicity, "tr", true}, {classifier.Toxicity, "th", false},
		{classifier.Toxicity, "", false}, {classifier.Toxicity, "ja", false},
		{classifier.Spam, "ru", true}, {classifier.Spam, "tr", false},
		{"insult", "en", false},
	} {
		if got := m.Measured(c.output, c.lang); got != c.want {
			t.Errorf("%s in %q is measured: %v", c.output, c.lang, got)
		}
	}
}

// TestOrder checks that the model learned something, in several languages.
func TestOrder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rude, plain string }{
		{"You are a stupid idiot, shut up.", "You are a good teacher, thank you."},
		{"Du bist so ein dummer Idiot!", "Du bist eine gute Lehrerin!"},
		{"Ты просто идиот и дурак", "Ты просто молодец и друг"},
		{"Ești un prost și un idiot", "Ești un om bun și harnic"},
	} {
		if rude, plain := scoreOf(t, Default(), c.rude), scoreOf(t, Default(), c.plain); rude < plain+0.1 {
			t.Errorf("%q has %.2f, %q has %.2f", c.rude, rude, c.plain, plain)
		}
	}
	m, out := Default(), make([]float64, 2)
	m.Score("URGENT! You have won a 1000 cash prize. Call 09012345678 now to claim, txt STOP to end", out)
	if out[1] < 0.5 {
		t.Errorf("an advertisement has the spam %.2f", out[1])
	}
	m.Score("Shall we meet for lunch at one?", out)
	if out[1] > 0.2 {
		t.Errorf("a plain message has the spam %.2f", out[1])
	}
}

// TestEvasion checks that spellings that shall deceive a filter have about the
// score of the plain one.
func TestEvasion(t *testing.T) {
	t.Parallel()
	m := Default()
	plain := scoreOf(t, m, "You are such a stupid idiot")
	clean := scoreOf(t, m, "You are such a lovely person")
	for name, c := range map[string]struct {
		text string
		near float64 // the greatest distance from the score of the plain spelling
	}{
		"zero-width characters": {"You are such a stu\u200bpid id\u200d\u2060iot", 0.001},
		"soft hyphens":          {"You are such a stu\u00adpid id\u00adiot", 0.001},
		"full width":            {"You are such a ｓｔｕｐｉｄ ｉｄｉｏｔ", 0.001},
		"styled letters":        {"You are such a 𝐬𝐭𝐮𝐩𝐢𝐝 𝓲𝓭𝓲𝓸𝓽", 0.001},
		"combining marks":       {"You are such a s\u0336t\u0336u\u0336p\u0336i\u0336d\u0336 i\u0301d\u0308iot", 0.001},
		"capitals":              {"YoU aRe SuCh A sTuPiD iDiOt", 0.001},
		"digits for letters":    {"You are such a 5tup1d 1d10t", 0.001},
		"signs for letters":     {"You are such a stup!d idi0t", 0.001},
		"Cyrillic look-alikes":  {"You are such a stuріd іdіоt", 0.15},
		"repeated letters":      {"You are such a stuuuuupid idiiiiot", 0.25},
	} {
		if got := scoreOf(t, m, c.text); math.Abs(got-plain) > c.near {
			t.Errorf("%s: %.3f, the plain spelling has %.3f", name, got, plain)
		}
	}
	if spaced := scoreOf(t, m, "You are such a s t u p i d i.d.i.o.t"); spaced < clean {
		t.Errorf("letters with spaces: %.3f, a clean text has %.3f", spaced, clean)
	}
}

// TestOddTexts checks that each text has scores between 0 and 1.
func TestOddTexts(t *testing.T) {
	t.Parallel()
	texts := []string{
		"", " ", "\x00", "\xff\xfe\x80", "a", "🙂", "👩🏽‍❤️‍👩🏽🏳️‍🌈",
		"!!!!!!", "@", "*", "a*", "a**", "@@@@a", "\u0301", "\u200b",
		strings.Repeat("a", 100_000), strings.Repeat("a ", 50_000), strings.Repeat("字", 40_000),
		strings.Repeat("e\u0301\u0302\u0303", 20_000), strings.Repeat("\u0301", 50_000), strings.Repeat("\xf0\x9f", 50_000),
		strings.Repeat("ﷺ", 30_000), strings.Repeat("you idiot ", 20_000), "<user> <url> [URL] @user http://a.example/b",
	}
	words := new(strings.Builder)
	for i := range 40_000 {
		words.WriteRune(rune('a' + i%26))
		words.WriteRune(rune('а' + i/26%32))
		words.WriteRune(rune('一' + i))
	}
	texts = append(texts, words.String())
	all, err := Default().Classify(context.Background(), texts)
	if err != nil {
		t.Fatal(err)
	}
	for i, scores := range all {
		if len(scores) != 2 {
			t.Errorf("%.20q has %d outputs", texts[i], len(scores))
		}
		for name, score := range scores {
			if !(score >= 0 && score <= 1) {
				t.Errorf("%.20q has the %s %v", texts[i], name, score)
			}
		}
	}
}

func FuzzScore(f *testing.F) {
	for _, text := range []string{"You idiot", "f*ck", "@user ❤️ 作为 AI", "и́дuот", "\xff", "a.b.c"} {
		f.Add(text)
	}
	out := make([]float64, 2)
	f.Fuzz(func(t *testing.T, text string) {
		Default().Score(text, out)
		for _, score := range out {
			if !(score >= 0 && score <= 1) {
				t.Errorf("%q has %v", text, out)
			}
		}
	})
}

func TestClassifyStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if scores, err := Default().Classify(ctx, []string{"a"}); !errors.Is(err, context.Canceled) || scores != nil {
		t.Errorf("got %v, %v", scores, err)
	}
}

// TestSameScores checks that scores do not depend on the texts before, on the
// cache of words, or on other goroutines.
func TestSameScores(t *testing.T) {
	t.Parallel()
	texts := sampleTexts(200)[:21]
	if testing.Short() {
		texts = texts[:7] // each takes a new model
	}
	want := make([]float64, len(texts))
	for i, text := range texts {
		m, err := Decode(defaultFile)
		if err != nil {
			t.Fatal(err)
		}
		want[i] = scoreOf(t, m, text)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 50 {
				for i, text := range texts {
					out := make([]float64, 2)
					if Default().Score(text, out); out[0] != want[i] {
						t.Errorf("%.30q has %v, and %v in a new model", text, out[0], want[i])
					}
				}
			}
		})
	}
	group.Wait()
}

// TestAllocations keeps one scorer, as Score does with its pool: the race detector has a
// pool lose some of what it holds.
func TestAllocations(t *testing.T) {
	texts, s := sampleTexts(50), newScorer(Default())
	for _, text := range texts {
		s.score(text)
	}
	if n := testing.AllocsPerRun(20, func() {
		for _, text := range texts {
			s.score(text)
		}
	}); n != 0 {
		t.Errorf("%v allocations for %d texts", n, len(texts))
	}
}

// small returns the file of a small model.
func small(t *testing.T) []byte {
	t.Helper()
	file := Encode("7", []Output{
		{Name: "toxicity", Languages: []string{"tr", "en"}, Weights: []float32{0, 1, -1, 0.5}, Slope: 2, Offset: -1},
	})
	if again := Encode("7", []Output{
		{Name: "toxicity", Languages: []string{"en", "tr"}, Weights: []float32{0, 1, -1, 0.5}, Slope: 2, Offset: -1},
	}); string(again) != string(file) {
		t.Error("the same model has other bytes")
	}
	return file
}

func TestFile(t *testing.T) {
	t.Parallel()
	m, err := Decode(small(t))
	if err != nil {
		t.Fatal(err)
	}
	o := m.outputs[0]
	if m.Version() != "7" || o.name != "toxicity" || !slices.Equal(o.languages, []string{"en", "tr"}) ||
		!slices.Equal(m.table.weights, []int8{0, 127, -127, 64}) || o.slope != 2 || o.offset != -1 {
		t.Errorf("decoded %+v", m)
	}
}

func TestDamagedFile(t *testing.T) {
	t.Parallel()
	file := small(t)
	for i := range file {
		damaged := slices.Clone(file)
		damaged[i] ^= 0x10
		if _, err := Decode(damaged); !errors.Is(err, ErrDamaged) {
			t.Errorf("with another byte %d the error is %v", i, err)
		}
		if _, err := Decode(file[:i]); !errors.Is(err, ErrDamaged) {
			t.Errorf("with %d bytes the error is %v", i, err)
		}
	}
	// A file whose checksum fits is read to its end without a panic.
	const body = len(magic) + 4 + sha256.Size
	for i := body; i < len(file); i++ {
		for _, b := range []byte{0, 1, 0x7f, 0xff} {
			damaged := slices.Clone(file)
			damaged[i] = b
			sum := sha256.Sum256(damaged[body:])
			copy(damaged[body-sha256.Size:], sum[:])
			if m, err := Decode(damaged); err == nil {
				scoreOfAny(m)
			} else if !errors.Is(err, ErrDamaged) {
				t.Errorf("byte %d as %d: %v", i, b, err)
			}
		}
	}
}

func scoreOfAny(m *Model) { m.Score("some text", make([]float64, len(m.Outputs()))) }

// TestSeen compares a set with a map, from few hashes to more than it holds.
func TestSeen(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8))
	s := newSeen()
	for _, n := range []int{20_000, 0, 10, 1000} { // a smaller set after a greater one
		s.clear(n / 4)
		want := map[uint64]bool{}
		for range n {
			hash := random.Uint64N(uint64(n)) * multiplier
			if hash == 0 {
				continue // it is taken for 1
			}
			isNew := !want[hash] && len(want) < 3<<(seenBits-2)
			if got := s.add(hash); got != isNew {
				t.Fatalf("hash %d of %d: new is %v, want %v", len(want), n, got, isNew)
			}
			if isNew {
				want[hash] = true
			}
		}
	}
}

// TestTable checks that each feature finds its weights, with outputs that have
// different numbers of them.
func TestTable(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(9, 10))
	for _, lengths := range [][]int{{64, 16}, {16, 64}, {32, 32}, {8}, {1, 4}} {
		var outputs [][]int8
		for _, n := range lengths {
			weights := make([]int8, n)
			for i := range weights {
				weights[i] = int8(random.IntN(255) - 127)
			}
			outputs = append(outputs, weights)
		}
		table := newTable(outputs)
		for f := range uint32(256) {
			var got sums
			table.add([]uint32{f}, &got)
			for i, weights := range outputs {
				if want := int32(weights[int(f)&(len(weights)-1)]); got.of[i] != want {
					t.Fatalf("with %v weights, feature %d has %d in output %d, want %d", lengths, f, got.of[i], i, want)
				}
			}
		}
	}
}

// TestPlainWords checks that a word whose letters stand for themselves is the same
// as one that normalize has looked at.
func TestPlainWords(t *testing.T) {
	t.Parallel()
	r := newReader()
	for c := range rune(letterTableSize) {
		for _, word := range [][]rune{{c, c, 'z'}, {c, 'z', 'а'}, {c, 'я', 'я'}, {c, c}, {c, 'ω', '字'}} {
			var all traits
			for _, l := range word {
				all |= traitsOf(l)
			}
			r.raw = append(r.raw[:0], word...)
			r.normalize()
			if all.plain() && !slices.Equal(r.raw, word) {
				t.Errorf("%q is plain, but becomes %q", string(word), string(r.raw))
			}
		}
	}
	r.raw = append(r.raw[:0], []rune("stupid")...)
	if r.squeeze(r.raw, 2) || hashWord(r.short) != hashWord(r.raw) {
		t.Error("a word without repeated letters was changed")
	}
}

// TestSingleLetters checks that single letters make a word, and that the word after
// them is read too.
func TestSingleLetters(t *testing.T) {
	t.Parallel()
	r := newReader()
	r.read("i d i o t hello")
	var words []string
	for _, it := range r.items {
		if it.isWord() {
			words = append(words, string(r.letters[it.from:it.to]))
		}
	}
	if want := []string{"i", "d", "o", "t", "idiot", "hello"}; !slices.Equal(words, want) {
		t.Errorf("the words are %q, want %q", words, want)
	}
}
