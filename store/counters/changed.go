package counters

import (
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Changed says what a transaction changes of what boards show.
type Changed struct {
	// Users are those whose counts, languages or own rows change.
	Users map[uuid.UUID]bool
	// Formula says that another formula is put in force.
	Formula bool
}

// Add notes that boards show something else of users now.
func (c *Changed) Add(users ...uuid.UUID) {
	if c.Users == nil {
		c.Users = map[uuid.UUID]bool{}
	}
	for _, user := range users {
		c.Users[user] = true
	}
}

// Publisher tells boards what a transaction changed. Counters do not know the
// boards: whoever runs the transaction calls both.
type Publisher interface {
	// Announce adds the statements that tell other processes, once the
	// transaction is committed.
	Announce(batch *pgx.Batch, changed Changed)
	// Mark has the boards of this process read again what changed. It is called
	// once the transaction has ended, however it did.
	Mark(changed Changed)
}
