package exports

import (
	"github.com/google/uuid"

	"treewarden/corpus"
)

// node is a message in its tree, with what the filters ask about it.
type node struct {
	corpus.Message
	listed, banned, classified bool

	replies []int // places of its replies, in their order
	// parent is the place of its parent in the order of the walk.
	parent int
	// own is why it is left out for itself, above is the reason of the message further
	// up with which it is left out.
	own, above string
	kept       bool
}

// chosen is what is kept of a tree.
type chosen struct {
	messages []corpus.Message // depth first
	blanked  int64
	leftOut  map[string]int64
}

// choose chooses messages of a tree, whose siblings come in their order.
func (f *Filters) choose(nodes []node) chosen {
	done := chosen{leftOut: map[string]int64{}}
	order := walk(nodes)
	for range len(nodes) - len(order) {
		done.leftOut[withoutTree]++
	}
	for _, at := range order {
		n := &nodes[at]
		n.own = f.reason(n)
		if n.parent >= 0 && !f.Single() {
			up := &nodes[order[n.parent]]
			if n.above = up.above; n.above == "" && !f.maySpan(up) {
				n.above = up.own
			}
		}
		n.kept = n.own == "" && n.above == ""
	}
	if f.DeletedNodes == Blank {
		// From below: a message that is left out stays if a reply below it does.
		for i := len(order) - 1; i > 0; i-- {
			if n := &nodes[order[i]]; n.kept {
				nodes[order[n.parent]].kept = true
			}
		}
	}
	for _, at := range order {
		n := &nodes[at]
		switch {
		case !n.kept && n.own != "":
			done.leftOut[n.own]++
		case !n.kept:
			done.leftOut[below+n.above]++
		case n.own != "":
			n.blank()
			done.blanked++
			fallthrough
		default:
			done.messages = append(done.messages, n.Message)
		}
	}
	return done
}

// maySpan reports whether the replies below a message can be kept. Messages on a list
// are never kept, not even blank: the file must not hold their ids.
func (f *Filters) maySpan(n *node) bool {
	return n.own == "" || f.DeletedNodes == Blank && n.own != onList
}

// blank removes the text and what tells of it.
func (n *node) blank() {
	n.Text, n.UserID, n.ModelName, n.Deleted = "", nil, nil, true
	n.Emojis, n.Labels, n.Events, n.Classifiers = nil, nil, nil, nil
}

// walk returns the places of the messages from the prompt down, depth first. Messages
// that it does not reach have no parent in the tree.
func walk(nodes []node) []int {
	places := make(map[uuid.UUID]int, len(nodes))
	for i := range nodes {
		places[nodes[i].MessageID] = i
	}
	root := -1
	for i := range nodes {
		n := &nodes[i]
		if n.ParentID == nil {
			if root < 0 {
				root = i
			}
			continue
		}
		if at, ok := places[*n.ParentID]; ok {
			nodes[at].replies = append(nodes[at].replies, i)
		}
	}
	if root < 0 {
		return nil
	}
	order := make([]int, 0, len(nodes))
	nodes[root].parent = -1
	for open := []int{root}; len(open) > 0; {
		at := open[len(open)-1]
		open = open[:len(open)-1]
		n := &nodes[at]
		if n.parent >= 0 {
			n.Depth = nodes[order[n.parent]].Depth + 1
		} else {
			n.Depth = 0
		}
		for i := len(n.replies) - 1; i >= 0; i-- {
			nodes[n.replies[i]].parent = len(order)
			open = append(open, n.replies[i])
		}
		order = append(order, at)
	}
	return order
}
