package store

import (
	"cmp"
	"context"
	"iter"

	"github.com/jackc/pgx/v5"

	"treewarden/corpus"
	"treewarden/policy"
	"treewarden/store/bulk"
	"treewarden/store/classify"
	"treewarden/store/db"
	"treewarden/store/derived"
	"treewarden/store/importer"
	"treewarden/store/ingest"
	"treewarden/store/jobs"
	"treewarden/store/sessions"
	"treewarden/store/waves"
)

// Ingest stores the events of a front end: JSON objects, one a line. All valid
// lines of a request are stored with their counters in one transaction; the
// result lists the invalid ones. A line may refer to objects in the database or
// in lines above it. An event that is sent again counts once, also if two
// requests send it concurrently.
//
// Lines of a banned user are refused. No line changes a decision of staff: a
// role, a ban, a name, a stopped tree.
func (s *Store) Ingest(ctx context.Context, actor Actor, lines []byte) (Ingested, error) {
	if err := need(actor, policy.Ingest); err != nil {
		return Ingested{}, err
	}
	into := ingest.Ingester{
		Sender: actor.UserID, RequireActive: sessions.RequireActiveSQL,
		Pool: s.pools.Lines, Now: s.now, Rules: &s.rules, Publisher: s.boards,
	}
	done, err := into.Run(ctx, lines)
	if sessions.IsInactive(err) {
		return Ingested{}, errActorChanged // banned or revoked while the lines were read
	}
	return done, db.Translate(err)
}

// Classifiers gives an actor who may see the scoring access to the classifiers that run here.
func (s *Store) Classifiers(actor Actor) (classify.Access, error) {
	return classify.Access{Runner: s.classifiers, Ordering: need(actor, policy.ScoringSave), Person: actor.UserID,
		Via: actor.Via}, need(actor, policy.ScoringRead)
}

// RunClassifiers does the runs of classifiers that people ordered.
func (s *Store) RunClassifiers(ctx context.Context, models []classify.Model) error {
	return s.classifiers.RunJobs(ctx, models, func(ctx context.Context, job jobs.Job) error {
		actor, err := s.jobActor(ctx, job)
		return cmp.Or(err, need(actor, policy.ScoringSave))
	}, isRefusal)
}

// KeepUpTexts keeps up what is derived from texts: their sketches, their terms, and the
// waves of similar messages. It compares some thousand messages, so that it returns
// within seconds; the next call goes on.
func (s *Store) KeepUpTexts(ctx context.Context) error {
	if err := derived.KeepUp(ctx, s.pool); err != nil {
		return err
	}
	_, err := waves.KeepUp(ctx, s.pool)
	return err
}

// Import imports records in batches, each in its own transaction. A
// *corpus.Fault from the iterator is counted as a refused line; any other error
// ends the import.
//
// Import creates new messages, trees and authors, and updates known messages.
// Counts only grow, null never erases a value, and decisions of staff stay: the
// text of an edited message, the deletion, the review, the state of a stopped
// tree. An import that is killed and started again has the same result as one
// that was not, and a second import of the same records changes nothing.
//
// Records with an unknown parent are stored apart until a later record or
// import brings it. One import runs at a time; a second one waits.
//
// The iterator runs in a goroutine of its own. If Import fails while the iterator
// waits for input, the goroutine ends only after that input has come.
//
// On an error, the summary counts what was committed before it.
func (s *Store) Import(
	ctx context.Context, records iter.Seq2[*corpus.Record, error], o ImportOptions,
) (ImportSummary, error) {
	into := importer.Importer{
		Connection: s.pool.Config().ConnConfig, Now: s.now, Rules: &s.rules, Publisher: s.boards,
	}
	return into.Run(ctx, records, o)
}

// What the package bulk loads, by the names that users of a Store know.
type (
	Bulk  = bulk.Collection
	Table = bulk.Table
)

// NoDate is the value of a missing date.
var NoDate = bulk.NoDate

// Empty reports whether the database holds no contributor and no tree. It may
// hold staff and keys.
func (s *Store) Empty(ctx context.Context) (bool, error) { return bulk.IsEmpty(ctx, s.pool) }

// Load adds a collection to the database in one transaction and counts its
// signals. It fails if one of the ids exists.
func (s *Store) Load(ctx context.Context, b Bulk) error {
	defer s.boards.MarkAll()
	return db.Translate(pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		return bulk.Load(ctx, tx, s.now(), b)
	}))
}

// Fill loads a collection into an empty database and reports whether it did.
// Another process may have filled it.
func (s *Store) Fill(ctx context.Context, b Bulk) (filled bool, err error) {
	defer s.boards.MarkAll()
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
		filled, err = bulk.Fill(ctx, tx, s.now(), b)
		return err
	})
	return filled && err == nil, db.Translate(err)
}
