package store_test

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
	"treewarden/store"
)

// check compares every board and every explanation of a score with the oracle.
func (q *sequence) check() {
	q.t.Helper()
	o := newOracle(q)
	for _, window := range scoring.Windows {
		since, bounded := window.Since(q.now)
		within := func(at *time.Time) bool { return !bounded || at != nil && !at.Before(since) }
		for _, formula := range scoring.Formulas {
			formula.Classifier = o.counting
			rows := board(q.t, q.Store, q.staff[0], window, formula)
			want := map[uuid.UUID]store.BoardRow{}
			for user := range o.written {
				row, counts, evidence := o.row(user, within, formula)
				if row.Messages > 0 || slices.ContainsFunc(row.Parts, func(p scoring.Part) bool { return p.Count > 0 }) {
					want[user] = row
				}
				q.checkScore(row, window, formula, counts, evidence)
			}
			if len(rows) != len(want) {
				q.fail("%s, %s: %d users on the board, want %d", window, formula.Name, len(rows), len(want))
			}
			for user, w := range want {
				if why := unlike(rows[user], w); why != "" {
					q.fail("%s, %s, %s: %s of\n%+v\nwant\n%+v", window, formula.Name, user, why, rows[user], w)
				}
			}
			q.checkRanks(rows)
		}
	}
}

// checkInsights brings the figures of the insights up to what has changed, then counts
// them whole, and compares both with what another method counts.
func (q *sequence) checkInsights() {
	q.t.Helper()
	access, err := q.Insights(store.CommandLine)
	if err != nil {
		q.fail("the insights: %v", err)
	}
	access.Part = 1
	for more := true; more; {
		if more, err = access.Update(ctx); err != nil {
			q.fail("update the insights: %v", err)
		}
	}
	check, err := access.Verify(ctx)
	if err != nil {
		q.fail("verify the insights: %v", err)
	}
	if !check.AsOf.IsZero() && len(check.Found) > 0 {
		q.fail("the updated insights: %s", strings.Join(check.Found, "\n"))
	}
	if err := access.Count(ctx); err != nil {
		q.fail("count the insights: %v", err)
	}
	if check, err := access.Verify(ctx); err != nil || len(check.Found) > 0 || check.Rows == 0 {
		q.fail("the insights: %+v, %v", check, err)
	}
}

// row returns the expected row of a user on a board, the counts, and the messages
// that gave each signal.
func (o *oracle) row(user uuid.UUID, within func(*time.Time) bool, formula scoring.Formula) (store.BoardRow,
	scoring.Counts, map[scoring.Signal]map[uuid.UUID]bool) {
	counts, evidence := scoring.Counts{}, map[scoring.Signal]map[uuid.UUID]bool{}
	for _, s := range o.signals[user] {
		if s.n > 0 && within(s.at) && (s.legacy && formula.Legacy || s.current && !formula.Legacy) {
			counts[s.signal] += s.n
			if evidence[s.signal] == nil {
				evidence[s.signal] = map[uuid.UUID]bool{}
			}
			evidence[s.signal][s.message] = true
		}
	}
	row := store.BoardRow{UserID: user, RedFlags: counts[scoring.RedFlags], Upvotes: counts[scoring.Upvotes],
		Downvotes: counts[scoring.Downvotes],
		Spam:      counts[scoring.SpamLabels] + counts[scoring.SpamPrompts], Parts: formula.Parts(counts)}
	for signal, n := range counts {
		row.Score += formula.Weights[signal] * float64(n)
	}
	for _, at := range o.written[user] {
		if within(at) {
			row.Messages++
		}
	}
	row.Rate = row.Score / float64(row.Messages+10)
	for _, source := range []struct {
		name string
		all  []toxicitySum
	}{{"labels", o.labels[user]}, {"classifier", o.classifier[user]}} {
		var sum float64
		var n int64
		for _, m := range source.all {
			if within(m.at) {
				sum, n = sum+m.sum, n+m.n
			}
		}
		if n > 0 {
			row.Toxicity, row.ToxicitySource = new(sum/float64(n)), new(source.name)
		}
	}
	return row, counts, evidence
}

// unlike names a value in which two rows differ, or returns "".
func unlike(a, b store.BoardRow) string {
	near := func(x, y *float64) bool {
		return x == nil && y == nil || x != nil && y != nil && math.Abs(*x-*y) < 1e-9
	}
	switch {
	case a.Score != b.Score:
		return "the score"
	case math.Abs(a.Rate-b.Rate) > 1e-12:
		return "the rate"
	case a.Messages != b.Messages:
		return "the messages"
	case a.RedFlags != b.RedFlags || a.Upvotes != b.Upvotes || a.Downvotes != b.Downvotes || a.Spam != b.Spam ||
		!slices.Equal(a.Parts, b.Parts):
		return "the counts"
	case !near(a.Toxicity, b.Toxicity) || a.Toxicity != nil && *a.ToxicitySource != *b.ToxicitySource:
		return "the toxicity"
	}
	return ""
}

// checkRanks checks that ranks follow the score, then the id, without gaps.
func (q *sequence) checkRanks(rows map[uuid.UUID]store.BoardRow) {
	all := make([]store.BoardRow, 0, len(rows))
	for _, row := range rows {
		all = append(all, row)
	}
	slices.SortFunc(all, func(a, b store.BoardRow) int {
		if a.Score != b.Score {
			return map[bool]int{true: -1, false: 1}[a.Score > b.Score]
		}
		return bytes.Compare(b.UserID[:], a.UserID[:])
	})
	for i, row := range all {
		if row.Rank != int64(i+1) {
			q.fail("%s has rank %d, want %d", row.UserID, row.Rank, i+1)
		}
	}
}

// checkScore compares the explanation of a score: its parts, its rate, and for each
// signal the messages that gave it in the window, or 50 of them.
func (q *sequence) checkScore(row store.BoardRow, window scoring.Window, formula scoring.Formula, counts scoring.Counts,
	evidence map[scoring.Signal]map[uuid.UUID]bool) {
	q.t.Helper()
	score, err := q.Score(ctx, q.staff[0], row.UserID, window, formula)
	if err != nil {
		q.fail("explain: %v", err)
	}
	where := fmt.Sprintf("%s, %s, %s", window, formula.Name, row.UserID)
	if want := formula.Parts(counts); !slices.Equal(score.Parts, want) {
		q.fail("%s: explained as %+v, want %+v", where, score.Parts, want)
	}
	if math.Abs(score.Rate-row.Rate) > 1e-12 {
		q.fail("%s: the rate is explained as %v, want %v", where, score.Rate, row.Rate)
	}
	if len(score.Evidence) != len(evidence) {
		q.fail("%s: evidence for %v, want %v", where, score.Evidence, evidence)
	}
	for signal, want := range evidence {
		got := map[uuid.UUID]bool{}
		for _, id := range score.Evidence[signal] {
			got[id] = true
		}
		if len(score.Evidence[signal]) != min(len(want), 50) || len(want) <= 50 && !maps.Equal(got, want) {
			q.fail("%s: the evidence for %s is %v, want %v", where, signal, score.Evidence[signal], want)
		}
	}
}
