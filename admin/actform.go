package admin

import (
	"crypto/rand"
	"errors"
	"fmt"
	"html/template"
	"reflect"
	"slices"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
)

// actPage is the form of an action, shown as a page of its own or in a dialog.
type actPage struct {
	Layout
	Kind   store.Kind
	Post   string // where the form is sent
	Return string
	Target string // the name of the action's target
	store.Concerned
	Undoes   *store.Action
	Numbers  *store.Affected // what would happen; nil if the action touches one thing only
	Body     actBody
	Params   any           // the parameters of the kind, as typed
	Fields   template.HTML // the kind's own fields
	Wrong    store.Invalid
	Conflict *store.Conflict
	Reasons  []string // last used
	Context  actContext
	Dialog   bool
	// OpenCases is the number of open cases that the form offers to close.
	OpenCases int
}

func (p actPage) api() any { return nil }

// Choice is a field of fixed choices, for partials/choice.
type Choice struct {
	Value, Text string
	Chosen      bool
}

// Elsewhere returns the errors of fields that the form does not show.
func (p actPage) Elsewhere() string {
	var shown []string
	if p.Kind.NeedsReason {
		shown = append(shown, "reason")
	}
	if p.Kind.Fields != "" {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(p.Params).Elem()) {
			if !field.Anonymous && field.Tag.Get("form") != "close_cases" {
				shown = append(shown, field.Tag.Get("form"))
			}
		}
	}
	return elsewhere(p.Wrong, shown...)
}

// elsewhere returns the errors of the fields that are not in shown.
func elsewhere(wrong store.Invalid, shown ...string) string {
	others := store.Invalid{}
	for field, why := range wrong {
		if !slices.Contains(shown, field) {
			others[field] = why
		}
	}
	return others.Error()
}

// Warnings returns the scores for which the text of the message, or of the tree's
// prompt, stays hidden from this person at first.
func (p actPage) Warnings() []contentWarning {
	switch {
	case p.Message != nil:
		return hiddenFrom(p.Person, p.Message.Message)
	case p.Tree != nil && p.Tree.Prompt != nil:
		return hiddenFrom(p.Person, p.Tree.Prompt.Message)
	}
	return nil
}

// Effect describes in words what the numbers mean for the users concerned.
func (p actPage) Effect() string {
	if p.Kind.Effect == nil {
		return ""
	}
	return p.Kind.Effect(p.Concerned)
}

// nameReview names the form of a review by the result that the menu chose, as the menu
// does. Without one the form offers all results.
func (p *actPage) nameReview(result string) {
	titles := map[string]string{"rejected": "Mark as spam", "accepted": "Mark as not spam", "pending": "Put under review"}
	if title := titles[result]; title != "" {
		p.Kind.Title, p.Kind.Button, p.Layout.Title = title, title, title
	}
}

// Result explains the result that a menu chose in the form of a review; empty without
// one.
func (p actPage) Result() string {
	review, ok := p.Params.(*store.ReviewParams)
	if !ok {
		return ""
	}
	return map[string]string{
		"rejected": "The message counts as spam: its review is rejected.",
		"accepted": "The message does not count as spam: its review is accepted.",
		"pending":  "The message waits for a decision again.",
	}[review.Result]
}

// actForm shows the form of a kind of action, with the numbers of what it would
// do. The query preselects fields.
func actForm(kind store.Kind) func(*Server, *fiber.Ctx) error {
	return func(s *Server, c *fiber.Ctx) error {
		id, err := pathID(c)
		if err != nil {
			return err
		}
		var body actBody
		params := kind.NewParams()
		if err := decodeQuery(c, &body, params); err != nil {
			return err
		}
		p, err := s.actPage(c, kind, id, body, params)
		if err != nil {
			return err
		}
		if edit, ok := params.(*store.EditParams); ok {
			p.Body.Was = formBase(map[string]string{"text": p.Message.Text})
			if !c.Context().QueryArgs().Has("text") {
				edit.Text = p.Message.Text
			}
		}
		if p.Body.Version == nil && p.Message != nil {
			p.Body.Version = &p.Message.Version
		}
		return s.renderAct(c, fiber.StatusOK, p)
	}
}

// actPage collects what the form shows. It fails if the action cannot be done
// at all: the person lacks the permission, or the action is done already.
func (s *Server) actPage(c *fiber.Ctx, kind store.Kind, id uuid.UUID, body actBody, params any) (actPage, error) {
	ctx, actor := c.UserContext(), s.actor(c)
	p := actPage{Layout: s.layout(c, kind.Title), Kind: kind, Body: body, Params: params, Dialog: isPartial(c)}
	p.Toast = nil
	p.Post = "/" + kind.Target + "s/" + id.String() + "/" + kind.Path
	p.Return = localPath(body.Return, "/"+kind.Target+"s/"+id.String())
	if p.Body.Key == "" {
		p.Body.Key = rand.Text()
	}
	if review, ok := params.(*store.ReviewParams); ok {
		p.nameReview(review.Result)
	}
	var err error
	switch kind.Target {
	case "user":
		var user store.UserDetail
		user, err = s.userInForce(c, id)
		p.User, p.Target = &user, user.DisplayName
	case "message":
		var message store.MessageDetail
		message, err = s.store.Message(ctx, actor, id)
		p.Message, p.Target = &message, excerpt(message.Text, 120)
	case "tree":
		var tree store.TreeDetail
		tree, err = s.store.Tree(ctx, actor, id, outlineText)
		p.Tree, p.Target = &tree, tree.Excerpt
		if tree.Prompt != nil {
			p.Target = quotedFor(p.Person, tree.Prompt.Message, tree.Excerpt)
		}
	}
	if err != nil {
		return p, err
	}
	if kind.Previewable {
		body.Preview, body.Version, body.Reason = true, nil, "" // a missing reason changes no number
		whole, err := completed(params)
		var outcome store.Outcome
		if err == nil {
			outcome, err = s.store.Act(ctx, actor, body.act(kind, id, whole))
		}
		var invalid store.Invalid
		if err != nil && !errors.As(err, &invalid) {
			return p, err
		}
		if err == nil {
			p.Numbers = &outcome.Affected
		}
	}
	if !kind.Personal {
		if err := s.readContext(c, &p); err != nil {
			return p, err
		}
	}
	if err := s.countOfUser(c, &p, body); err != nil {
		return p, err
	}
	if closesCases(params) && p.Person.May(policy.QueueWork) {
		if p.OpenCases, err = s.store.TouchedCases(ctx, actor, kind.Target, id); err != nil {
			return p, err
		}
	}
	if kind.NeedsReason {
		if p.Reasons, err = s.store.RecentReasons(ctx, actor, kind.Name); err != nil {
			return p, fmt.Errorf("read the last used reasons: %w", err)
		}
	}
	return p, nil
}

// closesCases reports whether an action with such parameters may decide the open cases
// that it touches.
func closesCases(params any) bool {
	switch params.(type) {
	case *store.CloseParams, *store.BanParams, *store.ReviewParams:
		return true
	}
	return false
}

// CloseWords says what becomes of the open cases that the action touches.
func (p actPage) CloseWords() string {
	text, flags := "Also close the open case on it", "upheld"
	if p.OpenCases > 1 {
		text = "Also close the " + counted(p.OpenCases, "open case") + " that this touches"
	}
	if review, ok := p.Params.(*store.ReviewParams); ok && review.Result == "accepted" {
		flags = "dismissed"
	}
	return text + ": the reports and red flags are " + flags
}

func (s *Server) renderAct(c *fiber.Ctx, status int, p actPage) error {
	if p.Kind.Fields != "" {
		fields, err := s.part("partials/fields/"+p.Kind.Fields, p)
		if err != nil {
			return err
		}
		p.Fields = template.HTML(fields)
	}
	if p.Dialog {
		return s.renderStatus(c, status, "partials/actionform", p)
	}
	return s.renderStatus(c, status, "actionform", p)
}

// undoForm shows what an undo would restore.
func (s *Server) undoForm(c *fiber.Ctx) error {
	var body actBody
	if err := decodeQuery(c, &body); err != nil {
		return err
	}
	p, err := s.undoPage(c, body)
	if err != nil {
		return err
	}
	return s.renderAct(c, fiber.StatusOK, p)
}

func (s *Server) undoPage(c *fiber.Ctx, body actBody) (actPage, error) {
	action, err := s.readAction(c)
	if err != nil {
		return actPage{}, err
	}
	id := action.ID
	p := actPage{Layout: s.layout(c, store.UndoKind.Title), Kind: store.UndoKind,
		Body: body, Undoes: &action, Dialog: isPartial(c)}
	p.Toast = nil
	p.Post = c.Path()
	p.Return = localPath(body.Return, fmt.Sprintf("/actions/%d", id))
	if err := s.quote(c, &action); err != nil {
		return p, err
	}
	p.Target = s.sentence(action)
	p.Body.Key = rand.Text()
	outcome, err := s.store.Undo(c.UserContext(), s.actor(c), id, "preview", true, "")
	var invalid store.Invalid
	if err != nil && !errors.As(err, &invalid) {
		return p, err
	}
	if err == nil {
		p.Numbers = &outcome.Affected
	}
	if p.Reasons, err = s.store.RecentReasons(c.UserContext(), s.actor(c), store.UndoKind.Name); err != nil {
		return p, fmt.Errorf("read the last used reasons: %w", err)
	}
	return p, nil
}
