// Package similar finds near-duplicates: messages whose texts are alike. It finds
// them by the sketches that package derived keeps.
package similar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/scoring/likeness"
	"treewarden/store/db"
)

// Match is a message that is like another one.
type Match struct {
	TreeID    uuid.UUID `json:"tree_id"`
	MessageID uuid.UUID `json:"message_id"`
	Likeness  float64   `json:"likeness"`
}

// maxCompared is the most messages that Of compares with one.
const maxCompared = 2000

// Of returns the messages whose likeness to a message is at least a minimum, best
// first, deleted ones too. It returns ErrNotFound if there is no such message.
//
// It compares the texts of up to 2,000 messages that share a band with this one,
// those that share most of them first. [likeness.Sketch] says what it misses:
// hardly a pair of 0.9, one in four of 0.7. A text of less than 10 letters has no
// matches.
func Of(ctx context.Context, c db.Conn, message uuid.UUID, least float64, limit int) ([]Match, error) {
	var text string
	err := c.QueryRow(ctx, `SELECT m.text FROM message_trees x
		JOIN messages m ON m.tree_id = x.tree_id AND m.message_id = x.message_id WHERE x.message_id = $1`, message).
		Scan(&text)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, db.ErrNotFound
	}
	if err != nil {
		return nil, db.Translate(err)
	}
	bands := likeness.Sketch(text)
	if bands == nil {
		return nil, nil
	}
	type candidate struct {
		TreeID, MessageID uuid.UUID
		Text              string
	}
	others, err := db.Collect[candidate](ctx, c, `SELECT m.tree_id, m.message_id, m.text FROM (
			SELECT s.tree_id, s.message_id FROM sketches s WHERE s.bands && $1::integer[] AND s.message_id <> $2
			ORDER BY (SELECT count(*) FROM unnest(s.bands) b WHERE b = ANY ($1)) DESC, s.message_id LIMIT $3) s
		JOIN messages m ON m.tree_id = s.tree_id AND m.message_id = s.message_id`, bands, message, maxCompared)
	if err != nil {
		return nil, fmt.Errorf("find similar messages: %w", err)
	}
	shingles := likeness.ShinglesOf(text)
	var found []Match
	for _, m := range others {
		if l := shingles.Likeness(likeness.ShinglesOf(m.Text)); l >= least {
			found = append(found, Match{m.TreeID, m.MessageID, l})
		}
	}
	slices.SortFunc(found, func(a, b Match) int {
		return cmp.Or(cmp.Compare(b.Likeness, a.Likeness), slices.Compare(a.MessageID[:], b.MessageID[:]))
	})
	return found[:min(len(found), limit)], nil
}
