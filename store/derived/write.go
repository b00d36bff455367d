// Package derived keeps what is derived from the text of each message: the sketch by
// which near-duplicates are found, and the terms by which the search finds it.
// Import, ingest and edits write both in the transaction of the text itself.
package derived

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/corpus/search"
	"treewarden/scoring/likeness"
	"treewarden/store/db"
)

// New is a new message, of whose text nothing was derived yet.
type New struct {
	TreeID, MessageID uuid.UUID
	CreatedDate       *time.Time // nil if it is not known
	Lang              *string
	Text              string
}

// Terms returns the terms of the text of a message, of its language and of its day, if
// these are known. It uses the memory of dst, as search.Terms does.
func Terms(text string, lang *string, created *time.Time, dst []int32) []int32 {
	dst = search.Terms(text, dst)
	if lang != nil {
		dst = with(dst, search.LanguageTerm(*lang))
	}
	if created != nil {
		dst = with(dst, search.DayTerm(*created))
	}
	return dst
}

// with returns sorted terms with one more.
func with(terms []int32, term int32) []int32 {
	at, found := slices.BinarySearch(terms, term)
	if found {
		return terms
	}
	return slices.Insert(terms, at, term)
}

// Deriver derives from the new messages of an import in a goroutine, while the
// server is busy with the messages themselves. Its memory is used again.
type Deriver struct {
	sketches, terms db.CopyRows
	memory          []int32
	pairs           []byte
	done            chan struct{}
}

// Start begins to derive. Send or Stop must follow.
func (d *Deriver) Start(messages []New) {
	d.done = make(chan struct{})
	go func() {
		defer close(d.done)
		d.sketches.Reset()
		d.terms.Reset()
		for i := range messages {
			m := &messages[i]
			d.memory = Terms(m.Text, m.Lang, m.CreatedDate, d.memory)
			d.sketches.Row(3)
			d.sketches.UUID(m.TreeID)
			d.sketches.UUID(m.MessageID)
			d.sketches.Ints(likeness.Sketch(m.Text))
			d.pairs = search.Pairs(m.Text, d.pairs)
			d.terms.Row(5)
			d.terms.UUID(m.TreeID)
			d.terms.UUID(m.MessageID)
			d.terms.Time(m.CreatedDate)
			d.terms.Ints(d.memory)
			d.terms.Bytes(d.pairs)
		}
	}()
}

// Stop waits for the goroutine.
func (d *Deriver) Stop() { <-d.done }

// Send copies what was derived into its tables.
func (d *Deriver) Send(ctx context.Context, tx pgx.Tx) error {
	d.Stop()
	if err := d.sketches.Send(ctx, tx, "sketches", "tree_id, message_id, bands"); err != nil {
		return err
	}
	return d.terms.Send(ctx, tx, "message_terms", "tree_id, message_id, created_date, terms, pairs")
}

// insertSQL inserts what is derived, from arrays; the numbers of a message are
// text. %s is what happens to a message that is known.
const insertSQL = `WITH derived AS MATERIALIZED (
	SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[],
		$6::bytea[]) d(tree, id, date, bands, terms, pairs)
), sketched AS (
	INSERT INTO sketches (tree_id, message_id, bands) SELECT tree, id, bands::integer[] FROM derived ORDER BY tree, id%s
)
INSERT INTO message_terms (tree_id, message_id, created_date, terms, pairs)
SELECT tree, id, coalesce(date, '-infinity'), terms::integer[], pairs FROM derived ORDER BY tree, id%s`

// keepKnown and replaceKnown are what happens to a message that is known.
var (
	insertNew    = fmt.Sprintf(insertSQL, "", "")
	keepKnown    = fmt.Sprintf(insertSQL, " ON CONFLICT DO NOTHING", " ON CONFLICT DO NOTHING")
	replaceKnown = fmt.Sprintf(insertSQL, " ON CONFLICT (tree_id, message_id) DO UPDATE SET bands = excluded.bands, "+
		"changed = excluded.changed",
		" ON CONFLICT (tree_id, message_id) DO UPDATE SET terms = excluded.terms, "+
			"pairs = excluded.pairs, "+
			"created_date = excluded.created_date")
)

// Insert returns a statement that inserts what is derived from new messages. A date is
// nil if it is not known.
func Insert(
	trees, messages []uuid.UUID, dates []*time.Time, langs []*string, texts []string,
) (sql string, args []any) {
	bands, terms := make([]string, len(texts)), make([]string, len(texts))
	pairs := make([][]byte, len(texts))
	var memory []int32
	for i, text := range texts {
		memory = Terms(text, langs[i], dates[i], memory)
		bands[i], terms[i] = ArrayOf(likeness.Sketch(text)), ArrayOf(memory)
		pairs[i] = search.Pairs(text, nil)
	}
	return insertNew, []any{db.IDArray(trees), db.IDArray(messages), dates, bands, terms, pairs}
}

// ArrayOf returns numbers as PostgreSQL writes an array.
func ArrayOf(numbers []int32) string {
	text := []byte{'{'}
	for i, n := range numbers {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, int64(n), 10)
	}
	return string(append(text, '}'))
}

// Refresh derives anew from messages whose text, language or date has changed. It takes a query
// for the tree_id and message_id of the messages, whose trees must be locked.
func Refresh(ctx context.Context, c db.Conn, messages string, args ...any) error {
	found, err := read(ctx, c, `SELECT m.tree_id, m.message_id, nullif(m.created_date, '-infinity'), m.lang, m.text
		FROM messages m
		WHERE (m.tree_id, m.message_id) IN (`+messages+`)`, args...)
	if err == nil {
		err = write(ctx, c, found, replaceKnown)
	}
	if err != nil {
		return fmt.Errorf("derive from texts: %w", err)
	}
	return nil
}

// RefreshEdited is Refresh for the messages whose texts an action changed. Classifiers get
// to see their new texts.
func RefreshEdited(ctx context.Context, c db.Conn, action int64) error {
	if err := Refresh(ctx, c, "SELECT tree_id, object_id FROM action_objects WHERE action_id = $1 AND aspect = 'text'",
		action); err != nil {
		return err
	}
	return queueEdited(ctx, c, action)
}

// RefreshDated is Refresh for those of the messages whose date is not that beside their
// terms.
func RefreshDated(ctx context.Context, c db.Conn, messages string, args ...any) error {
	return Refresh(ctx, c, `SELECT d.tree_id, d.message_id FROM messages d JOIN message_terms w
			ON w.tree_id = d.tree_id AND w.message_id = d.message_id AND w.created_date <> d.created_date
		WHERE (d.tree_id, d.message_id) IN (`+messages+")", args...)
}

func read(ctx context.Context, c db.Conn, sql string, args ...any) ([]New, error) {
	rows, err := c.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	var found []New
	var m New
	_, err = pgx.ForEachRow(rows, []any{&m.TreeID, &m.MessageID, &m.CreatedDate, &m.Lang, &m.Text}, func() error {
		found = append(found, m)
		return nil
	})
	return found, err
}

// write derives from messages and inserts that by keepKnown or replaceKnown.
func write(ctx context.Context, c db.Conn, messages []New, sql string) error {
	if len(messages) == 0 {
		return nil
	}
	trees, ids := make([]uuid.UUID, len(messages)), make([]uuid.UUID, len(messages))
	dates, langs, texts := make([]*time.Time, len(messages)), make([]*string, len(messages)), make([]string, len(messages))
	for i, m := range messages {
		trees[i], ids[i], dates[i], langs[i], texts[i] = m.TreeID, m.MessageID, m.CreatedDate, m.Lang, m.Text
	}
	_, args := Insert(trees, ids, dates, langs, texts)
	_, err := c.Exec(ctx, sql, args...)
	return err
}
