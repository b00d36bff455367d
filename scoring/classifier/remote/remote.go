// Package remote has the clients of classifiers that run on a server. There is one
// for each kind of server, and each is a classifier.Classifier.
//
// The clients do one request and report what went wrong; package guard around them
// limits, repeats and stops requests.
package remote

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"treewarden/scoring/classifier"
)

// Kind names the format that a server speaks.
type Kind string

// The kinds of servers.
const (
	Plain       Kind = "plain"
	TEI         Kind = "tei"
	HF          Kind = "hf"
	OpenAI      Kind = "openai"
	Perspective Kind = "perspective"
)

// Kinds lists all kinds.
func Kinds() []Kind { return []Kind{Plain, TEI, HF, OpenAI, Perspective} }

// Options are what a client needs to know.
type Options struct {
	// URL is the address of the server. Without a path, the path of the kind is
	// added. An empty URL is the public address of the kind, if it has one.
	URL string
	Key Secret
	// Model is the model that is asked for, for the kinds that have a choice.
	Model string
	// Language is the language of all texts, or empty if they have several.
	Language string
	// Outputs maps names of the server to names of outputs. Other names are
	// normalised.
	Outputs map[string]string
	// AnyNumber lets scores be any finite number; else they are probabilities.
	AnyNumber bool
	// Parallel is how many connections are kept open between requests.
	Parallel int
}

// form is what differs between the kinds.
type form struct {
	// address is the public server of the kind, empty if there is none. The model
	// takes the place of {model}.
	address string
	// path is the path of the kind on other servers.
	path string
	// outputs are the names of outputs without a configuration.
	outputs map[string]string
	make    func(*caller, Options) classifier.Classifier
}

var forms = map[Kind]form{
	Plain: {make: newPlain},
	TEI:   {path: "/predict", outputs: toxicLabel, make: newTEI},
	HF: {
		address: "https://router.huggingface.co/hf-inference/models/{model}",
		outputs: toxicLabel, make: newHF,
	},
	OpenAI: {
		address: "https://api.openai.com/v1/moderations", path: "/v1/moderations", make: newOpenAI,
	},
	Perspective: {
		address: "https://commentanalyzer.googleapis.com/v1alpha1/comments:analyze", path: "/v1alpha1/comments:analyze",
		make: newPerspective,
	},
}

// toxicLabel maps the label of the toxic class of most public models.
var toxicLabel = map[string]string{"toxic": classifier.Toxicity}

// FieldError is an option that is wrong. Field is its name in the configuration.
type FieldError struct{ Field, Message string }

func (e *FieldError) Error() string { return e.Message }

// New returns the client of a kind of server. The error is a *FieldError.
func New(kind Kind, o Options) (classifier.Classifier, error) {
	f, ok := forms[kind]
	if !ok {
		return nil, &FieldError{"kind", fmt.Sprintf("%q is not a kind of server; use one of %s", kind, join(Kinds()))}
	}
	to, err := f.target(kind, o)
	if err != nil {
		return nil, err
	}
	names, err := newNames(f.outputs, o.Outputs)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// Two connections are kept by default; the others would be opened anew each time.
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, max(o.Parallel, 2)
	transport.MaxResponseHeaderBytes = 64 << 10
	return f.make(&caller{
		kind: kind, to: to, key: o.Key, names: names, anyNumber: o.AnyNumber,
		// A redirect would take the key and the texts to another server.
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, o), nil
}

// target returns the address of the requests.
func (f form) target(kind Kind, o Options) (*url.URL, error) {
	address := o.URL
	if address == "" {
		if f.address == "" {
			return nil, &FieldError{"url", "is missing; give the address of the server, such as http://127.0.0.1:8080" + f.path}
		}
		if strings.Contains(f.address, "{model}") && o.Model == "" {
			return nil, &FieldError{"model", "is missing; give the name of a model, such as unitary/toxic-bert, or a url"}
		}
		address = strings.ReplaceAll(f.address, "{model}", o.Model)
	}
	to, err := url.Parse(address)
	// The error of url.Parse has the address in it, and a key may be part of that.
	if err != nil || to.Scheme != "http" && to.Scheme != "https" || to.Host == "" {
		return nil, &FieldError{"url", "is not an address that starts with http:// or https:// and has a host"}
	}
	if to.User != nil {
		return nil, &FieldError{"url", "has a user name or a password in it; use key_env or key_file for keys"}
	}
	if kind == Perspective && to.Query().Has("key") {
		return nil, &FieldError{"url", "has a key in it; use key_env or key_file"}
	}
	to.Fragment = ""
	if to.Path == "" || to.Path == "/" {
		to.Path = f.path
	}
	return to, nil
}

func join(kinds []Kind) string {
	names := make([]string, 0, len(kinds))
	for _, k := range kinds {
		names = append(names, string(k))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
