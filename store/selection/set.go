package selection

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"
)

// Set returns a short text for a set of ids: the same for the same ids in any order, and
// another one for other ids. It is the sum of their hashes, so that it needs no sorting.
func Set(ids []uuid.UUID) string {
	var high, low uint64
	for _, id := range ids {
		hash := sha256.Sum256(id[:])
		high += binary.BigEndian.Uint64(hash[:8])
		low += binary.BigEndian.Uint64(hash[8:16])
	}
	return fmt.Sprintf("%016x%016x", high, low)
}

// Changed says why an act on targets is not the one that a preview showed: their number
// is not the expected one or, if set is not empty, they are others. Changed is empty if
// it is the same act.
func Changed(expected *int64, set string, targets []uuid.UUID) string {
	switch {
	case expected != nil && *expected != int64(len(targets)):
		return "This would change another number of things now than the preview counted. Look at the preview again."
	case set != "" && Set(targets) != set:
		return "This would change other things now than the preview showed. Look at the preview again."
	}
	return ""
}
