package remote

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"treewarden/scoring/classifier"
)

// serve starts a server with a handler, and closes its open requests at the end.
func serve(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// Wrong answers are errors that say what is wrong.
func TestWrongAnswers(t *testing.T) {
	tests := []struct {
		name   string
		kind   Kind
		answer string
		fault  classifier.Fault
		says   string
	}{
		{"empty", Plain, "", classifier.Broken, "is empty"},
		{"page", TEI, "<!DOCTYPE html><title>Log in</title>", classifier.Broken, "HTML page"},
		{"other JSON", Plain, `[1, 2]`, classifier.Broken, "not the JSON of kind plain"},
		{"cut JSON", Plain, `{"scores": [{"toxicity": 0.`, classifier.Broken, "not the JSON of kind plain"},
		{"error with status 200", TEI, `{"error": "busy"}`, classifier.Broken, "not the JSON of kind tei"},
		{"null", TEI, `null`, classifier.Broken, "scores of 0 texts instead of 2"},
		{"no field", Plain, `{}`, classifier.Broken, "scores of 0 texts instead of 2"},
		{"too few", Plain, `{"scores": [{"toxicity": 0}]}`, classifier.Broken, "scores of 1 texts instead of 2"},
		{"too many", TEI, `[[{"label": "a", "score": 0}], [], []]`, classifier.Broken, "scores of 3 texts instead of 2"},
		{"no scores of a text", Plain, `{"scores": [{"toxicity": 0}, {}]}`, classifier.Broken, "no scores for text 2"},
		{"null in place of scores", Plain, `{"scores": [{"toxicity": 0}, null]}`, classifier.Broken, "no scores for text 2"},
		{"no label", TEI, `[[{"score": 0}], [{"score": 0}]]`, classifier.Broken, "without a label"},
		{"a string as score", Plain, `{"scores": [{"toxicity": "0.5"}, {"toxicity": 0}]}`, classifier.Broken, "not the JSON"},
		{"NaN of Python", Plain, `{"scores": [{"toxicity": NaN}, {"toxicity": 0}]}`, classifier.Refused, "no finite number"},
		{"infinity of Python", Plain, `{"scores": [{"toxicity": -Infinity}, {"toxicity": 0}]}`, classifier.Refused, "finite"},
		{"NaN of Rust", TEI, `[[{"label": "a", "score": 1}], [{"label": "a", "score": null}]]`, classifier.Refused, "finite"},
		{"too large a number", Plain, `{"scores": [{"toxicity": 1e999}, {"toxicity": 0}]}`, classifier.Refused, "too large"},
		{"no probability", Plain, `{"scores": [{"toxicity": 3.5}, {"toxicity": 0}]}`, classifier.Broken,
			`set "scale": "score"`},
		{"negative", OpenAI, `{"results": [{"category_scores": {"hate": -1}}, {"category_scores": {"hate": 0}}]}`,
			classifier.Broken, "no probability"},
		{"one class a text", HF, `[{"label": "a", "score": 1}, {"label": "b", "score": 1}]`, classifier.Broken,
			"set batch to 1"},
		{"two outputs with one name", Plain, `{"scores": [{"hate/x": 0, "hate_x": 0}, {"a": 0}]}`, classifier.Broken,
			"hate_x"},
		{"a name that is too long", Plain, `{"scores": [{"` + strings.Repeat("x", 300) + `": 0}, {"a": 0}]}`,
			classifier.Broken, "cannot be stored"},
		{"only null categories", OpenAI, `{"results": [{"category_scores": {"hate": null}}, {}]}`, classifier.Broken,
			"no scores"},
		{"no attribute", Perspective, `{"attributeScores": {}}`, classifier.Broken, "no score"},
		{"no summary", Perspective, `{"attributeScores": {"TOXICITY": {}}}`, classifier.Broken, "no score"},
		{"deep nesting", Plain, strings.Repeat("[", 100_000), classifier.Broken, "not the JSON"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			address, _ := standIn(t, http.StatusOK, test.answer)
			scores, err := ask(t, test.kind, Options{URL: address}, "a", "b")
			if scores != nil {
				t.Errorf("there are scores: %v", scores)
			}
			if e := fault(t, err); e.Fault != test.fault || !strings.Contains(e.Error(), test.says) {
				t.Errorf("fault %d: %v", e.Fault, e)
			}
		})
	}
}

// A null names its text, so that the others need not be halved.
func TestNullNamesText(t *testing.T) {
	address, _ := standIn(t, http.StatusOK, `{"scores": [{"a": 0}, {"a": 0}, {"a": null}]}`)
	_, err := ask(t, Plain, Options{URL: address}, "a", "b", "c")
	var one *classifier.TextError
	if !errors.As(err, &one) || one.Index != 2 {
		t.Errorf("the error is %v", err)
	}
}

// A sigmoid in 32 bits can give a little more than 1.
func TestRounding(t *testing.T) {
	address, _ := standIn(t, http.StatusOK, `{"scores": [{"a": 1.0000001, "b": -1e-9}]}`)
	scores, err := ask(t, Plain, Options{URL: address}, "a")
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, scores, `[{"a": 1, "b": 0}]`)
}

func TestSlowServer(t *testing.T) {
	tests := map[string]http.HandlerFunc{
		"no answer": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		},
		"no end": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, `{"scores": [`)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	}
	for name, handle := range tests {
		t.Run(name, func(t *testing.T) {
			c := client(t, Plain, Options{URL: serve(t, handle)})
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err := c.Classify(ctx, []string{"a"})
			e := fault(t, err)
			if e.Fault != classifier.Unavailable || !errors.Is(err, context.DeadlineExceeded) ||
				!strings.Contains(e.Error(), "within the time limit") {
				t.Errorf("fault %d: %v", e.Fault, e)
			}
			ctx, cancel = context.WithCancel(t.Context())
			time.AfterFunc(20*time.Millisecond, cancel)
			if _, err := c.Classify(ctx, []string{"a"}); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
		})
	}
}

func TestHugeAnswer(t *testing.T) {
	sent := 0
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for block := bytes.Repeat([]byte(" "), 64<<10); ; {
			n, err := w.Write(block)
			if sent += n; err != nil {
				return
			}
		}
	})
	_, err := ask(t, Plain, Options{URL: address}, "a")
	if e := fault(t, err); e.Fault != classifier.Broken || !strings.Contains(e.Error(), "longer than 8 MB") {
		t.Errorf("fault %d: %v", e.Fault, e)
	}
}

func TestCompressedAnswers(t *testing.T) {
	pack := func(text []byte) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(text)
		_ = z.Close()
		return b.Bytes()
	}
	good := pack([]byte(`{"scores": [{"a": 0.5}]}`))
	tests := []struct {
		name string
		body []byte
		says string
	}{
		{"whole", good, ""},
		{"cut", good[:len(good)-6], "the answer broke off"},
		{"not gzip", []byte(`{"scores": [{"a": 0.5}]}`), "the answer broke off"},
		{"a bomb", pack(bytes.Repeat([]byte(" "), 2*maxAnswer)), "longer than 8 MB"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			address := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				_, _ = w.Write(test.body)
			})
			scores, err := ask(t, Plain, Options{URL: address}, "a")
			if test.says == "" {
				if err != nil || scores[0]["a"] != 0.5 {
					t.Errorf("%v, %v", scores, err)
				}
				return
			}
			if e := fault(t, err); !strings.Contains(e.Error(), test.says) {
				t.Errorf("the error is %v", e)
			}
		})
	}
}

// A redirect must not take the key, or the texts, to another server.
func TestRedirect(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, kind := range Kinds() {
			reached := false
			other := serve(t, func(http.ResponseWriter, *http.Request) { reached = true })
			address := serve(t, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, other+"/?key=AIza-secret", status)
			})
			_, err := ask(t, kind, Options{URL: address, Key: "AIza-secret"}, "a")
			e := fault(t, err)
			if reached {
				t.Errorf("%s %d: the redirect was followed", kind, status)
			}
			host := strings.TrimPrefix(other, "http://")
			if e.Fault != classifier.Misconfigured || !strings.Contains(e.Error(), host) || strings.Contains(e.Error(),
				"secret") {
				t.Errorf("%s %d: fault %d: %v", kind, status, e.Fault, e)
			}
		}
	}
}

func TestBrokenRedirect(t *testing.T) {
	address := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://[::1%AIza-secret")
		w.WriteHeader(http.StatusFound)
	})
	_, err := ask(t, Perspective, Options{URL: address, Key: "AIza-secret"}, "a")
	if e := fault(t, err); strings.Contains(e.Error(), "AIza-secret") {
		t.Errorf("the error has the key in it: %v", e)
	}
}

// The key must not be in an error, whatever the server does with it.
func TestKeyIsHidden(t *testing.T) {
	const key = "AIza+secret/1=="
	long := strings.Repeat("x", 195) + " "
	handlers := map[string]http.HandlerFunc{
		"echo": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(map[string]string{
				"error": "wrong: " + r.URL.String() + " " + r.Header.Get("Authorization") + " " + r.URL.Query().Get("key"),
			})
		},
		"echo at the limit of length": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_ = json.NewEncoder(w).Encode(map[string]string{"error": long + key})
		},
		"content type": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/"+key)
			_, _ = io.WriteString(w, "?")
		},
		"closed": func(w http.ResponseWriter, _ *http.Request) {
			connection, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = connection.Close()
			}
		},
		"not HTTP": func(w http.ResponseWriter, _ *http.Request) {
			connection, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(connection, key+"\r\n\r\n")
				_ = connection.Close()
			}
		},
	}
	for name, handle := range handlers {
		for _, kind := range Kinds() {
			_, err := ask(t, kind, Options{URL: serve(t, handle), Key: key}, "a")
			text := fmt.Sprintf("%v %+v", err, fault(t, err))
			for _, part := range []string{key, "AIza%2Bsecret", "AIza+s", "secret"} {
				if strings.Contains(text, part) {
					t.Errorf("%s, %s: the error has %q in it: %s", name, kind, part, text)
				}
			}
		}
	}
	// Nothing listens on port 1.
	_, err := ask(t, Perspective, Options{URL: "http://127.0.0.1:1", Key: key}, "a")
	if e := fault(t, err); e.Fault != classifier.Unavailable || strings.Contains(e.Error(), "secret") {
		t.Errorf("fault %d: %v", e.Fault, e)
	}
}

func TestSecret(t *testing.T) {
	const key = "AIza-secret"
	value := struct{ Key Secret }{key}
	asJSON, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", Secret(key), "all", value)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", Secret(key), "all", value)
	for _, text := range []string{
		string(asJSON), log.String(), Secret(key).String(),
		fmt.Sprintf("%v %+v %#v %s %q %x %X %d", value, value, value, value.Key, value.Key, value.Key, value.Key, value.Key),
	} {
		if strings.Contains(text, "secret") || strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", "secret")) {
			t.Errorf("%s has the key in it", text)
		}
		if !strings.Contains(text, hidden) {
			t.Errorf("%s does not say that a key is hidden", text)
		}
	}
}

// FuzzAnswers looks for an answer of a server that panics, or that gives scores
// that are not finite or have no name.
func FuzzAnswers(f *testing.F) {
	for _, text := range []string{
		`{"scores": [{"a": 0.5}]}`, `[[{"label": "a", "score": 1}]]`, `[{"label": "a", "score": 1}]`,
		`{"results": [{"category_scores": {"hate/x": 1}}]}`,
		`{"attributeScores": {"TOXICITY": {"summaryScore": {"value": 1}}}}`,
		`{"error": {"message": "x", "details": [{"reason": "y"}]}}`, `[`, `[[null]]`, `[{}]`, `null`, "<", `{"error": null}`,
	} {
		f.Add([]byte(text), 200)
		f.Add([]byte(text), 400)
	}
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		if status < 200 || status > 599 {
			return
		}
		for _, kind := range Kinds() {
			c := client(t, kind, Options{URL: "http://server/"})
			inner := callerOf(t, c)
			inner.client = &http.Client{Transport: answering{status, body}}
			scores, err := c.Classify(t.Context(), []string{"a"})
			if err != nil {
				fault(t, err)
				continue
			}
			for name, value := range scores[0] {
				if name == "" || Normalise(name) != name || !(value >= 0 && value <= 1) {
					t.Errorf("%s: %q is %v", kind, name, value)
				}
			}
		}
	})
}

func callerOf(t *testing.T, c classifier.Classifier) *caller {
	t.Helper()
	switch c := c.(type) {
	case plain:
		return c.caller
	case tei:
		return c.caller
	case hf:
		return c.caller
	case openAI:
		return c.caller
	case perspective:
		return c.caller
	}
	t.Fatalf("%T has no caller", c)
	return nil
}

// answering is a transport with one answer.
type answering struct {
	status int
	body   []byte
}

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(a.body)), Request: r,
	}, nil
}
