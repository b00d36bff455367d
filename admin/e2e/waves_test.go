package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// newWavesWorld serves a console with a wave of seven messages, one of ten from right to
// left, and messages in no wave. It returns the ids of the first, the oldest first. One
// message of each wave has a case.
func newWavesWorld(t *testing.T) (w *world, wave []string) {
	t.Helper()
	w = newWorld(t)
	var authors []uuid.UUID
	for _, name := range []string{"Ann", strings.Repeat("Donaudampfschiff", 6), "مشرفة المحتوى العربي", "Bob"} {
		authors = append(authors, storetest.User(t, w.store, name))
	}
	add := func(hours int, author uuid.UUID, lang, text string) uuid.UUID {
		return storetest.Tree(t, w.store, storetest.Node{Author: author, Lang: lang, Text: text,
			At: time.Now().Add(-time.Duration(hours) * time.Hour)})[0]
	}
	var reported []uuid.UUID
	for i := range 7 {
		id := add(70-10*i, authors[i%3], "en", fmt.Sprintf("Win a new telephone today, only at our shop number %d, and "+
			"tell all of your friends about it before the day is over!", 100+i))
		wave = append(wave, id.String())
		add(71-10*i, authors[3], "en", fmt.Sprint(strings.Repeat("How do I boil an egg? ", 1+i%3), i))
	}
	for i := range 10 {
		reported = append(reported, add(65-6*i, authors[1+i%2], "ar",
			fmt.Sprintf("اشترِ الآن هاتفنا الجديد بأرخص سعر في المدينة كلها قبل نهاية اليوم، المتجر رقم %d", 100+i)))
	}
	for _, id := range []uuid.UUID{uuid.MustParse(wave[6]), reported[4]} {
		w.act(t, policy.Admin, store.Act{Kind: "report", Target: id, Reason: "The same text again and again"})
	}
	for w.one(t, "SELECT count(*)::text FROM wave_messages JOIN waves USING (wave_id) WHERE messages >= 7") != "17" {
		if err := w.store.KeepUpTexts(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) // transactions of other tests delay it
	}
	return w, wave
}

// TestWholeWave walks from a message that a search finds to its wave, deletes the whole
// wave, and undoes it by the log.
func TestWholeWave(t *testing.T) {
	w, wave := newWavesWorld(t)
	b := signedIn(t, w, policy.Moderator)
	newest := "[id='m-" + wave[6] + "']"

	// A selection by keys goes over the rows that are shown.
	b.visit("/messages")
	b.press("jxjjX")
	b.wantText("#bulk [value=selected]", "Selected messages… (3)")

	// The rows of the wave are folded below the newest.
	b.visit("/messages?q=telephone")
	b.wantText(newest+" .wave-chip", "7 like this by 3 accounts")
	const shown = `[...document.querySelectorAll("table.messages tr[data-row]")]
		.filter(row => row.checkVisibility()).length`
	rows := func(want int) {
		t.Helper()
		if n := eval[int](b, shown); n != want {
			t.Errorf("%d rows are shown, want %d", n, want)
		}
	}
	rows(1)
	b.press("j")
	b.wantFocus("m-" + wave[6])
	b.press("j") // there is no other row
	b.wantFocus("m-" + wave[6])
	b.click(newest + " .wave-more summary")
	rows(7)
	b.click(newest + " .wave-more summary")
	rows(1)
	b.click("[data-select-all]") // shows what it selects
	rows(7)
	b.wantText("#bulk [value=selected]", "Selected messages… (7)")

	// The wave, the preview, and a reason that is missing.
	b.wantStatus(b.follow(newest+" .wave-chip"), 200)
	b.wantText("h1", "Wave of 7 messages")
	b.choose("#bulk-kind", "delete")
	b.wantStatus(b.follow("#bulk [value=wave]"), 200)
	b.wantText(".page-sub", "The messages of a wave")
	b.wantText(".numbers", "7")
	b.expect(422)
	eval[bool](b, "document.querySelector('#bulk-reason').form.noValidate = true")
	b.wantStatus(b.follow(".form-foot .btn-danger"), 422)
	b.wantText("#bulk-reason-more .error", "reason")
	if got := b.attribute("#bulk-reason", "aria-invalid") + " " + b.attribute("#bulk-reason", "aria-describedby"); got !=
		"true bulk-reason-more" {
		t.Errorf("the field of the reason has %q", got)
	}
	if n := w.one(t, "SELECT count(*)::text FROM messages WHERE deleted"); n != "0" {
		t.Errorf("without a reason %s messages were deleted", n)
	}
	b.take()

	// Delete all, see it in the log, and undo it there.
	b.fill("#bulk-reason", "One text by three accounts")
	b.wantStatus(b.follow(".form-foot .btn-danger"), 200)
	b.wantText(".toast", "in bulk")
	if n := w.one(t, "SELECT count(*)::text FROM messages WHERE deleted"); n != "7" {
		t.Errorf("%s messages are deleted, want 7", n)
	}
	b.visit("/messages?q=telephone&deleted=include")
	b.wantText(newest+" .wave-chip", "7 like this by 3 accounts")
	action := w.one(t, "SELECT seq::text FROM actions ORDER BY seq DESC LIMIT 1")
	b.visit("/audit")
	b.wantText("main", "One text by three accounts")
	b.follow("main a[href^='/actions/" + action + "']")
	b.wantText("main", "7 messages")
	b.click("main a[href*='/actions/" + action + "/undo']")
	b.see(dialog)
	b.fill(reasonField, "They were told to")
	b.follow(confirm)
	b.see(".toast")
	if n := w.one(t, "SELECT count(*)::text FROM messages WHERE deleted"); n != "0" {
		t.Errorf("after the undo %s messages are deleted", n)
	}
	for _, fault := range b.take() {
		t.Error(fault)
	}
}

// TestWaveOfACase goes from a case to the form that acts on the whole wave.
func TestWaveOfACase(t *testing.T) {
	w, wave := newWavesWorld(t)
	b := signedIn(t, w, policy.Moderator)
	id := w.one(t, "SELECT case_id::text FROM cases WHERE message_id = $1", wave[6])
	b.visit("/queue")
	b.wantText("#case-"+id+" .wave-chip", "7 like this by 3 accounts")
	b.visit("/queue/" + id)
	b.wantText("article.case .wave-chip", "7 like this by 3 accounts")
	b.wantStatus(b.follow(".case-wave a[href$='#bulk']"), 200)
	if !strings.HasSuffix(b.at(), "#bulk") {
		t.Errorf("the case leads to %s", b.at())
	}
	b.until("the form is in sight", `(({top, bottom}) => top >= 0 && bottom <= innerHeight)(
		document.querySelector("#bulk [value=wave]").getBoundingClientRect())`)
	for _, fault := range b.take() {
		t.Error(fault)
	}
}

// TestWavesWithoutScripts folds and unfolds the rows of a wave without JavaScript.
func TestWavesWithoutScripts(t *testing.T) {
	w, wave := newWavesWorld(t)
	b := signedIn(t, w, policy.Moderator)
	b.withoutScripts()
	b.visit("/messages?q=telephone")
	second := "[id='m-" + wave[0] + "']"
	b.see("[id='m-" + wave[6] + "']")
	if eval[bool](b, "document.querySelector("+quote(second)+").checkVisibility()") {
		t.Error("the rows of the wave are not folded")
	}
	b.click("[id='m-" + wave[6] + "'] .wave-more summary")
	b.see(second)
}

// TestWavesAccessible runs axe on the pages with chips, wide and narrow, light and dark,
// and keeps pictures of them where pictures are wanted.
func TestWavesAccessible(t *testing.T) {
	w, wave := newWavesWorld(t)
	b := signedIn(t, w, policy.Moderator)
	id := w.one(t, "SELECT case_id::text FROM cases WHERE message_id = $1", wave[6])
	dir := os.Getenv("TREEWARDEN_GALLERY")
	for _, v := range []view{
		{name: "chips-messages", path: "/messages"},
		{name: "chips-unfolded", path: "/messages?q=telephone", unfold: ".wave-more"},
		{name: "chips-user", path: "/users/" + w.one(t, "SELECT user_id::text FROM messages WHERE message_id = $1", wave[1])},
		{name: "chips-queue", path: "/queue"},
		{name: "chips-case", path: "/queue/" + id},
		{name: "chips-message", path: "/messages/" + wave[3]},
		{name: "chips-wave", path: "/waves/" + wave[0]},
		{name: "chips-bulk", path: "/waves/" + wave[0], open: func(b *tab) {
			b.follow("#bulk [value=wave]")
			b.see("#bulk-reason")
		}},
	} {
		b.look(v)
		b.size(1280)
		b.theme("light")
		b.show(v)
		b.runAxe()
		b.wantFits()
		if dir == "" {
			continue
		}
		for _, width := range []int64{wide, narrow} {
			b.size(width)
			for _, theme := range []string{"light", "dark"} {
				b.theme(theme)
				b.show(v)
				keep(t, dir, fmt.Sprintf("%s-%d-%s", v.name, width, theme), b.picture(true))
			}
		}
	}
}
