package demo

import (
	"time"

	"github.com/google/uuid"
)

// nature is the true kind of a message. Votes, reactions and the classifier's
// output depend on it.
type nature int

const (
	good nature = iota
	poor
	flood
	advert
	abuse
	slur
	foreign
)

// node is a message that is being generated.
type node struct {
	Message
	nature nature
	author *person // nil for an unknown author
	tree   *tree
	about  subject
	parent *node
	kids   []*node
	votes  []Vote
	flags  int // red flags
	// judged reports whether the target of the tree requires that the reviews
	// are complete.
	judged bool
	seen   map[*person]bool // the users with a thumb on the message
}

// tree is a tree that is being generated. Its nodes are in the order of their
// creation, so a parent comes before its replies.
type tree struct {
	Tree
	language *language
	nodes    []*node
	// target is the state that the tree should reach; a bad prompt may stop it.
	target string
}

// The states of a tree, under the collection's names.
const (
	reviewing      = "initial_prompt_review"
	waiting        = "prompt_lottery_waiting"
	growing        = "growing"
	ranking        = "ranking"
	readyToScore   = "ready_for_scoring"
	readyToExport  = "ready_for_export"
	scoringFailed  = "scoring_failed"
	aborted        = "aborted_low_grade"
	halted         = "halted_by_moderator"
	backlogRanking = "backlog_ranking"
)

// States lists the states of a tree, in the order in which a tree goes through
// them, and then the states of a tree that ended early.
var States = []string{reviewing, waiting, growing, ranking, readyToScore, readyToExport,
	scoringFailed, aborted, halted, backlogRanking}

// story holds the chances of the states by a tree's age, in per mille, in the
// order of States. A young tree cannot be complete.
var story = []struct {
	older   time.Duration
	weights [10]int
}{
	{30 * 24 * time.Hour, [10]int{20, 130, 160, 110, 20, 420, 20, 30, 30, 60}},
	{14 * 24 * time.Hour, [10]int{40, 150, 290, 180, 40, 200, 10, 40, 30, 20}},
	{2 * 24 * time.Hour, [10]int{130, 190, 440, 130, 30, 20, 5, 40, 15, 0}},
	{0, [10]int{470, 140, 380, 0, 0, 0, 0, 0, 10, 0}},
}

// plant makes the trees of the honest contributors.
func (g *generator) plant() {
	count := g.size * treesPerScale
	for _, p := range g.crew.trolls {
		count -= p.prompts
	}
	for range count {
		g.grow()
	}
}

// grow makes one tree with all its honest messages.
func (g *generator) grow() {
	created := g.someday()
	t := g.language()
	target := g.target(g.now.Sub(created))
	nature := good
	if target == aborted || target == reviewing && g.chance(0.1) {
		nature = poor
	}
	text, about := g.prompt(t)
	if nature == poor {
		text = g.poor(about, "prompter")
	}
	author := g.writer(t)
	if target == backlogRanking {
		author = nil // the tree came from another collection
	}
	tree := g.root(author, t, created, text, nature, about)
	tree.target = target
	switch target {
	case reviewing:
	case growing, halted:
		tree.nodes[0].judged = true
		g.fill(tree, 1+g.rand.IntN(7))
	case waiting, aborted:
		tree.nodes[0].judged = true
	default:
		tree.nodes[0].judged = true
		g.fill(tree, tree.GoalSize-1)
	}
}

// target picks the state of a tree by its age.
func (g *generator) target(age time.Duration) string {
	for _, chapter := range story {
		if age < chapter.older {
			continue
		}
		at := g.rand.IntN(1000)
		for i, weight := range chapter.weights {
			if at -= weight; at < 0 {
				return States[i]
			}
		}
	}
	return growing
}

// someday picks the day of a prompt. The collection runs for eight months and
// grows, so that every time frame has a part of it.
func (g *generator) someday() time.Time {
	day := 24 * time.Hour
	spans := []struct {
		until float64
		days  time.Duration
	}{{0.05, 1}, {0.17, 7}, {0.42, 30}, {1, 240}}
	at := g.rand.Float64()
	for _, span := range spans {
		if at < span.until {
			return g.between(g.now.Add(-span.days*day), g.now)
		}
	}
	return g.now
}

// root makes a tree with its prompt.
func (g *generator) root(author *person, t *language, at time.Time, text string, n nature, about subject) *tree {
	id := g.id()
	tree := &tree{language: t, target: reviewing, Tree: Tree{
		ID: id, Lang: t.code, Created: at, GoalSize: 6 + 3*g.rand.IntN(4), MaxDepth: maxDepth, MaxChildren: maxChildren,
	}}
	first := &node{nature: n, author: author, tree: tree, about: about, Message: Message{
		Tree: id, ID: id, Created: at, Role: "prompter", Lang: t.code, Text: cut(text),
	}}
	if author != nil {
		tree.Author, first.Author = author.ID, author.ID
		author.touch(at)
	} else {
		tree.Origin = "demo-backlog"
	}
	tree.nodes = []*node{first}
	g.trees = append(g.trees, tree)
	return tree
}

const (
	maxDepth    = 5
	maxChildren = 3
)

// fill adds replies to a tree: several answers to a prompt, and mostly one
// follow-up to an answer.
func (g *generator) fill(tree *tree, replies int) {
	for tries := 0; replies > 0 && tries < 200; tries++ {
		parent := tree.nodes[g.rand.IntN(len(tree.nodes))]
		room := maxChildren
		if parent.Role == "assistant" {
			room = 1 + g.rand.IntN(2)
		}
		if parent.Depth >= maxDepth || len(parent.kids) >= room {
			continue
		}
		author := g.writer(tree.language)
		if author == parent.author {
			continue
		}
		at := g.soon(parent.Created, 20*time.Hour)
		nature, text := good, ""
		switch {
		case g.chance(0.04):
			nature, text = poor, g.poor(parent.about, other(parent.Role))
		case parent.Role == "prompter":
			text = g.answer(parent.about)
		default:
			text = g.followUp(parent.about)
		}
		reply := g.reply(parent, author, at, text, nature)
		if tree.target == backlogRanking {
			reply.author, reply.Author = nil, uuid.Nil
			reply.Synthetic, reply.ModelName = reply.Role == "assistant", "demo-model-7b"
			if !reply.Synthetic {
				reply.ModelName = ""
			}
		} else {
			author.touch(at)
		}
		reply.judged = tree.target != growing && tree.target != halted
		replies--
	}
}

// reply adds a reply to a message.
func (g *generator) reply(parent *node, author *person, at time.Time, text string, n nature) *node {
	reply := &node{nature: n, author: author, tree: parent.tree, about: parent.about, parent: parent, Message: Message{
		Tree: parent.Tree, ID: g.id(), Parent: parent.ID, Author: author.ID, Created: at,
		Role: other(parent.Role), Lang: parent.tree.Lang, Text: cut(text), Depth: parent.Depth + 1,
	}}
	parent.kids = append(parent.kids, reply)
	parent.tree.nodes = append(parent.tree.nodes, reply)
	return reply
}

// other returns the role of a reply to a role.
func other(role string) string {
	if role == "prompter" {
		return "assistant"
	}
	return "prompter"
}
