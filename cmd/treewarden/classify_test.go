package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestClassifyTexts gives texts to classifiers without a database.
func TestClassifyTexts(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	scores := func(line string) map[string]float64 {
		t.Helper()
		var of map[string]float64
		if err := json.Unmarshal([]byte(line), &of); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		for name, score := range of {
			if score < 0 || score > 1 {
				t.Errorf("%s is %g", name, score)
			}
		}
		return of
	}
	rude := scores(must(t, dir, "", "classify", "--text", "you are a stupid idiot"))
	kind := scores(must(t, dir, "", "classify", "run", "--text", "thank you, that helps a lot"))
	if rude["toxicity"] <= kind["toxicity"] || len(rude) != 2 {
		t.Errorf("rude %v, kind %v", rude, kind)
	}
	// A JSON string and plain text of the same characters have the same scores.
	lines := strings.Split(must(t, dir, "\"you are a \\u0073tupid idiot\"\nyou are a stupid idiot\r\n\n\"no end\nlast",
		"classify", "--lines"), "\n")
	if len(lines) != 6 || lines[0] != lines[1] || scores(lines[0])["toxicity"] != rude["toxicity"] || lines[5] != "" {
		t.Errorf("scores of lines: %q", lines)
	}
	many := must(t, dir, strings.Repeat("a line\n", 5000), "classify", "--lines")
	if n := strings.Count(many, "\n"); n != 5000 {
		t.Errorf("%d answers to 5,000 lines", n)
	}
	if got := must(t, dir, "", "classify", "models"); !strings.Contains(got, "treewarden  embedded") {
		t.Errorf("the models are %q", got)
	}
	refused(t, dir, "", misuse, "treewarden", "classify", "--model", "nonsense", "--text", "x")
	refused(t, dir, "", misuse, "--missing", "classify", "--text", "x", "--missing")
	refused(t, dir, "", misuse, "--limit", "classify", "--limit=-1")
	file := filepath.Join(t.TempDir(), "classifiers.json")
	if err := os.WriteFile(file, []byte(`{"classifiers": [{"name": "a", "kind": "nonsense"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, dir, "", failed, "nonsense", "classify", "models", "--classifiers", file)
	refused(t, dir, "", failed, "nonsense", "serve", "--listen", "127.0.0.1:0", "--classifiers", file)
	refused(t, dir, "", failed, "nowhere", "classify", "models", "--classifiers", filepath.Join(dir, "nowhere"))
	if databaseRuns(t, dir) {
		t.Error("a database was started for nothing")
	}
}

// plainServer is a classifier of the kind plain that counts its texts.
type plainServer struct {
	*httptest.Server
	mu    sync.Mutex
	asked map[string]int
}

func newPlainServer(t *testing.T) *plainServer {
	p := &plainServer{asked: map[string]int{}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Texts []string }
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		scores := make([]map[string]float64, len(asked.Texts))
		p.mu.Lock()
		defer p.mu.Unlock()
		for i, text := range asked.Texts {
			p.asked[text]++
			scores[i] = map[string]float64{"toxicity": 0.25}
		}
		if err := json.NewEncoder(w).Encode(map[string]any{"scores": scores}); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

// config writes a configuration with the server.
func (p *plainServer) config(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "classifiers.json")
	text := fmt.Sprintf(`{"classifiers": [{"name": "stand-in", "kind": "plain", "url": %q}]}`, p.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestKilledClassify kills the program at 20 moments while it classifies. Each message has
// each output once, and the counts are those of the outputs.
func TestKilledClassify(t *testing.T) {
	t.Parallel()
	dir := usedDir(t)
	const messages = 6000
	file := filepath.Join(t.TempDir(), "messages.jsonl")
	if err := os.WriteFile(file, []byte(importLines(messages)), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, dir, "", "import", file)
	p := newPlainServer(t)
	config := p.config(t)
	commands := [][]string{{"classify", "--missing"},
		{"classify", "--missing", "--model", "stand-in", "--classifiers", config}}
	for i := range 20 {
		killed := exec.Command(binary, append([]string{"--data-dir", dir}, commands[i%2]...)...)
		if err := killed.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(20*(i+2)) * time.Millisecond)
		if err := killed.Process.Kill(); err != nil {
			t.Log("it was done before:", err)
		}
		_ = killed.Wait() // the test killed it
	}
	for _, command := range commands {
		must(t, dir, "", command...)
		if got := must(t, dir, "", command...); !strings.Contains(got, ": 0 messages") {
			t.Errorf("again: %q", got)
		}
	}
	must(t, dir, "", "score", "verify")
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.asked) != messages {
		t.Errorf("the server was asked about %d texts of %d", len(p.asked), messages)
	}
	out := filepath.Join(t.TempDir(), "out.jsonl")
	must(t, dir, "", "export", "--format", "messages", "--state", "all", "--include-spam", "--export-labels", "--out", out)
	exported, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, model := range []string{`"stand-in":`, `"treewarden":`} {
		if n := strings.Count(string(exported), model); n != messages {
			t.Errorf("%d outputs of %s for %d messages", n, model, messages)
		}
	}
}

// TestServeClassifies sends a message to serve: its output comes by itself.
func TestServeClassifies(t *testing.T) {
	t.Parallel()
	dir := usedDir(t)
	p := newPlainServer(t)
	s := start(t, dir, "serve", "--classifiers", p.config(t))
	collector := strings.TrimSpace(must(t, dir, "", "key", "create", "--name", "front end", "--role", "collector"))
	reader := strings.TrimSpace(must(t, dir, "", "key", "create", "--name", "reader", "--role", "moderator"))
	const user, message = "c0000000-0000-4000-8000-000000000001", "c0000000-0000-4000-8000-000000000002"
	for _, line := range []string{
		fmt.Sprintf(`{"type": "user", "id": "u", "user_id": %q, "display_name": "A"}`, user),
		fmt.Sprintf(`{"type": "message", "id": "m", "message_id": %[2]q, "message_tree_id": %[2]q, "user_id": %[1]q,
			"role": "prompter", "text": "hello", "lang": "en"}`, user, message),
	} {
		line = strings.ReplaceAll(line, "\n", "")
		if status, body := s.call(t, "POST", "/api/v1/ingest", collector, line); status != http.StatusOK ||
			!strings.Contains(body, `"accepted":1`) {
			t.Fatalf("ingest answers %d: %s", status, body)
		}
	}
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		_, body := s.call(t, "GET", "/api/v1/messages/"+message, reader, "")
		if strings.Contains(body, `"stand-in":{"toxicity":0.25}`) && strings.Contains(body, `"treewarden":{`) {
			break
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("the message has no outputs: %s\n%s", body, s.stderr)
		}
	}
}
