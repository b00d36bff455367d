package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// TestLongNamesFit checks the pages with actions. The names have the maximum
// length and no place to break, the language codes are long too, and the thread
// is deep. No page may scroll sideways.
func TestLongNamesFit(t *testing.T) {
	w := newWorld(t)
	author := storetest.User(t, w.store, strings.Repeat("Wolfeschlegelstein", 14))
	long, err := w.store.CreateStaff(t.Context(), store.CommandLine, strings.Repeat("Moderatorin", 9), policy.Moderator,
		"")
	if err != nil {
		t.Fatal(err)
	}
	moderator := w.staff[policy.Moderator]
	moderator.UserID, moderator.Name = long.UserID, long.DisplayName
	w.staff["long"] = moderator

	deepest := storetest.Node{Author: author, Text: "The end of it."}
	for i := range 12 {
		deepest = storetest.Node{Author: author, Lang: fmt.Sprintf("%dWWWWWWWW", i), Text: strings.Repeat("word ", 30),
			Replies: []storetest.Node{deepest}}
	}
	thread := storetest.Tree(t, w.store, deepest)
	tree, last := thread[0], thread[len(thread)-1]
	storetest.React(t, w.store, last, moderator.UserID, "red_flag", time.Now())

	reason := strings.Repeat("Wolfeschlegelstein", 20)
	edited := w.act(t, "long", store.Act{Kind: "edit", Target: last, Reason: reason,
		Params: store.EditParams{Text: strings.Repeat("w", 3000)}})
	w.act(t, "long", store.Act{Kind: "report", Target: last, Reason: reason})
	w.act(t, "long", store.Act{Kind: "halt", Target: tree, Reason: reason})
	deleted := w.act(t, "long", store.Act{Kind: "delete", Target: last, Reason: reason})
	banned := w.act(t, "long", store.Act{Kind: "ban", Target: author, Reason: reason})

	at := func(a store.Action) string { return fmt.Sprintf("/actions/%d", a.ID) }
	b := signedIn(t, w, "long")
	for _, path := range []string{
		"/", "/audit", "/trollboard?status=all", "/users", "/trees", "/messages?deleted=include",
		"/users/" + author.String(), "/users/" + author.String() + "?tab=actions", "/users/" + author.String() + "/unban",
		"/users/" + author.String() + "/score",
		"/messages/" + last.String(), "/messages/" + last.String() + "/history", "/messages/" + last.String() + "/undelete",
		"/trees/" + tree.String(), "/trees/" + tree.String() + "/resume",
		at(edited), at(deleted), at(banned), at(banned) + "/undo",
	} {
		for _, width := range []int64{wide, narrow} {
			b.size(width)
			b.wantStatus(b.visit(path), 200)
			b.wantFits()
		}
	}
}
