// Package config reads the file that says which classifiers run, and makes them.
// docs/classifiers.md describes the file.
package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"treewarden/scoring"
	"treewarden/scoring/classifier"
	"treewarden/scoring/classifier/guard"
	"treewarden/scoring/classifier/remote"
)

// Embedded is the kind of the classifier that is part of the program.
const Embedded remote.Kind = "embedded"

// DefaultName is the name of the embedded classifier.
const DefaultName = scoring.EmbeddedClassifier

// Scale says what the figures of a classifier are.
type Scale string

const (
	// Probability means that figures are probabilities, from 0 to 1.
	Probability Scale = "probability"
	// Score means that figures are any numbers, such as those of a reward model.
	Score Scale = "score"
)

// Config is a checked configuration.
type Config struct {
	Classifiers []Classifier
}

// Classifier is the configuration of one classifier.
type Classifier struct {
	Name string
	Kind remote.Kind
	// URL is the address of the server, empty for the public one of the kind.
	URL   string
	Key   remote.Secret
	Model string
	// Languages are those whose messages are classified; empty is all.
	Languages []string
	// Limits are the limits of requests.
	Limits  guard.Options
	Outputs map[string]string
	// Toxicity is the output that may count as toxicity, or empty if none may.
	Toxicity string
	Scale    Scale
	Version  string
	// Price is what 1,000 texts cost, 0 if that is not known.
	Price float64
}

// Covers reports whether messages of a language are classified. The language pt covers
// pt-BR too.
func (c Classifier) Covers(language string) bool {
	for _, l := range c.Languages {
		if strings.EqualFold(l, language) || len(l) < len(language) && strings.EqualFold(l+"-", language[:len(l)+1]) {
			return true
		}
	}
	return len(c.Languages) == 0
}

// Default is the configuration without a file: the embedded classifier alone.
func Default() Config { return Config{Classifiers: []Classifier{embedded()}} }

func embedded() Classifier {
	return Classifier{
		Name: DefaultName, Kind: Embedded, Toxicity: classifier.Toxicity, Scale: Probability, Limits: defaults[Embedded],
	}
}

// defaults are the limits of each kind. TEI takes 32 texts a request unless its
// --max-client-batch-size says more.
var defaults = map[remote.Kind]guard.Options{
	Embedded:           {Batch: 256, Parallel: runtime.GOMAXPROCS(0)},
	remote.Plain:       {Batch: 32, Parallel: 2, Timeout: 30 * time.Second, Retries: 3},
	remote.TEI:         {Batch: 32, Parallel: 4, Timeout: 30 * time.Second, Retries: 3},
	remote.HF:          {Batch: 8, Parallel: 2, Timeout: 30 * time.Second, Retries: 3},
	remote.OpenAI:      {Batch: 32, Parallel: 2, Timeout: 30 * time.Second, Retries: 3},
	remote.Perspective: {Batch: 1, Parallel: 1, Rate: 1, Timeout: 10 * time.Second, Retries: 3},
}

// maxFile is far longer than any configuration.
const maxFile = 1 << 20

// Load reads the configuration from a file. Files of keys are looked for in its
// folder.
func Load(path string) (Config, error) {
	file, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("read the configuration of classifiers: %w", err)
	}
	defer file.Close()
	config, err := parse(file, filepath.Dir(path))
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return config, nil
}

// Parse reads the configuration. Files of keys are looked for in the working folder.
func Parse(r io.Reader) (Config, error) { return parse(r, ".") }

// fileFields are the fields of the file.
const fileFields = "embedded, classifiers"

func parse(r io.Reader, folder string) (Config, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return Config{}, fmt.Errorf("read the configuration of classifiers: %w", err)
	}
	if len(text) > maxFile {
		return Config{}, errors.New("the file is longer than 1 MB; name the configuration of the classifiers")
	}
	var file struct {
		Embedded    *bool             `json:"embedded"`
		Classifiers []json.RawMessage `json:"classifiers"`
	}
	if err := decode(text, &file, fileFields); err != nil {
		return Config{}, err
	}
	var config Config
	var faults []error
	for i, text := range file.Classifiers {
		c, err := readEntry(text, i, folder)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		config.Classifiers = append(config.Classifiers, c)
	}
	if err := errors.Join(faults...); err != nil {
		return Config{}, err
	}
	if err := config.addEmbedded(file.Embedded); err != nil {
		return Config{}, err
	}
	return config, config.checkNames()
}

// addEmbedded adds the embedded classifier, unless the file has its own entry for it
// or turns it off.
func (c *Config) addEmbedded(wanted *bool) error {
	entries := 0
	for _, one := range c.Classifiers {
		if one.Kind == Embedded {
			entries++
		}
	}
	off := wanted != nil && !*wanted
	switch {
	case entries > 1:
		return errors.New("there are several classifiers of kind embedded; keep one of them")
	case entries == 1 && off:
		return errors.New(`"embedded" is false, but there is a classifier of kind embedded; remove one of the two`)
	case entries == 0 && !off:
		c.Classifiers = append([]Classifier{embedded()}, c.Classifiers...)
	}
	return nil
}

func (c *Config) checkNames() error {
	taken := map[string]bool{}
	for _, one := range c.Classifiers {
		if taken[one.Name] {
			return fmt.Errorf("there are two classifiers with the name %q; give each its own "+
				"(the embedded one is %q by default)", one.Name, DefaultName)
		}
		taken[one.Name] = true
	}
	return nil
}

// decode reads one JSON value without unknown fields.
func decode(text []byte, into any, fields string) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return errors.New("there is more after the end of the JSON object; remove it")
		}
		return nil
	}
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF):
		return errors.New(`the file is empty; write {} for the embedded classifier alone`)
	case errors.As(err, &syntax):
		line := bytes.Count(text[:max(min(int(syntax.Offset), len(text))-1, 0)], []byte("\n")) + 1
		return fmt.Errorf("line %d is not JSON: %v", line, syntax)
	case errors.As(err, &wrong) && wrong.Field != "":
		return fmt.Errorf("field %s: is a JSON %s; write %s", wrong.Field, wrong.Value, kindOf(wrong.Type.Kind()))
	case errors.As(err, &wrong):
		return fmt.Errorf("there is a JSON %s where an object belongs; write {…}", wrong.Value)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("field %s: is unknown; the fields are %s", strings.Trim(name, `"`), fields)
	}
	return fmt.Errorf("the file is not JSON: %w", err)
}
