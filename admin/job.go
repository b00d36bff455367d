package admin

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/admin/openapi"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/jobs"
	"treewarden/store/selection"
)

func init() {
	describe("GET /jobs/:id", openapi.Method{Summary: "Long work: how far it is, and the action that it led to",
		Answer: jobs.Job{}})
	describe("POST /jobs/:id/cancel", openapi.Method{
		Summary: "Cancel long work; it is done whole or not at all, but what a classifier has written stays",
		Answer:  jobs.Job{},
	})
}

const jobsPath = "/jobs"

// jobAnswer is the answer to an act that became a job.
type jobAnswer struct {
	Job jobs.Job `json:"job"`
}

// answerJob answers an act that became a job.
func answerJob(c *fiber.Ctx, job jobs.Job) error {
	path := jobsPath + "/" + job.JobID.String()
	switch {
	case isAPI(c):
		c.Status(fiber.StatusAccepted)
		return sendJSON(c, jobAnswer{job})
	case isPartial(c):
		c.Set("X-Location", path)
		return c.SendStatus(fiber.StatusNoContent)
	}
	return c.Redirect(path, fiber.StatusSeeOther)
}

// jobPage is the page of a job. It refreshes itself while the job is open.
type jobPage struct {
	Layout
	Job       jobs.Job
	Kind      store.Kind
	Reason    string
	List      *listView // the list that the job works on
	Badge     badge
	Action    *store.Action // what the job led to
	Noun      string        // what Done and Total count
	Partly    bool          // what it has written stays if it ends early
	MayCancel bool
	MayUndo   bool
}

func (p jobPage) api() any { return p.Job }

// jobBadges holds the badges of the states of jobs.
var jobBadges = map[string]badge{
	jobs.Queued:    {"Waiting", "", "The job starts in a moment"},
	jobs.Running:   {"Running", "info", "The job is running"},
	jobs.Done:      {"Done", "ok", "All messages are done"},
	jobs.Failed:    {"Failed", "bad", "Nothing was changed"},
	jobs.Cancelled: {"Cancelled", "warn", "Nothing was changed"},
}

// job shows a job.
func (s *Server) job(c *fiber.Ctx) error {
	job, err := s.jobOf(c, (*store.Store).Job)
	if err != nil {
		return err
	}
	p := jobPage{Job: job}
	switch {
	case isAPI(c):
		return s.render(c, "job", p)
	case job.Kind == jobs.ExportKind && s.person(c).May(policy.Export):
		return c.Redirect(exportsPath+"/"+job.JobID.String(), fiber.StatusSeeOther)
	case job.Kind == jobs.ClassifyKind && s.person(c).May(policy.ScoringRead):
		return c.Redirect(classifiersPath+"#runs", fiber.StatusSeeOther)
	}
	ctx, actor := c.UserContext(), s.actor(c)
	p.Kind, _ = store.KindNamed(job.Kind)
	p.Badge = jobBadges[job.State]
	if p.Partly = job.Kind == jobs.ClassifyKind; p.Partly {
		p.Badge = runBadge(job)
	}
	p.Reason, p.Noun = job.Act().Reason, s.jobNoun(ctx, actor, job)
	if list, err := s.store.ListByID(ctx, actor, job.Act().Target); err == nil {
		view := viewList(list)
		p.List = &view
	}
	p.Layout = s.layout(c, cmp.Or(p.Kind.Title, job.Kind))
	p.MayCancel = job.IsOpen() && (job.Actor == p.Person.UserID || p.Person.May(policy.UndoAll))
	if job.Action != nil {
		// A person who may not read all of the log sees the number of the action only.
		if action, err := s.store.Action(ctx, actor, *job.Action, job.Act().Target); err == nil {
			if err := s.quote(c, &action); err != nil {
				return err
			}
			p.Action = &action
			p.MayUndo = action.Undoable && action.UndoneBy == nil && mayUndo(p.Person, action)
		}
	}
	if job.IsOpen() {
		p.Refresh = 3
	}
	return s.render(c, "job", p)
}

// jobNoun names the objects that a job counts: those of its kind or, for an undo, those
// of the undone action.
func (s *Server) jobNoun(ctx context.Context, actor store.Actor, job jobs.Job) string {
	request := job.Act()
	var params struct {
		selection.Act
		Action int64
	}
	if json.Unmarshal(request.Params, &params) != nil {
		return "message"
	}
	if job.Kind == store.UndoKind.Name {
		undone, err := s.store.Action(ctx, actor, params.Action, request.Target)
		switch {
		case err != nil: // the person may not read it
			return "object"
		case undone.Affected.Users == job.Total:
			return "user"
		case undone.Affected.Trees == job.Total:
			return "tree"
		}
	}
	return cmp.Or(bulkTexts[params.Kind].Noun, "message")
}

// cancelJob cancels a job. The body of an API call is empty, or an empty object.
func (s *Server) cancelJob(c *fiber.Ctx) error {
	if err := decodeBody(c, &struct{}{}); err != nil {
		return err
	}
	job, err := s.jobOf(c, (*store.Store).CancelJob)
	switch {
	case err != nil:
		return err
	case isAPI(c):
		return sendJSON(c, job)
	}
	return c.Redirect(jobsPath+"/"+job.JobID.String(), fiber.StatusSeeOther)
}

// jobOf reads or cancels the job of a request.
func (s *Server) jobOf(
	c *fiber.Ctx, do func(*store.Store, context.Context, store.Actor, uuid.UUID) (jobs.Job, error),
) (jobs.Job, error) {
	id, err := pathID(c)
	if err != nil {
		return jobs.Job{}, err
	}
	return do(s.store, c.UserContext(), s.actor(c), id)
}
