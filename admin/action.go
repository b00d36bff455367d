package admin

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/store"
)

// actBody is what an action's form or API call sends. A kind reads only the
// fields that it knows.
type actBody struct {
	Reason   string             `json:"reason" form:"reason"`
	Preview  bool               `json:"preview" form:"preview"`
	Version  *int               `json:"version" form:"version"`
	Until    *time.Time         `json:"until" form:"until"`
	Messages string             `json:"messages" form:"messages" validate:"omitempty,oneof=keep delete"`
	Trees    string             `json:"trees" form:"trees" validate:"omitempty,oneof=keep halt"`
	Text     string             `json:"text" form:"text"`
	Result   string             `json:"result" form:"result" validate:"omitempty,oneof=accepted rejected pending"`
	Labels   map[string]float64 `json:"labels" form:"labels"`
	Emoji    string             `json:"emoji" form:"emoji" validate:"max=64"`
	Op       string             `json:"op" form:"op" validate:"omitempty,oneof=add remove"`

	// Only the forms of the pages send these.
	For    string `json:"-" form:"for" validate:"omitempty,oneof=day week month date"`
	Return string `json:"-" form:"return"`
	Key    string `json:"-" form:"key" validate:"max=100"`
}

// spans are the lengths of a ban that its form offers.
var spans = map[string]time.Duration{"day": 24 * time.Hour, "week": 7 * 24 * time.Hour, "month": 30 * 24 * time.Hour}

// until is when a ban ends, nil for never. A span ends at a full hour: a form
// that is sent twice by a double click then asks for the same thing twice.
func (b actBody) until(now time.Time) *time.Time {
	if span, ok := spans[b.For]; ok {
		end := now.Add(span + time.Hour).UTC().Truncate(time.Hour)
		return &end
	}
	return b.Until
}

func (b actBody) act(kind store.Kind, target uuid.UUID) store.Act {
	if b.Preview && b.Reason == "" {
		b.Reason = "preview" // written nowhere
	}
	return store.Act{
		Kind: kind.Name, Target: target, Reason: b.Reason, Preview: b.Preview, Version: b.Version,
		Until: b.until(time.Now()), Messages: b.Messages, Trees: b.Trees, Text: b.Text,
		Result: b.Result, Labels: b.Labels, Emoji: b.Emoji, Op: b.Op,
	}
}

// act does an action of a kind.
func act(kind store.Kind) func(*Server, *fiber.Ctx) error {
	return func(s *Server, c *fiber.Ctx) error {
		id, err := pathID(c)
		if err != nil {
			return err
		}
		var body actBody
		var outcome store.Outcome
		if err = decodeBody(c, &body); err == nil {
			err = body.complete()
		}
		if err == nil {
			request := body.act(kind, id)
			if request.IdempotencyKey, err = idempotencyKey(c, body.Key); err != nil {
				return err
			}
			outcome, err = s.store.Act(c.UserContext(), s.actor(c), request)
		}
		if err != nil {
			return s.refused(c, kind, id, body, err)
		}
		if isAPI(c) {
			return s.answerAct(c, kind, id, outcome)
		}
		return done(c, localPath(body.Return, "/"+kind.Target+"s/"+id.String()), outcome.Action)
	}
}

// complete checks what the fields of a ban's length say together.
func (b actBody) complete() error {
	if b.For == "date" && b.Until == nil {
		return store.Invalid{"until": "choose the date and time at which the ban ends"}
	}
	return nil
}

// refused shows the form again, with what was typed and what is wrong with it.
// A text that was typed over a newer one is not lost either.
func (s *Server) refused(c *fiber.Ctx, kind store.Kind, id uuid.UUID, body actBody, err error) error {
	var invalid store.Invalid
	var conflict *store.Conflict
	typed := errors.As(err, &conflict) && conflict.Version != 0 && kind.Name == "edit"
	if isAPI(c) || !errors.As(err, &invalid) && !typed {
		return err
	}
	p, pageErr := s.actPage(c, kind, id, body)
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
	case kind.Name == "label", kind.Name == "react", kind.Name == "report":
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
