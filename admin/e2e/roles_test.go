package e2e

import (
	"strings"
	"testing"

	"treewarden/policy"
	"treewarden/store/storetest"
)

// TestRoles makes a role for German, invites somebody to it, who sees and does only
// what is German, and takes both back.
func TestRoles(t *testing.T) {
	w := newWorld(t)
	write := func(name, lang, text string) string {
		return "/messages/" + storetest.Tree(t, w.store, storetest.Node{
			Author: storetest.User(t, w.store, name), Lang: lang, Text: text})[0].String()
	}
	german, english := write("Anna", "de", "Wie schlafen Bienen?"), write("Ben", "en", "How do bees sleep?")

	admin := signedIn(t, w, policy.Admin)
	admin.pressFollow("gp")
	admin.wantText("h1", "Roles")
	admin.click("details.fold > summary")
	admin.fill("#new-name", "german_moderator")
	admin.fill("#new-title", "German moderator")
	admin.choose("#new-from", policy.Moderator)
	admin.wantStatus(admin.follow("button[value=add]"), 200)
	admin.fill(`input[aria-label="German moderator: languages"]`, "de")
	admin.wantStatus(admin.follow("button[value=preview]"), 200)
	admin.wantText(".page-sub", "Nothing has changed yet")
	admin.fill("#roles-reason", "Somebody for German.")
	admin.wantStatus(admin.follow("button[value=save]"), 200)
	admin.wantText(".toast", "Changed what roles may do")

	admin.visit("/settings/staff/new")
	admin.fill("#staff-name", "greta")
	admin.choose("#staff-role", "german_moderator")
	admin.wantStatus(admin.follow("button.btn-primary"), 200)
	link := admin.attribute("#secret", "value")
	path := link[strings.Index(link, "/sign-in/"):]

	greta := openTab(t, w)
	greta.visit(path)
	greta.wantText("h1", "Welcome, greta")
	greta.fill("#password", "correct horse battery")
	greta.fill("#again", "correct horse battery")
	greta.wantStatus(greta.follow("button.btn-primary"), 200)
	greta.visit("/messages")
	greta.wantText(".limited", "Only languages that you may act on: German")
	greta.wantText("tbody", "Wie schlafen Bienen?")
	if greta.count("tbody tr[data-row]") != 1 {
		t.Error("the messages of other languages are shown")
	}
	greta.wantStatus(greta.follow(".limited a"), 200)
	greta.wantText("tbody", "How do bees sleep?")
	greta.visit(german)
	greta.deleteAndUndo()
	greta.visit(english)
	greta.click(current + " .message-menu > a")
	greta.click("//article[@aria-current]//a[contains(., 'Delete…')]")
	greta.expect(403)
	greta.wantText("dialog[open]", "acts in German only, but this is in English")

	again := openTab(t, w)
	again.expect(401)
	again.visit(path)
	again.wantText("h1", "This link does not work")

	admin.visit("/settings/staff/" + w.idOf(t, "greta") + "/remove")
	admin.fill("#act-reason", "She has left.")
	admin.wantStatus(admin.follow(".dialog-foot button.btn-primary"), 200)
	greta.visit("/messages")
	greta.wantText("h1", "Sign in")
	admin.visit("/actions/" + w.one(t, "SELECT max(seq)::text FROM actions WHERE kind = 'set_policy'") + "/undo")
	admin.fill("#act-reason", "Nobody is left for German.")
	admin.wantStatus(admin.follow(".dialog-foot button.btn-primary"), 200)
	admin.visit("/settings/roles")
	if admin.count(`input[aria-label="German moderator: languages"]`) != 0 {
		t.Error("the role is still there after the undo")
	}
}
