package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
	"treewarden/store/waves"
)

// keepUpWaves compares all messages. The transactions of other tests on the same
// server delay it.
func keepUpWaves(t *testing.T, s *store.Store) {
	t.Helper()
	for waiting := true; waiting; {
		if err := s.KeepUpTexts(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := storetest.DB(t, s).QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM sketches s, wave_cursor c
			WHERE (s.changed, s.message_id) > (c.changed, c.message_id))`).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
		if waiting {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// spam is the text of a wave; %d is a number that differs.
const spam = "Win a new telephone today, only at our shop number %d, and tell all of your friends about it!"

// waveOf makes a wave: a prompt an hour for each author, the oldest first.
func waveOf(t *testing.T, s *store.Store, lang, text string, authors ...uuid.UUID) (ids []uuid.UUID) {
	t.Helper()
	for i, author := range authors {
		ids = append(ids, storetest.Tree(t, s, storetest.Node{Author: author, Lang: lang,
			At: time.Now().Add(time.Duration(i-100) * time.Hour), Text: fmt.Sprintf(text, 100+i)})[0])
	}
	return ids
}

// TestWaves walks from a message to its wave, to its members and to the list.
func TestWaves(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	c, key := staff(t, server, policy.Moderator), program(t, server, policy.DataLead)
	ann, bob := storetest.User(t, s, "Ann"), storetest.User(t, s, strings.Repeat("מאוד ארוך ", 20))
	ids := waveOf(t, s, "en", spam, ann, bob, ann, bob, ann)
	other := waveOf(t, s, "he", "קנו עכשיו את הטלפון החדש שלנו במחיר הזול ביותר בעיר, מספר %d", bob, ann, bob)
	lone := waveOf(t, s, "en", "One user writes this again and again, for the third time: %d", ann, ann, ann)
	thanks := waveOf(t, s, "en", "Thank you for your help! %d", ann, bob, ann, bob)
	storetest.Exec(t, s, "UPDATE messages SET deleted = true, deleted_at = now() WHERE message_id = $1", ids[2])
	keepUpWaves(t, s)

	var list store.List[waves.Wave]
	key.get("/api/v1/waves").want(200).json(&list)
	if len(list.Items) != 2 {
		t.Fatalf("%d waves: %+v", len(list.Items), list.Items)
	}
	w := list.Items[0] // with the newest message
	if w.WaveID != ids[0] || w.Messages != 5 || w.Deleted != 1 || w.Users != 2 || w.Text != fmt.Sprintf(spam, 100) ||
		w.Likeness < 0.8 || w.Likeness > 1 || w.First == nil || w.Last == nil || !w.Last.After(*w.First) {
		t.Errorf("the wave is %+v", w)
	}
	for query, want := range map[string][]uuid.UUID{
		"?min=4": {ids[0]}, "?min=6": nil, "?lang=he": {other[0]}, "?lang=fr": nil, "?lang=own": {ids[0], other[0]},
		"?since=" + url.QueryEscape(time.Now().Add(-97*time.Hour).Format(time.RFC3339)): {ids[0]},
		"?since=" + url.QueryEscape(time.Now().Format(time.RFC3339)):                    nil,
	} {
		list = store.List[waves.Wave]{}
		key.get("/api/v1/waves" + query).want(200).json(&list)
		var got []uuid.UUID
		for _, w := range list.Items {
			got = append(got, w.WaveID)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	key.get("/api/v1/waves?limit=1").want(200).json(&list)
	if list.Next == nil {
		t.Fatal("the first page of two has no next")
	}
	cursor := url.QueryEscape(*list.Next)
	got := key.get("/api/v1/waves?limit=1&cursor=" + cursor).want(200)
	if !strings.Contains(got.body, other[0].String()) {
		t.Errorf("the second page is %s", got.body)
	}
	key.get("/api/v1/waves?limit=1&min=2&cursor=" + cursor).want(400)
	key.get("/api/v1/waves?min=1").want(400)

	// The page of a message, of the wave, and the list.
	page := c.get("/messages/" + ids[3].String()).want(200).page()
	link := page.Find(".facts a[href^='/waves/']")
	if text := strings.Join(strings.Fields(link.Text()), " "); text != "5 like this by 2 accounts" {
		t.Errorf("the message says %q", text)
	}
	for _, id := range []uuid.UUID{lone[0], thanks[0]} {
		if n := c.get("/messages/" + id.String()).want(200).page().Find("a[href^='/waves']").Length(); n != 0 {
			t.Errorf("message %s names a wave", id)
		}
		c.get("/waves/" + id.String()).want(404)
		key.get("/api/v1/waves/" + id.String()).want(404)
	}
	address, _ := link.Attr("href")
	if address != "/waves/"+ids[0].String() {
		t.Errorf("it leads to %s", address)
	}
	shown := c.get(address).want(200).page()
	rows := shown.Find("tbody tr[data-row]")
	if rows.Length() != 5 || rows.First().AttrOr("id", "") != "m-"+ids[4].String() ||
		shown.Find("tr.struck").Length() != 1 ||
		shown.Find("tr.struck").AttrOr("id", "") != "m-"+ids[2].String() ||
		!strings.Contains(rows.First().Find("[data-label=Likeness]").Text(), "%") {
		t.Errorf("the members are %s", rows.Text())
	}
	if got := c.get("/waves/" + ids[3].String()); got.status != http.StatusSeeOther ||
		got.header.Get("Location") != address {
		t.Errorf("the id of a member leads to %d %s", got.status, got.header.Get("Location"))
	}
	if n := c.get("/waves/" + ids[0].String() + "?limit=2").want(200).page().Find("#page-next").Length(); n != 1 {
		t.Error("a page of two members has no next")
	}
	if got := key.get("/api/v1" + address).want(200); got.field("wave_id") != ids[0].String() ||
		len(got.field("items").([]any)) != 5 {
		t.Errorf("the API has %s", got.body)
	}
	waves := c.get("/waves").want(200).page()
	if n := waves.Find("tbody tr").Length(); n != 2 ||
		waves.Find("#w-"+ids[0].String()+" a").AttrOr("href", "") != address ||
		waves.Find("#w-"+other[0].String()+" a").AttrOr("dir", "") != "auto" ||
		!strings.Contains(waves.Find("#w-"+ids[0].String()).Text(), "1 deleted") {
		t.Errorf("%d waves: %s", n, waves.Find("tbody").Text())
	}
	if text := c.get("/waves?min=50").want(200).text("main"); !strings.Contains(text, "No waves match") {
		t.Errorf("without a wave: %s", text)
	}
	c.get("/waves?min=x").want(400)
}

// toxicWave makes a wave of three messages by two accounts, whose texts a classifier finds
// toxic.
func toxicWave(t *testing.T, s *store.Store) []uuid.UUID {
	t.Helper()
	ann, bob := storetest.User(t, s, "Ann"), storetest.User(t, s, "Bob")
	ids := waveOf(t, s, "en", spam, ann, bob, ann)
	storetest.Exec(t, s, "INSERT INTO classifier_models (name, outputs) VALUES ('detoxify', '{toxicity}')")
	storetest.Exec(t, s, `INSERT INTO classifier_outputs (tree_id, message_id, model_id, toxicity, scores)
		SELECT m.tree_id, m.message_id, d.model_id, 0.99, '{0.99}' FROM messages m, classifier_models d`)
	keepUpWaves(t, s)
	return ids
}

// TestWavesAreHidden: the text of a wave with a high score is hidden on its pages,
// as elsewhere.
func TestWavesAreHidden(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	c := staff(t, newServer(t, s), policy.Moderator)
	ids := toxicWave(t, s)
	row := c.get("/waves").want(200).text("#w-" + ids[0].String())
	if strings.Contains(row, "telephone") || !strings.Contains(row, "Hidden") {
		t.Errorf("the list shows %s", row)
	}
	if shown := c.get("/waves?reveal=1").want(200).text("#w-" + ids[0].String()); !strings.Contains(shown, "telephone") {
		t.Errorf("revealed, the list shows %s", shown)
	}
	if got := c.get("/waves/" + ids[0].String()).want(200); strings.Contains(got.text("summary"), "telephone") ||
		strings.Contains(got.text("h1"), "telephone") {
		t.Errorf("the page shows %s", got.text("main"))
	}
}

// TestWavesByLanguage: who may act on some languages sees the waves of these first.
func TestWavesByLanguage(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	ann, bob := storetest.User(t, s, "Ann"), storetest.User(t, s, "Bob")
	english := waveOf(t, s, "en", spam, ann, bob, ann)
	german := waveOf(t, s, "de-AT", "Gewinnen Sie heute ein neues Telefon in unserem Geschäft, Nummer %d!", ann, bob, ann)
	keepUpWaves(t, s)
	keeper := storetest.Staff(t, s, policy.Moderator)
	storetest.Exec(t, s, "UPDATE users SET languages = '{de}' WHERE user_id = $1", keeper.UserID)
	c := signedIn(t, server, keeper)
	for query, want := range map[string][2]bool{"": {false, true}, "?lang=all": {true, true}, "?lang=en": {true, false}} {
		body := c.get("/waves" + query).want(200).body
		got := [2]bool{strings.Contains(body, english[0].String()), strings.Contains(body, german[0].String())}
		if got != want {
			t.Errorf("%q shows %v, want %v", query, got, want)
		}
	}
}

// TestSimilar asks for the messages that are like one.
func TestSimilar(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	key := program(t, newServer(t, s), policy.Moderator)
	ann, bob := storetest.User(t, s, "Ann"), storetest.User(t, s, "Bob")
	ids := waveOf(t, s, "en", spam, ann, bob, ann)
	alone := waveOf(t, s, "en", "Tomorrow it rains in the north, with %d millimetres.", ann)
	storetest.Exec(t, s, "UPDATE messages SET deleted = true WHERE message_id = $1", ids[1])
	path := "/api/v1/messages/" + ids[0].String() + "/similar"
	items := key.get(path).want(200).field("items").([]any)
	if len(items) != 2 {
		t.Fatalf("%d are like it", len(items))
	}
	for _, item := range items {
		m := item.(map[string]any)
		if l := m["likeness"].(float64); l < 0.8 || l > 1 || m["lang"] != "en" || m["created_date"] == nil ||
			m["deleted"] != (m["message_id"] == ids[1].String()) || (m["author_name"] == "Bob") != (m["deleted"] == true) {
			t.Errorf("got %v", m)
		}
	}
	for query, want := range map[string]int{"?limit=1": 1, "?least=1": 0, "?least=0.8": 2, "?least=0": 2} {
		if items := key.get(path + query).want(200).field("items").([]any); len(items) != want {
			t.Errorf("%s: %d, want %d", query, len(items), want)
		}
	}
	if a := key.get("/api/v1/messages/" + alone[0].String() + "/similar").want(200); len(a.field("items").([]any)) != 0 {
		t.Errorf("an unlike message has %s", a.body)
	}
	key.get("/api/v1/messages/" + uuid.NewString() + "/similar").want(404)
	for _, query := range []string{"?least=1.1", "?least=-1", "?limit=0", "?limit=201",
		"?least=x", "?least=NaN", "?likeness=1", "?cursor=x"} {
		key.get(path + query).want(400)
	}
}
