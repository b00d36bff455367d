package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"treewarden/scoring/rule"
	"treewarden/store"
	"treewarden/store/candidates"
	"treewarden/store/derived"
	"treewarden/store/similar"
)

// measureRule looks for 400 words in all messages, a tenth of which occur.
func (b *bench) measureRule(ctx context.Context) error {
	list, err := b.newList(ctx, "bench, by a rule")
	if err != nil {
		return err
	}
	vocabulary := newWorld(1, b.end).vocabulary
	words := slices.Clone(vocabulary[len(vocabulary)-400:]) // the rarest ones
	for i := range words {
		if i%10 != 0 {
			words[i] += "q"
		}
	}
	var done store.Outcome
	var found store.Found
	took, err := b.timed(func() (err error) {
		done, found, _, err = b.store.FindCandidates(ctx, store.CommandLine, list,
			candidates.Rule{Rule: rule.Rule{Words: words}}, false, reason, "")
		return err
	})
	if err != nil {
		return err
	}
	if found.Found == 0 {
		return errors.New("the rule finds nothing")
	}
	b.within(fmt.Sprintf("rule of 400 words over %d messages, %d found", found.LookedAt, found.Found), took,
		time.Minute, "store.FindCandidates")
	_, err = b.store.Undo(ctx, store.CommandLine, done.Action.ID, reason, false, "")
	return err
}

// measureSimilar sketches all messages and finds the near-duplicates among them. It
// makes some first: replies that repeat what they answer. Nothing of it is kept.
func (b *bench) measureSimilar(ctx context.Context) error {
	err := pgx.BeginFunc(ctx, b.ours, func(tx pgx.Tx) error {
		made, err := tx.Exec(ctx, `UPDATE messages m SET text = p.text || ' too' FROM messages p
			WHERE p.tree_id = m.tree_id AND p.message_id = m.parent_id AND NOT p.deleted AND NOT m.deleted
			AND length(p.text) > 200 AND get_byte(uuid_send(m.message_id), 15) < 5`)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "TRUNCATE sketches, message_terms"); err != nil {
			return err
		}
		var all int
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM messages").Scan(&all); err != nil {
			return err
		}
		sketching, err := b.timed(func() error { return derived.DeriveAll(ctx, tx) })
		if err != nil {
			return err
		}
		sorting, err := b.timed(func() error { return derived.KeepUp(ctx, tx) })
		if err != nil {
			return err
		}
		found := 0
		finding, err := b.timed(func() error {
			return similar.Duplicates(ctx, tx, 0.9, "", nil, func(similar.Duplicate) error { found++; return nil })
		})
		if err != nil {
			return err
		}
		b.within(fmt.Sprintf("sketch %d messages and find their terms", all), sketching, 0, "derived.DeriveAll")
		b.within("sort both into their indexes", sorting, 0, "derived.KeepUp")
		what := fmt.Sprintf("find %d near-duplicates, %d of them made", found, made.RowsAffected())
		b.within(what, finding, 0, "similar.Duplicates, 0.9")
		b.within("all three", sketching+sorting+finding, 5*time.Minute, "")
		return errRollback
	})
	if errors.Is(err, errRollback) {
		return nil
	}
	return err
}
