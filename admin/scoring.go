package admin

import (
	"errors"

	"github.com/gofiber/fiber/v2"

	"treewarden/admin/openapi"
	"treewarden/scoring"
	"treewarden/store"
)

func init() {
	describe("GET /scoring", openapi.Method{
		Summary: "The formula in force, the ones before it, and those that never change",
		Answer:  store.Scoring{},
	})
	describe("PUT /scoring", openapi.Method{
		Summary: "Put another formula in force as a new version; a signal that is left out keeps its weight; " +
			"note, or reason, says why",
		Body: formulaBody{}, Answer: saved{},
	})
	describe("POST /scoring/try", openapi.Method{
		Summary: "Compare a formula with the one in force: how well each finds sanctioned users (truth: " +
			"banned, also with messages deleted by staff, also with rejected ones), who enters and leaves the top 100",
		Body: tryBody{}, Answer: store.Trial{},
	})
}

// formulaBody is a change of the formula. A signal that weights leaves out
// keeps its weight. The note is the action's reason; a client may send it under
// either name.
type formulaBody struct {
	Weights    map[string]float64 `json:"weights" form:"weights"`
	ToxicFrom  *float64           `json:"toxic_from"`
	Classifier *string            `json:"classifier" description:"models, separated by commas; empty: the highest of all"`
	Version    *int               `json:"version" form:"version"`
	Note       string             `json:"note" form:"note"`
	Reason     string             `json:"reason" form:"reason"`
}

func (b formulaBody) change() scoring.Change {
	return scoring.Change{Weights: b.Weights, ToxicFrom: b.ToxicFrom, Classifier: b.Classifier}
}

// saved is the answer to a saved formula: the action, and the new formula in
// force.
type saved struct {
	store.Outcome
	Formula scoring.Formula `json:"formula"`
}

// formula answers with the formula in force and its earlier versions.
func (s *Server) formula(c *fiber.Ctx) error {
	formulas, err := s.store.Scoring(c.UserContext(), s.actor(c))
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(formulas)
}

// putFormula puts another formula in force.
func (s *Server) putFormula(c *fiber.Ctx) error {
	var body formulaBody
	if err := decodeBody(c, &body); err != nil {
		return err
	}
	key, err := idempotencyKey(c, "")
	if err != nil {
		return err
	}
	outcome, err := saveWithNote(body.Note, body.Reason, func(note string) (store.Outcome, error) {
		return s.store.SaveFormula(c.UserContext(), s.actor(c), body.change(), note, body.Version, key)
	})
	if err != nil {
		return err
	}
	answer := saved{Outcome: outcome}
	if answer.Formula, err = s.store.FormulaNamed(c.UserContext(), ""); err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(answer)
}

// saveWithNote saves a version with its note, which is the action's reason. A client may
// send it under either name.
func saveWithNote(note, reason string, save func(note string) (store.Outcome, error)) (store.Outcome, error) {
	if note != "" && reason != "" {
		return store.Outcome{}, store.Invalid{"note": "Send a note or a reason, not both: they are the same."}
	}
	outcome, err := save(note + reason)
	var invalid store.Invalid
	if errors.As(err, &invalid) && reason != "" && invalid["note"] != "" {
		invalid["reason"] = invalid["note"] // by the name that the client sent
		delete(invalid, "note")
	}
	return outcome, err
}

// tryBody is a formula to try.
type tryBody struct {
	Weights    map[string]float64 `json:"weights" form:"weights"`
	ToxicFrom  *float64           `json:"toxic_from"`
	Classifier *string            `json:"classifier" description:"models, separated by commas; empty: the highest of all"`
	Window     string             `json:"frame" form:"frame" validate:"max=20"`
	Truth      string             `json:"truth" form:"truth" validate:"max=20" description:"banned, deleted or rejected"`
}

// tryFormula answers with what a formula would change.
func (s *Server) tryFormula(c *fiber.Ctx) error {
	var body tryBody
	if err := decodeBody(c, &body); err != nil {
		return err
	}
	if body.Weights == nil && body.ToxicFrom == nil && body.Classifier == nil {
		return store.Invalid{"weights": "Give the weights that are to be tried, or toxic_from, or classifier."}
	}
	window, err := scoring.WindowNamed(body.Window)
	if err != nil {
		return store.Invalid{"frame": err.Error()}
	}
	truth, err := scoring.TruthNamed(body.Truth)
	if err != nil {
		return store.Invalid{"truth": capital(err.Error()) + "."}
	}
	trial, err := s.store.TryFormula(c.UserContext(), s.actor(c),
		scoring.Change{Weights: body.Weights, ToxicFrom: body.ToxicFrom, Classifier: body.Classifier}, truth, window)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(trial)
}
