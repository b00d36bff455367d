package remote

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"treewarden/scoring/classifier"
)

// request is what a stand-in received.
type request struct {
	path   string
	query  map[string][]string
	header http.Header
	body   map[string]any
}

// standIn serves one answer to every request and keeps the last request.
func standIn(t *testing.T, status int, answer string, header ...string) (address string, last *request) {
	t.Helper()
	last = &request{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read the request: %v", err)
		}
		*last = request{path: r.URL.Path, query: r.URL.Query(), header: r.Header.Clone()}
		if err := json.Unmarshal(text, &last.body); err != nil || r.Method != http.MethodPost {
			t.Errorf("%s %s is not a JSON object: %v", r.Method, text, err)
		}
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return server.URL, last
}

func client(t *testing.T, kind Kind, o Options) classifier.Classifier {
	t.Helper()
	c, err := New(kind, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ask sends texts to a stand-in and returns what came of it.
func ask(t *testing.T, kind Kind, o Options, texts ...string) ([]classifier.Scores, error) {
	t.Helper()
	return client(t, kind, o).Classify(context.Background(), texts)
}

// fault returns the error of a client, which must be a *classifier.Error.
func fault(t *testing.T, err error) *classifier.Error {
	t.Helper()
	var e *classifier.Error
	if !errors.As(err, &e) {
		t.Fatalf("the error is %v (%T), not a *classifier.Error", err, err)
	}
	return e
}

// sameJSON reports whether a value is written as some JSON, with keys in order.
func sameJSON(t *testing.T, got any, want string) {
	t.Helper()
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal([]byte(want), &value); err != nil {
		t.Fatal(err)
	}
	canonical, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != string(canonical) {
		t.Errorf("got  %s\nwant %s", text, canonical)
	}
}
