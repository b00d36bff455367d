package counters

import (
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Changed describes the changes of a transaction that boards show.
type Changed struct {
	// Users are the users with changed counts, languages or rows.
	Users map[uuid.UUID]bool
	// Formula reports whether another formula is put in force, Priority whether other
	// weights of the queue are, and Policy whether roles may do other things.
	Formula, Priority, Policy bool
	// Claims reports whether other people hold cases of the queue.
	Claims bool
}

// Add marks users as changed.
func (c *Changed) Add(users ...uuid.UUID) {
	if c.Users == nil {
		c.Users = map[uuid.UUID]bool{}
	}
	for _, user := range users {
		c.Users[user] = true
	}
}

// Publisher notifies boards of the changes of a transaction. This package does
// not know the boards; the code that runs the transaction calls both.
type Publisher interface {
	// Announce adds the statements that notify other processes after the commit.
	Announce(batch *pgx.Batch, changed Changed)
	// Mark makes the boards of this process read the changes. It is called after
	// the transaction has ended, also if it failed.
	Mark(changed Changed)
}
