package waves

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/scoring/likeness"
	"treewarden/scoring/rule"
	"treewarden/store/db"
	"treewarden/store/derived"
)

const (
	// perBand is the number of messages of a band that a message is compared with.
	perBand = 10
	// maxFound is the number of messages that share a band with one of a batch up to
	// which all of them are read. Above it, those of each band are looked up alone.
	maxFound = 5000
	// compared is the number of characters of a text that are compared: a wave of
	// longer texts is found by their beginnings.
	compared = 4000
	// chunk is the number of messages whose texts and those like them are in memory
	// at once.
	chunk = 50
)

// node is a message that may be in a wave.
type node struct {
	tree, id uuid.UUID
	at       pgtype.Timestamptz // -infinity if unknown
	wave     uuid.UUID          // that it is in; nil for none
	likeness float64            // the greatest to another member
	kept     float64            // the likeness in the database
	fresh    bool               // of this batch: it has to find its wave anew
	short    bool               // the text is too short for a wave
	group    *node              // towards the node that stands for its group; nil for that one
}

func (n *node) root() *node {
	for n.group != nil {
		if n.group.group != nil {
			n.group = n.group.group
		}
		n = n.group
	}
	return n
}

// join makes one group of two. The older message stands for it.
func join(a, b *node) {
	if a, b = a.root(), b.root(); a != b {
		if older(b, a) < 0 {
			a, b = b, a
		}
		b.group = a
	}
}

// older compares the times of two messages, then their ids.
func older(a, b *node) int {
	return cmp.Or(compareTimes(a.at, b.at), bytes.Compare(a.id[:], b.id[:]))
}

func compareTimes(a, b pgtype.Timestamptz) int {
	return cmp.Or(cmp.Compare(a.InfinityModifier, b.InfinityModifier), a.Time.Compare(b.Time))
}

// round is the work on one batch of messages.
type round struct {
	tx    pgx.Tx
	batch []queued
	end   place // of the last message of the batch
	nodes map[uuid.UUID]*node
}

func (r *round) run(ctx context.Context) error {
	sketches, err := r.sketch(ctx)
	if err != nil {
		return err
	}
	near, err := r.candidates(ctx, sketches)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(r.batch, chunk) {
		if err := r.compare(ctx, part, sketches, near); err != nil {
			return err
		}
	}
	return r.keep(ctx)
}

// sketch writes the sketches of the words of the batch, and returns them.
func (r *round) sketch(ctx context.Context) (map[uuid.UUID][]int32, error) {
	wanted := map[uuid.UUID]uuid.UUID{}
	for _, m := range r.batch {
		wanted[m.MessageID] = m.TreeID
	}
	sketches := map[uuid.UUID][]int32{}
	var trees, ids []uuid.UUID
	var bands []string
	err := r.read(ctx, wanted, func(n *node, text string) {
		n.fresh, n.likeness = true, 0
		if n.short {
			return
		}
		if sketch := likeness.WordSketch(text); sketch != nil {
			sketches[n.id] = sketch
			trees, ids, bands = append(trees, n.tree), append(ids, n.id), append(bands, derived.ArrayOf(sketch))
		}
	})
	if err != nil {
		return nil, err
	}
	// A text that was edited has an old sketch.
	treesOf, idsOf := make([]uuid.UUID, len(r.batch)), make([]uuid.UUID, len(r.batch))
	for i, m := range r.batch {
		treesOf[i], idsOf[i] = m.TreeID, m.MessageID
	}
	if _, err := r.tx.Exec(ctx, `DELETE FROM word_sketches WHERE (tree_id, message_id)
		IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))`, db.IDArray(treesOf), db.IDArray(idsOf)); err != nil {
		return nil, err
	}
	_, err = r.tx.Exec(ctx, `INSERT INTO word_sketches (tree_id, message_id, bands) SELECT tree, id, bands::integer[]
		FROM unnest($1::uuid[], $2::uuid[], $3::text[]) s(tree, id, bands)`, db.IDArray(trees), db.IDArray(ids), bands)
	return sketches, err
}

// candidate is a message that shares a band with one of the batch.
type candidate struct {
	TreeID, MessageID uuid.UUID
	Bands             []int32
}

// candidates returns the messages to compare with, for each band of the batch.
func (r *round) candidates(ctx context.Context, sketches map[uuid.UUID][]int32) (map[int32][]candidate, error) {
	near := map[int32][]candidate{}
	for _, sketch := range sketches {
		for _, band := range sketch {
			near[band] = nil
		}
	}
	if len(near) == 0 {
		return near, nil
	}
	bands := slices.Sorted(maps.Keys(near))
	// The planner knows nothing of bands, and would rather read the whole table.
	if _, err := r.tx.Exec(ctx, "SET LOCAL enable_seqscan = off"); err != nil {
		return nil, err
	}
	found, err := db.Collect[candidate](ctx, r.tx, `SELECT tree_id, message_id, bands FROM word_sketches
		WHERE bands && $1::integer[] LIMIT $2`, bands, maxFound+1)
	if err == nil && len(found) > maxFound {
		found, err = db.Collect[candidate](ctx, r.tx, `SELECT DISTINCT ON (s.tree_id, s.message_id) s.*
			FROM unnest($1::integer[]) b(band) CROSS JOIN LATERAL (SELECT tree_id, message_id, bands FROM word_sketches
				WHERE bands && ARRAY[b.band] LIMIT $2) s`, bands, perBand)
	}
	// The place of a row in the table must not decide which ones are compared.
	slices.SortFunc(found, func(a, b candidate) int { return bytes.Compare(a.MessageID[:], b.MessageID[:]) })
	for _, c := range found {
		for _, band := range c.Bands {
			if of, wanted := near[band]; wanted && len(of) < perBand {
				near[band] = append(of, c)
			}
		}
	}
	return near, err
}

// compare compares some messages of the batch with their candidates, and joins
// those that are alike.
func (r *round) compare(
	ctx context.Context, part []queued, sketches map[uuid.UUID][]int32, near map[int32][]candidate,
) error {
	others := make([]map[uuid.UUID]bool, len(part))
	wanted := map[uuid.UUID]uuid.UUID{}
	for i, m := range part {
		others[i] = map[uuid.UUID]bool{}
		for _, band := range sketches[m.MessageID] {
			for _, c := range near[band] {
				if c.MessageID != m.MessageID {
					wanted[c.MessageID], others[i][c.MessageID] = c.TreeID, true
				}
			}
		}
		if len(others[i]) > 0 {
			wanted[m.MessageID] = m.TreeID
		}
	}
	shingles := map[uuid.UUID]likeness.Shingles{}
	if err := r.read(ctx, wanted, func(n *node, text string) {
		if !n.short {
			shingles[n.id] = likeness.ShinglesOf(text)
		}
	}); err != nil {
		return err
	}
	for i, m := range part {
		own := shingles[m.MessageID]
		if own == nil {
			continue
		}
		n := r.nodes[m.MessageID]
		for id := range others[i] {
			of := shingles[id]
			if of == nil {
				continue
			}
			if l := own.Likeness(of); l >= Least {
				other := r.nodes[id]
				n.likeness, other.likeness = max(n.likeness, l), max(other.likeness, l)
				join(n, other)
			}
		}
	}
	return nil
}

// read reads messages by their ids, with the waves that they are in, and calls each
// with the beginning of each text.
//
// Messages after the batch are left out: they were edited, and are compared when it
// is their turn.
func (r *round) read(ctx context.Context, wanted map[uuid.UUID]uuid.UUID, each func(n *node, text string)) error {
	trees, ids := make([]uuid.UUID, 0, len(wanted)), make([]uuid.UUID, 0, len(wanted))
	for id, tree := range wanted {
		trees, ids = append(trees, tree), append(ids, id)
	}
	rows, err := r.tx.Query(ctx, `SELECT m.tree_id, m.message_id, left(m.text, $3), m.created_date, w.wave_id, w.likeness
		FROM unnest($1::uuid[], $2::uuid[]) x(tree, id)
		JOIN messages m ON m.tree_id = x.tree AND m.message_id = x.id
		JOIN sketches s ON s.tree_id = x.tree AND s.message_id = x.id
		LEFT JOIN wave_messages w ON w.tree_id = x.tree AND w.message_id = x.id
		WHERE (s.changed, s.message_id) <= ($4, $5)`,
		db.IDArray(trees), db.IDArray(ids), compared, r.end.changed, r.end.message)
	if err != nil {
		return err
	}
	var tree, id uuid.UUID
	var text string
	var at pgtype.Timestamptz
	var wave *uuid.UUID
	var alike *float64
	_, err = pgx.ForEachRow(rows, []any{&tree, &id, &text, &at, &wave, &alike}, func() error {
		n := r.nodes[id]
		if n == nil {
			n = &node{tree: tree, id: id, at: at}
			if wave != nil {
				n.wave, n.kept, n.likeness = *wave, *alike, *alike
			}
			r.nodes[id] = n
		}
		n.short = !longEnough(text)
		each(n, text)
		return nil
	})
	return err
}

// longEnough reports whether a text is long enough for a wave.
func longEnough(text string) bool {
	n := 0
	for _, c := range string(rule.AppendLetters(nil, text)) {
		n++
		if unicode.In(c, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) {
			n += lettersOfSyllable - 1
		}
		if n >= LeastLetters {
			return true
		}
	}
	return false
}
