package main

import (
	"math"
	"slices"
	"time"
)

// The size of the published corpus, which scale 1 has, and the number of days
// of its collection.
const (
	corpusUsers = 13_500
	corpusTrees = 66_497
	corpusDays  = 120
)

const (
	hour = 3600e6 // microseconds
	day  = 24 * hour
)

var languages = []string{
	"en", "es", "ru", "de", "zh", "fr", "th", "pt-BR", "ca", "ko", "uk-UA", "it", "ja", "pl", "eu", "vi", "hu", "ar",
	"tr", "fi", "nl", "sv", "da", "cs", "el", "he", "ro", "id", "bn", "fa", "nb", "gl", "eo", "hi", "sk",
}

// world is the generated collection. Its size and its end determine it. A few
// users do most of the work (Zipf-Mandelbrot), most trees are a prompt without
// a reply, and a fiftieth of the users are trolls.
type world struct {
	users, trees int
	start, end   int64 // microseconds since 1970
	people       *weighted
	spoken       *weighted
	vocabulary   []string
	words        *weighted
}

func newWorld(scale float64, end time.Time) *world {
	w := &world{users: int(corpusUsers * scale), trees: int(corpusTrees * scale), end: end.UnixMicro()}
	w.start = w.end - corpusDays*day
	weights := make([]float64, w.users)
	for i := range weights {
		weights[i] = math.Pow(float64(i)+11, -1.05)
	}
	w.people = newWeighted(weights)

	weights = make([]float64, len(languages))
	for i := range weights {
		if weights[i] = 11 / float64(i*2+1); i < 5 {
			weights[i] = []float64{44, 25, 8, 5, 4}[i]
		}
	}
	w.spoken = newWeighted(weights)

	// An English stemmer does not change these words.
	r, seen := random(7), map[string]bool{}
	for len(w.vocabulary) < 30_000 {
		var b []byte
		for range 1 + r.below(4) {
			b = append(b, "bdfgkmprvz"[r.below(10)], "aou"[r.below(3)])
		}
		word := string(append(b, "kmpb"[r.below(4)]))
		if !seen[word] {
			seen[word] = true
			w.vocabulary = append(w.vocabulary, word)
		}
	}
	weights = make([]float64, len(w.vocabulary))
	for i := range weights {
		weights[i] = 1 / (float64(i) + 3)
	}
	w.words = newWeighted(weights)
	return w
}

// message is one node of a tree, with the values that other tables depend on.
type message struct {
	key            uint64 // of its streams
	tree, place    int    // place is its number within the tree
	parent         int    // place of the parent, -1 for a prompt
	depth, replies int
	author         int
	language       string
	at             int64
	spam, deleted  bool
	reviewed       bool
}

func isTroll(user int) bool { return mix(uint64(user)^0x7011)%100 < 2 }

// walk calls do for each tree with its messages in the order of their dates.
func (w *world) walk(do func(tree []message)) {
	tree := make([]message, 0, 128)
	for t := range w.trees {
		r := stream(ofTree, uint64(t), 0)
		size := 1
		switch {
		case t%5000 == 0:
			size = 100
		case r.float() < 0.3:
			size = min(2+int(r.exponential()*4.1), 60)
		}
		language := languages[w.spoken.draw(&r)]
		tree = tree[:0]
		for k := range size {
			m := message{key: uint64(t)<<8 | uint64(k), tree: t, place: k, parent: -1, language: language}
			w.write(&m, tree)
			tree = append(tree, m)
		}
		do(tree)
	}
}

// write generates a message below the messages of the tree.
func (w *world) write(m *message, tree []message) {
	r := stream(ofMessage, m.key, 0)
	m.author = w.people.draw(&r)
	if len(tree) == 0 {
		m.at = w.start + int64(r.float()*corpusDays*day)
	} else {
		m.parent = r.below(len(tree))
		for tree[m.parent].depth >= 6 {
			m.parent = r.below(m.parent)
		}
		parent := &tree[m.parent]
		parent.replies++
		m.depth, m.deleted = parent.depth+1, parent.deleted
		m.at = w.later(&r, parent.at, 1.5)
	}
	chance := 0.019
	if isTroll(m.author) {
		chance = 0.55
	}
	m.spam = r.float() < chance
	fate := r.float()
	m.deleted = m.deleted || fate < 0.013 || m.spam && fate < 0.4
	m.reviewed = m.spam || r.float() >= 0.12
}

// later returns a time some days after another, and before the end.
func (w *world) later(r *random, at int64, meanDays float64) int64 {
	later := at + int64(r.exponential()*meanDays*day)
	if later >= w.end {
		later = at + int64(r.float()*float64(w.end-at))
	}
	return later
}

type reaction struct {
	user  int
	emoji string
}

// reactions draws the users and emojis of a message's reactions. 60 % of the
// messages have none.
func (w *world) reactions(m *message) []reaction {
	r := stream(ofReactions, m.key, 0)
	if r.float() >= 0.4 {
		return nil
	}
	var all []reaction
	for range min(1+int(r.exponential()*3.35), 40) {
		x := reaction{user: w.people.draw(&r)}
		switch c := r.float(); {
		case m.spam && c < 0.45, c < 0.02:
			x.emoji = "red_flag"
		case m.spam && c < 0.8, c < 0.12:
			x.emoji = "-1"
		case c < 0.84:
			x.emoji = "+1"
		case c < 0.9:
			x.emoji = "_skip_reply"
		case c < 0.95:
			x.emoji = "rofl"
		default:
			x.emoji = "100"
		}
		if !slices.Contains(all, x) {
			all = append(all, x)
		}
	}
	return all
}

// labellers draws the users who labelled a message, usually three, each once.
func (w *world) labellers(m *message, r *random) []int {
	wanted := 3
	switch c := r.float(); {
	case c < 0.05:
		wanted = 0
	case c < 0.1:
		wanted = 1
	case c < 0.2:
		wanted = 2
	case c >= 0.95:
		wanted = 5
	case c >= 0.85:
		wanted = 4
	}
	var all []int
	for len(all) < wanted {
		if user := w.people.draw(r); !slices.Contains(all, user) {
			all = append(all, user)
		}
	}
	return all
}
