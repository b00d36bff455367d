package store

import (
	"math"
	"math/big"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/scoring"
)

// spamState is the state of trees whose prompt was found to be spam.
const spamState = "aborted_low_grade"

// columnAt is the place of each column in a tally.
var columnAt = func() map[string]int {
	at := map[string]int{}
	for i, column := range columns {
		at[column] = i
	}
	return at
}()

// hourCount counts in Go what source and countSQL count in the database: the
// signals of one author in one hour. Imports and ingests use it for what they
// know all about; the tests hold that both come to the same.
type hourCount struct {
	sum  *tally
	sign int64 // −1 takes away what was
	// ours and reference say whether what is counted counts for the formula
	// treewarden, and as the old console counted.
	ours, reference bool
	toxicFrom       float64
}

// counts begins to count for an author what is dated at a time.
func (t *tallying) counts(author uuid.UUID, at pgtype.Timestamptz, sign int64) hourCount {
	return hourCount{sum: t.hour(author, at), sign: sign, ours: true, toxicFrom: t.toxicFrom}
}

// measure counts what both ways of counting share.
func (c *hourCount) measure(column string, n int64) { c.sum[columnAt[column]] += c.sign * n }

// count counts a signal.
func (c *hourCount) count(s scoring.Signal, n int64) {
	at := columnAt[string(s)]
	if c.ours {
		c.sum[at] += c.sign * n
	}
	if c.reference {
		c.sum[at+len(scoring.Signals)] += c.sign * n
	}
}

// reactionSignals are the reactions that count.
var reactionSignals = map[string]scoring.Signal{"red_flag": scoring.RedFlags, "+1": scoring.Upvotes, "-1": scoring.Downvotes}

// vote counts one person's labels.
func (c *hourCount) vote(labels map[string]*float64) {
	for signal, name := range labelSignals {
		if value := labels[name]; value != nil && *value >= 0.5 {
			c.count(signal, 1)
		}
	}
	if value := labels["toxicity"]; value != nil && c.ours {
		c.measure("label_toxicity_sum", picos(*value, 1))
		c.measure("label_toxicity_count", 1)
	}
}

// toxicityOf is the output that scores sum: the one of this name, if it is a
// figure from 0 to 1.
func toxicityOf(outputs map[string]*float64) *float64 {
	if t := outputs["toxicity"]; t != nil && *t >= 0 && *t <= 1 {
		return t
	}
	return nil
}

// picos is value × times in units of 10^-12, rounded as PostgreSQL does it in
// numeric: it takes 15 digits of a double, and rounds a half away from zero.
func picos(value float64, times int) int64 {
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
