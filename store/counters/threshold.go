package counters

import (
	"context"
	"sync"

	"treewarden/store/db"
)

// Threshold caches the classifier's toxicity, 0 to 1, from which the counters
// count a message as toxic. A transaction that used an outdated value is retried
// (Update.Write).
type Threshold struct {
	mu    sync.Mutex
	from  float64
	known bool
}

// Read returns the threshold, from the database if it is not cached.
func (t *Threshold) Read(ctx context.Context, c db.Conn) (float64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.known {
		if err := c.QueryRow(ctx, "SELECT toxic_from FROM counted_with").Scan(&t.from); err != nil {
			return 0, err
		}
		t.known = true
	}
	return t.from, nil
}

// Forget empties the cache.
func (t *Threshold) Forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known = false
}
