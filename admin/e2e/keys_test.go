package e2e

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"treewarden/policy"
)

// interceptClicks notes what scripts click, as the keys do, instead of clicking it. The
// boxes of rows are really clicked. An item of a closed menu counts, a disabled one does not.
const interceptClicks = `window.clicked = []; addEventListener("click", (event) => {
	const box = event.target.matches("input[type=checkbox]");
	if (event.isTrusted || box) return;
	event.preventDefault();
	event.stopImmediatePropagation();
	const control = event.target.closest("a, button, input, summary");
	if (control && !control.disabled) window.clicked.push(control.dataset.key || control.dataset.go || "open");
}, true)`

// focusRow moves the focus to a row that the keys find, counted from 0, or off all rows,
// and reports whether there is such a row.
const focusRow = `((n) => { document.activeElement.blur(); window.clicked = [];
	const row = [...document.querySelectorAll("[data-row]:not([data-no-rows] *)")]
		.filter((row) => row.checkVisibility())[n];
	row?.focus();
	return Boolean(row) })`

// TestEachKeyOfTheSheetWorks opens each kind of page and presses each key that its sheet
// shows: it does something there, and a key that the sheet does not show does nothing.
func TestEachKeyOfTheSheetWorks(t *testing.T) {
	w := demonstration(t)
	one := func(sql string) string { t.Helper(); return w.one(t, sql) }
	user := "/users/" + one(`SELECT user_id::text FROM messages WHERE NOT deleted GROUP BY user_id
		ORDER BY count(*) DESC, user_id LIMIT 1`)
	message := one(`SELECT message_id::text FROM messages JOIN reports USING (tree_id, message_id)
		ORDER BY message_id LIMIT 1`)
	tree := one("SELECT tree_id::text FROM messages GROUP BY tree_id ORDER BY count(*) DESC, tree_id LIMIT 1")
	list := w.listOfAll(t)
	w.colleague(t)
	b := signedIn(t, w, policy.Admin)
	for _, path := range []string{
		"/", "/trollboard?frame=total", "/users", user, user + "?tab=given", user + "?tab=actions",
		"/messages?lang=all&deleted=include", "/messages/" + message, "/messages/" + message + "/history", "/trees",
		"/trees/" + tree, "/waves", w.wave(t), "/searches", w.savedSearches(t), "/audit",
		"/actions/" + one("SELECT max(seq)::text FROM actions WHERE kind = 'ban'"), "/queue", w.decidedCase(t), "/insights",
		"/lists", list, list + "/compare", "/samples", w.sampleOf(t, list), w.jobOf(t, list, "running", 1200),
		"/settings/scoring", w.classifiers(t), "/settings/roles", "/settings/why", "/settings/staff", "/settings/keys",
		"/account",
	} {
		b.wantStatus(b.visit(path), 200)
		eval[any](b, interceptClicks)
		b.press("?")
		b.see("#keys[open]")
		lines := eval[[]string](b, `[...document.querySelectorAll("#keys [data-if-key]")]
			.map(line => (line.hidden ? "-" : "") + line.dataset.ifKey)`)
		b.press(kb.Escape)
		b.gone("#keys[open]")
		for _, line := range lines {
			key, hidden := strings.CutPrefix(line, "-")
			rows := 12 // a row may have what the rows before it lack
			if hidden {
				rows = 2
			}
			if works := b.keyWorks(key, rows); works == hidden {
				t.Errorf("%s: the sheet shows %s: %v; it works: %v", path, key, !hidden, works)
			}
		}
		eval[bool](b, focusRow+"(-1)")
		b.press("gm")
		if got := eval[[]string](b, "window.clicked"); !slices.Equal(got, []string{"m"}) {
			t.Errorf("%s: g and m click %v", path, got)
		}
	}
	for _, key := range eval[[]string](b,
		`[...document.querySelectorAll(".nav [data-go]")].map((link) => link.dataset.go)`) {
		eval[bool](b, focusRow+"(-1)")
		b.press("g" + key)
		if got := eval[[]string](b, "window.clicked"); !slices.Equal(got, []string{key}) {
			t.Errorf("g and %s click %v", key, got)
		}
	}
}

// keyWorks presses a key of the sheet, where need be in each of a number of rows, and
// reports whether it did what the sheet says. The page is the same afterwards, but for its
// selection and its focus.
func (b *tab) keyWorks(key string, rows int) bool {
	b.t.Helper()
	const inRow = `document.activeElement.matches("[data-row]")`
	const checked = `document.querySelectorAll("[data-row] input:checked").length`
	eval[bool](b, focusRow+"(-1)")
	switch key {
	case "j":
		b.press("j")
		return eval[bool](b, inRow)
	case "/":
		b.press("/")
		return eval[bool](b, `document.activeElement.matches("[data-search], input[type=search]")`)
	case "x", "J":
		b.press("j")
		before := eval[int](b, checked)
		b.press(key)
		return eval[int](b, checked) != before
	case "reasons":
		b.press("1")
		return eval[bool](b, `Boolean(document.querySelector("[data-decide] [name=reason]")?.value)`)
	case "Enter":
		key = kb.Enter
	}
	// A menu that is read first clicks later.
	const clicks = `(async () => { const menu = document.activeElement.querySelector?.("[data-menu]");
		for (let i = 0; menu && i < 10 && window.clicked.length === 0; i++)
			await new Promise((done) => setTimeout(done, 15));
		return window.clicked.length > 0 })()`
	for n := -1; n < rows; n++ {
		if !eval[bool](b, focusRow+"("+strconv.Itoa(n)+")") && n >= 0 {
			return false
		}
		b.press(key)
		if eval[bool](b, clicks) {
			return true
		}
	}
	return false
}
