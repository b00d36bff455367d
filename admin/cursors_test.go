package admin

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"treewarden/policy"
	"treewarden/store/storetest"
)

// TestCursorsBelongToTheirFilter (fault 14): next and prev of a list are refused
// by the same list with another filter or sort, and taken with the same one.
func TestCursorsBelongToTheirFilter(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	key := program(t, server, policy.Admin)
	ann, bob := storetest.User(t, s, "user Ann"), storetest.User(t, s, "user Bob")
	var ids []string
	for i := range 4 {
		tree := storetest.Tree(t, s, storetest.Node{Author: ann, Text: fmt.Sprint("a text ", i),
			Replies: []storetest.Node{{Author: bob, Text: fmt.Sprint("a text below ", i)}}})
		storetest.React(t, s, tree[0], bob, "-1", time.Now().Add(-time.Minute))
		storetest.React(t, s, tree[1], ann, "-1", time.Now().Add(-time.Minute))
		ids = append(ids, tree[0].String(), tree[1].String())
		storetest.User(t, s, fmt.Sprint("user ", i))
	}
	for n, members := range [][]string{ids[:4], ids[4:]} {
		storetest.Exec(t, s, `INSERT INTO wave_messages (tree_id, message_id, wave_id, user_id, lang, at, likeness)
			SELECT tree_id, message_id, $1::text::uuid, user_id, lang, created_date, 0.9 FROM messages
			WHERE message_id = ANY ($2::text[]::uuid[])`, members[0], members)
		storetest.Exec(t, s, `INSERT INTO waves (wave_id, messages, users, first, last, likeness, langs)
			SELECT wave_id, 4, 2, min(at), max(at) + $2 * interval '1 hour', 0.9, '{en}' FROM wave_messages
			WHERE wave_id = $1::text::uuid GROUP BY wave_id`, members[0], n)
	}
	var lists []string
	for _, name := range []string{"one", "two"} {
		list := key.send("POST", "/api/v1/lists", map[string]any{"name": name, "kind": "bad"}).want(200).
			field("list_id").(string)
		lists = append(lists, "/api/v1/lists/"+list)
		items := []map[string]any{}
		for _, id := range ids[:len(ids)-len(lists)] {
			items = append(items, map[string]any{"message_id": id})
		}
		key.send("POST", "/api/v1/lists/"+list+"/items", map[string]any{"items": items}).want(200)
	}
	for _, group := range [][]string{
		{"/trollboard?frame=total", "/trollboard?frame=day", "/trollboard?formula=open-assistant", "/trollboard?status=all",
			"/trollboard?sort=downvotes", "/trollboard?q=user", "/trollboard?sort=rate"},
		{"/users?q=user", "/users", "/users?role=general", "/users?status=active", "/users?sort=created"},
		{"/messages", "/messages?sort=old", "/messages?lang=en", "/messages?q=text", "/messages?q=a", "/messages?user=" +
			ann.String(), "/messages?user=" + bob.String(), "/messages?deleted=include", "/messages?since=2020-01-01",
			"/messages?since=2020-01-02", "/messages?review=accepted", "/messages?q=text&sort=best", "/messages?q=a&sort=best",
			"/messages?q=text&sort=old"},
		{"/users/" + ann.String() + "/messages", "/users/" + bob.String() + "/messages"},
		{"/users/" + ann.String() + "/given", "/users/" + bob.String() + "/given"},
		{"/waves?min=2", "/waves", "/waves?lang=en", "/waves?since=2020-01-01", "/waves?min=4"},
		{"/waves/" + ids[0], "/waves/" + ids[4]},
		{"/trees", "/trees?author=" + ann.String(), "/trees?lang=en"},
		{"/audit", "/audit?since=2020-01-01", "/audit?kind=create_list"},
		{"/lists", "/lists?kind=bad"},
		{strings.TrimPrefix(lists[0], "/api/v1") + "/items", strings.TrimPrefix(lists[1], "/api/v1") + "/items",
			strings.TrimPrefix(lists[1], "/api/v1") + "/items?state=present",
			strings.TrimPrefix(lists[0], "/api/v1") + "/items?q=text"},
	} {
		for i, from := range group {
			with := func(address, cursor string) string {
				sign := "?"
				if strings.Contains(address, "?") {
					sign = "&"
				}
				return "/api/v1" + address + sign + "limit=1" + cursor
			}
			first := key.get(with(from, "")).want(200)
			next, ok := first.field("next").(string)
			if !ok {
				t.Errorf("%s has one page: %s", from, first.body)
				continue
			}
			second := key.get(with(from, "&cursor="+next)).want(200)
			prev, ok := second.field("prev").(string)
			if !ok {
				t.Errorf("%s has no page before the second", from)
				continue
			}
			key.get(with(from, "&cursor="+prev)).want(200)
			for j, to := range group {
				if i == j {
					continue
				}
				for _, cursor := range []string{next, prev} {
					a := key.get(with(to, "&cursor="+url.QueryEscape(cursor)))
					if a.status != 400 || !strings.Contains(a.body, "cursor") {
						t.Errorf("%s takes a cursor of %s: %d", to, from, a.status)
					}
				}
			}
		}
	}
}
