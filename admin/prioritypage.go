package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/cases"
)

const priorityPath = "/settings/priority"

// priorityQuery is the query of the page, without the weights. The weights make a
// trial that people can share.
type priorityQuery struct {
	Window string `form:"frame" validate:"omitempty,oneof=day week month total"`
	Try    string `form:"try" validate:"max=20"`
	From   string `form:"from" validate:"max=20"` // a version: the first weights of the form
	Note   string `form:"note"`
}

// priorityPage shows the weights that order the queue, their versions, and a form that
// tries or saves others.
type priorityPage struct {
	Layout
	Priority store.QueuePriority
	Weights  weightLines
	Note     string
	Version  int // the version that the form was made from
	Windows  []Choice
	Versions []priorityVersion
	Trial    *priorityTrial
	Ask      *priorityAsk
	Wrong    store.Invalid
	Conflict *store.Conflict
	From     string // the version with the weights of the form
	Lost     string // the requested version, if it does not exist
	Holders  []string
}

func (p priorityPage) api() any { return p.Priority }

// priorityVersion is a row of the table of versions.
type priorityVersion struct {
	store.PriorityVersion
	InForce bool
	First   bool
	Changes []scoring.PriorityDifference
	Back    string // the address of the form with its weights
}

// priorityAsk is the question before weights are saved.
type priorityAsk struct {
	Key   string // of the weights that the answer saves
	Words string // says what they will change
}

// priorityTrial is a trial as the page shows it.
type priorityTrial struct {
	cases.Trial
	Shown   []caseMove // the first cases by the tried weights
	Leaving []caseMove
}

// caseMove is a case in two orders, without words of its message.
type caseMove struct {
	cases.TrialCase
	Name, Link string
	Entered    bool
	Parts      []priorityLine // by the tried weights
}

// Words says what a trial changes.
func (t *priorityTrial) Words() string {
	moved := 0
	for _, c := range t.After {
		if c.Up() != 0 {
			moved++
		}
	}
	switch entered, left := len(t.Entered), len(t.Left); {
	case entered+left > 0:
		return fmt.Sprintf("%s the first %d cases, %s.", verb(entered, "enter"), t.Top, verb(left, "leave"))
	case moved > 0:
		return fmt.Sprintf("No case enters or leaves the first %d; %s to another place.", t.Top, verb(moved, "move"))
	}
	return fmt.Sprintf("No case enters or leaves the first %d, and none moves.", t.Top)
}

// MaySave reports whether the person may put weights in force.
func (p priorityPage) MaySave() bool { return p.Person.May(policy.ScoringSave) }

// Elsewhere returns the errors of fields that the form does not show.
func (p priorityPage) Elsewhere() string {
	return elsewhere(p.Wrong, append(p.Weights.fields(), "note")...)
}

// priorityShown shows the page. The query may hold weights, to try or only to show, or
// a version to begin with.
func (s *Server) priorityShown(c *fiber.Ctx) error {
	var q priorityQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	p, err := s.priorityPage(c, scoring.Window(q.Window))
	if err != nil {
		return err
	}
	values := query(c)
	if q.From != "" {
		values = p.beginWith(q.From)
	}
	weights, wrong := p.read(values)
	if q.Try != "" && len(wrong) == 0 {
		if p.Trial, err = s.priorityTrial(c, weights, scoring.Window(q.Window)); err != nil {
			return err
		}
	}
	return s.showPriority(c, p, wrong)
}

// savePriority saves the weights of the form, or shows the form again with its errors
// or with the question what will change.
func (s *Server) savePriority(c *fiber.Ctx) error {
	values, err := formValues(c)
	if err != nil {
		return err
	}
	var body priorityBody
	wrong := store.Invalid(fill(values, &body))
	window, err := scoring.WindowNamed(last(values["frame"]))
	if err != nil {
		window = scoring.Total // a save does not depend on it
	}
	p, err := s.priorityPage(c, window)
	if err != nil {
		return err
	}
	weights, faults := p.read(values)
	delete(wrong, "weights") // the form shows them weight by weight
	wrong = merge(faults, wrong)
	if body.Version != nil {
		p.Version = *body.Version
	}
	if len(wrong) > 0 {
		return s.showPriority(c, p, wrong)
	}
	if p.Ask = p.asks(values, weights); p.Ask != nil {
		trial, err := s.priorityTrial(c, weights, window)
		if err != nil {
			return err
		}
		p.Ask.Words, p.Trial = trial.Words(), trial
		return s.showPriority(c, p, nil)
	}
	outcome, err := s.store.SavePriority(c.UserContext(), s.actor(c), weights, body.Note, &p.Version, "")
	var invalid store.Invalid
	var conflict *store.Conflict
	switch {
	case errors.As(err, &invalid):
		return s.showPriority(c, p, invalid)
	case errors.As(err, &conflict):
		// If the form is sent again, the person has seen the other change.
		base := p.Version
		if p, err = s.priorityPage(c, window); err != nil {
			return err
		}
		p.read(values)
		p.merge(base)
		p.Conflict = conflict
		return s.showPriority(c, p, nil)
	case err != nil:
		return err
	}
	return done(c, priorityPath, outcome.Action)
}

// priorityPage makes the page with the weights in force in its form.
func (s *Server) priorityPage(c *fiber.Ctx, window scoring.Window) (priorityPage, error) {
	p := priorityPage{Layout: s.layout(c, "Queue order"), Holders: s.store.Policy().Holders(policy.ScoringSave)}
	var err error
	if p.Priority, err = s.store.QueuePriority(c.UserContext(), s.actor(c)); err != nil {
		return p, err
	}
	p.Version = p.Priority.Version
	for i := range scoring.PriorityParts {
		part := &scoring.PriorityParts[i]
		weight := p.Priority.Weights[part.Part]
		p.Weights = append(p.Weights, weightLine{ID: "w-" + string(part.Part), Name: string(part.Part), Title: part.Title,
			Hint: part.Counts, Value: plainNumber(weight), InForce: weight})
	}
	for _, f := range scoring.Windows {
		p.Windows = append(p.Windows, Choice{string(f), f.Title(), f == window || window == "" && f == scoring.Total})
	}
	versions := append([]store.PriorityVersion{p.Priority.PriorityVersion}, p.Priority.Earlier...)
	for i, v := range versions {
		line := priorityVersion{PriorityVersion: v, InForce: i == 0, First: v.Version == 1,
			Back: fmt.Sprintf("%s?from=%d#weights", priorityPath, v.Version)}
		if i+1 < len(versions) {
			line.Changes = v.Differences(versions[i+1].Priority)
		}
		p.Versions = append(p.Versions, line)
	}
	return p, nil
}

// priorityTrial tries weights.
func (s *Server) priorityTrial(
	c *fiber.Ctx, weights map[string]float64, window scoring.Window,
) (*priorityTrial, error) {
	trial, err := s.store.TryPriority(c.UserContext(), s.actor(c), weights, window)
	t := &priorityTrial{Trial: trial}
	for _, moved := range trial.After {
		t.Shown = append(t.Shown, viewMove(moved, slices.Contains(trial.Entered, moved.ID)))
	}
	for _, moved := range trial.Before {
		if slices.Contains(trial.Left, moved.ID) {
			t.Leaving = append(t.Leaving, viewMove(moved, false))
		}
	}
	return t, err
}

func viewMove(moved cases.TrialCase, entered bool) caseMove {
	m := caseMove{TrialCase: moved, Name: "unknown author", Link: casePath(moved.ID), Entered: entered}
	if moved.Author != nil {
		m.Name = named(*moved.Author, *moved.UserID)
	}
	for i, part := range moved.PriorityAfter.Parts {
		m.Parts = append(m.Parts, priorityLine{PriorityShare: part, Title: scoring.PriorityParts[i].Title})
	}
	return m
}

// read fills the form with what was typed, and returns the weights. One that was not
// sent stays as it is.
func (p *priorityPage) read(values url.Values) (map[string]float64, store.Invalid) {
	wrong := store.Invalid{}
	weights := p.Weights.read(values, "part", wrong)
	p.Note = last(values["note"])
	_, faults := p.Priority.With(weights)
	return weights, merge(wrong, faults)
}

// merge gives the weights that the form left as they were in a version their values in
// force, which somebody else may have changed since.
func (p *priorityPage) merge(version int) {
	i := slices.IndexFunc(p.Versions, func(v priorityVersion) bool { return v.Version == version })
	if i < 0 {
		return
	}
	p.Weights.keep(func(name string) float64 { return p.Versions[i].Weights[scoring.PriorityPart(name)] })
}

// beginWith writes the weights of a version as the form would send them.
func (p *priorityPage) beginWith(from string) url.Values {
	i := slices.IndexFunc(p.Versions, func(v priorityVersion) bool { return strconv.Itoa(v.Version) == from })
	if i < 0 {
		p.Lost = from
		return nil
	}
	p.From = "version " + from
	values := url.Values{"note": {"Back to version " + from}}
	for part, weight := range p.Versions[i].Weights {
		values.Set("weights["+string(part)+"]", plainNumber(weight))
	}
	return values
}

// asks returns the question before weights are saved, or nil if nothing is to be asked:
// the person has answered it, or nothing will be saved.
func (p *priorityPage) asks(values url.Values, weights map[string]float64) *priorityAsk {
	next, wrong := p.Priority.With(weights)
	key, err := json.Marshal(next.Weights)
	note := utf8.RuneCountInString(strings.TrimSpace(last(values["note"])))
	if err != nil || !p.MaySave() || len(wrong) > 0 || next.Same(p.Priority.Priority) || p.Version != p.Priority.Version ||
		note < 3 || note > 500 || last(values["sure"]) == string(key) {
		return nil
	}
	return &priorityAsk{Key: string(key)}
}

// showPriority answers with the page.
func (s *Server) showPriority(c *fiber.Ctx, p priorityPage, wrong store.Invalid) error {
	p.Wrong = wrong
	p.Weights.mark(wrong)
	return s.renderStatus(c, statusOf(wrong, p.Conflict), "priority", p)
}
