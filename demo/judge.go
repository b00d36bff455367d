package demo

import (
	"math"
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
)

// habit describes the reactions to a kind of message: the chance that a
// reviewer marks it so, the mean number of each reaction, the chances of a
// report and of a later deletion, and the range of the classifier's toxicity.
type habit struct {
	spam, fails, foreign, improper, hate, private, sexual float64 // chance a vote
	quality, rude, violent                                float64 // mean of the sliders
	up, down, flag                                        float64 // mean number of reactions
	report, deleted                                       float64 // chance
	reason                                                int     // of a report, in language.report; -1 is any
	toxicLow, toxicHigh                                   float64 // the classifier's toxicity
}

var habits = map[nature]habit{
	good: {spam: 0.015, fails: 0.02, private: 0.004, quality: 0.75, rude: 0.03, violent: 0.01, up: 1.1, down: 0.1,
		flag: 0.01, report: 0.003, deleted: 0.003, reason: -1, toxicLow: 0.0004, toxicHigh: 0.01},
	poor: {spam: 0.35, fails: 0.5, quality: 0.25, rude: 0.08, violent: 0.01, up: 0.15, down: 0.7, flag: 0.05,
		report: 0.03, deleted: 0.05, reason: -1, toxicLow: 0.001, toxicHigh: 0.06},
	flood: {spam: 0.94, fails: 0.8, quality: 0.05, rude: 0.15, violent: 0.02, up: 0.05, down: 0.8, flag: 0.25,
		report: 0.1, deleted: 0.35, reason: 3, toxicLow: 0.01, toxicHigh: 0.25},
	advert: {spam: 0.97, fails: 0.9, private: 0.06, quality: 0.05, rude: 0.1, violent: 0.01, up: 0.1, down: 0.9,
		flag: 0.9, report: 0.3, deleted: 0.4, reason: 0, toxicLow: 0.001, toxicHigh: 0.02},
	abuse: {spam: 0.7, fails: 0.7, improper: 0.8, hate: 0.15, sexual: 0.03, quality: 0.03, rude: 0.9, violent: 0.45,
		up: 0.1, down: 0.9, flag: 0.8, report: 0.35, deleted: 0.4, reason: 1, toxicLow: 0.7, toxicHigh: 0.98},
	slur: {spam: 0.6, fails: 0.6, improper: 0.9, hate: 0.9, sexual: 0.05, quality: 0.02, rude: 0.95, violent: 0.4,
		up: 0.05, down: 0.8, flag: 1.0, report: 0.4, deleted: 0.5, reason: 1, toxicLow: 0.8, toxicHigh: 0.995},
	foreign: {spam: 0.1, fails: 0.2, foreign: 0.93, quality: 0.5, rude: 0.03, violent: 0.01, up: 0.1, down: 0.6,
		flag: 0.15, report: 0.12, deleted: 0.1, reason: 2, toxicLow: 0.0005, toxicHigh: 0.01},
}

// reviewers is the number of reviews before the decision on a message.
const reviewers = 3

// review makes the reviewers' labels of a message, and decides on it by the
// collection's rule: it is accepted if 1 − (mean spam + mean wrong language) is
// above 0.6.
func (g *generator) review(n *node) {
	if n.tree.target == backlogRanking {
		accepted := true
		n.ReviewResult = &accepted
		return
	}
	want := reviewers
	if n.parent == nil && n.tree.target == reviewing && n.author.Kind == Honest {
		want = g.rand.IntN(reviewers)
	}
	var bad float64
	seen := map[*person]bool{n.author: true}
	for tries := 0; len(n.votes) < want && tries < 20; tries++ {
		at := g.after(n.Created, 6*time.Hour)
		if n.judged {
			at = g.soon(n.Created, 6*time.Hour)
		}
		by := g.writer(n.tree.language)
		if at.After(g.now) || seen[by] {
			continue
		}
		seen[by] = true
		values := g.labels(habits[n.nature], n.Role)
		if n.judged && n.parent == nil { // the tree's state determines the result
			switch {
			case n.tree.target == aborted:
				values[spam] = 1
			case bad >= 1:
				values[spam], values[langMismatch] = 0, 0
			}
		}
		bad += values[spam] + values[langMismatch]
		g.vote(n, by, at, values)
	}
	if len(n.votes) == reviewers {
		accepted := 1-bad/reviewers > 0.6
		n.ReviewResult = &accepted
	}
}

// vote records one person's labels of a message.
func (g *generator) vote(n *node, by *person, at time.Time, values [scoring.NumLabels]float64) {
	n.votes = append(n.votes, Vote{Tree: n.Tree, Message: n.ID, User: by.ID, At: at, Values: values})
	n.ReviewCount++
	by.touch(at)
}

// labels fills in the form of a reviewer, the short or the long one.
func (g *generator) labels(h habit, role string) [scoring.NumLabels]float64 {
	var values [scoring.NumLabels]float64
	for i := range values {
		values[i] = NotAsked
	}
	tick := func(label int, chance float64) {
		values[label] = 0
		if g.chance(chance) {
			values[label] = 1
		}
	}
	slide := func(label int, mean float64) { // a slider has five steps
		v := mean + 0.25*g.rand.NormFloat64()
		values[label] = math.Round(4*min(max(v, 0), 1)) / 4
	}
	tick(spam, h.spam)
	tick(langMismatch, h.foreign)
	slide(quality, h.quality)
	if g.chance(0.35) {
		return values // the short form
	}
	tick(pii, h.private)
	tick(notAppropriate, h.improper)
	tick(hateSpeech, h.hate)
	tick(sexualContent, h.sexual)
	slide(creativity, 0.4)
	slide(humor, 0.2)
	slide(toxicity, h.rude)
	slide(violence, h.violent)
	if role == "assistant" {
		tick(failsTask, h.fails)
		slide(helpfulness, h.quality)
	}
	return values
}

// react makes the readers' reactions to a message.
func (g *generator) react(n *node) {
	if n.author == nil {
		return
	}
	h := habits[n.nature]
	n.seen = make(map[*person]bool)
	for _, thumb := range []struct {
		emoji string
		mean  float64
	}{{"+1", h.up}, {"-1", h.down}, {"red_flag", h.flag}, {"_skip_reply", 0.04}, {"heart_eyes", 0.03}, {"100", 0.02},
		{"rofl", 0.02}} {
		for range g.poisson(thumb.mean) {
			by := g.writer(n.tree.language)
			if at := g.after(n.Created, 30*time.Hour); !n.seen[by] && by != n.author && !at.After(g.now) {
				g.reaction(n, by, thumb.emoji, at)
			}
		}
	}
	if n.author.campaign == nil {
		return
	}
	for _, by := range n.author.campaign.ring { // all members of a ring upvote its messages, the author included
		if at := g.after(n.Created, time.Hour); g.chance(0.25) && !n.seen[by] && !at.After(g.now) {
			g.reaction(n, by, "+1", at)
		}
	}
}

func (g *generator) reaction(n *node, by *person, emoji string, at time.Time) {
	n.seen[by] = true
	if emoji == "red_flag" {
		n.flags++
	}
	g.out.Reactions = append(g.out.Reactions, Reaction{Tree: n.Tree, Message: n.ID, User: by.ID, Emoji: emoji, At: at})
	by.touch(at)
}

// poisson draws the number of occurrences of a rare event.
func (g *generator) poisson(mean float64) int {
	limit, product, n := math.Exp(-mean), g.rand.Float64(), 0
	for product > limit {
		product *= g.rand.Float64()
		n++
	}
	return n
}

// report makes the reports of a message by one or two readers, with reasons.
func (g *generator) report(n *node) {
	h := habits[n.nature]
	if n.author == nil || !g.chance(h.report) {
		return
	}
	seen := map[uuid.UUID]bool{n.author.ID: true}
	for range 1 + g.rand.IntN(2) {
		by := g.writer(n.tree.language)
		at := g.after(n.Created, 20*time.Hour)
		if at.After(g.now) || seen[by.ID] {
			continue
		}
		seen[by.ID] = true
		g.complain(n, by, at, h.reason)
	}
}

// complain adds a report. An older report is more likely to be decided.
func (g *generator) complain(n *node, by *person, at time.Time, reason int) {
	reasons := by.languages[0].report
	text := g.pick(reasons)
	if reason >= 0 && reason < len(reasons) {
		text = reasons[reason]
	}
	status := "open"
	if g.now.Sub(at) > 10*24*time.Hour {
		justified := n.nature != good && n.nature != poor
		switch roll := g.rand.Float64(); {
		case roll < 0.35:
		case roll < 0.4:
			status = "withdrawn"
		case justified && roll < 0.95, !justified && roll < 0.45:
			status = "upheld"
		default:
			status = "dismissed"
		}
	}
	g.out.Reports = append(g.out.Reports, Report{Tree: n.Tree, Message: n.ID,
		User: by.ID, Reason: text, At: at, Status: status})
	by.touch(at)
}

// classify makes the classifier's output. The output comes soon after the
// message, but is sometimes missing or wrong.
func (g *generator) classify(n *node) {
	at := n.Created.Add(time.Duration(1+g.rand.IntN(90)) * time.Second)
	if at.After(g.now) || g.chance(0.02) {
		return
	}
	h := habits[n.nature]
	low, high := h.toxicLow, h.toxicHigh
	if g.chance(0.008) {
		low, high = 0.3, 0.8
	}
	// Uniform on a logarithmic scale, as the outputs of such models are.
	t := math.Exp(math.Log(low) + g.rand.Float64()*(math.Log(high)-math.Log(low)))
	part := func(share float64) float64 { return t * share * (0.5 + g.rand.Float64()) }
	identity, threat := 0.03, 0.02
	if n.nature == slur {
		identity = 0.6
	}
	if n.nature == abuse {
		threat = 0.2
	}
	scores := [...]float64{t, part(0.08), part(0.3), part(identity), part(0.6), part(threat), part(0.02)}
	g.out.Outputs = append(g.out.Outputs, Output{Tree: n.Tree, Message: n.ID, Scores: scores, At: at})
}
