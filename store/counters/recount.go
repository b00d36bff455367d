package counters

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"treewarden/scoring"
	"treewarden/store/db"
)

// A recount counts every signal from scratch, independently of Update: it reads
// the base tables once, in their physical order, and adds up in Go. It keeps
// some 100 bytes per message in memory, and counters for each row of
// user_signals.
//
// The sources in source.go count the few messages of a transaction, or the
// evidence of one user, in SQL. Tests and score verify compare the two.
type recount struct {
	rule scoring.ToxicityRule
	uses map[int16]scoring.Use // of the models
	// Signals from these moments on have rows of hours and of days.
	hoursFrom, daysFrom db.Moment

	banned         map[uuid.UUID]bool
	authors        map[uuid.UUID]int32
	ids            []uuid.UUID // of authors, by index
	authorMu       sync.Mutex
	langs          map[string]int32
	languageCounts map[authorLang]int64
	messages       [shards]messageShard
	spans          [shards]spanShard
	totals         []scoring.Counters // by index of the author
}

// authorLang is an author and a language, by their indexes.
type authorLang struct{ author, lang int32 }

// shards is the number of parts of a recount that can be written concurrently.
const shards = 64

// countedMessage is the data of a message that a recount keeps.
type countedMessage struct {
	author            int32
	deleted, recorded bool
	created           db.Moment
	outputs           [scoring.NumUses]countedOutputs
}

// countedOutputs is the data of the outputs of a message by models of one use.
type countedOutputs struct {
	toxicity float64   // the highest; below 0 if there is none
	at       db.Moment // the time of the first one
}

// noOutputs is the data without an output.
var noOutputs = countedOutputs{toxicity: -1, at: math.MaxInt64}

// chosen returns the outputs with the toxicity that counts; ok is false if there is none.
func (m *countedMessage) chosen() (of countedOutputs, ok bool) {
	for _, of := range m.outputs {
		if of.toxicity >= 0 {
			return of, true
		}
	}
	return noOutputs, false
}

// lateSignal is a signal that depends on the message's reaction record, which is
// read later.
type lateSignal struct {
	message int32
	fact    Fact
	at      db.Moment
}

// flag is a red flag or a report. Whether it is the first of its rater on the
// message is known when both tables were read.
type flag struct {
	message int32
	fact    Fact
	rater   uuid.UUID
	at      db.Moment
}

type messageShard struct {
	sync.Mutex
	at    map[uuid.UUID]int32
	all   []countedMessage
	late  []lateSignal
	flags []flag
}

// span is an hour or a day of one author.
type span struct {
	author int32
	grain  int16
	at     db.Moment // the start
}

type spanShard struct {
	sync.Mutex
	counts map[span]*scoring.Counters
}

// recountOn counts everything on connections that share a snapshot. Each reads a
// part of every table.
func recountOn(ctx context.Context, conns []db.Conn, now time.Time, rule scoring.ToxicityRule) (*recount, error) {
	r := &recount{
		rule:           rule,
		uses:           map[int16]scoring.Use{},
		hoursFrom:      db.MomentOf(now.Add(-HoursKept)),
		daysFrom:       db.MomentOf(now.Add(-daysKept).UTC().Truncate(24 * time.Hour)),
		authors:        map[uuid.UUID]int32{},
		banned:         map[uuid.UUID]bool{},
		langs:          map[string]int32{},
		languageCounts: map[authorLang]int64{},
	}
	var about float64 // the estimated number of messages; below 0 if unknown
	if err := conns[0].QueryRow(ctx,
		"SELECT reltuples FROM pg_class WHERE oid = 'messages'::regclass").Scan(&about); err != nil {
		return nil, err
	}
	each := int(max(about, 0)) * 11 / 10 / shards
	for i := range shards {
		r.messages[i].at, r.messages[i].all = make(map[uuid.UUID]int32, each), make([]countedMessage, 0, each)
		r.spans[i].counts = map[span]*scoring.Counters{}
	}
	if err := db.EachRaw(ctx, conns[0], "SELECT user_id FROM users WHERE banned_at IS NOT NULL", func(raw [][]byte) {
		r.banned[uuid.UUID(raw[0])] = true
	}); err != nil {
		return nil, err
	}
	uses := rule.Uses()
	if err := db.EachRaw(ctx, conns[0], "SELECT model_id, name FROM classifier_models", func(raw [][]byte) {
		r.uses[db.ReadInt2(raw[0])] = uses(string(raw[1]))
	}); err != nil {
		return nil, err
	}
	readers := make([]*recountReader, len(conns))
	for i, c := range conns {
		readers[i] = &recountReader{recount: r, conn: c}
	}
	for phase := range readers[0].phases() {
		if err := readParts(ctx, readers, phase); err != nil {
			return nil, err
		}
		if r.totals == nil { // all authors are known
			r.totals = make([]scoring.Counters, len(r.ids))
		}
	}
	r.countMessages()
	r.foldHours()
	return r, nil
}

// tableRead is a table to read. The query ends with a condition, to which the
// range of a part is added. row is called for each row.
type tableRead struct {
	table, query string
	row          func(raw [][]byte)
}

// readParts reads the tables of a phase with all readers, each its part.
func readParts(ctx context.Context, readers []*recountReader, phase int) error {
	group, ctx := errgroup.WithContext(ctx)
	for part, r := range readers {
		group.Go(func() error {
			for _, t := range r.phases()[phase] {
				var blocks int64
				if err := r.conn.QueryRow(ctx, "SELECT pg_relation_size($1::regclass) / current_setting('block_size')::bigint",
					t.table).Scan(&blocks); err != nil {
					return err
				}
				sql := t.query + fmt.Sprintf(" AND ctid >= '(%d,0)'", blocks*int64(part)/int64(len(readers)))
				if part < len(readers)-1 {
					sql += fmt.Sprintf(" AND ctid < '(%d,0)'", blocks*int64(part+1)/int64(len(readers)))
				}
				if err := db.EachRaw(ctx, r.conn, sql, t.row); err != nil {
					return fmt.Errorf("count %s: %w", t.table, err)
				}
			}
			return nil
		})
	}
	return group.Wait()
}
