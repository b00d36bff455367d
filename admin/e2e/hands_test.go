package e2e

import (
	"context"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

// The actions and checks of a person in a tab.

// click presses the mouse on the first element that a CSS selector, or an XPath
// that begins with //, finds. It waits until the element is visible.
func (b *tab) click(selector string) {
	b.t.Helper()
	if strings.HasPrefix(selector, "//") {
		run(b, "click on "+selector, chromedp.Click(selector))
		return
	}
	run(b, "click on "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// follow clicks on a link to another page, waits for the page, and returns the
// status of the answer.
func (b *tab) follow(selector string) int64 {
	b.t.Helper()
	click := chromedp.Click(chromedp.CSS(selector))
	if strings.HasPrefix(selector, "//") {
		click = chromedp.Click(selector)
	}
	return b.leave("follow "+selector, click)
}

// pressFollow presses a key that leads to another page.
func (b *tab) pressFollow(keys string) int64 {
	b.t.Helper()
	return b.leave("press "+keys, chromedp.KeyEvent(keys))
}

func (b *tab) leave(what string, step chromedp.Action[chromedp.Void]) int64 {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	answer, err := chromedp.RunResponse(ctx, step)
	if err != nil {
		b.t.Fatalf("%s, at %s: %v", what, b.at(), err)
	}
	b.loaded()
	return answer.Status
}

// press presses keys one after the other.
func (b *tab) press(keys string) {
	b.t.Helper()
	run(b, "press "+keys, chromedp.KeyEvent(keys))
}

// fill types into a field.
func (b *tab) fill(selector, text string) {
	b.t.Helper()
	run(b, "type into "+selector, chromedp.SendKeys(chromedp.CSS(selector), text))
}

// choose selects an option of a list.
func (b *tab) choose(selector, value string) {
	b.t.Helper()
	run(b, "choose in "+selector, chromedp.SetValue(chromedp.CSS(selector), value))
	eval[bool](b, "document.querySelector("+quote(selector)+").dispatchEvent(new Event('change', { bubbles: true }))")
}

// see waits until an element is visible, and returns its text.
func (b *tab) see(selector string) string {
	b.t.Helper()
	run(b, "wait for "+selector, chromedp.WaitVisible(chromedp.CSS(selector)))
	return b.text(selector)
}

// gone waits until an element does not exist.
func (b *tab) gone(selector string) {
	b.t.Helper()
	run(b, "wait until gone: "+selector, chromedp.WaitNotPresent(chromedp.CSS(selector)))
}

// text returns an element's text with single spaces.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return strings.Join(strings.Fields(run(b, "read "+selector, chromedp.Text(chromedp.CSS(selector)))), " ")
}

// attribute returns an attribute of the first element that a selector finds.
func (b *tab) attribute(selector, name string) string {
	b.t.Helper()
	return run(b, "read "+selector, chromedp.AttributeValue(chromedp.CSS(selector), name)).Value
}

// count counts elements.
func (b *tab) count(selector string) int {
	b.t.Helper()
	return run(b, "count "+selector, chromedp.Evaluate[int]("document.querySelectorAll("+quote(selector)+").length"))
}

// until waits for a condition in the page. A navigation may be in progress.
func (b *tab) until(what, condition string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	for {
		holds, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+condition+")"))
		switch {
		case err == nil && holds:
			return
		case ctx.Err() != nil:
			b.t.Fatalf("waited in vain at %s: %s", b.at(), what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// wantText waits for a visible element that contains a text.
func (b *tab) wantText(selector, part string) {
	b.t.Helper()
	b.until(selector+" with "+part, "[...document.querySelectorAll("+quote(selector)+
		")].some(el => el.checkVisibility() && "+
		"el.innerText.replace(/\\s+/g, ' ').toLowerCase().includes("+quote(strings.ToLower(part))+"))")
}

// wantStatus fails the test unless an answer had a status.
func (b *tab) wantStatus(got, want int64) {
	b.t.Helper()
	if got != want {
		b.t.Fatalf("%s answered %d, want %d", b.at(), got, want)
	}
}
