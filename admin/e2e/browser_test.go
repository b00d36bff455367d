package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// patience is the time limit of one step in the browser. It only ends a step
// that hangs, also on a busy machine.
const patience = 90 * time.Second

// The two sizes of the window in the tests.
const (
	wide   = 1440
	narrow = 390
)

// chromium returns the path of the browser. It skips or fails the test if there
// is none.
func chromium(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("TREEWARDEN_CHROMIUM"); path != "" {
		return path
	}
	// The shell without a window takes the least of the processor's time.
	for _, name := range []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome",
		"google-chrome-stable",
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
		"/Applications/Chromium.app/Contents/MacOS/Chromium"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const why = "no Chromium was found: the console was NOT tested in a browser; install it, or name its program in " +
		"TREEWARDEN_CHROMIUM"
	if os.Getenv("TREEWARDEN_REQUIRE_BROWSER") == "1" || os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
	return ""
}

// browser is one Chromium for all tests. The first test starts it.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := chromium(t)
	theBrowser.Do(func() {
		options := append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.ExecPath(path),
			chromedp.Flag("lang", "en-US"),
			// A request to any other host fails, and a test notices it.
			chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		)
		if os.Geteuid() == 0 {
			options = append(options, chromedp.NoSandbox) // root cannot have a sandbox
		}
		allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, stop := chromedp.NewContext(allocator)
		l := &lasting{TB: t}
		l.Cleanup(stopAllocator)
		l.Cleanup(stop)
		outliving = append(outliving, l)
		if err := chromedp.Do(ctx); err != nil {
			t.Fatalf("start %s: %v", path, err)
		}
		theBrowser.ctx = ctx
	})
	if theBrowser.ctx == nil {
		t.Fatal("Chromium did not start, see the first test that needed it")
	}
	return theBrowser.ctx
}

var theBrowser struct {
	sync.Once
	ctx context.Context // chromedp holds a browser in it
}

// tab is a browser window with cookies of its own. At its end, it fails the
// test if there was an error in it; see watch.
type tab struct {
	*watch
	t    *testing.T
	ctx  context.Context // chromedp holds a tab in it
	base string
}

// pictures counts the pictures of failures.
var pictures int

// openTab opens an empty tab on a world, 1440 pixels wide.
func openTab(t *testing.T, w *world) *tab {
	t.Helper()
	b := &tab{t: t, base: w.base, watch: &watch{base: w.base}}
	ctx, stop := chromedp.NewContext(browser(t), chromedp.WithNewBrowserContext(), chromedp.WithListener(b.watch.see))
	b.ctx = ctx
	b.watch.dismiss = func() { dismissDialog(ctx) }
	t.Cleanup(func() {
		b.watch.report(t)
		if t.Failed() {
			b.keepPicture()
		}
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	b.size(wide)
	return b
}

// signedIn opens a tab in which the account of a role is signed in.
func signedIn(t *testing.T, w *world, role string) *tab {
	t.Helper()
	b := openTab(t, w)
	b.visit(w.signInPath(t, role))
	return b
}

// run runs one action in a tab and returns its result.
func run[T any](b *tab, what string, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatalf("%s, at %s: %v", what, b.at(), err)
	}
	return value
}

// at returns the address of the tab, for messages.
func (b *tab) at() string {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	where, err := chromedp.Run(ctx, chromedp.Location())
	if err != nil {
		return "an unknown page"
	}
	return strings.TrimPrefix(where, b.base)
}

// visit opens a path and returns the status of the answer.
func (b *tab) visit(path string) int64 {
	b.t.Helper()
	status := run(b, "open "+path, chromedp.NavigateResponse(b.base+path)).Status
	b.loaded()
	return status
}

// loaded waits until the page is complete. The event for the end of a
// navigation may belong to the page before, when no part of the new page is
// parsed yet.
func (b *tab) loaded() {
	b.t.Helper()
	b.until("the whole page", `document.readyState === "complete" && document.body`)
}

// eval evaluates JavaScript. It waits for a promise.
func eval[T any](b *tab, script string) T {
	b.t.Helper()
	return run(b, "evaluate "+script[:min(len(script), 60)], chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// size sets the width of the window. It does not emulate a phone: a phone
// shrinks a page that is too wide, so that the test could not notice it.
func (b *tab) size(width int64) {
	b.t.Helper()
	height := int64(900)
	if width == narrow {
		height = 844
	}
	run(b, "set the size", chromedp.EmulateViewport(width, height))
}

// theme makes the system's theme light or dark.
func (b *tab) theme(name string) {
	b.t.Helper()
	b.emulate("prefers-color-scheme", name)
}

func (b *tab) emulate(feature, value string) {
	b.t.Helper()
	run(b, "emulate "+feature, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia,
			emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
				{Name: feature, Value: value}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		return err
	}))
}

// withoutScripts turns JavaScript off.
func (b *tab) withoutScripts() {
	b.t.Helper()
	run(b, "turn scripts off", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled,
			emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
}

// picture takes a picture of the window, or of the whole page.
func (b *tab) picture(whole bool) []byte {
	b.t.Helper()
	if whole {
		return run(b, "take a picture", chromedp.FullScreenshot(100))
	}
	return run(b, "take a picture", chromedp.CaptureScreenshot())
}

// keepPicture stores a picture of a test that failed.
func (b *tab) keepPicture() {
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return
	}
	pictures++
	path := filepath.Join(os.TempDir(), fmt.Sprintf("treewarden-%s-%d.png", strings.ReplaceAll(b.t.Name(), "/", "-"),
		pictures))
	if os.WriteFile(path, png, 0o600) == nil {
		b.t.Logf("what the browser showed, at %s: %s", b.at(), path)
	}
}
