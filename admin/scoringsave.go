package admin

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"treewarden/scoring"
	"treewarden/store"
)

// truthTitles are the choices of a trial.
var truthTitles = map[scoring.Truth]string{
	scoring.TruthBanned:   "Banned",
	scoring.TruthDeleted:  "Banned, or a message deleted by staff",
	scoring.TruthRejected: "Banned, or a message deleted or rejected",
}

// scoringAsk is the question before a formula is saved.
type scoringAsk struct {
	Key   string       // of the formula that the answer saves
	Tried bool         // the person tried this formula
	Trial *store.Trial // set if Tried
}

// Words says what the formula will change, or that it is not known.
func (a *scoringAsk) Words() string {
	if a.Trial == nil {
		return "You have not tried these weights."
	}
	entered, left := len(a.Trial.Entered), len(a.Trial.Left)
	if entered+left == 0 {
		return fmt.Sprintf("Nobody enters or leaves the top %d.", a.Trial.Top)
	}
	return fmt.Sprintf("%s the top %d, %s.", verb(entered, "enter"), a.Trial.Top, verb(left, "leave"))
}

// verb writes a number with its verb: 12 enter, 1 enters.
func verb(n int, does string) string {
	if n == 1 {
		does += "s"
	}
	return number(n) + " " + does
}

// trialOf reads the time frame and the truth of a form that is saved. A save does
// not depend on them, so a wrong one is the default.
func trialOf(values url.Values) (scoring.Window, scoring.Truth) {
	window, err := scoring.WindowNamed(last(values["frame"]))
	if err != nil {
		window = scoring.Total
	}
	truth, err := scoring.TruthNamed(last(values["truth"]))
	if err != nil {
		truth = scoring.TruthBanned
	}
	return window, truth
}

// formulaKey writes the weights of a formula, to know them again.
func formulaKey(f scoring.Formula) string {
	key, err := json.Marshal(struct {
		Weights map[scoring.Signal]float64
		Rule    scoring.ToxicityRule
	}{f.Weights, f.ToxicityRule()})
	if err != nil {
		return "" // not a number: it was refused before
	}
	return string(key)
}

// asks returns the question before a change is saved, or nil if nothing is to be
// asked: the person has answered it, or nothing will be saved.
func (p *scoringPage) asks(values url.Values, change scoring.Change) *scoringAsk {
	formula, wrong := change.Apply(p.Scoring.Formula)
	key, note := formulaKey(formula), utf8.RuneCountInString(strings.TrimSpace(last(values["note"])))
	if !p.MaySave() || len(wrong) > 0 || formula.Same(p.Scoring.Formula) || p.Version != p.Scoring.Version ||
		note < 3 || note > 500 || last(values["sure"]) == key {
		return nil
	}
	return &scoringAsk{Key: key, Tried: last(values["tried"]) == key}
}

// askToSave completes the question with the result of the trial.
func (s *Server) askToSave(c *fiber.Ctx, asks *scoringAsk, change scoring.Change, truth scoring.Truth,
	window scoring.Window) error {
	if !asks.Tried {
		return nil
	}
	trial, err := s.store.TryFormula(c.UserContext(), s.actor(c), change, truth, window)
	asks.Trial = &trial
	return err
}

// beginWith writes the weights of a version, or of Open-Assistant's formula, as
// the form would send them.
func (p *scoringPage) beginWith(from string) url.Values {
	formula, note := scoring.OpenAssistant, "Open-Assistant’s weights"
	// Open-Assistant gives toxic messages no weight.
	formula.ToxicFrom, formula.Classifier = p.Scoring.ToxicFrom, p.Scoring.Classifier
	p.From = "Open-Assistant’s formula"
	if from != formula.Name {
		i := slices.IndexFunc(p.Versions, func(v versionLine) bool { return strconv.Itoa(v.Version) == from })
		if i < 0 {
			p.Lost, p.From = from, ""
			return nil
		}
		formula, note, p.From = p.Versions[i].Formula, "Back to version "+from, "version "+from
	}
	values := url.Values{"toxic_from": {plainNumber(formula.ToxicFrom)}, "classifier": {formula.Classifier},
		"note": {note}}
	for _, info := range scoring.Signals {
		values.Set("weights["+string(info.Signal)+"]", plainNumber(formula.Weights[info.Signal]))
	}
	return values
}
