package admin

import (
	"github.com/gofiber/fiber/v2"

	"treewarden/admin/openapi"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/cases"
)

func init() {
	describe("GET /queue/priority", openapi.Method{
		Summary: "The weights in force that order the queue, and the ones before them",
		Answer:  store.QueuePriority{},
	})
	describe("PUT /queue/priority", openapi.Method{
		Summary: "Put other weights of the queue in force as a new version; a part that is left out keeps its weight; " +
			"note, or reason, says why. 409 if version is not the one in force",
		Body: priorityBody{}, Answer: savedPriority{},
	})
	describe("POST /queue/priority/try", openapi.Method{
		Summary: "Compare the first 50 cases by other weights with those by the weights in force: which cases enter and " +
			"leave, and how far each moves",
		Body: tryPriorityBody{}, Answer: cases.Trial{},
	})
}

// priorityBody is a change of the weights. A part that weights leaves out keeps its
// weight. The note is the action's reason; a client may send it under either name.
type priorityBody struct {
	Weights map[string]float64 `json:"weights" form:"weights"`
	Version *int               `json:"version" form:"version"`
	Note    string             `json:"note" form:"note"`
	Reason  string             `json:"reason" form:"reason"`
}

// savedPriority is the answer to saved weights: the action, and the weights in force.
type savedPriority struct {
	store.Outcome
	Priority scoring.Priority `json:"priority"`
}

// priority answers with the weights in force and their earlier versions.
func (s *Server) priority(c *fiber.Ctx) error {
	priority, err := s.store.QueuePriority(c.UserContext(), s.actor(c))
	if err != nil {
		return err
	}
	return sendJSON(c, priority)
}

// putPriority puts other weights in force.
func (s *Server) putPriority(c *fiber.Ctx) error {
	var body priorityBody
	if err := decodeBody(c, &body); err != nil {
		return err
	}
	key, err := idempotencyKey(c, "")
	if err != nil {
		return err
	}
	outcome, err := saveWithNote(body.Note, body.Reason, func(note string) (store.Outcome, error) {
		return s.store.SavePriority(c.UserContext(), s.actor(c), body.Weights, note, body.Version, key)
	})
	if err != nil {
		return err
	}
	inForce, err := s.store.PriorityInForce(c.UserContext())
	if err != nil {
		return err
	}
	return sendJSON(c, savedPriority{outcome, inForce})
}

// tryPriorityBody holds weights to try.
type tryPriorityBody struct {
	Weights map[string]float64 `json:"weights" form:"weights" validate:"required"`
	Window  string             `json:"frame" form:"frame" validate:"omitempty,oneof=day week month total"`
}

// tryPriority answers with what other weights would change.
func (s *Server) tryPriority(c *fiber.Ctx) error {
	var body tryPriorityBody
	if err := decodeBody(c, &body); err != nil {
		return err
	}
	trial, err := s.store.TryPriority(c.UserContext(), s.actor(c), body.Weights, scoring.Window(body.Window))
	if err != nil {
		return err
	}
	return sendJSON(c, trial)
}
