package admin

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"

	"treewarden/store"
)

// TestBadIngest puts bad values into every field of every type of line. The
// server stores good lines and names bad ones, and every stored line can be
// read.
func TestBadIngest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wrong := []any{nil, true, 1, -1.5, 1e300, []any{}, map[string]any{}, map[string]any{"spam": "1"},
		map[string]any{"spam": nil}, map[string]any{"a\x00": 0.5}, map[string]any{strings.Repeat("x", 500): 0.5}}
	for _, value := range badValues {
		if utf8.ValidString(value) {
			wrong = append(wrong, value)
		}
	}
	n := 0
	for kind, good := range map[string]map[string]any{
		"user": {"user_id": uuid.New(), "display_name": "Cleo", "auth_method": "discord", "username": "cleo"},
		"tree": {"message_tree_id": w.prompt, "state": "growing", "lang": "en", "origin": "here", "goal_tree_size": 5,
			"max_depth": 5, "max_children_count": 5},
		"message": {"message_id": uuid.New(), "parent_id": w.prompt, "message_tree_id": w.prompt, "user_id": w.user,
			"role": "assistant", "text": "A reply", "lang": "en",
			"created_date": "2023-02-05T12:23:50Z", "synthetic": false, "model_name": "m"},
		"label":             {"message_id": w.reply, "user_id": w.user, "labels": map[string]any{"spam": 1}},
		"reaction":          {"message_id": w.reply, "user_id": w.user, "emoji": "+1", "op": "add"},
		"report":            {"message_id": w.reply, "user_id": w.user, "reason": "for the test"},
		"classifier_output": {"message_id": w.reply, "model": "m", "scores": map[string]any{"toxicity": 0.5}},
	} {
		good["type"], good["at"] = kind, "2023-02-05T12:23:50Z"
		var lines []string
		add := func(change func(map[string]any)) {
			n++
			line := maps.Clone(good)
			line["id"] = fmt.Sprint(kind, n)
			if kind == "message" && change != nil {
				line["message_id"] = uuid.New()
			}
			if change != nil {
				change(line)
			}
			text, err := json.Marshal(line)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, string(text))
		}
		add(nil)
		for _, field := range append(slices.Collect(maps.Keys(good)), "id", "nothing") {
			for _, value := range wrong {
				add(func(line map[string]any) { line[field] = value })
			}
			add(func(line map[string]any) { delete(line, field) })
		}
		var done store.Ingested
		w.collector.ingestLines(lines...).want(http.StatusOK).json(&done)
		if done.Accepted+done.Duplicate+done.Rejected != len(lines) || done.Rejected != len(done.Errors) ||
			done.Accepted == 0 || done.Rejected < len(lines)/4 {
			t.Errorf("%d lines of the type %s: %d accepted, %d duplicate, %d rejected, %d named", len(lines), kind,
				done.Accepted, done.Duplicate, done.Rejected, len(done.Errors))
		}
		for _, fault := range done.Errors {
			if fault.Line < 1 || fault.Line > len(lines) || fault.Code == "" || fault.Message == "" {
				t.Errorf("a line of the type %s is named %+v", kind, fault)
			}
			if fault.Line == 1 {
				t.Errorf("the good line of the type %s is refused: %+v", kind, fault)
			}
		}
	}
	for _, path := range []string{"/messages?deleted=include&limit=200", "/trees?limit=200", "/users?limit=200",
		"/trollboard?limit=200&status=all", "/messages/" + w.reply.String(), "/users/" + w.user.String(), "/trees/" +
			w.prompt.String()} {
		for _, address := range []string{path, apiPrefix + path} {
			sound(t, address, w.mod.get(address).want(http.StatusOK))
		}
	}
	if faults, err := w.store.VerifyScores(t.Context()); err != nil || len(faults) > 0 {
		t.Errorf("the counters: %+v, %v", faults, err)
	}
	t.Logf("%d lines", n)
}

// TestIngestOfTooManyLines sends a body with the shortest possible lines. The
// server refuses it as a whole, because the answer would be a hundred times as
// long.
func TestIngestOfTooManyLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	person := `{"type": "user", "id": "too-many", "user_id": "` + uuid.NewString() + `"}`
	if body := w.collector.ingestLines(person, strings.Repeat("1\n",
		ingestLines)).want(http.StatusRequestEntityTooLarge).body; !strings.Contains(body, "too_large") || len(body) > 1000 {
		t.Errorf("the answer has %d bytes and begins with %.200s", len(body), body)
	}
	var done store.Ingested
	w.collector.ingestLines(person, strings.Repeat("1\n", ingestLines-1)).want(http.StatusOK).json(&done)
	if done.Accepted != 1 || done.Rejected != ingestLines-1 {
		t.Errorf("as many lines as may be: %d accepted, %d rejected", done.Accepted, done.Rejected)
	}
}
