package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store"
	"treewarden/store/db"
	"treewarden/store/lists"
)

// measureLists fills a list with up to 100,000 messages, audits it, deletes what is
// on it, and undoes both. It compares each with one plain UPDATE of the same rows.
// Then it runs a rule of many words, and finds the near-duplicates.
func (b *bench) measureLists(ctx context.Context) error {
	ids, err := column[uuid.UUID](ctx, b.ours,
		"SELECT message_id FROM messages WHERE NOT deleted ORDER BY message_id LIMIT $1", store.MaxListItems)
	if err != nil || len(ids) == 0 {
		return errors.Join(err, errors.New("there are no messages to list"))
	}
	const rounds = 3 // the first one also reads the rows from disk
	rows, err := b.readKeys(ctx, "SELECT tree_id, message_id FROM message_trees WHERE message_id = ANY ($1)", ids)
	if err != nil {
		return err
	}
	plain, _, err := b.plainUpdates(ctx, rounds, rows)
	if err != nil {
		return err
	}
	list, err := b.newList(ctx, "bench")
	if err != nil {
		return err
	}
	params := store.AddParams{Items: make([]store.NewItem, len(ids))}
	for i, id := range ids {
		params.Items[i].MessageID = id
	}
	var added store.Outcome
	against := func(what, how string, do func() error) func() error {
		return func() error {
			took, err := b.timed(do)
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			b.atMost(fmt.Sprintf("%s of %d, against a plain UPDATE", what, len(ids)), plain, took, 5, how)
			return nil
		}
	}
	for _, step := range []func() error{
		against("fill a list", "store.AddToList", func() (err error) {
			added, _, err = b.store.AddToList(ctx, store.CommandLine, list, params, reason, "")
			return err
		}),
		against("audit a list", "store.AuditList", func() error {
			_, err := b.store.AuditList(ctx, store.CommandLine, list)
			return err
		}),
		against("preview the deletion of a list", "store.PreviewList", func() error {
			_, err := b.store.PreviewList(ctx, store.CommandLine, store.Act{Kind: "apply_list", Target: list, Reason: reason})
			return err
		}),
		func() error { return b.listPages(ctx, list, len(ids), "none") },
		func() error { return b.measureApply(ctx, list, len(ids), rounds) },
		func() error { return b.measureRule(ctx) },
		func() error { return b.measureSimilar(ctx) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	_, err = b.store.Undo(ctx, store.CommandLine, added.Action.ID, reason, false, "")
	return err
}

// newList creates an empty list.
func (b *bench) newList(ctx context.Context, name string) (uuid.UUID, error) {
	list, kind := uuid.New(), "bad"
	_, err := b.store.Act(ctx, store.CommandLine, store.Act{Kind: "create_list", Target: list,
		Params: store.ListParams{Name: &name, Kind: &kind}})
	return list, err
}

// timed returns the time that an act takes.
func (b *bench) timed(do func() error) (time.Duration, error) {
	began := time.Now()
	err := do()
	return time.Since(began), err
}

// measureApply deletes what is on a list, and undoes it, in turn with plain UPDATEs of
// all that the deletion changes: the messages on the list and the replies below.
func (b *bench) measureApply(ctx context.Context, list uuid.UUID, items, rounds int) error {
	var applied store.Outcome
	var rows keys
	var applying, undoing, deleting, restoring spans
	for round := range rounds { // the first one reads much from disk
		took, err := b.timed(func() (err error) {
			applied, err = b.store.Act(ctx, store.CommandLine, store.Act{Kind: "apply_list", Target: list, Reason: reason})
			return err
		})
		if err != nil {
			return fmt.Errorf("delete what is on a list: %w", err)
		}
		applying = append(applying, took)
		if round == 0 {
			if err := b.listPages(ctx, list, items, "most"); err != nil {
				return err
			}
			if rows, err = b.readKeys(ctx, `SELECT o.tree_id, o.object_id FROM action_objects o
				JOIN actions a ON a.id = o.action_id WHERE a.seq = $1 AND o.aspect = 'deletion'`, applied.Action.ID); err != nil {
				return err
			}
		}
		if took, err = b.timed(func() error {
			_, err := b.store.Undo(ctx, store.CommandLine, applied.Action.ID, reason, false, "")
			return err
		}); err != nil {
			return fmt.Errorf("undo the deletion of a list: %w", err)
		}
		undoing = append(undoing, took)
		plain, again, err := b.plainUpdates(ctx, 1, rows)
		if err != nil {
			return err
		}
		deleting, restoring = append(deleting, plain), append(restoring, again)
	}
	what := fmt.Sprintf("of a list of %d with the replies below, %d messages, against a plain UPDATE, medians",
		items, len(rows.messages))
	b.atMost("deletion "+what, deleting.median(), applying.median(), 5, `store.Act{Kind: "apply_list"}`)
	b.atMost("undo of the deletion "+what, restoring.median(), undoing.median(), 5, "store.Undo")
	return nil
}

// keys are the keys of messages.
type keys struct{ trees, messages []uuid.UUID }

// readKeys reads the keys of messages, in their order. The query returns tree_id and
// message_id.
func (b *bench) readKeys(ctx context.Context, query string, arg any) (k keys, err error) {
	rows, err := b.ours.Query(ctx, query+" ORDER BY 1, 2", arg)
	if err != nil {
		return k, err
	}
	var tree, message uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&tree, &message}, func() error {
		k.trees, k.messages = append(k.trees, tree), append(k.messages, message)
		return nil
	})
	return k, err
}

// plainUpdates marks messages as deleted in one statement, and then as present in
// another one. It returns the median times of both. None of the messages is deleted.
func (b *bench) plainUpdates(ctx context.Context, rounds int, of keys) (deleting, restoring time.Duration, err error) {
	const update = `UPDATE messages m SET deleted = %s, deleted_at = %s, version = version + 1
		FROM unnest($1::uuid[], $2::uuid[]) g (tree_id, message_id)
		WHERE m.tree_id = g.tree_id AND m.message_id = g.message_id`
	var deletions, restorations spans
	for range rounds {
		for _, half := range []struct {
			sql  string
			took *spans
		}{{fmt.Sprintf(update, "true", "now()"), &deletions}, {fmt.Sprintf(update, "false", "NULL"), &restorations}} {
			took, err := b.timed(func() error {
				_, err := b.ours.Exec(ctx, half.sql, of.trees, of.messages)
				return err
			})
			if err != nil {
				return 0, 0, err
			}
			*half.took = append(*half.took, took)
		}
	}
	return deletions.median(), restorations.median(), nil
}

// listPages reads pages of a list: the first one, one in the middle, and the first
// one of the deleted items. deleted says how many of the items these are.
func (b *bench) listPages(ctx context.Context, list uuid.UUID, items int, deleted string) error {
	middle := ""
	for read := 0; read < items/2; read += db.MaxPage {
		page, err := b.store.ListItems(ctx, store.CommandLine, list,
			lists.ItemFilter{Page: store.Page{Limit: db.MaxPage, Cursor: middle}})
		if err != nil {
			return err
		}
		if page.Next != nil {
			middle = *page.Next
		}
	}
	for _, of := range []struct {
		what   string
		filter lists.ItemFilter
	}{
		{"first page", lists.ItemFilter{}},
		{"page in the middle", lists.ItemFilter{Page: store.Page{Cursor: middle}}},
		{"first page with state=deleted", lists.ItemFilter{State: lists.Deleted, CutAfter: lists.PageTime}},
	} {
		times, err := b.repeat(200, 20*time.Second, func(int) error {
			_, err := b.store.ListItems(ctx, store.CommandLine, list, of.filter)
			return err
		})
		if err != nil {
			return err
		}
		what := fmt.Sprintf("%s of a list of %d, of which %s are deleted", of.what, items, deleted)
		b.within(what+", p50", times.median(), 0, "store.ListItems, 50 items")
		b.within(what+", p99", times.percentile(99), 50*time.Millisecond, "store.ListItems, 50 items")
	}
	return nil
}
