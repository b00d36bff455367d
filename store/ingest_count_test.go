package store_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/store"
	"treewarden/store/storetest"
)

// TestIngestCounts compares the counters, which an ingest computes in Go, with those
// that the database counts in SQL, after each of many random requests. These have
// lines of all types, also repeated, replaced and removed ones, about messages in
// every state, with and without a reaction record.
func TestIngestCounts(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	c := newCountedStore(t, rand.New(rand.NewPCG(seed, 0)))
	if faults, err := c.s.VerifyScores(ctx); err != nil || len(faults) > 0 {
		t.Fatalf("at the beginning: %+v, %v", faults, err)
	}
	for request := range 80 {
		lines := c.request()
		done := run(t, c.s, lines...)
		faults, err := c.s.VerifyScores(ctx)
		if err != nil || len(faults) > 0 {
			t.Fatalf("seed %d, request %d: %+v, %v\n%s\n%+v", seed, request, faults, err, strings.Join(lines, "\n"), done)
		}
		c.accepted += done.Accepted
		c.sent = append(c.sent, lines...)
	}
	if c.accepted < 300 {
		t.Errorf("seed %d: only %d lines were accepted", seed, c.accepted)
	}
}

// countedStore is a small database with messages in every state that changes how
// signals count.
type countedStore struct {
	s               *store.Store
	random          *rand.Rand
	users           []uuid.UUID
	trees, messages []uuid.UUID
	sent            []string
	accepted        int
}

func newCountedStore(t *testing.T, random *rand.Rand) *countedStore {
	c := &countedStore{s: storetest.New(t), random: random}
	for i := range 6 {
		c.users = append(c.users, storetest.User(t, c.s, fmt.Sprint("User ", i)))
	}
	// The ban of the first user has expired, but EndExpiredBans did not run yet.
	storetest.Exec(t, c.s, "UPDATE users SET banned_at = now() - interval '2 days', banned_until = now() - interval '1 "+
		"day' WHERE user_id = $1", c.users[0])
	for range 5 {
		ids := storetest.Tree(t, c.s, storetest.Node{Author: c.user(), Replies: []storetest.Node{
			{Author: c.user(), Replies: []storetest.Node{{Author: c.user()}, {Author: c.user()}}}, {Author: c.user()}}})
		c.trees, c.messages = append(c.trees, ids[0]), append(c.messages, ids...)
	}
	chosen := func(set string) {
		for _, id := range c.messages {
			if c.random.IntN(4) == 0 {
				storetest.Exec(t, c.s, strings.Replace(set, "$where", "WHERE tree_id = (SELECT tree_id FROM message_trees WHERE "+
					"message_id = $1) AND message_id = $1", 1), id)
			}
		}
	}
	chosen("UPDATE messages SET deleted = true, deleted_root = message_id $where")
	chosen("UPDATE messages SET deleted = true, deleted_at = now() - interval '3 hours', deleted_root = message_id $where")
	chosen("UPDATE messages SET review_result = false, review_at = now() - interval '1 day' $where")
	chosen("UPDATE messages SET user_id = NULL $where")
	chosen("UPDATE messages SET created_date = '-infinity' $where")
	chosen("INSERT INTO emoji_aggregates (tree_id, message_id, upvotes, red_flags) SELECT tree_id, message_id, 2, 1 " +
		"FROM messages $where")
	chosen("INSERT INTO label_aggregates (tree_id, message_id, spam, spam_count, toxicity, toxicity_count) SELECT " +
		"tree_id, message_id, 0.5, 4, 0.25, 3 FROM messages $where")
	// Two users flagged messages or reported them, or did both, in any order.
	for _, user := range c.users[1:3] {
		chosen("INSERT INTO reactions (tree_id, message_id, user_id, emoji, at) SELECT tree_id, message_id, '" +
			user.String() + "', 'red_flag', now() - random() * interval '5 days' FROM messages $where")
		for _, status := range []string{"open", "upheld", "upheld", "dismissed"} {
			chosen("INSERT INTO reports (tree_id, message_id, user_id, reason, status, at) SELECT tree_id, message_id, '" +
				user.String() + "', 'why', '" + status + "', now() - random() * interval '5 days' FROM messages $where")
		}
	}
	storetest.Exec(t, c.s, "INSERT INTO classifier_models (name, outputs) VALUES ('old', '{toxicity,insult}')")
	chosen("INSERT INTO classifier_outputs (tree_id, message_id, model_id, toxicity, scores) SELECT tree_id, " +
		"message_id, 1, random(), '{0.5}' FROM messages $where")
	storetest.Exec(t, c.s, "UPDATE trees SET state = 'aborted_low_grade' WHERE tree_id = $1", c.trees[0])
	if err := c.s.RebuildScores(ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *countedStore) user() uuid.UUID { return c.users[c.random.IntN(len(c.users))] }

// request makes 1 to 20 lines about few messages. Some of the lines were sent before.
func (c *countedStore) request() []string {
	about := []uuid.UUID{c.messages[c.random.IntN(len(c.messages))], c.messages[c.random.IntN(len(c.messages))],
		c.messages[c.random.IntN(len(c.messages))]}
	var lines []string
	for range 1 + c.random.IntN(20) {
		if len(c.sent) > 0 && c.random.IntN(10) == 0 {
			lines = append(lines, c.sent[c.random.IntN(len(c.sent))])
			continue
		}
		line, made := c.line(about[c.random.IntN(len(about))])
		if lines = append(lines, line); made != uuid.Nil {
			about, c.messages = append(about, made), append(c.messages, made)
		}
	}
	return lines
}

// line makes a line about a message. made is the id of the message that it adds, or
// Nil.
func (c *countedStore) line(message uuid.UUID) (line string, made uuid.UUID) {
	pick := func(from ...string) string { return from[c.random.IntN(len(from))] }
	when := time.Now().Add(-[]time.Duration{0, -3 * time.Hour, 5 * time.Hour, 30 * time.Hour, 60 * time.Hour,
		300 * time.Hour, 5000 * time.Hour}[c.random.IntN(7)])
	at := when.UTC().Format(time.RFC3339Nano)
	switch c.random.IntN(12) {
	case 0, 1, 2:
		labels := map[string]float64{pick("spam", "pii", "quality", "other"): c.random.Float64(),
			pick("lang_mismatch", "hate_speech", "toxicity"): c.random.Float64()}
		return event("label", "message_id", message, "user_id", c.user(), "labels", labels, "at", at), made
	case 3, 4, 5, 6:
		return event("reaction", "message_id", message, "user_id", c.user(), "emoji",
			pick("+1", "-1", "red_flag", "rofl", "_skip_reply"), "op", pick("add", "remove", "remove"), "at", at), made
	case 7:
		return event("report", "message_id", message, "user_id", c.user(), "reason", "why", "at", at), made
	case 8:
		scores := map[string]float64{pick("toxicity", "toxicity", "insult"): float64(c.random.IntN(9)) / 8}
		return event("classifier_output", "message_id", message, "model", pick("old", "new", "third"), "scores", scores, "at",
			at), made
	case 9:
		return event("tree", "message_tree_id", c.trees[c.random.IntN(len(c.trees))], "state",
			pick("aborted_low_grade", "growing")), made
	case 10:
		id := uuid.New()
		return event("message", "message_id", id, "parent_id", message, "user_id", c.user(), "role", "assistant", "text", "x",
			"lang", pick("en", "de"), "created_date", at), id
	default:
		// The line of a tree may come before its prompt, or without one.
		id := uuid.New()
		if len(c.trees) > 0 && c.random.IntN(2) == 0 {
			c.trees = append(c.trees, id)
			return event("tree", "message_tree_id", id, "state", pick("aborted_low_grade", "growing")), made
		}
		id = c.trees[c.random.IntN(len(c.trees))]
		return event("message", "message_id", id, "user_id", c.user(), "role", "prompter", "text", "x", "created_date", at),
			id
	}
}
