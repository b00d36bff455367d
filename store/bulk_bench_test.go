package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/store"
	"treewarden/store/selection"
	"treewarden/store/storetest"
)

// BenchmarkBulk deletes 10,000 messages of a filter, in trees of four by 200 authors,
// and undoes that. The metrics compare both with one plain UPDATE of the same rows.
func BenchmarkBulk(b *testing.B) {
	const trees, size = 2500, 4
	s := storetest.New(b)
	admin := storetest.Staff(b, s, "admin")
	var authors []uuid.UUID
	for range 200 {
		authors = append(authors, storetest.User(b, s, "an author"))
	}
	var text []byte
	for i := range trees {
		tree, parent := uuid.New(), uuid.Nil
		for j := range size {
			id := tree
			args := []any{"message_id", id, "message_tree_id", tree, "user_id", authors[(i+j)%len(authors)],
				"role", [2]string{"prompter", "assistant"}[j%2], "text", "How do bees sleep?", "lang", "en"}
			if j > 0 {
				id = uuid.New()
				args[1] = id
				args = append(args, "parent_id", parent)
			}
			text, parent = append(append(text, event("message", args...)...), '\n'), id
			text = append(append(text, event("reaction", "message_id", id, "user_id", authors[(i+j+1)%len(authors)],
				"emoji", "red_flag", "op", "add")...), '\n')
		}
		if len(text) > 1<<20 || i == trees-1 {
			ingestAll(b, s, text)
			text = nil
		}
	}
	storetest.Exec(b, s, "ANALYZE")
	p := store.BulkParams{Act: selection.Act{Kind: selection.Delete,
		On: selection.On{Filter: &store.MessageFilter{Lang: "en"}}, Expected: new(int64(trees * size))}}
	var plain, preview, deletion, undo time.Duration
	for b.Loop() {
		began := time.Now()
		lap := func(t *time.Duration, err error) {
			if err != nil {
				b.Fatal(err)
			}
			*t += time.Since(began)
			began = time.Now()
		}
		storetest.Exec(b, s, "UPDATE messages SET deleted = true, deleted_at = now() WHERE lang = 'en'")
		lap(&plain, nil)
		storetest.Exec(b, s, "UPDATE messages SET deleted = false, deleted_at = NULL WHERE lang = 'en'")
		lap(&plain, nil)
		_, err := s.PreviewBulk(ctx, admin, store.Act{Reason: "a benchmark"}, p)
		lap(&preview, err)
		done, err := s.Act(ctx, admin, store.Act{Kind: "bulk", Target: uuid.New(), Reason: "a benchmark", Params: p})
		lap(&deletion, err)
		if done.Affected.Messages != trees*size {
			b.Fatalf("%+v", done.Affected)
		}
		_, err = s.Undo(ctx, admin, done.Action.ID, "a benchmark", false, "")
		lap(&undo, err)
	}
	b.ReportMetric(2*preview.Seconds()/plain.Seconds(), "preview-ratio")
	b.ReportMetric(2*deletion.Seconds()/plain.Seconds(), "delete-ratio")
	b.ReportMetric(2*undo.Seconds()/plain.Seconds(), "undo-ratio")
}
