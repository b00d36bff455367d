package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"treewarden/policy"
)

// focused is the id of the row that has the focus.
const focused = "(document.activeElement.closest('[data-row]') || {}).id"

// row returns a selector of a row of the list of messages that can be seen, counted
// from 1: the rows of one wave are folded below its first.
func (b *tab) row(n int) string {
	b.t.Helper()
	return "[id='" + eval[string](b, fmt.Sprintf(`[...document.querySelectorAll("table.messages tr[data-row]")]
		.filter((row) => row.checkVisibility())[%d].id`, n-1)) + "']"
}

// wantFocus waits until a row, or an element in it, has the focus.
func (b *tab) wantFocus(id string) {
	b.t.Helper()
	b.until("the focus is in "+id, focused+" === "+quote(id))
}

// TestRowsKeepThePlace deletes row 16 of a list by keys, and the next one by its
// menu: each time the focus goes on to the row below.
func TestRowsKeepThePlace(t *testing.T) {
	w := demonstration(t)
	b := signedIn(t, w, policy.Moderator)
	b.visit("/messages?lang=all&limit=30")
	sixteenth, next, third := b.attribute(b.row(16), "id"), b.attribute(b.row(17), "id"), b.attribute(b.row(18), "id")
	b.press(strings.Repeat("j", 16))
	b.wantFocus(sixteenth)
	b.press("d")
	b.see(dialog)
	b.press(kb.Escape)
	b.gone("dialog[open]")
	b.wantFocus(sixteenth)

	b.press("d")
	b.see(dialog)
	b.fill(reasonField, "Off topic.")
	b.follow(confirm)
	b.wantText(".toast", "Deleted the message")
	b.wantFocus(next)
	if !strings.Contains(b.at(), "limit=30") || b.count("[id='"+sixteenth+"']") != 0 {
		t.Errorf("the delete led to %s", b.at())
	}

	// By the menu of the row.
	menu := "[id='" + next + "'] [data-menu]"
	b.click(menu)
	b.see("[id='" + next + "'] .menu-items")
	b.press(kb.Escape)
	b.until("Esc closes the menu", "document.activeElement.matches("+quote(menu)+") && "+
		"!document.querySelector('.menu-items').checkVisibility()")
	b.click(menu)
	b.see("[id='" + next + "'] .menu-items")
	b.press(kb.ArrowUp) // from the first item to the last
	b.until("the arrow keys move", "document.activeElement.matches('.menu-items .danger') && "+
		"document.activeElement.innerText.includes('Ban author')")
	b.press(kb.ArrowDown)
	b.until("the arrow keys go round", "document.activeElement.matches('.menu-items [name=emoji]')")
	b.click("//tr[@id='" + next + "']//a[contains(., 'Delete…')]")
	b.see(dialog)
	b.press(kb.Escape)
	b.gone("dialog[open]")
	b.until("Esc returns to the …", "document.activeElement.matches("+quote(menu)+")")
	b.click(menu)
	b.click("//tr[@id='" + next + "']//a[contains(., 'Delete…')]")
	b.see(dialog)
	b.fill(reasonField, "Off topic.")
	b.follow(confirm)
	b.wantText(".toast", "Deleted the message")
	b.wantFocus(third)

	// A key of an entry whose menu was not opened yet.
	b.press("s")
	b.wantText(dialog+" h2", "Mark as spam")
	b.press(kb.Escape)
	b.gone("dialog[open]")
	b.wantFocus(third)
}

// TestKeysMeanTheSame (fault 29): Enter outside a row does nothing, and the sheet
// shows only the keys that work on its page.
func TestKeysMeanTheSame(t *testing.T) {
	w := demonstration(t)
	b := signedIn(t, w, policy.Moderator)
	message := w.one(t, `SELECT message_id::text FROM messages m JOIN users u USING (user_id)
		JOIN trees t USING (tree_id) WHERE NOT m.deleted AND m.review_result AND u.banned_at IS NULL
		AND t.state <> 'halted_by_moderator' AND NOT EXISTS (SELECT FROM messages r WHERE r.parent_id = m.message_id)
		LIMIT 1`)
	for path, want := range map[string]string{
		"/messages":            "j Enter x J / d b h s n l",
		"/trees":               "j Enter h",
		"/messages/" + message: "j Enter d b h s l",
		"/account":             "",
	} {
		b.visit(path)
		b.press(kb.Enter) // a fault here fails the test, see watch
		b.press("?")
		b.see("#keys[open]")
		shown := eval[string](b, `[...document.querySelectorAll("#keys [data-if-key]")].filter(line => !line.hidden)
			.map(line => line.dataset.ifKey).join(" ")`)
		if shown != want {
			t.Errorf("the sheet of %s shows %q, want %q", path, shown, want)
		}
		b.press(kb.Escape)
		b.gone("#keys[open]")
	}
}

// TestOpenSurvives acts on pages that the address opened a part of: the part stays open,
// and its parameter in the address.
func TestOpenSurvives(t *testing.T) {
	w := demonstration(t)
	b := signedIn(t, w, policy.Moderator)
	survived := func(what, parameter, part string) {
		t.Helper()
		if where := b.at(); !strings.Contains(where, parameter) {
			t.Errorf("%s led to %s, want %s in it", what, where, parameter)
		}
		b.see(part)
	}
	b.visit("/trollboard?frame=total")
	opened := strings.TrimPrefix(b.attribute("table.board tr[data-row]:nth-child(3)", "id"), "u-")
	next := "table.board #u-" + opened + " ~ tr[data-row]"
	b.visit("/trollboard?frame=total&open=" + opened)
	const sheet = "tr.detail .parts"
	b.see(sheet)
	b.click(next + " [data-key=b]")
	b.see(dialog)
	b.fill(reasonField, "Copies others.")
	b.follow(confirm)
	b.wantText(".toast", "Banned")
	survived("a ban of another row", "open="+opened, sheet)
	b.follow(toastUndo)
	b.wantText(".toast", "Undid")
	survived("its undo", "open="+opened, sheet)

	user := w.one(t, `SELECT user_id::text FROM messages WHERE NOT deleted GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1`)
	b.visit("/users/" + user + "?open=total&deleted=exclude")
	b.see(".explained .parts")
	b.click(b.row(1) + " .drawn-trash")
	b.see(dialog)
	b.fill(reasonField, "Off topic.")
	b.follow(confirm)
	b.wantText(".toast", "Deleted")
	survived("a delete on the user's page", "open=total", ".explained .parts")
	if !strings.Contains(b.at(), "deleted=exclude") {
		t.Errorf("the delete lost the filter: %s", b.at())
	}
	b.follow(toastUndo)
	survived("its undo", "open=total", ".explained .parts")
}

// TestDialogsByKeys picks a reason by a number, and confirms with Ctrl and Enter, or with
// Cmd and Enter as on a Mac.
func TestDialogsByKeys(t *testing.T) {
	w := demonstration(t)
	b := signedIn(t, w, policy.Moderator)
	user := w.one(t, `SELECT user_id::text FROM users u WHERE banned_at IS NULL AND role = 'general' AND EXISTS (
		SELECT FROM messages m WHERE m.user_id = u.user_id) ORDER BY user_id LIMIT 1`)
	modifiers := []chromedp.Modifier{chromedp.ModifierCtrl, chromedp.ModifierMeta}
	for i, reason := range []string{"Flames in every thread.", "Copies others."} {
		b.visit("/users/" + user)
		b.press("b")
		b.see(dialog)
		b.fill(reasonField, reason)
		b.press(kb.Enter)
		b.see(dialog)
		b.pressEnterWith(modifiers[i])
		b.wantText(".toast", "Banned")
		b.follow(toastUndo)
		b.wantText(".toast", "Undid")
	}
	b.press("b")
	b.see(dialog)
	if n := b.count(dialog + " [data-fill] button[tabindex='0']"); n != 1 {
		t.Errorf("the reasons are %d stops of Tab, want 1", n)
	}
	b.click("dialog[open] label:has(> input[name=for][value=date])")
	b.see("dialog[open] #act-until")
	b.click("dialog[open] label:has(> input[name=for][value=day])")
	b.until("the date is hidden", "document.querySelector('#act-until-field').hidden")
	b.press("2")
	value := "document.querySelector(" + quote(reasonField) + ").value"
	b.until("2 picks the second reason", value+" === 'Flames in every thread.'")
	b.press(kb.ArrowLeft)
	b.press(" ")
	b.until("an arrow key moves to the first", value+" === 'Copies others.'")
	b.pressCtrlEnter()
	b.wantText(".toast", "Banned")
	b.wantText(".user-marks", "until")
	b.follow(toastUndo)
}

// pressCtrlEnter presses Ctrl and Enter at once.
func (b *tab) pressCtrlEnter() {
	b.t.Helper()
	b.pressEnterWith(chromedp.ModifierCtrl)
}

// pressEnterWith presses a key like Ctrl and Enter at once.
func (b *tab) pressEnterWith(modifier chromedp.Modifier) {
	b.t.Helper()
	b.leave("press a modifier and Enter", chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(modifier)))
}
