package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
)

// walker counts what a person does in a tab.
type walker struct {
	*tab
	clicks, keys int
}

func (w *walker) clickOn(selector string)  { w.t.Helper(); w.clicks++; w.click(selector) }
func (w *walker) followTo(selector string) { w.t.Helper(); w.clicks++; w.follow(selector) }

func (w *walker) stroke(key string, modifiers ...chromedp.Modifier) {
	w.t.Helper()
	w.keys++
	var options []chromedp.KeyOption
	for _, m := range modifiers {
		options = append(options, chromedp.KeyModifiers(m))
	}
	run(w.tab, "press "+fmt.Sprintf("%q", key), chromedp.KeyEvent(key, options...))
}

// TestWalkFromTheWorstTroll goes from the day's board to "banned, messages
// deleted" and reads the evidence on the way: in 4 clicks by the mouse alone,
// and in 8 strokes by keys alone.
func TestWalkFromTheWorstTroll(t *testing.T) {
	w := demonstration(t)
	// Somebody used a reason before, as on every day but the first.
	nobody := w.one(t, `SELECT user_id::text FROM users WHERE banned_at IS NULL AND role = 'general'
		ORDER BY (SELECT count(*) FROM messages m WHERE m.user_id = users.user_id), user_id LIMIT 1`)
	w.act(t, policy.Moderator, store.Act{Kind: "ban", Target: uuid.MustParse(nobody), Reason: "Flames in every thread."})

	for name, walk := range map[string]func(*walker){"mouse": walkByMouse, "keys": walkByKeys} {
		t.Run(name, func(t *testing.T) {
			b := &walker{tab: signedIn(t, w, policy.Moderator)}
			b.visit("/trollboard")
			id := strings.TrimPrefix(b.attribute(firstRow, "id"), "u-")
			walk(b)
			b.wantText(".toast", "Banned")
			if b.clicks > 4 || b.keys > 8 {
				t.Errorf("%d clicks and %d strokes, want at most 4 or 8", b.clicks, b.keys)
			}
			if left := w.one(t, `SELECT count(*) FILTER (WHERE NOT m.deleted)::text || ' ' ||
				count(DISTINCT u.banned_at)::text FROM users u JOIN messages m USING (user_id)
				WHERE user_id = $1::uuid`, id); left != "0 1" {
				t.Errorf("%s: messages left and bans are %q, want 0 1", id, left)
			}
			b.follow(toastUndo)
			b.wantText(".toast", "Undid")
		})
	}
}

func walkByMouse(b *walker) {
	b.clickOn(firstRow + " .opener")
	b.readEvidence()
	b.clickOn("tr.detail .sheet-acts a[href*='messages=delete']")
	b.see(dialog)
	if !eval[bool](b.tab, "document.querySelector('dialog[open] input[name=messages]').checked") {
		b.t.Error("the messages are not chosen")
	}
	b.clickOn("dialog[open] [data-fill] button")
	b.followTo(confirm)
}

func walkByKeys(b *walker) {
	b.stroke("j")
	b.stroke(kb.Enter)
	b.readEvidence()
	b.stroke("b")
	b.see(dialog)
	b.stroke(kb.Tab, chromedp.ModifierShift) // from the reason back to the choices
	b.stroke(kb.Tab, chromedp.ModifierShift)
	b.until("the focus is on the choice of messages", "document.activeElement.name === 'messages'")
	b.stroke(" ")
	b.stroke("1")
	b.until("1 picks the last reason", "document.querySelector("+quote(reasonField)+").value.length > 3")
	b.keys++
	b.pressCtrlEnter()
}

// readEvidence checks that texts of messages are in the open row, in sight.
func (b *tab) readEvidence() {
	b.t.Helper()
	b.see("tr.detail .parts")
	b.until("excerpts in sight", `[...document.querySelectorAll("tr.detail .evidence li")].some(line => {
		const box = line.getBoundingClientRect();
		return line.innerText.trim().length > 10 && box.top > 0 && box.bottom < innerHeight })`)
}
