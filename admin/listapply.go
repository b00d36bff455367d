package admin

import (
	"github.com/gofiber/fiber/v2"

	"treewarden/admin/openapi"
	"treewarden/store"
)

func init() {
	describe("POST /lists/:id/apply", openapi.Method{
		Summary: "Delete the messages on a list that are present, with all replies below them",
		Body:    []any{actBody{}, store.ApplyParams{}}, Fields: []string{"reason", "preview", "expected"},
		Answer: store.Outcome{}, Preview: store.ListPreview{}, Job: jobAnswer{},
	})
}

// applyList deletes what is on a list, or previews it.
func (s *Server) applyList(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var body actBody
	var params store.ApplyParams
	if err := decodeBody(c, &body, &params); err != nil {
		return err
	}
	key, err := idempotencyKey(c, body.Key)
	if err != nil {
		return err
	}
	kind, _ := store.KindNamed("apply_list")
	act := body.act(kind, id, params)
	act.IdempotencyKey = key
	if body.Preview {
		preview, err := s.store.PreviewList(c.UserContext(), s.actor(c), act)
		if err != nil {
			return err
		}
		return sendJSON(c, preview)
	}
	outcome, job, err := s.store.ActOrQueue(c.UserContext(), s.actor(c), act)
	if err != nil {
		return err
	}
	if job != nil {
		c.Status(fiber.StatusAccepted)
		return sendJSON(c, jobAnswer{*job})
	}
	return sendJSON(c, outcome)
}
