package e2e

import (
	"math"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"treewarden/policy"
	"treewarden/store"
)

// Selectors of the tests of the main job.
const (
	firstRow    = "table.board tbody tr[data-row]"
	current     = ".message-view.current"
	dialog      = "dialog[open] form.act"
	confirm     = "dialog[open] .dialog-foot button.btn-primary"
	reasonField = "dialog[open] #act-reason"
	toastUndo   = ".toast form button"
)

// TestMainJob does the main job of the console, from the board to a banned
// troll, and finds all actions in the log.
func TestMainJob(t *testing.T) {
	w := demonstration(t)
	b := openTab(t, w)
	b.visit("/trollboard?frame=total")
	b.wantText("h1", "Sign in") // the board needs a session
	b.visit(w.signInPath(t, policy.Moderator))
	b.wantText("h1", "Trollboard")

	b.pressFollow("gh")
	b.wantText("h1", "Open work")
	b.pressFollow("gt")
	b.follow("//nav[@aria-label='Time frame']/a[contains(., 'Overall')]")

	user := b.openFirstOfBoard()
	message := b.openFirstMessage()
	b.deleteAndUndo()
	b.stopAndRestart()
	b.visit(user)
	b.banAndUnban()
	b.findAllOfIt(user, message)
}

// openFirstOfBoard opens the first row by keys, checks that its parts add up to
// its score, and opens the user. It returns the user's page.
func (b *tab) openFirstOfBoard() string {
	b.t.Helper()
	b.press("j")
	b.press(kb.Enter)
	b.see("tr.detail .parts")
	if b.attribute(firstRow+" .opener", "aria-expanded") != "true" {
		b.t.Error("the row does not say that it is open")
	}
	score, sum := b.text(firstRow+" .total"), b.text("tr.detail tfoot .strong")
	if score != sum {
		b.t.Errorf("the score on the board is %s, its parts make %s", score, sum)
	}
	points := eval[float64](b, `[...document.querySelectorAll("tr.detail tbody td:nth-child(4)")].reduce((sum, cell) =>
		sum + Number(cell.textContent.replace("−", "-").replaceAll(",", "")), 0)`)
	want := eval[float64](b,
		`Number(document.querySelector("tr.detail tfoot .strong").textContent.replace("−", "-").replaceAll(",", ""))`)
	if math.Abs(points-want) > 0.05 {
		b.t.Errorf("the parts add up to %v, the sum says %v", points, want)
	}
	if !strings.Contains(b.at(), "open=") {
		b.t.Errorf("the address %s does not say which row is open", b.at())
	}
	if b.count("tr.detail .evidence a") == 0 {
		b.t.Error("no message is named that gave the score")
	}
	name := b.text(firstRow + " .named a")
	b.wantStatus(b.follow(firstRow+" .named a"), 200)
	b.wantText("h1", name)
	return b.at()
}

// openFirstMessage opens the first of the user's messages in its thread, and
// returns its page.
func (b *tab) openFirstMessage() string {
	b.t.Helper()
	b.wantStatus(b.follow("table.messages tbody tr[data-row] a[data-open]"), 200)
	b.see(current)
	if !eval[bool](b, `(() => { const box = document.querySelector(".message-view.current").getBoundingClientRect();
		return box.top < innerHeight && box.bottom > 0 })()`) {
		b.t.Error("the message that was asked for is out of sight")
	}
	return b.at()
}

// deleteAndUndo deletes the message of the page by its menu, and undoes that by
// the toast.
func (b *tab) deleteAndUndo() {
	b.t.Helper()
	b.click(current + " .message-menu > a")
	b.see(current + " .menu-items") // it is read when it is opened
	b.click("//article[@aria-current]//*[contains(@class, 'menu-items')]//a[contains(., 'Delete…')]")
	b.wantText(dialog+" h2", "Delete message")
	b.wantText(dialog+" .numbers", "message")
	b.press("Insults the other one.") // the field has the focus
	b.press(kb.Enter)                 // and Enter in it does nothing
	if b.count(dialog) != 1 {
		b.t.Fatal("Enter in the reason's field sent the form")
	}
	b.follow(confirm)
	b.wantText(".toast", "Deleted the message")
	b.see(current + ".deleted")
	b.follow(toastUndo)
	b.wantText(".toast", "Undid")
	if b.count(current+".deleted") != 0 {
		b.t.Error("the message is still deleted after the undo")
	}
}

// stopAndRestart stops the tree of the page by keys alone, and restarts it by
// the mouse.
func (b *tab) stopAndRestart() {
	b.t.Helper()
	before := b.text(".page-sub .badge")
	b.press("h")
	b.wantText(dialog+" h2", "Stop tree")
	b.press("Turned into a quarrel.")
	for range 20 {
		if eval[bool](b, "document.activeElement.matches("+quote(confirm)+")") {
			break
		}
		b.press(kb.Tab)
	}
	b.pressFollow(kb.Enter)
	b.wantText(".toast", "Stopped the tree")
	b.wantText(".page-sub .badge", "stopped by a moderator")

	b.click("//section[contains(@class, 'tree-card')]//a[contains(., 'Restart tree')]")
	b.fill(reasonField, "They made up.")
	b.follow(confirm)
	b.wantText(".toast", "Restarted the tree")
	if after := b.text(".page-sub .badge"); after != before {
		b.t.Errorf("the tree was %q before it was stopped, and is %q after it was restarted", before, after)
	}
}

// banAndUnban bans the user of the page for a week, undoes it, bans permanently
// and unbans.
func (b *tab) banAndUnban() {
	b.t.Helper()
	b.press("b")
	b.wantText(dialog+" h2", "Ban user")
	b.click("dialog[open] label:has(> input[name=for][value=week])")
	messages := b.text(dialog + " .numbers")
	b.click("dialog[open] input[name=messages]")
	b.until("the numbers follow the choice", "document.querySelector("+quote(dialog+" .numbers")+
		").innerText.replace(/\\s+/g, ' ').trim() !== "+quote(messages))
	b.click("dialog[open] input[name=messages]")
	b.fill(reasonField, "Flames in every thread.")
	b.follow(confirm)
	b.wantText(".toast", "Banned")
	b.wantText(".user-marks", "until")
	b.wantText(".notice-bad", "Flames in every thread.")
	b.follow(toastUndo)
	b.wantText(".user-marks", "active")

	b.click(".page-head .btn-danger")
	b.fill(reasonField, "Flames in every thread.")
	b.press(kb.Escape) // closes the dialog
	b.gone("dialog[open]")
	b.wantText(".user-marks", "active")
	b.click(".page-head .btn-danger")
	b.fill(reasonField, "Came back with more.")
	b.follow(confirm)
	b.wantText(".user-marks", "banned")
	b.click("//header//a[contains(., 'Unban')]")
	b.fill(reasonField, "Apologised.")
	b.follow(confirm)
	b.wantText(".user-marks", "active")
}

// findAllOfIt finds all the actions in the log, newest first, and opens the
// delete.
func (b *tab) findAllOfIt(user, message string) {
	b.t.Helper()
	b.pressFollow("ga")
	var log []string
	for _, line := range eval[[]string](b,
		`[...document.querySelectorAll("table.audit tbody td.what")].map(cell => cell.innerText)`) {
		log = append(log, strings.Join(strings.Fields(line), " "))
	}
	want := []string{"Unbanned", "Banned", "Undid", "Banned", "Restarted the tree", "Stopped the tree", "Undid",
		"Deleted the message"}
	if len(log) < len(want) {
		b.t.Fatalf("the log holds %d lines: %q", len(log), log)
	}
	for i, past := range want {
		if !strings.HasPrefix(log[i], past) {
			b.t.Errorf("line %d of the log is %q, want %s…", i+1, log[i], past)
		}
	}
	b.wantText("table.audit tr:nth-child(8) .reason", "Insults the other one.")
	b.follow("table.audit tr:nth-child(8) td.what a[data-open]")
	b.wantText("h1", "Deleted the message")
	opened("main details")(b) // the text of the message is hidden, and its values with it
	b.wantText("table.changes", "deletion")
	b.wantText(".notice", "undone")
	b.wantStatus(b.follow("//div[@class='actions']/a[contains(., 'Open message')]"), 200)
	if got, _, _ := strings.Cut(b.at(), "?"); got != message {
		b.t.Errorf("the action leads to %s, want %s", got, message)
	}
	b.visit(user + "?tab=actions")
	b.wantText("table.done", "Unbanned")
}

// TestWithoutScripts does a delete and its undo by forms alone.
func TestWithoutScripts(t *testing.T) {
	w := demonstration(t)
	b := signedIn(t, w, policy.Moderator)
	b.withoutScripts()
	b.visit("/messages?limit=5")
	b.follow("table.messages tbody tr[data-row] a[data-open]")
	page := b.at()
	b.follow(current + " .message-menu > a")
	b.wantText("h1", "Actions on a message")
	b.follow("//main//a[contains(., 'Delete…')]")
	b.wantText("h1", "Delete message")
	b.wantText(".numbers", "message")
	b.fill("#act-reason", "Off topic.")
	b.follow(".dialog-foot button.btn-primary")
	b.wantText(".toast", "Deleted the message")
	b.see(current + ".deleted")
	b.follow(toastUndo)
	b.wantText(".toast", "Undid")
	if b.count(current+".deleted") != 0 || !strings.HasPrefix(b.at(), page) {
		t.Errorf("the undo left us at %s with the message deleted or lost", b.at())
	}
}

// TestTwoModerators makes two people act on the same message. The dialog and
// the page show the second one the action of the first.
func TestTwoModerators(t *testing.T) {
	w := demonstration(t)
	second, err := w.store.CreateStaff(t.Context(), store.CommandLine, "second moderator", policy.Moderator, "")
	if err != nil {
		t.Fatal(err)
	}
	w.staff["second"] = store.Actor{UserID: second.UserID, Name: second.DisplayName}
	first, other := signedIn(t, w, policy.Moderator), signedIn(t, w, "second")
	other.expect(409)

	first.visit("/messages?limit=5")
	first.follow(first.row(2) + " a[data-open]")
	message := first.at()

	other.visit(message)
	other.press("d")
	other.fill(reasonField, "Me too.")
	page := openTab(t, w)
	page.expect(409)
	page.visit(w.signInPath(t, "second"))
	page.visit(message + "/delete")
	page.fill("#act-reason", "Me too.")

	first.press("d")
	first.fill(reasonField, "I was first.")
	first.follow(confirm)
	first.wantText(".toast", "Deleted the message")

	other.click(confirm)
	other.wantText("dialog[open] h2", "This cannot be done now")
	other.wantText("dialog[open] .notice", "I was first.")
	other.wantText("dialog[open] .notice", w.staff[policy.Moderator].Name)

	page.wantStatus(page.follow(".dialog-foot button.btn-primary"), 409)
	page.wantText("h1", "This cannot be done now")
	page.wantText(".notice", "I was first.")
	page.follow(".notice a")
	page.wantText("h1", "Deleted the message")

	first.follow(toastUndo)
}
