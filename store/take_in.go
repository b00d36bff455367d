package store

import (
	"context"
	"iter"

	"treewarden/corpus"
	"treewarden/policy"
	"treewarden/store/db"
	"treewarden/store/importer"
	"treewarden/store/ingest"
)

// Ingest takes in what a front end saw: JSON objects, one a line. All good
// lines of a request are kept, with the counters that follow from them, in one
// transaction; bad ones are named. Lines work in their order: what one speaks
// of is there before it, or stands above it. An event that is sent again
// counts once, also when two requests bring it at the same moment.
//
// A banned user submits nothing. No line overturns what staff decided: a role,
// a ban, a name, a stopped tree.
func (s *Store) Ingest(ctx context.Context, actor Actor, lines []byte) (Ingested, error) {
	if err := need(actor, policy.Ingest); err != nil {
		return Ingested{}, err
	}
	into := ingest.Ingester{Pool: s.pool, Now: s.now, Threshold: &s.threshold, Publisher: s.boards}
	done, err := into.Run(ctx, lines)
	return done, db.Translate(err)
}

// Import takes records into the database, batch by batch, each in its own
// transaction. A *corpus.Fault from the iterator is counted as a refused line;
// any other error ends the import.
//
// Messages, trees and authors that are new are made; a record that brings more
// about a message that is known updates it. Counts only grow, null never
// erases, and what staff decided stays: the text of an edited message, the
// deletion, the review, the state of a stopped tree. So an import that is
// killed and started again ends as one that was not, and a second import of
// the same records changes nothing.
//
// Records whose parent is unknown are kept aside until it comes, also from
// another import. One import runs at a time; a second one waits.
//
// On an error, the summary tells what was committed until then.
func (s *Store) Import(ctx context.Context, records iter.Seq2[*corpus.Record, error], o ImportOptions) (ImportSummary,
	error) {
	into := importer.Importer{Connection: s.pool.Config().ConnConfig, Now: s.now, Threshold: &s.threshold,
		Publisher: s.boards}
	return into.Run(ctx, records, o)
}
