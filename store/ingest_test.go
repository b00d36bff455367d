package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/db"
	"treewarden/store/storetest"
)

// collector returns the actor of a front end's key.
func collector(t testing.TB, s *store.Store) store.Actor {
	t.Helper()
	actor := storetest.Staff(t, s, policy.Collector)
	actor.Via = "key"
	return actor
}

// event returns the JSON line of an event of a type, from pairs of names and values.
// Without an "id" among them the line gets a new one.
func event(kind string, pairs ...any) string {
	line := map[string]any{"type": kind, "id": uuid.NewString()}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		line[name] = pairs[i+1]
	}
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func run(t testing.TB, s *store.Store, lines ...string) store.Ingested {
	t.Helper()
	done, err := s.Ingest(ctx, store.CommandLine, []byte(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// accepted ingests lines and fails unless all are accepted.
func accepted(t testing.TB, s *store.Store, lines ...string) {
	t.Helper()
	if done := run(t, s, lines...); done.Accepted != len(lines) {
		t.Fatalf("of %d lines: %+v", len(lines), done)
	}
}

// refused ingests a bad line and returns the code of its error.
func refused(t testing.TB, s *store.Store, line string) string {
	t.Helper()
	done := run(t, s, line)
	if done.Accepted != 0 || done.Rejected != 1 || len(done.Errors) != 1 || done.Errors[0].Line != 1 ||
		done.Errors[0].Message == "" {
		t.Fatalf("%.200s: %+v", line, done)
	}
	return done.Errors[0].Code
}

// TestIngestTakesEveryType ingests lines of every type into an empty database, in
// one request.
func TestIngestTakesEveryType(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	ada, bob, prompt, reply := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	at := "2026-11-20T10:11:12.123456Z"
	accepted(t, s,
		event("user", "user_id", ada, "display_name", "Ada", "auth_method", "discord", "username", "ada#1"),
		event("user", "user_id", bob),
		event("tree", "message_tree_id", prompt, "state", "growing", "lang", "de", "goal_tree_size", 12.0, "max_depth", 5,
			"max_children_count", 3, "origin", "web"),
		event("message", "message_id", prompt, "parent_id", nil, "message_tree_id", prompt, "user_id", ada, "role",
			"prompter", "text", "Hallo?", "lang", "de", "created_date", at),
		event("message", "message_id", reply, "parent_id", prompt, "user_id", bob, "role", "assistant", "text", "Ja.", "lang",
			"de", "created_date", at, "synthetic", true, "model_name", "m1"),
		event("label", "message_id", reply, "user_id", ada, "labels",
			map[string]float64{"spam": 1, "quality": 0.25, "made_up": 0.5}, "at", at),
		event("reaction", "message_id", reply, "user_id", ada, "emoji", "red_flag", "op", "add", "at", at),
		event("report", "message_id", reply, "user_id", ada, "reason", "it is spam", "at", at),
		event("classifier_output", "message_id", reply, "model", "detoxify", "scores",
			map[string]float64{"toxicity": 0.9, "insult": 0.1}, "at", at))
	wantOne(t, s, "(Ada,discord,ada#1,general)",
		`SELECT (display_name, auth_method, username, role) FROM users WHERE user_id = $1`, ada)
	wantOne(t, s, "(growing,t,12,5,3,web,de,"+ada.String()+")",
		`SELECT (state, active, goal_tree_size, max_depth, max_children_count, origin, lang, user_id) FROM trees
			WHERE tree_id = $1`, prompt)
	wantOne(t, s, `(1,assistant,de,Ja.,t,m1,"2026-11-20 10:11:12.123456+00")`,
		`SELECT (depth, role, lang, text, synthetic, model_name, created_date) FROM messages WHERE message_id = $1`, reply)
	wantOne(t, s, `(1,0.25,"{""made_up"": 0.5}")`, `SELECT (spam, quality, other) FROM label_votes`)
	wantOne(t, s, `(0.9,"{0.1,0.9}")`, `SELECT (toxicity, scores) FROM classifier_outputs`)
	// The flag and the report are by one person.
	wantOne(t, s, "(1,1,1)", `SELECT (red_flags, spam_labels, toxic_messages) FROM user_signals
		WHERE user_id = $1 AND grain = 0`, bob)
	wantOne(t, s, "2026-11-20 10:11:12.123456+00", `SELECT last_activity_date FROM users WHERE user_id = $1`, ada)
	wantOne(t, s, "(de,1)", `SELECT (lang, messages) FROM user_languages WHERE user_id = $1`, bob)
	verify(t, s)
}

// TestIngestNamesBadLines checks the error code of each kind of bad line, and that
// the line changes nothing.
func TestIngestNamesBadLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user, message := w.troll, w.reply
	labels := func(value any) map[string]any { return map[string]any{"spam": value} }
	text := func(n int) string { return strings.Repeat("ä", n) }
	for code, lines := range map[string][]string{
		"not_json": {`{`, `nonsense`, `{"type": "user"} {}`},
		"repeated_key": {`{"type": "user", "type": "user"}`, `{"type": "user", "id": "x", "colour": 1, "colour": 1}`,
			`{"type": "label", "id": "x", "labels": {"spam": 1, "spam": 0}}`,
			`{"type": "label", "id": "x", "labels": {"spam": 1, "sp\u0061m": 0}}`,
			`{"type": "classifier_output", "id": "x", "scores": {"toxicity": 1, "toxicity": 1}}`},
		"invalid_utf8":   {"{\"type\": \"user\", \"id\": \"\xff\"}"},
		"lone_surrogate": {`{"type": "user", "id": "\ud800"}`},
		"unknown_type":   {event("vote", "user_id", user)},
		"wrong_type": {`[]`, `7`, `null`, event("user", "user_id", 7),
			event("label", "message_id", message, "user_id", user, "labels", labels("1")), event("message", "synthetic", "yes"),
			event("user", "id", 7)},
		"missing_field": {`{"type": "user"}`, `{"id": "x"}`, event("user"),
			event("label", "message_id", message, "user_id", user),
			event("label", "message_id", message, "user_id", user, "labels", map[string]any{}),
			event("report", "message_id", message, "user_id", user, "reason", " "),
			event("message", "message_id", uuid.New(), "user_id", user, "text", "x"),
			event("message", "message_id", uuid.New(), "user_id", user, "role", "prompter"),
			event("reaction", "message_id", message, "user_id", user),
			event("classifier_output", "message_id", message, "scores", labels(1)), event("tree"),
			event("user", "user_id", user, "id", "")},
		"bad_id": {event("user", "user_id", "7"), event("user", "user_id", uuid.Nil),
			event("user", "user_id", "("+user.String()+")"),
			event("message", "message_id", uuid.New(), "parent_id", "x", "user_id", user, "role", "prompter", "text", "x"),
			event("tree", "message_tree_id", "t")},
		"bad_date": {event("user", "user_id", user, "at", "yesterday"),
			event("user", "user_id", user, "at", "9999-12-31T00:00:00Z"),
			event("user", "user_id", user, "at", "0000-01-01T00:00:00Z"),
			event("user", "user_id", user, "at", "2026-01-01T00:00:00+24:00"),
			event("user", "user_id", user, "at", "2026-01-01T00:00:00,5Z"),
			event("message", "message_id", uuid.New(), "user_id", user, "role", "prompter", "text", "x", "at", "yesterday",
				"created_date", "2026-01-01T00:00:00Z"),
			event("message", "message_id", uuid.New(), "user_id", user, "role", "prompter", "text", "x", "created_date",
				"2026-13-01T00:00:00Z")},
		"wrong_value": {event("label", "message_id", message, "user_id", user, "labels", labels(1.1)),
			event("label", "message_id", message, "user_id", user, "labels", labels(-0.1)),
			event("label", "message_id", message, "user_id", user, "labels", labels(nil)),
			event("reaction", "message_id", message, "user_id", user, "emoji", "+1", "op", "toggle"),
			event("user", "user_id", user, "auth_method", "key"),
			event("tree", "message_tree_id", uuid.New(), "max_depth", 1.5),
			event("tree", "message_tree_id", uuid.New(), "max_depth", -1),
			event("classifier_output", "message_id", message, "model", "m", "scores", labels(nil))},
		"unknown_role":  {event("message", "message_id", uuid.New(), "user_id", user, "role", "system", "text", "x")},
		"unknown_state": {event("tree", "message_tree_id", uuid.New(), "state", "blooming")},
		"unknown_emoji": {event("reaction", "message_id", message, "user_id", user, "emoji", "👍"),
			event("reaction", "message_id", message, "user_id", user, "emoji", "")},
		"too_long": {event("message", "message_id", uuid.New(), "user_id", user, "role", "prompter", "text", text(20_001)),
			event("user", "user_id", user, "username", text(513)), event("user", "user_id", user, "auth_method", text(65)),
			event("user", "user_id", user, "id", text(201)),
			event("message", "message_id", uuid.New(), "user_id", user, "role", "prompter", "text", "x",
				"model_name", text(1025)),
			event("tree", "message_tree_id", uuid.New(), "origin", text(1025)),
			event("report", "message_id", message, "user_id", user, "reason", text(2001)),
			event("label", "message_id", message, "user_id", user, "labels", map[string]any{text(257): 1}),
			event("user", "user_id", user, "padding", text(1<<19)),
			event("message", "message_id", uuid.New(), "user_id", user, "role", "prompter", "text", "x", "lang", text(257))},
		"nul_character": {event("message", "message_id", uuid.New(), "user_id", user, "role", "prompter", "text", "a\x00b"),
			event("user", "user_id", user, "id", "\x00"),
			event("label", "message_id", message, "user_id", user, "labels", map[string]any{"\x00": 1}),
			event("report", "message_id", message, "user_id", user, "reason", "\x00")},
		"unknown_user": {event("label", "message_id", message, "user_id", uuid.New(), "labels", labels(1)),
			event("message", "message_id", uuid.New(), "user_id", uuid.New(), "role", "prompter", "text", "x")},
		"unknown_message": {event("label", "message_id", uuid.New(), "user_id", user, "labels", labels(1)),
			event("classifier_output", "message_id", uuid.New(), "model", "never", "scores", labels(1))},
		"unknown_parent": {event("message", "message_id", uuid.New(), "parent_id", uuid.New(), "user_id", user, "role",
			"prompter", "text", "x")},
		"wrong_tree": {event("message", "message_id", uuid.New(), "message_tree_id", uuid.New(), "user_id", user, "role",
			"prompter", "text", "x"),
			event("message", "message_id", uuid.New(), "parent_id", message, "message_tree_id", uuid.New(), "user_id", user,
				"role", "prompter", "text", "x")},
		"conflict": {event("message", "message_id", message, "parent_id", w.prompt, "user_id", user, "role", "assistant",
			"text", "another text")},
	} {
		for _, line := range lines {
			before := dump(t, w.Store, true)
			if got := refused(t, w.Store, line); got != code {
				t.Errorf("%.200s: %s, want %s", line, got, code)
			}
			if d := diff(before, dump(t, w.Store, true)); d != "" {
				t.Errorf("%.200s changed rows: %s", line, d)
			}
		}
	}
	wantOne(t, w.Store, "0", "SELECT count(*) FROM ingest_events")
	done := run(t, w.Store, "", event("user", "user_id", uuid.New()), "\r", "broken", event("user", "user_id", uuid.New()))
	if done.Accepted != 2 || done.Rejected != 1 || done.Errors[0].Line != 4 {
		t.Errorf("good lines beside a bad one: %+v", done)
	}
	_, err := w.Ingest(ctx, w.moderator, nil)
	var forbidden *store.Forbidden
	if !errors.As(err, &forbidden) {
		t.Errorf("a moderator's ingest: %v", err)
	}
	if _, err := w.Ingest(ctx, collector(t, w.Store), nil); err != nil {
		t.Errorf("a collector's ingest: %v", err)
	}
}

// TestIngestOnce checks that a line with a known id is not counted again, and that a
// refused line can be sent again with the same id.
func TestIngestOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	later := uuid.New()
	lines := []string{
		event("label", "message_id", w.reply, "user_id", w.troll, "labels", map[string]float64{"spam": 1}),
		event("report", "message_id", w.reply, "user_id", w.troll, "reason", "first"),
		event("reaction", "message_id", later, "user_id", w.troll, "emoji", "-1"),
	}
	lines = append(lines, lines[0])
	if done := run(t, w.Store, lines...); done.Accepted != 2 || done.Duplicate != 1 || done.Rejected != 1 {
		t.Errorf("first: %+v", done)
	}
	before := state(t, w.Store)
	if done := run(t, w.Store, lines[:2]...); done.Accepted != 0 || done.Duplicate != 2 {
		t.Errorf("again: %+v", done)
	}
	if state(t, w.Store) != before {
		t.Error("duplicate lines changed rows")
	}
	message := event("message", "message_id", later, "parent_id", w.reply, "user_id", w.other, "role", "prompter", "text",
		"x")
	if done := run(t, w.Store, message, lines[2]); done.Accepted != 2 {
		t.Errorf("with its message: %+v", done)
	}
	// The same message with another event id is also a duplicate.
	if done := run(t, w.Store, event("message", "message_id", later, "parent_id", w.reply, "user_id", w.other, "role",
		"prompter", "text", "x")); done.Duplicate != 1 {
		t.Errorf("the same message: %+v", done)
	}
	verify(t, w.Store)
}

// TestIngestAppliesLinesInOrder checks that a line may refer to earlier lines of its
// request, but not to later ones.
func TestIngestAppliesLinesInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user, parent, child := uuid.New(), uuid.New(), uuid.New()
	newUser := event("user", "user_id", user)
	prompt := event("message", "message_id", parent, "user_id", user, "role", "prompter", "text", "x")
	reply := event("message", "message_id", child, "parent_id", parent, "user_id", user, "role", "assistant", "text", "y")
	done := run(t, w.Store, reply, prompt, newUser, reply, prompt, reply)
	codes := []string{}
	for _, fault := range done.Errors {
		codes = append(codes, fmt.Sprint(fault.Line, fault.Code))
	}
	if done.Accepted != 3 || !slices.Equal(codes, []string{"1unknown_user", "2unknown_user", "4unknown_parent"}) {
		t.Errorf("%+v", done)
	}
	wantOne(t, w.Store, "(initial_prompt_review,t)", "SELECT (state, active) FROM trees WHERE tree_id = $1", parent)

	react := func(emoji, op string) string {
		return event("reaction", "message_id", w.reply, "user_id", user, "emoji", emoji, "op", op)
	}
	wantReactions := func(want string) {
		t.Helper()
		wantOne(t, w.Store, want,
			"SELECT coalesce(string_agg(emoji, ' ' ORDER BY emoji COLLATE \"C\"), '') FROM reactions WHERE user_id = $1", user)
		verify(t, w.Store)
	}
	accepted(t, w.Store, react("+1", "add"), react("red_flag", "add"))
	wantReactions("+1 red_flag")
	accepted(t, w.Store, react("-1", "add"))
	wantReactions("-1 red_flag")
	accepted(t, w.Store, react("+1", "add"), react("-1", "add"), react("-1", "remove"), react("red_flag", "remove"),
		react("red_flag", "add"))
	wantReactions("red_flag")
	accepted(t, w.Store, react("red_flag", "remove"), react("red_flag", "remove"))
	wantReactions("")
	own := func(emoji string) string {
		return event("reaction", "message_id", w.reply, "user_id", w.other, "emoji", emoji)
	}
	accepted(t, w.Store, own("+1"), own("-1"), own("rofl"))
	wantOne(t, w.Store, "rofl", "SELECT string_agg(emoji, ' ') FROM reactions WHERE user_id = $1", w.other)

	label := func(name string, value float64) string {
		return event("label", "message_id", w.reply, "user_id", user, "labels", map[string]float64{name: value})
	}
	accepted(t, w.Store, label("spam", 1), label("pii", 1))
	wantOne(t, w.Store, "(,1)", "SELECT (spam, pii) FROM label_votes WHERE user_id = $1", user)
	accepted(t, w.Store, label("spam", 0.5))
	wantOne(t, w.Store, "(0.5,)", "SELECT (spam, pii) FROM label_votes WHERE user_id = $1", user)

	report := func(reason string) string {
		return event("report", "message_id", w.reply, "user_id", user, "reason", reason)
	}
	accepted(t, w.Store, report("one"), report("two"))
	accepted(t, w.Store, report("three"))
	wantOne(t, w.Store, "one\ntwo\nthree", "SELECT string_agg(reason, '|') FROM reports WHERE user_id = $1", user)

	output := func(name string, value float64) string {
		return event("classifier_output", "message_id", w.reply, "model", "m", "scores", map[string]float64{name: value})
	}
	accepted(t, w.Store, output("toxicity", 0.9), output("insult", 0.5), output("toxicity", 0.8))
	accepted(t, w.Store, output("insult", 0.75))
	wantOne(t, w.Store, `(0.8,"{0.8,0.75}")`, "SELECT (toxicity, scores) FROM classifier_outputs")
	verify(t, w.Store)
}

// TestIngestKeepsDecisions checks that an ingest overwrites no decision of staff and
// refuses lines by banned users.
func TestIngestKeepsDecisions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := "Renamed by staff"
	act(t, w.Store, w.admin, store.Act{Kind: "update_user", Target: w.troll,
		Params: store.UserPatch{DisplayName: &name, ShowOnLeaderboard: new(false)}})
	act(t, w.Store, w.admin, store.Act{Kind: "ban", Target: w.troll})
	act(t, w.Store, w.admin, store.Act{Kind: "halt", Target: w.prompt})
	before := one(t, w.Store, "SELECT (role, banned_at, show_on_leaderboard, display_name) FROM users WHERE user_id = $1",
		w.troll)
	accepted(t, w.Store, event("user", "user_id", w.troll, "display_name", "Troll again", "username", "troll2", "role",
		"admin"),
		event("user", "user_id", w.admin.UserID, "display_name", "Not the admin", "auth_method", "local", "username",
			"somebody"),
		event("tree", "message_tree_id", w.prompt, "state", "growing", "goal_tree_size", 99))
	if after := one(t, w.Store,
		"SELECT (role, banned_at, show_on_leaderboard, display_name) FROM users WHERE user_id = $1",
		w.troll); after != before {
		t.Errorf("%s became %s", before, after)
	}
	wantOne(t, w.Store, "troll2", "SELECT username FROM users WHERE user_id = $1", w.troll)
	wantOne(t, w.Store, w.admin.Name, "SELECT username FROM users WHERE user_id = $1", w.admin.UserID)
	wantOne(t, w.Store, "(halted_by_moderator,f,99)", "SELECT (state, active, goal_tree_size) FROM trees WHERE tree_id "+
		"= $1", w.prompt)
	for _, line := range []string{
		event("label", "message_id", w.reply, "user_id", w.troll, "labels", map[string]float64{"spam": 1}),
		event("reaction", "message_id", w.reply, "user_id", w.troll, "emoji", "-1"),
		event("report", "message_id", w.reply, "user_id", w.troll, "reason", "revenge"),
		event("message", "message_id", uuid.New(), "parent_id", w.reply, "user_id", w.troll, "role", "prompter", "text", "x"),
	} {
		if code := refused(t, w.Store, line); code != "user_banned" {
			t.Errorf("%s: %s", line, code)
		}
	}
	if code := refused(t, w.Store, event("user", "user_id", uuid.New(), "auth_method", "local", "username",
		"troll2")); code != "name_taken" {
		t.Errorf("a user name that another user has: %s", code)
	}
	act(t, w.Store, w.admin, store.Act{Kind: "unban", Target: w.troll})
	accepted(t, w.Store, event("reaction", "message_id", w.reply, "user_id", w.troll, "emoji", "-1"))
	// A state without a decision of staff follows the front end, and the counters
	// follow the state.
	ids := storetest.Tree(t, w.Store, storetest.Node{Author: w.troll})
	accepted(t, w.Store, event("tree", "message_tree_id", ids[0], "state", "aborted_low_grade"))
	wantOne(t, w.Store, "1", "SELECT spam_prompts FROM user_signals WHERE user_id = $1 AND grain = 0", w.troll)
	verify(t, w.Store)
}

// TestIngestBelowADeletedMessage checks that a late reply to a deleted message is
// deleted too, and is restored with its parent.
func TestIngestBelowADeletedMessage(t *testing.T) {
	t.Parallel()
	for _, restore := range []string{"undelete", "undo"} {
		w := newWorld(t)
		deleted := act(t, w.Store, w.moderator, store.Act{Kind: "delete", Target: w.reply})
		late, later := uuid.New(), uuid.New()
		accepted(t, w.Store, event("message", "message_id", late, "parent_id", w.deep, "user_id", w.other, "role",
			"assistant", "text", "late"),
			event("message", "message_id", later, "parent_id", late, "user_id", w.troll, "role", "prompter", "text", "later"))
		wantOne(t, w.Store, fmt.Sprintf("(t,%d,%s)", deleted.Action.Key, w.reply),
			"SELECT (deleted, deleted_action, deleted_root) FROM messages WHERE message_id = $1", later)
		verify(t, w.Store)
		if restore == "undelete" {
			act(t, w.Store, w.moderator, store.Act{Kind: "undelete", Target: w.reply})
		} else if _, err := w.Undo(ctx, w.moderator, deleted.Action.ID, "it was right", false, ""); err != nil {
			t.Fatal(err)
		}
		wantOne(t, w.Store, "false", "SELECT bool_or(deleted) FROM messages WHERE message_id = ANY ($1)",
			[]uuid.UUID{w.reply, w.deep, late, later})
		verify(t, w.Store)
	}
}

// TestIngestsAtOnce sends each event twice at the same time, while staff ban, delete
// and undo. No count is lost, and each event counts once.
func TestIngestsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := []uuid.UUID{w.troll, w.other, storetest.User(t, w.Store, "Third"), storetest.User(t, w.Store, "Fourth")}
	messages := []uuid.UUID{w.prompt, w.reply, w.deep}
	for range 4 {
		messages = append(messages, storetest.Tree(t, w.Store, storetest.Node{Author: users[rand.IntN(4)],
			Replies: []storetest.Node{{Author: users[rand.IntN(4)]}}})...)
	}
	const requests, each = 24, 12
	batches := make([][]string, requests)
	for i := range batches {
		for range each {
			message, user := messages[rand.IntN(len(messages))], users[rand.IntN(4)]
			batches[i] = append(batches[i], []string{
				event("label", "message_id", message, "user_id", user, "labels", map[string]float64{"spam": float64(rand.IntN(2))}),
				event("reaction", "message_id", message, "user_id", user, "emoji", []string{"+1", "-1", "red_flag"}[rand.IntN(3)],
					"op", []string{"add", "remove"}[rand.IntN(2)]),
				event("report", "message_id", message, "user_id", user, "reason", "at once"),
				event("message", "message_id", uuid.New(), "parent_id", message, "user_id", user, "role", "prompter", "text", "x",
					"lang", "en"),
				event("message", "message_id", uuid.New(), "user_id", user, "role", "prompter", "text", "x", "lang", "de"),
				event("classifier_output", "message_id", message, "model", "m", "scores",
					map[string]float64{"toxicity": rand.Float64()}),
				event("user", "user_id", uuid.New()),
			}[rand.IntN(7)])
		}
	}
	var wait sync.WaitGroup
	results := make([]store.Ingested, 2*requests)
	for i := range results {
		wait.Go(func() {
			if err := whileBusy(func() (err error) {
				results[i], err = w.Ingest(ctx, store.CommandLine, []byte(strings.Join(batches[i/2], "\n")))
				return err
			}); err != nil {
				t.Errorf("request %d: %v", i, err)
			}
		})
	}
	for range 2 {
		wait.Go(func() {
			for range 8 {
				a := []store.Act{{Kind: "ban", Target: users[2]}, {Kind: "unban", Target: users[2]},
					{Kind: "delete", Target: messages[rand.IntN(len(messages))]}}[rand.IntN(3)]
				a.Reason = "at once"
				var outcome store.Outcome
				err := whileBusy(func() (err error) {
					outcome, err = w.Act(ctx, w.admin, a)
					return err
				})
				if err == nil && a.Kind == "delete" {
					err = whileBusy(func() error {
						_, err := w.Undo(ctx, w.admin, outcome.Action.ID, "and back", false, "")
						return err
					})
				}
				if err != nil && !isConflict(err) {
					t.Errorf("%s: %v", a.Kind, err)
				}
			}
		})
	}
	wait.Wait()
	sum := store.Ingested{}
	for _, r := range results {
		sum.Accepted, sum.Duplicate, sum.Rejected = sum.Accepted+r.Accepted, sum.Duplicate+r.Duplicate, sum.Rejected+
			r.Rejected
	}
	wantOne(t, w.Store, fmt.Sprint(sum.Accepted), "SELECT count(*) FROM ingest_events")
	if sum.Accepted+sum.Duplicate+sum.Rejected != 2*requests*each {
		t.Errorf("%+v of %d lines", sum, 2*requests*each)
	}
	verify(t, w.Store)
}

// whileBusy does something again while the console is busy, as a front end does: how long a
// request waits for others depends on the machine.
func whileBusy(do func() error) error {
	for {
		if err := do(); !db.IsBusy(err) {
			return err
		}
	}
}

// TestIngestCancelled cancels a request after various times. Its lines are written
// either all or not at all, and the request can be sent again.
func TestIngestCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const n = 200
	var lines []string
	for range n / 2 {
		id := uuid.New()
		lines = append(lines, event("message", "message_id", id, "parent_id", w.reply, "user_id", w.other, "role", "prompter",
			"text", "x", "lang", "en"),
			event("reaction", "message_id", id, "user_id", w.troll, "emoji", "red_flag"))
	}
	cancelled := 0
	for wait := time.Millisecond; ; wait += 3 * time.Millisecond {
		short, cancel := context.WithTimeout(ctx, wait)
		done, err := w.Ingest(short, store.CommandLine, []byte(strings.Join(lines, "\n")))
		cancel()
		written := one(t, w.Store, "SELECT (count(*), (SELECT count(*) FROM messages WHERE lang = 'en' AND text = 'x'), "+
			"(SELECT count(*) FROM reactions)) FROM ingest_events")
		verify(t, w.Store)
		if err == nil {
			if written != "(200,100,100)" || done.Accepted+done.Duplicate != n {
				t.Errorf("the request that was not cancelled: %s, %+v", written, done)
			}
			break
		}
		if written != "(0,0,0)" && written != "(200,100,100)" {
			t.Fatalf("cancelled after %s: %s", wait, written)
		}
		cancelled++
	}
	if done := run(t, w.Store, lines...); done.Duplicate != n {
		t.Errorf("once more: %+v", done)
	}
	t.Logf("cancelled %d times", cancelled)
}

// TestIngestBesideAnImport imports the messages of a tree that an ingest has added,
// and then ingests a reply to them.
func TestIngestBesideAnImport(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	accepted(t, s, event("tree", "message_tree_id", testID(1), "state", "growing", "origin", "web"))
	wantCounts(t, importText(t, s, line(1, 0, "")+line(2, 1, "")), 1, 2, 0, 0, 0, 0, 0)
	accepted(t, s, event("user", "user_id", testID(9)),
		event("message", "message_id", testID(3), "parent_id", testID(2), "user_id", testID(9), "role", "prompter", "text",
			"by ingest"))
	verify(t, s)
}

// TestEvents checks that events are returned in the order of their ids, each once,
// and that a waiting reader gets new ones at once.
func TestEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	reader := collector(t, w.Store)
	none, err := w.Events(ctx, reader, 0, 0)
	if err != nil || len(none.Items) != 0 || none.Next != 0 {
		t.Fatalf("before anything happened: %+v, %v", none, err)
	}
	go func() {
		time.Sleep(50 * time.Millisecond)
		if _, err := w.Act(ctx, w.moderator, store.Act{Kind: "ban", Target: w.troll, Reason: "because",
			Params: store.BanParams{Messages: "delete"}}); err != nil {
			t.Errorf("ban: %v", err)
		}
	}()
	first, err := w.Events(ctx, reader, 0, 20*time.Second)
	if err != nil || len(first.Items) == 0 || first.Items[0].Kind != "ban" || *first.Items[0].UserID != w.troll {
		t.Fatalf("the ban: %+v, %v", first, err)
	}
	act(t, w.Store, w.moderator, store.Act{Kind: "halt", Target: w.prompt})
	last := int64(0)
	kinds := []string{}
	for {
		page, err := w.Events(ctx, reader, last, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Items) == 0 {
			break
		}
		for _, e := range page.Items {
			if e.ID <= last {
				t.Errorf("event %d after %d", e.ID, last)
			}
			last, kinds = e.ID, append(kinds, e.Kind)
		}
	}
	if kinds[0] != "ban" || kinds[1] != "delete" || kinds[len(kinds)-1] != "halt" {
		t.Errorf("the kinds: %v", kinds)
	}
	if _, err := w.Events(ctx, w.moderator, 0, 0); err == nil {
		t.Error("a moderator read the events")
	}
}
