package messages

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"treewarden/corpus/search"
	"treewarden/store/db"
)

// Frequencies keeps how common each term is in the texts, as PostgreSQL's statistics say.
// It may be used by several goroutines.
type Frequencies struct {
	mu   sync.Mutex
	last frequencies
	at   time.Time
}

// frequenciesFor is how long frequencies are kept.
const frequenciesFor = time.Minute

// frequencies are how common terms are.
type frequencies struct {
	texts float64           // the number of texts; -1 if it is not known
	of    map[int32]float64 // the share of texts that have a term, for the most common ones
	rest  float64           // the highest share that another term may have
}

// read returns the frequencies, from the database if they are old.
func (f *Frequencies) read(ctx context.Context, c db.Conn) (frequencies, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.at) < frequenciesFor {
		return f.last, nil
	}
	var terms []int32
	var shares []float64
	next := frequencies{of: map[int32]float64{}}
	// After the shares of the terms stand the lowest one, the highest and that of nulls.
	err := c.QueryRow(ctx, `SELECT c.reltuples, coalesce(s.most_common_elems::text::integer[], '{}'),
			coalesce(s.most_common_elem_freqs::float8[], '{}')
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = 'terms'
		WHERE c.oid = 'message_terms'::regclass`).Scan(&next.texts, &terms, &shares)
	if err != nil {
		return next, fmt.Errorf("read how common terms are: %w", err)
	}
	if len(shares) > len(terms) {
		next.rest = shares[len(terms)]
	}
	for i, term := range terms {
		next.of[term] = shares[i]
	}
	f.last, f.at = next, time.Now()
	return next, nil
}

// A line whose words fewer than fewTexts texts have is looked up in one go, and so is one of
// which the newest mostDays days have too few.
const (
	fewTexts = 500
	mostDays = 366
)

// onDays adds the conditions on message_terms w that a message was written on one of the
// days with some terms, in which a share of the messages was, and has what a line needs.
type onDays func(q *db.Query, days []int32, share float64)

// periods returns the periods in which a walk from a time back looks for what a share of the
// texts has: the first is expected to have so many of them, the next ones have four times as
// many each, and the last one, which is not returned, has the rest. Nil is one go.
func (f frequencies) periods(share float64, from time.Time, want float64, where onDays) (all []db.Period) {
	expected := share * f.texts
	if expected < fewTexts || from.Year() < 1 {
		return nil
	}
	var days []int32 // the terms of the days
	found, done := 0.0, 0.0
	day := from.UTC().Truncate(24 * time.Hour)
	for range mostDays {
		term := search.DayTerm(day)
		days = append(days, term)
		found += f.of[term] * expected
		if found >= want {
			if done += found; done > expected/2 {
				break
			}
			of, share := days, found/expected
			all = append(all, db.Period{
				To:    []string{day.Format(time.RFC3339), uuid.Nil.String()},
				Where: func(q *db.Query) { where(q, of, share) },
			})
			days, found, want = nil, 0, 4*want
		}
		day = day.AddDate(0, 0, -1)
	}
	return all
}

// share returns the share of texts that have what a line needs, if terms are in texts
// independently of each other.
func (f frequencies) share(needs [][][]int32) float64 {
	all := 1.0
	for _, alternatives := range needs {
		none := 1.0
		for _, terms := range alternatives {
			each := 1.0
			for _, term := range terms {
				of, ok := f.of[term]
				if !ok {
					of = f.rest
				}
				each *= of
			}
			none *= 1 - each
		}
		all *= 1 - none
	}
	return all
}

// rarest returns the share of texts that have the rarest of the terms that a line needs.
func (f frequencies) rarest(needs [][][]int32) float64 {
	rarest := 1.0
	for _, alternatives := range needs {
		if len(alternatives) == 1 {
			for _, term := range alternatives[0] {
				rarest = min(rarest, f.share([][][]int32{{{term}}}))
			}
		}
	}
	return rarest
}

// pageCost is the cost of unpacking a page of the index with perTexts messages of a language,
// with that of sortCost for a row.
const (
	pageCost = 8
	perTexts = 3600
)

// findsByLanguage reports whether it costs less to look up the languages in the index than
// to read and sort the messages in other languages that have what a line needs.
func (f frequencies) findsByLanguage(needs, langs [][][]int32) bool {
	inLangs := f.share(langs)
	return len(langs) > 0 && sortCost*f.share(needs)*(1-inLangs) > pageCost*inLangs/perTexts
}

// sortCost and siftCost are the costs of a row that the index finds, which is read and
// sorted with the others, and of one that is looked at in the order of dates, with a look
// for its terms. Only their ratio matters: see the benchmark of searches.
const (
	sortCost = 1
	siftCost = 3
)

// inOrder reports whether the first rows that have what a line needs are found sooner by
// looking at the messages in their order than by reading all that the index finds.
func (f frequencies) inOrder(needs [][][]int32, rows int) bool {
	share := f.share(needs)
	return share > 0 && siftCost*min(float64(rows)/share, f.texts) < sortCost*share*f.texts
}
