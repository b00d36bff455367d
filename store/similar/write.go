// Package similar finds near-duplicates: messages whose texts are alike. It keeps
// a sketch of each text, which import, ingest and edits write in the transaction
// of the text itself.
package similar

import (
	"context"
	"fmt"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/scoring/likeness"
	"treewarden/store/db"
)

// New is a new message without its sketch.
type New struct {
	TreeID, MessageID uuid.UUID
	Text              string
}

// Sketcher sketches the new messages of an import in a goroutine, while the server
// is busy with the messages themselves. Its memory is used again.
type Sketcher struct {
	rows db.CopyRows
	done chan struct{}
}

// Start begins to sketch messages. Send or Stop must follow.
func (s *Sketcher) Start(messages []New) {
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		s.rows.Reset()
		for i := range messages {
			m := &messages[i]
			s.rows.Row(3)
			s.rows.UUID(m.TreeID)
			s.rows.UUID(m.MessageID)
			s.rows.Ints(likeness.Sketch(m.Text))
		}
	}()
}

// Stop waits for the goroutine.
func (s *Sketcher) Stop() { <-s.done }

// Send copies the sketches into their table.
func (s *Sketcher) Send(ctx context.Context, tx pgx.Tx) error {
	s.Stop()
	return s.rows.Send(ctx, tx, "sketches", "tree_id, message_id, bands")
}

// insertSQL inserts sketches from arrays; those of a message are text.
const insertSQL = `INSERT INTO sketches (tree_id, message_id, bands) SELECT tree, id, bands::integer[]
	FROM unnest($1::uuid[], $2::uuid[], $3::text[]) s(tree, id, bands) ORDER BY tree, id`

// Insert returns a statement that inserts the sketches of new messages.
func Insert(trees, messages []uuid.UUID, texts []string) (sql string, args []any) {
	bands := make([]string, len(texts))
	for i, text := range texts {
		bands[i] = ArrayOf(likeness.Sketch(text))
	}
	return insertSQL, []any{db.IDArray(trees), db.IDArray(messages), bands}
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

// Refresh writes the sketches of texts that have changed. It takes a query for the
// tree_id and message_id of the messages, whose trees must be locked.
func Refresh(ctx context.Context, c db.Conn, messages string, args ...any) error {
	found, err := read(ctx, c, `SELECT m.tree_id, m.message_id, m.text FROM messages m
		WHERE (m.tree_id, m.message_id) IN (`+messages+`)`, args...)
	if err == nil {
		_, err = write(ctx, c, found, "UPDATE SET bands = excluded.bands, changed = excluded.changed")
	}
	if err != nil {
		return fmt.Errorf("sketch texts: %w", err)
	}
	return nil
}

// RefreshEdited is Refresh for the messages whose texts an action changed.
func RefreshEdited(ctx context.Context, c db.Conn, action int64) error {
	return Refresh(ctx, c, "SELECT tree_id, object_id FROM action_objects WHERE action_id = $1 AND aspect = 'text'",
		action)
}

func read(ctx context.Context, c db.Conn, sql string, args ...any) ([]New, error) {
	rows, err := c.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	var found []New
	var m New
	_, err = pgx.ForEachRow(rows, []any{&m.TreeID, &m.MessageID, &m.Text}, func() error {
		found = append(found, m)
		return nil
	})
	return found, err
}

// write inserts sketches. conflict is what happens to known ones.
func write(ctx context.Context, c db.Conn, messages []New, conflict string) (int64, error) {
	if len(messages) == 0 {
		return 0, nil
	}
	trees, ids := make([]uuid.UUID, len(messages)), make([]uuid.UUID, len(messages))
	texts := make([]string, len(messages))
	for i, m := range messages {
		trees[i], ids[i], texts[i] = m.TreeID, m.MessageID, m.Text
	}
	sql, args := Insert(trees, ids, texts)
	tag, err := c.Exec(ctx, sql+" ON CONFLICT (tree_id, message_id) DO "+conflict, args...)
	return tag.RowsAffected(), err
}
