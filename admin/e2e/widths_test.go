package e2e

import (
	"strings"
	"testing"

	"treewarden/policy"
)

// TestNoPageIsTooWide opens each page with rows at the widths of screens, laptops,
// tablets and phones. None may scroll sideways.
func TestNoPageIsTooWide(t *testing.T) {
	w := demonstration(t)
	one := func(sql string) string { t.Helper(); return w.one(t, sql) }
	user := "/users/" + one(`SELECT user_id::text FROM messages WHERE NOT deleted GROUP BY user_id
		ORDER BY count(*) DESC, user_id LIMIT 1`)
	banned := "/users/" + one("SELECT user_id::text FROM users WHERE banned_at IS NOT NULL ORDER BY user_id LIMIT 1")
	message := one(`SELECT message_id::text FROM messages JOIN reports USING (tree_id, message_id)
		ORDER BY message_id LIMIT 1`)
	tree := one("SELECT tree_id::text FROM messages GROUP BY tree_id ORDER BY count(*) DESC, tree_id LIMIT 1")
	list := w.listOfAll(t)
	w.colleague(t)
	paths := []string{"/", "/trollboard?frame=total&open=" + strings.TrimPrefix(user, "/users/"), "/users",
		user, user + "?open=figures", user + "?tab=given", banned + "?tab=actions", user + "/score", user + "/ban",
		"/messages?lang=all&deleted=include", "/messages/" + message, "/messages/" + message + "/history",
		"/trees", "/trees/" + tree, "/waves", w.wave(t), "/waves?min=2",
		"/searches", "/searches/new?query=watch", w.savedSearches(t),
		"/audit", "/actions/" + one("SELECT max(seq)::text FROM actions WHERE kind = 'ban'"),
		"/queue", w.decidedCase(t), w.heldCase(t), "/insights", "/insights?step=hour", "/insights/toxicity?by=lang",
		"/insights/correlations", "/insights/contributors", "/insights/staff", "/insights/raters", "/insights/models",
		"/insights/collection", "/insights/collection?by=month",
		"/lists", list, list + "/compare", "/exports", "/exports/new", w.exportsOf(t, "the-second"),
		"/samples", w.sampleOf(t, list), w.jobOf(t, list, "running", 1200),
		"/settings/scoring", "/settings/scoring?try=1&frame=total&weights[red_flags]=5", "/settings/roles",
		w.classifiers(t),
		"/leave?to=https%3A%2F%2Fexample.org%2F" + strings.Repeat("long", 60),
		"/settings/why", "/settings/staff", "/settings/keys", "/account"}
	b := signedIn(t, w, policy.Admin)
	for _, path := range paths {
		b.wantStatus(b.visit(path), 200)
		for _, width := range []int64{wide, 1280, 1024, 768, narrow} {
			b.size(width)
			b.wantFits()
		}
	}
}

// TestPhone checks the pages with rows at 390 pixels: the filters are folded, and the
// first row is in the upper half of the window, a card of at most 130 pixels.
func TestPhone(t *testing.T) {
	w := demonstration(t)
	w.savedSearches(t)
	b := signedIn(t, w, policy.Moderator)
	b.size(narrow)
	user := "/users/" + w.one(t, `SELECT user_id::text FROM messages WHERE NOT deleted GROUP BY user_id
		ORDER BY count(*) DESC, user_id LIMIT 1`)
	for _, path := range []string{"/trollboard?frame=total", "/users", "/messages?lang=all", "/trees", "/audit", user} {
		b.visit(path)
		b.see("[data-row]")
		// Where the first row begins, and the height of most rows: a long text makes one higher.
		box := eval[[]float64](b, `(() => { const boxes = [...document.querySelectorAll("main tbody [data-row]")]
			.map(row => row.getBoundingClientRect());
			return [boxes[0].top, boxes.map(box => box.height).sort((a, b) => a - b)[boxes.length >> 1]] })()`)
		most := 422.0
		if path == user {
			most = 590 // below the head and the four scores
		}
		if box[0] > most || box[1] > 130 {
			t.Errorf("%s: the first row begins at %v, and most are up to %v high", path, box[0], box[1])
		}
		hidden := ".filters > .field:not(.field-wide)"
		if eval[bool](b, "[...document.querySelectorAll("+quote(hidden)+")].some(field => field.checkVisibility())") {
			t.Errorf("%s: the filters are not folded", path)
		}
		where := b.at()
		b.click(".filter-toggle")
		b.see(hidden)
		if b.at() != where {
			t.Errorf("%s: opening the filters led to %s", path, b.at())
		}
		if eval[bool](b, "[...document.querySelectorAll('main kbd')].some(key => key.checkVisibility())") {
			t.Errorf("%s: hints of keys on a phone", path)
		}
	}

	// The rest of the scores and the profile is folded, and opens.
	b.visit(user)
	const folded = ".signals, .all-figures, .side-col, [name=formula]"
	shown := "[...document.querySelectorAll(" + quote(folded) + ")].filter(part => part.checkVisibility()).length"
	if n := eval[int](b, shown); n != 0 || b.count(".scores strong") != 4 {
		t.Errorf("%d parts of the scores and the profile are not folded", n)
	}
	b.click(".fold-toggle")
	b.until("the scores and the profile are open", shown+" === 4")
}

// TestCurrentTabIsInSight opens the last tab of the insights on a phone: its name shows.
func TestCurrentTabIsInSight(t *testing.T) {
	w := demonstration(t)
	b := signedIn(t, w, policy.Admin)
	b.size(narrow)
	for _, path := range []string{"/insights", "/insights/staff"} {
		b.visit(path)
		b.until(path+" shows its tab", `(() => {
			const tab = document.querySelector(".tabs [aria-current]").getBoundingClientRect();
			return tab.left >= 0 && tab.right <= innerWidth })()`)
	}
}
