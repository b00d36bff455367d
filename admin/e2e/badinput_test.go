package e2e

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"treewarden/policy"
	"treewarden/store"
)

// foreign lists the elements and attributes on a page that no view writes:
// contributor text made them.
const foreign = `(() => {
	const ours = new Set(("html head meta title link script body a abbr article bdi br button caption code " +
		"datalist dd del details dialog div dl dt em fieldset figcaption figure footer form h1 h2 h3 header hr input " +
		"ins kbd label legend li main mark meter nav ol option p pre section select small span strong summary " +
		"table tbody td textarea tfoot th thead time tr ul blockquote svg path rect circle line polyline g text").split(" "));
	const inText = new Set("p br hr em strong del blockquote pre code bdi ul ol li table thead tbody tr th td span div a"
		.split(" "));
	const textAttributes = new Set("class href rel target start align role aria-label tabindex dir lang title".split(" "));
	const found = [];
	const say = (what, el) => { if (found.length < 12) found.push(what + ": " + el.outerHTML.slice(0, 200)); };
	const allScripts = document.querySelectorAll("script"), allLinks = document.querySelectorAll("link"),
		allMeta = document.querySelectorAll("meta");
	if (allScripts.length !== 1 || !allScripts[0].matches('head > script[type=module][src^="/static/app.js"]'))
		say("scripts", document.head);
	if (allLinks.length !== 2 || allMeta.length !== 3) say("links or meta", document.head);
	if (document.querySelectorAll("h1").length !== 1) say("headings", document.body.querySelector("h1") || document.body);
	for (const el of document.querySelectorAll("*")) {
		const template = el.matches("#keys-sheet, [data-no-case]") && !el.closest(".text, bdi");
		if (!ours.has(el.localName) && !template) say("an element", el);
		for (const { name, value } of el.attributes) {
			if (name.startsWith("on") || ["style", "srcdoc", "xlink:href", "background", "poster", "ping"].includes(name))
				say("an attribute", el);
			if (["href", "src", "action", "formaction"].includes(name)) {
				const address = new URL(value, location.href);
				const mine = address.origin === location.origin;
				const offered = el.localName === "a" && el.closest(".text") && ["http:", "https:"].includes(address.protocol)
					&& el.rel === "noreferrer nofollow";
				if (!mine && !offered) say("an address", el);
			}
		}
	}
	for (const el of document.querySelectorAll(".text *")) {
		if (el.closest(".ctl")) continue;
		if (!inText.has(el.localName) && el.localName !== "ins") say("an element in a text", el);
		for (const { name } of el.attributes) if (!textAttributes.has(name)) say("an attribute in a text", el);
	}
	for (const el of document.querySelectorAll("bdi *, option *, time *, .value *, .note *, .report-reason *, " +
		".leaf-text span[dir] *, .cut > span[dir] *")) {
		if (!el.closest(".text, .ctl, .visually-hidden")) say("an element in a name", el);
	}
	if (!document.title.endsWith(" · Treewarden")) say("the title " + document.title, document.head);
	return found;
})()`

// harmless opens a path with hostile texts. It fails the test if one of them is
// more than a text or breaks the layout.
func (b *tab) harmless(path string) {
	b.t.Helper()
	if status := b.visit(path); status >= 500 {
		b.t.Errorf("%s answered %d", path, status)
	}
	b.inspect(path)
}

// inspect checks the page in its current state, in both sizes.
func (b *tab) inspect(path string) {
	b.t.Helper()
	for _, found := range eval[[]string](b, foreign) {
		b.t.Errorf("%s holds %s", path, found)
	}
	b.wantFits()
	other := int64(narrow)
	if eval[int64](b, "innerWidth") == narrow {
		other = wide
	}
	b.size(other)
	b.wantFits()
	for _, fault := range b.take() {
		b.t.Errorf("%s: %s", path, fault)
	}
}

// TestBadInput opens every page with texts of contributors, all of them
// hostile, and follows hostile addresses.
func TestBadInput(t *testing.T) {
	h := newHostileWorld(t)
	t.Logf("%v, %d trees with them as replies", h, len(h.prompts))
	b := signedIn(t, h.world, policy.Moderator)

	sub := func(name string, test func(b *tab)) {
		t.Run(name, func(t *testing.T) {
			mine := *b
			mine.t = t
			test(&mine)
		})
	}
	sub("Lists", func(b *tab) {
		for _, path := range []string{"/users?limit=200", "/trollboard?limit=200&status=all",
			"/trees?limit=200&state=growing", "/audit?limit=200"} {
			b.pages(path)
		}
		// Lists of messages show texts in the same way as conversations.
		for i := 0; i < len(h.prompts); i += 5 {
			b.harmless("/messages?limit=200&deleted=include&tree=" + h.prompts[i].String())
		}
	})
	sub("Conversations", func(b *tab) {
		for _, prompt := range h.prompts {
			b.harmless("/messages/" + prompt.String())
			b.harmless("/trees/" + prompt.String())
		}
		b.harmless("/messages/" + h.prompts[0].String() + "?view=raw")
		b.harmless("/messages/" + h.prompts[0].String() + "/history")
	})
	sub("People", func(b *tab) {
		b.harmless("/")
		for i := range len(h.edits) {
			user := "/users/" + h.users[i*150].String()
			b.harmless(user)
			b.harmless(user + "?tab=actions")
		}
		b.harmless("/users/" + h.banned.String() + "/score?frame=total")
		b.harmless("/users/" + h.users[16].String())
	})
	sub("Actions", func(b *tab) {
		for _, id := range h.edits {
			b.harmless(fmt.Sprintf("/actions/%d", id))
		}
	})
	sub("Queue", func(b *tab) { h.queue(b) })
	sub("Dialogs", func(b *tab) { h.dialogs(b) })
	sub("LongAndRightToLeft", func(b *tab) { h.longAndRightToLeft(b) })
	sub("Addresses", func(b *tab) { h.addresses(b) })
}

// queue opens the queue, whose reporters, reasons and authors are all hostile.
func (h *hostileWorld) queue(b *tab) {
	b.t.Helper()
	b.pages("/queue?limit=200&lang=all")
	var last int64
	for _, prompt := range h.prompts {
		id := h.one(b.t, "SELECT case_id::text FROM cases WHERE message_id = $1 AND status = 'open'", prompt)
		b.harmless("/queue/" + id + "?lang=all")
		last, _ = strconv.ParseInt(id, 10, 64)
	}
	reason := beginning(h.texts[1]+" "+h.texts[2], 400)
	done, err := h.store.Act(b.t.Context(), h.staff[policy.Moderator], store.Act{
		Kind: "resolve", Target: h.prompts[len(h.prompts)-1], Reason: reason,
		Params: store.ResolveParams{Case: last, Outcome: "delete"}})
	if err != nil {
		b.t.Fatal(err)
	}
	b.harmless(fmt.Sprintf("/queue/%d", last))
	b.harmless("/queue/mine")
	b.harmless("/insights")
	// There may be one prompt only, which the other tests need.
	if _, err := h.store.Undo(b.t.Context(), h.staff[policy.Moderator], done.Action.ID, reason, false, ""); err != nil {
		b.t.Fatal(err)
	}
	b.harmless(fmt.Sprintf("/queue/%d", last))
}

// pages opens all pages of a list.
func (b *tab) pages(path string) {
	b.t.Helper()
	for range 40 {
		if b.harmless(path); b.t.Failed() {
			return // the next pages would fail in the same way
		}
		next := eval[string](b, `document.querySelector(".pager a[rel=next]")?.getAttribute("href") || ""`)
		if next == "" {
			return
		}
		list, _, _ := strings.Cut(path, "?")
		path = list + next
	}
	b.t.Errorf("%s has no end", path)
}

// dialogs opens dialogs for hostile texts, which offer hostile reasons, and
// acts with one.
func (h *hostileWorld) dialogs(b *tab) {
	b.t.Helper()
	message := "/messages/" + h.prompts[0].String()
	b.size(wide)
	for _, item := range []string{"Delete…", "Edit…", "Label…", "Report…", "Ban author…"} {
		b.visit(message)
		inDialog(item)(b)
		b.inspect(message + " " + item)
	}
	const reason = `<img src=x onerror=alert(1)> "quoted" </textarea>`
	b.fill(reasonField, reason)
	b.follow(confirm)
	b.see(".toast")
	b.inspect(message + " after the ban")
	b.follow(".toast a") // to the action
	b.wantText(".kv", reason)
	b.inspect("the ban's page")
}

// longAndRightToLeft checks a word without an end and a text from right to
// left.
func (h *hostileWorld) longAndRightToLeft(b *tab) {
	b.t.Helper()
	b.harmless("/messages/" + h.long.String())
	b.harmless("/trees/" + h.long.String())
	b.size(narrow) // the navigation overlays the top of the page here
	b.visit("/messages/" + h.arabic.String())
	if !eval[bool](b, `(() => { const text = document.querySelector(".message-view.current .text");
		return text.matches("[dir=auto][lang=ar]:dir(rtl)") && getComputedStyle(text).direction === "rtl" })()`) {
		b.t.Error("an Arabic text does not run from right to left")
	}
	if !eval[bool](b, `[...document.querySelectorAll(".message-view")].some(el =>
		el.querySelector(".show-all") && el.getBoundingClientRect().height < 900)`) {
		b.t.Error("a long text is not cut")
	}
	b.click(".show-all > summary")
	b.inspect("the whole long text")
}

// addresses puts hostile texts into every query parameter and path.
func (h *hostileWorld) addresses(b *tab) {
	b.t.Helper()
	b.expect(400, 404, 409, 422)
	message, user := "/messages/"+h.prompts[1%len(h.prompts)].String(), "/users/"+h.users[1].String()
	paths := []string{
		"/trollboard?q=", "/trollboard?lang=", "/trollboard?frame=", "/trollboard?formula=", "/trollboard?sort=",
		"/trollboard?open=", "/trollboard?cursor=",
		"/users?q=", "/users?lang=", "/users?role=", "/users?cursor=", user + "?q=", user + "?tab=", user + "?formula=",
		user + "/score?frame=",
		"/messages?q=", "/messages?label=", "/messages?toxicity=", "/messages?classifier=", "/messages?lang=",
		"/messages?user=", "/messages?since=", "/messages?cursor=",
		"/trees?origin=", "/trees?lang=", "/trees?author=", "/audit?target=", "/audit?kind=", "/audit?actor=",
		message + "?view=", message + "/delete?return=", message + "/delete?reason=", message + "/edit?text=", message +
			"/labels?return=", user + "/ban?until=", user + "/ban?reason=",
		"/messages/", "/users/", "/actions/", "/nowhere/", "/account?notice=", "/account?done=",
	}
	step := max(1, len(h.texts)/(3*len(paths)))
	for i, n := 0, 0; i < len(h.texts); i, n = i+step, n+1 {
		text := beginning(h.texts[i], 1500)
		path := paths[n%len(paths)]
		if strings.HasSuffix(path, "/") {
			path += url.PathEscape(text)
		} else {
			path += url.QueryEscape(text)
		}
		if b.visit(path) >= 500 {
			b.t.Errorf("%s answered with a fault of ours", path)
		}
		for _, found := range eval[[]string](b, foreign) {
			b.t.Errorf("%s holds %s", path, found)
		}
		b.wantFits()
		for _, fault := range b.take() {
			b.t.Errorf("%s: %s", path, fault)
		}
	}
	out := openTab(b.t, h.world)
	for _, text := range hostile {
		path := "/sign-in?return=" + url.QueryEscape(text)
		out.visit(path)
		out.inspect(path)
	}
}
