package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/selection"
)

// measureBulk deletes 10,000 selected messages with the replies below and undoes that, in
// turn with plain UPDATEs of the same rows, all while one client reads the board.
func (b *bench) measureBulk(ctx context.Context) error {
	ids, err := column[uuid.UUID](ctx, b.ours, `SELECT message_id FROM messages
		WHERE NOT deleted AND message_id > '80000000-0000-0000-0000-000000000000' ORDER BY message_id LIMIT 10000`)
	if err != nil || len(ids) == 0 {
		return errors.Join(err, errors.New("there are no messages to select"))
	}
	idle, err := b.repeat(2000, 5*time.Second, func(int) error { return b.readBoard(ctx) })
	if err != nil {
		return err
	}
	act := store.BulkParams{Act: selection.Act{Kind: selection.Delete, On: selection.On{IDs: ids}}}
	preview, err := b.store.PreviewBulk(ctx, store.CommandLine, store.Act{Reason: reason}, act)
	if err != nil {
		return fmt.Errorf("preview a bulk act: %w", err)
	}
	act.Expected, act.ExpectedSet = &preview.Expected, preview.Set
	var rows keys
	var busy, acting, undoing, deleting, restoring spans
	for range 3 {
		var done store.Outcome
		took, read, err := b.beside(ctx, func() (err error) {
			done, err = b.store.Act(ctx, store.CommandLine, store.Act{Kind: "bulk", Target: uuid.New(), Reason: reason,
				Params: act})
			return err
		})
		if err != nil {
			return fmt.Errorf("delete in bulk: %w", err)
		}
		acting, busy = append(acting, took), append(busy, read...)
		if rows.messages == nil {
			if rows, err = b.readKeys(ctx, `SELECT o.tree_id, o.object_id FROM action_objects o
				JOIN actions a ON a.id = o.action_id WHERE a.seq = $1 AND o.aspect = 'deletion'`, done.Action.ID); err != nil {
				return err
			}
		}
		took, read, err = b.beside(ctx, func() error {
			_, err := b.store.Undo(ctx, store.CommandLine, done.Action.ID, reason, false, "")
			return err
		})
		if err != nil {
			return fmt.Errorf("undo a bulk act: %w", err)
		}
		undoing, busy = append(undoing, took), append(busy, read...)
		var plain, again time.Duration
		if _, _, err := b.beside(ctx, func() (err error) {
			plain, again, err = b.plainUpdates(ctx, 1, rows)
			return err
		}); err != nil {
			return err
		}
		deleting, restoring = append(deleting, plain), append(restoring, again)
	}
	what := fmt.Sprintf("of %d selected messages with the replies below, %d messages, against a plain UPDATE, medians",
		len(ids), len(rows.messages))
	b.atMost("bulk deletion "+what, deleting.median(), acting.median(), 5, `store.Act{Kind: "bulk"}`)
	b.atMost("undo of the bulk deletion "+what, restoring.median(), undoing.median(), 5, "store.Undo")
	b.atMost("board page beside them, p99 against its p99 alone", idle.percentile(99), busy.percentile(99), 5,
		"GET "+boardPath+string(scoring.Day))
	return nil
}

func (b *bench) readBoard(ctx context.Context) error {
	return b.web.get(ctx, b.keys[policy.Admin], boardPath+string(scoring.Day), nil)
}

// beside times an act, and pages of the board that one client reads meanwhile.
func (b *bench) beside(ctx context.Context, do func() error) (took time.Duration, read spans, err error) {
	over, ended := make(chan struct{}), make(chan error)
	go func() {
		for {
			select {
			case <-over:
				ended <- nil
				return
			default:
			}
			one, err := b.timed(func() error { return b.readBoard(ctx) })
			if err != nil {
				<-over
				ended <- err
				return
			}
			read = append(read, one)
		}
	}()
	took, err = b.timed(do)
	close(over)
	return took, read, errors.Join(err, <-ended)
}
