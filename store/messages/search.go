package messages

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/corpus/search"
	"treewarden/store/db"
	"treewarden/store/derived"
)

// SearchTime is the time after which a search is cut.
const SearchTime = 3 * time.Second

// CutNote is the note of a page of a search that was cut.
const CutNote = "This search takes long and was ended: go on with the next page to search further, or add a rare " +
	"word or a filter."

// Searcher looks for words in texts, on connections of its own.
type Searcher struct {
	Pool        *pgxpool.Pool
	Limit       time.Duration // of one search
	Frequencies *Frequencies
}

// In runs a search in one snapshot.
func (s Searcher) In(ctx context.Context, do func(tx *db.Snapshot) error) error {
	return db.Read(ctx, s.Pool, do)
}

// prepared is a filter whose line was read.
type prepared struct {
	Filter
	line search.Query
}

// prepare reads the line of a filter, and checks the names in both.
func (f Filter) prepare(ctx context.Context, c db.Conn) (prepared, error) {
	p := prepared{Filter: f}
	var err error
	if p.line, err = search.Parse(f.Q); err != nil {
		return p, err
	}
	return p, f.CheckNames(ctx, c)
}

// walk returns the walk over the messages that a filter finds, in an order, that ends
// after a number of them.
func (p prepared) walk(ctx context.Context, tx *db.Snapshot, s Searcher, o db.Order, most int) (db.Walk, error) {
	w := db.Walk{
		Candidates: db.Query{Columns: SearchedSQL("m.text"), From: "messages m"},
		All:        db.Query{From: "messages m"}, Order: o, Most: most, Limit: s.Limit,
		Fits: func(texts []string) bool { return p.line.Fits(texts[0]) },
	}
	if err := p.Narrow(&w.Candidates); err != nil {
		return w, err
	}
	if w.Candidates.Mentions("t.state") {
		w.Candidates.From += " JOIN trees t ON t.tree_id = m.tree_id"
	}
	if p.User != nil {
		w.All.Where("m.user_id = ?", *p.User)
	}
	if p.Since != nil {
		w.All.Where("m.created_date >= ?", *p.Since)
	}
	if p.Until != nil {
		w.All.Where("m.created_date < ?", *p.Until)
	}
	return w, p.narrow(ctx, tx, s, &w)
}

// SearchedSQL returns the part of a text that is searched.
func SearchedSQL(text string) string { return fmt.Sprintf("left(%s, %d)", text, search.MaxSearched) }

// A search for common words looks at messages without the index: at nearFactor to twice
// nearFactor times as many as are expected to have what it wants, and for firstTime at most.
const (
	nearFactor = 4
	firstTime  = 500 * time.Millisecond
)

// narrow makes a walk over messages m use the terms that the line needs, if it needs any:
// their index, if all texts have their terms, or those of each message.
func (p prepared) narrow(ctx context.Context, tx *db.Snapshot, s Searcher, w *db.Walk) error {
	needs := p.line.Needs()
	if len(needs) == 0 {
		return nil
	}
	common, err := s.Frequencies.read(ctx, tx)
	if err != nil {
		return err
	}
	t := terms{needs: needs, pairs: p.line.Pairs(), of: common}
	for _, lang := range p.langs() {
		t.langs = append(t.langs, [][]int32{{search.LanguageTerm(lang)}})
	}
	var latest time.Time // of all messages
	w.Narrow = &db.Narrow{
		Ready: func(ctx context.Context, s *db.Snapshot) (complete bool, err error) {
			complete, latest, err = derived.Complete(ctx, s)
			return complete, err
		},
		From: "message_terms w", Columns: "w.tree_id, w.message_id, w.created_date", Where: t.where,
		Order: w.Order.Of("w"),
		Join:  "m.tree_id = w.tree_id AND m.message_id = w.message_id",
		Sift: func(q *db.Query) {
			// A subquery is not made a join, so that the rows are read in their order. A message
			// whose terms are not derived yet is looked at.
			_, _ = q.Wrap(`coalesce((SELECT %s FROM message_terms w
				WHERE w.tree_id = m.tree_id AND w.message_id = m.message_id), true)`, func() error {
				needTerms(q, slices.Concat(needs, t.langs))
				return nil
			})
		},
	}
	share := common.share(slices.Concat(needs, t.langs))
	if common.inOrder(slices.Concat(needs, t.langs), w.Most) {
		// The nearest messages may be of another kind than most, such as those of one import.
		// A power of two: few numbers make few statements to plan.
		w.Narrow.Near, w.Narrow.First = 1<<bits.Len(uint(nearFactor*float64(w.Most)/share)), firstTime
	}
	want := float64(2 * w.Most)
	if p.onlyWords() {
		w.Narrow.Step = max(2*w.Most, leastFirst)
	} else {
		// The words of a phrase are together more often than by chance.
		want = max(2*want, min(4*share*common.texts, mostFirst))
		w.Narrow.Step = int(max(want, 4*leastFirst))
	}
	if inLangs := common.share(t.langs); inLangs > 0 { // the index may find messages in others too
		w.Narrow.Step = min(int(float64(w.Narrow.Step)/inLangs), max(w.Narrow.Step, mostFirst))
	}
	if w.Order.Name == newest.Name {
		w.Narrow.Periods = func(from []string) []db.Period {
			return common.periods(share, p.latest(from, latest), want, t.onDays)
		}
	}
	return nil
}

// keyTime is how PostgreSQL writes a time in the keys of newest and oldest: all connections
// are in UTC.
const keyTime = "2006-01-02 15:04:05.999999Z07"

// latest returns a time after which a walk from a place finds no message, given the latest
// date of all; the zero time if it is not known.
func (p prepared) latest(from []string, latest time.Time) time.Time {
	if from != nil {
		at, err := time.Parse(keyTime, from[0])
		if err != nil { // such as -infinity
			return time.Time{}
		}
		latest = earlier(latest, at)
	}
	if p.Until != nil {
		latest = earlier(latest, *p.Until)
	}
	return latest
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// leastFirst and mostFirst are the fewest and the most rows of the index that a search looks
// at first.
const (
	leastFirst = 25
	mostFirst  = 2000
)

// langs returns the languages that the filter asks for: a message must be in all of them.
func (p prepared) langs() []string {
	var langs []string
	if p.Lang != "" {
		langs = append(langs, p.Lang)
	}
	for _, f := range p.line.Filters {
		if f.Name == "lang" && !f.Not {
			langs = append(langs, f.Value)
		}
	}
	return langs
}

// onlyWords reports whether a text that has the terms of the line matches it, but for
// rare cases.
func (p prepared) onlyWords() bool {
	return !slices.ContainsFunc(slices.Concat(p.line.Groups...), func(part search.Part) bool {
		return part.Kind != search.Word || part.Not
	})
}

// page reads one page of a search.
func (p prepared) page(ctx context.Context, tx *db.Snapshot, s Searcher, o db.Order) (db.List[Message], error) {
	size, err := p.Page.Size()
	if err != nil {
		return db.List[Message]{}, err
	}
	w, err := p.walk(ctx, tx, s, o, size)
	if err != nil {
		return db.List[Message]{}, err
	}
	found, err := db.FetchWalked(ctx, tx, w, p.Page, p.line.String())
	if err != nil {
		return db.List[Message]{}, err
	}
	list := db.List[Message]{Items: []Message{}, Next: found.Next, Prev: found.Prev, Cut: found.Cut}
	if found.Cut {
		list.Note = CutNote
	}
	if len(found.Items) == 0 {
		return list, nil
	}
	place := map[uuid.UUID]int{}
	for i, id := range idsOf(found.Items) {
		place[id] = i
	}
	list.Items, err = selectWith(ctx, tx, "", columnsUpTo(p.TextLimit), `WHERE (m.tree_id, m.message_id)
		IN (SELECT tree_id, message_id FROM message_trees WHERE message_id = ANY ($1))`, idsOf(found.Items))
	if err != nil {
		return list, err
	}
	slices.SortFunc(list.Items, func(a, b Message) int { return place[a.MessageID] - place[b.MessageID] })
	for i := range list.Items {
		m := &list.Items[i]
		m.Marks = Marks(p.line, m.Text)
	}
	return list, nil
}

// Marks returns where the words of a line are in a text, which may be the beginning of
// a longer one.
func Marks(line search.Query, text string) []search.Span {
	var marks []search.Span
	for _, group := range line.Groups {
		// A group may hold only beyond the end of this text.
		spans, _ := (search.Query{Groups: [][]search.Part{group}}).Match(text)
		marks = append(marks, spans...)
	}
	slices.SortFunc(marks, func(a, b search.Span) int { return a.Start - b.Start })
	merged := marks[:0]
	for _, m := range marks {
		if last := len(merged) - 1; last >= 0 && m.Start < merged[last].End {
			merged[last].End = max(merged[last].End, m.End)
			continue
		}
		merged = append(merged, m)
	}
	return merged
}

// idsOf returns the ids in keys of the orders of messages.
func idsOf(keys [][]string) []uuid.UUID {
	ids := make([]uuid.UUID, len(keys))
	for i, key := range keys {
		ids[i] = uuid.MustParse(key[1]) // as the database wrote it
	}
	return ids
}

// All returns one page of the messages that a filter finds.
func All(ctx context.Context, c db.Conn, s Searcher, f Filter) (list db.List[Message], err error) {
	o, err := db.ChooseOrder("sort", f.Sort, newest, oldest, best)
	if err != nil {
		return list, err
	}
	p, err := f.prepare(ctx, c)
	if err != nil {
		return list, err
	}
	if o.Name == best.Name {
		return p.allBest(ctx, s)
	}
	if len(p.line.Groups) > 0 {
		err = s.In(ctx, func(tx *db.Snapshot) (err error) {
			list, err = p.page(ctx, tx, s, o)
			return err
		})
		return list, err
	}
	q := db.Query{Columns: columnsUpTo(f.TextLimit), From: Tables}
	if err := f.Narrow(&q); err != nil {
		return list, err
	}
	rows, next, prev, err := db.Fetch[row](ctx, c, q, o, f.Page)
	if err != nil {
		return list, err
	}
	messages, err := messagesOf(rows)
	return db.List[Message]{Items: messages, Next: next, Prev: prev}, err
}

// errUncounted refuses to act on what a search that was cut would find.
var errUncounted = db.Invalid{"filter": "This search takes too long to find all its messages. Add a rare word, a " +
	"language or a time to it; nothing was done."}

// CountUpTo counts the messages that a filter finds, up to a number. It returns
// Invalid for a search that takes too long.
func CountUpTo(ctx context.Context, c db.Conn, s Searcher, f Filter, most int) (int64, error) {
	p, err := f.prepare(ctx, c)
	if err != nil {
		return 0, err
	}
	if len(p.line.Groups) > 0 {
		ids, err := p.ids(ctx, s, most)
		return int64(len(ids)), err
	}
	q := db.Query{Columns: "1", From: Tables}
	if err := f.Narrow(&q); err != nil {
		return 0, err
	}
	var n int64
	sql, args := q.SQL()
	err = c.QueryRow(ctx, fmt.Sprintf("SELECT count(*) FROM (%s LIMIT %d) r", sql, most), args...).Scan(&n)
	return n, db.Translate(err)
}

// CountSome counts the messages that a filter finds, up to a number, in the time of the
// searcher. It reports whether that was too short: there may be more then.
func CountSome(ctx context.Context, c db.Conn, s Searcher, f Filter, most int) (n int, cut bool, err error) {
	p, err := f.prepare(ctx, c)
	if err != nil {
		return 0, false, err
	}
	err = s.In(ctx, func(tx *db.Snapshot) error {
		w, err := p.walk(ctx, tx, s, newest, most)
		if err != nil {
			return err
		}
		var keys [][]string
		w.Least = s.Limit
		keys, cut, err = w.Run(ctx, tx)
		n = len(keys)
		return err
	})
	return n, cut, err
}

// Check returns the error that a search by a filter would return for what is wrong in
// it, or nil.
func Check(ctx context.Context, c db.Conn, f Filter) error {
	if _, err := f.prepare(ctx, c); err != nil {
		return err
	}
	return f.Narrow(&db.Query{})
}

// IsWrong reports whether an error says that a filter is wrong.
func IsWrong(err error) bool {
	var syntax *search.SyntaxError
	var malformed db.Malformed
	return errors.As(err, &syntax) || errors.As(err, &malformed)
}

// IDs returns the ids of the messages that a filter finds, the newest first, up to a
// number. It returns Invalid for a search that takes too long.
func IDs(ctx context.Context, c db.Conn, s Searcher, f Filter, most int) ([]uuid.UUID, error) {
	p, err := f.prepare(ctx, c)
	if err != nil {
		return nil, err
	}
	if len(p.line.Groups) > 0 {
		return p.ids(ctx, s, most)
	}
	q := db.Query{Columns: "m.message_id", From: Tables}
	if err := f.Narrow(&q); err != nil {
		return nil, err
	}
	sql, args := q.SQL()
	sql += fmt.Sprintf(" ORDER BY m.created_date DESC, m.message_id DESC LIMIT %d", most)
	rows, err := c.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// ids returns the ids of all messages that a search finds, up to a number.
func (p prepared) ids(ctx context.Context, s Searcher, most int) (ids []uuid.UUID, err error) {
	err = s.In(ctx, func(tx *db.Snapshot) error {
		w, err := p.walk(ctx, tx, s, newest, most)
		if err != nil {
			return err
		}
		keys, cut, err := w.Run(ctx, tx)
		if cut {
			err = errUncounted
		}
		ids = idsOf(keys)
		return err
	})
	return ids, err
}

// narrowByLine adds the conditions of the filters in a line.
func narrowByLine(q *db.Query, filters []search.Filter) error {
	for _, f := range filters {
		one, err := fieldOf(f)
		if err != nil {
			return atFilter(f, err)
		}
		add := func() error { return one.narrow(q) }
		if !f.Not {
			if err := add(); err != nil {
				return atFilter(f, err)
			}
			continue
		}
		any, err := q.Wrap("NOT coalesce((%s), false)", add)
		if err == nil && !any {
			err = db.Malformed("-" + f.Name + ":" + f.Value + " would find nothing: leave it out.")
		}
		if err != nil {
			return atFilter(f, err)
		}
	}
	return nil
}

// atFilter gives the place of a filter to an error about its value.
func atFilter(f search.Filter, err error) error {
	var malformed db.Malformed
	if errors.As(err, &malformed) {
		return &search.SyntaxError{Start: f.Start, End: f.End, Why: string(malformed)}
	}
	return err
}
