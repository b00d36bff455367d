package admin

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/rings"
	"treewarden/store/storetest"
)

// ringed is a store with a ring of two, Rita and Ron, who flagged the same twelve of
// 80 messages a minute apart, and with 30 others who voted against the others.
type ringed struct {
	*store.Store
	server    *Server
	c         *client
	rita, ron uuid.UUID
	other     uuid.UUID
	messages  []uuid.UUID
	common    []uuid.UUID
}

func newRinged(t *testing.T) ringed {
	t.Helper()
	s := storetest.New(t)
	r := ringed{Store: s, server: newServer(t, s), rita: storetest.User(t, s, "Rita"), ron: storetest.User(t, s, "<b>Ron")}
	r.c = staff(t, r.server, policy.Moderator)
	author := storetest.User(t, s, "Author")
	prompt := storetest.Node{Author: author, Text: "What is it?"}
	for i := range 80 {
		prompt.Replies = append(prompt.Replies, storetest.Node{Author: author, Text: fmt.Sprintf("answer <i>%d</i>", i)})
	}
	r.messages = storetest.Tree(t, s, prompt)
	r.common = r.messages[60:72]
	react := func(message, user uuid.UUID, emoji string, before time.Duration) {
		storetest.Exec(t, s, `INSERT INTO reactions (tree_id, message_id, user_id, emoji, at)
			VALUES ($1, $2, $3, $4, $5)`, r.messages[0], message, user, emoji, time.Now().Add(-before))
	}
	random := rand.New(rand.NewPCG(1, 1))
	for i := range 30 {
		r.other = storetest.User(t, s, fmt.Sprint("Other ", i))
		for _, message := range random.Perm(60)[:20] {
			react(r.messages[message], r.other, "-1", time.Duration(random.IntN(60*60))*time.Second)
		}
	}
	for i, message := range r.common {
		at := time.Duration(i+2) * 4 * time.Minute
		react(message, r.rita, "red_flag", at)
		react(message, r.ron, "-1", at-time.Minute)
	}
	react(r.common[0], r.ron, "red_flag", time.Minute)
	react(r.common[1], r.other, "red_flag", time.Minute)
	storetest.Exec(t, s, "ANALYZE reactions, reports")
	storetest.Report(t, s, r.common[0], r.other, "it is bad", time.Now()) // counts, and opens the cases
	return r
}

// section returns the words about a user as a rater.
func (r ringed) section(user uuid.UUID) string {
	return strings.Join(strings.Fields(r.c.get("/users/"+user.String()+"?tab=given").want(200).text(".rater")), " ")
}

func TestRingOfARater(t *testing.T) {
	t.Parallel()
	r := newRinged(t)
	var rater store.Rater
	r.c.get("/api/v1/users/" + r.rita.String() + "/rater").want(200).json(&rater)
	if len(rater.Rings) != 1 || rater.Rings[0].UserID != r.ron || rater.Rings[0].Shared != 12 ||
		rater.Rings[0].Given != 12 || len(rater.Rings[0].Targets) != 12 || rater.Rings[0].Targets[0] != r.common[0] ||
		rater.Rings[0].Expected > 1 || rater.Rings[0].Ratio < 12 || rater.Rings[0].Chance > 1e-6 {
		t.Errorf("the API has %+v", rater.Rings)
	}
	page := r.c.get("/users/" + r.rita.String() + "?tab=given").want(200).page()
	ring := page.Find(".rater .ring")
	text := strings.Join(strings.Fields(ring.Text()), " ")
	if ring.Length() != 1 || !strings.Contains(text, "Flags together with <b>Ron: 12 targets within 10 minutes of each "+
		"other, 0.") || !strings.Contains(text, "expected by chance") ||
		!strings.Contains(text, "voted against 12 messages") {
		t.Errorf("the section says %s", text)
	}
	if all := strings.Join(strings.Fields(page.Find(".rater .rings").Text()), " "); !strings.Contains(all,
		"A hint, and no part of the score") {
		t.Errorf("the section says %s", all)
	}
	if ring.Find(`a[href="/users/`+r.ron.String()+`?tab=given#h-rater"]`).Length() != 1 ||
		ring.Find("li a").Length() != 12 || ring.Find("b, i").Length() != 0 ||
		ring.Find(`a[href="/messages/`+r.common[3].String()+`"]`).Length() != 1 {
		t.Errorf("the links of the section: %s", text)
	}
	if text := r.section(r.ron); !strings.Contains(text, "Flags together with Rita") {
		t.Errorf("the other one: %s", text)
	}
	if text := r.section(r.other); strings.Contains(text, "Flags together with") {
		t.Errorf("a rater outside the ring: %s", text)
	}
	silent := storetest.User(t, r.Store, "Silent")
	var none struct{ Rings []rings.Partner }
	r.c.get("/api/v1/users/" + silent.String() + "/rater").want(200).json(&none)
	if text := r.section(silent); none.Rings == nil || len(none.Rings) != 0 ||
		!strings.Contains(text, "Nothing to compare yet") {
		t.Errorf("a user without votes: %v, %s", none.Rings, text)
	}
	// It is a hint: no score names it.
	if text := r.c.get("/users/" + r.rita.String() + "/score").want(200).text("main"); strings.Contains(text, "together") {
		t.Errorf("the score names it: %s", text)
	}

	// Banned raters are named, staff are not.
	storetest.Exec(t, r.Store, "UPDATE users SET banned_at = now() WHERE user_id = $1", r.ron)
	if text := r.section(r.rita); !strings.Contains(text, "<b>Ron Banned voted against") {
		t.Errorf("with a banned partner: %s", text)
	}
	storetest.Exec(t, r.Store, "UPDATE users SET role = 'moderator' WHERE user_id = $1", r.ron)
	for _, user := range []uuid.UUID{r.rita, r.ron} {
		if text := r.section(user); strings.Contains(text, "Flags together with") {
			t.Errorf("with staff: %s", text)
		}
	}
}

// TestRingHidesTexts: the text of a target with a high score is hidden, as elsewhere.
func TestRingHidesTexts(t *testing.T) {
	t.Parallel()
	r := newRinged(t)
	storetest.Exec(t, r.Store, "INSERT INTO classifier_models (name, outputs) VALUES ('detoxify', '{toxicity}')")
	storetest.Exec(t, r.Store, `INSERT INTO classifier_outputs (tree_id, message_id, model_id, toxicity, scores)
		SELECT $1, $2, model_id, 0.99, '{0.99}' FROM classifier_models`, r.messages[0], r.common[0])
	ring := r.c.get("/users/" + r.rita.String() + "?tab=given").want(200)
	if text := ring.text(".ring li:first-child"); !strings.Contains(text, "Hidden") || strings.Contains(text, "answer") {
		t.Errorf("the first target shows %s", text)
	}
	if text := ring.text(".ring li:nth-child(2)"); !strings.Contains(text, "answer <i>60") {
		t.Errorf("the second target shows %s", text)
	}
}

func TestRingBesideACase(t *testing.T) {
	t.Parallel()
	r := newRinged(t)
	cases := flagged{moderator: r.c}.cases(t)
	address := fmt.Sprint("/queue/", cases[r.common[0]])
	var both, one store.Case
	r.c.get("/api/v1" + address).want(200).json(&both)
	if len(both.Rings) != 1 || both.Rings[0].With.Shared != 12 ||
		!(both.Rings[0].UserID == r.rita && both.Rings[0].With.UserID == r.ron ||
			both.Rings[0].UserID == r.ron && both.Rings[0].With.UserID == r.rita) {
		t.Errorf("the API has %+v", both.Rings)
	}
	note := r.c.get(address).want(200).page().Find(".case-rings")
	text := strings.Join(strings.Fields(note.Text()), " ")
	if !strings.Contains(text, "A hint, and no part of the score") || !strings.Contains(text,
		"flag together: 12 targets within 10 minutes of each other, 0.") || note.Find("a").Length() != 2 ||
		!strings.Contains(text, "Rita") || !strings.Contains(text, "<b>Ron") {
		t.Errorf("the case says %s", text)
	}
	// Only one of the ring flagged the other message.
	address = fmt.Sprint("/queue/", cases[r.common[1]])
	r.c.get("/api/v1" + address).want(200).json(&one)
	if n := r.c.get(address).want(200).page().Find(".case-rings").Length(); n != 0 || one.Rings == nil ||
		len(one.Rings) != 0 {
		t.Errorf("a case without a pair has %+v, and %d notes", one.Rings, n)
	}
}
