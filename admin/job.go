package admin

import (
	"context"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/admin/openapi"
	"treewarden/store"
	"treewarden/store/jobs"
)

func init() {
	describe("GET /jobs/:id", openapi.Method{Summary: "Long work: how far it is, and the action that it led to",
		Answer: jobs.Job{}})
	describe("POST /jobs/:id/cancel", openapi.Method{
		Summary: "Cancel long work; it is done whole or not at all",
		Answer:  jobs.Job{},
	})
}

// jobAnswer is the answer to an act that became a job.
type jobAnswer struct {
	Job jobs.Job `json:"job"`
}

// job answers with a job.
func (s *Server) job(c *fiber.Ctx) error { return s.withJob(c, (*store.Store).Job) }

// cancelJob cancels a job. Its body is empty, or an empty object.
func (s *Server) cancelJob(c *fiber.Ctx) error {
	if err := decodeBody(c, &struct{}{}); err != nil {
		return err
	}
	return s.withJob(c, (*store.Store).CancelJob)
}

func (s *Server) withJob(
	c *fiber.Ctx, do func(*store.Store, context.Context, store.Actor, uuid.UUID) (jobs.Job, error),
) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	job, err := do(s.store, c.UserContext(), s.actor(c), id)
	if err != nil {
		return err
	}
	return sendJSON(c, job)
}
