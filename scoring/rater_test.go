package scoring_test

import (
	"math"
	"testing"

	"treewarden/scoring"
)

func TestKappa(t *testing.T) {
	for name, c := range map[string]struct {
		questions        []scoring.Answers
		agreement, kappa float64 // NaN: none
	}{
		"nothing": {nil, math.NaN(), math.NaN()},
		// The example of textbooks: 20 + 15 of 50 agree; by chance 25/50 × 30/50 + 25/50 × 20/50 = 0.5.
		"textbook":                  {[]scoring.Answers{{BothYes: 20, OnlyRater: 5, OnlyOthers: 10, BothNo: 15}}, 0.7, 0.4},
		"full":                      {[]scoring.Answers{{BothYes: 3, BothNo: 7}}, 1, 1},
		"opposite":                  {[]scoring.Answers{{OnlyRater: 5, OnlyOthers: 5}}, 0, -1},
		"always the same one thing": {[]scoring.Answers{{BothNo: 9}}, 1, math.NaN()},
		"says no to everything":     {[]scoring.Answers{{OnlyOthers: 1, BothNo: 9}}, 0.9, 0},
		// 8 agree, by chance 5 (of 10) and 9 of 10 agree, by chance 9: (17 − 14) ÷ (20 − 14).
		"two questions": {[]scoring.Answers{{BothYes: 4, OnlyRater: 1, OnlyOthers: 1, BothNo: 4},
			{OnlyOthers: 1, BothNo: 9}}, 0.85, 0.5},
		"one without votes": {[]scoring.Answers{{BothYes: 20, OnlyRater: 5, OnlyOthers: 10, BothNo: 15}, {}}, 0.7, 0.4},
	} {
		for what, pair := range map[string]struct {
			got  *float64
			want float64
		}{"agreement": {scoring.Agreement(c.questions...), c.agreement}, "kappa": {scoring.Kappa(c.questions...), c.kappa}} {
			switch {
			case math.IsNaN(pair.want) && pair.got == nil:
			case math.IsNaN(pair.want) || pair.got == nil || math.Abs(*pair.got-pair.want) > 1e-12:
				t.Errorf("%s: %s is %v, want %v", name, what, pair.got, pair.want)
			}
		}
	}
}
