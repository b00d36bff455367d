package store_test

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"treewarden/corpus"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/storetest"
)

// legacyNode has the data of a message that Open-Assistant's statistics read.
type legacyNode struct {
	MessageID string         `json:"message_id"`
	UserID    *string        `json:"user_id"`
	Deleted   bool           `json:"deleted"`
	Emojis    map[string]int `json:"emojis"`
	Labels    map[string]struct {
		Value float64 `json:"value"`
		Count float64 `json:"count"`
	} `json:"labels"`
	Replies []legacyNode `json:"replies"`
}

// legacyScores computes Open-Assistant's troll score of every user in a file of
// trees. It shares no code with the program: it is plain Go over the lines.
func legacyScores(t *testing.T, file string) map[string]float64 {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	scores, seen := map[string]float64{}, map[string]bool{}
	var walk func(n legacyNode)
	walk = func(n legacyNode) {
		for _, reply := range n.Replies {
			defer walk(reply)
		}
		if seen[n.MessageID] || n.UserID == nil {
			return
		}
		seen[n.MessageID] = true
		if n.Deleted || n.Emojis == nil {
			return
		}
		score := 3*float64(n.Emojis["red_flag"]) - float64(n.Emojis["+1"]) + float64(n.Emojis["-1"])
		for _, label := range []string{"lang_mismatch", "not_appropriate", "pii", "hate_speech", "sexual_content",
			"political_content"} {
			score += math.Round(n.Labels[label].Value * n.Labels[label].Count)
		}
		scores[*n.UserID] += score
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var tree struct {
			State  string     `json:"tree_state"`
			Prompt legacyNode `json:"prompt"`
		}
		if err := json.Unmarshal(lines.Bytes(), &tree); err != nil {
			t.Fatal(err)
		}
		if !seen[tree.Prompt.MessageID] && tree.State == "aborted_low_grade" && tree.Prompt.UserID != nil {
			scores[*tree.Prompt.UserID]++
		}
		walk(tree.Prompt)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return scores
}

// board returns all rows of a board by user id.
func board(t *testing.T, s *store.Store, actor store.Actor, window scoring.Window,
	formula scoring.Formula) map[uuid.UUID]store.BoardRow {
	t.Helper()
	rows := map[uuid.UUID]store.BoardRow{}
	filter := store.BoardFilter{Window: window, Formula: formula, Status: "all", Parts: true,
		Page: store.Page{Limit: 200}}
	for {
		page, err := s.Board(ctx, actor, filter)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range page.Items {
			rows[row.UserID] = row
		}
		if page.Next == nil {
			return rows
		}
		filter.Cursor = *page.Next
	}
}

// TestLegacyFormulaOnRealTrees compares the scores of the formula open-assistant
// with legacyScores, for every user of a real file.
func TestLegacyFormulaOnRealTrees(t *testing.T) {
	t.Parallel()
	file := filepath.Join(corpora(t), "oasst", "oasst2-sample.trees.jsonl")
	s := storetest.New(t)
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := s.Import(ctx, corpus.NewReader(f, file).All(), store.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	admin := storetest.Staff(t, s, "admin")
	want := legacyScores(t, file)
	got := board(t, s, admin, scoring.Total, scoring.OpenAssistant)
	for user, score := range want {
		if row := got[uuid.MustParse(user)]; row.Score != score {
			t.Errorf("%s: %v, want %v", user, row.Score, score)
		}
	}
	for user, row := range got {
		if want[user.String()] != row.Score {
			t.Errorf("%s: %v, want %v", user, row.Score, want[user.String()])
		}
	}
	if len(want) < 500 {
		t.Errorf("only %d users were compared", len(want))
	}
	verify(t, s)
}
