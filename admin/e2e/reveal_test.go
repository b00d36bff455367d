package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/storetest"
)

// TestReveal shows hidden texts: one by Space in its row, and all of a page and
// of the next one.
func TestReveal(t *testing.T) {
	w := newWorld(t)
	author := storetest.User(t, w.store, "Author")
	var ids []uuid.UUID
	for i := range 2 {
		ids = append(ids, storetest.Tree(t, w.store, storetest.Node{Author: author, Text: fmt.Sprint("dreadful ", i)})[0])
		for range 3 {
			storetest.Vote(t, w.store, ids[i], storetest.User(t, w.store, "Voter"), "violence", 1, time.Now())
		}
	}
	if err := w.store.RebuildScores(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := signedIn(t, w, policy.Moderator)
	open := func(want string) {
		t.Helper()
		b.until("the open texts are "+want, `[...document.querySelectorAll("details.peek, details.hidden-text")]
			.map((text) => text.open).join() === `+quote(want))
	}
	b.visit("/users/" + author.String())
	open("false,false")
	b.press("j")
	b.press(" ")
	open("true,false")
	b.press(" ")
	open("false,false")
	b.click("a[data-reveal]")
	open("true,true")
	b.visit("/messages/" + ids[1].String())
	open("true")
	b.click("a[data-reveal]")
	open("false")
	b.visit("/users/" + author.String())
	open("false,false")
}

// TestMiddlingWindows looks at windows of laptops: nothing overflows, the acts on
// the board stay in sight, and a narrow one has a navigation of icons.
func TestMiddlingWindows(t *testing.T) {
	w := newLiveWorld(t)
	b := signedIn(t, w.world, policy.Admin)
	user, message := w.user["Ann"].String(), w.message["Ann"].String()
	for width, navigation := range map[int64]bool{1280: true, 1024: false} {
		b.size(width)
		for _, path := range []string{"/trollboard?frame=total&open=" + user, "/users/" + user,
			"/users/" + user + "/score", "/messages/" + message, "/trees/" + message} {
			b.visit(path)
			b.loaded()
			b.wantFits()
		}
		b.visit("/trollboard?frame=total")
		if !eval[bool](b, `(() => {
			const box = document.querySelector(".board tbody .tools a[data-dialog]").getBoundingClientRect();
			return box.left > 0 && box.right <= innerWidth;
		})()`) {
			t.Errorf("%d px: the acts on the board are out of sight", width)
		}
		if got := eval[bool](b, `document.querySelector(".nav-text").getBoundingClientRect().width > 10`); got != navigation {
			t.Errorf("%d px: the navigation has words: %v", width, got)
		}
	}
}
