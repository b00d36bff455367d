package main

import "math"

// scored is a text with its margin or probability.
type scored struct {
	value    float64
	positive bool
	weight   float64
}

// assumedShare is the share of positive texts in each language for which the
// outputs are calibrated. In the sets that were sampled at random, 11 to 20 % of
// the comments are toxic; among the messages of OASST it is about 1 %.
const assumedShare = 0.15

// balance weights the texts of each language so that the languages count the same
// and the positive texts are assumedShare of each. Languages with less than 20
// texts of either kind are left out.
func balance(byLang map[string][]scored) []scored {
	var all []scored
	for _, lang := range sortedKeys(byLang) {
		var count [2]float64
		for _, s := range byLang[lang] {
			count[index(s.positive)]++
		}
		if min(count[0], count[1]) < 20 {
			continue
		}
		for _, s := range byLang[lang] {
			s.weight = assumedShare / count[1]
			if !s.positive {
				s.weight = (1 - assumedShare) / count[0]
			}
			all = append(all, s)
		}
	}
	return all
}

func index(positive bool) int {
	if positive {
		return 1
	}
	return 0
}

// calibrate returns the slope and the offset with which margins become
// probabilities (Platt's method), by Newton's method with damping.
func calibrate(all []scored) (slope, offset float64) {
	slope = 1
	loss := lossOf(all, slope, offset)
	for range 100 {
		var ga, gb, haa, hab, hbb float64
		for _, s := range all {
			p := sigmoid(slope*s.value + offset)
			d, h := s.weight*(p-float64(index(s.positive))), s.weight*p*(1-p)
			ga, gb = ga+d*s.value, gb+d
			haa, hab, hbb = haa+h*s.value*s.value, hab+h*s.value, hbb+h
		}
		haa, hbb = haa+1e-9, hbb+1e-9
		det := haa*hbb - hab*hab
		da, db := (hbb*ga-hab*gb)/det, (haa*gb-hab*ga)/det
		step := 1.0
		for ; step > 1e-6; step /= 2 {
			if next := lossOf(all, slope-step*da, offset-step*db); next < loss {
				slope, offset, loss = slope-step*da, offset-step*db, next
				break
			}
		}
		if step <= 1e-6 || step*(math.Abs(da)+math.Abs(db)) < 1e-9 {
			break
		}
	}
	return slope, offset
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// lossOf returns the logarithmic loss.
func lossOf(all []scored, slope, offset float64) (loss float64) {
	for _, s := range all {
		x := slope*s.value + offset
		if s.positive {
			x = -x
		}
		loss += s.weight * (max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))))
	}
	return loss
}
