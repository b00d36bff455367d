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
