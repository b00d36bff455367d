package similar

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/scoring/likeness"
	"treewarden/store/db"
)

// Duplicate is a message that is like one written before it.
type Duplicate struct {
	Match
	OtherID uuid.UUID `json:"other_id"` // the message written before it
}

// pairsSQL finds the messages that share a band with one written before them. For
// each band it takes the first such message and the one just before, so that the
// work does not grow with the square of a group. Messages without a date come
// first.
const pairsSQL = `CREATE TEMPORARY TABLE similar_pairs ON COMMIT DROP AS
	SELECT tree_id, message_id, array_agg(DISTINCT first) AS firsts, array_agg(DISTINCT before) AS befores
	FROM (SELECT tree_id, message_id, first_value(message_id) OVER w AS first, lag(message_id) OVER w AS before
		FROM (SELECT m.tree_id, m.message_id, m.created_date, unnest(s.bands) AS band
			FROM sketches s JOIN messages m ON m.tree_id = s.tree_id AND m.message_id = s.message_id
			WHERE NOT m.deleted AND ($1 = '' OR lower(m.lang) = lower($1)
				OR starts_with(lower(m.lang), lower($1) || '-') OR starts_with(lower(m.lang), lower($1) || '_'))) s
		WINDOW w AS (PARTITION BY band ORDER BY created_date, message_id)) s
	WHERE before IS NOT NULL GROUP BY tree_id, message_id`

// fetched is the number of messages that Duplicates compares at once.
const fetched = 1000

// Duplicates calls each for every message that has a likeness of at least a
// minimum to one written before it, in no order. The first message of a group is
// no duplicate; each later one comes once, with one message that it is like,
// mostly the first. Deleted messages do not count. A language such as "pt"
// includes "pt-BR"; "" is all. progress, which may be nil, is called with the
// number of messages that were compared, and of those to compare.
//
// The memory does not depend on the number of messages: the server sorts, on disk
// where it must. Each message is compared with up to two others for each band that
// it shares. [likeness.Sketch] says what this misses.
func Duplicates(
	ctx context.Context, c db.Beginner, least float64, lang string, progress func(done, total int64),
	each func(Duplicate) error,
) error {
	return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL work_mem = '128MB'"); err != nil {
			return db.Translate(err)
		}
		tag, err := tx.Exec(ctx, pairsSQL, pgx.QueryExecModeExec, lang)
		if err != nil {
			return fmt.Errorf("find similar messages: %w", err)
		}
		if _, err := tx.Exec(ctx, "DECLARE similar_cursor CURSOR FOR SELECT * FROM similar_pairs"); err != nil {
			return fmt.Errorf("find similar messages: %w", err)
		}
		for done := int64(0); done < tag.RowsAffected(); {
			pairs, err := fetch(ctx, tx)
			if err != nil {
				return fmt.Errorf("find similar messages: %w", err)
			}
			if err := compare(ctx, tx, pairs, least, each); err != nil {
				return err
			}
			done += int64(len(pairs))
			if progress != nil {
				progress(done, tag.RowsAffected())
			}
		}
		_, err = tx.Exec(ctx, "CLOSE similar_cursor; DROP TABLE similar_pairs")
		return db.Translate(err)
	})
}

// pair is a message, and the messages before it that may be like it: the first of
// each band, and the last.
type pair struct {
	tree, message   uuid.UUID
	firsts, befores []uuid.UUID
	best            Duplicate
}

func fetch(ctx context.Context, tx pgx.Tx) ([]*pair, error) {
	rows, err := tx.Query(ctx, fmt.Sprintf("FETCH %d FROM similar_cursor", fetched))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (*pair, error) {
		var p pair
		return &p, row.Scan(&p.tree, &p.message, &p.firsts, &p.befores)
	})
}

// compare compares messages with the first ones, and those that are not like any
// of them with the last ones.
func compare(ctx context.Context, tx pgx.Tx, pairs []*pair, least float64, each func(Duplicate) error) error {
	for _, others := range []func(*pair) []uuid.UUID{
		func(p *pair) []uuid.UUID { return p.firsts },
		func(p *pair) []uuid.UUID { return p.befores },
	} {
		texts, err := shinglesOf(ctx, tx, pairs, others)
		if err != nil {
			return fmt.Errorf("read similar messages: %w", err)
		}
		var left []*pair
		for _, p := range pairs {
			p.compare(texts, others(p))
			if p.best.Likeness < least {
				left = append(left, p)
				continue
			}
			if err := each(p.best); err != nil {
				return err
			}
		}
		pairs = left
	}
	return nil
}

// compare keeps the best of some messages.
func (p *pair) compare(texts map[uuid.UUID]likeness.Shingles, others []uuid.UUID) {
	own := texts[p.message]
	for _, id := range others {
		if l := own.Likeness(texts[id]); l > p.best.Likeness {
			p.best = Duplicate{Match{p.tree, p.message, l}, id}
		}
	}
}

// shinglesOf reads the texts of messages and of others.
func shinglesOf(
	ctx context.Context, tx pgx.Tx, pairs []*pair, others func(*pair) []uuid.UUID,
) (map[uuid.UUID]likeness.Shingles, error) {
	texts := map[uuid.UUID]likeness.Shingles{}
	var ids []uuid.UUID
	add := func(id uuid.UUID) {
		if _, there := texts[id]; !there {
			texts[id] = nil
			ids = append(ids, id)
		}
	}
	for _, p := range pairs {
		add(p.message)
		for _, id := range others(p) {
			add(id)
		}
	}
	if len(ids) == 0 {
		return texts, nil
	}
	rows, err := tx.Query(ctx, `SELECT m.message_id, m.text FROM message_trees x
		JOIN messages m ON m.tree_id = x.tree_id AND m.message_id = x.message_id WHERE x.message_id = ANY ($1)`,
		db.IDArray(ids))
	if err != nil {
		return nil, err
	}
	var id uuid.UUID
	var text string
	_, err = pgx.ForEachRow(rows, []any{&id, &text}, func() error {
		texts[id] = likeness.ShinglesOf(text)
		return nil
	})
	return texts, err
}
