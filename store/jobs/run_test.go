package jobs

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"treewarden/store/db"
)

// TestJobsTryAgain has what a job changes held by others: the job tries again, and
// another error or a cancellation ends it (fault 34).
func TestJobsTryAgain(t *testing.T) {
	t.Parallel()
	other := errors.New("another")
	for _, want := range []error{nil, other} {
		tries := 0
		action, err := doAgain(t.Context(), func() (int64, error) {
			if tries++; tries < 3 {
				return 0, fmt.Errorf("delete: %w", db.ErrBusy)
			}
			return 7, want
		})
		if tries != 3 || action != 7 || !errors.Is(err, want) {
			t.Errorf("after %d tries: action %d, error %v", tries, action, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := doAgain(ctx, func() (int64, error) { return 0, db.ErrBusy }); !errors.Is(err, db.ErrBusy) {
		t.Errorf("a cancelled job ends with %v", err)
	}
}
