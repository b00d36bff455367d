// Package board ranks users in memory: by any formula, over any frame, by any
// column, for any filter, with each change of a user moved to its place. It
// knows nothing of databases: whoever owns a Board tells it what has changed.
package board

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
)

// User is what a board knows of one user. A Board keeps what it is given:
// neither languages nor tallies may be changed afterwards.
type User struct {
	ID           uuid.UUID
	Name         string
	AuthMethod   string
	Role         string
	Status       string // active, banned or erased
	Languages    []string
	LastActivity time.Time // zero: never
	// Windows are the counts of each frame in the order of scoring.Frames; nil
	// is nothing.
	Windows [4]*scoring.Counters
}

// Counters is what was counted of the user in a frame, never nil.
func (u *User) Counters(window scoring.Window) *scoring.Counters {
	if t := u.Windows[slices.Index(scoring.Windows, window)]; t != nil {
		return t
	}
	return &nothing
}

var nothing scoring.Counters

// View is one way to look at a board: who is on it, and in which order. Sort is
// score, rate, red_flags, downvotes, spam, toxicity or messages, always the
// highest first; among equals the higher id comes first.
type View struct {
	Window  scoring.Window
	Formula scoring.Formula
	Sort    string
	Status  string // active, banned, erased; "" or all: everybody
	Lang    string // "" : any
	Name    string // part of the display name, in any case
}

// Place is where a user stands in a view: what they are sorted by, and who
// they are.
type Place struct {
	Value float64
	User  uuid.UUID
}

// Row is a user's line in a view. Rank counts from 1 within the view.
type Row struct {
	Rank  int
	Place Place
	User  User
}

// Board holds users and the orders that were asked for. It is safe for use by
// many goroutines.
type Board struct {
	mu    sync.RWMutex
	users []User
	place map[uuid.UUID]int32

	// changes are the users that changed, in the order in which they did; the
	// first one has the number since. Each order knows how far it has followed.
	changes []int32
	since   int

	ordersMu sync.Mutex
	orders   map[orderKey]*order
	clock    int // counts uses, so that the order unused for longest can go
}

// New makes an empty board.
func New() *Board {
	return &Board{place: map[uuid.UUID]int32{}, orders: map[orderKey]*order{}}
}

// Put adds users, or replaces what is known of them.
func (b *Board) Put(users []User) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.users) == 0 {
		b.users, b.place = make([]User, 0, len(users)), make(map[uuid.UUID]int32, len(users))
	}
	for _, u := range users {
		at, known := b.place[u.ID]
		if !known {
			at = int32(len(b.users))
			b.place[u.ID] = at
			b.users = append(b.users, User{})
		}
		b.users[at] = u
		b.changes = append(b.changes, at)
	}
	// Who is further behind than this sorts anew, which is faster.
	if extra := len(b.changes) - 2*len(b.users) - 1024; extra > 0 {
		b.changes = slices.Clone(b.changes[extra:])
		b.since += extra
	}
}

// Len is how many users the board knows.
func (b *Board) Len() int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.users)
}

// Each calls do for each user, in no order, until it returns false. It must
// not call the board.
func (b *Board) Each(do func(*User) bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for i := range b.users {
		if !do(&b.users[i]) {
			return
		}
	}
}

// Page returns up to limit rows of a view: the first ones where from is nil,
// else those after that place, or with back those before it (the last of
// them come out, still the highest first). The place need not be taken any
// more. Before and after say whether the view has rows beyond the page.
func (b *Board) Page(v View, from *Place, back bool, limit int) (rows []Row, before, after bool) {
	o := b.order(v)
	b.mu.RLock()
	defer b.mu.RUnlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.follow(b)
	first, last := 0, min(limit, len(o.sorted))
	if from != nil {
		at := o.find(b, from.Value, from.User)
		taken := at < len(o.sorted) && b.users[o.sorted[at]].ID == from.User
		if back {
			first, last = max(0, at-limit), at
		} else {
			if taken {
				at++
			}
			first, last = at, min(at+limit, len(o.sorted))
		}
	}
	rows = make([]Row, 0, last-first)
	for i := first; i < last; i++ {
		at := o.sorted[i]
		rows = append(rows, Row{i + 1, Place{o.value[at], b.users[at].ID}, b.users[at]})
	}
	return rows, first > 0, last < len(o.sorted)
}

// precedes says whether one user stands before another.
func precedes(value float64, id uuid.UUID, otherValue float64, other uuid.UUID) int {
	switch {
	case value > otherValue:
		return -1
	case value < otherValue:
		return 1
	}
	return bytes.Compare(other[:], id[:])
}
