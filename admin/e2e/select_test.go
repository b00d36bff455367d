package e2e

import (
	"testing"

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
	want(4, "x?")
	b.wantText("#keys", "select up to here")
}
