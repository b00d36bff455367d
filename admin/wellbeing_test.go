package admin

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/storetest"
)

// setting returns the value of a field on a person's account page.
func setting(c *client, name string) string {
	return attr(c.get("/account").want(200).page().Find("input[name="+name+"]"), "value")
}

// TestWellbeingSettings checks which settings are accepted, that each form leaves the
// settings of the others alone, and that nobody else sees them.
func TestWellbeingSettings(t *testing.T) {
	t.Parallel()
	server := newServer(t, storetest.New(t))
	account := storetest.Staff(t, server.store, policy.Moderator)
	c, admin := signedIn(t, server, account), staff(t, server, policy.Admin)
	set := func(breakAfter, toxic string) answer {
		return c.post("/account/display", url.Values{"break_after": {breakAfter}, "toxic_per_hour": {toxic}})
	}
	want := func(breakAfter, toxic string) {
		t.Helper()
		if got := setting(c, "break_after"); got != breakAfter {
			t.Errorf("the reminder is set to %q, want %q", got, breakAfter)
		}
		if got := setting(c, "toxic_per_hour"); got != toxic {
			t.Errorf("the limit is set to %q, want %q", got, toxic)
		}
	}
	want("", "")
	for _, valid := range [][2]string{{"15", "1"}, {"240", "200"}, {" 60 ", ""}, {"", "12"}, {"45", "13"}} {
		set(valid[0], valid[1]).want(303)
		want(strings.TrimSpace(valid[0]), valid[1])
	}
	c.post("/account/display", url.Values{"theme": {"dark"}, "blur": {"false"}}).want(303)
	want("45", "13")
	if page := c.get("/account").page(); page.Find("input[name=blur][checked]").Length() != 0 ||
		page.Find("input[value=dark][checked]").Length() != 1 {
		t.Error("the display settings were lost")
	}
	for _, wrong := range []string{"14", "241", "0", "-20", "half", "30.5", "99999999999999999999"} {
		refused := set(wrong, "20").want(422)
		if text := refused.text(".error"); text != "Enter 15 to 240 minutes, or nothing to get no reminder." {
			t.Errorf("a break after %q: %q", wrong, text)
		}
		fields := refused.page().Find("input[name=break_after][aria-invalid=true], input[name=toxic_per_hour]")
		if attr(fields.First(), "value") != wrong || attr(fields.Last(), "value") != "20" {
			t.Errorf("a break after %q: what was typed is lost", wrong)
		}
	}
	for _, wrong := range []string{"201", "0", "-1", "many", "1.5"} {
		if text := set("30", wrong).want(422).text(".error"); text != "Enter 1 to 200 cases, or nothing to have no limit." {
			t.Errorf("%q toxic cases: %q", wrong, text)
		}
	}
	text := set("1", "999").want(422).text(".error")
	if !strings.Contains(text, "minutes") || !strings.Contains(text, "cases") {
		t.Errorf("two errors at once: %q", text)
	}
	want("45", "13")
	for _, path := range []string{"/api/v1/users/" + account.UserID.String(), "/api/v1/staff",
		"/users/" + account.UserID.String(), "/settings/staff"} {
		if body := admin.get(path).want(200).body; strings.Contains(body, "break_") || strings.Contains(body, "toxic_per") {
			t.Errorf("%s shows the settings of somebody else", path)
		}
	}
	set("", "").want(303)
	want("", "")
}

// tiring is a queue whose moderator has settings of their own.
type tiring struct {
	flagged
	t         *testing.T
	moderator uuid.UUID
	client    *client
	open      map[uuid.UUID]int64
}

func newTiring(t *testing.T, settings url.Values) tiring {
	t.Helper()
	f := newFlagged(t)
	account := storetest.Staff(t, f.server.store, policy.Moderator)
	w := tiring{f, t, account.UserID, signedIn(t, f.server, account), f.cases(t)}
	w.client.post("/account/display", settings).want(303)
	return w
}

// sql changes rows of the moderator, whose id is $1.
func (w tiring) sql(sql string, args ...any) {
	w.t.Helper()
	storetest.Exec(w.t, w.server.store, sql, append([]any{w.moderator}, args...)...)
}

// path is the address of the case on one of the messages.
func (w tiring) path(message int) string { return fmt.Sprint("/queue/", w.open[w.messages[message]]) }

// next opens the next case and returns where it is.
func (w tiring) next() string {
	w.t.Helper()
	return strings.TrimSuffix(w.client.post("/queue/next", nil).want(303).header.Get("Location"), "?")
}

// peek returns the case that a script would show after an open one, "" if there is none.
func (w tiring) peek(open string) string {
	w.t.Helper()
	read := w.client.do("GET", "/queue/next?not="+strings.TrimPrefix(open, "/queue/"), nil, "", "X-Partial", "dialog")
	if read.status == 204 {
		return ""
	}
	return "/queue/" + attr(read.want(200).page().Find("[data-case]"), "data-case")
}

// notices is what the queue tells the moderator.
func (w tiring) notices(path string) string {
	w.t.Helper()
	return strings.TrimSpace(w.client.get(path).want(200).text(".queue-notices"))
}

// toxic makes the messages of the troll toxic.
func (w tiring) toxic() {
	w.t.Helper()
	storetest.Exec(w.t, w.server.store, "INSERT INTO classifier_models (name, outputs) VALUES ('detoxify', '{toxicity}')")
	for _, message := range w.messages[:2] {
		storetest.Exec(w.t, w.server.store, `INSERT INTO classifier_outputs (tree_id, message_id, model_id, toxicity, scores)
			SELECT tree_id, message_id, (SELECT max(model_id) FROM classifier_models), 0.5, '{0.5}'
			FROM message_trees WHERE message_id = $1`, message)
	}
	if err := w.server.store.RebuildScores(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// TestToxicLimit reaches a limit of one toxic case an hour. The next case is none then,
// until the hour is over; the list still shows all, and one opens by hand.
func TestToxicLimit(t *testing.T) {
	t.Parallel()
	w := newTiring(t, url.Values{"toxic_per_hour": {"1"}})
	w.toxic()
	if text := w.notices("/queue"); text != "" {
		t.Errorf("before any case the queue says %q", text)
	}
	// The open case counts before its claim has arrived.
	if got := w.peek(w.path(0)); got != w.path(2) {
		t.Errorf("while a toxic case is open, %q is prepared, want %s", got, w.path(2))
	}
	if got := w.peek(w.path(2)); got != w.path(0) {
		t.Errorf("while another case is open, %q is prepared, want %s", got, w.path(0))
	}
	if got := w.next(); got != w.path(0) {
		t.Fatalf("the first case is %s, want %s", got, w.path(0))
	}
	at := regexp.MustCompile(`^You have opened 1 toxic case within the last hour, which is your limit\. ` +
		`Toxic cases are left out until \d\d:\d\d UTC\. Change the limit$`)
	for _, path := range []string{"/queue", w.path(0)} {
		if text := w.notices(path); !at.MatchString(text) {
			t.Errorf("%s says %q", path, text)
		}
	}
	if text := w.client.get("/queue").text(".queue-lines"); !strings.Contains(text, "Troll") {
		t.Errorf("the list leaves cases out: %s", text)
	}
	// It counts when it is decided, too.
	decided := w.client.post(w.path(0)+"/resolve",
		url.Values{"outcome": {"dismiss"}, "reason": {"Nothing wrong"}}).want(303)
	if at := decided.header.Get("Location"); !strings.HasPrefix(at, w.path(2)+"?") {
		t.Fatalf("after the decision %s is open, want %s", at, w.path(2))
	}
	if got := w.peek(w.path(2)); got != "" {
		t.Errorf("%s is prepared, want none", got)
	}
	if got := w.next(); got != w.path(2) {
		t.Errorf("the next case is %s, want the one that the moderator holds", got)
	}
	if text := w.notices("/queue"); !strings.Contains(text, "Only toxic cases wait now.") {
		t.Errorf("with only toxic cases the queue says %q", text)
	}
	partial := w.client.do("GET", "/queue", nil, "", "X-Partial", "dialog").want(200)
	if !strings.Contains(partial.body, "Only toxic cases wait now.") {
		t.Errorf("a script reads %s", partial.body)
	}
	if other := w.moderator2.get("/queue").text(".queue-notices"); strings.TrimSpace(other) != "" {
		t.Errorf("somebody else reads %q", other)
	}
	w.client.post(w.path(1)+"/claim", nil).want(303)
	if text := w.notices(w.path(1)); !strings.Contains(text, "2 toxic cases within the last hour; your limit is 1.") {
		t.Errorf("after one more by hand the queue says %q", text)
	}
	w.client.post(w.path(1)+"/release", nil).want(303)
	w.sql(`UPDATE case_views SET opened_at = opened_at - interval '61 minutes' WHERE user_id = $1 AND case_id = $2`,
		w.open[w.messages[1]])
	if got := w.next(); got != w.path(2) {
		t.Errorf("while one of them is within the hour the next case is %s, want no toxic one", got)
	}
	w.sql("UPDATE case_views SET opened_at = opened_at - interval '61 minutes' WHERE user_id = $1")
	if text := w.notices("/queue"); text != "" {
		t.Errorf("after an hour the queue says %q", text)
	}
	if got := w.next(); got != w.path(1) {
		t.Errorf("after an hour the next case is %s, want %s", got, w.path(1))
	}
}

// TestToxicFromFormula checks that the threshold of the formula in force decides which
// case is toxic.
func TestToxicFromFormula(t *testing.T) {
	t.Parallel()
	w := newTiring(t, url.Values{"toxic_per_hour": {"1"}})
	w.toxic()
	w.next()
	if text := w.notices("/queue"); text == "" {
		t.Fatal("the limit is not reached")
	}
	staff(t, w.server, policy.Admin).send(put, apiPrefix+"/scoring",
		map[string]any{"toxic_from": 0.6, "version": 1, "note": "fewer are toxic"}).want(200)
	if text := w.notices("/queue"); text != "" {
		t.Errorf("with a higher threshold the queue says %q", text)
	}
}

// TestBreakReminder checks when the reminder of a break shows: after the time that the
// person set, again that long after it was dismissed, and not after ten minutes without
// a case.
func TestBreakReminder(t *testing.T) {
	t.Parallel()
	w := newTiring(t, url.Values{"break_after": {"30"}})
	ago := func(message int, opened, seen string) {
		t.Helper()
		w.sql(`UPDATE case_views SET opened_at = now() - $3::interval, seen_at = now() - $4::interval
			WHERE user_id = $1 AND case_id = $2`, w.open[w.messages[message]], opened, seen)
	}
	reminded := func(want bool, why string) {
		t.Helper()
		for _, path := range []string{"/queue", w.path(0)} {
			if got := w.notices(path) != ""; got != want {
				t.Errorf("%s: reminded at %s is %t", why, path, got)
			}
		}
	}
	claim := func(message int) { t.Helper(); w.client.post(w.path(message)+"/claim", nil).want(303) }
	claim(0)
	reminded(false, "at the start")
	ago(0, "29 minutes", "0")
	reminded(false, "before the time")
	ago(0, "31 minutes", "1 minute")
	reminded(true, "after the time")
	if text := w.notices("/queue"); !strings.Contains(text, "for 31 minutes without a break.") {
		t.Errorf("the reminder says %q", text)
	}
	claim(0) // a sign of life of the open case
	reminded(true, "after a sign of life")

	back := attr(w.client.get(w.path(0)+"?kind=report").page().Find("form[data-break] [name=return]"), "value")
	if got := w.client.post("/queue/break", url.Values{"return": {back}}).want(303).header.Get("Location"); got !=
		w.path(0)+"?kind=report" {
		t.Errorf("the button leads to %s", got)
	}
	reminded(false, "after it was dismissed")
	w.sql("UPDATE users SET break_dismissed_at = now() - interval '29 minutes' WHERE user_id = $1")
	reminded(false, "29 minutes after it was dismissed")
	ago(0, "62 minutes", "0")
	w.sql("UPDATE users SET break_dismissed_at = now() - interval '31 minutes' WHERE user_id = $1")
	reminded(true, "31 minutes after it was dismissed")

	ago(0, "62 minutes", "11 minutes")
	reminded(false, "in a break")
	claim(0)
	reminded(false, "after a break")
	claim(2)
	ago(0, "62 minutes", "35 minutes")
	ago(2, "24 minutes", "0")
	reminded(false, "with a gap of eleven minutes")
	ago(2, "26 minutes", "0")
	reminded(true, "with a gap of nine minutes")
	w.client.post("/account/display", url.Values{"break_after": {""}}).want(303)
	reminded(false, "when it is off")
	lead := staff(t, w.server, policy.DataLead)
	lead.post("/queue/break", nil).want(403)
	w.client.do("POST", "/queue/break", nil, "", "X-Partial", "dialog").want(204)
}
