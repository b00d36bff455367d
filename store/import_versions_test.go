package store_test

import (
	"fmt"
	"strings"
	"testing"

	"treewarden/store"
	"treewarden/store/storetest"
)

// TestImportOfSeveralVersions imports files that hold a message several times: the last
// one holds, the summary says so, and the same file again changes nothing (fault 8).
func TestImportOfSeveralVersions(t *testing.T) {
	t.Parallel()
	text := func(id, parent int, text string) string { return line(id, parent, `"text": "`+text+`"`) }
	tree := func(state, reply string) string {
		return `{"message_tree_id": "` + testID(1) + `", "tree_state": "` + state + `", "prompt": ` +
			strings.TrimSpace(line(1, 0, `"replies": [`+strings.TrimSpace(text(2, 1, reply))+`]`)) + "}\n"
	}
	files := map[string]struct {
		file       string
		superseded int64
		want       string // the text of the last message and its language
	}{
		"two texts":             {text(1, 0, "a") + text(1, 0, "b"), 1, "(b,)"},
		"three texts":           {text(1, 0, "a") + text(1, 0, "b") + text(1, 0, "c"), 2, "(c,)"},
		"there and back":        {text(1, 0, "a") + text(1, 0, "b") + text(1, 0, "a"), 2, "(a,)"},
		"two languages":         {line(1, 0, `"lang": "en"`) + line(1, 0, `"lang": "de"`), 1, `("text 1",de)`},
		"with others between":   {text(1, 0, "a") + line(3, 0, "") + line(5, 0, "") + text(1, 0, "b"), 1, "(b,)"},
		"replies":               {line(1, 0, "") + text(2, 1, "a") + text(2, 1, "b"), 1, "(b,)"},
		"orphans":               {text(2, 1, "a") + text(2, 1, "b") + line(1, 0, ""), 1, "(b,)"},
		"an orphan, then known": {text(2, 1, "a") + line(3, 0, "") + line(1, 0, "") + text(2, 1, "b"), 1, "(b,)"},
		"trees":                 {tree("growing", "a") + tree("ready_for_export", "b"), 2, "(b,)"},
		"a tree and a line":     {tree("growing", "a") + text(2, 1, "b"), 1, "(b,)"},
	}
	for name, f := range files {
		for _, batch := range []int{1, 2, 100} {
			t.Run(fmt.Sprint(name, ", ", batch), func(t *testing.T) {
				t.Parallel()
				s := storetest.New(t)
				send := func(file string) store.ImportSummary {
					return importWith(t, s, file, store.ImportOptions{Batch: batch})
				}
				lines := int64(strings.Count(f.file, "\n"))
				dry := importWith(t, s, f.file, store.ImportOptions{Batch: batch, DryRun: true})
				first := send(f.file)
				if first.Superseded != f.superseded || first.Rejected > 0 || dry.Superseded == 0 ||
					dry.Messages != first.Messages {
					t.Errorf("the first import: %+v, a dry run: %+v", first, dry)
				}
				wantOne(t, s, f.want, `SELECT (text, lang) FROM messages WHERE message_id IN ($1, $2)
					ORDER BY message_id DESC LIMIT 1`, testID(1), testID(2))
				before := dump(t, s, true) + one(t, s, "SELECT count(*) FROM revisions")
				for range 2 {
					if again := importWith(t, s, f.file, store.ImportOptions{Batch: batch, DryRun: true}); again.Updated != 0 {
						t.Errorf("a dry run of the same file again: %+v", again)
					}
					again := send(f.file)
					if again.Updated != 0 || again.Messages != 0 || again.Unchanged < lines || again.Superseded == 0 {
						t.Errorf("the same file again: %+v", again)
					}
					if d := diff(before, dump(t, s, true)+one(t, s, "SELECT count(*) FROM revisions")); d != "" {
						t.Errorf("the same file again changed something: %s", d)
					}
				}
				verify(t, s)
			})
		}
	}
}

// TestImportOfAFormerVersion checks that a file whose last word on a message is one of
// its former versions brings that back, and that a version that does not hold still
// fills what is missing.
func TestImportOfAFormerVersion(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	a, b := line(1, 0, `"text": "a"`), line(1, 0, `"text": "b"`)
	importText(t, s, a+b)
	wantCounts(t, importText(t, s, a), 0, 0, 0, 1, 0, 0, 0)
	wantOne(t, s, "a", "SELECT text FROM messages")
	wantCounts(t, importText(t, s, a), 0, 0, 0, 0, 1, 0, 0)
	importText(t, s, a+b)
	wantOne(t, s, "b", "SELECT text FROM messages")
	importText(t, s, b+a)
	wantOne(t, s, "a", "SELECT text FROM messages")
	wantCounts(t, importText(t, s, b+a), 0, 0, 0, 0, 2, 0, 0)
	importText(t, s, line(1, 0, `"text": "b", "lang": "en", "emojis": {"+1": 3}`)+a)
	wantOne(t, s, "(a,en)", "SELECT (text, lang) FROM messages")
	wantOne(t, s, "3", "SELECT upvotes FROM emoji_aggregates")
	verify(t, s)
}
