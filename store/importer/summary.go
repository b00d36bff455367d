package importer

import "treewarden/corpus"

// maxErrors is the maximum number of faults in a summary.
const maxErrors = 100

// Summary counts the results of an import. Trees, Messages and Users are new
// ones; Updated and Unchanged are known messages.
type Summary struct {
	Trees     int64 `json:"trees"`
	Messages  int64 `json:"messages"`
	Users     int64 `json:"users"`
	Updated   int64 `json:"updated"`
	Unchanged int64 `json:"unchanged"`
	// Superseded counts lines about a message that a later line of the same import says
	// otherwise. The last one holds.
	Superseded int64 `json:"superseded,omitempty"`
	// Rejected counts refused lines, Orphans stored lines with an unknown parent.
	Rejected int64 `json:"rejected"`
	Orphans  int64 `json:"orphans"`
	// Bytes is the uncompressed size of the lines.
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
	// Errors holds the first 100 faults.
	Errors []corpus.Fault `json:"errors"`
}

// Faults reports whether lines were not imported.
func (s Summary) Faults() bool { return s.Rejected > 0 || s.Orphans > 0 }

// reject counts a refused line and adds it to Errors while there is room.
func (s *Summary) reject(f corpus.Fault) {
	s.Rejected++
	s.name(f)
}

func (s *Summary) name(f corpus.Fault) {
	if len(s.Errors) < maxErrors {
		s.Errors = append(s.Errors, f)
	}
}

// add adds the summary of a batch.
func (s *Summary) add(b Summary) {
	s.Trees += b.Trees
	s.Messages += b.Messages
	s.Users += b.Users
	s.Updated += b.Updated
	s.Unchanged += b.Unchanged
	s.Superseded += b.Superseded
	s.Rejected += b.Rejected
	s.Orphans += b.Orphans
	for _, f := range b.Errors {
		s.name(f)
	}
}
