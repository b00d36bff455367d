package scoring

import (
	"fmt"
	"maps"
	"math"
	"time"
)

// Priority weighs what makes a case of the queue urgent. The priority of a case is
// the sum of weight × measure over its parts.
type Priority struct {
	Version int `json:"version"` // 0 if it is only tried
	// Weights holds the weight of each part, in points for each unit of its measure.
	Weights map[PriorityPart]float64 `json:"weights"`
	Note    string                   `json:"note"`
}

// PriorityPart is the name of one part of a priority.
type PriorityPart string

// The parts of a priority. The table PriorityParts describes them.
const (
	AuthorScore  PriorityPart = "author_score"
	Reporters    PriorityPart = "reporters"
	CaseToxicity PriorityPart = "toxicity"
	Age          PriorityPart = "age"
)

// oldestCounted is the age in days from which on a case no longer becomes more urgent.
const oldestCounted = 30

// PriorityInfo describes a part of a priority.
type PriorityInfo struct {
	Part   PriorityPart
	Title  string
	Unit   string  // of the value on pages
	Counts string  // completes "counts …"
	Weight float64 // of the first version
	Most   float64 // the value above which no more counts; 0: there is none
	// Measure returns what the weight multiplies.
	Measure func(value float64) float64
}

// PriorityParts describes the parts, in the order of pages.
var PriorityParts = [...]PriorityInfo{
	{
		Part: AuthorScore, Title: "Author's score", Unit: "points", Weight: 4,
		Counts:  "the binary logarithm of 1 + the author's troll score in the frame",
		Measure: func(score float64) float64 { return math.Log2(1 + max(score, 0)) },
	}, {
		Part: Reporters, Title: "Reporters", Unit: "trusted", Weight: 8, Measure: same,
		Counts: "those who reported or flagged the message, each by the share of their flags that was upheld",
	}, {
		Part: CaseToxicity, Title: "Toxicity", Unit: "of 1", Weight: 10, Measure: same,
		Counts: "the toxicity of the message, by a classifier or else by labels",
	}, {
		Part: Age, Title: "Age", Unit: "days", Weight: 0.2, Most: oldestCounted,
		Counts:  "the days since the first flag, up to 30",
		Measure: func(days float64) float64 { return min(max(days, 0), oldestCounted) },
	},
}

func same(value float64) float64 { return value }

// DefaultPriority is the first version of the weights. Later ones are in the database.
var DefaultPriority = func() Priority {
	p := Priority{Version: 1, Weights: map[PriorityPart]float64{}, Note: "As shipped."}
	for _, part := range PriorityParts {
		p.Weights[part.Part] = part.Weight
	}
	return p
}()

// With returns the priority with other weights, which has no version and no note yet; a
// part that is left out keeps its weight. wrong maps invalid fields to reasons: "weights", or a weight as in
// "weights.age".
func (p Priority) With(weights map[string]float64) (changed Priority, wrong map[string]string) {
	wrong = map[string]string{}
	p = Priority{Weights: maps.Clone(p.Weights)}
	weighs := false
	for name, weight := range weights {
		switch _, known := DefaultPriority.Weights[PriorityPart(name)]; {
		case !known:
			wrong["weights."+name] = "There is no part of this name."
		case math.IsNaN(weight) || math.Abs(weight) > MaxWeight:
			wrong["weights."+name] = fmt.Sprintf("A weight is a number from −%d to %[1]d.", MaxWeight)
		default:
			p.Weights[PriorityPart(name)] = weight + 0 // -0 becomes 0
		}
	}
	for _, weight := range p.Weights {
		weighs = weighs || weight != 0
	}
	if len(wrong) == 0 && !weighs {
		wrong["weights"] = "At least one part must weigh something."
	}
	return p, wrong
}

// Same reports whether two priorities order every queue alike.
func (p Priority) Same(other Priority) bool { return maps.Equal(p.Weights, other.Weights) }

// PriorityDifference is another weight of a part.
type PriorityDifference struct {
	Title         string // of the part
	Before, After float64
}

// Differences returns the differences from an earlier priority, in the order of
// PriorityParts.
func (p Priority) Differences(before Priority) []PriorityDifference {
	var all []PriorityDifference
	for i := range PriorityParts {
		part := &PriorityParts[i]
		if was, is := before.Weights[part.Part], p.Weights[part.Part]; was != is {
			all = append(all, PriorityDifference{part.Title, was, is})
		}
	}
	return all
}

// CaseFacts are what the priority of a case depends on.
type CaseFacts struct {
	AuthorScore float64
	Trust       float64  // the sum of Trust over the reporters
	Toxicity    *float64 // nil if unknown
	Opened      time.Time
}

// PriorityShare is one part of the priority of a case.
type PriorityShare struct {
	Part   PriorityPart `json:"part"`
	Value  float64      `json:"value"` // as people read it: points, reporters, 0 to 1, days
	Weight float64      `json:"weight"`
	Points float64      `json:"points"`
}

// Parts returns the parts of the priority of a case at a time, in the order of
// PriorityParts.
func (p Priority) Parts(f CaseFacts, now time.Time) []PriorityShare {
	shares := make([]PriorityShare, len(PriorityParts))
	for i, value := range f.values(now) {
		part := &PriorityParts[i]
		weight := p.Weights[part.Part]
		shares[i] = PriorityShare{part.Part, value, weight, weight * part.Measure(value)}
	}
	return shares
}

// Of returns the priority of a case at a time: the sum of its parts.
func (p Priority) Of(f CaseFacts, now time.Time) (sum float64) {
	for i, value := range f.values(now) {
		sum += p.Weights[PriorityParts[i].Part] * PriorityParts[i].Measure(value)
	}
	return sum
}

// values returns the value of each part, in the order of PriorityParts.
func (f CaseFacts) values(now time.Time) [len(PriorityParts)]float64 {
	toxicity := 0.0
	if f.Toxicity != nil {
		toxicity = *f.Toxicity
	}
	return [len(PriorityParts)]float64{f.AuthorScore, f.Trust, toxicity, max(now.Sub(f.Opened).Hours()/24, 0)}
}

// trustPrior is the number of decided cases that the mean counts for in Trust.
const trustPrior = 4

// Trust returns how far a reporter is trusted, 0 to 1: the share of the cases with
// their flags that was upheld, shrunk towards the mean share of all reporters. With
// few decided cases it is near the mean: (upheld + 4 × mean) ÷ (decided + 4).
func Trust(upheld, dismissed int64, mean float64) float64 {
	return (float64(upheld) + trustPrior*mean) / (float64(upheld+dismissed) + trustPrior)
}

// meanPrior is the number of decided cases that one half counts for in MeanTrust.
const meanPrior = 50

// MeanTrust returns the mean share of upheld cases. With few decided cases it is near
// one half: (upheld + 50 × ½) ÷ (decided + 50).
func MeanTrust(upheld, dismissed int64) float64 {
	return (float64(upheld) + meanPrior*0.5) / (float64(upheld+dismissed) + meanPrior)
}
