package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"treewarden/policy"
	"treewarden/store/storetest"
)

// TestBestMatch searches for a word, chooses the best match, pages forth and back, and
// clears the words.
func TestBestMatch(t *testing.T) {
	w := newWorld(t)
	author := storetest.User(t, w.store, "an author")
	write := func(text string, ago time.Duration) {
		storetest.Tree(t, w.store, storetest.Node{Author: author, Text: text, At: time.Now().Add(-ago)})
	}
	write("The better one: a needle, a needle and a needle.", 48*time.Hour)
	for i := range 6 {
		write(fmt.Sprintf("One needle is here, in text %d.", i), time.Duration(i+1)*time.Hour)
	}
	write("Nothing to find.", time.Minute)

	b := signedIn(t, w, policy.Moderator)
	b.visit("/messages?limit=5")
	if options := b.text("#f-sort"); strings.Contains(options, "Best match") {
		t.Errorf("without words the page offers %q", options)
	}
	const search = "form.filters button"
	b.fill("#f-q", "needle")
	b.follow(search)
	b.visit(b.path("limit=5"))
	b.wantText(b.row(1), "in text 0")

	b.choose("#f-sort", "best")
	b.follow(search)
	b.visit(b.path("limit=5"))
	b.wantText(b.row(1), "The better one")
	b.wantText(b.row(2), "in text 0")
	if rows := b.count("table.messages tr[data-row]"); rows != 5 {
		t.Errorf("the first page has %d rows, want 5", rows)
	}
	b.follow("#page-next")
	b.wantText(b.row(1), "in text 4")
	b.wantText(b.row(2), "in text 5")
	if b.count("#page-next") != 0 {
		t.Error("there is a third page")
	}
	b.follow("#page-prev")
	b.wantText(b.row(1), "The better one")

	// Without words the newest are first again, and nothing is wrong.
	eval[bool](b, "(document.querySelector('#f-q').value = '') === ''")
	b.wantStatus(b.follow(search), 200)
	b.wantText(b.row(1), "Nothing to find")
	const option = "document.querySelector('#f-sort').selectedOptions[0].innerText"
	if chosen := eval[string](b, option); chosen != "Newest first" {
		t.Errorf("after the words were cleared the page is sorted by %q", chosen)
	}
	if b.count(".error, .notice-bad") != 0 {
		t.Errorf("after the words were cleared the page says %q", b.text(".error, .notice-bad"))
	}
}

// path returns the address of the page with another parameter.
func (b *tab) path(parameter string) string {
	b.t.Helper()
	return eval[string](b, "location.pathname + location.search") + "&" + parameter
}
