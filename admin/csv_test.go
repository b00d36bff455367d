package admin

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"

	"treewarden/corpus/spreadsheet"
	"treewarden/policy"
	"treewarden/store/db"
	"treewarden/store/storetest"
)

// csvRows reads a file as a spreadsheet does, and checks its beginning and its ends
// of lines.
func csvRows(t *testing.T, a answer) [][]string {
	t.Helper()
	text, marked := strings.CutPrefix(a.want(200).body, spreadsheet.ByteOrderMark)
	if !marked || strings.Count(text, "\n") != strings.Count(text, "\r\n") ||
		strings.Contains(text, spreadsheet.ByteOrderMark) {
		t.Errorf("the file has no byte order mark, more than one, or other ends of lines: %.80q", a.body)
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestFilesHaveAllRows checks that a file has all rows of a filter, and not those of
// a page (fault 27).
func TestFilesHaveAllRows(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	const many = 2*db.MaxPage + 5
	author := storetest.User(t, s, "Author")
	replies := make([]storetest.Node, many-1)
	for i := range replies {
		replies[i] = storetest.Node{Author: author, Text: fmt.Sprint("\n=", i)}
	}
	tree := storetest.Tree(t, s, storetest.Node{Author: author, Replies: replies})
	storetest.Exec(t, s, `INSERT INTO users (user_id, display_name, username)
		SELECT gen_random_uuid(), 'One of many', 'many-' || n FROM generate_series(1, $1::int) n`, many)
	c := staff(t, server, policy.Moderator)
	for address, want := range map[string]int{
		"/messages?format=csv&limit=20&tree=" + tree[0].String():        many,
		"/users?format=csv&q=One+of+many":                               many,
		"/users/" + author.String() + "/messages?format=csv":            many,
		"/users/" + author.String() + "/given?format=csv":               0,
		"/messages?format=csv&review=rejected&tree=" + tree[0].String(): 0,
		"/trees?format=csv": 1,
		"/users/" + author.String() + "/messages?format=csv&lang=de": 0,
		"/users/" + author.String() + "?format=csv&tab=actions":      0,
		"/audit?format=csv&target=" + tree[1].String():               0,
		"/messages?format=csv&deleted=only&tree=" + tree[0].String(): 0,
		"/users?format=csv&sort=name&q=One+of+many&limit=1":          many,
	} {
		rows := csvRows(t, c.get(address))
		if len(rows) != want+1 {
			t.Errorf("%s: %d rows, want %d and a header", address, len(rows)-1, want)
		}
		seen := map[string]bool{}
		for _, row := range rows {
			if seen[row[0]] {
				t.Errorf("%s: %s is there twice", address, row[0])
			}
			seen[row[0]] = true
		}
	}
}
