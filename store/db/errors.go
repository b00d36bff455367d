package db

import (
	"errors"
	"maps"
	"slices"
	"strings"
)

// ErrNotFound means that the requested object does not exist.
var ErrNotFound = errors.New("there is nothing here under this id")

// Malformed is the error of a request that cannot be decoded: an id that is no
// UUID, an unknown choice, a cursor of another list.
type Malformed string

func (m Malformed) Error() string { return string(m) }

// BadParameter is a Malformed that is about one parameter of the query.
type BadParameter struct {
	Name string
	Malformed
}

// Unwrap returns the Malformed.
func (b BadParameter) Unwrap() error { return b.Malformed }

// Invalid maps the invalid fields, by their names in the API, to reasons.
type Invalid map[string]string

// Error returns the reasons with readable field names.
func (i Invalid) Error() string {
	parts := make([]string, 0, len(i))
	for _, field := range slices.Sorted(maps.Keys(i)) {
		parts = append(parts, forPeople.Replace(field)+": "+i[field])
	}
	return strings.Join(parts, "; ")
}

// Err returns the Invalid as an error, or nil if no field is invalid.
func (i Invalid) Err() error {
	if len(i) == 0 {
		return nil
	}
	return i
}

// forPeople makes the name of a field readable: "display name" and, for a nested
// field, "weights, red flags".
var forPeople = strings.NewReplacer("_", " ", ".", ", ", "[", ", ", "]", "")
