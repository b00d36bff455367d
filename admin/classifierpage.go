package admin

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"treewarden/policy"
	"treewarden/scoring/classifier"
	"treewarden/scoring/classifier/config"
	"treewarden/scoring/classifier/guard"
	"treewarden/store"
	"treewarden/store/classify"
	"treewarden/store/jobs"
)

const classifiersPath = "/settings/classifiers"

// classifiersPage shows the classifiers, tries texts and runs classifiers over messages.
type classifiersPage struct {
	Layout
	Status    classify.Status
	Lines     []classifierView // those that run here
	Others    []classifierView // those whose outputs came from outside
	Without   int64            // messages without an output of any classifier
	Exact     bool             // Without is exact
	Runs      []runView
	Open      bool // a run has not ended
	Languages []Choice
	Models    []Choice // to run
	Try       tryForm
	Run       runBody
	Wrong     store.Invalid // of the run
	Holders   []string
}

func (p classifiersPage) api() any { return nil }

// AsOf says when the messages were counted.
func (p classifiersPage) AsOf() string { return asOfText(p.Status.AsOf, true) }

// MaySave reports whether the person may run classifiers.
func (p classifiersPage) MaySave() bool { return p.Person.May(policy.ScoringSave) }

// Elsewhere returns the errors of fields that the form of a run does not show beside them.
func (p classifiersPage) Elsewhere() string { return elsewhere(p.Wrong, "model", "lang", "q") }

// tryForm is the form that tries a text, with the scores.
type tryForm struct {
	Model  string `form:"model" validate:"max=256"`
	Text   string `form:"text" validate:"required,max=20000"` // corpus.MaxText
	Models []Choice
	Scores []triedScore
	Tried  string // the classifier that gave the scores
	Wrong  store.Invalid
	Silent string // why the classifier has no answer
}

// triedScore is a score of a tried text.
type triedScore struct {
	Name  string
	Score float64
	Bar   bool // it is a probability
	Toxic bool // the text counts as toxic by it
	From  float64
}

// Number writes the score.
func (t triedScore) Number() string {
	if t.Bar {
		return fixed(t.Score, 3)
	}
	return number(t.Score)
}

// classifierView is a classifier as the page shows it.
type classifierView struct {
	classifierItem
	Badge badge
	Shown []coverageView // the languages with the most messages
	More  []coverageView
}

// unfoldedLanguages is the number of languages that are not folded.
const unfoldedLanguages = 8

// coverageView is the coverage of a language as the page shows it.
type coverageView struct {
	languageCoverage
	Share float64
}

// IsUnmeasured reports whether the classifier was not measured for the language.
func (v coverageView) IsUnmeasured() bool { return v.Measured != nil && !*v.Measured }

// Title writes the name of the language.
func (v coverageView) Title() string { return langName(v.Lang) }

// Link returns the address of the messages in the language; "" if no filter finds them.
func (v coverageView) Link() string {
	if v.Lang == policy.Undetermined {
		return ""
	}
	return "/messages?" + url.Values{"lang": {v.Lang}, "deleted": {"include"}}.Encode()
}

// viewClassifier returns a classifier as the page shows it.
func viewClassifier(item classifierItem) classifierView {
	v := classifierView{classifierItem: item, Badge: stateBadge(item)}
	for i, c := range item.Coverage {
		line := coverageView{c, float64(c.Covered) / float64(max(c.Messages, 1))}
		if i < unfoldedLanguages {
			v.Shown = append(v.Shown, line)
		} else {
			v.More = append(v.More, line)
		}
	}
	return v
}

// stateBadge says in words how a classifier works.
func stateBadge(item classifierItem) badge {
	switch s := item.State; {
	case s == nil:
		return badge{}
	case s.Phase == guard.Open:
		return badge{"Fails: not asked until " + s.NextTry.Format("15:04") + " UTC", "bad", "Too many requests failed"}
	case s.Phase == guard.HalfOpen:
		return badge{"Tries again", "warn", "The next request decides whether it works"}
	case s.Requests == 0:
		return badge{"Not asked yet", "", "No request was sent since the start of this process"}
	case s.Failures > 0:
		return badge{"The last requests failed", "warn", counted(s.Failures, "request") + " failed in a row"}
	}
	return badge{"Works", "ok", "The last request had an answer"}
}

// KindTitle writes the kind of the classifier.
func (v classifierView) KindTitle() string {
	if v.Kind == string(config.Embedded) {
		return "embedded in this program"
	}
	return v.Kind
}

// Toxic says whether the toxicity of the classifier may count.
func (v classifierView) Toxic() string {
	switch {
	case v.Toxicity == "":
		return "none of its outputs may count as toxicity"
	case v.Toxicity == classifier.Toxicity:
		return "may count"
	}
	return "the output " + v.Toxicity + " may count"
}

// Covered returns the number of messages with an output.
func (v classifierView) Covered() (n int64) {
	for _, c := range v.Coverage {
		n += c.Covered
	}
	return n
}

// Average writes how long a request took.
func (v classifierView) Average() string {
	return fixed(v.State.Seconds/float64(max(v.State.Requests, 1))*1000, 1) + " ms"
}

// CostText writes what the texts cost.
func (v classifierView) CostText() string { return weight(math.Round(v.Cost*1e4) / 1e4) }

// LanguageNames writes the languages that the classifier is run on.
func (v classifierView) LanguageNames() string {
	if len(v.Languages) == 0 {
		return "all"
	}
	names := make([]string, len(v.Languages))
	for i, l := range v.Languages {
		names[i] = langName(l)
	}
	return strings.Join(names, ", ")
}

// QueuedText and FailedText write numbers that are counted up to a limit.
func (v classifierView) QueuedText() string { return limited(v.Queued) }

// FailedText is described at QueuedText.
func (v classifierView) FailedText() string { return limited(v.Failures) }

func limited(n int64) string {
	if n > classify.MaxCounted {
		return "more than " + counted(classify.MaxCounted, "message")
	}
	return counted(n, "message")
}

// runView is a run over messages as the page shows it.
type runView struct {
	classify.Run
	Badge     badge
	MayCancel bool
	About     int64 // messages in all, as far as it can be said; 0 if it cannot
}

var runBadges = map[string]badge{
	jobs.Queued:    {"Waiting", "", "The run starts in a moment"},
	jobs.Running:   {"Running", "info", "The messages are being classified"},
	jobs.Done:      {"Done", "ok", "All messages are done"},
	jobs.Failed:    {"Failed", "bad", "What was written stays"},
	jobs.Cancelled: {"Cancelled", "warn", "What was written stays"},
}

// runBadge returns the badge of a run.
func runBadge(job jobs.Job) badge {
	if job.State == jobs.Queued && job.WaitsFor != "" {
		return badge{"Waits for the classifier", "warn", "The run goes on by itself; what was written stays"}
	}
	return runBadges[job.State]
}

// viewRun returns a run as the page shows it.
func viewRun(r classify.Run, person store.Person, items []classifierItem, status classify.Status) runView {
	v := runView{Run: r, Badge: runBadge(r.Job)}
	v.MayCancel = r.IsOpen() && (r.Actor == person.UserID || person.May(policy.UndoAll))
	if !r.IsOpen() {
		return v
	}
	i := slices.IndexFunc(items, func(m classifierItem) bool { return m.Name == r.Order.Model })
	if i < 0 || r.Order.Line != "" {
		return v
	}
	for _, c := range items[i].Coverage {
		if r.Order.Lang == "" || strings.EqualFold(c.Lang, r.Order.Lang) {
			v.About += c.Messages
			if r.Order.Missing {
				v.About -= c.Covered
			}
		}
	}
	if r.Order.Missing && status.AsOf != nil && status.AsOf.After(r.CreatedAt) {
		v.About += r.Done // which are among the covered
	}
	if v.About < r.Done {
		v.About = 0
	}
	return v
}

// Chosen says which messages the run is over.
func (v runView) Chosen() string {
	text := "all messages"
	if v.Order.Missing {
		text = "messages without an output"
	}
	if v.Order.Lang != "" {
		text += " in " + langName(v.Order.Lang)
	}
	return text
}

// classifiersShown shows the page.
func (s *Server) classifiersShown(c *fiber.Ctx) error {
	if err := decodeQuery(c); err != nil {
		return err
	}
	p, err := s.classifiersPage(c, tryForm{}, runBody{Missing: true})
	if err != nil {
		return err
	}
	return s.render(c, "classifiers", p)
}

func (s *Server) classifiersPage(c *fiber.Ctx, try tryForm, run runBody) (classifiersPage, error) {
	p := classifiersPage{Layout: s.layout(c, "Classifiers"), Try: try, Run: run,
		Holders: s.store.Policy().Holders(policy.ScoringSave)}
	access, err := s.store.Classifiers(s.actor(c))
	if err != nil {
		return p, err
	}
	if p.Status, err = access.Status(c.UserContext()); err != nil {
		return p, err
	}
	items := s.classifierItems(p.Status)
	for _, item := range items {
		if item.State == nil {
			p.Others = append(p.Others, viewClassifier(item))
			continue
		}
		p.Lines = append(p.Lines, viewClassifier(item))
		p.Try.Models = append(p.Try.Models, Choice{item.Name, item.Name, item.Name == try.Model})
		p.Models = append(p.Models, Choice{item.Name, item.Name, item.Name == run.Model})
	}
	p.Without, p.Exact = p.Status.WithoutOutput()
	found, err := access.Runs(c.UserContext(), shownRuns)
	if err != nil {
		return p, err
	}
	for _, r := range found {
		p.Runs = append(p.Runs, viewRun(r, p.Person, items, p.Status))
		p.Open = p.Open || r.IsOpen()
	}
	languages, err := s.store.Languages(c.UserContext())
	p.Languages = languageChoices(languages, run.Lang)
	p.Run.Key = rand.Text()
	return p, err
}

// tryOnPage shows the page with the scores of a text.
func (s *Server) tryOnPage(c *fiber.Ctx) error {
	var try tryForm
	status := fiber.StatusOK
	err := decodeBody(c, &try)
	if err == nil {
		err = s.tryForm(c, &try)
	}
	var silent unavailable
	switch {
	case errors.As(err, &try.Wrong):
		status = fiber.StatusUnprocessableEntity
	case errors.As(err, &silent):
		status, try.Silent = fiber.StatusServiceUnavailable, fullStop(capital(silent.Why))
	case err != nil:
		return err
	}
	p, err := s.classifiersPage(c, try, runBody{Missing: true})
	if err != nil {
		return err
	}
	return s.renderStatus(c, status, "classifiers", p)
}

// tryForm asks the classifier of the form.
func (s *Server) tryForm(c *fiber.Ctx, try *tryForm) error {
	found, ok := s.classifier(try.Model)
	if !ok {
		return store.Invalid{"model": "Choose a classifier that runs here."}
	}
	scores, err := scoresOf(c.UserContext(), found, try.Text)
	if err != nil {
		return err
	}
	formula, err := s.store.FormulaNamed(c.UserContext(), "")
	if err != nil {
		return err
	}
	try.Tried = found.Name
	for _, name := range sortedKeys(scores) {
		score := triedScore{Name: name, Score: scores[name], From: formula.ToxicFrom}
		score.Bar = found.Scale == config.Probability && score.Score >= 0 && score.Score <= 1
		score.Toxic = name == found.Toxicity && score.Bar && score.Score >= formula.ToxicFrom
		try.Scores = append(try.Scores, score)
	}
	return nil
}

// runFromPage orders a run, or shows the form again with its errors.
func (s *Server) runFromPage(c *fiber.Ctx) error {
	var body runBody
	err := decodeBody(c, &body)
	if err == nil {
		_, err = s.order(c, body)
	}
	var invalid store.Invalid
	switch {
	case errors.As(err, &invalid):
		p, err := s.classifiersPage(c, tryForm{}, body)
		if err != nil {
			return err
		}
		p.Wrong = invalid
		return s.renderStatus(c, fiber.StatusUnprocessableEntity, "classifiers", p)
	case err != nil:
		return err
	}
	return c.Redirect(classifiersPath+"#runs", fiber.StatusSeeOther)
}

// retryBody names a classifier.
type retryBody struct {
	Model string `form:"model" validate:"max=256"`
}

// retryFromPage queues the messages again that a classifier refused.
func (s *Server) retryFromPage(c *fiber.Ctx) error {
	var body retryBody
	if err := decodeBody(c, &body); err != nil {
		return err
	}
	access, err := s.store.Classifiers(s.actor(c))
	if err != nil {
		return err
	}
	if _, err := access.RetryFailures(c.UserContext(), body.Model); errors.Is(err, store.ErrNotFound) {
		return store.Invalid{"model": fmt.Sprintf("No classifier %.60q runs here.", body.Model)}
	} else if err != nil {
		return err
	}
	return c.Redirect(classifiersPath+"?notice=retried", fiber.StatusSeeOther)
}
