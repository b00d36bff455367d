// Package queue keeps the open cases in memory, in the order in which they are urgent.
// It follows the database as the boards do.
package queue

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
)

// Case is what the order of the queue depends on. It must not be changed.
type Case struct {
	ID            int64
	Tree, Message uuid.UUID
	Author        uuid.UUID // Nil if nobody knows them
	Lang          string
	Opened        time.Time
	Later         time.Time // nobody is asked about the case before this time
	Reporters     []uuid.UUID
	Reports       int // of people
	RedFlags      int // of people
	Imported      int // red flags of files
	Toxicity      *float64
}

// Record is what became of a person's flags.
type Record struct {
	Upheld    int64 `json:"upheld"`
	Dismissed int64 `json:"dismissed"`
	// Banned people's flags do not count.
	Banned bool `json:"-"`
}

// Index holds the open cases of all authors. It is safe for concurrent use.
type Index struct {
	mu       sync.RWMutex
	byAuthor map[uuid.UUID][]*Case
	byID     map[int64]*Case
	// reported counts the open cases of each author that a reporter flagged.
	reported map[uuid.UUID]map[uuid.UUID]int
	records  map[uuid.UUID]Record
	total    Record // of all reporters
	// changes holds the authors whose cases or figures changed; the first one has the
	// number since. Each order keeps the number that it has followed.
	changes []uuid.UUID
	since   int
	rebuilt int // counts the times that everything was read

	ordersMu sync.Mutex
	orders   map[orderKey]*order
	uses     int
}

// New returns an empty index.
func New() *Index {
	x := &Index{orders: map[orderKey]*order{}}
	x.reset()
	return x
}

func (x *Index) reset() {
	x.byAuthor, x.byID = map[uuid.UUID][]*Case{}, map[int64]*Case{}
	x.reported, x.records = map[uuid.UUID]map[uuid.UUID]int{}, map[uuid.UUID]Record{}
	x.total, x.since, x.changes = Record{}, x.since+len(x.changes), nil
	x.rebuilt++
}

// Put replaces the open cases of authors and the records of reporters. changed are all
// users with changes; those without a case in the list have none.
func (x *Index) Put(changed []uuid.UUID, open []*Case, records map[uuid.UUID]Record) {
	x.mu.Lock()
	defer x.mu.Unlock()
	touched := map[uuid.UUID]bool{}
	for _, user := range changed {
		touched[user] = true
		for _, c := range x.byAuthor[user] {
			delete(x.byID, c.ID)
			x.countReporters(c, -1)
		}
		delete(x.byAuthor, user)
		before, after := x.records[user], records[user]
		if before == after {
			continue
		}
		x.total.Upheld += after.Upheld - before.Upheld
		x.total.Dismissed += after.Dismissed - before.Dismissed
		if x.records[user] = after; after == (Record{}) {
			delete(x.records, user)
		}
		for author := range x.reported[user] {
			touched[author] = true
		}
	}
	x.add(open)
	x.changes = slices.AppendSeq(x.changes, maps.Keys(touched))
	// An order that is further behind is sorted again.
	if extra := len(x.changes) - maxBehind; extra > 0 {
		x.changes = slices.Clone(x.changes[extra:])
		x.since += extra
	}
}

// maxBehind is the number of changes that an order may have missed before it is
// sorted again.
const maxBehind = 20_000

// Replace replaces everything.
func (x *Index) Replace(open []*Case, records map[uuid.UUID]Record) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.reset()
	for user, r := range records {
		if r != (Record{}) {
			x.records[user] = r
			x.total.Upheld += r.Upheld
			x.total.Dismissed += r.Dismissed
		}
	}
	x.add(open)
}

func (x *Index) add(open []*Case) {
	for _, c := range open {
		x.byAuthor[c.Author] = append(x.byAuthor[c.Author], c)
		x.byID[c.ID] = c
		x.countReporters(c, 1)
	}
}

func (x *Index) countReporters(c *Case, n int) {
	for _, reporter := range c.Reporters {
		authors := x.reported[reporter]
		if authors == nil {
			authors = map[uuid.UUID]int{}
			x.reported[reporter] = authors
		}
		if authors[c.Author] += n; authors[c.Author] == 0 {
			delete(authors, c.Author)
			if len(authors) == 0 {
				delete(x.reported, reporter)
			}
		}
	}
}

// mean returns the mean trust of reporters.
func (x *Index) mean() float64 { return scoring.MeanTrust(x.total.Upheld, x.total.Dismissed) }

// trust returns the sum of the trust in a case's reporters. Banned ones and the author
// do not count; red flags of files count as the mean.
func (x *Index) trust(c *Case, mean float64) float64 {
	sum := float64(c.Imported) * mean
	for _, reporter := range c.Reporters {
		if r := x.records[reporter]; reporter != c.Author && !r.Banned {
			sum += scoring.Trust(r.Upheld, r.Dismissed, mean)
		}
	}
	return sum
}

// counts reports whether somebody's flag on a case counts.
func (x *Index) counts(c *Case) bool {
	return c.Imported > 0 || slices.ContainsFunc(c.Reporters, func(reporter uuid.UUID) bool {
		return !x.records[reporter].Banned
	})
}

// Reporter tells how far a reporter is trusted.
type Reporter struct {
	Record
	Trust float64 `json:"trust"` // 0 to 1; 0 for banned people
}

// Reporter returns how far a reporter is trusted.
func (x *Index) Reporter(user uuid.UUID) Reporter {
	x.mu.RLock()
	defer x.mu.RUnlock()
	r := Reporter{Record: x.records[user]}
	if !r.Banned {
		r.Trust = scoring.Trust(r.Upheld, r.Dismissed, x.mean())
	}
	return r
}

// OfAuthor returns the open cases of an author, without those that only banned people
// flagged.
func (x *Index) OfAuthor(author uuid.UUID) []*Case {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var open []*Case
	for _, c := range x.byAuthor[author] {
		if x.counts(c) {
			open = append(open, c)
		}
	}
	return open
}

// Len returns the number of open cases.
func (x *Index) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.byID)
}

// ByID returns an open case, or nil.
func (x *Index) ByID(id int64) *Case {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.byID[id]
}
