package e2e

import (
	"context"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"treewarden/policy"
)

// mostOfAPage is the maximum size of the first paint of the board over the
// wire, in bytes: the page, its styles, scripts and icon.
const mostOfAPage = 100_000

func TestFirstPaintIsLight(t *testing.T) {
	w := demonstration(t)
	b := signedIn(t, w, policy.Moderator)
	run(b, "forget what was loaded", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
		return err
	}))
	b.weigh()
	b.visit("/trollboard?frame=total")
	b.until("the styles are there", "document.styleSheets.length > 0 && document.readyState === 'complete'")
	parts, bytes := b.weigh()
	t.Logf("the board took %d bytes in %d answers", bytes, parts)
	if bytes > mostOfAPage || parts < 3 {
		t.Errorf("the first paint of the board took %d bytes in %d answers, want at most %d bytes", bytes, parts, mostOfAPage)
	}
}

// TestRowsAreLight bounds pages of many rows. /messages had 4,575 elements and
// 344,085 bytes when each row held its menu.
func TestRowsAreLight(t *testing.T) {
	w := demonstration(t)
	b := signedIn(t, w, policy.Moderator)
	user := w.one(t, `SELECT user_id::text FROM messages WHERE user_id IS NOT NULL GROUP BY 1
		ORDER BY count(*) DESC, 1 LIMIT 1`)
	tree := w.one(t, "SELECT tree_id::text FROM messages GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1")
	for path, most := range map[string]struct{ elements, bytes int }{
		"/messages?limit=50": {1650, 344_085 * 2 / 5}, // badges of other tests count too
		"/trees?limit=50":    {1050, 80_000},          // before: 1,393
		"/users/" + user:     {2402 / 3, 65_000},      // before: 2,402 and 169,420
		"/trees/" + tree:     {600, 45_000},           // before: 1,599 and 118,235
	} {
		b.visit(path)
		elements, bytes := b.count("*"), eval[int](b, "new Blob([document.documentElement.outerHTML]).size")
		t.Logf("%s: %d elements, %d bytes, %d rows", path, elements, bytes, b.count("[data-row]"))
		if elements > most.elements || bytes > most.bytes || b.count("[data-row]") == 0 {
			t.Errorf("%s has %d elements and %d bytes, want at most %d and %d", path, elements, bytes, most.elements, most.bytes)
		}
	}
}
