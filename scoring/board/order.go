package board

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"

	"treewarden/scoring"
)

// ordersKept is the maximum number of orders of a board. One costs 13 bytes per user.
const ordersKept = 48

// orderKey identifies an order: a View with the formula's weights. Two formulas
// of one name may have different weights during a trial.
type orderKey struct {
	window             scoring.Window
	legacy             bool
	weights            [scoring.NumSignals]float64
	sort, status, lang string
	within             string // with a separator before each language; empty for nil
	name               string
}

// order holds the users of one view in order.
type order struct {
	mu     sync.Mutex
	view   View
	window int
	scorer scoring.Scorer
	used   int // the time of the last use

	followed int // the number of the next change to follow
	fresh    bool
	value    []float64 // by user: the value of a user in the view
	in       []bool
	sorted   []int32
}

func (v View) key() orderKey {
	k := orderKey{
		window: v.Window, legacy: v.Formula.Legacy, sort: v.Sort,
		status: v.Status, lang: v.Lang, name: v.Name,
	}
	if v.Within != nil {
		k.within = ";" + strings.Join(v.Within, ";")
	}
	for i, info := range scoring.Signals {
		k.weights[i] = v.Formula.Weights[info.Signal]
	}
	return k
}

// order returns the order of a view and creates it if needed.
func (b *Board) order(v View) *order {
	key := v.key()
	b.ordersMu.Lock()
	defer b.ordersMu.Unlock()
	b.clock++
	o := b.orders[key]
	if o == nil {
		if len(b.orders) >= ordersKept {
			b.forgetOne()
		}
		o = &order{view: v, window: slices.Index(scoring.Windows, v.Window), scorer: v.Formula.Scorer()}
		b.orders[key] = o
	}
	o.used = b.clock
	return o
}

// forgetOne removes the least recently used order.
func (b *Board) forgetOne() {
	var oldest orderKey
	used := b.clock + 1
	for key, o := range b.orders {
		if o.used < used {
			oldest, used = key, o.used
		}
	}
	delete(b.orders, oldest)
}

// follow moves the users that changed since the last use to their places.
func (o *order) follow(b *Board) {
	end := b.since + len(b.changes)
	behind := end - o.followed
	if grown := len(b.users) - len(o.in); grown > 0 {
		o.value, o.in = append(o.value, make([]float64, grown)...), append(o.in, make([]bool, grown)...)
	}
	switch {
	case !o.fresh || o.followed < b.since || behind > 64+len(o.sorted)/256:
		o.sortAnew(b)
	default:
		for _, at := range b.changes[o.followed-b.since:] {
			o.move(b, at)
		}
	}
	o.followed, o.fresh = end, true
}

// ranked is a user during a sort. Most comparisons need only its own fields,
// which are adjacent in memory.
type ranked struct {
	value   float64
	idBegin uint64
	at      int32
}

func (o *order) sortAnew(b *Board) {
	all := make([]ranked, 0, len(b.users))
	for i := range b.users {
		u := &b.users[i]
		if o.in[i] = o.holds(u); o.in[i] {
			o.value[i] = o.valueOf(u)
			all = append(all, ranked{o.value[i], binary.BigEndian.Uint64(u.ID[:]), int32(i)})
		}
	}
	slices.SortFunc(all, func(x, y ranked) int {
		if x.value != y.value || x.idBegin == y.idBegin {
			return precedes(x.value, b.users[x.at].ID, y.value, b.users[y.at].ID)
		}
		return cmp.Compare(y.idBegin, x.idBegin)
	})
	o.sorted = slices.Grow(o.sorted[:0], len(all))
	for _, r := range all {
		o.sorted = append(o.sorted, r.at)
	}
}

// move moves one user to their place.
func (o *order) move(b *Board, at int32) {
	u := &b.users[at]
	in := o.holds(u)
	value := 0.0
	if in {
		value = o.valueOf(u)
	}
	if o.in[at] {
		if in && value == o.value[at] {
			return
		}
		was := o.find(b, o.value[at], u.ID)
		o.sorted = slices.Delete(o.sorted, was, was+1)
	}
	if o.in[at] = in; in {
		o.sorted = slices.Insert(o.sorted, o.find(b, value, u.ID), at)
		o.value[at] = value
	}
}

// find returns the place of a user with a value, whether or not it is in the order.
func (o *order) find(b *Board, value float64, id uuid.UUID) int {
	at, _ := slices.BinarySearchFunc(o.sorted, struct{}{}, func(x int32, _ struct{}) int {
		return precedes(o.value[x], b.users[x].ID, value, id)
	})
	return at
}

// holds reports whether a user is in the view.
func (o *order) holds(u *User) bool {
	t := u.Windows[o.window]
	switch {
	case t == nil || !t.OnBoard(&o.view.Formula):
		return false
	case o.view.Status != "" && o.view.Status != "all" && o.view.Status != u.Status:
		return false
	case o.view.Lang != "" && !slices.Contains(u.Languages, o.view.Lang):
		return false
	case o.view.Within != nil && !o.view.writesWithin(u):
		return false
	}
	return o.view.Name == "" || o.view.Named(u.Name)
}

// writesWithin reports whether the language of most messages of a user is one of
// Within or a variety of one.
func (v View) writesWithin(u *User) bool {
	if len(u.Languages) == 0 {
		return false
	}
	main := strings.ToLower(u.Languages[0])
	return slices.ContainsFunc(v.Within, func(l string) bool {
		l = strings.ToLower(l)
		return main == l || strings.HasPrefix(main, l+"-")
	})
}

// valueOf returns the value that a user in the view is ordered by.
func (o *order) valueOf(u *User) float64 {
	t, f := u.Windows[o.window], &o.view.Formula
	switch o.view.Sort {
	case "rate":
		return scoring.Rate(o.scorer.Score(t), t.Messages())
	case "red_flags":
		return float64(t.Count(f, scoring.RedFlags))
	case "downvotes":
		return float64(t.Count(f, scoring.Downvotes))
	case "spam":
		return float64(t.Count(f, scoring.SpamLabels) + t.Count(f, scoring.SpamPrompts))
	case "toxicity":
		mean, source := t.Toxicity()
		if source == "" {
			return -1
		}
		return mean
	case "messages":
		return float64(t.Messages())
	}
	return o.scorer.Score(t)
}
