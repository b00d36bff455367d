package admin

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/admin/openapi"
	"treewarden/store"
	"treewarden/store/jobs"
)

func init() {
	describe("POST /actions/:id/undo", openapi.Method{
		Summary: "Take an action back by a further one",
		ID:      int64(0), Body: actBody{}, Fields: []string{"reason", "preview"}, Answer: store.Outcome{},
		Job: jobAnswer{},
	})
}

// actBody holds the fields that every form or API call of an action sends
// besides the parameters of its kind.
type actBody struct {
	Reason  string `json:"reason" form:"reason"`
	Preview bool   `json:"preview" form:"preview"`
	Version *int   `json:"version" form:"version"`

	// Only the forms of the pages send these.
	Return string `json:"-" form:"return"`
	Key    string `json:"-" form:"key" validate:"max=100"`
	Was    string `json:"-" form:"was" validate:"max=2000"`
}

func (b actBody) act(kind store.Kind, target uuid.UUID, params any) store.Act {
	if b.Preview && b.Reason == "" {
		b.Reason = "preview" // it is not stored
	}
	return store.Act{
		Kind: kind.Name, Target: target, Reason: b.Reason, Preview: b.Preview, Version: b.Version, Params: params,
	}
}

// completed returns the whole parameters of a form that sent some of them in
// another way.
func completed(params any) (any, error) {
	if p, ok := params.(interface {
		Complete(now time.Time) (any, error)
	}); ok {
		return p.Complete(time.Now())
	}
	return params, nil
}

// act handles an action of a kind.
func act(kind store.Kind) func(*Server, *fiber.Ctx) error {
	return func(s *Server, c *fiber.Ctx) error {
		id, err := pathID(c)
		if err != nil {
			return err
		}
		var body actBody
		params := kind.NewParams()
		var whole any
		var outcome store.Outcome
		if err = decodeBody(c, &body, params); err == nil {
			whole, err = completed(params)
		}
		if err == nil {
			request := body.act(kind, id, whole)
			if request.IdempotencyKey, err = idempotencyKey(c, body.Key); err != nil {
				return err
			}
			outcome, err = s.store.Act(c.UserContext(), s.actor(c), request)
		}
		if err != nil {
			return s.refused(c, kind, id, body, params, err)
		}
		if isAPI(c) {
			return s.answerAct(c, kind, id, outcome)
		}
		return done(c, localPath(body.Return, "/"+kind.Target+"s/"+id.String()), outcome.Action)
	}
}

// refused shows the form again, with what was typed and the errors. It also
// keeps a text that was typed over a newer one.
func (s *Server) refused(c *fiber.Ctx, kind store.Kind, id uuid.UUID, body actBody, params any, err error) error {
	var invalid store.Invalid
	var conflict *store.Conflict
	edit, isEdit := params.(*store.EditParams)
	typed := errors.As(err, &conflict) && conflict.Version != 0 && isEdit && edit.Text != ""
	if isAPI(c) || !errors.As(err, &invalid) && !typed {
		return err
	}
	p, pageErr := s.actPage(c, kind, id, body, params)
	if pageErr != nil {
		return errors.Join(err, pageErr)
	}
	if typed {
		// If the form is sent again, the person has seen the newer text.
		p.Conflict, p.Body.Version = conflict, &p.Message.Version
		edit.Text = newStaleForm(body.Was).field("text", edit.Text, p.Message.Text)
		p.Body.Was = formBase(map[string]string{"text": p.Message.Text})
		p.Body.Key = rand.Text()
		return s.renderAct(c, fiber.StatusConflict, p)
	}
	p.Wrong = invalid
	return s.renderAct(c, fiber.StatusUnprocessableEntity, p)
}

// answerAct answers an API call. The answer is the action, or the message as it
// is now for the actions that contributors have too (label, react, report).
func (s *Server) answerAct(c *fiber.Ctx, kind store.Kind, id uuid.UUID, outcome store.Outcome) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	switch {
	case outcome.Preview:
	case kind.Personal:
		message, err := s.store.Message(c.UserContext(), s.actor(c), id)
		if err != nil {
			return err
		}
		return c.JSON(message)
	}
	return c.JSON(outcome)
}

// done redirects to the page that the person came from, with a notice of the
// action.
func done(c *fiber.Ctx, path string, action store.Action) error {
	path = withQuery(path, "done", strconv.FormatInt(action.ID, 10))
	if action.ID == 0 { // nothing changed
		path = withQuery(path, "notice", "nothing")
	}
	if isPartial(c) {
		c.Set("X-Location", path)
		return c.SendStatus(fiber.StatusNoContent)
	}
	return c.Redirect(path, fiber.StatusSeeOther)
}

// idempotencyKey reads the key from the header of an API call or from the form.
// A form carries a key so that a double click acts once.
func idempotencyKey(c *fiber.Ctx, formKey string) (string, error) {
	key := c.Get("Idempotency-Key", formKey)
	if len(key) > 200 || !printable(key) {
		return "", store.Malformed("an Idempotency-Key is at most 200 visible ASCII characters")
	}
	return key, nil
}

// undo handles the undo of an action, which is an action of its own.
func (s *Server) undo(c *fiber.Ctx) error {
	id, ok := actionID(c.Params("id"))
	if !ok {
		return store.Malformed("an action has a number")
	}
	var body actBody
	var outcome store.Outcome
	var job *jobs.Job
	err := decodeBody(c, &body)
	if err == nil {
		var key string
		if key, err = idempotencyKey(c, body.Key); err != nil {
			return err
		}
		if body.Preview {
			outcome, err = s.store.Undo(c.UserContext(), s.actor(c), id, body.Reason, true, key)
		} else {
			outcome, job, err = s.store.UndoOrQueue(c.UserContext(), s.actor(c), id, body.Reason, key)
		}
	}
	var invalid store.Invalid
	switch {
	case errors.As(err, &invalid) && !isAPI(c):
		p, pageErr := s.undoPage(c, body)
		if pageErr != nil {
			return errors.Join(err, pageErr)
		}
		p.Wrong = invalid
		return s.renderAct(c, fiber.StatusUnprocessableEntity, p)
	case err != nil:
		return err
	case job != nil:
		return answerJob(c, *job)
	case isAPI(c):
		c.Set(fiber.HeaderCacheControl, "no-store")
		return c.JSON(outcome)
	}
	return done(c, localPath(body.Return, fmt.Sprintf("/actions/%d", id)), outcome.Action)
}
