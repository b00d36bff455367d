package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// liveWorld is a console with three users on its board.
type liveWorld struct {
	*world
	t       *testing.T
	judge   uuid.UUID
	user    map[string]uuid.UUID
	message map[string]uuid.UUID // one by each user
}

func newLiveWorld(t *testing.T) *liveWorld {
	t.Helper()
	w := &liveWorld{newWorld(t), t, uuid.Nil, map[string]uuid.UUID{}, map[string]uuid.UUID{}}
	w.judge = storetest.User(t, w.store, "Judge")
	for _, name := range []string{"Ann", "Bob", "Cid"} {
		w.user[name] = storetest.User(t, w.store, name)
		w.message[name] = storetest.Tree(t, w.store, storetest.Node{Author: w.user[name]})[0]
	}
	w.flag("Ann", 3) // score 9
	w.flag("Bob", 2) // score 6
	return w
}

// flag sends red flags against a user as a front end does, each by another
// person.
func (w *liveWorld) flag(name string, n int) {
	w.t.Helper()
	var lines []string
	for range n {
		judge := storetest.User(w.t, w.store, "Judge")
		lines = append(lines, fmt.Sprintf(
			`{"type": "reaction", "id": %q, "message_id": %q, "user_id": %q, "emoji": "red_flag", "op": "add"}`,
			uuid.NewString(), w.message[name], judge))
	}
	done, err := w.store.Ingest(w.t.Context(), w.staff[policy.Admin], []byte(strings.Join(lines, "\n")))
	if err != nil || done.Accepted != n {
		w.t.Fatalf("ingest: %+v, %v", done, err)
	}
}

// wantScore waits until a user's row shows a score.
func (b *tab) wantScore(w *liveWorld, name, score string) {
	b.t.Helper()
	b.wantText("#u-"+w.user[name].String()+" .total", score)
}

// order returns the names on the board, from the top.
const order = `[...document.querySelectorAll("table.board tr[data-row] .named bdi")]
	.map(name => name.textContent).join(" ")`

// wantOrder waits for an order of the board.
func (b *tab) wantOrder(names string) {
	b.t.Helper()
	b.until("the order "+names, order+" === "+quote(names))
}

// point moves the mouse to the middle of an element, or to a corner of the page
// for "".
func (b *tab) point(selector string) {
	b.t.Helper()
	at := []float64{3, 3}
	if selector != "" {
		at = eval[[]float64](b, `(() => { const box = document.querySelector(`+quote(selector)+`).getBoundingClientRect();
			return [box.x + box.width / 2, box.y + box.height / 2] })()`)
	}
	run(b, "move the mouse", chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at[0], at[1]))
}

// wantLive waits until the page shows a state of its stream.
func (b *tab) wantLive(state string) {
	b.t.Helper()
	b.wantText("[data-live-state]", state)
}

const liveNote = "[data-live-note]"

func TestTheBoardMovesInPlace(t *testing.T) {
	w := newLiveWorld(t)
	b := signedIn(t, w.world, policy.Moderator)
	b.theme("light")
	b.visit("/trollboard?frame=total")
	b.wantLive("Live")
	b.wantOrder("Ann Bob Cid")
	eval[bool](b, "window.sameDocument = true")
	as := b.attribute("[data-as-of] time", "datetime")

	b.point("")
	w.flag("Cid", 1)
	b.wantScore(w, "Cid", "3")
	b.wantOrder("Ann Bob Cid")

	// With the pointer over the table, figures change and rows stay.
	first := "#u-" + w.user["Ann"].String()
	place := "document.querySelector(" + quote(first) + ").getBoundingClientRect().top"
	top := eval[float64](b, place)
	b.point(first)
	w.flag("Bob", 2)
	b.wantScore(w, "Bob", "12")
	b.see(liveNote)
	if got := eval[string](b, order); got != "Ann Bob Cid" || eval[float64](b, place) != top {
		t.Errorf("under the pointer the rows became %s", got)
	}
	if ranks := eval[string](b,
		`[...document.querySelectorAll("[data-rank]")].map(r => r.textContent).join(" ")`); ranks != "2 1 3" {
		t.Errorf("the ranks read %s, want those that hold now", ranks)
	}
	for _, width := range []int64{wide, narrow} {
		b.size(width)
		b.runAxe()
		for _, theme := range []string{"light", "dark"} {
			b.theme(theme)
			keep(t, os.Getenv("TREEWARDEN_GALLERY"), fmt.Sprintf("trollboard-live-%d-%s", width, theme), b.picture(false))
		}
		b.wantFits()
	}
	b.size(wide)
	b.point("")
	b.wantOrder("Bob Ann Cid")
	b.until("the note is gone", "document.querySelector("+quote(liveNote)+").hidden")
	if said := b.text("[data-live-said]"); said != "" {
		t.Errorf("what nobody asked for is said aloud: %q", said)
	}
	if b.attribute("[data-as-of] time", "datetime") == as {
		b.until("the time goes on", "document.querySelector('[data-as-of] time').dateTime !== "+quote(as))
	}

	w.anOpenRowStays(b)
	w.rowsComeAndGo(b)
	w.aHiddenTabIsQuiet(b)
	b.wantSame()
	w.anEmptyBoardFills(b)
	b.withoutScripts()
	b.visit("/trollboard?frame=total")
	if !strings.HasSuffix(b.text(".page-sub"), "As of just now") {
		t.Errorf("without scripts the page says %q", b.text(".page-sub"))
	}
}

func (b *tab) wantSame() {
	b.t.Helper()
	if !eval[bool](b, "window.sameDocument === true") {
		b.t.Error("the page was loaded again")
	}
}

// anOpenRowStays opens the first row, whose opener keeps the focus, and moves
// another user above it. The row stays until the person asks.
func (w *liveWorld) anOpenRowStays(b *tab) {
	b.t.Helper()
	b.click(firstRow + " .opener")
	b.see("tr.detail .parts")
	b.point("")
	w.flag("Ann", 3)
	b.wantScore(w, "Ann", "18")
	b.see(liveNote)
	w.flag("Bob", 1)
	b.wantText("tr.detail tfoot", "15")
	if b.attribute(firstRow+" .opener", "aria-expanded") != "true" ||
		!eval[bool](b, `document.activeElement.matches("a.opener")`) {
		b.t.Error("the row was closed, or the focus lost")
	}
	if got := eval[string](b, order); got != "Bob Ann Cid" {
		b.t.Errorf("with the focus in a row the rows became %s", got)
	}
	b.click(liveNote)
	b.wantOrder("Ann Bob Cid")
	b.until("it is said", `document.querySelector("[data-live-said]").textContent === "Board updated"`)
	if !eval[bool](b, `document.querySelector("tr.detail").previousElementSibling.id === `+
		quote("u-"+w.user["Bob"].String())) {
		b.t.Error("the open row left its parts behind")
	}
	b.point("")
}

// rowsComeAndGo bans a user and adds another one.
func (w *liveWorld) rowsComeAndGo(b *tab) {
	b.t.Helper()
	b.point("#u-" + w.user["Cid"].String())
	w.act(b.t, policy.Moderator, store.Act{Kind: "ban", Target: w.user["Ann"], Reason: "red flags"})
	b.see("#u-" + w.user["Ann"].String() + ".gone")
	if got := eval[string](b, order); got != "Ann Bob Cid" {
		b.t.Errorf("under the pointer the rows became %s", got)
	}
	b.point("")
	b.wantOrder("Bob Cid")
	w.user["Dot"] = uuid.New()
	w.message["Dot"] = uuid.New()
	lines := fmt.Sprintf(`{"type": "user", "id": "dot", "user_id": %q, "display_name": "Dot"}
		{"type": "message", "id": "dots", "message_id": %q, "user_id": %q, "role": "prompter", "text": "Hello", `+
		`"lang": "en"}`, w.user["Dot"], w.message["Dot"], w.user["Dot"])
	if done, err := w.store.Ingest(b.t.Context(), w.staff[policy.Admin], []byte(lines)); err != nil || done.Accepted != 2 {
		b.t.Fatalf("ingest: %+v, %v", done, err)
	}
	b.wantOrder("Bob Cid Dot")
	b.press("j")
	b.press("k")
	if eval[bool](b, `document.activeElement.matches("[data-row]")`) {
		eval[bool](b, "document.activeElement.blur() || true")
	} else {
		b.t.Error("the keys do not find the rows")
	}
}

// aHiddenTabIsQuiet hides the tab, which ends its stream, and shows it again.
func (w *liveWorld) aHiddenTabIsQuiet(b *tab) {
	b.t.Helper()
	w.wantStreams(1)
	b.turn("hidden")
	b.until("the stream rests", `document.querySelector("[data-live-state]").textContent === "Paused"`)
	w.wantStreams(0)
	w.flag("Dot", 4)
	b.turn("visible")
	b.wantLive("Live")
	b.wantOrder("Bob Dot Cid")
	b.wantScore(w, "Dot", "12")
}

// anEmptyBoardFills watches an empty board until a user is on it.
func (w *liveWorld) anEmptyBoardFills(b *tab) {
	b.t.Helper()
	b.visit("/users")
	w.wantStreams(0)
	b.visit("/trollboard?q=nobody+yet")
	b.wantLive("Live")
	eval[bool](b, "window.sameDocument = true")
	storetest.Exec(b.t, w.store, "UPDATE users SET display_name = 'Nobody Yet' WHERE user_id = $1", w.user["Dot"])
	w.flag("Dot", 1)
	b.wantOrder("Nobody Yet")
	w.flag("Dot", 1)
	b.wantScore(w, "Dot", "18")
	b.wantSame()
}

// wantStreams waits until the server has that many open boards.
func (w *liveWorld) wantStreams(n int) {
	w.t.Helper()
	w.world.wantStreams(w.t, "board", n)
}

// wantStreams waits until the server has that many open streams of a kind.
func (w *world) wantStreams(t *testing.T, kind string, n int) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		response, err := http.Get(w.base + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err == nil && strings.Contains(string(text), fmt.Sprintf("\ntreewarden_%s_streams %d\n", kind, n)) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("there are not %d streams of the %s", n, kind)
		}
	}
}

// turn hides the tab, or shows it again.
func (b *tab) turn(state string) {
	b.t.Helper()
	eval[bool](b, `Object.defineProperty(document, "visibilityState", { value: `+quote(state)+`, configurable: true }) &&
		document.dispatchEvent(new Event("visibilitychange"))`)
}
