package demo

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// conclude sets the results of the votes on a tree: its state, its deleted
// messages, and the ranks of its answers.
func (g *generator) conclude(t *tree) {
	root := t.nodes[0]
	t.State = t.target
	if root.author != nil && root.author.Kind != Honest {
		switch {
		case root.ReviewResult == nil:
			t.State = reviewing
		case *root.ReviewResult:
			t.State = waiting
		default:
			t.State = aborted
		}
	}
	t.Active = slices.Contains([]string{reviewing, growing, ranking, readyToScore}, t.State)
	for _, n := range t.nodes {
		g.remove(n)
	}
	if t.State == readyToExport {
		for _, n := range t.nodes {
			g.rank(n)
		}
	}
}

// remove deletes a bad message that was noticed, with all messages below it.
func (g *generator) remove(n *node) {
	if n.parent != nil && n.parent.Deleted {
		n.Deleted, n.DeletedRoot = true, n.parent.DeletedRoot
		return
	}
	old := g.now.Sub(n.Created) > 36*time.Hour
	known := n.ReviewResult != nil && !*n.ReviewResult || n.flags > 1 || n.nature == good
	if n.parent == nil && n.tree.State != aborted {
		return // a moderator stops a whole tree instead
	}
	if old && known && n.author != nil && g.chance(habits[n.nature].deleted) {
		n.Deleted, n.DeletedRoot = true, n.ID
	}
}

// rank orders the accepted answers to a message; the best one has the rank 0.
func (g *generator) rank(n *node) {
	var answers []*node
	for _, kid := range n.kids {
		if kid.Role == "assistant" && !kid.Deleted && kid.ReviewResult != nil && *kid.ReviewResult {
			answers = append(answers, kid)
		}
	}
	if len(answers) < 2 {
		return
	}
	for i, rank := range g.rand.Perm(len(answers)) {
		answers[i].Rank = &rank
	}
}

// voteDown makes the votes of the down-voters on messages of others: thumbs
// down, labels that nobody else uses, reports without a reason.
func (g *generator) voteDown() {
	byLanguage := make(map[*language][]*node)
	for _, t := range g.trees {
		for _, n := range t.nodes {
			if n.author != nil && n.nature == good {
				byLanguage[t.language] = append(byLanguage[t.language], n)
			}
		}
	}
	for _, p := range g.crew.trolls {
		if p.Kind != DownVoter {
			continue
		}
		among := byLanguage[p.languages[0]]
		done := make(map[*node]bool)
		for range 120 + g.rand.IntN(120) {
			at := g.between(p.from, p.to)
			n := among[g.rand.IntN(len(among))]
			if done[n] || !n.Created.Before(at) {
				continue
			}
			done[n] = true
			g.grudge(n, p, at)
		}
	}
}

func (g *generator) grudge(n *node, p *person, at time.Time) {
	g.reaction(n, p, "-1", at)
	if g.chance(0.05) {
		g.reaction(n, p, "red_flag", at)
	}
	if g.chance(0.03) {
		g.complain(n, p, at, -1)
	}
	if n.parent != nil && g.chance(0.3) {
		values := g.labels(habits[poor], n.Role)
		values[spam], values[quality] = 1, 0
		g.vote(n, p, at, values)
	}
}

// collect turns the generated trees and users into rows.
func (g *generator) collect() {
	for _, p := range g.crew.all {
		p.Created = g.between(g.now.Add(-250*24*time.Hour), g.now)
		if !p.first.IsZero() {
			p.Created = p.first.Add(-time.Duration(g.rand.Int64N(int64(20 * 24 * time.Hour)))).Truncate(time.Microsecond)
		}
		g.out.Users = append(g.out.Users, p.User)
	}
	slices.SortStableFunc(g.out.Users, func(a, b User) int { return a.Created.Compare(b.Created) })
	slices.SortStableFunc(g.trees, func(a, b *tree) int { return a.Created.Compare(b.Created) })
	for _, t := range g.trees {
		g.out.Trees = append(g.out.Trees, t.Tree)
		for _, n := range t.nodes {
			if n.author == nil {
				n.Author = uuid.Nil
			}
			g.out.Messages = append(g.out.Messages, n.Message)
			g.out.Votes = append(g.out.Votes, n.votes...)
		}
	}
	slices.SortStableFunc(g.out.Reports, func(a, b Report) int { return a.At.Compare(b.At) })
}
