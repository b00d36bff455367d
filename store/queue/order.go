package queue

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
)

// By is how cases are ordered: by the score of their authors in a window by a formula,
// with the weights of a priority; or the oldest first.
type By struct {
	Oldest   bool
	Window   scoring.Window
	Formula  scoring.Formula
	Priority scoring.Priority
	// Score returns the score of a user in the window by the formula.
	Score func(user uuid.UUID) float64
	// Now is the time of the ages. They are counted in whole hours.
	Now time.Time
}

// orderKey names an order that is kept.
type orderKey struct {
	oldest  bool
	window  scoring.Window
	formula string
	version int
	weights int
}

// maxOrders is the number of orders that are kept.
const maxOrders = 8

// order is the cases in one order. The one with the highest value comes first.
type order struct {
	mu       sync.Mutex
	sorted   []Place
	followed int
	rebuilt  int
	hour     time.Time
	mean     float64
	used     int
	resorts  bool // it is being sorted anew
}

// Place is the place of a case in an order.
type Place struct {
	Value float64
	Case  *Case
}

// Compare puts the highest value first, then the lowest id.
func Compare(a, b Place) int {
	return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.Case.ID, b.Case.ID))
}

// meanMoved is the change of the mean trust from which on everything is sorted anew. As
// with the start of an hour, that happens in the background: until it is done, the order
// is the one by the former mean and hour.
const meanMoved = 0.05

// Each calls do for the cases in an order until it returns false. do must not call
// methods of the index.
func (x *Index) Each(by By, do func(Place) bool) {
	o := x.order(by)
	x.mu.RLock()
	defer x.mu.RUnlock()
	o.mu.Lock()
	o.follow(x, by)
	sorted := o.sorted // a change makes a new slice
	o.mu.Unlock()
	for _, p := range sorted {
		if x.counts(p.Case) && !do(p) {
			return
		}
	}
}

// Facts returns what the priority of a case depends on.
func (x *Index) Facts(c *Case, score func(uuid.UUID) float64) scoring.CaseFacts {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.facts(c, score, x.mean())
}

func (x *Index) facts(c *Case, score func(uuid.UUID) float64, mean float64) scoring.CaseFacts {
	f := scoring.CaseFacts{Trust: x.trust(c, mean), Toxicity: c.Toxicity, Opened: c.Opened}
	if c.Author != uuid.Nil {
		f.AuthorScore = score(c.Author)
	}
	return f
}

// Ranked returns the cases that wait now, in the order by each of some priorities. It
// keeps no order: the weights may be of a trial, and have no version.
func (x *Index) Ranked(by By, priorities ...scoring.Priority) [][]Place {
	orders := make([][]Place, len(priorities))
	x.rank(by, priorities, orders)
	for _, order := range orders {
		slices.SortFunc(order, Compare)
	}
	return orders
}

// rank adds the place of each case that waits to each order.
func (x *Index) rank(by By, priorities []scoring.Priority, orders [][]Place) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	waits, hour, mean := &View{By: by}, Hour(by.Now), x.mean()
	for _, c := range x.byID {
		if !x.counts(c) || !waits.shows(c) {
			continue
		}
		facts := x.facts(c, by.Score, mean)
		for i, p := range priorities {
			orders[i] = append(orders[i], Place{p.Of(facts, hour), c})
		}
	}
}

// order returns the order of By, which may be empty.
func (x *Index) order(by By) *order {
	key := orderKey{oldest: by.Oldest}
	if !by.Oldest {
		key.window, key.formula, key.version = by.Window, by.Formula.Name, by.Formula.Version
		key.weights = by.Priority.Version
	}
	x.ordersMu.Lock()
	defer x.ordersMu.Unlock()
	x.uses++
	o := x.orders[key]
	if o == nil {
		if len(x.orders) >= maxOrders {
			var oldest orderKey
			for k, other := range x.orders {
				if x.orders[oldest] == nil || other.used < x.orders[oldest].used {
					oldest = k
				}
			}
			delete(x.orders, oldest)
		}
		o = &order{}
		x.orders[key] = o
	}
	o.used = x.uses
	return o
}

// Hour returns the time of the ages of cases: the start of an hour.
func Hour(now time.Time) time.Time { return now.UTC().Truncate(time.Hour) }

// follow brings the order up to the index.
func (o *order) follow(x *Index, by By) {
	hour, mean, latest := Hour(by.Now), x.mean(), x.since+len(x.changes)
	value := func(c *Case) float64 {
		if by.Oldest {
			return -float64(c.Opened.UnixMicro())
		}
		return by.Priority.Of(x.facts(c, by.Score, mean), hour)
	}
	if o.rebuilt != x.rebuilt || o.followed < x.since {
		o.sorted = make([]Place, 0, len(x.byID))
		for _, c := range x.byID {
			o.sorted = append(o.sorted, Place{value(c), c})
		}
		slices.SortFunc(o.sorted, Compare)
		o.rebuilt, o.followed, o.hour, o.mean = x.rebuilt, latest, hour, mean
		return
	}
	if moved := math.Abs(mean-o.mean) > meanMoved || !hour.Equal(o.hour); moved && !by.Oldest && !o.resorts {
		o.resorts = true
		anew := order{mean: mean, hour: hour}
		defer func() {
			anew.sorted, anew.followed, anew.rebuilt = o.sorted, o.followed, o.rebuilt
			go o.replace(x, by, &anew)
		}()
	}
	if o.followed == latest {
		return
	}
	mean, hour = o.mean, o.hour // all values of an order have the same ones
	changed := map[uuid.UUID]bool{}
	var fresh []Place
	for _, author := range x.changes[o.followed-x.since:] {
		if changed[author] {
			continue
		}
		changed[author] = true
		for _, c := range x.byAuthor[author] {
			fresh = append(fresh, Place{value(c), c})
		}
	}
	slices.SortFunc(fresh, Compare)
	o.sorted = merged(o.sorted, fresh, changed)
	o.followed = latest
}

// atOnce is the number of cases that replace values before it lets changes in.
const atOnce = 1000

// replace sorts the cases of an order by another mean and hour, and puts the result in
// its place. What the index changes meanwhile is followed afterwards.
func (o *order) replace(x *Index, by By, anew *order) {
	sorted := make([]Place, 0, len(anew.sorted))
	for some := range slices.Chunk(anew.sorted, atOnce) {
		x.mu.RLock()
		for _, p := range some {
			sorted = append(sorted, Place{by.Priority.Of(x.facts(p.Case, by.Score, anew.mean), anew.hour), p.Case})
		}
		x.mu.RUnlock()
	}
	slices.SortFunc(sorted, Compare)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.resorts = false
	if o.rebuilt == anew.rebuilt {
		o.sorted, o.followed, o.mean, o.hour = sorted, anew.followed, anew.mean, anew.hour
	}
}

// merged returns the places but those of changed authors, with fresh ones, in order.
func merged(sorted, fresh []Place, changed map[uuid.UUID]bool) []Place {
	all := make([]Place, 0, len(sorted)+len(fresh))
	for _, p := range sorted {
		if changed[p.Case.Author] {
			continue
		}
		for len(fresh) > 0 && Compare(fresh[0], p) < 0 {
			all, fresh = append(all, fresh[0]), fresh[1:]
		}
		all = append(all, p)
	}
	return append(all, fresh...)
}
