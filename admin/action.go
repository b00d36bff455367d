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
)

func init() {
	describe("POST /actions/:id/undo", openapi.Method{
		Summary: "Take an action back by a further one",
		ID:      int64(0), Body: actBody{}, Fields: []string{"reason", "preview"}, Answer: store.Outcome{},
	})
}

// actBody is what every action's form or API call sends besides the parameters of
// its kind.
type actBody struct {
	Reason  string `json:"reason" form:"reason"`
	Preview bool   `json:"preview" form:"preview"`
	Version *int   `json:"version" form:"version"`

	// Only the forms of the pages send these.
	Return string `json:"-" form:"return"`
	Key    string `json:"-" form:"key" validate:"max=100"`
}

func (b actBody) act(kind store.Kind, target uuid.UUID, params any) store.Act {
	if b.Preview && b.Reason == "" {
		b.Reason = "preview" // written nowhere
	}
	return store.Act{
		Kind: kind.Name, Target: target, Reason: b.Reason, Preview: b.Preview, Version: b.Version, Params: params,
	}
}

// completed makes whole parameters of what a form said in another way.
func completed(params any) (any, error) {
	if p, ok := params.(interface {
		Complete(now time.Time) (any, error)
	}); ok {
		return p.Complete(time.Now())
	}
	return params, nil
}

// act does an action of a kind.
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

// refused shows the form again, with what was typed and what is wrong with it.
// A text that was typed over a newer one is not lost either.
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
		// Sent again, it is a decision made in sight of the newer text.
		p.Conflict, p.Body.Version = conflict, &conflict.Version
		p.Body.Key = rand.Text()
		return s.renderAct(c, fiber.StatusConflict, p)
	}
	p.Wrong = invalid
	return s.renderAct(c, fiber.StatusUnprocessableEntity, p)
}

// answerAct answers an API call: with the action, or for what a contributor
// could do too (label, react, report) with the message as it is now.
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

// done leads back to where the person came from, with news of the action.
func done(c *fiber.Ctx, path string, action store.Action) error {
	path = withQuery(path, "done", strconv.FormatInt(action.ID, 10))
	if action.ID == 0 { // it was so already
		path = withQuery(path, "notice", "nothing")
	}
	if isPartial(c) {
		c.Set("X-Location", path)
		return c.SendStatus(fiber.StatusNoContent)
	}
	return c.Redirect(path, fiber.StatusSeeOther)
}

// idempotencyKey reads the header of an API call, or the key that a form
// carries so that a double click acts once.
func idempotencyKey(c *fiber.Ctx, formKey string) (string, error) {
	key := c.Get("Idempotency-Key", formKey)
	if len(key) > 200 || !printable(key) {
		return "", store.Malformed("an Idempotency-Key is at most 200 visible ASCII characters")
	}
	return key, nil
}

// undo takes an action back by a further one.
func (s *Server) undo(c *fiber.Ctx) error {
	id, ok := actionID(c.Params("id"))
	if !ok {
		return store.Malformed("an action has a number")
	}
	var body actBody
	var outcome store.Outcome
	err := decodeBody(c, &body)
	if err == nil {
		var key string
		if key, err = idempotencyKey(c, body.Key); err != nil {
			return err
		}
		outcome, err = s.store.Undo(c.UserContext(), s.actor(c), id, body.Reason, body.Preview, key)
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
	case isAPI(c):
		c.Set(fiber.HeaderCacheControl, "no-store")
		return c.JSON(outcome)
	}
	return done(c, localPath(body.Return, fmt.Sprintf("/actions/%d", id)), outcome.Action)
}
