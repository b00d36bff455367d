package admin

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// chip returns the text of the chip of a wave in a part of a page.
func (a answer) chip(part string) string {
	return strings.Join(strings.Fields(a.page().Find(part+" a.wave-chip").Text()), " ")
}

// TestWavesInLists: each message of a wave names it, in the search, on its author's
// page, in the queue and on its case, for people and for programs; others do not.
func TestWavesInLists(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	c, key := staff(t, server, policy.Moderator), program(t, server, policy.Moderator)
	ann, bob := storetest.User(t, s, "Ann"), storetest.User(t, s, strings.Repeat("מאוד ארוך ", 20))
	ids := waveOf(t, s, "en", spam, ann, bob, ann, bob)
	pair := waveOf(t, s, "en", "Two are not yet a wave, whatever the two accounts write here: %d", ann, bob)
	lone := waveOf(t, s, "en", "One user writes this again and again, for the third time: %d", ann, ann, ann)
	other := storetest.Tree(t, s, storetest.Node{Author: bob, Lang: "en", Text: "How do I boil an egg?"})[0]
	keepUpWaves(t, s)
	const says = "4 like this by 2 accounts"
	address := "/waves/" + ids[0].String()

	for path, of := range map[string]uuid.UUID{"/messages": ids[3], "/users/" + ann.String(): ids[2]} {
		got := c.get(path).want(200)
		row := "#m-" + of.String()
		if text := got.chip(row); text != says {
			t.Errorf("%s says %q", path, text)
		}
		chip := got.page().Find(row + " a.wave-chip")
		title := chip.AttrOr("title", "")
		if chip.AttrOr("href", "") != address || !strings.HasPrefix(title, "First ") || !strings.Contains(title, ", last ") ||
			strings.Count(title, " UTC") != 2 {
			t.Errorf("%s: the chip leads to %s with the title %q", path, chip.AttrOr("href", ""), title)
		}
		for _, id := range []uuid.UUID{pair[0], lone[0]} {
			if rows := got.page().Find("#m-" + id.String()); rows.Length() != 1 || rows.Find(".wave-chip").Length() != 0 {
				t.Errorf("%s: message %s names a wave: %s", path, id, rows.Text())
			}
		}
	}
	if n := c.get(address).want(200).page().Find(".wave-chip").Length(); n != 0 {
		t.Errorf("the page of the wave has %d chips of itself", n)
	}

	// The queue.
	var open []int64
	for _, id := range []uuid.UUID{ids[1], other} {
		key.send(post, apiPrefix+"/messages/"+id.String()+"/report", object{"reason": "Look at this"}).want(200)
	}
	var queue store.List[store.Case]
	key.get(apiPrefix + "/queue").want(200).json(&queue)
	for _, id := range []uuid.UUID{ids[1], other} {
		for _, one := range queue.Items {
			if one.MessageID != id {
				continue
			}
			open = append(open, one.ID)
			if has := one.Wave != nil; has != (id == ids[1]) {
				t.Errorf("in the queue message %s has the wave %+v", id, one.Wave)
			}
			if alone := key.get(fmt.Sprintf("%s/queue/%d", apiPrefix, one.ID)).want(200); strings.Contains(
				alone.body, `"wave"`) !=
				(id == ids[1]) {
				t.Errorf("the case is %s", alone.body)
			}
		}
	}
	if len(open) != 2 {
		t.Fatalf("%d cases are open", len(open))
	}
	line := fmt.Sprintf("#case-%d", open[0])
	list := c.get("/queue").want(200)
	if n := list.page().Find(".queue-line").Length(); n != 1 {
		t.Fatalf("%d lines of one author", n)
	}
	shown := list.chip(".queue-line")
	if first := list.page().Find(line).Length() == 1; first && shown != says || !first && shown != "" {
		t.Errorf("the line of the queue says %q", shown)
	}
	one := c.get(fmt.Sprintf("/queue/%d", open[0])).want(200)
	if text := one.chip("article.case .case-wave"); text != says {
		t.Errorf("the case says %q", text)
	}
	if to := one.page().Find(".case-wave a:not(.wave-chip)"); to.AttrOr("href", "") != address+"#bulk" ||
		to.Text() != "Act on the whole wave" || c.get(address).want(200).page().Find("form#bulk").Length() != 1 {
		t.Errorf("the case leads to %s by %q", to.AttrOr("href", ""), to.Text())
	}
	if n := c.get(fmt.Sprintf("/queue/%d", open[1])).want(200).page().
		Find("article.case .wave-chip, .case-wave").Length(); n != 0 {
		t.Error("the case of a message in no wave names one")
	}
	reader := staff(t, server, policy.DataLead) // reads the queue, and does not act
	if got := reader.get(fmt.Sprintf("/queue/%d", open[0])).want(200); got.chip(".case-wave") != says ||
		got.page().Find("a[href$='#bulk']").Length() != 0 {
		t.Errorf("to a data lead the case says %s", got.text(".case-wave"))
	}

	// Programs.
	want := object{"wave_id": ids[0].String(), "messages": 4.0, "users": 2.0}
	check := func(what string, row object) {
		t.Helper()
		wave, _ := row["wave"].(object)
		for name, value := range want {
			if wave[name] != value {
				t.Errorf("%s: the wave is %v", what, row["wave"])
			}
		}
		if first, last := fmt.Sprint(wave["first"]), fmt.Sprint(wave["last"]); first >= last ||
			!strings.HasSuffix(first, "Z") {
			t.Errorf("%s: from %s to %s", what, first, last)
		}
	}
	for _, path := range []string{"/messages", "/messages?q=telephone", "/users/" + ann.String() + "/messages"} {
		found := 0
		for _, item := range key.get(apiPrefix + path).want(200).field("items").([]any) {
			row := item.(object)
			switch row["message_id"] {
			case ids[0].String(), ids[2].String():
				check(path, row)
				found++
			case pair[0].String(), lone[0].String(), other.String():
				if _, has := row["wave"]; has {
					t.Errorf("%s: %v is in no wave", path, row)
				}
			}
		}
		if found != 2 {
			t.Errorf("%s has %d of the wave", path, found)
		}
	}
	var single object
	key.get(apiPrefix + "/messages/" + ids[3].String()).want(200).json(&single)
	check("the message", single)
}

// TestWavesFold: on a page of the search the rows of a wave stand together, and those
// below the first are folded.
func TestWavesFold(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	c := staff(t, newServer(t, s), policy.Moderator)
	ann, bob := storetest.User(t, s, "Ann"), storetest.User(t, s, "Bob")
	newest := waveOf(t, s, "en", spam, ann, bob, ann, bob)
	waveOf(t, s, "en", "Nobody else writes about hours of the sea and of the mountains, number %d", ann, ann, ann, ann)
	old := storetest.Tree(t, s, storetest.Node{Author: bob, Lang: "en", Text: "How?",
		At: time.Now().Add(-300 * time.Hour)})[0]
	storetest.Exec(t, s, "UPDATE messages SET deleted = true, deleted_at = now() WHERE message_id = $1", newest[1])
	keepUpWaves(t, s)

	order := func(path string) (rows, folded []string) {
		page := c.get(path).want(200).page()
		page.Find("table.messages tr[data-row]").Each(func(_ int, row *goquery.Selection) {
			rows = append(rows, strings.TrimPrefix(row.AttrOr("id", ""), "m-"))
			if row.HasClass("folded") {
				folded = append(folded, rows[len(rows)-1])
			}
		})
		return rows, folded
	}
	names := func(ids ...uuid.UUID) (all []string) {
		for _, id := range ids {
			all = append(all, id.String())
		}
		return all
	}
	rows, folded := order("/messages?deleted=include")
	if len(rows) != 9 || !slices.Equal(folded, names(newest[2], newest[1], newest[0])) || rows[8] != old.String() {
		t.Fatalf("the rows are %v, of which %v are folded", rows, folded)
	}
	at := slices.Index(rows, newest[3].String())
	if at < 0 || !slices.Equal(rows[at+1:at+4], folded) {
		t.Errorf("the folded rows are not below the first: %v", rows)
	}
	page := c.get("/messages?deleted=include").page()
	group := page.Find("tbody.one-wave")
	if group.Length() != 1 || group.Find("tr").Length() != 4 || group.Find("tr.folded.struck").Length() != 1 ||
		group.Find(".wave-chip").Length() != 1 ||
		group.Find("details.wave-more").Length() != 1 ||
		group.Find("tr").First().Find(".wave-more summary").Text() != "3 more of this wave on this page" {
		t.Errorf("the group is %s", group.Text())
	}
	if n := page.Find("tbody:not(.one-wave) .wave-more, tbody:not(.one-wave) .folded").Length(); n != 0 {
		t.Errorf("%d rows of no wave are folded", n)
	}
	// Each box can be selected, and a page with one row of a wave folds nothing.
	if n := group.Find("input[name=id][form=bulk]").Length(); n != 4 {
		t.Errorf("%d of 4 rows can be selected", n)
	}
	if rows, folded := order("/messages?limit=2&sort=old"); len(rows) != 2 || len(folded) != 0 {
		t.Errorf("the rows are %v, of which %v are folded", rows, folded)
	}
	if _, folded := order("/users/" + ann.String()); len(folded) != 0 {
		t.Errorf("the page of a user folds %v", folded)
	}
}

// TestWavesInListsByLanguage: the lists count what /waves counts, and no more.
func TestWavesInListsByLanguage(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	ann, bob := storetest.User(t, s, "Ann"), storetest.User(t, s, "Bob")
	english := waveOf(t, s, "en", spam, ann, bob, ann)
	german := waveOf(t, s, "de-AT", "Gewinnen Sie heute ein neues Telefon in unserem Geschäft, Nummer %d!",
		ann, bob, ann, bob)
	key := program(t, server, policy.Moderator)
	for _, id := range []uuid.UUID{english[0], german[0]} {
		key.send(post, apiPrefix+"/messages/"+id.String()+"/report", object{"reason": "Look at this"}).want(200)
	}
	keepUpWaves(t, s)
	keeper := storetest.Staff(t, s, policy.Moderator)
	storetest.Exec(t, s, "UPDATE users SET languages = '{de}' WHERE user_id = $1", keeper.UserID)
	c := signedIn(t, server, keeper)
	for _, path := range []string{"/waves", "/messages", "/queue"} {
		for query, want := range map[string][2]bool{"": {false, true}, "?lang=en": {true, false}} {
			body := c.get(path + query).want(200).body
			got := [2]bool{strings.Contains(body, "/waves/"+english[0].String()),
				strings.Contains(body, "/waves/"+german[0].String())}
			if got != want {
				t.Errorf("%s%s shows %v, want %v", path, query, got, want)
			}
		}
	}
}

// TestWavesOfHiddenTexts: the chip of a hidden text shows no word of it.
func TestWavesOfHiddenTexts(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	c := staff(t, newServer(t, s), policy.Moderator)
	ids := toxicWave(t, s)
	row := c.get("/messages").want(200)
	if text := row.text("#m-" + ids[2].String() + " summary.small, #m-" + ids[2].String() +
		" .wave-chip"); !strings.Contains(text,
		"3 like this by 2 accounts") || strings.Contains(text, "telephone") {
		t.Errorf("the chip says %q", text)
	}
	if text := row.text("#m-" + ids[2].String() + " .peek summary"); !strings.Contains(text, "Hidden") ||
		strings.Contains(text, "telephone") {
		t.Errorf("the row says %q", text)
	}
}
