package main

import (
	"math"
	"math/rand/v2"

	"treewarden/scoring/classifier/linear"
)

// example is a text to learn from.
type example struct {
	features []uint32
	group    int     // of examples whose labels mean the same: its set
	positive bool    // the label
	weight   float64 // the number of examples that it stands for
}

// settings of training. The card says how they were chosen.
type settings struct {
	// cost is that of an error of an example; the greater it is, the more the model
	// adapts to the examples.
	cost float64
	// rarity is the power of the logarithm of a feature's inverse frequency by which
	// the feature counts.
	rarity float64
	// telling is the share of a feature's value that is in proportion to how much
	// more often it is in positive examples than in others, or less often.
	telling float64
	// groupBias is how freely each group has a bias of its own. It stands for what
	// the label means in the group and how often it is 1, and it is no part of the
	// model.
	groupBias float64
	// evenness is the power of the inverse number of a small language's texts by which
	// they count: 0 for all texts the same, 1 for all small languages the same.
	evenness float64
	passes   int
}

var chosen = settings{cost: 3, rarity: 1.5, telling: 0.5, groupBias: 3, evenness: 0.5, passes: 5}

// learn returns the weights of logistic regression with L2 regularization, found by
// dual coordinate descent (Yu, Huang and Lin 2011). It uses one goroutine and a
// fixed order, so that the same examples give the same weights. Products are
// rounded before they are added, so that no processor fuses the two.
func learn(examples []example, groups int, s settings) []float32 {
	value := values(examples, groups, s)
	weights := make([]float32, linear.Buckets)
	bias := make([]float64, groups)
	dual := make([]float64, len(examples))
	order := make([]int, len(examples))
	for i := range order {
		order[i] = i
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range s.passes {
		random.Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] })
		for _, i := range order {
			e := &examples[i]
			scale := float32(linear.Scale(len(e.features)))
			var sum, squares float32
			for _, f := range e.features {
				sum += float32(weights[f] * value[f])
				squares += float32(value[f] * value[f])
			}
			sign := -1.0
			if e.positive {
				sign = 1
			}
			margin := float64(float64(sum*scale)+float64(bias[e.group]*s.groupBias)) * sign
			length := float64(squares*scale*scale) + float64(s.groupBias*s.groupBias)
			next := minimize(dual[i], margin, length, float64(s.cost*e.weight))
			change := float64((next - dual[i]) * sign)
			dual[i] = next
			bias[e.group] += float64(change * s.groupBias)
			by := float32(change) * scale
			for _, f := range e.features {
				weights[f] += float32(by * value[f])
			}
		}
	}
	for i := range weights {
		weights[i] *= value[i]
	}
	return weights
}

// values returns how much each feature counts: more if it is rare, and if it tells
// positive examples from others (Wang and Manning 2012). What is usual in a group
// tells nothing: a feature of a group of mostly positive examples is expected in
// positive ones.
func values(examples []example, groups int, s settings) []float32 {
	share := positiveShares(examples, groups)
	count := make([]int, linear.Buckets)
	seen := make([][2]float64, linear.Buckets) // in other examples and in positive ones, by weight
	expected := make([][2]float64, linear.Buckets)
	for i := range examples {
		e := &examples[i]
		positive := float64(e.weight * share[e.group])
		for _, f := range e.features {
			count[f]++
			seen[f][index(e.positive)] += e.weight
			expected[f][1] += positive
			expected[f][0] += e.weight - positive
		}
	}
	value := make([]float32, linear.Buckets)
	for f, n := range count {
		if n == 0 {
			continue // its weight stays 0
		}
		// A feature of each 400th example counts 1.
		inverse := math.Log(float64(len(examples))/float64(n+1)+1) / 6
		var ratio [2]float64
		for k := range ratio {
			ratio[k] = math.Log((seen[f][k] + 1) / (expected[f][k] + 1))
		}
		telling := float64(s.telling * math.Abs(ratio[1]-ratio[0]))
		value[f] = float32(float64(math.Pow(inverse, s.rarity)) * (1 - s.telling + telling))
	}
	return value
}

// positiveShares returns the share of positive examples in each group.
func positiveShares(examples []example, groups int) []float64 {
	weight := make([][2]float64, groups)
	for i := range examples {
		weight[examples[i].group][index(examples[i].positive)] += examples[i].weight
	}
	share := make([]float64, groups)
	for i, w := range weight {
		share[i] = (w[1] + 0.5) / (w[0] + w[1] + 1)
	}
	return share
}

// minimize returns the new value of an example's dual variable, between 0 and the
// cost: the root of log(x/(cost-x)) + margin + length·(x-old), by Newton's method
// kept within a shrinking interval.
func minimize(old, margin, length, cost float64) float64 {
	low, high, x := 0.0, cost, old
	if x == 0 {
		x = cost / (1 + math.Exp(margin))
	}
	for range 20 {
		slope := math.Log(x/(cost-x)) + margin + float64(length*(x-old))
		if slope > 0 {
			high = x
		} else {
			low = x
		}
		next := x - slope/(cost/float64(x*(cost-x))+length)
		if !(next > low && next < high) { // or not a number, where the margin is extreme
			next = (low + high) / 2
		}
		if math.Abs(next-x) < 1e-6*cost {
			return next
		}
		x = next
	}
	return x
}
