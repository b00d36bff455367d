package main

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"treewarden/scoring/classifier"
	"treewarden/scoring/classifier/linear"
)

// generated returns sets of generated texts: those with the word "idiot" are
// toxic, those with "prize" are spam.
func generated() []*set {
	random := rand.New(rand.NewPCG(3, 4))
	make := func(name, output string, use use, n int, marker string) *set {
		s := &set{name: name, output: output, use: use}
		for i := range n {
			text := ""
			for range 6 + random.IntN(6) {
				text += fmt.Sprintf("word%c%c ", 'a'+random.IntN(20), 'a'+random.IntN(20))
			}
			r := row{text: text, kind: "en"}
			if i%3 == 0 && marker != "" {
				r.text, r.label = text+marker, 1
			}
			s.rows = append(s.rows, r)
		}
		return s
	}
	sets := []*set{
		make("en-rude", classifier.Toxicity, natural, 900, "idiot"),
		make("tr-rude", classifier.Toxicity, natural, 900, "idiot"),
		make("en-prizes", classifier.Spam, natural, 900, "prize"),
		make("ja-rude", classifier.Toxicity, natural, 40, "idiot"),
		make("xx-clean", classifier.Toxicity, clean, 300, ""),
	}
	split(sets)
	return sets
}

func TestTrain(t *testing.T) {
	t.Parallel()
	sets := generated()
	file := train(sets, chosen)
	if again := train(generated(), chosen); !bytes.Equal(file, again) {
		t.Error("the same data made other bytes")
	}
	m, err := linear.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	f := measure(m, sets)
	if got := f.macro(); got < 0.95 {
		t.Errorf("the macro AUC of toxicity is %.3f", got)
	}
	for _, output := range outputs {
		by := f.of(output, naturalLang)
		if got := auc(by["en"]); got < 0.95 {
			t.Errorf("the AUC of %s is %.3f", output, got)
		}
	}
	if m.Measured(classifier.Toxicity, "ja") {
		t.Error("ja is measured, with 40 texts in all")
	}
	for _, output := range outputs {
		for lang := range f.of(output, naturalLang) {
			if _, want := enough(f.of(output, naturalLang))[lang]; m.Measured(output, lang) != want {
				t.Errorf("%s in %s is measured: %v, but the card has a figure: %v", output, lang, !want, want)
			}
		}
	}
	if !m.Measured(classifier.Toxicity, "tr") || m.Measured(classifier.Spam, "tr") {
		t.Error("tr is measured for spam, or not for toxicity")
	}
	for _, r := range f.ratings {
		if r.row.part != heldOut {
			t.Fatalf("%q was measured, but it is in training", r.row.text)
		}
	}
}

// TestSplit checks that no copy is on the other side.
func TestSplit(t *testing.T) {
	t.Parallel()
	var a, b set
	for i := range 2000 {
		text := fmt.Sprintf("number %d is followed by a word such as w%dx%d", i*7919, i, i*i)
		a.rows = append(a.rows, row{text: text}, row{text: text + "!"}, row{text: text + " too"})
		b.rows = append(b.rows, row{text: "NUMBER " + text[7:]}, row{text: "something else " + strconv.Itoa(i*i*i)})
	}
	split([]*set{&a, &b})
	parts := map[part]int{}
	for i := range 2000 {
		same := a.rows[3*i : 3*i+3]
		parts[same[0].part]++
		if same[1].part != same[0].part || same[2].part != same[0].part || b.rows[2*i].part != same[0].part {
			t.Fatalf("copies of %q are in several parts", same[0].text)
		}
	}
	if len(parts) != 3 {
		t.Errorf("the parts are %v", parts)
	}
	for range 2 { // the order of files changes nothing
		before := a.rows[0].part
		split([]*set{&a, &b})
		if a.rows[0].part != before {
			t.Error("the same texts are split in another way")
		}
	}
}

func TestAUC(t *testing.T) {
	t.Parallel()
	all := []scored{{0.1, false, 1}, {0.4, true, 1}, {0.4, false, 1}, {0.9, true, 1}}
	if got := auc(all); got != 0.875 {
		t.Errorf("got %v", got)
	}
}

// TestCalibrate checks that probabilities are found again from their margins.
func TestCalibrate(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	var all []scored
	for range 50_000 {
		margin := random.NormFloat64()
		all = append(all, scored{margin, random.Float64() < sigmoid(2*margin-1), 1})
	}
	slope, offset := calibrate(all)
	if math.Abs(slope-2) > 0.1 || math.Abs(offset+1) > 0.1 {
		t.Errorf("the slope is %.2f and the offset %.2f, want 2 and -1", slope, offset)
	}
	for i := range all {
		all[i].value = sigmoid(slope*all[i].value + offset)
	}
	if e := calibrationError(all); e > 0.01 {
		t.Errorf("the calibration error is %.3f", e)
	}
	for i := range all {
		all[i].value = 0.95
	}
	if e := calibrationError(all); e < 0.3 {
		t.Errorf("the calibration error of one wrong probability is %.3f", e)
	}
}

func TestBalance(t *testing.T) {
	t.Parallel()
	by := map[string][]scored{"few": {{0.5, true, 1}}}
	for i := range 100 {
		by["en"] = append(by["en"], scored{0.5, i < 40, 1})
		by["tr"] = append(by["tr"], scored{0.5, i < 70, 1})
	}
	var weight [2]float64
	all := balance(by)
	for _, s := range all {
		weight[index(s.positive)] += s.weight
	}
	if share := weight[1] / (weight[0] + weight[1]); math.Abs(share-assumedShare) > 1e-9 || len(all) != 200 {
		t.Errorf("%.3f of %d texts are positive", share, len(all))
	}
}

var macroLine = regexp.MustCompile(`(?m)^Macro AUC: ([0-9.]+)$`)

var cardRow = regexp.MustCompile(`(?m)^\| ([a-z]{2}) \| \d+ \| \d+ \| ([^|]+) \|`)

// TestCardLanguages checks that the embedded model takes for measured what has a figure in
// its card.
func TestCardLanguages(t *testing.T) {
	t.Parallel()
	card, err := os.ReadFile("../../../docs/model-card.md")
	if err != nil {
		t.Fatal(err)
	}
	_, toxicity, there := strings.Cut(string(card), "\n## Toxicity by language\n")
	toxicity, spam, more := strings.Cut(toxicity, "\n## Spam by language\n")
	spam, _, end := strings.Cut(spam, "\n## ")
	if !there || !more || !end {
		t.Fatal("the card lacks the figures by language")
	}
	for output, part := range map[string]string{classifier.Toxicity: toxicity, classifier.Spam: spam} {
		rows := cardRow.FindAllStringSubmatch(part, -1)
		if len(rows) < 2 {
			t.Errorf("%s has %d languages in the card", output, len(rows))
		}
		for _, row := range rows {
			want := row[2] != "too few"
			if got := linear.Default().Measured(output, row[1]); got != want {
				t.Errorf("%s in %s is measured: %v, the card says %q", output, row[1], got, row[2])
			}
		}
	}
}

// TestCard checks that the embedded model is as good as its card says, on the real
// data.
func TestCard(t *testing.T) {
	t.Parallel()
	card, err := os.ReadFile("../../../docs/model-card.md")
	if err != nil {
		t.Fatal(err)
	}
	found := macroLine.FindSubmatch(card)
	if found == nil {
		t.Fatal("the card has no line of the macro AUC")
	}
	want, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	folder := os.Getenv("TREEWARDEN_CORPORA")
	if folder == "" {
		t.Skip("SKIPPED: TREEWARDEN_CORPORA is not set; it names the folder with the labelled texts that this test reads")
	}
	sets, err := readSets(folder, "../../rule/boilerplate.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for _, output := range outputs {
		for _, lang := range languagesOf(sets, output) {
			want := slices.Contains(measuredLanguages(sets, output), lang)
			if got := linear.Default().Measured(output, lang); got != want {
				t.Errorf("the file says of %s in %s that it is measured: %v", output, lang, got)
			}
		}
	}
	if got := measure(linear.Default(), sets).macro(); got < want-0.005 {
		t.Errorf("the macro AUC is %.4f, the card says %.4f", got, want)
	}
}

// TestWords checks that the words of the lists are learned in a language without labelled
// texts, and that no word is trained on that is a whole text of the held-out fifth.
func TestWords(t *testing.T) {
	t.Parallel()
	folder, sets := t.TempDir(), generated()
	lists := filepath.Join(folder, "toxicity", "ldnoobw")
	if err := os.MkdirAll(lists, 0o755); err != nil {
		t.Fatal(err)
	}
	ordinary := &set{name: "es-tatoeba", output: classifier.Toxicity, use: clean}
	for i := range 300 {
		ordinary.rows = append(ordinary.rows, row{text: fmt.Sprintf("¿Palabra%d, hola amigo!", i)})
	}
	words := "zounds\nmala frase\n"
	single := &set{name: "en-single", output: classifier.Toxicity, use: natural}
	for i := range 40 {
		word := fmt.Sprintf("%dmurk", i*i*7919)
		single.rows = append(single.rows, row{text: strings.ToUpper(word)})
		words += word + "\n"
	}
	if err := os.WriteFile(filepath.Join(lists, "es"), []byte(words), 0o644); err != nil {
		t.Fatal(err)
	}
	sets = append(sets, ordinary, single)
	split(sets)
	added, err := readLists(folder, sets)
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]float64{}
	for _, r := range added.rows {
		if r.kind != "es" || r.part != fitted {
			t.Errorf("%q has the language %q and the part %d", r.text, r.kind, r.part)
		}
		labels[r.text] = r.label
	}
	if label, there := labels["hola"]; labels["zounds"] != 1 || labels["mala frase"] != 1 || !there || label != 0 {
		t.Errorf("the words are %v", labels)
	}
	counts := map[bool]int{}
	for _, r := range single.rows {
		_, there := labels[strings.ToLower(r.text)]
		if counts[there]++; there != (r.part == fitted) {
			t.Errorf("%q is among the words: %v, and its part is %d", r.text, there, r.part)
		}
	}
	if counts[true] == 0 || counts[false] == 0 {
		t.Errorf("words that are texts are among the words: %v", counts)
	}
	distance := func(sets []*set) float64 { // of the logarithms of the odds
		m, err := linear.Decode(train(sets, chosen))
		if err != nil {
			t.Fatal(err)
		}
		var rude, plain [2]float64
		m.Score("hola amigo zounds", rude[:])
		m.Score("hola amigo palabra", plain[:])
		return math.Log(rude[0]/(1-rude[0])) - math.Log(plain[0]/(1-plain[0]))
	}
	if with, without := distance(append(slices.Clone(sets), added)), distance(sets); !(with > without+0.5) {
		t.Errorf("the word raises the toxicity by %.2f, and by %.2f without the list", with, without)
	}
}

// TestEvenOut checks the weights of languages with few texts and with many.
func TestEvenOut(t *testing.T) {
	t.Parallel()
	sets := []*set{{name: "pt-few", use: natural}, {name: "en-many", use: natural}, {name: "en-tatoeba", use: clean}}
	var examples []partExample
	for group, n := range []int{100, usualTexts * 4, 10} {
		for range n {
			examples = append(examples, partExample{example: example{group: group, weight: 1}, lang: sets[group].lang()})
		}
	}
	evenOut(examples, sets, settings{evenness: 0.5})
	last := len(examples) - 1
	for i, want := range map[int]float64{0: 10, 100: 1, last: 1} {
		if got := examples[i].weight; math.Abs(got-want) > 1e-9 {
			t.Errorf("an example of %s has the weight %v, want %v", sets[examples[i].group].name, got, want)
		}
	}
}
