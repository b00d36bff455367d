package admin

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/storetest"
)

// ratings holds a rater with feedback on messages that others rated too.
type ratings struct {
	*store.Store
	t                   *testing.T
	boss                store.Actor
	rater, author, fool uuid.UUID // fool wrote the fourth message
	messages            []uuid.UUID
}

// makeRatings makes the feedback that TestRater counts by hand.
func makeRatings(t *testing.T) ratings {
	t.Helper()
	s := storetest.New(t)
	r := ratings{Store: s, t: t, boss: storetest.Staff(t, s, policy.Admin), rater: storetest.User(t, s, "Rita Rater"),
		author: storetest.User(t, s, "Author"), fool: storetest.User(t, s, "Fool")}
	a, b, c, banned := storetest.User(t, s, "A"), storetest.User(t, s, "B"), storetest.User(t, s, "C"),
		storetest.User(t, s, "Banned")
	for i := range 8 {
		by := map[int]uuid.UUID{3: r.fool, 7: r.rater}[i]
		if by == uuid.Nil {
			by = r.author
		}
		r.messages = append(r.messages, storetest.Tree(t, s, storetest.Node{Author: by, Text: fmt.Sprintf("message %d", i+
			1)})[0])
	}
	vote := func(message int, label string, user uuid.UUID, value float64) {
		storetest.Vote(t, s, r.messages[message-1], user, label, value, time.Now().Add(-time.Hour))
	}
	react := func(message int, emoji string, users ...uuid.UUID) {
		for _, user := range users {
			storetest.React(t, s, r.messages[message-1], user, emoji, time.Now().Add(-time.Hour))
		}
	}
	// Spam: both yes, only the rater, a split, only the others (3 of 4 in the
	// file, nobody of 1), both no (an author and a banned one do not count),
	// nobody else, their own.
	for message, value := range []float64{1, 1, 0, 0.25, 0, 1, 0, 0} {
		if message != 6 {
			vote(message+1, "spam", r.rater, value)
		}
	}
	vote(1, "spam", a, 1)
	vote(1, "spam", b, 0.5)
	vote(1, "spam", c, 0)
	vote(2, "spam", a, 0)
	vote(3, "spam", a, 1)
	vote(3, "spam", b, 0)
	vote(4, "spam", a, 0)
	vote(5, "spam", a, 0)
	vote(5, "spam", banned, 1)
	vote(5, "spam", r.author, 1)
	vote(8, "spam", a, 1)
	// Quality: 0.75 beside a mean of 0.5, and 0.5 beside (3 × 1 + 0.5) ÷ 4.
	vote(1, "quality", r.rater, 0.75)
	vote(1, "quality", a, 0.25)
	vote(1, "quality", b, 0.75)
	vote(2, "quality", r.rater, 0.5)
	vote(2, "quality", a, 0.5)
	// Personal data: both yes, both no.
	vote(1, "pii", r.rater, 1)
	vote(1, "pii", a, 1)
	vote(2, "pii", r.rater, 0)
	vote(2, "pii", a, 0)
	for _, sql := range []string{
		"INSERT INTO label_aggregates (tree_id, message_id, spam, spam_count) VALUES ($1, $1, 0.75, 4)",
		"INSERT INTO label_aggregates (tree_id, message_id, quality, quality_count) VALUES ($1, $1, 1, 3)",
		"INSERT INTO emoji_aggregates (tree_id, message_id, upvotes) VALUES ($1, $1, 2)",
	} {
		message := map[bool]int{true: 4, false: 2}[strings.Contains(sql, "spam")]
		if strings.Contains(sql, "emoji") {
			message = 1
		}
		storetest.Exec(t, s, sql, r.messages[message-1])
	}
	// Votes: both up (3 : 1), only the others up, both down (a banned one's up
	// does not count), a split.
	react(1, "+1", r.rater, a)
	react(1, "-1", b, r.author)
	react(2, "-1", r.rater)
	react(2, "+1", a)
	react(3, "-1", r.rater, a)
	react(3, "+1", banned)
	react(4, "+1", r.rater, b)
	react(4, "-1", a)
	// Flags.
	r.do(store.Act{Kind: "delete", Target: r.messages[6]})
	for _, message := range []int{1, 2, 4, 8} {
		react(message, "red_flag", r.rater)
	}
	storetest.React(t, s, r.messages[6], r.rater, "red_flag", time.Now().Add(time.Minute)) // after its delete
	for message, status := range map[int]string{2: "dismissed", 3: "upheld", 5: "open", 6: "withdrawn"} {
		storetest.Report(t, s, r.messages[message-1], r.rater, "look", time.Now().Add(-time.Hour))
		storetest.Exec(t, s, "UPDATE reports SET status = $2 WHERE message_id = $1", r.messages[message-1], status)
	}
	r.do(store.Act{Kind: "delete", Target: r.messages[0]})
	r.do(store.Act{Kind: "ban", Target: banned})
	return r
}

func (r ratings) do(a store.Act) int64 {
	r.t.Helper()
	a.Reason = "a test does it"
	outcome, err := r.Act(r.t.Context(), r.boss, a)
	if err != nil {
		r.t.Fatal(err)
	}
	return outcome.Action.ID
}

func TestRater(t *testing.T) {
	t.Parallel()
	r := makeRatings(t)
	server := newServer(t, r.Store)
	moderator := staff(t, server, policy.Moderator)
	self := "/users/" + r.rater.String()
	read := func() (rater store.Rater) {
		moderator.get("/api/v1" + self + "/rater").want(http.StatusOK).json(&rater)
		return rater
	}
	is := func(what string, got *float64, want float64) {
		t.Helper()
		if got == nil || math.Abs(*got-want) > 1e-12 {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	got := read()
	if got.UserID != r.rater || got.Limit != 2000 || got.Labelled != 6 || got.Compared != 5 {
		t.Errorf("looked at %+v", got)
	}
	if len(got.Labels) != 2 || got.Labels[0].Label != "spam" ||
		got.Labels[0].Answers != (scoring.Answers{BothYes: 1, OnlyRater: 1, OnlyOthers: 1, BothNo: 1}) ||
		got.Labels[0].N != 4 {
		t.Fatalf("the labels are %+v", got.Labels)
	}
	is("the agreement on spam", got.Labels[0].Agreement, 0.5)
	is("the kappa of spam", got.Labels[0].Kappa, 0)
	if got.Labels[1].Label != "pii" || got.Labels[1].Answers != (scoring.Answers{BothYes: 1, BothNo: 1}) {
		t.Errorf("personal data: %+v", got.Labels[1])
	}
	is("the kappa of personal data", got.Labels[1].Kappa, 1)
	// 4 of 6 agree; by chance 2 and 1 would: (4 − 3) ÷ (6 − 3).
	is("the agreement", got.Agreement, 4.0/6)
	is("the kappa", got.Kappa, 1.0/3)
	if len(got.Scales) != 1 || got.Scales[0].Label != "quality" || got.Scales[0].N != 2 {
		t.Fatalf("the scales are %+v", got.Scales)
	}
	is("the distance", &got.Scales[0].Difference, (0.25+0.375)/2)
	// 2 of 3 agree; by chance (1 × 2 + 2 × 1) ÷ 3 would.
	if got.Votes.Answers != (scoring.Answers{BothYes: 1, OnlyOthers: 1, BothNo: 1}) {
		t.Errorf("the votes are %+v", got.Votes)
	}
	is("the kappa of votes", got.Votes.Kappa, 0.4)
	if want := (store.RaterFlags{Given: 6, Upheld: 2, Dismissed: 1, Open: 3}); got.Flags != want {
		t.Errorf("the flags are %+v, want %+v", got.Flags, want)
	}

	// A ban of the author upholds what was flagged before, until it is undone.
	r.do(store.Act{Kind: "ban", Target: r.fool})
	if got := read().Flags; got.Upheld != 3 || got.Open != 2 {
		t.Errorf("once the author is banned: %+v", got)
	}
	r.do(store.Act{Kind: "unban", Target: r.fool})
	if got := read().Flags; got.Upheld != 3 {
		t.Errorf("once the ban has ended: %+v", got)
	}
	mistake := r.do(store.Act{Kind: "ban", Target: r.author, Params: store.BanParams{Messages: "delete"}})
	if got := read().Flags; got.Upheld != 4 || got.Dismissed != 1 || got.Open != 1 {
		t.Errorf("with the other author banned: %+v", got)
	}
	if _, err := r.Undo(t.Context(), r.boss, mistake, "a mistake", false, ""); err != nil {
		t.Fatal(err)
	}
	if got := read().Flags; got.Upheld != 3 || got.Dismissed != 1 || got.Open != 2 {
		t.Errorf("after the undo: %+v", got)
	}
	moderator.get("/api/v1/users/" + uuid.NewString() + "/rater").want(http.StatusNotFound)
	moderator.get("/api/v1/users/7/rater").want(http.StatusBadRequest)
}

func TestRaterOnThePage(t *testing.T) {
	t.Parallel()
	r := makeRatings(t)
	server := newServer(t, r.Store)
	moderator := staff(t, server, policy.Moderator)
	a := moderator.get("/users/" + r.rater.String() + "?tab=given").want(http.StatusOK)
	text := strings.ReplaceAll(a.text(".rater"), " ", "")
	for _, part := range []string{"67 % agreement in 6 answers · kappa 0.33",
		"67 % as most others on 3 messages · kappa 0.40", "67 % 2 of 3 decided · 3 open",
		"Spam450 %110.00", "Personal data2100 %001.00", "Quality231 %", "6 labelled messages were looked at; on 1 of them"} {
		if !strings.Contains(text, strings.ReplaceAll(part, " ", "")) {
			t.Errorf("the section lacks %q: %s", part, text)
		}
	}
	if a := moderator.get("/users/" + r.fool.String() +
		"?tab=given").want(http.StatusOK); !strings.Contains(a.text(".rater"), "Nothing to compare yet") ||
		a.page().Find(".rater table").Length() != 0 {
		t.Errorf("who gave nothing: %s", a.text(".rater"))
	}
	// A first open flag is neither right nor wrong.
	storetest.React(t, r.Store, r.messages[0], r.fool, "red_flag", time.Now())
	if text := strings.Join(strings.Fields(moderator.get("/users/"+r.fool.String()+"?tab=given").text(".rater")),
		" "); !strings.Contains(text, "Reports and red flags upheld– 1 given, none decided yet") {
		t.Errorf("one open flag: %s", text)
	}
	if n := moderator.get("/users/" + r.rater.String()).page().Find(".rater").Length(); n != 0 {
		t.Error("the section stands on another tab")
	}
}
