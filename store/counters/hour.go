package counters

import (
	"math"
	"math/big"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/corpus"
	"treewarden/scoring"
)

// columnAt is the place of each column in counters.
var columnAt = func() map[string]int {
	at := map[string]int{}
	for i, column := range scoring.Columns {
		at[column] = i
	}
	return at
}()

// HourCount counts in Go what source and countSQL count in the database: the
// signals of one author in one hour. Imports and ingests use it for what they
// know all about; the tests hold that both come to the same.
type HourCount struct {
	sum  *scoring.Counters
	sign int64 // −1 takes away what was
	// Current and reference say whether what is counted counts for the formula
	// treewarden, and as Open-Assistant counted.
	Current, Legacy bool
	toxicFrom       float64
}

// At begins to count for an author what is dated at a time.
func (t *Update) At(author uuid.UUID, at pgtype.Timestamptz, sign int64) HourCount {
	return HourCount{sum: t.Hour(author, at), sign: sign, Current: true, toxicFrom: t.ToxicFrom}
}

// Measure counts what both ways of counting share.
func (c *HourCount) Measure(column string, n int64) { c.sum[columnAt[column]] += c.sign * n }

// Count counts a signal.
func (c *HourCount) Count(s scoring.Signal, n int64) {
	at := columnAt[string(s)]
	if c.Current {
		c.sum[at] += c.sign * n
	}
	if c.Legacy {
		c.sum[at+len(scoring.Signals)] += c.sign * n
	}
}

// ReactionSignals are the reactions that count.
var ReactionSignals = map[string]scoring.Signal{"red_flag": scoring.RedFlags, "+1": scoring.Upvotes, "-1": scoring.Downvotes}

// CountVote counts one person's labels.
func (c *HourCount) CountVote(labels map[string]*float64) {
	for signal, name := range LabelSignals {
		if value := labels[name]; value != nil && *value >= 0.5 {
			c.Count(signal, 1)
		}
	}
	if value := labels["toxicity"]; value != nil && c.Current {
		c.Measure("label_toxicity_sum", ToFixed(*value, 1))
		c.Measure("label_toxicity_count", 1)
	}
}

// ToxicityOf is the output that scores sum: the one of this name, if it is a
// figure from 0 to 1.
func ToxicityOf(outputs map[string]*float64) *float64 {
	if t := outputs["toxicity"]; t != nil && *t >= 0 && *t <= 1 {
		return t
	}
	return nil
}

// picos is value × times in units of 10^-12, rounded as PostgreSQL does it in
// numeric: it takes 15 digits of a double, and rounds a half away from zero.
func ToFixed(value float64, times int) int64 {
	// Almost every figure is so far from a half that no digit beyond the
	// fifteenth, and no error of multiplying, could round it the other way.
	if times == 1 && value >= 0 && value <= 1 {
		f := value * 1e12
		if whole := math.Floor(f); math.Abs(f-whole-0.5) > 0.01 {
			return int64(math.Round(f))
		}
	}
	digits := strconv.FormatFloat(math.Abs(value), 'e', 14, 64) // d.dddddddddddddde-dd
	exponent, err := strconv.Atoi(digits[17:])
	if err != nil || exponent < -40 { // too small to count, however often
		return 0
	}
	n, ok := new(big.Int).SetString(digits[:1]+digits[2:16], 10)
	if !ok {
		return 0
	}
	n.Mul(n, big.NewInt(int64(times)))
	ten := big.NewInt(10)
	if power := int64(exponent) - 14 + 12; power >= 0 {
		n.Mul(n, ten.Exp(ten, big.NewInt(power), nil))
	} else {
		unit := ten.Exp(ten, big.NewInt(-power), nil)
		n.Add(n.Mul(n, big.NewInt(2)), unit) // round(n/unit) = ⌊(2n + unit) / 2unit⌋
		n.Quo(n, unit.Mul(unit, big.NewInt(2)))
	}
	if value < 0 {
		n.Neg(n)
	}
	return n.Int64()
}

// CountMeans counts labels that came as a mean and a number of people each.
func (c *HourCount) CountMeans(labels map[string]corpus.Label) {
	for signal, name := range LabelSignals {
		if label := labels[name]; label.Value != nil {
			c.Count(signal, int64(math.RoundToEven(*label.Value*float64(label.Count))))
		}
	}
	if label := labels["toxicity"]; label.Value != nil {
		people := min(label.Count, maxPeople)
		c.Measure("label_toxicity_sum", ToFixed(*label.Value, people))
		c.Measure("label_toxicity_count", int64(people))
	}
}

// CountOutputs counts the highest toxicity that any model gave.
func (c *HourCount) CountOutputs(classifiers map[string]map[string]*float64) {
	highest := -1.0
	for _, outputs := range classifiers {
		if toxicity := ToxicityOf(outputs); toxicity != nil {
			highest = max(highest, *toxicity)
		}
	}
	if highest < 0 {
		return
	}
	c.Measure("toxicity_sum", ToFixed(highest, 1))
	c.Measure("toxicity_count", 1)
	if highest >= c.toxicFrom {
		c.Count(scoring.ToxicMessages, 1)
	}
}
