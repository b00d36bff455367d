package db

import (
	"errors"
	"maps"
	"slices"
	"strings"
)

// ErrNotFound says that the thing asked for does not exist.
var ErrNotFound = errors.New("there is nothing here under this id")

// Malformed is a request that cannot be read at all: an id that is no UUID, an
// unknown choice, a cursor that this program did not write.
type Malformed string

func (m Malformed) Error() string { return string(m) }

// Invalid names the fields that are wrong, as programs call them, and why.
type Invalid map[string]string

// Error calls the fields as people do.
func (i Invalid) Error() string {
	parts := make([]string, 0, len(i))
	for _, field := range slices.Sorted(maps.Keys(i)) {
		parts = append(parts, forPeople.Replace(field)+": "+i[field])
	}
	return strings.Join(parts, "; ")
}

// forPeople writes the name of a field in words: "display name" and, of what
// stands within another, "weights, red flags".
var forPeople = strings.NewReplacer("_", " ", ".", ", ", "[", ", ", "]", "")
