package config

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"treewarden/scoring/classifier"
	"treewarden/scoring/classifier/guard"
	"treewarden/scoring/classifier/remote"
)

func parseText(t *testing.T, text string) Config {
	t.Helper()
	c, err := Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func names(c Config) string {
	var all []string
	for _, one := range c.Classifiers {
		all = append(all, one.Name)
	}
	return strings.Join(all, " ")
}

func TestDefault(t *testing.T) {
	for _, c := range []Config{Default(), parseText(t, `{}`), parseText(t, `{"embedded": true, "classifiers": []}`)} {
		if names(c) != "treewarden" || c.Classifiers[0].Kind != Embedded || c.Classifiers[0].Toxicity != "toxicity" ||
			c.Classifiers[0].Limits.Parallel != runtime.GOMAXPROCS(0) {
			t.Errorf("the configuration is %+v", c)
		}
	}
	if c := parseText(t, `{"embedded": false}`); len(c.Classifiers) != 0 {
		t.Errorf("the configuration is %+v", c)
	}
}

func TestFields(t *testing.T) {
	t.Setenv("TREEWARDEN_TEST_KEY", " sk-secret\n")
	c := parseText(t, `{"embedded": false, "classifiers": [
		{"name": "omni", "kind": "openai", "url": "https://example.org/v1/moderations", "key_env": "TREEWARDEN_TEST_KEY",
		"model": "omni-moderation-latest", "languages": ["en", "pt-BR"], "batch": 16, "rate": 2.5, "parallel": 3,
		"timeout": "1m30s", "retries": 0, "outputs": {"harassment": "toxicity"}, "version": "2024-09-26", "price": 0.25},
		{"name": "reward", "kind": "tei", "url": "http://127.0.0.1:8081", "scale": "score"},
		{"name": "hate", "kind": "tei", "url": "http://127.0.0.1:8082", "toxicity": "hate"},
		{"name": "spam", "kind": "plain", "url": "http://127.0.0.1:8083", "toxicity": ""}]}`)
	want := Classifier{
		Name: "omni", Kind: remote.OpenAI, URL: "https://example.org/v1/moderations", Key: "sk-secret",
		Model: "omni-moderation-latest", Languages: []string{"en", "pt-BR"},
		Limits:  guard.Options{Batch: 16, Rate: 2.5, Parallel: 3, Timeout: 90 * time.Second},
		Outputs: map[string]string{"harassment": "toxicity"}, Toxicity: "toxicity", Scale: Probability,
		Version: "2024-09-26", Price: 0.25,
	}
	if got := c.Classifiers[0]; fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) || got.Key != want.Key {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for i, want := range []struct {
		scale    Scale
		toxicity string
	}{{Probability, "toxicity"}, {Score, ""}, {Probability, "hate"}, {Probability, ""}} {
		if got := c.Classifiers[i]; got.Scale != want.scale || got.Toxicity != want.toxicity {
			t.Errorf("%s: scale %s, toxicity %q", got.Name, got.Scale, got.Toxicity)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(text, "secret") {
		t.Errorf("the configuration prints the key: %s", text)
	}
	if text, err := json.Marshal(c); err != nil || strings.Contains(string(text), "secret") {
		t.Errorf("the configuration as JSON has the key in it: %s, %v", text, err)
	}
}

// The embedded classifier runs beside the others, and can have an entry of its own.
func TestEmbedded(t *testing.T) {
	if got := names(parseText(t,
		`{"classifiers": [{"name": "a", "kind": "plain", "url": "http://x/"}]}`)); got != "treewarden a" {
		t.Errorf("the classifiers are %s", got)
	}
	c := parseText(t,
		`{"classifiers": [{"name": "own", "kind": "embedded", "languages": ["en"], "parallel": 1, "toxicity": ""}]}`)
	if names(c) != "own" || c.Classifiers[0].Limits.Parallel != 1 || c.Classifiers[0].Toxicity != "" {
		t.Errorf("the configuration is %+v", c)
	}
}

func TestCovers(t *testing.T) {
	c := Classifier{Languages: []string{"pt", "zh-Hant"}}
	for language, want := range map[string]bool{
		"pt": true, "pt-BR": true, "PT-br": true, "ptx": false, "p": false, "": false, "zh": false, "zh-Hant": true,
		"en": false,
	} {
		if c.Covers(language) != want {
			t.Errorf("%q is covered: %t", language, !want)
		}
	}
	if !(Classifier{}).Covers("en") || !(Classifier{}).Covers("") {
		t.Error("without languages, not all are covered")
	}
}

func TestFaults(t *testing.T) {
	t.Setenv("TREEWARDEN_TEST_KEY", "two words")
	t.Setenv("TREEWARDEN_TEST_EMPTY", "")
	one := func(fields string) string {
		return `{"classifiers": [{"name": "x", "kind": "plain", "url": "http://127.0.0.1:1/", ` + fields + `}]}`
	}
	tests := []struct{ text, says string }{
		{``, `the file is empty; write {}`},
		{`[]`, `there is a JSON array where an object belongs`},
		{"{\n\"embedded\": tru\n}", `line 2 is not JSON`},
		{`{} {}`, `more after the end`},
		{`{"embeded": false}`, `field embeded: is unknown; the fields are embedded, classifiers`},
		{`{"embedded": "no"}`, `field embedded: is a JSON string; write true or false`},
		{`{"classifiers": {}}`, `field classifiers: is a JSON object; write a list`},
		{`{"classifiers": [3]}`, `classifier 1: there is a JSON number where an object belongs`},
		{`{"classifiers": [null]}`, `classifier 1: field kind: "" is not a kind; write one of plain`},
		{`{"classifiers": [{"name": "x", "kind": "tie"}]}`, `classifier "x": field kind: "tie" is not a kind`},
		{one(`"key": "sk-1"`),
			`classifier "x": field key: is unknown; the fields are name, kind, url, key_env, key_file, model`},
		{one(`"batch": "8"`), `classifier "x": field batch: is a JSON string; write a number`},
		{one(`"batch": 1.5`), `field batch: is a JSON number 1.5; write a number (a whole one`},
		{one(`"batch": 0`), `field batch: is 0; write a number from 1 to 1000`},
		{one(`"parallel": 1000`), `field parallel: is 1000; write a number from 1 to 256`},
		{one(`"retries": -1`), `field retries: is -1; write a number from 0 to 10`},
		{one(`"rate": 0`), `field rate: is 0; write requests a second`},
		{one(`"timeout": "30"`), `field timeout: "30" is not a time limit`},
		{one(`"timeout": 30`), `field timeout: is a JSON number; write a string`},
		{one(`"timeout": "1h"`), `field timeout: "1h" is not a time limit from 1ms to 10m0s`},
		{one(`"languages": ["English please"]`), `field languages: "English please" is not a code`},
		{one(`"languages": ["en", "en"]`), `field languages: en is there twice`},
		{one(`"outputs": {"a": "B"}`), `field outputs: "B" is not a name of an output`},
		{one(`"outputs": {"a": 1}`), `field outputs`},
		{one(`"toxicity": "Toxic"`),
			`field toxicity: "Toxic" is not a name of an output; write the name after outputs, such as "toxic"`},
		{one(`"scale": "logit"`), `field scale: "logit" is not a scale`},
		{one(`"scale": "score", "toxicity": "a"`),
			`field toxicity: is "a", but scores that are no probabilities never count`},
		{one(`"model": "m"`), `field model: has no effect on kind plain`},
		{one(`"price": -1`), `field price: -1 is not a price`},
		{one(`"version": "` + strings.Repeat("v", 201) + `"`), `field version: has more than 200 characters`},
		{one(`"key_env": "TREEWARDEN_TEST_EMPTY"`),
			`field key_env: the environment variable "TREEWARDEN_TEST_EMPTY" is not set`},
		{one(`"key_env": "TREEWARDEN_TEST_KEY"`), `field key_env: does not lead to a key`},
		{one(`"key_env": "A", "key_file": "b"`), `field key_file: stands beside key_env`},
		{one(`"key_file": "/nowhere/key"`), `field key_file: cannot be read`},
		{`{"classifiers": [{"name": "a b", "kind": "plain", "url": "http://x/"}]}`, `field name: "a b" is not a name`},
		{`{"classifiers": [{"kind": "plain", "url": "http://x/"}]}`, `classifier 1: field name: "" is not a name`},
		{`{"classifiers": [{"name": "` + strings.Repeat("n", 257) + `", "kind": "plain", "url": "http://x/"}]}`,
			`field name`},
		{`{"classifiers": [{"name": "x", "kind": "tei"}]}`, `classifier "x": field url: is missing`},
		{`{"classifiers": [{"name": "x", "kind": "tei", "url": "localhost:80"}]}`, `field url: is not an address`},
		{`{"classifiers": [{"name": "x", "kind": "hf"}]}`, `field model: is missing`},
		{`{"classifiers": [{"name": "x", "kind": "hf", "model": "m", "url": "http://x/"}]}`,
			`field model: has no effect beside url`},
		{`{"classifiers": [{"name": "x", "kind": "perspective"}]}`, `field key_env: is missing, but Perspective needs a key`},
		{`{"classifiers": [{"name": "x", "kind": "perspective", "batch": 8}]}`,
			`field batch: is 8, but Perspective takes one`},
		{`{"classifiers": [{"name": "x", "kind": "perspective", "scale": "score"}]}`, `field scale: Perspective gives`},
		{`{"classifiers": [{"name": "x", "kind": "embedded", "url": "http://x/"}]}`,
			`field url: has no effect on kind embedded`},
		{`{"classifiers": [{"name": "x", "kind": "embedded"}, {"name": "y", "kind": "embedded"}]}`,
			`several classifiers of kind embedded`},
		{`{"embedded": false, "classifiers": [{"name": "x", "kind": "embedded"}]}`, `remove one of the two`},
		{`{"classifiers": [{"name": "treewarden", "kind": "plain", "url": "http://x/"}]}`,
			`two classifiers with the name "treewarden"`},
		{strings.Repeat(" ", maxFile+1), `longer than 1 MB`},
	}
	for _, test := range tests {
		_, err := Parse(strings.NewReader(test.text))
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%.200s\ngives %v\nnot   %s", test.text, err, test.says)
		} else if strings.Contains(err.Error(), "two words") {
			t.Errorf("the error has the key in it: %v", err)
		}
	}
}

// All faults are told at once.
func TestAllFaults(t *testing.T) {
	_, err := Parse(strings.NewReader(`{"classifiers": [
		{"name": "a", "kind": "plain", "url": "http://x/", "batch": 0, "rate": -1}, {"name": "b", "kind": "what"}]}`))
	for _, says := range []string{`"a": field batch`, `"a": field rate`, `"b": field kind`} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("the error %v does not say %s", err, says)
		}
	}
}

func TestLoad(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("key", "secret-1\n")
	c, err := Load(write("good.json",
		`{"classifiers": [{"name": "a", "kind": "perspective", "key_file": "key", "languages": ["en"]}]}`))
	if err != nil || c.Classifiers[1].Key != "secret-1" || c.Classifiers[1].options().Language != "en" {
		t.Errorf("%+v, %v", c, err)
	}
	bad := write("bad.json", `{"a": 1}`)
	if _, err := Load(bad); err == nil || !strings.HasPrefix(err.Error(), bad+": field a: is unknown") {
		t.Errorf("the error is %v", err)
	}
	if _, err := Load(filepath.Join(folder, "none.json")); err == nil {
		t.Error("a file that does not exist is no error")
	}
}

type constant float64

func (c constant) Classify(_ context.Context, texts []string) ([]classifier.Scores, error) {
	all := make([]classifier.Scores, len(texts))
	for i := range all {
		all[i] = classifier.Scores{classifier.Toxicity: float64(c)}
	}
	return all, nil
}

func TestBuild(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Texts []string }
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || len(asked.Texts) > 2 ||
			r.Header.Get("Authorization") != "Bearer secret-1" {
			t.Errorf("%v texts, %v, %v", asked.Texts, err, r.Header)
		}
		var scores []string
		for range asked.Texts {
			scores = append(scores, `{"toxic": 0.25}`)
		}
		_, _ = io.WriteString(w, `{"scores": [`+strings.Join(scores, ",")+`]}`)
	}))
	defer server.Close()
	t.Setenv("TREEWARDEN_TEST_KEY", "secret-1")
	all, err := Build(parseText(t, `{"classifiers": [{"name": "detoxify", "kind": "plain", "url": "`+server.URL+`",
		"key_env": "TREEWARDEN_TEST_KEY", "batch": 2, "outputs": {"toxic": "toxicity"}}]}`), constant(0.75))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{0.75, 0.25} {
		scores, err := all[i].Classify(t.Context(), []string{"a", "b", "c"})
		if err != nil || len(scores) != 3 || scores[2][classifier.Toxicity] != want {
			t.Errorf("%s: %v, %v", all[i].Name, scores, err)
		}
		if s := all[i].State(); s.Phase != guard.Closed || s.Texts != 3 {
			t.Errorf("%s: the state is %+v", all[i].Name, s)
		}
	}
	if _, err := Build(Default(), nil); err == nil {
		t.Error("the embedded classifier is missing, and there is no error")
	}
}

// The documentation has the fields, and examples that can be read.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../../docs/classifiers.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Split(entryFields(), ", ") {
		if !strings.Contains(string(text), "| `"+name+"` |") {
			t.Errorf("the field %s is not described", name)
		}
	}
	examples := regexp.MustCompile("(?s)```json\n(\\{.*?)```").FindAllSubmatch(text, -1)
	if len(examples) < 5 {
		t.Fatalf("there are %d examples", len(examples))
	}
	t.Setenv("PERSPECTIVE_KEY", "secret-1")
	t.Setenv("OPENAI_API_KEY", "secret-1")
	t.Setenv("HF_TOKEN", "secret-1")
	kinds := map[remote.Kind]bool{}
	for _, example := range examples {
		config, err := Parse(strings.NewReader(string(example[1])))
		if err != nil {
			t.Errorf("%s\n%v", example[1], err)
		}
		for _, c := range config.Classifiers {
			kinds[c.Kind] = true
		}
	}
	for kind := range defaults {
		if !kinds[kind] {
			t.Errorf("no example has kind %s", kind)
		}
	}
}
