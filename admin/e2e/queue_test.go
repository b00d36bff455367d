package e2e

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/storetest"
)

// queueWorld is a console with cases, each of another author.
type queueWorld struct {
	*world
	t     *testing.T
	rater uuid.UUID
}

func newQueueWorld(t *testing.T, authors int) *queueWorld {
	t.Helper()
	w := &queueWorld{newWorld(t), t, uuid.Nil}
	w.rater = storetest.User(t, w.store, "Rater")
	for i := range authors {
		w.report(storetest.User(t, w.store, fmt.Sprintf("Author %d", i)), 1)
	}
	return w
}

// report makes cases of an author.
func (w *queueWorld) report(author uuid.UUID, n int) {
	w.t.Helper()
	for i := range n {
		message := storetest.Tree(w.t, w.store, storetest.Node{Author: author, Text: fmt.Sprintf("Buy pills %d", i)})[0]
		storetest.Report(w.t, w.store, message, w.rater, "spam", time.Now())
	}
}

// open returns the open cases by id, as a role sees them.
func (w *queueWorld) open(role string) map[int64]store.Case {
	w.t.Helper()
	list, err := w.store.Queue(w.t.Context(), w.staff[role], store.QueueFilter{})
	if err != nil {
		w.t.Fatal(err)
	}
	found := map[int64]store.Case{}
	for _, c := range list.Items {
		found[c.ID] = c
	}
	return found
}

// wantOpen waits until a number of cases is open.
func (w *queueWorld) wantOpen(n int) {
	w.t.Helper()
	w.wait(fmt.Sprint(n, " open cases"), func() bool { return len(w.open(policy.Admin)) == n })
}

// wantHeld waits until somebody holds a case, or with an empty name nobody.
func (w *queueWorld) wantHeld(id int64, name string) {
	w.t.Helper()
	w.wait(fmt.Sprintf("case %d held by %q", id, name), func() bool {
		c, open := w.open(policy.Admin)[id]
		return open && (c.ClaimedName == nil && name == "" || c.ClaimedName != nil && *c.ClaimedName == name)
	})
}

func (w *queueWorld) wait(what string, holds func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	for !holds() {
		if ctx.Err() != nil {
			w.t.Fatal("waited in vain for ", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

const mine = "[data-case][data-mine]"

// openCase waits until the tab holds an open case other than one, and returns its id.
func (b *tab) openCase(other int64) int64 {
	b.t.Helper()
	b.until("another case than "+fmt.Sprint(other), fmt.Sprintf(
		`document.querySelector("%s") && document.querySelector("%s").dataset.case !== "%d"`, mine, mine, other))
	return eval[int64](b, `Number(document.querySelector("[data-case]").dataset.case)`)
}

// openQueue opens the first case of a queue by keys, as a moderator, and returns its id.
func openQueue(t *testing.T, cases int) (w *queueWorld, b *tab, at int64) {
	t.Helper()
	w = newQueueWorld(t, cases)
	b = signedIn(t, w.world, policy.Moderator)
	b.visit("/queue")
	b.press("jk\r")
	return w, b, b.openCase(0)
}

// TestAnEarlierDecisionIsAnsweredLast decides two cases, and the server answers the second
// decision before the first: the open case shows the counts after both.
func TestAnEarlierDecisionIsAnsweredLast(t *testing.T) {
	w, b, first := openQueue(t, 4)
	// The first decision is kept back until sendKept.
	eval[bool](b, `(() => { const send = window.fetch;
		window.fetch = (address, options) => options?.body?.has?.("outcome") && !window.sendKept
			? new Promise(done => { window.sendKept = () => done(send(address, options)) }) : send(address, options);
		return true })()`)
	b.press("n1\r")
	second := b.openCase(first)
	b.press("s1\r")
	b.openCase(second)
	w.wantOpen(3)
	b.wantText(".case-side", "1 of 1 upheld")
	eval[bool](b, "window.sendKept() || true")
	w.wantOpen(2)
	b.wantText(".case-side", "1 of 2 upheld")
}

// TestTheNoticeOfAnUndoComesLate takes a decision back and decides again, and the list with
// the notice of the undo comes last: the notice of the decision stays.
func TestTheNoticeOfAnUndoComesLate(t *testing.T) {
	w, b, at := openQueue(t, 4)
	b.press("n1\r")
	following := b.openCase(at)
	decided := `document.querySelector(".toast[data-undoes=\"` + fmt.Sprint(at) + `\"]") !== null`
	b.until("the notice of the decision", decided)
	// The list with the notice of the undo is kept back until sendKept, which waits until it was read.
	eval[bool](b, `(() => { const send = window.fetch;
		window.fetch = (address, options) => /[?&]done=/.test(address) && !window.sendKept
			? new Promise(done => { window.sendKept = async () => {
				const answer = await send(address, options), copy = answer.clone();
				done(answer);
				await copy.text();
				await new Promise(later => setTimeout(later, 500));
				return true;
			} }) : send(address, options);
		return true })()`)
	b.press("u")
	b.openCase(following)
	w.wantHeld(at, policy.Moderator)
	b.until("the list after the undo is asked for", "window.sendKept !== undefined")
	b.press("s1\r")
	b.until("the notice of the second decision", decided)
	eval[bool](b, "window.sendKept()")
	if !eval[bool](b, decided) {
		t.Errorf("the notice of the undo took the place of the decision's: %q", b.text(".toast"))
	}
}

// TestTheQueueByKeys works ten cases by keys alone: for each the outcome, the reason
// and Enter, without a page load. The key u brings the last one back.
func TestTheQueueByKeys(t *testing.T) {
	w := newQueueWorld(t, 12)
	b := signedIn(t, w.world, policy.Moderator)
	b.visit("/queue")
	eval[bool](b, "window.sameDocument = true")
	b.press("jk\r")
	at := b.openCase(0)
	decided := map[int64]bool{}
	for i := range 10 {
		b.press([]string{"n", "s"}[i%2] + "1\r")
		decided[at] = true
		at = b.openCase(at)
		if decided[at] || b.at() != fmt.Sprintf("/queue/%d", at) {
			t.Fatalf("after %d decisions case %d is open at %s", len(decided), at, b.at())
		}
	}
	w.wantOpen(2)
	b.until("one line of each open case", `document.querySelectorAll(".queue-line").length === 2`)
	b.wantSame()
	b.wantText(".case-side", "5 of 10 upheld") // as after the last decision
	if !eval[bool](b, `document.querySelector(".queue-line.open").id === "case-`+fmt.Sprint(at)+`"`) {
		t.Error("the list does not mark the open case")
	}
	b.wantText(".toast", "Undo")
	b.press("u")
	back := b.openCase(at)
	if !decided[back] {
		t.Errorf("the undo opened case %d", back)
	}
	w.wantOpen(3)
	w.wantHeld(back, policy.Moderator)
	w.wantHeld(at, "")
	b.wantSame()

	// Skipped cases come no more, to the end of the queue.
	b.press("i")
	at = b.openCase(back)
	b.press("n1\r")
	b.openCase(at)
	b.press("i")
	b.see("[data-case-holder] .queue-none")
	if path := b.at(); path != "/queue" {
		t.Errorf("at the end of the queue the address is %s", path)
	}
	w.wantOpen(2)
	b.press("?")
	if sheet := b.see("#keys"); strings.Contains(sheet, "Not spam") || !strings.Contains(sheet, "Open the next case") {
		t.Errorf("the sheet of keys says %q", sheet)
	}
}

// TestTheNextCaseIsThereAtOnce decides while the network stands still: the next case
// is there without it. Then the network fails, and the decided case comes back as it
// was left. So it does when the server refuses the decision.
func TestTheNextCaseIsThereAtOnce(t *testing.T) {
	w := newQueueWorld(t, 4)
	b := signedIn(t, w.world, policy.Moderator)
	b.visit("/queue")
	b.press("c")
	first := b.openCase(0)
	b.until("the next case is read", `performance.getEntriesByType("resource").some(r =>
		r.name.includes("/queue/next?not=`+fmt.Sprint(first)+`") && r.responseStatus === 200)`)
	eval[bool](b, `(() => { const real = window.fetch; window.lost = [];
		window.fetch = () => new Promise((_, fail) => window.lost.push(() => fail(new TypeError("no network"))));
		window.mend = () => { window.fetch = real; window.lost.forEach(lose => lose()) }; return true })()`)
	b.fill("#case-reason", "typed by hand")
	b.press("\r") // without an outcome it decides nothing
	if got := eval[int](b, "window.lost.length"); got != 0 {
		t.Errorf("%d requests without an outcome", got)
	}
	b.press("\x1b")
	eval[bool](b, "document.activeElement.blur() || true")
	b.press("n")
	b.press("\r")
	shown := fmt.Sprintf(`document.querySelector("[data-case]")?.dataset.case !== "%d"`, first)
	b.until("the next case without the network", shown)
	b.until("its form", `document.querySelector("[data-case] [data-decide]")`)
	eval[bool](b, "window.mend() || true")
	w.comesBack(b, first, "does not answer")
	w.wantOpen(4)

	// Somebody else decides it meanwhile: the case says so, and the server refuses.
	b.expect(409)
	w.wantHeld(first, policy.Moderator)
	if err := w.store.Release(t.Context(), w.staff[policy.Moderator], first); err != nil {
		t.Fatal(err)
	}
	c := w.open(policy.Admin)[first]
	w.act(t, policy.Admin, store.Act{Kind: "resolve", Target: c.MessageID, Reason: "faster",
		Params: store.ResolveParams{Case: first, Outcome: "dismiss"}})
	b.wantText("[data-refused]", "decided already, by admin")
	eval[bool](b, "document.querySelector('[data-refused]').remove() || true")
	b.press("\r")
	w.comesBack(b, first, "decided already, by admin")
	w.wantOpen(3)
}

// comesBack waits until a refused case is shown with what was typed and why.
func (w *queueWorld) comesBack(b *tab, id int64, why string) {
	w.t.Helper()
	b.wantText("[data-refused]", why)
	if got := eval[string](b, `document.querySelector("[data-case]").dataset.case + " " +
		document.querySelector("#case-reason").value + " " + document.querySelector("[name=outcome]:checked").value + " " +
		location.pathname`); got != fmt.Sprintf("%d typed by hand dismiss /queue/%d", id, id) {
		w.t.Errorf("the refused case comes back as %q", got)
	}
}

// TestWhoHoldsACase opens a case in one browser and looks at the list in another.
// Leaving the page releases the case.
func TestWhoHoldsACase(t *testing.T) {
	w := newQueueWorld(t, 2)
	b, other := signedIn(t, w.world, policy.Moderator), signedIn(t, w.world, policy.Admin)
	other.visit("/queue")
	eval[bool](other, "window.sameDocument = true")
	b.visit("/queue")
	b.press("c")
	id := b.openCase(0)
	line := fmt.Sprintf("#case-%d", id)
	other.wantText(line+" .holder", policy.Moderator)
	other.click(line + " [data-open]")
	other.wantText(".case-head .holder", "moderator works on this case")
	if other.count("[data-decide]") != 0 {
		t.Error("a case that somebody else holds can be decided")
	}
	other.press("c")
	second := other.openCase(id)
	b.wantText(fmt.Sprintf("#case-%d .holder", second), policy.Admin)
	b.visit("/users")
	w.wantHeld(id, "")
	other.until("nobody holds the first", `!document.querySelector("`+line+` .holder")`)

	// Under the pointer no line moves.
	other.point(fmt.Sprintf("#case-%d", second))
	w.act(t, policy.Moderator, store.Act{Kind: "resolve", Target: w.open(policy.Admin)[id].MessageID, Reason: "spam",
		Params: store.ResolveParams{Case: id, Outcome: "dismiss"}})
	other.see(line + ".gone")
	other.point("")
	other.gone(line)
	other.wantSame()

	// Back and forth in the history.
	w.report(storetest.User(t, w.store, "Late"), 2)
	other.until("a new line", `document.querySelectorAll(".queue-line").length === 2`)
	other.press("c")
	third := other.openCase(second)
	w.wantHeld(second, "")
	eval[bool](other, "history.back() || true")
	if back := other.openCase(third); back != second {
		t.Errorf("the way back leads to case %d, want %d", back, second)
	}
	w.wantHeld(third, "")
	eval[bool](other, "history.forward() || true")
	other.openCase(second)
	w.wantHeld(second, "")

	// The same for all: the author's other case goes with it.
	other.click("[data-decide] [name=cases]")
	other.until("no focus in the form", "document.activeElement.blur() || true")
	other.press("n2\r")
	if left := other.openCase(third); left != second {
		t.Errorf("case %d is open, want %d", left, second)
	}
	w.wantOpen(1)
	other.wantSame()
}

// TestTheQueueIsLive has two people at the queue. The list of one shows what the other
// does by the stream alone, and the open case says what became of it.
func TestTheQueueIsLive(t *testing.T) {
	w := newQueueWorld(t, 3)
	a, b := signedIn(t, w.world, policy.Moderator), signedIn(t, w.world, policy.Admin)
	b.visit("/queue")
	eval[bool](b, "window.sameDocument = true")
	w.wantStreams(t, "queue", 1)
	a.visit("/queue")
	a.press("c")
	id := a.openCase(0)
	line := fmt.Sprintf("#case-%d", id)
	b.wantText(line+" .holder", policy.Moderator)
	w.report(storetest.User(t, w.store, "Late"), 1)
	b.until("the line of a new case", `document.querySelectorAll(".queue-line").length === 4`)
	if n := eval[int](b, `performance.getEntriesByType("resource").
		filter(r => new URL(r.name).pathname === "/queue").length`); n != 0 {
		t.Errorf("the page read the list %d times beside the stream", n)
	}

	// A case that somebody else held can be worked on once it is free.
	b.click(line + " [data-open]")
	b.wantText(".case-head .holder", "moderator works on this case")
	a.click("form[data-release] button")
	b.wantText(".case-head", "Work on this case")
	if b.count("[data-case] .holder") != 0 || b.count("[data-decide]") != 1 {
		t.Error("the case is free, but shows a holder or no form")
	}
	b.click("form[data-claim] button")
	b.openCase(0)
	a.wantText(line+" .holder", policy.Admin)

	// Somebody else decides the open case, here after its claim has ended.
	w.wantHeld(id, policy.Admin)
	b.fill("#case-reason", "half a reason")
	b.expect(409)
	message := w.open(policy.Admin)[id].MessageID
	if err := w.store.Release(t.Context(), w.staff[policy.Admin], id); err != nil {
		t.Fatal(err)
	}
	w.act(t, policy.Moderator, store.Act{Kind: "resolve", Target: message, Reason: "faster",
		Params: store.ResolveParams{Case: id, Outcome: "dismiss"}})
	b.wantText("[data-refused]", "decided already, by moderator")
	b.gone(line)
	if got := eval[string](b, `document.querySelector("#case-reason").value`); got != "half a reason" {
		t.Errorf("what was typed became %q", got)
	}

	// A hidden tab has no stream. When it is seen again, it shows what it missed.
	b.turn("hidden")
	w.wantStreams(t, "queue", 1)
	a.press("c")
	second := a.openCase(id)
	b.turn("visible")
	b.wantText(fmt.Sprintf("#case-%d .holder", second), policy.Moderator)
	b.wantSame()
}

// beforeScripts has the tab run a script before those of each page.
func (b *tab) beforeScripts(script string) {
	b.t.Helper()
	run(b, "prepare the pages", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, page.AddScriptToEvaluateOnNewDocument,
			page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
		return err
	}))
}

// TestTheQueueWithoutAStream has a browser that knows no streams, and one whose first
// two streams fail. Without a stream the list is read now and then, and a stream that
// failed is opened again.
func TestTheQueueWithoutAStream(t *testing.T) {
	w := newQueueWorld(t, 2)
	none, lost := signedIn(t, w.world, policy.Admin), signedIn(t, w.world, policy.Admin)
	none.beforeScripts(`delete window.EventSource; const real = window.setInterval;
		window.setInterval = (fn, pause) => real(fn, Math.min(pause, 200))`)
	lost.beforeScripts(`window.setInterval = () => {}; const Real = window.EventSource; window.tries = 0;
		window.EventSource = function (address) {
			if (++window.tries > 2) return new Real(address);
			const failing = { addEventListener() {}, close() {} };
			setTimeout(() => failing.onerror());
			return failing;
		}`)
	id := slices.Min(slices.Collect(maps.Keys(w.open(policy.Admin))))
	for _, b := range []*tab{none, lost} {
		b.visit("/queue")
		eval[bool](b, "window.sameDocument = true")
	}
	if _, err := w.store.Claim(t.Context(), w.staff[policy.Moderator], id); err != nil {
		t.Fatal(err)
	}
	for _, b := range []*tab{none, lost} {
		b.wantText(fmt.Sprintf("#case-%d .holder", id), policy.Moderator)
		b.wantSame()
	}
	w.wantStreams(t, "queue", 1)
	if tries := eval[int](lost, "window.tries"); tries != 3 {
		t.Errorf("after two failures the stream was opened %d times", tries)
	}
}

// decidedCase returns the address of a decided case of the demonstration.
func (w *world) decidedCase(t *testing.T) string {
	t.Helper()
	list, err := w.store.Queue(t.Context(), w.staff[policy.Moderator], store.QueueFilter{Assigned: "none"})
	if err != nil {
		t.Fatal(err)
	}
	last := list.Items[len(list.Items)-1]
	w.act(t, policy.Moderator, store.Act{Kind: "resolve", Target: last.MessageID, Reason: "Nothing wrong",
		Params: store.ResolveParams{Case: last.ID, Outcome: "dismiss"}})
	return fmt.Sprint("/queue/", last.ID)
}

// heldCase returns the address of a case that somebody with a long name holds.
func (w *world) heldCase(t *testing.T) string {
	t.Helper()
	list, err := w.store.Queue(t.Context(), w.staff[policy.Moderator], store.QueueFilter{Assigned: "none", Sort: "oldest"})
	if err != nil {
		t.Fatal(err)
	}
	w.colleague(t)
	holder := w.staff[policy.Moderator]
	holder.UserID = uuid.MustParse(w.idOf(t, strings.Repeat("Moderatorin", 9)))
	if _, err := w.store.Claim(t.Context(), holder, list.Items[0].ID); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint("/queue/", list.Items[0].ID)
}

// TestTheQueueWithoutScripts decides two cases by forms.
func TestTheQueueWithoutScripts(t *testing.T) {
	w := newQueueWorld(t, 2)
	b := openTab(t, w.world)
	b.withoutScripts()
	b.visit(w.signInPath(t, policy.Moderator))
	b.visit("/queue")
	b.wantStatus(b.follow("form[data-next] button"), 200)
	for range 2 {
		b.see(mine)
		b.click(".outcome:first-of-type input")
		b.fill("#case-reason", "nothing wrong")
		b.wantStatus(b.follow(".case-confirm"), 200)
		b.see(".toast")
	}
	b.see(".queue-list .empty")
	w.wantOpen(0)
	b.wantStatus(b.follow(".toast form button"), 200)
	w.wantOpen(1)
}

// TestTheBreakReminder works on a case until the reminder of a break shows, without a page
// load, and dismisses it in the middle of a decision. Without scripts a form does that.
func TestTheBreakReminder(t *testing.T) {
	w := newQueueWorld(t, 2)
	remind := func() {
		storetest.Exec(t, w.store, "UPDATE users SET break_after = 45, break_dismissed_at = NULL")
		storetest.Exec(t, w.store, "UPDATE case_views SET opened_at = now() - interval '52 minutes'")
	}
	b := signedIn(t, w.world, policy.Moderator)
	b.size(narrow)
	b.visit("/queue")
	b.press("c")
	id := b.openCase(0)
	b.fill("#case-reason", "half a reas")
	eval[bool](b, "window.sameDocument = true")
	remind()
	b.wantText(".queue-notices", "You have worked in the queue for 52 minutes without a break.")
	for _, width := range []int64{narrow, wide} {
		b.size(width)
		b.wantFits()
		b.runAxe()
	}
	b.size(narrow)
	b.click("form[data-break] button")
	b.gone(".queue-notices .notice")
	b.wantSame()
	if typed := eval[string](b, `document.querySelector("#case-reason").value`); typed != "half a reas" {
		t.Errorf("the reason is %q after the reminder was dismissed", typed)
	}
	if focus := eval[string](b, "document.activeElement.id"); focus != "case-title" {
		t.Errorf("the focus is on %q, want the case", focus)
	}
	w.wantHeld(id, policy.Moderator)

	b = openTab(t, w.world)
	b.withoutScripts()
	b.visit(w.signInPath(t, policy.Moderator))
	b.visit(fmt.Sprint("/queue/", id))
	b.gone(".queue-notices .notice")
	remind()
	b.visit(fmt.Sprint("/queue/", id))
	b.see(".queue-notices .notice")
	b.wantStatus(b.follow("form[data-break] button"), 200)
	b.gone(".queue-notices .notice")
	if at := b.at(); at != fmt.Sprint("/queue/", id) {
		t.Errorf("the button leads to %s", at)
	}
}

// TestTheQueueLooks looks at the queue in its states, in all sizes and both themes.
func TestTheQueueLooks(t *testing.T) {
	w := demonstration(t)
	b := signedIn(t, w, policy.Moderator)
	b.visit("/queue")
	b.press("c")
	b.openCase(0)
	for name, keys := range map[string]string{"open": "", "ban": "b"} {
		b.press(keys)
		for _, width := range []int64{wide, 1280, narrow} {
			b.size(width)
			b.wantFits()
			b.runAxe()
			for _, theme := range []string{"light", "dark"} {
				b.theme(theme)
				keep(t, os.Getenv("TREEWARDEN_GALLERY"), fmt.Sprintf("queue-%s-%d-%s", name, width, theme), b.picture(false))
			}
		}
		b.size(wide)
	}
}

// TestEveryOutcomeByKeys decides one case by each outcome, and takes each decision back,
// by keys alone.
func TestEveryOutcomeByKeys(t *testing.T) {
	w, b, at := openQueue(t, 6)
	for _, outcome := range []struct{ key, name string }{
		{"n", "dismiss"}, {"d", "delete"}, {"s", "reject"}, {"h", "halt"}, {"b", "ban"},
	} {
		b.press(outcome.key + "1\r")
		following := b.openCase(at)
		w.wait(fmt.Sprintf("case %d decided by %s", at, outcome.name), func() bool {
			c, err := w.store.Case(t.Context(), w.staff[policy.Admin], at, scoring.Total)
			return err == nil && c.Outcome != nil && *c.Outcome == outcome.name
		})
		w.wantOpen(5)
		b.until("the toast of the decision", `document.querySelector(".toast[data-undoes=\"`+fmt.Sprint(at)+`\"]") !== null`)
		b.press("u")
		if back := b.openCase(following); back != at {
			t.Fatalf("the undo of %s opened case %d, want %d", outcome.name, back, at)
		}
		w.wantOpen(6)
		w.wantHeld(at, policy.Moderator)
	}
}
