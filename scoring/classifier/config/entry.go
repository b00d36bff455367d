package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"treewarden/scoring/classifier"
	"treewarden/scoring/classifier/remote"
)

// entry is a classifier as the file has it. A field that is a pointer has a default
// other than its zero value.
type entry struct {
	Name      string            `json:"name"`
	Kind      remote.Kind       `json:"kind"`
	URL       string            `json:"url"`
	KeyEnv    string            `json:"key_env"`
	KeyFile   string            `json:"key_file"`
	Model     string            `json:"model"`
	Languages []string          `json:"languages"`
	Batch     *int              `json:"batch"`
	Rate      *float64          `json:"rate"`
	Parallel  *int              `json:"parallel"`
	Timeout   *string           `json:"timeout"`
	Retries   *int              `json:"retries"`
	Outputs   map[string]string `json:"outputs"`
	Toxicity  *string           `json:"toxicity"`
	Scale     Scale             `json:"scale"`
	Version   string            `json:"version"`
	Price     float64           `json:"price"`
}

// entryFields lists the fields of an entry in their order.
func entryFields() string {
	var names []string
	for field := range reflect.TypeFor[entry]().Fields() {
		names = append(names, field.Tag.Get("json"))
	}
	return strings.Join(names, ", ")
}

func kindOf(k reflect.Kind) string {
	switch k {
	case reflect.Int, reflect.Float64:
		return "a number (a whole one for batch, parallel and retries)"
	case reflect.String:
		return `a string such as "…"`
	case reflect.Bool:
		return "true or false"
	case reflect.Map:
		return `an object such as {"toxic": "toxicity"}`
	}
	return `a list such as […]`
}

// The limits of values. The store takes names of 256 characters; see corpus.MaxName.
// A figure that is too high would overrun the server or this program.
const (
	maxName     = 256
	maxBatch    = 1000
	maxParallel = 256
	maxRate     = 10_000
	maxRetries  = 10
	maxTimeout  = 10 * time.Minute
	maxVersion  = 200
	maxKey      = 10_000
)

// modelName is the form of names. Filters write classifier=NAME.OUTPUT>0.5, so that
// spaces, quotes and comparisons cannot be part of a name.
var modelName = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{M}\p{N}._/:@+-]*$`)

var language = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)

// faults gathers what is wrong in an entry.
type faults struct {
	who string
	all []error
}

func (f *faults) add(field, format string, args ...any) {
	f.all = append(f.all, fmt.Errorf("%s: field %s: %s", f.who, field, fmt.Sprintf(format, args...)))
}

// readEntry reads and checks a classifier. The error names it and each wrong field.
func readEntry(text []byte, index int, folder string) (Classifier, error) {
	f := &faults{who: fmt.Sprintf("classifier %d", index+1)}
	var named struct {
		Name string `json:"name"`
	}
	// What is wrong with the entry is reported below.
	if _ = json.Unmarshal(text, &named); named.Name != "" {
		f.who = fmt.Sprintf("classifier %.60q", named.Name)
	}
	var e entry
	if err := decode(text, &e, entryFields()); err != nil {
		return Classifier{}, fmt.Errorf("%s: %w", f.who, err)
	}
	c := Classifier{
		Name: e.Name, Kind: e.Kind, URL: e.URL, Model: e.Model, Languages: e.Languages, Limits: defaults[e.Kind],
		Outputs: e.Outputs, Version: e.Version, Price: e.Price,
	}
	if _, known := defaults[e.Kind]; !known {
		f.add("kind", "%.60q is not a kind; write one of plain, tei, hf, openai, perspective, embedded", e.Kind)
		return Classifier{}, errors.Join(f.all...)
	}
	f.checkText(e)
	f.limits(e, &c)
	f.meaning(e, &c)
	f.unused(e)
	c.Key = f.key(e, folder)
	if len(f.all) == 0 && e.Kind != Embedded {
		f.checkClient(c)
	}
	return c, errors.Join(f.all...)
}

func (f *faults) checkText(e entry) {
	if !modelName.MatchString(e.Name) || utf8.RuneCountInString(e.Name) > maxName {
		f.add("name",
			"%.60q is not a name; write 1 to %d letters, digits and . _ / : @ + - that start with a letter or digit",
			e.Name, maxName)
	}
	for i, l := range e.Languages {
		if !language.MatchString(l) {
			f.add("languages", "%.60q is not a code of a language; write codes such as en or pt-BR", l)
		} else if slices.Contains(e.Languages[:i], l) {
			f.add("languages", "%s is there twice; remove one", l)
		}
	}
	if utf8.RuneCountInString(e.Version) > maxVersion {
		f.add("version", "has more than %d characters; shorten it", maxVersion)
	}
	if !(e.Price >= 0 && e.Price <= 1e6) {
		f.add("price", "%v is not a price; write what 1,000 texts cost", e.Price)
	}
}

// limits reads the limits of requests.
func (f *faults) limits(e entry, c *Classifier) {
	number := func(field string, value *int, low, high int, into *int) {
		if value == nil {
			return
		}
		if *value < low || *value > high {
			f.add(field, "is %d; write a number from %d to %d", *value, low, high)
		}
		*into = *value
	}
	number("batch", e.Batch, 1, maxBatch, &c.Limits.Batch)
	number("parallel", e.Parallel, 1, maxParallel, &c.Limits.Parallel)
	number("retries", e.Retries, 0, maxRetries, &c.Limits.Retries)
	if e.Kind == remote.Perspective && c.Limits.Batch != 1 {
		f.add("batch", "is %d, but Perspective takes one text a request; remove batch and raise parallel", c.Limits.Batch)
	}
	if e.Rate != nil {
		if !(*e.Rate > 0 && *e.Rate <= maxRate) {
			f.add("rate", "is %v; write requests a second, more than 0 and at most %d, or remove it", *e.Rate, maxRate)
		}
		c.Limits.Rate = *e.Rate
	}
	if e.Timeout != nil {
		d, err := time.ParseDuration(*e.Timeout)
		if err != nil || d < time.Millisecond || d > maxTimeout {
			f.add("timeout", `%.60q is not a time limit from 1ms to %v; write one such as "30s"`, *e.Timeout, maxTimeout)
		}
		c.Limits.Timeout = d
	}
}

// meaning reads what figures are and which counts as toxicity.
func (f *faults) meaning(e entry, c *Classifier) {
	c.Scale = e.Scale
	switch e.Scale {
	case "":
		c.Scale = Probability
	case Probability, Score:
	default:
		f.add("scale", `%.60q is not a scale; write "probability" or "score"`, e.Scale)
	}
	switch {
	case e.Toxicity == nil && c.Scale == Score:
	case e.Toxicity == nil:
		c.Toxicity = classifier.Toxicity
	case *e.Toxicity != "" && c.Scale == Score:
		f.add("toxicity", `is %.60q, but scores that are no probabilities never count as toxicity; remove toxicity or scale`,
			*e.Toxicity)
	case *e.Toxicity != remote.Normalise(*e.Toxicity):
		f.add("toxicity", "%.60q is not a name of an output; write the name after outputs, such as %q",
			*e.Toxicity, remote.Normalise(*e.Toxicity))
	default:
		c.Toxicity = *e.Toxicity
	}
}

// unused refuses fields that a kind does not have: they would seem to work.
func (f *faults) unused(e entry) {
	models := e.Kind == remote.OpenAI || e.Kind == remote.HF
	if e.Model != "" && !models {
		f.add("model", "has no effect on kind %s; remove it", e.Kind)
	}
	if e.Kind == remote.HF && e.Model != "" && e.URL != "" {
		f.add("model", "has no effect beside url; remove one of the two")
	}
	if e.Kind == remote.Perspective && e.Scale == Score {
		f.add("scale", "Perspective gives probabilities; remove scale")
	}
	if e.Kind != Embedded {
		return
	}
	for _, field := range []struct {
		name string
		set  bool
	}{
		{"url", e.URL != ""}, {"key_env", e.KeyEnv != ""}, {"key_file", e.KeyFile != ""}, {"rate", e.Rate != nil},
		{"timeout", e.Timeout != nil}, {"retries", e.Retries != nil}, {"outputs", e.Outputs != nil},
		{"scale", e.Scale != ""}, {"version", e.Version != ""}, {"price", e.Price != 0},
	} {
		if field.set {
			f.add(field.name, "has no effect on kind embedded; remove it")
		}
	}
}

// key reads the key. Its text never gets into an error.
func (f *faults) key(e entry, folder string) remote.Secret {
	var field, text string
	switch {
	case e.KeyEnv != "" && e.KeyFile != "":
		f.add("key_file", "stands beside key_env; remove one of the two")
		return ""
	case e.KeyEnv != "":
		field = "key_env"
		text = os.Getenv(e.KeyEnv)
		if text == "" {
			f.add(field, "the environment variable %.60q is not set; set it to the key", e.KeyEnv)
			return ""
		}
	case e.KeyFile != "":
		field = "key_file"
		path := e.KeyFile
		if !filepath.IsAbs(path) {
			path = filepath.Join(folder, path)
		}
		read, err := os.ReadFile(path)
		if err != nil {
			f.add(field, "cannot be read: %v; write the path of a file with the key alone", err)
			return ""
		}
		text = string(read)
	case e.Kind == remote.Perspective:
		f.add("key_env", "is missing, but Perspective needs a key; write the name of an environment variable, or key_file")
		return ""
	default:
		return ""
	}
	text = strings.TrimSpace(text)
	if text == "" || len(text) > maxKey || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		f.add(field, "does not lead to a key; a key is one line of at most %d printable characters without spaces", maxKey)
		return ""
	}
	return remote.Secret(text)
}

// checkClient makes the client once, so that its errors are found with the file's.
func (f *faults) checkClient(c Classifier) {
	_, err := remote.New(c.Kind, c.options())
	var wrong *remote.FieldError
	if errors.As(err, &wrong) {
		f.add(wrong.Field, "%s", wrong.Message)
	}
}

// options returns what the client of a server needs.
func (c Classifier) options() remote.Options {
	o := remote.Options{
		URL: c.URL, Key: c.Key, Model: c.Model, Outputs: c.Outputs, AnyNumber: c.Scale == Score, Parallel: c.Limits.Parallel,
	}
	if len(c.Languages) == 1 {
		o.Language = c.Languages[0]
	}
	return o
}
