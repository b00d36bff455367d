package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"treewarden/store/storetest"
)

// TestTextsComeBack stores every bad text as a name, notes, a message or a
// reason, by the API and by forms. An accepted text must be returned unchanged,
// and the pages that show it must be sound.
func TestTextsComeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var nodes []storetest.Node
	for range 12 {
		nodes = append(nodes, storetest.Node{Author: w.user, Text: "to be edited"})
	}
	messages := storetest.Tree(t, w.store, storetest.Node{Author: w.user, Replies: nodes})
	user := "/users/" + w.user.String()
	verdicts := [2]string{"accepted", "rejected"}
	actions := map[string]bool{}
	var taken int
	for i, text := range append(append([]string{}, badValues...), listed(t)...) {
		if i > len(badValues) && i/6%2 > 0 { // half of the listed ones; imports use all of them
			continue
		}
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			continue // refused: TestBadFields
		}
		trimmed := strings.TrimSpace(text)
		letters := utf8.RuneCountInString(trimmed)
		message := messages[1+i/6%12]
		var a answer
		var got any
		want, fine := text, letters >= 3 && letters <= 500 && len(text) < 5000
		switch turn := i % 6; turn {
		case 0:
			want, fine = trimmed, canBeSeen(text) && letters <= 256
			a = w.mod.changeUser(apiPrefix+user, map[string]any{"display_name": text})
			got = w.listedUser()["display_name"]
		case 1:
			fine = true
			a = w.mod.changeUser(apiPrefix+user, map[string]any{"notes": text})
			got = w.listedUser()["notes"]
		case 2:
			want, fine = strings.ReplaceAll(text, "\r\n", "\n"), true // a form ends its lines with CR LF
			a = w.mod.post(user, url.Values{"notes": {text}})
			got = w.listedUser()["notes"]
		case 3, 4:
			fine = letters > 0
			if turn == 3 {
				a = w.mod.send(post, apiPrefix+at(message, "/edit"), map[string]any{"text": text, "reason": "for the test"})
			} else {
				want = strings.ReplaceAll(text, "\r\n", "\n")
				a = w.mod.post(at(message, "/edit"), url.Values{"text": {text}, "reason": {"for the test"}})
			}
			got = w.mod.get(apiPrefix + at(message)).field("text")
		case 5:
			want, fine = trimmed, fine && canBeSeen(text)
			storetest.Exec(t, w.store, "UPDATE messages SET review_result = NULL WHERE message_id = $1", message)
			a = w.mod.send(post, apiPrefix+at(message, "/review"), map[string]any{"result": verdicts[i/6%2], "reason": text})
			if a.status == http.StatusOK {
				action := fmt.Sprintf("/actions/%.0f", a.field("action", "id"))
				got = w.mod.get(apiPrefix + action).field("reason")
				if i%10 == 0 {
					actions[action] = true
				}
			}
		}
		done := a.status == http.StatusOK || a.status == http.StatusSeeOther
		if done != fine || !done && a.status != http.StatusUnprocessableEntity {
			t.Errorf("%.100q, way %d: %d: %.300s", text, i%6, a.status, a.body)
		} else if done && got != want {
			t.Errorf("%.100q, way %d, came back as %.100q", text, i%6, got)
		}
		if done {
			taken++
		}
	}
	t.Logf("%d texts were taken", taken)

	pages := []string{user, user + "?tab=actions&limit=200", user + "/ban", user + "/actions?limit=200&format=csv", "/",
		"/users?limit=200", "/trollboard?limit=200", "/audit?limit=200", "/audit?limit=200&format=csv",
		"/messages?limit=200", "/messages?limit=200&format=csv", "/trees/" + messages[0].String(), "/trees/" +
			messages[0].String() + "/halt"}
	for _, message := range messages[1:] {
		pages = append(pages, at(message), at(message, "/history"), at(message, "/edit"))
	}
	for action := range actions {
		pages = append(pages, action, action+"/undo")
	}
	for _, page := range pages {
		sound(t, page, w.mod.get(page).want(http.StatusOK))
	}
}

// listedUser returns the world's user from the list of users, which is faster
// than the user's page.
func (w *world) listedUser() map[string]any {
	w.t.Helper()
	var list struct{ Items []map[string]any }
	w.mod.get(apiPrefix + "/users?q=" + w.user.String()).want(http.StatusOK).json(&list)
	if len(list.Items) != 1 {
		w.t.Fatalf("the user is listed %d times", len(list.Items))
	}
	return list.Items[0]
}

// TestSignalsComeBack makes reports and bans with odd reasons, which other
// pages than those of actions show.
func TestSignalsComeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var texts []string
	for i, text := range append(append([]string{}, badValues...), listed(t)...) {
		letters := utf8.RuneCountInString(strings.TrimSpace(text))
		if (i < len(badValues) || i%19 == 0) && utf8.ValidString(text) && !strings.ContainsRune(text, 0) && letters >= 3 &&
			letters <= 500 {
			texts = append(texts, text)
		}
	}
	nodes := make([]storetest.Node, len(texts))
	ids := storetest.Tree(t, w.store, storetest.Node{Author: w.user, Replies: nodes})[1:]
	for i, text := range texts {
		var message struct{ Reports []struct{ Reason string } }
		w.mod.send(post, apiPrefix+at(ids[i], "/report"), map[string]any{"reason": text}).want(http.StatusOK).json(&message)
		if len(message.Reports) != 1 || message.Reports[0].Reason != strings.TrimSpace(text) {
			t.Errorf("the report %.100q came back as %+v", text, message.Reports)
		}
		user := uuid.New()
		storetest.Exec(t, w.store,
			"INSERT INTO users (user_id, display_name, username) VALUES ($1, $2, $1::uuid::text)", user, text)
		path := "/users/" + user.String()
		w.mod.send(post, apiPrefix+path+"/ban", map[string]any{"reason": text,
			"until": time.Now().Add(time.Hour)}).want(http.StatusOK)
		if ban := w.mod.get(apiPrefix+path).field("ban", "reason"); ban != strings.TrimSpace(text) {
			t.Errorf("the ban's reason %.100q came back as %.100q", text, ban)
		}
		if i%9 == 0 {
			for _, page := range []string{path, path + "/unban", at(ids[i]), at(ids[i], "/delete")} {
				sound(t, page, w.mod.get(page).want(http.StatusOK))
			}
		}
	}
	for _, page := range []string{"/", "/users?limit=200&status=banned", "/users?limit=200&status=banned&format=csv",
		"/messages?has=report&limit=200", "/audit?kind=ban&limit=200"} {
		sound(t, page, w.mod.get(page).want(http.StatusOK))
	}
}
