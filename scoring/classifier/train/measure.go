package main

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"treewarden/scoring/classifier"
	"treewarden/scoring/classifier/linear"
)

// auc returns the probability that a positive text has a higher value than
// another, with ties counted half; not a number, if there are no texts of one kind.
func auc(all []scored) float64 {
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, func(a, b scored) int { return cmp.Compare(a.value, b.value) })
	var count [2]float64
	var won float64
	for begin := 0; begin < len(sorted); {
		var run [2]float64
		end := begin
		for ; end < len(sorted) && sorted[end].value == sorted[begin].value; end++ {
			run[index(sorted[end].positive)]++
		}
		won += run[1] * (count[0] + run[0]/2)
		count[0], count[1], begin = count[0]+run[0], count[1]+run[1], end
	}
	return won / (count[0] * count[1])
}

// calibrationError returns the expected calibration error: the mean distance
// between the mean probability and the share of positive texts, over 10 ranges of
// probabilities, weighted by their texts.
func calibrationError(all []scored) float64 {
	var weight, probability, positive [10]float64
	total := 0.0
	for _, s := range all {
		i := min(int(s.value*10), 9)
		weight[i] += s.weight
		probability[i] += s.weight * s.value
		positive[i] += s.weight * float64(index(s.positive))
		total += s.weight
	}
	sum := 0.0
	for i := range weight {
		sum += math.Abs(probability[i] - positive[i])
	}
	return sum / total
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// rating is a row with the outputs of a model.
type rating struct {
	set    *set
	row    *row
	scores [2]float64
}

// figures are those of a model on rows that it never saw.
type figures struct {
	ratings []rating
}

// fewest is the number of texts of either kind below which a figure says nothing.
const fewest = 10

// measure rates the held-out rows, and those of sets that are not trained on
// unless a copy is in training.
func measure(m *linear.Model, sets []*set) figures {
	seen := map[uint64]bool{}
	for _, s := range sets {
		for i := range s.rows {
			if s.trained() && s.rows[i].part != heldOut {
				seen[s.rows[i].hash] = true
			}
		}
	}
	var f figures
	for _, s := range sets {
		for i := range s.rows {
			if r := &s.rows[i]; !seen[r.hash] && (r.part == heldOut || s.use == suite || s.use == shareLike) {
				rated := rating{set: s, row: r}
				m.Score(r.text, rated.scores[:])
				f.ratings = append(f.ratings, rated)
			}
		}
	}
	return f
}

// of returns the texts of an output for which a condition holds, under a key each;
// texts without a key are left out.
func (f figures) of(output string, key func(r *rating) string) map[string][]scored {
	column := slices.Index(outputs, output)
	by := map[string][]scored{}
	for i := range f.ratings {
		r := &f.ratings[i]
		if r.set.output != output && r.set.use != clean {
			continue
		}
		if k := key(r); k != "" {
			positive := r.set.output == output && r.row.label > 0.5
			by[k] = append(by[k], scored{r.scores[column], positive, 1})
		}
	}
	return by
}

// naturalLang returns the language of a text of a natural set.
func naturalLang(r *rating) string {
	if r.set.use != natural {
		return ""
	}
	return r.set.lang()
}

// langWithClean is like naturalLang, with the ordinary sentences too.
func langWithClean(r *rating) string {
	if r.set.use != natural && r.set.use != clean {
		return ""
	}
	return r.set.langOf(r.row)
}

// count returns the numbers of texts that are not positive and that are.
func count(all []scored) (n [2]int) {
	for _, s := range all {
		n[index(s.positive)]++
	}
	return n
}

// enough drops the groups with too few texts of either kind.
func enough(by map[string][]scored) map[string][]scored {
	for k, all := range by {
		if n := count(all); min(n[0], n[1]) < fewest {
			delete(by, k)
		}
	}
	return by
}

// measuredLanguages returns the languages for which the card has a figure of an output: of
// those that naturalLang names, the ones with enough held-out texts of either kind. The file
// of the model holds them, so they are counted before there is a model.
func measuredLanguages(sets []*set, output string) []string {
	by := map[string][]scored{}
	for _, s := range sets {
		if s.use != natural || s.output != output {
			continue
		}
		for i := range s.rows {
			if r := &s.rows[i]; r.part == heldOut {
				by[s.lang()] = append(by[s.lang()], scored{positive: r.label > 0.5})
			}
		}
	}
	return sortedKeys(enough(by))
}

// macro returns the mean AUC of toxicity over the languages.
func (f figures) macro() float64 { return macroOf(enough(f.of(classifier.Toxicity, naturalLang))) }

func macroOf(by map[string][]scored) float64 {
	var all []float64
	for _, k := range sortedKeys(by) {
		all = append(all, auc(by[k]))
	}
	return mean(all)
}
