package admin

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/uuid"

	"treewarden/corpus"
	"treewarden/policy"
	"treewarden/store/storetest"
	"treewarden/views"
)

// TestOddNamesAreShown ingests users with names that show nothing, and with a very
// long one. The API answers the names as they came; pages show the short id in place
// of the first, and the beginning of the last (fault 6).
func TestOddNamesAreShown(t *testing.T) {
	t.Parallel()
	server := newServer(t, storetest.New(t))
	front := program(t, server, policy.Collector)
	admin := signedIn(t, server, storetest.Staff(t, server.store, policy.Admin))
	long := strings.Repeat("語", 3000)
	for _, name := range []string{"", "   ", "\u200b\u2060\t", long} {
		user, message := uuid.New(), uuid.New()
		shown := user.String()[:8]
		if name == long {
			shown = strings.Repeat("語", corpus.MaxDisplayName-1) + "…"
		}
		line := func(kind, more string) string {
			return fmt.Sprintf(`{"type": %q, "id": %q, "user_id": %q, %s}`, kind, uuid.New(), user, more)
		}
		quoted, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		about := `"message_id": "` + message.String() + `", `
		front.ingestLines(line("user", `"display_name": `+string(quoted)),
			line("message", about+`"role": "prompter", "text": "what they wrote"`),
			line("report", about+`"reason": "their own report"`),
			line("label", about+`"labels": {"spam": 1}`)).want(200)
		if got := admin.get("/api/v1/users/" + user.String()).want(200).field("display_name"); got != name {
			t.Errorf("the API answers the name %.100q as %.100q", name, got)
		}
		for _, page := range []string{"/users", "/trollboard?status=all", "/messages", "/messages/" + message.String()} {
			a := admin.get(page).want(200)
			if got := a.text(`a[href="/users/` + user.String() + `"] bdi`); !strings.Contains(got, shown) {
				t.Errorf("%s shows %q as %.100q, want %.100q", page, name, got, shown)
			}
		}
		for page, selector := range map[string]string{
			"/users/" + user.String(): "h1", "/users/" + user.String() + "/ban": "bdi",
			"/messages?user=" + user.String(): "h1", "/users/" + user.String() + "/score": "h1",
			"/trees": "td", "/": "#main",
		} {
			a := admin.get(page).want(200)
			if got := a.text(selector); !strings.Contains(got, shown) {
				t.Errorf("%s shows %q as %.100q, want %.100q", page, name, got, shown)
			}
		}
	}
}

// TestFormsFollowTheLimits compares the limits of fields with the one table of them
// (fault 12).
func TestFormsFollowTheLimits(t *testing.T) {
	t.Parallel()
	for field, c := range map[string]struct {
		file  string
		limit int
	}{
		`name="text"`:         {"partials/fields/edit.html", corpus.MaxText},
		`name="notes"`:        {"partials/userform.html", corpus.MaxNotes},
		`name="display_name"`: {"partials/userform.html", corpus.MaxDisplayName},
	} {
		text, err := fs.ReadFile(views.Templates(), c.file)
		if err != nil {
			t.Fatal(err)
		}
		_, after, found := strings.Cut(string(text), field)
		tag, _, _ := strings.Cut(after, ">")
		if limit := fmt.Sprintf(`maxlength="%d"`, c.limit); !found || !strings.Contains(tag, limit) {
			t.Errorf("%s of %s lacks %s", field, c.file, limit)
		}
	}
}
