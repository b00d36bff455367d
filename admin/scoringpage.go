package admin

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
)

const scoringPath = "/settings/scoring"

// scoringQuery is the query of the page, without the weights. The weights make
// a trial that people can share.
type scoringQuery struct {
	Window string `form:"frame" validate:"max=20"`
	Truth  string `form:"truth" validate:"max=20"`
	Try    string `form:"try" validate:"max=20"`
	From   string `form:"from" validate:"max=20"` // a version, or open-assistant: the first weights of the form
	Note   string `form:"note"`
}

// scoringPage shows the formula in force, its versions, and a form that tries
// or saves another one.
type scoringPage struct {
	Layout
	Scoring store.Scoring
	Weights weightLines
	Toxic   weightLine
	// Classifier holds the models whose toxicity counts.
	Classifier classifierLine
	Note       string
	Version    int // the version that the form was made from
	Windows    []Choice
	Truths     []Choice
	Versions   []versionLine
	Trial      *trialView
	Tried      string // the key of the formula that was tried
	Ask        *scoringAsk
	Wrong      store.Invalid
	Conflict   *store.Conflict
	From       string // the version with the weights of the form
	Lost       string // the requested version, if it does not exist
	Holders    []string
}

func (p scoringPage) api() any { return p.Scoring }

// classifierLine is the field of the models whose toxicity counts.
type classifierLine struct {
	Value   string // as typed
	InForce string // the title of those in force
	Changed bool
	Wrong   string
}

// versionLine is a row of the table of versions.
type versionLine struct {
	store.FormulaVersion
	InForce bool
	First   bool
	Changes []scoring.Difference
	// Models are the titles of the models that counted before and count since, if that
	// changed.
	Models []string
	Back   string // the address of the form with its weights
}

// MaySave reports whether the person may put a formula in force.
func (p scoringPage) MaySave() bool { return p.Person.May(policy.ScoringSave) }

// Elsewhere returns the errors of fields that the form does not show.
func (p scoringPage) Elsewhere() string {
	return elsewhere(p.Wrong, append(p.Weights.fields(), "note", "classifier", p.Toxic.Name)...)
}

// scoring shows the page. The query may hold weights, to try or only to show,
// or a version to begin with.
func (s *Server) scoring(c *fiber.Ctx) error {
	var q scoringQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	window, err := scoring.WindowNamed(q.Window)
	if err != nil {
		return store.Malformed(err.Error())
	}
	truth, err := scoring.TruthNamed(q.Truth)
	if err != nil {
		return store.Malformed(err.Error())
	}
	p, err := s.scoringPage(c, window, truth)
	if err != nil {
		return err
	}
	values := query(c)
	if q.From != "" {
		values = p.beginWith(q.From)
	}
	change, wrong := p.read(values)
	if q.Try == "" || len(wrong) > 0 {
		return s.showScoring(c, p, wrong)
	}
	trial, err := s.store.TryFormula(c.UserContext(), s.actor(c), change, truth, window)
	if err != nil {
		return err
	}
	p.Trial, p.Tried = viewTrial(trial), formulaKey(trial.Tried)
	return s.showScoring(c, p, nil)
}

// saveScoring saves the formula of the form, or shows the form again with its
// errors.
func (s *Server) saveScoring(c *fiber.Ctx) error {
	values, err := formValues(c)
	if err != nil {
		return err
	}
	var body formulaBody
	wrong := store.Invalid(fill(values, &body))
	window, truth := trialOf(values)
	p, err := s.scoringPage(c, window, truth)
	if err != nil {
		return err
	}
	change, faults := p.read(values)
	delete(wrong, "weights") // the form shows them weight by weight
	wrong = merge(faults, wrong)
	if body.Version != nil {
		p.Version = *body.Version
	}
	if len(wrong) > 0 {
		return s.showScoring(c, p, wrong)
	}
	if asks := p.asks(values, change); asks != nil {
		if err := s.askToSave(c, asks, change, truth, window); err != nil {
			return err
		}
		p.Ask = asks
		return s.showScoring(c, p, nil)
	}
	outcome, err := s.store.SaveFormula(c.UserContext(), s.actor(c), change, body.Note, &p.Version, "")
	var invalid store.Invalid
	var conflict *store.Conflict
	switch {
	case errors.As(err, &invalid):
		return s.showScoring(c, p, invalid)
	case errors.As(err, &conflict):
		// If the form is sent again, the person has seen the other change.
		base := p.Version
		if p, err = s.scoringPage(c, window, truth); err != nil {
			return err
		}
		p.read(values)
		p.merge(base)
		p.Conflict = conflict
		return s.showScoring(c, p, nil)
	case err != nil:
		return err
	}
	return done(c, scoringPath, outcome.Action)
}

// scoringPage makes the page with the formula in force in its form.
func (s *Server) scoringPage(c *fiber.Ctx, window scoring.Window, truth scoring.Truth) (scoringPage, error) {
	p := scoringPage{Layout: s.layout(c, "Scoring"), Holders: s.store.Policy().Holders(policy.ScoringSave)}
	var err error
	if p.Scoring, err = s.store.Scoring(c.UserContext(), s.actor(c)); err != nil {
		return p, err
	}
	p.Version = p.Scoring.Version
	for _, info := range scoring.Signals {
		weight := p.Scoring.Weights[info.Signal]
		p.Weights = append(p.Weights, weightLine{ID: "w-" + string(info.Signal), Name: string(info.Signal), Title: info.Title,
			Hint:  info.Counts,
			Value: plainNumber(weight), InForce: weight, Legacy: scoring.OpenAssistant.Weights[info.Signal]})
	}
	p.Toxic = weightLine{ID: "w-toxic_from", Name: "toxic_from", Title: "Toxicity threshold",
		Hint:  "the classifier’s toxicity, 0 to 1, from which a message counts as toxic",
		Value: plainNumber(p.Scoring.ToxicFrom), InForce: p.Scoring.ToxicFrom}
	p.Classifier = classifierLine{Value: p.Scoring.Classifier, InForce: scoring.ClassifierTitle(p.Scoring.Classifier)}
	for _, f := range scoring.Windows {
		p.Windows = append(p.Windows, Choice{string(f), f.Title(), f == window})
	}
	for _, t := range scoring.Truths {
		p.Truths = append(p.Truths, Choice{string(t), truthTitles[t], t == truth})
	}
	versions := append([]store.FormulaVersion{p.Scoring.FormulaVersion}, p.Scoring.Earlier...)
	for i, v := range versions {
		line := versionLine{FormulaVersion: v, InForce: i == 0, First: v.Version == 1,
			Back: fmt.Sprintf("%s?from=%d#weights", scoringPath, v.Version)}
		if i+1 < len(versions) {
			line.Changes = v.Differences(versions[i+1].Formula)
			if before := versions[i+1].Classifier; before != v.Classifier {
				line.Models = []string{scoring.ClassifierTitle(before), scoring.ClassifierTitle(v.Classifier)}
			}
		}
		p.Versions = append(p.Versions, line)
	}
	return p, nil
}

// read fills the form with what was typed, and returns the change. A weight
// that was not sent stays as it is.
func (p *scoringPage) read(values url.Values) (scoring.Change, store.Invalid) {
	wrong := store.Invalid{}
	change := scoring.Change{Weights: p.Weights.read(values, "signal", wrong)}
	if n, ok := p.Toxic.read(values, "toxic_from", "toxic_from", wrong); ok {
		change.ToxicFrom = &n
	}
	if values.Has("classifier") {
		p.Classifier.Value = strings.TrimSpace(last(values["classifier"]))
		change.Classifier = &p.Classifier.Value
		p.Classifier.Changed = scoring.ClassifierTitle(p.Classifier.Value) != p.Classifier.InForce
		if why := change.Unknown(p.Scoring.Models); why != "" {
			wrong["classifier"] = why
		}
	}
	p.Note = last(values["note"])
	_, faults := change.Apply(p.Scoring.Formula)
	return change, merge(wrong, faults)
}

// merge gives the weights that the form left as they were in a version their
// values in force, which somebody else may have changed since.
func (p *scoringPage) merge(version int) {
	i := slices.IndexFunc(p.Versions, func(v versionLine) bool { return v.Version == version })
	if i < 0 {
		return
	}
	p.Weights.keep(func(name string) float64 { return p.Versions[i].Weights[scoring.Signal(name)] })
	p.Toxic.keep(p.Versions[i].ToxicFrom)
	if scoring.ClassifierTitle(p.Classifier.Value) == scoring.ClassifierTitle(p.Versions[i].Classifier) {
		p.Classifier.Value, p.Classifier.Changed = p.Scoring.Classifier, false
	}
}

// showScoring answers with the page.
func (s *Server) showScoring(c *fiber.Ctx, p scoringPage, wrong store.Invalid) error {
	p.Wrong = wrong
	p.Weights.mark(wrong)
	p.Toxic.Wrong, p.Classifier.Wrong = wrong["toxic_from"], wrong["classifier"]
	return s.renderStatus(c, statusOf(wrong, p.Conflict), "scoring", p)
}
