package importer

import "treewarden/corpus"

// maxErrors is how many faults a summary names.
const maxErrors = 100

// Summary counts what an import did. Trees, Messages and Users are those
// that were new; Updated and Unchanged are messages that were known.
type Summary struct {
	Trees     int64 `json:"trees"`
	Messages  int64 `json:"messages"`
	Users     int64 `json:"users"`
	Updated   int64 `json:"updated"`
	Unchanged int64 `json:"unchanged"`
	// Rejected counts lines that were refused, Orphans lines that are kept
	// aside because their parent has not come.
	Rejected int64 `json:"rejected"`
	Orphans  int64 `json:"orphans"`
	// Bytes counts the lines that were read, uncompressed.
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
	// Errors names the first 100 lines that did not go in.
	Errors []corpus.Fault `json:"errors"`
}

// Faults says whether lines did not go in.
func (s Summary) Faults() bool { return s.Rejected > 0 || s.Orphans > 0 }

// reject counts a line that was refused, and names it while there is room.
func (s *Summary) reject(f corpus.Fault) {
	s.Rejected++
	s.name(f)
}

func (s *Summary) name(f corpus.Fault) {
	if len(s.Errors) < maxErrors {
		s.Errors = append(s.Errors, f)
	}
}

// add adds what a batch did.
func (s *Summary) add(b Summary) {
	s.Trees += b.Trees
	s.Messages += b.Messages
	s.Users += b.Users
	s.Updated += b.Updated
	s.Unchanged += b.Unchanged
	s.Rejected += b.Rejected
	s.Orphans += b.Orphans
	for _, f := range b.Errors {
		s.name(f)
	}
}
