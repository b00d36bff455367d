package store_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/corpus"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/storetest"
)

// referenceNode is what the old console's statistics read of a message.
type referenceNode struct {
	MessageID string         `json:"message_id"`
	UserID    *string        `json:"user_id"`
	Deleted   bool           `json:"deleted"`
	Emojis    map[string]int `json:"emojis"`
	Labels    map[string]struct {
		Value float64 `json:"value"`
		Count float64 `json:"count"`
	} `json:"labels"`
	Replies []referenceNode `json:"replies"`
}

// referenceScores computes the old console's troll score of every user over a
// file of trees, by another way than the program's: plain Go over the lines.
func referenceScores(t *testing.T, file string) map[string]float64 {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	scores, seen := map[string]float64{}, map[string]bool{}
	var walk func(n referenceNode)
	walk = func(n referenceNode) {
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
		for _, label := range []string{"lang_mismatch", "not_appropriate", "pii", "hate_speech", "sexual_content", "political_content"} {
			score += math.Round(n.Labels[label].Value * n.Labels[label].Count)
		}
		scores[*n.UserID] += score
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var tree struct {
			State  string        `json:"tree_state"`
			Prompt referenceNode `json:"prompt"`
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

// board reads a whole board, whatever its length, by user.
func board(t *testing.T, s *store.Store, actor store.Actor, frame scoring.Frame, formula scoring.Formula) map[uuid.UUID]store.BoardRow {
	t.Helper()
	rows := map[uuid.UUID]store.BoardRow{}
	filter := store.BoardFilter{Frame: frame, Formula: formula, Status: "all", Page: store.Page{Limit: 200}}
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

// TestReferenceFormulaOnRealTrees: for every user of a real file the formula
// open-assistant gives what the old console's statistics would.
func TestReferenceFormulaOnRealTrees(t *testing.T) {
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
	want := referenceScores(t, file)
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

// TestCountersFollowWhateverHappens drives a random sequence of actions,
// undos, imports and ingests over a small collection, and after each step compares all
// counters with a count of the base tables, and the boards with the
// explanation of each user's score.
func TestCountersFollowWhateverHappens(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a test's dice
	w := newWorld(t)
	users := []uuid.UUID{w.troll, w.other, storetest.User(t, w.Store, "Third")}
	messages := []uuid.UUID{w.prompt, w.reply, w.deep, w.gone, w.belowGone}
	trees := []uuid.UUID{w.prompt}
	for range 3 {
		ids := storetest.Tree(t, w.Store, storetest.Node{Author: users[random.IntN(3)], At: time.Now().Add(-time.Duration(random.IntN(1000)) * time.Hour), Replies: []storetest.Node{
			{Author: users[random.IntN(3)], Replies: []storetest.Node{{Author: users[random.IntN(3)]}, {Author: users[random.IntN(3)], Deleted: true}}},
		}})
		messages, trees = append(messages, ids...), append(trees, ids[0])
	}
	// Contributors' signals, so that a ban takes something away.
	for range 20 {
		storetest.Exec(t, w.Store, `INSERT INTO reactions (tree_id, message_id, user_id, emoji, at) SELECT tree_id, message_id, $2, $3, now() - interval '1 hour' * $4
			FROM message_trees WHERE message_id = $1 ON CONFLICT DO NOTHING`,
			messages[random.IntN(len(messages))], users[random.IntN(3)], []string{"+1", "-1", "red_flag"}[random.IntN(3)], random.IntN(60))
	}
	storetest.Report(t, w.Store, w.reply, users[2], "one report", time.Now())
	second := storetest.Staff(t, w.Store, "admin")
	var done []int64
	for step := range 60 {
		actor := []store.Actor{w.admin, second}[random.IntN(2)]
		message, user, tree := messages[random.IntN(len(messages))], users[random.IntN(3)], trees[random.IntN(len(trees))]
		act := []store.Act{
			{Kind: "ban", Target: user, Messages: []string{"keep", "delete"}[random.IntN(2)], Trees: []string{"keep", "halt"}[random.IntN(2)]},
			{Kind: "unban", Target: user}, {Kind: "delete", Target: message}, {Kind: "undelete", Target: message},
			{Kind: "review", Target: message, Result: []string{"accepted", "rejected", "pending"}[random.IntN(3)]},
			{Kind: "label", Target: message, Labels: map[string]float64{store.LabelNames[random.IntN(len(store.LabelNames))]: float64(random.IntN(5)) / 4}},
			{Kind: "react", Target: message, Emoji: []string{"+1", "-1", "red_flag"}[random.IntN(3)], Op: []string{"add", "remove"}[random.IntN(2)]},
			{Kind: "report", Target: message}, {Kind: "halt", Target: tree}, {Kind: "resume", Target: tree},
		}[random.IntN(10)]
		act.Reason = "the dice fell so"
		name := act.Kind
		var outcome store.Outcome
		var err error
		switch dice := random.IntN(10); {
		case dice < 2 && len(done) > 0:
			name = "undo"
			outcome, err = w.Undo(ctx, actor, done[random.IntN(len(done))], "undone by dice", false, "")
		case dice == 2:
			name = "import"
			line := fmt.Sprintf(`{"message_id": %q, "parent_id": %q, "user_id": %q, "role": "assistant", "text": "imported", "lang": "de", `+
				`"emojis": {"-1": %d}, "labels": {"spam": {"value": 1, "count": 2}}, "detoxify": {"toxicity": 0.75}, "created_date": "2026-11-0%dT10:00:00+00:00"}`,
				uuid.New(), w.prompt, user, step, 1+random.IntN(9))
			summary := importText(t, w.Store, line)
			if summary.Messages != 1 {
				t.Fatalf("the import did %+v", summary)
			}
		case dice == 3:
			name = "ingest"
			message, giver := messages[random.IntN(len(messages))], users[random.IntN(3)]
			// A line of somebody who is banned is refused; all else is taken.
			done := ingest(t, w.Store,
				event("label", "message_id", message, "user_id", giver, "labels", map[string]float64{"spam": float64(random.IntN(3)) / 2}),
				event("reaction", "message_id", message, "user_id", giver, "emoji", []string{"+1", "-1", "red_flag"}[random.IntN(3)], "op", []string{"add", "remove"}[random.IntN(2)]),
				event("report", "message_id", message, "user_id", giver, "reason", "by ingest"),
				event("message", "message_id", uuid.New(), "parent_id", message, "user_id", giver, "role", "assistant", "text", "by ingest", "lang", "fr"),
				event("classifier_output", "message_id", message, "model", "m", "scores", map[string]float64{"toxicity": random.Float64()}),
				event("tree", "message_tree_id", tree, "state", []string{"growing", "aborted_low_grade"}[random.IntN(2)]))
			if done.Accepted < 2 || done.Accepted+done.Rejected != 6 {
				t.Fatalf("the ingest did %+v", done)
			}
		default:
			outcome, err = w.Act(ctx, actor, act)
		}
		if err != nil && !isConflict(err) {
			t.Fatalf("step %d, %s: %v", step, name, err)
		}
		if err == nil && outcome.Action.ID != 0 && name != "undo" {
			done = append(done, outcome.Action.ID)
		}
		faults, err := w.VerifyScores(ctx)
		if err != nil || len(faults) > 0 {
			t.Fatalf("step %d, %s: %+v, %v", step, name, faults, err)
		}
	}
	for _, frame := range scoring.Frames {
		for _, formula := range scoring.Formulas {
			rows := board(t, w.Store, w.admin, frame, formula)
			for _, user := range users {
				score, err := w.Score(ctx, w.admin, user, frame, formula)
				if err != nil {
					t.Fatal(err)
				}
				if row, ok := rows[user]; ok && (row.Score != score.Score || !slices.Equal(row.Parts, score.Parts)) {
					t.Errorf("%s, %s: the board says %+v, the explanation %+v", frame, formula.Name, row, score)
				}
			}
		}
	}
	verify(t, w.Store)
}
