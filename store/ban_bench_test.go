package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/store"
	"treewarden/store/storetest"
)

// BenchmarkBan bans a user with the deletion of 24,000 messages, and undoes the
// ban. The messages are chains of 1,000 replies to oneself, or as many in trees of
// two. The metrics compare the chains with the trees; a user must not be able to
// make their own ban expensive.
func BenchmarkBan(b *testing.B) {
	const chains, length = 24, 1000
	s := storetest.New(b)
	admin := storetest.Staff(b, s, "admin")
	write := func(name string, size int) uuid.UUID {
		user := storetest.User(b, s, name)
		var text []byte
		for range chains * length / size {
			tree, parent := uuid.New(), uuid.Nil
			for i := range size {
				id := tree
				args := []any{"message_id", id, "message_tree_id", tree, "user_id", user, "role", "prompter",
					"text", "How do bees sleep?", "lang", "en"}
				if i > 0 {
					id = uuid.New()
					args[1] = id
					args = append(args, "parent_id", parent)
				}
				if i%2 == 1 {
					args[7] = "assistant"
				}
				text, parent = append(append(text, event("message", args...)...), '\n'), id
			}
			if len(text) > 1<<20 {
				ingestAll(b, s, text)
				text = nil
			}
		}
		ingestAll(b, s, text)
		return user
	}
	deep, flat := write("deep", length), write("flat", 2)
	storetest.Exec(b, s, "ANALYZE")
	type times struct{ preview, ban, undo time.Duration }
	measure := func(user uuid.UUID, into *times) {
		act := store.Act{Kind: "ban", Target: user, Reason: "a benchmark", Params: store.BanParams{Messages: "delete"}}
		began := time.Now()
		lap := func(t *time.Duration, err error) {
			if err != nil {
				b.Fatal(err)
			}
			*t += time.Since(began)
			began = time.Now()
		}
		act.Preview = true
		_, err := s.Act(ctx, admin, act)
		lap(&into.preview, err)
		act.Preview = false
		done, err := s.Act(ctx, admin, act)
		lap(&into.ban, err)
		if done.Affected.Messages != chains*length {
			b.Fatalf("%+v", done.Affected)
		}
		_, err = s.Undo(ctx, admin, done.Action.ID, "a benchmark", false, "")
		lap(&into.undo, err)
	}
	var deeply, flatly times
	for b.Loop() {
		measure(deep, &deeply)
		measure(flat, &flatly)
	}
	b.ReportMetric(deeply.preview.Seconds()/flatly.preview.Seconds(), "preview-ratio")
	b.ReportMetric(deeply.ban.Seconds()/flatly.ban.Seconds(), "ban-ratio")
	b.ReportMetric(deeply.undo.Seconds()/flatly.undo.Seconds(), "undo-ratio")
}

// ingestAll ingests lines, none of which may be refused.
func ingestAll(b *testing.B, s *store.Store, text []byte) {
	b.Helper()
	if done, err := s.Ingest(ctx, store.CommandLine, text); err != nil || done.Rejected > 0 ||
		done.Accepted != strings.Count(string(text), "\n") {
		b.Fatalf("%d accepted, %d rejected, %v", done.Accepted, done.Rejected, err)
	}
}
