package store_test

import (
	"context"
	"strings"
	"testing"

	"treewarden/corpus"
	"treewarden/store/storetest"
)

// TestImportAddsToMessages checks that an import adds new values to known messages
// and keeps the values that the file does not have.
func TestImportAddsToMessages(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	importText(t, s, line(1, 0, ""))
	wantOne(t, s, "1", `SELECT version FROM messages`)
	for _, c := range []struct{ what, more, want, sql string }{
		{"author", `"user_id": "` + testID(99) + `"`, testID(99), `SELECT user_id FROM messages`},
		{"the tree's author", "", testID(99), `SELECT user_id FROM trees`},
		{"date", `"user_id": "` + testID(99) + `", "created_date": "2023-02-05T12:23:50.922881+00:00"`,
			"2023-02-05 12:23:50.922881+00", `SELECT created_date FROM messages`},
		{"the tree's date", "", "2023-02-05 12:23:50.922881+00", `SELECT created_date FROM trees`},
		{"the author's date", "", "infinity",
			`SELECT CASE WHEN last_activity_date = '2023-02-05 12:23:50.922881+00' THEN 'infinity' END FROM users`},
		{"language", `"lang": "fr"`, "fr", `SELECT lang FROM messages`},
		{"the tree's language", "", "fr", `SELECT lang FROM trees`},
		{"review count", `"review_count": 3`, "3", `SELECT review_count FROM messages`},
		{"a lower review count", `"review_count": 2`, "3", `SELECT review_count FROM messages`},
		{"review", `"review_result": true`, "true", `SELECT review_result FROM messages`},
		{"another review", `"review_result": false`, "false", `SELECT review_result FROM messages`},
		{"rank", `"rank": 0`, "0", `SELECT rank FROM messages`},
		{"model", `"model_name": "m", "synthetic": true`, "(m,t)", `SELECT (model_name, synthetic) FROM messages`},
		{"events", `"events": {"emoji": []}`, `{"emoji": []}`, `SELECT events FROM messages`},
		{"an empty record of emojis", `"emojis": {}`, "(0,0,0,)",
			`SELECT (upvotes, downvotes, red_flags, other) FROM emoji_aggregates`},
		{"emojis", `"emojis": {"+1": 2, "red_flag": 1, "skull": 1}`, `(2,0,1,"{""skull"": 1}")`,
			`SELECT (upvotes, downvotes, red_flags, other) FROM emoji_aggregates`},
		{"more emojis", `"emojis": {"-1": 3, "+1": 1, "skull": 4, "100": 1}`, `(2,3,1,"{""100"": 1, ""skull"": 4}")`,
			`SELECT (upvotes, downvotes, red_flags, other) FROM emoji_aggregates`},
		{"labels", `"labels": {"spam": {"value": 0.5, "count": 2}, "odd": {"value": 1, "count": 1}}`,
			`(0.5,2,"{""odd"": {""count"": 1, ""value"": 1}}")`, `SELECT (spam, spam_count, other) FROM label_aggregates`},
		{"more labels", `"labels": {"spam": {"value": 0.25, "count": 4}, "pii": {"value": 0, "count": 4}, ` +
			`"odd": {"value": 0.5, "count": 2}, "even": {"value": 0, "count": 1}}`,
			`(0.25,4,0,4,"{""odd"": {""count"": 2, ""value"": 0.5}, ""even"": {""count"": 1, ""value"": 0}}")`,
			`SELECT (spam, spam_count, pii, pii_count, other) FROM label_aggregates`},
		{"fewer labels", `"labels": {"spam": {"value": 1, "count": 1}, "odd": {"value": 1, "count": 1}}`,
			`(0.25,4,0,4,"{""odd"": {""count"": 2, ""value"": 0.5}, ""even"": {""count"": 1, ""value"": 0}}")`,
			`SELECT (spam, spam_count, pii, pii_count, other) FROM label_aggregates`},
		{"detoxify", `"detoxify": {"insult": 0.5}`, "({0.5},)", `SELECT (scores, toxicity) FROM classifier_outputs`},
		{"more detoxify", `"detoxify": {"toxicity": 0.25}`, `("{0.5,0.25}",0.25)`,
			`SELECT (scores, toxicity) FROM classifier_outputs`},
		{"less detoxify", `"detoxify": {"insult": 0.75, "toxicity": null}`, `("{0.75,0.25}",0.25)`,
			`SELECT (scores, toxicity) FROM classifier_outputs`},
		{"another model", `"classifiers": {"other": {"a": 1}}`, "2", `SELECT count(*) FROM classifier_outputs`},
		{"text", `"text": "other"`, "other", `SELECT text FROM messages`},
		{"state", `"tree_state": "growing"`, "(growing,t)", `SELECT (state, active) FROM trees`},
		{"another state", `"tree_state": "ranking"`, "(ranking,t)", `SELECT (state, active) FROM trees`},
		{"deleted", `"deleted": true`, "(t," + testID(1) + ")", `SELECT (deleted, deleted_root) FROM messages`},
		{"nothing", `"deleted": null`, "(t," + testID(1) + ")", `SELECT (deleted, deleted_root) FROM messages`},
	} {
		before := dump(t, s, true)
		if c.more != "" {
			more := line(1, 0, c.more)
			if c.what != "text" {
				more = line(1, 0, `"text": "`+one(t, s, `SELECT text FROM messages`)+`", `+c.more)
			}
			summary := importText(t, s, more)
			if known := strings.HasPrefix(c.what, "a lower") || strings.HasPrefix(c.what, "fewer") ||
				c.what == "nothing"; known != (summary.Unchanged == 1) || known == (summary.Updated == 1) {
				t.Errorf("%s: updated %d, unchanged %d", c.what, summary.Updated, summary.Unchanged)
			} else if known != (diff(before, dump(t, s, true)) == "") {
				t.Errorf("%s: rows were written: %v", c.what, !known)
			}
		}
		if got := one(t, s, c.sql); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
	// The values of the first imports are kept.
	wantOne(t, s, "("+testID(99)+",fr,3,f,0,m,t)",
		`SELECT (user_id, lang, review_count, review_result, rank, model_name, synthetic) FROM messages`)
	before := dump(t, s, true)
	wantCounts(t, importText(t, s, line(1, 0, `"text": "other"`)), 0, 0, 0, 0, 1, 0, 0)
	if d := diff(before, dump(t, s, true)); d != "" {
		t.Errorf("a line without new values changed rows: %s", d)
	}
}

// TestImportRaisesVersions checks that an import raises the version of a message,
// so that staff who edit it get a conflict.
func TestImportRaisesVersions(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	importText(t, s, line(1, 0, ""))
	importText(t, s, line(1, 0, `"emojis": {"+1": 1}, "labels": {}`))
	wantOne(t, s, "2", `SELECT version FROM messages`)
	importText(t, s, line(1, 0, `"emojis": {"+1": 2}, "lang": "de"`))
	wantOne(t, s, "3", `SELECT version FROM messages`)
	wantOne(t, s, "2", `SELECT version FROM trees`)
}

// TestImportKeepsDecisions checks that an import overwrites no decision of staff.
func TestImportKeepsDecisions(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	file := line(1, 0, `"tree_state": "growing", "review_result": true, "deleted": true, "user_id": "`+testID(99)+`"`) +
		line(2, 1, `"user_id": "`+testID(98)+`"`)
	importText(t, s, file)
	storetest.Exec(t, s, `UPDATE messages SET text = 'by staff', edited = true,
		deleted = false, deleted_root = NULL, deletion_by_staff = true,
		review_result = false, review_by_staff = true WHERE message_id = $1`, testID(1))
	storetest.Exec(t, s, `UPDATE trees SET state = 'halted_by_moderator', active = false, state_by_staff = true`)
	storetest.Exec(t, s, `UPDATE users SET erased_at = now(), display_name = 'erased' WHERE user_id = $1`, testID(98))
	storetest.Exec(t, s, `UPDATE messages SET text = '' WHERE message_id = $1`, testID(2))
	storetest.Exec(t, s, `UPDATE users SET banned_at = now() WHERE user_id = $1`, testID(99))
	if err := s.RebuildScores(context.Background()); err != nil {
		t.Fatal(err)
	}
	before := dump(t, s, true)
	again := importText(t, s, file)
	wantCounts(t, again, 0, 0, 0, 0, 1, 1, 0)
	if again.Errors[0].Code != corpus.UserErased {
		t.Errorf("the text of an erased user: %v", again.Errors)
	}
	if d := diff(before, dump(t, s, true)); d != "" {
		t.Errorf("an import changed a decision: %s", d)
	}
	// Messages of banned users are imported too.
	wantCounts(t, importText(t, s, line(3, 2, `"user_id": "`+testID(99)+`"`)), 0, 1, 0, 0, 0, 0, 0)
}

func TestImportConflicts(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	importText(t, s, line(1, 0, "")+line(2, 1, "")+line(11, 0, ""))
	before := dump(t, s, true)
	for what, bad := range map[string]string{
		"another parent": line(2, 11, ""),
		"another role":   strings.Replace(line(2, 1, ""), "assistant", "prompter", 1),
		"a prompt":       `{"prompt": ` + strings.TrimSpace(line(2, 0, "")) + "}\n",
		"another tree": `{"prompt": ` + strings.TrimSpace(line(13, 0, `"replies": [`+strings.TrimSpace(line(2, 13, ""))+
			`]`)) + "}\n",
	} {
		summary := importText(t, s, bad)
		if summary.Rejected != 1 || summary.Errors[0].Code != corpus.Conflict {
			t.Errorf("%s: %+v", what, summary)
		}
	}
	if d := diff(before, dump(t, s, true)); d != "" {
		t.Errorf("refused lines changed something: %s", d)
	}
	// A line without a parent does not contradict the known one.
	wantCounts(t, importText(t, s, line(2, 0, `"lang": "en"`)), 0, 0, 0, 1, 0, 0, 0)
	wantOne(t, s, testID(1), `SELECT parent_id FROM messages WHERE message_id = $1`, testID(2))
}

func TestImportRepeatsInOneFile(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	wantCounts(t, importText(t, s, line(1, 0, "")+line(1, 0, "")+line(2, 1, "")+line(1, 0, "")), 1, 2, 0, 0, 2, 0, 0)
	wantCounts(t, importText(t, s, line(3, 0, "")+line(3, 0, `"lang": "en"`)+line(3, 0, "")), 1, 1, 0, 1, 1, 0, 0)
	wantOne(t, s, "en", `SELECT lang FROM messages WHERE message_id = $1`, testID(3))
	wantCounts(t, importText(t, s, line(2, 5, "")+line(2, 5, "")), 0, 0, 0, 0, 0, 2, 0)
}
