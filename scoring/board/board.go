// Package board ranks users in memory by any formula, window, column and filter,
// and moves changed users to their places. It does not use the database: the
// owner of a Board calls Put after changes.
package board

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
)

// User is the data of one user on a board. A Board keeps it: languages and
// counters must not be changed after Put.
type User struct {
	ID           uuid.UUID
	Name         string
	AuthMethod   string
	Role         string
	Status       string // active, banned or erased
	Languages    []string
	LastActivity time.Time // zero if there is none
	// Windows holds the counts of each window in the order of scoring.Windows;
	// nil means zero.
	Windows [4]*scoring.Counters
}

// Counters returns the counts of the user in a window, never nil.
func (u *User) Counters(window scoring.Window) *scoring.Counters {
	if t := u.Windows[slices.Index(scoring.Windows, window)]; t != nil {
		return t
	}
	return &nothing
}

var nothing scoring.Counters

// View selects and orders the users of a board. Sort is score, rate, red_flags,
// downvotes, spam, toxicity or messages, in descending order; ties are ordered by
// descending id.
type View struct {
	Window  scoring.Window
	Formula scoring.Formula
	Sort    string
	Status  string // active, banned or erased; "" or all for all users
	Lang    string // "" for any
	// Within holds languages of which one, or a variety, is the user's first; nil
	// for any.
	Within []string
	// Name stands for what Named tells of display names: a view with the same Name
	// has the same users. Named is not called if Name is empty.
	Name  string
	Named func(displayName string) bool
}

// Place is the position of a user in a view: the value that the view is ordered
// by, and the user.
type Place struct {
	Value float64
	User  uuid.UUID
}

// Row is the row of a user in a view. Rank counts from 1 within the view.
type Row struct {
	Rank  int
	Place Place
	User  User
}

// Board holds users and the orders of requested views. It is safe for concurrent
// use.
type Board struct {
	mu    sync.RWMutex
	users []User
	place map[uuid.UUID]int32

	// changes holds the changed users in the order of their changes; the first
	// one has the number since. Each order keeps the number that it has followed.
	changes []int32
	since   int

	ordersMu sync.Mutex
	orders   map[orderKey]*order
	clock    int // counts uses, to find the least recently used order
}

// New returns an empty board.
func New() *Board {
	return &Board{place: map[uuid.UUID]int32{}, orders: map[orderKey]*order{}}
}

// Put adds or replaces users.
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
	// An order that is further behind is sorted again, which is faster.
	if extra := len(b.changes) - 2*len(b.users) - 1024; extra > 0 {
		b.changes = slices.Clone(b.changes[extra:])
		b.since += extra
	}
}

// Len returns the number of users.
func (b *Board) Len() int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.users)
}

// User returns a user of the board.
func (b *Board) User(id uuid.UUID) (u User, known bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	at, known := b.place[id]
	if known {
		u = b.users[at]
	}
	return u, known
}

// Each calls do for each user, in no order, until it returns false. do must not
// call methods of the board.
func (b *Board) Each(do func(*User) bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for i := range b.users {
		if !do(&b.users[i]) {
			return
		}
	}
}

// Page returns up to limit rows of a view: the first ones if from is nil, else
// those after that place or, with back, the last ones before it. The rows are in
// descending order. The place may be empty by now. before and after report
// whether the view has rows beyond the page.
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

// precedes compares the places of two users.
func precedes(value float64, id uuid.UUID, otherValue float64, other uuid.UUID) int {
	switch {
	case value > otherValue:
		return -1
	case value < otherValue:
		return 1
	}
	return bytes.Compare(other[:], id[:])
}
