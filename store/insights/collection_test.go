package insights_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/insights"
	"treewarden/store/storetest"
)

// node is a message of a file, as far as the size of the collection needs it.
type node struct {
	ID      string    `json:"message_id"`
	UserID  *string   `json:"user_id"`
	Created time.Time `json:"created_date"`
	Lang    string    `json:"lang"`
	Deleted bool      `json:"deleted"`
	Review  *bool     `json:"review_result"`
	Replies []node    `json:"replies"`
}

// groups returns the group of a message in each grouping.
func (n node) groups(state string) map[string]string {
	review := insights.Pending
	if n.Review != nil {
		review = map[bool]string{true: insights.Accepted, false: insights.Rejected}[*n.Review]
	}
	return map[string]string{insights.ByLang: n.Lang, insights.ByState: state, insights.ByReview: review,
		insights.ByMonth: n.Created.UTC().Format("2006-01")}
}

// sized holds what plain Go counts of a file: ids by "of by key lang".
type sized map[string]map[string]bool

func (s sized) add(of, lang string, groups map[string]string, id string) {
	for _, within := range []string{"", lang} {
		for by, key := range groups {
			for _, group := range []string{key, "*"} {
				name := fmt.Sprint(of, " ", by, " ", group, " ", within)
				if s[name] == nil {
					s[name] = map[string]bool{}
				}
				s[name][id] = true
			}
		}
	}
}

// sizes counts the file by plain Go. The sample has some trees twice.
func sizes(t *testing.T, file []byte) sized {
	t.Helper()
	all := sized{}
	lines := bufio.NewScanner(bytes.NewReader(file))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var tree struct {
			ID     string `json:"message_tree_id"`
			State  string `json:"tree_state"`
			Prompt node   `json:"prompt"`
		}
		if err := json.Unmarshal(lines.Bytes(), &tree); err != nil {
			t.Fatal(err)
		}
		var add func(n node)
		add = func(n node) {
			groups := n.groups(tree.State)
			all.add(insights.OfMessages, n.Lang, groups, n.ID)
			if n.Deleted {
				all.add("deleted", n.Lang, groups, n.ID)
			}
			if n.UserID != nil {
				all.add(insights.OfUsers, n.Lang, groups, *n.UserID)
			}
			for _, reply := range n.Replies {
				add(reply)
			}
		}
		add(tree.Prompt)
		all.add(insights.OfTrees, tree.Prompt.Lang, tree.Prompt.groups(tree.State), tree.ID)
	}
	return all
}

// TestCollectionOfTheSample compares the size of each group with figures computed from the
// file.
func TestCollectionOfTheSample(t *testing.T) {
	t.Parallel()
	file := sample(t)
	s, _ := imported(t, file)
	a := counted(t, s)
	want := sizes(t, file)
	for _, of := range insights.Units {
		for _, by := range insights.CollectionGroups {
			for _, lang := range []string{"", "en", "es", "xx"} {
				c, err := a.Collection(ctx, of, by, "", lang)
				if err != nil || c.AsOf == nil {
					t.Fatal(err)
				}
				size := func(of, key string) int64 { return int64(len(want[fmt.Sprint(of, " ", by, " ", key, " ", lang)])) }
				if c.N != size(of, "*") || lang != "xx" && c.N == 0 {
					t.Errorf("%s by %s in %q: %d, want %d", of, by, lang, c.N, size(of, "*"))
				}
				groups := 0
				for name := range want {
					var o, b, key, within string
					_, _ = fmt.Sscan(name, &o, &b, &key, &within)
					if o == of && b == by && key != "*" && within == lang {
						groups++
					}
				}
				if len(c.Groups) != groups || lang == "" && groups == 0 {
					t.Errorf("%s by %s in %q: %d groups, want %d", of, by, lang, len(c.Groups), groups)
				}
				for _, g := range c.Groups {
					if g.N != size(of, g.Key) || !near(g.Share, float64(g.N)/float64(c.N)) {
						t.Errorf("%s by %s in %q, %s: %d, want %d", of, by, lang, g.Key, g.N, size(of, g.Key))
					}
					if of == insights.OfMessages && *g.Deleted != size("deleted", g.Key) {
						t.Errorf("%s in %q, %s: %d deleted, want %d", by, lang, g.Key, *g.Deleted, size("deleted", g.Key))
					}
				}
			}
		}
	}
}

// spread is a store with messages in all kinds of groups: dates that are no month, no
// language, hostile languages, a tree without a prompt.
func spread(t *testing.T) *store.Store {
	t.Helper()
	s := storetest.New(t)
	author, other := storetest.User(t, s, "Author"), storetest.User(t, s, "Other")
	now := time.Now()
	ids := storetest.Tree(t, s, storetest.Node{Author: author, At: now.AddDate(0, 0, -20), Replies: []storetest.Node{
		{Author: other, At: now.Add(-time.Hour), Lang: "it's"}, {Author: author, At: now.AddDate(0, 0, -3), Deleted: true},
		{Author: author, At: now.AddDate(-1, 0, 0)}}})
	storetest.Tree(t, s, storetest.Node{Author: other, At: now, Lang: "=1+1", Deleted: true})
	storetest.Exec(t, s, `UPDATE messages SET created_date = '-infinity', lang = NULL, review_result = false
		WHERE message_id = $1`, ids[3])
	storetest.Exec(t, s, `UPDATE messages SET lang = '', user_id = NULL, review_result = NULL
		WHERE message_id = $1`, ids[2])
	storetest.Exec(t, s, `INSERT INTO trees (tree_id, state, lang, created_date)
		VALUES ($1, 'ranking', NULL, '0044-03-15 BC')`, uuid.New())
	return s
}

// TestCollectionGroups checks the groups of what has no language, date, review, prompt or
// user, time frames and wrong values.
func TestCollectionGroups(t *testing.T) {
	t.Parallel()
	s := spread(t)
	a := counted(t, s)
	for _, c := range []struct {
		of, by, frame, lang, want string
	}{
		{"", "", "", "", "5:2 und:2:1 =1+1:1:1 en:1:0 it's:1:0"},
		{"messages", "review", "", "", "5:2 accepted:3:1 pending:1:1 rejected:1:0"},
		{"messages", "state", "day", "", "2:1 growing:2:1"},
		{"messages", "lang", "week", "", "3:2 =1+1:1:1 it's:1:0 und:1:1"},
		{"messages", "review", "", "und", "2:1 pending:1:1 rejected:1:0"},
		{"users", "lang", "", "", "2 =1+1:1 en:1 it's:1 und:1"},
		{"users", "review", "", "", "2 accepted:2 rejected:1"},
		{"users", "state", "week", "", "1 growing:1"},
		{"trees", "state", "", "", "3:1 growing:2:1 ranking:1:0"},
		{"trees", "review", "", "", "3:1 accepted:2:1 pending:1:0"},
		{"trees", "lang", "", "", "3:1 =1+1:1:1 en:1:0 und:1:0"},
		{"trees", "lang", "day", "en", "0:0"},
	} {
		got, err := a.Collection(ctx, c.of, c.by, c.frame, c.lang)
		if err != nil {
			t.Fatal(err)
		}
		size := func(n int64, deleted *int64) string {
			if deleted == nil {
				return fmt.Sprint(n)
			}
			return fmt.Sprintf("%d:%d", n, *deleted)
		}
		text := size(got.N, got.Deleted)
		for _, g := range got.Groups {
			text += " " + g.Key + ":" + size(g.N, g.Deleted)
		}
		if text != c.want {
			t.Errorf("%s by %s, %s, %q: %s, want %s", c.of, c.by, c.frame, c.lang, text, c.want)
		}
	}
	for _, of := range []string{insights.OfMessages, insights.OfTrees} {
		c, err := a.Collection(ctx, of, insights.ByMonth, "", "")
		if err != nil || c.Groups[0].Key != insights.UnknownMonth || c.Groups[0].N != 1 {
			t.Errorf("%s by month: %v, %+v", of, err, c.Groups)
		}
	}
	for name, wrong := range map[string][4]string{"of": {"lists"}, "by": {"", "all"}, "frame": {"", "", "year"}} {
		var parameter store.BadParameter
		if _, err := a.Collection(ctx, wrong[0], wrong[1], wrong[2], wrong[3]); !errors.As(err, &parameter) ||
			parameter.Name != name {
			t.Errorf("%s: %v", name, err)
		}
	}

	// A difference is found.
	storetest.Exec(t, s, "UPDATE insight_collection SET deleted = deleted + 1 WHERE of = 'trees' AND by = 'all'")
	if check, err := a.Verify(ctx); err != nil || len(check.Found) == 0 {
		t.Errorf("a wrong figure is not found: %v, %+v", err, check)
	}
}

// TestCollectionQueries runs the queries that the figures name: they give the same.
func TestCollectionQueries(t *testing.T) {
	t.Parallel()
	s := spread(t)
	a := counted(t, s)
	for _, of := range insights.Units {
		for _, by := range insights.CollectionGroups {
			for _, frame := range scoring.Windows {
				for _, lang := range []string{"", "it's", policy.Undetermined} {
					c, err := a.Collection(ctx, of, by, string(frame), lang)
					if err != nil {
						t.Fatal(err)
					}
					of := map[string]int64{}
					for _, g := range c.Groups {
						of[g.Key] = g.N
					}
					checkSizes(t, s, c.Queries["groups"], of)
					all := map[string]int64{}
					if c.N > 0 {
						all[""] = c.N
					}
					checkSizes(t, s, c.Queries["all"], all)
				}
			}
		}
	}
}

// checkSizes compares the rows of a query with sizes of groups.
func checkSizes(t *testing.T, s *store.Store, sql string, want map[string]int64) {
	t.Helper()
	rows, err := storetest.DB(t, s).Query(ctx, sql)
	if err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	defer rows.Close()
	found := 0
	for rows.Next() {
		var key string
		var n, deleted int64
		if err := rows.Scan(&key, &n, &deleted); err != nil {
			t.Fatal(err)
		}
		if found++; want[key] != n {
			t.Errorf("%q has %d, want %d\n%s", key, n, want[key], sql)
		}
	}
	if rows.Err() != nil || found != len(want) {
		t.Errorf("%d rows, want %d, %v\n%s", found, len(want), rows.Err(), sql)
	}
}

// TestCollectionOfNothing reads and counts an empty database.
func TestCollectionOfNothing(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	a := access(t, s)
	for range 2 {
		for _, of := range insights.Units {
			c, err := a.Collection(ctx, of, "", "", "")
			if err != nil || c.N != 0 || len(c.Groups) != 0 || (c.Deleted == nil) != (of == insights.OfUsers) {
				t.Errorf("%v, %+v", err, c)
			}
		}
		counted(t, s)
	}
}
