package admin

import (
	"context"
	"errors"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"treewarden/admin/openapi"
	"treewarden/scoring/classifier"
	"treewarden/scoring/classifier/config"
	"treewarden/scoring/classifier/guard"
	"treewarden/store"
	"treewarden/store/classify"
	"treewarden/store/jobs"
)

func init() {
	describe("GET /classifiers", openapi.Method{
		Summary: "The classifiers that run here, and those whose outputs came from outside: how each works, what it has " +
			"covered and what waits for it",
		Answer: classifierList{},
	})
	describe("POST /classifiers/:id/try", openapi.Method{
		Summary: "The scores that a classifier gives a text. Nothing is stored. 422 if it refuses the text, 503 with the " +
			"code classifier_unavailable if it does not answer",
		ID: "", Body: tryTextBody{}, Answer: triedText{},
	})
	describe("POST /classifiers/:id/retry", openapi.Method{
		Summary: "Queue the messages again that a classifier refused",
		ID:      "", Body: struct{}{}, Answer: retried{},
	})
	describe("GET /classifiers/runs", openapi.Method{
		Summary: "The last runs over messages that people ordered, the newest first", Answer: store.List[classify.Run]{},
	})
	describe("POST /classifiers/runs", openapi.Method{
		Summary: "Run a classifier over messages: all, or those without an output for the text that they have now. q is a " +
			"line of filters, such as role:prompter deleted:only",
		Body: runBody{}, Job: jobAnswer{},
	})
}

// shownRuns is the number of runs that the page and the API list.
const shownRuns = 20

// outsideKind is the kind of a classifier that this process does not run.
const outsideKind = "outside"

// classifierList is the answer with all classifiers.
type classifierList struct {
	store.List[classifierItem]
	AsOf *time.Time `json:"as_of" description:"when messages were counted for coverage; null if they never were"`
	// WithoutOutput is exact unless several classifiers share a language.
	WithoutOutput int64 `json:"without_output" description:"messages without an output of any classifier, at the most"`
}

// classifierItem is a classifier.
type classifierItem struct {
	Name           string             `json:"name"`
	Kind           string             `json:"kind" description:"outside if it does not run here"`
	Active         bool               `json:"active" description:"new and edited messages are queued for it"`
	Languages      []string           `json:"languages" description:"that it is run on; empty for all"`
	Version        string             `json:"version"`
	Address        string             `json:"address" description:"the host that is asked; empty if none is configured"`
	Outputs        []string           `json:"outputs" description:"those known so far"`
	Toxicity       string             `json:"toxicity" description:"the output that may count as toxicity; empty for none"`
	Scale          config.Scale       `json:"scale" enum:"probability,score," description:"empty if it does not run here"`
	Price          float64            `json:"price" description:"of 1,000 texts; 0 if that is not known"`
	State          *classifierState   `json:"state" description:"of this process; null if it does not run here"`
	Coverage       []languageCoverage `json:"coverage"`
	Queued         int64              `json:"queued" description:"messages that wait for it; counted up to 100,001"`
	OldestQueuedAt *time.Time         `json:"oldest_queued_at"`
	Failures       int64              `json:"failures" description:"messages that it refuses; counted up to 100,001"`
	NewestFailures []classify.Failure `json:"newest_failures"`
	Cost           float64            `json:"cost" description:"of the texts that this process sent: texts × price / 1000"`
}

// classifierState is how a classifier works in this process.
type classifierState struct {
	Phase       guard.Phase `json:"phase" enum:"closed,open,half-open" description:"open: it is not asked before next_try"`
	Since       time.Time   `json:"since"`
	Failures    int         `json:"failures" description:"failed requests in a row"`
	LastError   string      `json:"last_error"`
	LastErrorAt *time.Time  `json:"last_error_at"`
	NextTry     *time.Time  `json:"next_try"`
	Requests    int64       `json:"requests"`
	Texts       int64       `json:"texts" description:"texts with scores"`
	Refused     int64       `json:"refused" description:"texts that it has no scores of"`
	Errors      int64       `json:"errors" description:"requests that failed or were refused"`
	Seconds     float64     `json:"seconds" description:"that all requests took together"`
	Rate        float64     `json:"rate" description:"texts a second over the last minute"`
}

// languageCoverage says how many messages of a language have an output.
type languageCoverage struct {
	Lang     string `json:"lang"`
	Messages int64  `json:"messages"`
	Covered  int64  `json:"covered"`
	Measured *bool  `json:"measured" description:"whether the model was measured for the language; null if not known"`
}

// classifierItems returns all classifiers: those of this process in the order of their
// configuration, then the others by name.
func (s *Server) classifierItems(status classify.Status) []classifierItem {
	var all, others []classifierItem
	for _, c := range s.Classifiers {
		known := classify.ModelStatus{Name: c.Name}
		if i := slices.IndexFunc(status.Models, func(m classify.ModelStatus) bool { return m.Name == c.Name }); i >= 0 {
			known = status.Models[i]
		}
		item := itemOf(known)
		state := c.State()
		item.Kind, item.Languages, item.Version, item.Address = string(c.Kind), orNone(c.Languages), c.Version,
			hostOf(c.URL)
		item.Toxicity, item.Scale, item.Price, item.State = c.Toxicity, c.Scale, c.Price, stateOf(state)
		item.Cost = costOf(c, state)
		item.Coverage = coverageOf(status, known, &c)
		all = append(all, item)
	}
	for _, m := range status.Models {
		if _, runs := s.classifier(m.Name); !runs {
			item := itemOf(m)
			item.Coverage = coverageOf(status, m, nil)
			others = append(others, item)
		}
	}
	return orNone(append(all, others...))
}

// itemOf returns what the database knows of a classifier.
func itemOf(m classify.ModelStatus) classifierItem {
	return classifierItem{Name: m.Name, Kind: outsideKind, Active: m.Active, Outputs: orNone(m.Outputs),
		Languages: []string{},
		Queued:    m.Queued, OldestQueuedAt: m.OldestQueuedAt, Failures: m.Failures, NewestFailures: orNone(m.Newest)}
}

func stateOf(s guard.State) *classifierState {
	state := &classifierState{Phase: s.Phase, Since: s.Since.UTC(), Failures: s.Failures, LastError: s.LastError,
		Requests: s.Requests, Texts: s.Texts, Refused: s.Refused, Errors: s.Errors, Seconds: s.Seconds, Rate: s.Rate}
	if !s.LastErrorAt.IsZero() {
		state.LastErrorAt = new(s.LastErrorAt.UTC())
	}
	if !s.NextTry.IsZero() {
		state.NextTry = new(s.NextTry.UTC())
	}
	return state
}

// costOf returns what the texts cost that this process sent.
func costOf(c config.Configured, s guard.State) float64 { return float64(s.Texts) * c.Price / 1000 }

// coverageOf returns the coverage of the languages that a classifier is run on or has
// outputs of, those with the most messages first.
func coverageOf(status classify.Status, m classify.ModelStatus, c *config.Configured) []languageCoverage {
	all := []languageCoverage{}
	for lang, messages := range status.Messages {
		covered := m.Covered[lang]
		if covered == 0 && (c == nil || !c.Covers(lang)) {
			continue
		}
		line := languageCoverage{Lang: lang, Messages: messages, Covered: min(covered, messages)}
		if c != nil {
			if measured, known := c.Measured(lang); known {
				line.Measured = &measured
			}
		}
		all = append(all, line)
	}
	slices.SortFunc(all, func(a, b languageCoverage) int {
		if a.Messages != b.Messages {
			return int(b.Messages - a.Messages)
		}
		return strings.Compare(a.Lang, b.Lang)
	})
	return all
}

// hostOf returns the host of an address: the rest may hold a key.
func hostOf(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return parsed.Host
}

// classifier returns a classifier of this process.
func (s *Server) classifier(name string) (config.Configured, bool) {
	i := slices.IndexFunc(s.Classifiers, func(c config.Configured) bool { return c.Name == name })
	if i < 0 {
		return config.Configured{}, false
	}
	return s.Classifiers[i], true
}

// listClassifiers answers with all classifiers.
func (s *Server) listClassifiers(c *fiber.Ctx) error {
	access, err := s.store.Classifiers(s.actor(c))
	if err != nil {
		return err
	}
	status, err := access.Status(c.UserContext())
	if err != nil {
		return err
	}
	answer := classifierList{AsOf: status.AsOf, List: store.List[classifierItem]{Items: s.classifierItems(status)}}
	answer.WithoutOutput, _ = status.WithoutOutput()
	return sendJSON(c, answer)
}

// tryTextBody is a text to try.
type tryTextBody struct {
	Text string `json:"text" form:"text" validate:"required,max=20000"` // corpus.MaxText
}

// triedText are the scores of a text.
type triedText struct {
	Scores classifier.Scores `json:"scores"`
}

// tryText answers with the scores of a text.
func (s *Server) tryText(c *fiber.Ctx) error {
	found, ok := s.classifier(pathParam(c, "id"))
	if !ok {
		return store.ErrNotFound
	}
	var body tryTextBody
	if err := decodeBody(c, &body); err != nil {
		return err
	}
	scores, err := scoresOf(c.UserContext(), found, body.Text)
	if err != nil {
		return err
	}
	return sendJSON(c, triedText{scores})
}

// tryTimeout is how long a classifier may take for a text that somebody tries. It ends before
// the time of the request, so that the page can still be shown.
const tryTimeout = requestTimeout - 3*time.Second

// scoresOf asks a classifier for the scores of one text. A text that it refuses is a
// store.Invalid, and a classifier that does not answer is unavailable.
func scoresOf(ctx context.Context, c config.Configured, text string) (classifier.Scores, error) {
	if strings.TrimSpace(text) == "" {
		return nil, store.Invalid{"text": "Type a text."}
	}
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	all, err := c.Classify(ctx, []string{text})
	var refused *classifier.TextError
	var fault *classifier.Error
	var closed *guard.OpenError
	switch {
	case err == nil:
		return all[0], nil
	case errors.As(err, &refused):
		return nil, store.Invalid{"text": "The classifier refuses this text: " + fullStop(refused.Err.Error())}
	case errors.As(err, &closed):
		return nil, unavailable{closed.Error(), time.Until(closed.Until)}
	case errors.As(err, &fault):
		return nil, unavailable{fault.Message, fault.RetryAfter}
	case errors.Is(err, context.DeadlineExceeded):
		return nil, unavailable{"It did not answer in time.", 0}
	}
	return nil, err
}

// unavailable is why a classifier has no answer.
type unavailable struct {
	Why string // for people, without a key
	// After is how long to wait, 0 if that is not known.
	After time.Duration
}

func (n unavailable) Error() string { return n.Why }

// failure returns the failure for a classifier that does not answer.
func (n unavailable) failure() failure {
	return failure{Status: 503, Code: codeUnavailable, Title: "The classifier does not answer",
		Message: fullStop(capital(n.Why)),
		Advice:  "Nothing was stored. Try again later.", RetryAfter: max(int(math.Ceil(n.After.Seconds())), 5)}
}

const codeUnavailable = "classifier_unavailable"

// retried is the answer to a retry.
type retried struct {
	Queued int64 `json:"queued" description:"messages that are queued again"`
}

// retryRefused queues the messages again that a classifier refused.
func (s *Server) retryRefused(c *fiber.Ctx) error {
	if err := decodeBody(c, &struct{}{}); err != nil {
		return err
	}
	access, err := s.store.Classifiers(s.actor(c))
	if err != nil {
		return err
	}
	n, err := access.RetryFailures(c.UserContext(), pathParam(c, "id"))
	if err != nil {
		return err
	}
	return sendJSON(c, retried{n})
}

// runBody orders a run over messages.
type runBody struct {
	Model   string `json:"model" form:"model" validate:"required,max=256"`
	Missing bool   `json:"missing" form:"missing" description:"only those without an output for their text"`
	Lang    string `json:"lang" form:"lang" validate:"max=256" description:"with its varieties; empty for all"`
	Line    string `json:"q" form:"q" validate:"max=2000" description:"a line of filters, without words to search for"`
	Key     string `json:"-" form:"key" validate:"max=100"` // only the form sends it
}

// runs answers with the last runs.
func (s *Server) runs(c *fiber.Ctx) error {
	access, err := s.store.Classifiers(s.actor(c))
	if err != nil {
		return err
	}
	found, err := access.Runs(c.UserContext(), shownRuns)
	if err != nil {
		return err
	}
	return sendJSON(c, store.List[classify.Run]{Items: found})
}

// orderRun orders a run.
func (s *Server) orderRun(c *fiber.Ctx) error {
	var body runBody
	if err := decodeBody(c, &body); err != nil {
		return err
	}
	run, err := s.order(c, body)
	if err != nil {
		return err
	}
	return answerJob(c, run.Job)
}

func (s *Server) order(c *fiber.Ctx, body runBody) (classify.Run, error) {
	key, err := idempotencyKey(c, body.Key)
	if err != nil {
		return classify.Run{}, err
	}
	access, err := s.store.Classifiers(s.actor(c))
	if err != nil {
		return classify.Run{}, err
	}
	run, err := access.Order(c.UserContext(), classify.Order{Model: body.Model, Missing: body.Missing, Lang: body.Lang,
		Line: body.Line}, key)
	if errors.Is(err, classify.ErrOtherRequest) {
		return run, &store.Conflict{Why: jobs.OtherRequest}
	}
	return run, err
}
