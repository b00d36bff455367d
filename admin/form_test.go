package admin

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/store"
)

// everything is a form with a field of each kind.
type everything struct {
	pageQuery
	Text   string             `form:"text" validate:"omitempty,min=2,max=5"`
	Choice string             `form:"choice" validate:"omitempty,oneof=a b"`
	Empty  *string            `form:"empty"`
	On     bool               `form:"on"`
	Maybe  *bool              `form:"maybe"`
	Count  *int               `form:"count"`
	At     *time.Time         `form:"at"`
	ID     *uuid.UUID         `form:"id"`
	IDs    []uuid.UUID        `form:"ids"`
	Values map[string]float64 `form:"values"`
	Hidden string
}

func TestFill(t *testing.T) {
	t.Parallel()
	id := uuid.New()
	values, err := url.ParseQuery("text=abc&choice=b&empty=&on=on&maybe=false&count=-3" +
		"&at=2026-11-30T12:00&limit=7&cursor=c" +
		"&id=" + id.String() + "&ids=" + id.String() + "&ids=" + id.String() +
		"&value[x]=9&x]=9&other[x]=9&x]=9&values[x]=0.5&values[y]=&values[z]=1&Hidden=no&other=ignored")
	if err != nil {
		t.Fatal(err)
	}
	var form everything
	if wrong := merge(fill(values, &form), checked(&form)); len(wrong) > 0 {
		t.Fatalf("wrong: %v", wrong)
	}
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	switch {
	case form.Text != "abc", form.Choice != "b", form.Empty == nil || *form.Empty != "", !form.On, form.Maybe == nil ||
		*form.Maybe,
		form.Count == nil || *form.Count != -3, form.At == nil || !form.At.Equal(at), form.ID == nil || *form.ID != id,
		len(form.IDs) != 2,
		form.Limit == nil || *form.Limit != 7, form.Cursor != "c", len(form.Values) != 2 || form.Values["x"] != 0.5,
		form.Hidden != "":
		t.Errorf("the form is %+v", form)
	}
	// A hidden field before a checkbox: the last one counts.
	values, _ = url.ParseQuery("on=false&on=true")
	form = everything{}
	if fill(values, &form); !form.On {
		t.Error("the checkbox after its hidden field did not count")
	}
}

func TestFillRefuses(t *testing.T) {
	t.Parallel()
	for query, field := range map[string]string{
		"text=a": "text", "text=abcdef": "text", "choice=c": "choice", "on=perhaps": "on", "count=1.5": "count",
		"count=99999999999999999999": "count",
		"at=tomorrow":                "at", "at=10000-01-01": "at", "id=7": "id",
		"id={0f3a7b1c-5d2e-4f60-8a9b-0c1d2e3f4a5b": "id",
		"ids=7":          "ids",
		"values[x]=much": "values", "values[%00]=1": "values", "text=%00ab": "text", "text=%ff%fe": "text",
		"limit=0": "limit", "limit=-1": "limit", "limit=201": "limit",
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		var form everything
		wrong := merge(fill(values, &form), checked(&form))
		if field == "" && len(wrong) > 0 || field != "" && (len(wrong) != 1 || wrong[field] == "") {
			t.Errorf("%s: wrong is %v, want %q", query, wrong, field)
		}
	}
}

func TestLocalPath(t *testing.T) {
	t.Parallel()
	for path, ok := range map[string]bool{
		"/": true, "/users?q=a%20b&x=1#top": true, "": false, "users": false, "//evil.example": false,
		"/\\evil.example": false, "https://evil.example": false,
		"/\t/evil": false, "/a b": false, "/é": false, "/%2f/evil": false, "/%5cevil": false, "///evil": false, "/./": true,
		"/\x00": false,
	} {
		if got := localPath(path, "fallback"); (got == path) != ok {
			t.Errorf("localPath(%q) = %q", path, got)
		}
	}
}

func TestChangeQuery(t *testing.T) {
	t.Parallel()
	values := url.Values{"sort": {"rate"}, "cursor": {"abc"}, "done": {"7"}, "q": {"a&b"}}
	got, err := changeQuery(values, "sort", "", "frame", "day")
	if err != nil || got != "?frame=day&q=a%26b" {
		t.Errorf("changeQuery: %q, %v", got, err)
	}
	if got, _ := changeQuery(values, "cursor", "next"); got != "?cursor=next&q=a%26b&sort=rate" {
		t.Errorf("changeQuery: %q", got)
	}
	if _, err := changeQuery(values, "odd"); err == nil {
		t.Error("a name without a value passed")
	}
}

func TestFigures(t *testing.T) {
	t.Parallel()
	half, nothing := 0.5, (*float64)(nil)
	for got, want := range map[string]string{
		number(int64(1234567)): "1,234,567", number(-0.001): "0", number(12.0): "12", number(12.345): "12.35",
		number(-3.5): "−3.5", number(nothing): "–", number(1e9): "1,000,000,000",
		weight(0.125): "0.125", weight(-0.001): "−0.001", weight(3.0): "3", weight(1e-300): "1e−300", weight(0.0): "0",
		percent(half): "50 %", percent(&half): "50 %", percent(nothing): "–", percent(0.004): "0 %",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	now := time.Now()
	for at, want := range map[time.Time]string{
		now: "just now", now.Add(-3 * time.Hour): "3 hours ago", now.Add(49 * time.Hour): "in 2 days", {}: "–",
		time.Date(2001, 2, 3, 0, 0, 0, 0, time.UTC): "3 Feb 2001",
	} {
		if got := ago(at); got != want {
			t.Errorf("ago(%v) = %q, want %q", at, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"Ada Lovelace": "AL", "ada": "A", "": "?", "  ": "?", "!!!": "?",
		"a b c": "AC", "лесовик": "Л", "nightowl_466": "N4", "مريم حداد": "مح", "💥": "?", "\u3164": "?", "\u3164 Bo": "B"} {
		if got := initials(name); got != want {
			t.Errorf("initials(%q) = %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{"": "(no name)", " \t": "(no name)", "\u200b\u200d": "(no name)",
		"\u3164": "(no name)", "x": "x", "🌳": "🌳", " ـ": " ـ",
		"\u202enimda": "nimda", "a\u2066b\u2069": "ab", "\u202e": "(no name)"} {
		if got := named(name); got != want {
			t.Errorf("named(%q) = %q, want %q", name, got, want)
		}
	}
	for code, want := range map[string]string{"de": "German", "pt-BR": "Brazilian Portuguese", "": "unknown", "xx": "xx",
		"not a code": "not a code", "zh": "Chinese"} {
		if got := langName(code); got != want {
			t.Errorf("langName(%q) = %q, want %q", code, got, want)
		}
	}
	if got := excerpt("\u202enimda", 60); got != "nimda" {
		t.Errorf("an excerpt turns its direction: %q", got)
	}
	long := excerpt(strings.Repeat("ж ", 100), 60)
	if n := len([]rune(long)); n != 60 || !strings.HasSuffix(long, "…") {
		t.Errorf("an excerpt of %d letters: %s", n, long)
	}
}

func FuzzFill(f *testing.F) {
	for _, seed := range []string{"text=abc&limit=7", "values[x]=1", "at=2026-11-30", "ids=%00&on=%ff",
		"values[]=1&values[=2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return // fill takes values that ParseQuery could read.
		}
		var form everything
		if wrong := merge(fill(values, &form), checked(&form)); len(wrong) == 0 && strings.ContainsRune(form.Text, 0) {
			t.Errorf("a NUL came through: %q", query)
		}
		if path := localPath(form.Text, "/"); store.Malformed(path) != "" && strings.HasPrefix(path, "//") {
			t.Errorf("%q leads away", path)
		}
	})
}
