package config

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// BenchmarkBusy keeps a server of 50 ms a batch busy with 4 requests at once: 80
// batches a second are possible.
func BenchmarkBusy(b *testing.B) {
	const (
		took     = 50 * time.Millisecond
		parallel = 4
		batch    = 32
	)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Texts []string }
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			b.Error(err)
		}
		time.Sleep(took)
		scores := make([]map[string]float64, len(asked.Texts))
		for i := range scores {
			scores[i] = map[string]float64{"toxicity": 0.5, "insult": 0.25, "threat": 0.125}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"scores": scores})
	}))
	defer server.Close()
	config, err := Parse(strings.NewReader(fmt.Sprintf(`{"embedded": false, "classifiers": [
		{"name": "busy", "kind": "plain", "url": %q, "parallel": %d, "batch": %d}]}`, server.URL, parallel, batch)))
	if err != nil {
		b.Fatal(err)
	}
	all, err := Build(config, nil)
	if err != nil {
		b.Fatal(err)
	}
	texts := make([]string, b.N*batch)
	for i := range texts {
		texts[i] = fmt.Sprintf("The message with the number %d is neither long nor short.", i)
	}
	start := time.Now()
	b.ResetTimer()
	if _, err := all[0].Classify(b.Context(), texts); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	// The last round may have fewer requests than fit into it.
	rounds := (b.N + parallel - 1) / parallel
	reached := float64(b.N) / time.Since(start).Seconds()
	possible := float64(b.N) / (time.Duration(rounds) * took).Seconds()
	b.ReportMetric(reached, "batches/s")
	b.ReportMetric(possible, "possible/s")
	b.ReportMetric(100*reached/possible, "%reached")
}
