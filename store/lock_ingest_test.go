package store_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/store"
	"treewarden/store/storetest"
)

// TestIngestBesideABanOfTheAuthor ingests lines about the messages of an author
// while a ban has locked the author and waits for a tree. The ingest must not wait
// for the ban, because both could deadlock.
func TestIngestBesideABanOfTheAuthor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := storetest.Tree(t, w.Store, storetest.Node{Author: w.troll})
	storetest.React(t, w.Store, w.reply, w.troll, "-1", time.Now())
	tx := holding(t, w.Store, "SELECT FROM trees WHERE tree_id = $1 FOR UPDATE", w.prompt)
	var banned sync.WaitGroup
	banned.Go(func() {
		if _, err := w.Act(ctx, w.admin, store.Act{Kind: "ban", Target: w.troll, Reason: "because"}); err != nil {
			t.Errorf("ban: %v", err)
		}
	})
	waiting(t, w.Store, 1)
	accepted(t, w.Store,
		event("reaction", "message_id", own[0], "user_id", w.other, "emoji", "red_flag"),
		event("label", "message_id", own[0], "user_id", w.other, "labels", map[string]float64{"spam": 1}, "at",
			"2026-01-02T03:04:05Z"),
		event("message", "message_id", uuid.New(), "parent_id", own[0], "user_id", w.other, "role", "assistant", "text", "x",
			"lang", "en"))
	commit(t, tx)
	banned.Wait()
	verify(t, w.Store)
}

// TestBanBesideFeedback bans a user while their reaction is being written. The ban
// waits for it and then removes its count.
func TestBanBesideFeedback(t *testing.T) {
	t.Parallel()
	for name, react := range map[string]func(w world) error{
		"act": func(w world) error {
			_, err := w.Act(ctx, w.moderator, store.Act{Kind: "react", Target: w.reply,
				Params: store.ReactParams{Emoji: "red_flag", Op: "add"}})
			return err
		},
		"undo": func(w world) error {
			var id int64
			err := storetest.DB(t, w.Store).QueryRow(ctx, "SELECT max(id) FROM actions").Scan(&id)
			if err == nil {
				_, err = w.Undo(ctx, w.admin, id, "it was right", false, "")
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			act(t, w.Store, w.moderator, store.Act{Kind: "react", Target: w.reply, Params: store.ReactParams{Emoji: "red_flag",
				Op: "add"}})
			act(t, w.Store, w.moderator, store.Act{Kind: "react", Target: w.reply, Params: store.ReactParams{Emoji: "red_flag",
				Op: "remove"}})
			// An action locks the end of the chain last, after it wrote everything else.
			tx := holding(t, w.Store, "SELECT FROM action_chain FOR UPDATE")
			var both sync.WaitGroup
			both.Go(func() {
				if err := react(w); err != nil {
					t.Errorf("react: %v", err)
				}
			})
			waiting(t, w.Store, 1)
			both.Go(func() {
				if _, err := w.Act(ctx, w.admin, store.Act{Kind: "ban", Target: w.moderator.UserID,
					Reason: "because"}); err != nil {
					t.Errorf("ban: %v", err)
				}
			})
			waiting(t, w.Store, 2)
			commit(t, tx)
			both.Wait()
			wantOne(t, w.Store, "1", "SELECT count(*) FROM reactions")
			verify(t, w.Store)
		})
	}
}

// TestIngestsDoNotDeadlock runs bans and requests that name the same users, trees and
// authors in different orders.
func TestIngestsDoNotDeadlock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := []uuid.UUID{w.other}
	var messages []uuid.UUID
	for range 5 {
		users = append(users, storetest.User(t, w.Store, uuid.NewString()))
	}
	for _, user := range users {
		messages = append(messages, storetest.Tree(t, w.Store, storetest.Node{Author: user,
			Replies: []storetest.Node{{Author: w.troll}}})...)
	}
	var all sync.WaitGroup
	for worker := range 6 {
		all.Go(func() {
			for round := range 15 {
				var lines []string
				for i := range len(messages) {
					message, user := messages[(i*(1+worker%2*10)+worker+round)%len(messages)], users[(i+worker)%len(users)]
					lines = append(lines, event("reaction", "message_id", message, "user_id", user, "emoji",
						[]string{"+1", "red_flag"}[i%2], "op", []string{"add", "remove"}[(round+i)%2]))
				}
				lines = append(lines, event("user", "user_id", users[round%len(users)], "username", uuid.NewString()))
				if _, err := w.Ingest(ctx, store.CommandLine, []byte(strings.Join(lines, "\n"))); err != nil {
					t.Errorf("ingest: %v", err)
				}
			}
		})
	}
	all.Go(func() {
		for i := range 30 {
			if _, err := w.Act(ctx, w.admin, store.Act{Kind: []string{"ban", "unban"}[i%2], Target: w.troll,
				Reason: "because"}); err != nil {
				t.Errorf("ban %d: %v", i, err)
			}
		}
	})
	all.Wait()
	verify(t, w.Store)
	w.Close() // a connection reports its deadlocks when it ends, at the latest
	for range 100 {
		if one(t, w.Store, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name "+
			"= 'treewarden'") == "0" {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	wantOne(t, w.Store, "0", "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
}
