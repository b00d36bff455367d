package messages

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"treewarden/corpus/search"
	"treewarden/store/db"
)

// MostRanked is the number of messages, the newest that match, that are ranked by how well
// they match.
const MostRanked = 2000

// Best is the name of the order of messages by how well they match, see [search.Query.Score].
// Of equal ones the newest is first.
const Best = "best"

// The notes of a page of the best of a search that did not rank all that it could find.
var (
	bestNote    = "These are the best of the newest " + withComma(MostRanked) + " messages that match."
	noneCutNote = "This search takes long and was ended before it found a message: add a rare word or a filter, or " +
		"sort by date to search further."
	bestCutNote = "This search takes long and was ended: these are the best of the newest messages that match. " +
		"To rank more, add a rare word or a filter; to search further, sort by date."
)

func withComma(n int) string { return fmt.Sprintf("%d,%03d", n/1000, n%1000) }

// errNothingToRankBy refuses to rank by a line without a word.
var errNothingToRankBy = db.Invalid{"sort": "There is nothing to rank by: sort=best needs a word, a phrase or an " +
	"expression in q. Add one, or choose new or old."}

// best is the order by how well messages match. Its rows are put into their order here,
// not by PostgreSQL: its keys are those of a bestCursor.
var best = db.Order{Name: Best, Desc: true, Keys: make([]db.Key, bestKeys)}

// rank is the place of a message in the order of the best.
type rank struct {
	score float64
	at    float64 // seconds since 1970; it may be infinite
	id    string
}

// compare returns a negative number if a message is before another one.
func (r rank) compare(other rank) int {
	return cmp.Or(cmp.Compare(other.score, r.score), cmp.Compare(other.at, r.at), strings.Compare(other.id, r.id))
}

// window is the part of all messages, in the order of newest, whose matches were ranked for
// the first page. Further pages rank the same part, so that what comes later changes none.
type window struct {
	from, to []string // the places of its first and last match
	end      string   // why it ended there: endOfAll, endOfMost or endOfTime
}

// Why a window ended.
const (
	endOfAll  = ""
	endOfMost = "most"
	endOfTime = "time"
)

// bestKeys is the number of keys of a bestCursor.
const bestKeys = 8

// bestCursor is a place in the best of a window.
type bestCursor struct {
	rank
	window
	back bool
}

// link returns the cursor as a list has it, bound to an order.
func (c bestCursor) link(o db.Order) *string {
	figure := func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
	text := db.Cursor{Order: o.Name, Keys: slices.Concat([]string{figure(c.score), figure(c.at), c.id}, c.from, c.to,
		[]string{c.end}), Back: c.back}.String()
	return &text
}

// parseBestCursor reads a cursor that belongs to an order.
func parseBestCursor(text string, o db.Order) (c bestCursor, err error) {
	found, err := db.ParseCursor(text, o)
	if err != nil {
		return c, err
	}
	keys := found.Keys
	var wrong [2]error
	c.score, wrong[0] = strconv.ParseFloat(keys[0], 64)
	c.at, wrong[1] = strconv.ParseFloat(keys[1], 64)
	c.id, c.from, c.to, c.end, c.back = keys[2], keys[3:5], keys[5:7], keys[7], found.Back
	for _, id := range []string{c.id, c.from[1], c.to[1]} {
		if uuid.Validate(id) != nil {
			return c, db.ErrForeignCursor
		}
	}
	if wrong != [2]error{} || math.IsNaN(c.score) || math.IsNaN(c.at) ||
		!slices.Contains([]string{endOfAll, endOfMost, endOfTime}, c.end) {
		return c, db.ErrForeignCursor
	}
	return c, nil
}

// within narrows a walk in the order of newest to a window.
func (v window) within(w *db.Walk) {
	narrow := func(q *db.Query, o db.Order) {
		place := fmt.Sprintf("(%s, %s)", o.Keys[0].Expr, o.Keys[1].Expr)
		q.Where(place+" <= (?::text::timestamptz, ?::text::uuid)", v.from[0], v.from[1])
		q.Where(place+" >= (?::text::timestamptz, ?::text::uuid)", v.to[0], v.to[1])
	}
	if v.end == endOfMost {
		w.Most = MostRanked // no row after these is looked at, unless one of them is gone
	}
	narrow(&w.Candidates, w.Order)
	narrow(&w.All, w.Order)
	n := w.Narrow
	if n == nil {
		return
	}
	within := func(where func(*db.Query)) func(*db.Query) {
		return func(q *db.Query) {
			where(q)
			narrow(q, n.Order)
		}
	}
	n.Where = within(n.Where)
	if periods := n.Periods; periods != nil {
		n.Periods = func(from []string) []db.Period {
			all := periods(from)
			for i := range all {
				all[i].Where = within(all[i].Where)
			}
			return all
		}
	}
}

// ranked returns the messages that the walk finds, the best first, and the window that they
// are from.
func (w *bestWalk) ranked(ctx context.Context, tx *db.Snapshot) (all []rank, of window, err error) {
	keys, cut, err := w.Run(ctx, tx)
	if err != nil {
		return nil, of, err
	}
	if cut {
		of.end = endOfTime
	}
	if len(keys) > MostRanked { // for the first page
		keys, of.end = keys[:MostRanked], endOfMost
	}
	for i, key := range keys {
		r := w.found[i]
		r.id = key[1]
		all = append(all, r)
	}
	if len(keys) > 0 {
		of.from, of.to = keys[0], keys[len(keys)-1]
	}
	slices.SortFunc(all, rank.compare)
	return all, of, nil
}

// bestWalk is a walk that keeps how well the rows match that it finds, in their order.
type bestWalk struct {
	db.Walk
	found []rank // without ids
}

// walkBest returns the walk over the newest messages that a filter finds.
func (p prepared) walkBest(ctx context.Context, tx *db.Snapshot, s Searcher) (*bestWalk, error) {
	w, err := p.walk(ctx, tx, s, newest, MostRanked+1)
	if err != nil {
		return nil, err
	}
	b := &bestWalk{Walk: w}
	b.Candidates.Columns = SearchedSQL("m.text") + ", (extract(epoch FROM m.created_date))::text"
	b.Fits = func(texts []string) bool {
		if !w.Fits(texts) {
			return false
		}
		at, err := strconv.ParseFloat(texts[1], 64)
		if err != nil {
			return false // PostgreSQL writes a number, or an infinite one
		}
		b.found = append(b.found, rank{score: p.line.Score(texts[0]), at: at})
		return true
	}
	return b, nil
}

// best reads one page of the messages that match best.
func (p prepared) best(ctx context.Context, tx *db.Snapshot, s Searcher) (list db.List[Message], err error) {
	size, err := p.Page.Size()
	if err != nil {
		return list, err
	}
	w, err := p.walkBest(ctx, tx, s)
	if err != nil {
		return list, err
	}
	o := w.Candidates.BoundOrder(best).Bound(p.line.String())
	var at bestCursor
	if p.Cursor != "" {
		if at, err = parseBestCursor(p.Cursor, o); err != nil {
			return list, err
		}
		at.within(&w.Walk)
	}
	all, of, err := w.ranked(ctx, tx)
	if err != nil {
		return list, err
	}
	first, last, cut := 0, min(size, len(all)), of.end == endOfTime
	if p.Cursor != "" {
		of = at.window
		place, there := slices.BinarySearchFunc(all, at.rank, rank.compare)
		if first = place; at.back {
			first, last = max(0, place-size), place
		} else {
			if there {
				first++
			}
			last = min(first+size, len(all))
		}
	}
	switch list.Cut = cut || of.end == endOfTime; {
	case list.Cut && len(all) == 0:
		list.Note = noneCutNote
	case list.Cut:
		list.Note = bestCutNote
	case of.end == endOfMost:
		list.Note = bestNote
	}
	before, after := at.rank, at.rank // of a page without rows
	if first < last {
		before, after = all[first], all[last-1]
	}
	if last < len(all) {
		list.Next = bestCursor{after, of, false}.link(o)
	}
	if first > 0 {
		list.Prev = bestCursor{before, of, true}.link(o)
	}
	list.Items, err = p.read(ctx, tx, all[first:last])
	return list, err
}

// read reads ranked messages, with the places of what the line found.
func (p prepared) read(ctx context.Context, tx *db.Snapshot, ranked []rank) ([]Message, error) {
	all := []Message{}
	if len(ranked) == 0 {
		return all, nil
	}
	ids := make([]uuid.UUID, len(ranked))
	for i, r := range ranked {
		ids[i] = uuid.MustParse(r.id) // as the database wrote it
	}
	named, err := NamedUpTo(ctx, tx, ids, p.TextLimit)
	for _, id := range ids {
		if m, ok := named[id]; ok {
			m.Marks = Marks(p.line, m.Text)
			all = append(all, m)
		}
	}
	return all, err
}

// allBest returns one page of the messages that match best. It returns Invalid if the line
// has nothing to rank by.
func (p prepared) allBest(ctx context.Context, s Searcher) (list db.List[Message], err error) {
	if !p.line.Ranks() {
		return list, errNothingToRankBy
	}
	err = s.In(ctx, func(tx *db.Snapshot) (err error) {
		list, err = p.best(ctx, tx, s)
		return err
	})
	return list, err
}

// Ranks reports whether the messages that a query line finds can be sorted by how well they
// match it.
func Ranks(line string) bool {
	q, err := search.Parse(line)
	return err == nil && q.Ranks()
}
