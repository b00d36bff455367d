package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/store"
)

const reason = "measured by the benchmark"

// measureDelete deletes subtrees in Open-Assistant's way, with a scan for each
// level, and in ours, and restores them.
func (b *bench) measureDelete(ctx context.Context) error {
	for _, of := range []struct{ what, sql string }{
		{"a reply with its replies", `SELECT id FROM message WHERE depth = 1 AND children_count > 0 AND NOT deleted
			AND created_date > $1 ORDER BY id LIMIT 51`},
		{"a tree of 100 messages", `SELECT t.message_tree_id FROM message t JOIN message p ON p.id = t.message_tree_id
			AND NOT p.deleted
			WHERE $1::timestamptz IS NOT NULL GROUP BY 1 HAVING count(*) = 100 ORDER BY 1 LIMIT 21`},
	} {
		targets, err := column[uuid.UUID](ctx, b.ref, of.sql, b.end.AddDate(0, 0, -30))
		if err != nil || len(targets) == 0 {
			return errors.Join(err, fmt.Errorf("there is no %s to delete", of.what))
		}
		theirs, err := b.repeat(len(targets), 30*time.Second,
			func(i int) error { return b.deleteLevels(ctx, targets[i%len(targets)]) })
		if err != nil {
			return err
		}
		var ours spans
		for _, target := range targets[:min(len(targets), len(theirs)+1)] {
			began := time.Now()
			done, err := b.store.Act(ctx, store.CommandLine, store.Act{Kind: "delete", Target: target, Reason: reason})
			if err != nil {
				return err
			}
			ours = append(ours, time.Since(began))
			if _, err := b.store.Undo(ctx, store.CommandLine, done.Action.ID, reason, false, ""); err != nil {
				return err
			}
		}
		if len(ours) > 1 {
			ours = ours[1:] // the first one warmed the caches, as in repeat
		}
		b.faster("delete "+of.what, theirs.median(), ours.median(), 100,
			`store.Act{Kind: "delete"}; Open-Assistant: delete_level until nothing is left`)
	}
	return nil
}

var errRollback = errors.New("roll back")

// deleteLevels deletes as Open-Assistant does, and rolls back.
func (b *bench) deleteLevels(ctx context.Context, target uuid.UUID) error {
	err := pgx.BeginFunc(ctx, b.ref, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, legacy["delete_one"], target); err != nil {
			return err
		}
		for level := []uuid.UUID{target}; len(level) > 0; {
			rows, err := tx.Query(ctx, legacy["delete_level"], level)
			if err != nil {
				return err
			}
			if level, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID]); err != nil {
				return err
			}
		}
		return errRollback
	})
	if errors.Is(err, errRollback) {
		return nil
	}
	return err
}

// measureBan bans the user with the most messages, deletes all of them, and
// undoes both.
func (b *bench) measureBan(ctx context.Context) error {
	busiest, err := column[uuid.UUID](ctx, b.ours, `SELECT user_id FROM messages JOIN users USING (user_id)
		WHERE banned_at IS NULL AND NOT deleted GROUP BY user_id ORDER BY count(*) DESC LIMIT 1`)
	if err != nil || len(busiest) == 0 {
		return errors.Join(err, errors.New("nobody wrote anything"))
	}
	act := store.Act{Kind: "ban", Target: busiest[0], Reason: reason, Preview: true,
		Params: store.BanParams{Messages: "delete"}}
	began := time.Now()
	if _, err := b.store.Act(ctx, store.CommandLine, act); err != nil {
		return err
	}
	preview := time.Since(began)
	act.Preview = false
	began = time.Now()
	done, err := b.store.Act(ctx, store.CommandLine, act)
	if err != nil {
		return err
	}
	ban := time.Since(began)
	began = time.Now()
	if _, err := b.store.Undo(ctx, store.CommandLine, done.Action.ID, reason, false, ""); err != nil {
		return err
	}
	what := fmt.Sprintf("ban of the busiest user, %d messages deleted (%d of others)",
		done.Affected.Messages, done.Affected.OthersMessages)
	how := `store.Act{Kind: "ban", Messages: "delete"}`
	b.within("preview of the "+what, preview, 2*time.Second, how)
	b.within(what, ban, 20*time.Second, how)
	b.within("undo of the "+what, time.Since(began), 20*time.Second, "store.Undo")
	return b.banByAPI(ctx, busiest[0])
}

// banByAPI repeats the ban by the API, where requests have a deadline.
func (b *bench) banByAPI(ctx context.Context, user uuid.UUID) error {
	path := "/api/v1/users/" + user.String() + "/ban"
	var done store.Outcome
	began := time.Now()
	err := b.web.ask(ctx, b.keys[policy.Admin], http.MethodPost, path, "application/json",
		[]byte(`{"reason": "`+reason+`", "messages": "delete"}`), &done)
	var no *refused
	switch {
	case errors.As(err, &no):
		b.add(row{Figure: "the same ban by the API",
			Ours:   fmt.Sprintf("HTTP %d after %s", no.status, span(time.Since(began))),
			Target: "≤ " + span(time.Minute), Holds: misses, How: "POST /api/v1/users/…/ban"})
		return nil
	case err != nil:
		return err
	}
	b.within("the same ban by the API", time.Since(began), time.Minute, "POST /api/v1/users/…/ban")
	_, err = b.store.Undo(ctx, store.CommandLine, done.Action.ID, reason, false, "")
	return err
}
