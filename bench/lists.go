package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store"
	"treewarden/store/lists"
)

// measureLists fills a list with up to 100,000 messages, audits it, deletes what is
// on it, and undoes both. It compares each with one plain UPDATE of these rows.
func (b *bench) measureLists(ctx context.Context) error {
	ids, err := column[uuid.UUID](ctx, b.ours,
		"SELECT message_id FROM messages WHERE NOT deleted ORDER BY message_id LIMIT $1", store.MaxListItems)
	if err != nil || len(ids) == 0 {
		return errors.Join(err, errors.New("there are no messages to list"))
	}
	plain, err := b.timed(func() error { return b.plainUpdate(ctx, ids) })
	if err != nil {
		return err
	}
	list, name, kind := uuid.New(), "bench", "bad"
	if _, err := b.store.Act(ctx, store.CommandLine, store.Act{Kind: "create_list", Target: list,
		Params: store.ListParams{Name: &name, Kind: &kind}}); err != nil {
		return err
	}
	params := store.AddParams{Items: make([]store.NewItem, len(ids))}
	for i, id := range ids {
		params.Items[i].MessageID = id
	}
	apply := store.Act{Kind: "apply_list", Target: list, Reason: reason}
	var added, applied store.Outcome
	for _, step := range []struct {
		what, how string
		do        func() error
	}{
		{"add %d messages to a list", "store.AddToList", func() (err error) {
			added, _, err = b.store.AddToList(ctx, store.CommandLine, list, params, reason, "")
			return err
		}},
		{"audit a list of %d", "store.AuditList", func() error {
			_, err := b.store.AuditList(ctx, store.CommandLine, list)
			return err
		}},
		{"preview the deletion of a list of %d", "store.PreviewList", func() error {
			_, err := b.store.PreviewList(ctx, store.CommandLine, apply)
			return err
		}},
		{"delete what is on a list of %d", `store.Act{Kind: "apply_list"}`, func() (err error) {
			applied, err = b.store.Act(ctx, store.CommandLine, apply)
			return err
		}},
		{"undo the deletion of a list of %d", "store.Undo", func() error {
			_, err := b.store.Undo(ctx, store.CommandLine, applied.Action.ID, reason, false, "")
			return err
		}},
	} {
		took, err := b.timed(step.do)
		if err != nil {
			return fmt.Errorf(step.what+": %w", len(ids), err)
		}
		b.atMost(fmt.Sprintf(step.what, len(ids))+", against a plain UPDATE", plain, took, 5, step.how)
	}
	if err := b.listPages(ctx, list); err != nil {
		return err
	}
	_, err = b.store.Undo(ctx, store.CommandLine, added.Action.ID, reason, false, "")
	return err
}

// timed returns the time that an act takes.
func (b *bench) timed(do func() error) (time.Duration, error) {
	began := time.Now()
	err := do()
	return time.Since(began), err
}

// plainUpdate marks messages as deleted in one statement, and rolls back.
func (b *bench) plainUpdate(ctx context.Context, ids []uuid.UUID) error {
	err := pgx.BeginFunc(ctx, b.ours, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE messages SET deleted = true, deleted_at = now(), version = version + 1
			WHERE message_id = ANY ($1)`, ids); err != nil {
			return err
		}
		return errRollback
	})
	if errors.Is(err, errRollback) {
		return nil
	}
	return err
}

// listPages reads pages of a list, the first and those behind it.
func (b *bench) listPages(ctx context.Context, list uuid.UUID) error {
	cursor := ""
	times, err := b.repeat(200, 30*time.Second, func(int) error {
		page, err := b.store.ListItems(ctx, store.CommandLine, list, lists.ItemFilter{Page: store.Page{Cursor: cursor}})
		if err == nil && page.Next != nil {
			cursor = *page.Next
		}
		return err
	})
	if err == nil {
		b.within("page of a list, p99", times.percentile(99), 50*time.Millisecond, "store.ListItems, 50 items")
	}
	return err
}
