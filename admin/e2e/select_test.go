package e2e

import (
	"testing"

	"github.com/chromedp/chromedp"

	"treewarden/policy"
)

// TestSelect selects messages by keys: x selects one, Shift and x all up to another one.
// The button says how many, and leads to a preview of these.
func TestSelect(t *testing.T) {
	w := demonstration(t)
	b := signedIn(t, w, policy.Moderator)
	b.visit("/messages")
	const chosen = `document.querySelectorAll("[name=id]:checked").length`
	want := func(n int, press string) {
		t.Helper()
		b.press(press)
		if got := eval[int](b, chosen); got != n {
			t.Errorf("after %q %d messages are selected, want %d", press, got, n)
		}
	}
	const button = "#bulk [value=selected]"
	b.see(button + ":disabled")
	want(1, "jx")
	want(4, "jjjX")
	b.wantText(button, "Selected messages… (4)")
	want(3, "kx")
	want(4, "x")

	// Shift and j select row after row, Shift and k go back over them.
	b.visit("/messages")
	want(2, "jJ")
	want(4, "JJ")
	want(4, "K")

	// Shift and a click select all up to it.
	b.visit("/messages")
	b.click(b.row(2) + " [name=id]")
	b.shiftClick(b.row(5) + " [name=id]")
	want(4, "?")
	b.wantText("#keys", "select up to here")
}

// shiftClick clicks on an element while Shift is pressed.
func (b *tab) shiftClick(selector string) {
	b.t.Helper()
	at := eval[[]float64](b, `(() => { const box = document.querySelector(`+quote(selector)+`).getBoundingClientRect();
		return [box.x + box.width / 2, box.y + box.height / 2] })()`)
	run(b, "Shift and click "+selector,
		chromedp.MouseClickXY(at[0], at[1], chromedp.ButtonModifiers(chromedp.ModifierShift)))
}
