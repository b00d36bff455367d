package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/storetest"
)

// walk reads a list page by page to its end and back to its beginning, and
// returns the names of its items in order.
func walk[T any](t *testing.T, name func(T) string, read func(store.Page) (store.List[T], error)) []string {
	t.Helper()
	var forward []string
	var pages [][]string
	page := store.Page{Limit: 2}
	var last store.List[T]
	for {
		list, err := read(page)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, item := range list.Items {
			names = append(names, name(item))
		}
		forward, pages, last = append(forward, names...), append(pages, names), list
		if list.Next == nil {
			break
		}
		page.Cursor = *list.Next
	}
	for i := len(pages) - 2; i >= 0; i-- {
		if last.Prev == nil {
			t.Fatalf("page %d has no cursor for the page before it", i+2)
		}
		list, err := read(store.Page{Limit: 2, Cursor: *last.Prev})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, item := range list.Items {
			names = append(names, name(item))
		}
		if !slices.Equal(names, pages[i]) {
			t.Errorf("page %d read backwards is %v, want %v", i+1, names, pages[i])
		}
		last = list
	}
	if last.Prev != nil {
		t.Error("the first page has a cursor for a page before it")
	}
	return forward
}

func TestListsArePagedByKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := time.Now().Add(-2 * time.Hour).Truncate(time.Second)
	for i := range 5 {
		author := storetest.User(t, w.Store, fmt.Sprintf("user %d", i))
		// All have the same date, so the lists sort them by id.
		ids := storetest.Tree(t, w.Store, storetest.Node{Author: author, At: at, Replies: []storetest.Node{{Author: w.other,
			At: at}}})
		for j := range i {
			storetest.React(t, w.Store, ids[0], storetest.User(t, w.Store, fmt.Sprintf("voter %d %d", i, j)), "-1", at)
		}
	}
	users := walk(t, func(u store.User) string { return u.DisplayName },
		func(p store.Page) (store.List[store.User], error) {
			return w.Users(ctx, w.admin, store.UserFilter{Q: "user ", Page: p})
		})
	if want := []string{"user 0", "user 1", "user 2", "user 3", "user 4"}; !slices.Equal(users, want) {
		t.Errorf("users %v", users)
	}
	for _, sort := range []string{"new", "old"} {
		messages := walk(t, func(m store.Message) string { return m.MessageID.String() },
			func(p store.Page) (store.List[store.Message], error) {
				return w.Messages(ctx, w.admin, store.MessageFilter{Sort: sort, Page: p})
			})
		slices.Sort(messages)
		if len(slices.Compact(messages)) != 13 {
			t.Errorf("%d messages sorted %s, want 13", len(messages), sort)
		}
	}
	trees := walk(t, func(t store.Tree) string { return t.TreeID.String() },
		func(p store.Page) (store.List[store.Tree], error) {
			return w.Trees(ctx, w.admin, store.TreeFilter{Page: p})
		})
	if len(trees) != 6 {
		t.Errorf("%d trees", len(trees))
	}
	var ranks []int64
	board := walk(t, func(r store.BoardRow) string { ranks = append(ranks, r.Rank); return r.DisplayName },
		func(p store.Page) (store.List[store.BoardRow], error) {
			b, err := w.Board(ctx, w.admin, store.BoardFilter{Window: scoring.Total, Formula: scoring.Treewarden, Q: "user ",
				Page: p})
			return b.List, err
		})
	if want := []string{"user 4", "user 3", "user 2", "user 1", "user 0"}; !slices.Equal(board, want) ||
		!slices.Equal(ranks[:5], []int64{1, 2, 3, 4, 5}) {
		t.Errorf("the board %v, ranks %v", board, ranks)
	}
}

func TestCursorsOfOtherListsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 3 {
		storetest.User(t, w.Store, fmt.Sprint("user ", i))
	}
	users, err := w.Users(ctx, w.admin, store.UserFilter{Page: store.Page{Limit: 2}})
	if err != nil {
		t.Fatal(err)
	}
	for _, cursor := range []string{*users.Next, "x", "{}", "bnVsbA", "eyJvIjoibmV3IiwiayI6WyJ4IiwieSJdfQ"} {
		var malformed store.Malformed
		if _, err := w.Messages(ctx, w.admin, store.MessageFilter{Page: store.Page{Cursor: cursor}}); !errors.As(err,
			&malformed) {
			t.Errorf("cursor %q: %v", cursor, err)
		}
	}
}

func TestMessageFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	storetest.Exec(t, w.Store, "UPDATE messages SET text = '100% über_trieben \\ done', lang = 'de' "+
		"WHERE message_id = $1", w.reply)
	storetest.Derive(t, w.Store)
	storetest.Vote(t, w.Store, w.reply, w.troll, "spam", 1, time.Now())
	storetest.Exec(t, w.Store,
		"INSERT INTO label_aggregates (tree_id, message_id, spam, spam_count) VALUES ($1, $2, 0, 3)", w.prompt, w.reply)
	storetest.Exec(t, w.Store, "INSERT INTO classifier_models (name, outputs) VALUES ('unitary/x.y', '{toxicity,insult}')")
	storetest.Exec(t, w.Store, "INSERT INTO classifier_outputs (tree_id, message_id, model_id, toxicity, scores) "+
		"VALUES ($1, $2, 1, 0.9, '{0.9,0.4}')", w.prompt, w.deep)
	storetest.React(t, w.Store, w.deep, w.other, "red_flag", time.Now())
	storetest.Report(t, w.Store, w.prompt, w.other, "look at this", time.Now())
	act(t, w.Store, w.moderator, store.Act{Kind: "review", Target: w.deep, Params: store.ReviewParams{Result: "rejected"}})
	act(t, w.Store, w.moderator, store.Act{Kind: "edit", Target: w.prompt,
		Params: store.EditParams{Text: "an edited prompt"}})
	hour := time.Now().Add(-30 * time.Minute)
	for _, c := range []struct {
		name   string
		filter store.MessageFilter
		want   []uuid.UUID
	}{
		{"all", store.MessageFilter{}, []uuid.UUID{w.prompt, w.reply, w.deep}},
		{"with deleted ones", store.MessageFilter{Deleted: "include"},
			[]uuid.UUID{w.prompt, w.reply, w.deep, w.deleted, w.belowDeleted}},
		{"deleted ones", store.MessageFilter{Deleted: "only"}, []uuid.UUID{w.deleted, w.belowDeleted}},
		{"a word", store.MessageFilter{Q: "EDITED"}, []uuid.UUID{w.prompt}},
		{"two words", store.MessageFilter{Q: "done TRIEBEN"}, []uuid.UUID{w.reply}},
		{"a part of a word", store.MessageFilter{Q: "trieb"}, nil},
		{"wildcards are none", store.MessageFilter{Q: `1%`}, nil},
		{"wildcards in an expression are text", store.MessageFilter{Q: `/100% .*r_t/`}, []uuid.UUID{w.reply}},
		{"a backslash in an expression", store.MessageFilter{Q: `/\\/`}, []uuid.UUID{w.reply}},
		{"a line with filters", store.MessageFilter{Q: "-edited -user:" + w.other.String()}, []uuid.UUID{w.deep}},
		{"a language", store.MessageFilter{Lang: "de"}, []uuid.UUID{w.reply}},
		{"a role", store.MessageFilter{Role: "assistant"}, []uuid.UUID{w.reply}},
		{"a user", store.MessageFilter{User: &w.troll}, []uuid.UUID{w.prompt, w.deep}},
		{"rejected", store.MessageFilter{Review: "rejected"}, []uuid.UUID{w.deep}},
		{"spam", store.MessageFilter{Spam: "only"}, []uuid.UUID{w.deep}},
		{"no spam", store.MessageFilter{Spam: "exclude"}, []uuid.UUID{w.prompt, w.reply}},
		{"a label at its mean", store.MessageFilter{Label: "spam>=0.25"}, []uuid.UUID{w.reply}},
		{"a label above its mean", store.MessageFilter{Label: "spam>0.25"}, nil},
		{"toxicity", store.MessageFilter{Toxicity: ">0.5"}, []uuid.UUID{w.deep}},
		{"a classifier with a dot in its name", store.MessageFilter{Classifier: "unitary/x.y.insult<0.5"},
			[]uuid.UUID{w.deep}},
		{"since", store.MessageFilter{Since: &hour}, nil},
		{"until", store.MessageFilter{Until: &hour, Role: "assistant"}, []uuid.UUID{w.reply}},
		{"a tree's state", store.MessageFilter{TreeState: "ranking"}, nil},
		{"reported", store.MessageFilter{Has: "report"}, []uuid.UUID{w.prompt}},
		{"flagged", store.MessageFilter{Has: "red_flag"}, []uuid.UUID{w.deep}},
		{"edited", store.MessageFilter{Has: "edit"}, []uuid.UUID{w.prompt}},
	} {
		list, err := w.Messages(ctx, w.moderator, c.filter)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for _, m := range list.Items {
			got = append(got, m.MessageID.String())
		}
		var want []string
		for _, id := range c.want {
			want = append(want, id.String())
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", c.name, got, want)
		}
	}
	for _, f := range []store.MessageFilter{
		{Role: "x"}, {Deleted: "x"}, {Review: "x"}, {Has: "x"}, {Sort: "x"}, {Label: "spam"}, {Label: "x>0.5"},
		{Label: "spam>>1"},
		{Toxicity: "0.5"}, {Classifier: ">0.5"}, {Classifier: "toxicity>0.5"}, {Toxicity: ">1e999"},
		{Page: store.Page{Limit: 201}}, {Page: store.Page{Limit: -1}},
	} {
		var malformed store.Malformed
		if _, err := w.Messages(ctx, w.moderator, f); !errors.As(err, &malformed) {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

// TestReadingNeedsThePermission calls every method that reads, with roles that
// have no access to the console.
func TestReadingNeedsThePermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, role := range []string{policy.General, policy.Collector, ""} {
		nobody := w.moderator
		nobody.Role = role
		for name, read := range map[string]func() error{
			"Board":     func() error { _, err := w.Board(ctx, nobody, store.BoardFilter{}); return err },
			"Score":     func() error { _, err := w.Score(ctx, nobody, w.troll, scoring.Total, scoring.Treewarden); return err },
			"Users":     func() error { _, err := w.Users(ctx, nobody, store.UserFilter{}); return err },
			"User":      func() error { _, err := w.User(ctx, nobody, w.troll, scoring.Treewarden); return err },
			"Feedback":  func() error { _, err := w.UserFeedback(ctx, nobody, w.troll, store.Page{}); return err },
			"Rater":     func() error { _, err := w.Rater(ctx, nobody, w.troll); return err },
			"Named":     func() error { _, err := w.MessagesNamed(ctx, nobody, []uuid.UUID{w.prompt}); return err },
			"Messages":  func() error { _, err := w.Messages(ctx, nobody, store.MessageFilter{}); return err },
			"Message":   func() error { _, err := w.Message(ctx, nobody, w.prompt); return err },
			"Revisions": func() error { _, err := w.Revisions(ctx, nobody, w.prompt); return err },
			"Thread":    func() error { _, _, err := w.Thread(ctx, nobody, w.prompt); return err },
			"Trees":     func() error { _, err := w.Trees(ctx, nobody, store.TreeFilter{}); return err },
			"Tree":      func() error { _, err := w.Tree(ctx, nobody, w.prompt, 0); return err },
			"Actions":   func() error { _, err := w.Actions(ctx, nobody, store.ActionFilter{}); return err },
			"Home":      func() error { _, err := w.Home(ctx, nobody, nil); return err },
			"Staff":     func() error { _, err := w.Staff(ctx, nobody); return err },
			"Scoring":   func() error { _, err := w.Scoring(ctx, nobody); return err },
			"Try": func() error {
				_, err := w.CompareFormulas(ctx, nobody, scoring.Treewarden, scoring.Treewarden,
					scoring.TruthBanned, scoring.Total)
				return err
			},
			"Keys": func() error { _, err := w.Keys(ctx, nobody); return err },
		} {
			var forbidden *store.Forbidden
			if err := read(); !errors.As(err, &forbidden) || forbidden.Permission == "" {
				t.Errorf("%s as %q: %v", name, role, err)
			}
		}
	}
}
