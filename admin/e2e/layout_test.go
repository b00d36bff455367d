package e2e

import (
	"strings"
	"testing"

	"treewarden/policy"
	"treewarden/store/storetest"
)

// TestLayout checks the rules of layout that accessibility does not need.
func TestLayout(t *testing.T) {
	w := newLiveWorld(t)
	b := signedIn(t, w.world, policy.Admin)
	for _, width := range []int64{wide, narrow} {
		b.size(width)
		b.visit("/settings/scoring?try=1&weights[red_flags]=5")
		b.loaded()
		b.until("the navigation shows where one is", `(() => {
			const nav = document.querySelector(".nav").getBoundingClientRect(),
				here = document.querySelector(".nav [aria-current]").getBoundingClientRect();
			return here.left >= nav.left && here.right <= nav.right + 1;
		})()`)
		for what, wrong := range map[string]string{
			"the frame of the figures is wider than they are": `document.querySelector(".quality").parentElement.clientWidth -
				document.querySelector(".quality").offsetWidth > 1`,
			"an interval is broken over lines": `[...document.querySelectorAll(".quality .hint.nowrap")].some(hint =>
				hint.getClientRects()[0].height > 1.7 * parseFloat(getComputedStyle(hint).fontSize))`,
		} {
			if eval[bool](b, wrong) {
				t.Errorf("%d px: %s", width, what)
			}
		}
		b.wantFits()
	}
	// The longest name leaves the button in its place.
	long := storetest.User(t, w.store, strings.Repeat("W", 256))
	b.size(wide)
	b.visit("/users/" + long.String())
	if eval[bool](b, `document.querySelector(".page-head a[href*='/ban']").getBoundingClientRect().top >
		document.querySelector(".page-head h1").getBoundingClientRect().bottom`) {
		t.Error("a long name pushes the button below itself")
	}
}
