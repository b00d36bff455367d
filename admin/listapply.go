package admin

import (
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/admin/openapi"
	"treewarden/store"
	"treewarden/store/lists"
)

func init() {
	describe("POST /lists/:id/apply", openapi.Method{
		Summary: "Delete the messages on a list that are present, with all replies below them. A good list is 409: it " +
			"names what must stay",
		Body: []any{actBody{}, store.ApplyParams{}}, Fields: []string{"reason", "preview", "expected", "set"},
		Answer: store.Outcome{}, Preview: store.ListPreview{}, Job: jobAnswer{},
	})
}

// applyPath is the end of the path of the page that applies a list.
const applyPath = "/apply"

// applyKind is the kind of the action that applies a list.
func applyKind() store.Kind {
	kind, _ := store.KindNamed("apply_list")
	return kind
}

// applyPage previews the deletion of what is on a list, and asks for the reason.
type applyPage struct {
	Layout
	List    listView
	Kind    store.Kind
	Preview store.ListPreview
	Left    []leftItems
	Sample  []itemLine
	Body    actBody
	Wrong   store.Invalid
	Changed bool     // the number of the former preview does not hold any more
	Before  int64    // that number
	Reasons []string // last used
}

func (p applyPage) api() any { return nil }

// leftItems are the items of one state, which stay as they are.
type leftItems struct {
	badge
	Link  string
	Count int64
}

// Elsewhere returns the errors of fields that the form does not show.
func (p applyPage) Elsewhere() string { return elsewhere(p.Wrong, "reason") }

// OnList returns the number of messages that go and are on the list.
func (p applyPage) OnList() int64 { return p.Preview.Expected - p.Preview.Affected.OthersMessages }

// Effect says in words what goes and what stays.
func (p applyPage) Effect() string { return p.Kind.Effect(store.Concerned{}) }

// Differs reports whether the messages are as many as in the former preview, but others.
func (p applyPage) Differs() bool { return p.Changed && p.Before == p.Preview.Expected }

// Long reports whether the deletion becomes a job.
func (p applyPage) Long() bool { return p.Preview.Expected > store.JobFrom }

// Button names the act with its number.
func (p applyPage) Button() string { return "Delete " + counted(p.Preview.Expected, "message") }

// Staff says how many of the messages are by people on whom not everybody may
// act. It is empty if none is.
func (p applyPage) Staff() string {
	by := p.Preview.Protected
	if by.Staff == 0 {
		return ""
	}
	text := counted(by.Staff, "message") + " by staff"
	if by.Self > 0 {
		text += fmt.Sprintf(", %s of these by you", number(by.Self))
	}
	if by.NotPermitted > 0 {
		text += fmt.Sprintf(", %s of these by people on whom you may not act", number(by.NotPermitted))
	}
	return text
}

// applyForm shows the preview of what the deletion of what is on a list would do.
func (s *Server) applyForm(c *fiber.Ctx) error {
	var body actBody
	if err := decodeQuery(c, &body); err != nil {
		return err
	}
	p, err := s.applyPage(c, body)
	if err != nil {
		return err
	}
	return s.render(c, "listapply", p)
}

func (s *Server) applyPage(c *fiber.Ctx, body actBody) (applyPage, error) {
	id, err := pathID(c)
	if err != nil {
		return applyPage{}, err
	}
	ctx, actor := c.UserContext(), s.actor(c)
	list, err := s.store.ListByID(ctx, actor, id)
	if err != nil {
		return applyPage{}, err
	}
	if err := mayApply(list); err != nil {
		return applyPage{}, err
	}
	p := applyPage{Layout: s.layout(c, "Delete the messages on "+excerpt(list.Name, 60)), List: viewList(list),
		Kind: applyKind(), Body: body}
	p.Body.Key = rand.Text()
	if p.Preview, err = s.store.PreviewList(ctx, actor, store.Act{Target: id, Reason: "preview"}); err != nil {
		return p, err
	}
	for _, state := range tabStates {
		if n := p.Preview.Left[state]; n > 0 {
			p.Left = append(p.Left, leftItems{stateBadges[state], p.List.Path() + "?state=" + state, n})
		}
	}
	messages, err := s.store.MessagesNamed(ctx, actor, itemIDs(p.Preview.Sample))
	if err != nil {
		return p, err
	}
	p.Sample = newPresenter(p.Person, p.List.Path()).itemLines(p.Preview.Sample, messages)
	if p.Reasons, err = s.store.RecentReasons(ctx, actor, p.Kind.Name); err != nil {
		return p, fmt.Errorf("read the last used reasons: %w", err)
	}
	return p, nil
}

// mayApply returns a Conflict for a list of messages that must stay.
func mayApply(list lists.List) error {
	if list.Kind != "good" {
		return nil
	}
	return &store.Conflict{Why: "This is a good list: its messages must stay, so you cannot delete them here. " +
		"To delete them after all, change the kind of the list first."}
}

// itemIDs returns the messages of items.
func itemIDs(items []lists.Item) []uuid.UUID {
	ids := make([]uuid.UUID, len(items))
	for i, item := range items {
		ids[i] = item.MessageID
	}
	return ids
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
		return s.applyRefused(c, body, params, err)
	}
	list, err := s.store.ListByID(c.UserContext(), s.actor(c), id)
	if err == nil {
		err = mayApply(list)
	}
	if err != nil {
		return err
	}
	act := body.act(applyKind(), id, params)
	if body.Preview {
		preview, err := s.store.PreviewList(c.UserContext(), s.actor(c), act)
		switch {
		case err != nil:
			return s.applyRefused(c, body, params, err)
		case isAPI(c):
			return sendJSON(c, preview)
		}
		return c.Redirect(listsPath+"/"+id.String()+applyPath, fiber.StatusSeeOther)
	}
	if act.IdempotencyKey, err = idempotencyKey(c, body.Key); err != nil {
		return err
	}
	outcome, job, err := s.store.ActOrQueue(c.UserContext(), s.actor(c), act)
	switch {
	case err != nil:
		return s.applyRefused(c, body, params, err)
	case job != nil:
		return answerJob(c, *job)
	case isAPI(c):
		return sendJSON(c, outcome)
	}
	return done(c, listsPath+"/"+id.String(), outcome.Action)
}

// applyRefused shows the preview again, with the reason as typed, if a field is
// wrong or the number of messages is no longer the one that was previewed.
func (s *Server) applyRefused(c *fiber.Ctx, body actBody, params store.ApplyParams, err error) error {
	var invalid store.Invalid
	var conflict *store.Conflict
	status := fiber.StatusUnprocessableEntity
	if errors.As(err, &conflict) && conflict.Expected != nil {
		status = fiber.StatusConflict
	} else if !errors.As(err, &invalid) {
		return err
	}
	if isAPI(c) {
		return err
	}
	p, pageErr := s.applyPage(c, body)
	if pageErr != nil {
		return errors.Join(err, pageErr)
	}
	p.Wrong = invalid
	if p.Changed = conflict != nil; p.Changed {
		p.Before = orNow(params.Expected, p.Preview.Expected)
	}
	return s.renderStatus(c, status, "listapply", p)
}
