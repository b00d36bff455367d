package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"treewarden/policy"
)

// TestFiguresOpenTheirMessages clicks on figures in charts and tables, and opens the same
// messages by the keyboard.
func TestFiguresOpenTheirMessages(t *testing.T) {
	w := demonstration(t)
	b := signedIn(t, w, policy.Moderator)
	for _, width := range []int64{wide, narrow} {
		b.size(width)
		for _, c := range []struct{ path, link string }{
			{"/insights/raters", "[aria-labelledby=labels-title] svg.chart-plot a:nth-of-type(2)"},
			{"/insights/raters", "[aria-labelledby=languages-title] tbody td a"},
			{"/insights/correlations", "svg.heat a:nth-of-type(2)"},
			{"/insights/contributors", ".curve svg a:nth-of-type(2)"},
			{"/insights/contributors", ".curve svg a:last-of-type"},
			{"/insights/contributors", "[aria-labelledby=top-title] tbody td a"},
		} {
			b.visit(c.path)
			want := eval[string](b, fmt.Sprintf("document.querySelector(%q).getAttribute('href')", c.link))
			if name := eval[string](b, fmt.Sprintf(`(a => a.querySelector('title') ?
				a.querySelector('title').textContent : a.title)(document.querySelector(%q))`, c.link)); name == "" {
				t.Errorf("%s: %s has no name", c.path, c.link)
			}
			opened := func() {
				t.Helper()
				b.wantText("h1", "Messages")
				b.see("table.messages tbody tr")
				if at := b.at(); !strings.HasSuffix(at, want) {
					t.Errorf("%s opens %s, want %s", c.link, at, want)
				}
			}
			b.wantStatus(b.follow(c.link), 200)
			opened()
			b.visit(c.path)
			if !eval[bool](b, fmt.Sprintf(`(a => {a.focus(); return document.activeElement === a})(
				document.querySelector(%q))`, c.link)) {
				t.Fatalf("%s: %s takes no focus", c.path, c.link)
			}
			b.wantStatus(b.pressFollow(kb.Enter), 200)
			opened()
		}
	}
}
