package scoring

import "fmt"

// Truth names the users whom a trial counts as sanctioned. Each one includes
// those before it.
type Truth string

// The truths of a trial.
const (
	TruthBanned   Truth = "banned"   // users who are banned
	TruthDeleted  Truth = "deleted"  // and users with a message that staff deleted
	TruthRejected Truth = "rejected" // and users with a rejected message
)

// Truths are all truths, the narrowest first.
var Truths = []Truth{TruthBanned, TruthDeleted, TruthRejected}

// TruthNamed returns the truth of a name, and TruthBanned for an empty one.
func TruthNamed(name string) (Truth, error) {
	if name == "" {
		return TruthBanned, nil
	}
	for _, truth := range Truths {
		if string(truth) == name {
			return truth, nil
		}
	}
	return "", fmt.Errorf("truth is banned, deleted or rejected, not %q", name)
}

// Who describes the users whom a truth counts as sanctioned.
func (t Truth) Who() string {
	switch t {
	case TruthDeleted:
		return "users who are banned, or had a message deleted by staff"
	case TruthRejected:
		return "users who are banned, or had a message deleted by staff or rejected"
	}
	return "users who are banned"
}

// Includes reports whether a truth counts the users of another one.
func (t Truth) Includes(other Truth) bool {
	switch t {
	case TruthRejected:
		return true
	case TruthDeleted:
		return other != TruthRejected
	}
	return other == TruthBanned
}
