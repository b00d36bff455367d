package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"treewarden/scoring"
	"treewarden/store"
)

// TestFigure checks that rounding errors of sums are not printed.
func TestFigure(t *testing.T) {
	t.Parallel()
	tenth, seven := 0.1, 0.7
	for figure, want := range map[float64]string{3 * tenth: "0.3", 6 * seven: "4.2", 12345678: "12345678",
		-0.001: "-0.001", 0: "0"} {
		if got := figureOf(figure); got != want {
			t.Errorf("%v is written %q, want %q", figure, got, want)
		}
	}
}

// testExplain explains a user's score in each time frame and by each formula.
func testExplain(t *testing.T, dir string) {
	t.Helper()
	const user = "a0000000-0000-4000-8000-00000000000a"
	var lines string
	for i := range 14 {
		lines += fmt.Sprintf(`{"message_id": "a0000000-0000-4000-8000-%012d", "user_id": %q, "role": "prompter", `+
			`"text": "x", "lang": "en", "created_date": %q, "emojis": {"red_flag": 2}}`+"\n",
			i+1, user, time.Now().AddDate(0, 0, -3).Add(-time.Duration(i)*time.Minute).UTC().Format(time.RFC3339))
	}
	must(t, dir, lines, "import", "-")
	for _, window := range scoring.Windows {
		for _, formula := range scoring.Formulas {
			args := []string{"score", "explain", user, "--frame", string(window), "--formula", formula.Name}
			text := must(t, dir, "", args...)
			var score store.Score
			if err := json.Unmarshal([]byte(must(t, dir, "", append(args, "--json")...)), &score); err != nil {
				t.Fatal(err)
			}
			want, messages := 84.0, 14
			if window == scoring.Day {
				want, messages = 0, 0
			}
			if score.Score != want || score.Window != window || score.Formula != formula.Name ||
				len(score.Evidence[scoring.RedFlags]) != messages {
				t.Errorf("%s, %s: %+v", window, formula.Name, score)
			}
			words := []string{"red_flags     28       3      84", "red_flags by 14 messages\n  " +
				"a0000000-0000-4000-8000-000000000001\n", "000000000010\n  and 4 more; --json names them\n", "rate"}
			if messages == 0 {
				words = []string{"red_flags      0       3       0", "rate"}
			}
			for _, word := range words {
				if !strings.Contains(text, word) {
					t.Errorf("%s, %s lacks %q:\n%s", window, formula.Name, word, text)
				}
			}
			if messages == 0 && strings.Contains(text, " by ") {
				t.Errorf("%s names messages:\n%s", window, text)
			}
		}
	}
}
