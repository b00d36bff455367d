package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/storetest"
)

// ingest sends lines as a front end does, all in one request.
func (w *liveWorld) ingest(lines ...string) {
	w.t.Helper()
	done, err := w.store.Ingest(w.t.Context(), w.staff[policy.Admin], []byte(strings.Join(lines, "\n")))
	if err != nil || done.Accepted != len(lines) {
		w.t.Fatalf("ingest: %+v, %v", done, err)
	}
}

// reaction returns a line that adds a reaction of the judge.
func (w *liveWorld) reaction(message uuid.UUID, emoji string) string {
	return fmt.Sprintf(`{"type": "reaction", "id": %q, "message_id": %q, "user_id": %q, "emoji": %q, "op": "add"}`,
		uuid.NewString(), message, w.judge, emoji)
}

// messages makes messages of a user and returns their ids.
func (w *liveWorld) messages(name string, n int, at time.Time) []uuid.UUID {
	w.t.Helper()
	one := storetest.Node{Author: w.user[name], At: at}
	root := one
	for range n - 1 {
		root.Replies = append(root.Replies, one)
	}
	return storetest.Tree(w.t, w.store, root)
}

// TestRowsKeepTheirElements moves a row and inserts another one in the middle.
// Each user's row stays the same element and keeps the focus.
func TestRowsKeepTheirElements(t *testing.T) {
	w := newLiveWorld(t)
	b := signedIn(t, w.world, policy.Moderator)
	b.visit("/trollboard?frame=total")
	b.wantLive("Live")
	b.wantOrder("Ann Bob Cid")
	b.point("")

	bob := "document.getElementById(" + quote("u-"+w.user["Bob"].String()) + ")"
	eval[bool](b, `window.before = [...document.querySelectorAll("table.board tr[data-row]")]; true`)
	eval[bool](b, bob+`.querySelector(".opener").focus(); true`)
	wantKept := func() {
		t.Helper()
		if !eval[bool](b, "window.before.every(row => row === document.getElementById(row.id))") {
			t.Error("a row became another element")
		}
		if !eval[bool](b, `document.activeElement === `+bob+`.querySelector(".opener")`) {
			t.Fatal("the focus left the row")
		}
	}

	// A call of click() does not move the focus, as with voice control.
	showOrder := "document.querySelector(" + quote(liveNote) + ").click()"
	w.flag("Bob", 2)
	b.wantScore(w, "Bob", "12")
	b.see(liveNote)
	eval[bool](b, showOrder+"; true")
	b.wantOrder("Bob Ann Cid")
	wantKept()

	w.user["Dot"] = uuid.New()
	message := uuid.New()
	w.ingest(
		fmt.Sprintf(`{"type": "user", "id": "dot", "user_id": %q, "display_name": "Dot"}`, w.user["Dot"]),
		fmt.Sprintf(`{"type": "message", "id": "dots", "message_id": %q, "user_id": %q, "role": "prompter", `+
			`"text": "Hello", "lang": "en"}`, message, w.user["Dot"]),
		w.reaction(message, "red_flag"))
	b.see(liveNote)
	eval[bool](b, showOrder+"; true")
	b.wantOrder("Bob Ann Dot Cid")
	wantKept()
}

// TestPartsKeepTheirElements changes the parts of an open row's score. An open
// signal stays open, and a message keeps the focus.
func TestPartsKeepTheirElements(t *testing.T) {
	w := newLiveWorld(t)
	old := w.messages("Cid", 10, time.Now().Add(-2*time.Hour))
	recent := w.messages("Cid", 1, time.Now().Add(-time.Hour))[0]
	var votes []string
	for _, message := range old {
		votes = append(votes, w.reaction(message, "-1"))
	}
	w.ingest(votes...)

	b := signedIn(t, w.world, policy.Moderator)
	b.visit("/trollboard?frame=total")
	b.wantLive("Live")
	b.point("")
	row := "#u-" + w.user["Cid"].String()
	b.click(row + " .opener")
	b.wantText("tr.detail .parts", "Downvotes")

	// The newest message comes first in the line of its signal.
	eval[bool](b, `window.message = document.querySelector("tr.detail .evidence a");
		window.address = message.href; message.focus(); true`)
	w.ingest(w.reaction(recent, "-1"))
	b.wantText("tr.detail .evidence-all", "all 11")
	if !eval[bool](b, "document.querySelector('tr.detail .evidence a').href.endsWith("+quote(recent.String())+")") {
		t.Error("the newest message does not come first")
	}
	if !eval[bool](b, "document.activeElement === window.message && message.href === window.address") {
		t.Error("the focus is on another message")
	}

	// A signal above it gets its first count.
	eval[bool](b, `window.line = document.querySelector("tr.detail .parts tbody tr");
		window.fold = document.querySelector("tr.detail .sheet-foot details"); fold.open = true;
		document.activeElement.blur(); true`)
	b.point("")
	w.ingest(w.reaction(recent, "red_flag"))
	b.wantText("tr.detail .parts", "Red flags")
	titles := `[...document.querySelectorAll("tr.detail .parts tbody th")].map(th => th.textContent).join()`
	if got := eval[string](b, titles); got != "Red flags,Downvotes" {
		t.Errorf("the lines are %s", got)
	}
	if !eval[bool](b, `line.isConnected && line.cells[0].textContent === "Downvotes" &&
		fold.isConnected && fold.open`) {
		t.Error("the line of a signal became another element, or its fold was closed")
	}
	if n := b.count("tr.detail .sheet details[open]"); n != 1 {
		t.Errorf("%d folds are open, want 1", n)
	}
}
