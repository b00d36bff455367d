package remote

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"treewarden/scoring/classifier"
)

// The answers have the form that the documentation of each server shows.
func TestKinds(t *testing.T) {
	tests := []struct {
		name    string
		kind    Kind
		options Options
		texts   []string
		answer  string
		path    string
		body    string
		scores  string
	}{
		{
			name: "plain", kind: Plain, texts: []string{"a", "b"},
			answer: `{"scores": [{"toxicity": 0.1, "severe_toxicity": 0}, {"toxicity": 1e-3}]}`,
			path:   "/", body: `{"texts": ["a", "b"]}`,
			scores: `[{"severe_toxicity": 0, "toxicity": 0.1}, {"toxicity": 0.001}]`,
		},
		{
			name: "tei, batch", kind: TEI, texts: []string{"a", "b"},
			answer: `[[{"score": 0.9, "label": "toxic"}, {"score": 0.2, "label": "severe toxic"}],
				[{"score": 0.1, "label": "toxic"}, {"score": 0.3, "label": "LABEL_1"}]]`,
			path: "/predict", body: `{"inputs": [["a"], ["b"]], "raw_scores": false, "truncate": true}`,
			scores: `[{"severe_toxic": 0.2, "toxicity": 0.9}, {"label_1": 0.3, "toxicity": 0.1}]`,
		},
		{
			name: "tei, one text without the outer list", kind: TEI, texts: []string{"a"},
			answer: ` [ {"score": 0.9, "label": "toxic"} ]`,
			path:   "/predict", body: `{"inputs": [["a"]], "raw_scores": false, "truncate": true}`,
			scores: `[{"toxicity": 0.9}]`,
		},
		{
			name: "tei, reward model", kind: TEI, texts: []string{"a"}, options: Options{AnyNumber: true},
			answer: `[[{"score": -3.75, "label": "LABEL_0"}]]`,
			path:   "/predict", body: `{"inputs": [["a"]], "raw_scores": true, "truncate": true}`,
			scores: `[{"label_0": -3.75}]`,
		},
		{
			name: "hf, one text", kind: HF, texts: []string{"a"}, options: Options{Key: "hf_1"},
			answer: `[[{"label": "toxic", "score": 0.98}, {"label": "neutral", "score": 0.02}]]`,
			path:   "/", body: `{"inputs": "a", "parameters": {"top_k": 1000}}`,
			scores: `[{"neutral": 0.02, "toxicity": 0.98}]`,
		},
		{
			name: "hf, one text without the outer list", kind: HF, texts: []string{"a"},
			answer: `[{"label": "POSITIVE", "score": 0.98}]`,
			path:   "/", body: `{"inputs": "a", "parameters": {"top_k": 1000}}`, scores: `[{"positive": 0.98}]`,
		},
		{
			name: "hf, several texts of a reward model", kind: HF, texts: []string{"a", "b"}, options: Options{AnyNumber: true},
			answer: `[[{"label": "LABEL_0", "score": 4.5}], [{"label": "LABEL_0", "score": -2}]]`,
			path:   "/", body: `{"inputs": ["a", "b"], "parameters": {"function_to_apply": "none", "top_k": 1000}}`,
			scores: `[{"label_0": 4.5}, {"label_0": -2}]`,
		},
		{
			name: "openai", kind: OpenAI, texts: []string{"a", "b"}, options: Options{Model: "omni-moderation-latest",
				Key: "sk-1"},
			answer: `{"id": "modr-1", "model": "omni-moderation-latest", "results": [
				{"flagged": true, "categories": {"hate": true, "illicit": null},
				"category_scores": {"hate": 0.7, "hate/threatening": 0.01, "self-harm/intent": 0.002, "illicit": null},
				"category_applied_input_types": {"hate": ["text"]}},
				{"flagged": false, "category_scores": {"hate": 0.00001}}]}`,
			path: "/v1/moderations", body: `{"input": ["a", "b"], "model": "omni-moderation-latest"}`,
			scores: `[{"hate": 0.7, "hate_threatening": 0.01, "self-harm_intent": 0.002}, {"hate": 0.00001}]`,
		},
		{
			name: "openai, harassment as toxicity", kind: OpenAI, texts: []string{"a"},
			options: Options{Outputs: map[string]string{"harassment": "toxicity"}},
			answer:  `{"results": [{"category_scores": {"harassment": 0.5, "harassment/threatening": 0.25}}]}`,
			path:    "/v1/moderations", body: `{"input": ["a"]}`, scores: `[{"harassment_threatening": 0.25, "toxicity": 0.5}]`,
		},
		{
			name: "perspective", kind: Perspective, texts: []string{"a"}, options: Options{Key: "AIza-1", Language: "pt-BR"},
			answer: `{"attributeScores": {
				"TOXICITY": {"spanScores": [{"begin": 0, "end": 1, "score": {"value": 0.8, "type": "PROBABILITY"}}],
					"summaryScore": {"value": 0.8, "type": "PROBABILITY"}},
				"SEVERE_TOXICITY": {"summaryScore": {"value": 0.1, "type": "PROBABILITY"}},
				"IDENTITY_ATTACK": {"summaryScore": {"value": 0.2, "type": "PROBABILITY"}},
				"INSULT": {"summaryScore": {"value": 0.3, "type": "PROBABILITY"}},
				"PROFANITY": {"summaryScore": {"value": 0.4, "type": "PROBABILITY"}},
				"THREAT": {"summaryScore": {"value": 0.5, "type": "PROBABILITY"}}},
				"languages": ["pt"], "detectedLanguages": ["pt"]}`,
			path: "/v1alpha1/comments:analyze",
			body: `{"comment": {"text": "a"}, "doNotStore": true, "languages": ["pt"], "requestedAttributes": {
				"IDENTITY_ATTACK": {},
				"INSULT": {}, "PROFANITY": {}, "SEVERE_TOXICITY": {}, "THREAT": {}, "TOXICITY": {}}}`,
			scores: `[{"identity_attack": 0.2, "insult": 0.3, "profanity": 0.4, "severe_toxicity": 0.1,
				"threat": 0.5, "toxicity": 0.8}]`,
		},
		{
			name: "perspective, one attribute", kind: Perspective, texts: []string{"a"},
			options: Options{Outputs: map[string]string{"TOXICITY_EXPERIMENTAL": "toxicity"}},
			answer:  `{"attributeScores": {"TOXICITY_EXPERIMENTAL": {"summaryScore": {"value": 1, "type": "PROBABILITY"}}}}`,
			path:    "/v1alpha1/comments:analyze",
			body:    `{"comment": {"text": "a"}, "doNotStore": true, "requestedAttributes": {"TOXICITY_EXPERIMENTAL": {}}}`,
			scores:  `[{"toxicity": 1}]`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var last *request
			test.options.URL, last = standIn(t, http.StatusOK, test.answer)
			scores, err := ask(t, test.kind, test.options, test.texts...)
			if err != nil {
				t.Fatal(err)
			}
			sameJSON(t, scores, test.scores)
			sameJSON(t, last.body, test.body)
			if last.path != test.path {
				t.Errorf("the path is %s, not %s", last.path, test.path)
			}
			want := ""
			if test.options.Key != "" && test.kind != Perspective {
				want = "Bearer " + string(test.options.Key)
			}
			if got := last.header.Get("Authorization"); got != want {
				t.Errorf("Authorization is %q, not %q", got, want)
			}
			if test.kind == Perspective && test.options.Key != "" && last.query["key"][0] != string(test.options.Key) {
				t.Errorf("the key of the query is %v", last.query["key"])
			}
		})
	}
}

func TestNoTexts(t *testing.T) {
	for _, kind := range Kinds() {
		// Nothing listens there, so a request would fail.
		scores, err := ask(t, kind, Options{URL: "http://127.0.0.1:1"})
		if len(scores) != 0 || err != nil {
			t.Errorf("%s: %v, %v", kind, scores, err)
		}
	}
}

// The bodies of errors are those that the servers write.
func TestErrors(t *testing.T) {
	tests := []struct {
		name   string
		kind   Kind
		status int
		header []string
		answer string
		fault  classifier.Fault
		wait   time.Duration
		says   string
	}{
		{"tei overloaded", TEI, 429, nil, `{"error": "Model is overloaded", "error_type": "overloaded"}`,
			classifier.Unavailable, 0, "429 Too Many Requests: Model is overloaded"},
		{"tei batch too large", TEI, 413, nil,
			`{"error": "batch size 64 > maximum allowed batch size 32", "error_type": "validation"}`,
			classifier.Refused, 0, "maximum allowed batch size 32"},
		{"tei tokenization", TEI, 422, nil, `{"error": "Tokenization error", "error_type": "tokenizer"}`,
			classifier.Refused, 0, "Tokenization error"},
		{"tei inference failed", TEI, 424, nil, `{"error": "Inference failed", "error_type": "backend"}`,
			classifier.Unavailable, 0, "Inference failed"},
		{"hf loading", HF, 503, nil, `{"error": "Model unitary/toxic-bert is currently loading", "estimated_time": 20.5}`,
			classifier.Unavailable, 20500 * time.Millisecond, "is currently loading"},
		{"hf wrong key", HF, 401, nil, `{"error": "Invalid username or password."}`,
			classifier.Misconfigured, 0, "check the key"},
		{"openai rate limit", OpenAI, 429, []string{"Retry-After", "7", "retry-after-ms", "6500"},
			`{"error": {"message": "Rate limit reached", "type": "requests", "param": null, "code": "rate_limit_exceeded"}}`,
			classifier.Unavailable, 6500 * time.Millisecond, "Rate limit reached"},
		{"openai no credit", OpenAI, 429, nil,
			`{"error": {"message": "You exceeded your current quota", "type": "insufficient_quota",
				"code": "insufficient_quota"}}`,
			classifier.Misconfigured, 0, "exceeded your current quota; check the key and the account"},
		{"openai unknown path", OpenAI, 404, nil,
			`{"error": {"message": "Unknown request URL", "type": "invalid_request_error"}}`,
			classifier.Misconfigured, 0, "check url and model"},
		{"perspective language", Perspective, 400, nil, `{"error": {"code": 400, "status": "INVALID_ARGUMENT",
			"message": "Attribute TOXICITY does not support request languages: is", "details": [
			{"@type": "type.googleapis.com/google.commentanalyzer.v1alpha1.Error",
			"errorType": "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE", "languageNotSupportedByAttributeError":
			{"detectedLanguages": ["is"], "attribute": "TOXICITY"}}]}}`,
			classifier.Refused, 0, "does not support request languages: is; limit languages"},
		{"perspective key", Perspective, 400, nil,
			`{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.",
			"status": "INVALID_ARGUMENT", "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo",
				"reason": "API_KEY_INVALID"}]}}`,
			classifier.Misconfigured, 0, "API key not valid"},
		{"fastapi validation", Plain, 422, nil, `{"detail": [{"loc": ["body"], "msg": "field required"}]}`,
			classifier.Refused, 0, "422 Unprocessable Entity"},
		{"fastapi detail", Plain, 500, nil, `{"detail": "out of memory"}`, classifier.Unavailable, 0, "out of memory"},
		{"time limit of the server", Plain, 408, []string{"Retry-After", "Fri, 01 Jan 2100 00:00:00 GMT"}, `{}`,
			classifier.Unavailable, 24 * time.Hour, "408 Request Timeout"},
		{"no content", Plain, 204, nil, "", classifier.Broken, 0, "204 No Content"},
		{"unknown status", Plain, 599, nil, "", classifier.Unavailable, 0, "answered 599"},
		{"gateway", Plain, 502, []string{"Content-Type", "text/html"}, "<html><h1>Bad gateway</h1></html>",
			classifier.Unavailable, 0, "502 Bad Gateway with an HTML page"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			address, _ := standIn(t, test.status, test.answer, test.header...)
			_, err := ask(t, test.kind, Options{URL: address, Key: "AIza-secret"}, "a")
			e := fault(t, err)
			if e.Fault != test.fault || e.Status != test.status || e.RetryAfter != test.wait {
				t.Errorf("fault %d, status %d, wait %v", e.Fault, e.Status, e.RetryAfter)
			}
			if !strings.Contains(e.Error(), test.says) {
				t.Errorf("the error %q does not say %q", e, test.says)
			}
		})
	}
}

// Perspective takes one text a request, so the error says which of several it is.
func TestPerspectiveNamesText(t *testing.T) {
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls++; calls == 2 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = w.Write([]byte(`{"attributeScores": {"TOXICITY": {"summaryScore": {"value": 0.5}}}}`))
	}))
	defer server.Close()
	_, err := ask(t, Perspective, Options{URL: server.URL, Outputs: map[string]string{"TOXICITY": "toxicity"}}, "a", "b",
		"c")
	var one *classifier.TextError
	if !errors.As(err, &one) || one.Index != 1 || calls != 2 {
		t.Errorf("%v after %d requests", err, calls)
	}
}

func TestNew(t *testing.T) {
	tests := []struct {
		name    string
		kind    Kind
		options Options
		field   string
	}{
		{"unknown kind", "tie", Options{}, "kind"},
		{"no url", TEI, Options{}, "url"},
		{"no model and no url", HF, Options{}, "model"},
		{"another scheme", Plain, Options{URL: "ftp://example.org/"}, "url"},
		{"no host", Plain, Options{URL: "http:///predict"}, "url"},
		{"no address", Plain, Options{URL: "http://a b\x00"}, "url"},
		{"a password", Plain, Options{URL: "http://me:pass-1@example.org/"}, "url"},
		{"a key", Perspective, Options{URL: "https://example.org/?key=pass-1"}, "url"},
		{"an empty output", Plain, Options{URL: "http://x/", Outputs: map[string]string{"a": ""}}, "outputs"},
		{"a dot", Plain, Options{URL: "http://x/", Outputs: map[string]string{"a": "b.c"}}, "outputs"},
		{"a long name", Plain, Options{URL: "http://x/", Outputs: map[string]string{"a": strings.Repeat("b", 257)}},
			"outputs"},
		{"two with one name", Plain, Options{URL: "http://x/", Outputs: map[string]string{"a": "c", "b": "c"}}, "outputs"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(test.kind, test.options)
			var e *FieldError
			if !errors.As(err, &e) || e.Field != test.field {
				t.Fatalf("the error is %v", err)
			}
			if strings.Contains(e.Error(), "pass-1") {
				t.Errorf("the error %q has the password in it", e)
			}
		})
	}
}

func TestPublicAddresses(t *testing.T) {
	for kind, want := range map[Kind]string{
		HF:          "https://router.huggingface.co/hf-inference/models/unitary/toxic-bert",
		OpenAI:      "https://api.openai.com/v1/moderations",
		Perspective: "https://commentanalyzer.googleapis.com/v1alpha1/comments:analyze",
	} {
		to, err := forms[kind].target(kind, Options{Model: "unitary/toxic-bert"})
		if err != nil || to.String() != want {
			t.Errorf("%s: %v, %v", kind, to, err)
		}
	}
}

func TestNormalise(t *testing.T) {
	for name, want := range map[string]string{
		"SEVERE_TOXICITY": "severe_toxicity", "hate/threatening": "hate_threatening", "self-harm": "self-harm",
		" Very Toxic ": "very_toxic", "有害": "有害", "a.b>0": "a_b_0", "Größe": "größe", "\x00": "_", "a\xff": "a_", "": "",
	} {
		if got := Normalise(name); got != want {
			t.Errorf("Normalise(%q) = %q, want %q", name, got, want)
		}
		if got := Normalise(want); got != want {
			t.Errorf("Normalise(%q) = %q", want, got)
		}
	}
}
