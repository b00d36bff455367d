package admin

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/params"
	"treewarden/store/selection"
)

// bulkWords are the words for a kind of bulk act on pages.
type bulkWords struct {
	Choice string // in the menu of a list of messages
	Title  string
	Button string // before the number
	After  string // after the number
	Noun   string // what is counted
	Effect string
}

// flagsAre says what becomes of the flags of cases that kinds of bulk acts close.
var flagsAre = map[string]string{
	selection.Delete: "upheld", selection.Reject: "upheld", selection.Ban: "upheld", selection.Halt: "upheld",
	selection.Accept: "dismissed",
}

// bulkTexts holds the words for each kind of bulk act.
var bulkTexts = map[string]bulkWords{
	selection.Delete: {"Delete", "Delete messages", "Delete", "", "message",
		"Deletes these messages and all replies below them, whoever wrote the replies."},
	selection.Reject: {"Mark as spam", "Mark messages as spam", "Mark", " as spam", "message",
		"Marks these messages as spam."},
	selection.Accept: {"Mark as not spam", "Mark messages as not spam", "Mark", " as not spam", "message",
		"Marks these messages as not spam."},
	selection.Ban: {"Ban the authors", "Ban authors", "Ban", "", "user",
		"The authors can no longer contribute. Signals that they gave no longer count. Their messages stay."},
	selection.Halt: {"Stop the trees", "Stop trees", "Stop", "", "tree",
		"Contributors are no longer asked to add messages to these trees."},
	selection.List: {"Add to a list", "Add messages to a list", "Add", "", "message",
		"Adds these messages to the list. It changes nothing else."},
}

// bulkChoices returns the kinds of bulk acts that a person may use.
func bulkChoices(person store.Person) (kinds []Choice) {
	if !person.May(policy.BulkAct) {
		return nil
	}
	for _, kind := range selection.Kinds {
		if person.May(selection.Permissions[kind]) {
			kinds = append(kinds, Choice{Value: kind, Text: bulkTexts[kind].Choice})
		}
	}
	return kinds
}

// bulkMenu is the form below a list of messages that acts on its selected rows or on
// all that its filter finds.
type bulkMenu struct {
	Kinds  []Choice
	Filter string // the filter as a query; empty if no filter is set
	Wave   string // the id of the wave that the page shows; empty for other pages
	Return string
}

// selectRows returns the form for rows, which get their boxes; nil if there is no row or
// the person may not act in bulk. back is the page to return to.
func selectRows(person store.Person, rows []found, back string) *bulkMenu {
	kinds := bulkChoices(person)
	if len(kinds) == 0 || len(rows) == 0 {
		return nil
	}
	for i := range rows {
		rows[i].Selects = true
	}
	return &bulkMenu{Kinds: kinds, Return: back}
}

// selectable adds the form to a page of messages, and their boxes.
func (p *messagesPage) selectable(back string) {
	p.Bulk = selectRows(p.Person, p.Lines, back)
	if p.Bulk == nil || !p.Filtered() {
		return
	}
	values := url.Values{}
	for _, choice := range carried(p.Query, filterNames...) {
		values.Set(choice.Text, choice.Value)
	}
	if p.Filter.Lang != "" {
		values.Set("lang", p.Filter.Lang)
	}
	p.Bulk.Filter = values.Encode()
}

// bulkPage previews a bulk act, and asks for what it needs.
type bulkPage struct {
	Layout
	Body    actBody
	What    bulkBody
	Words   bulkWords
	Back    string
	Preview store.BulkPreview
	Counted bool // there is a preview
	Sample  []found
	Lists   []Choice
	Wrong   store.Invalid
	Changed bool     // the number of the former preview does not hold any more
	Before  int64    // that number
	Reasons []string // last used
}

func (p bulkPage) api() any { return nil }

// Elsewhere returns the errors of fields that the form does not show.
func (p bulkPage) Elsewhere() string {
	var shown []string
	for name, is := range map[string]bool{
		"reason": p.MayAct(), "typed": p.MayAct() && p.Many(), "until": p.IsBan(), "list": p.IsList() && len(p.Lists) > 0,
	} {
		if is {
			shown = append(shown, name)
		}
	}
	return elsewhere(p.Wrong, shown...)
}

// Button names the act with its number.
func (p bulkPage) Button() string {
	return p.Words.Button + " " + counted(p.Preview.Expected, p.Words.Noun) + p.Words.After
}

// Many reports whether the person must type the number.
func (p bulkPage) Many() bool { return p.Preview.Expected > selection.Large }

// MayAct reports whether there is something to do that the person may do.
func (p bulkPage) MayAct() bool {
	return p.Counted && p.Preview.Expected > 0 && (!p.Many() || p.Person.May(policy.BulkLarge))
}

// Refused reports whether there are more targets than the person may act on.
func (p bulkPage) Refused() bool { return p.Counted && p.Many() && !p.Person.May(policy.BulkLarge) }

// Long reports whether the act becomes a job.
func (p bulkPage) Long() bool { return p.Preview.Expected > store.JobFrom }

// Differs reports whether the targets are as many as in the former preview, but others.
func (p bulkPage) Differs() bool { return p.Changed && p.Before == p.Preview.Expected }

// Closable returns the number of open cases that the person may close by the act.
func (p bulkPage) Closable() int64 {
	if !p.Person.May(policy.QueueWork) {
		return 0
	}
	return p.Preview.Counts.OpenCases
}

// KeepsOpen reports whether the person chose to leave the cases open.
func (p bulkPage) KeepsOpen() bool {
	return !p.Body.Preview && p.What.Expected != nil && !p.What.CloseCases
}

// CloseWords says what becomes of the open cases.
func (p bulkPage) CloseWords() string {
	text := "Also close the open case that this touches"
	if n := p.Closable(); n > 1 {
		text = "Also close the " + counted(n, "open case") + " that this touches"
	}
	return text + ": the reports and red flags are " + flagsAre[p.What.Kind]
}

// IsBan reports whether authors are banned.
func (p bulkPage) IsBan() bool { return p.What.Kind == selection.Ban }

// IsList reports whether messages are added to a list.
func (p bulkPage) IsList() bool { return p.What.Kind == selection.List }

// UntilValue returns the value of the form's field of the same name.
func (p bulkPage) UntilValue() string { return fieldTime(p.What.Until) }

// LeftOut says how many messages stay as they are, and why.
func (p bulkPage) LeftOut() (why []string) {
	counts := p.Preview.Counts
	for _, reason := range []struct {
		n    int64
		text string
	}{
		{counts.Protected.Self, "by you"},
		{counts.Protected.NotPermitted, "by people on whom you may not act"},
		{counts.Protected.Staff, "by other staff"},
		{counts.Protected.Language, "outside your languages"},
		{counts.Protected.Decided, "that staff reviewed otherwise"},
		{counts.Unchanged, "for which there is nothing to do"},
		{counts.Missing, "that do not exist"},
	} {
		if reason.n > 0 {
			why = append(why, counted(reason.n, "message")+" "+reason.text)
		}
	}
	return why
}

// bulkFieldsOnly reports whether an error is about fields that the page of a bulk act
// can show, so that it knows what the act is on.
func bulkFieldsOnly(err error) bool {
	var wrong store.Invalid
	if !errors.As(err, &wrong) {
		return false
	}
	for name := range wrong {
		if !slices.Contains([]string{"reason", "typed", "until", "list"}, name) {
			return false
		}
	}
	return true
}

// bulkForPage previews a bulk act on a page, or performs it. A field that is wrong, and a
// number that has changed, show the preview again.
func (s *Server) bulkForPage(c *fiber.Ctx, body actBody, what bulkBody, act store.BulkParams, err error) error {
	back := localPath(body.Return, "/messages")
	var invalid store.Invalid
	if err == nil && body.Preview && body.Reason != "" {
		err = params.CheckReason(body.Reason, true)
	}
	errors.As(err, &invalid)
	if body.Preview || invalid != nil {
		return s.bulkPreview(c, fiber.StatusOK, body, what, act, invalid)
	}
	if wrong := what.checkTyped(); wrong != nil {
		return s.bulkPreview(c, fiber.StatusUnprocessableEntity, body, what, act, wrong)
	}
	request := body.act(store.Kind{}, uuid.Nil, nil)
	if request.IdempotencyKey, err = idempotencyKey(c, body.Key); err != nil {
		return err
	}
	outcome, job, err := s.store.Bulk(c.UserContext(), s.actor(c), request, act)
	var conflict *store.Conflict
	switch {
	case bulkFieldsOnly(err) && errors.As(err, &invalid):
		return s.bulkPreview(c, fiber.StatusUnprocessableEntity, body, what, act, invalid)
	case errors.As(err, &conflict) && conflict.Expected != nil:
		return s.bulkPreview(c, fiber.StatusConflict, body, what, act, nil)
	case err != nil:
		return err
	case job != nil:
		return answerJob(c, *job)
	}
	return done(c, back, outcome.Action)
}

// checkTyped returns an Invalid unless the number of many targets was typed.
func (b bulkBody) checkTyped() store.Invalid {
	typed := strings.NewReplacer(",", "", " ", "", "\u00a0", "").Replace(b.Typed)
	if b.Expected == nil || *b.Expected <= selection.Large || typed == strconv.FormatInt(*b.Expected, 10) {
		return nil
	}
	return store.Invalid{"typed": fmt.Sprintf("Type the number %d to confirm that you mean all of them.", *b.Expected)}
}

// orNow returns the number that a form expected or, if it named none, the current one.
func orNow(expected *int64, now int64) int64 {
	if expected == nil {
		return now
	}
	return *expected
}

func (s *Server) bulkPreview(
	c *fiber.Ctx, status int, body actBody, what bulkBody, params store.BulkParams, wrong store.Invalid,
) error {
	ctx, actor := c.UserContext(), s.actor(c)
	p := bulkPage{Body: body, What: what, Words: bulkTexts[what.Kind], Wrong: wrong,
		Changed: status == fiber.StatusConflict, Back: localPath(body.Return, "/messages")}
	p.Layout = s.layout(c, p.Words.Title)
	p.Toast = nil
	p.Body.Key = rand.Text()
	if len(wrong) > 0 {
		status = fiber.StatusUnprocessableEntity
	}
	if p.IsList() {
		var choose choosePage
		choose.Body.To = what.List
		if err := s.chooseLists(c, &choose); err != nil {
			return err
		}
		p.Lists = choose.Lists
	}
	if !p.IsList() || what.List != nil && wrong["list"] == "" {
		params.Expected, params.ExpectedSet, params.Until, params.Close = nil, "", nil, store.CloseParams{} // counts anew
		var err error
		if p.Preview, err = s.store.PreviewBulk(ctx, actor, store.Act{Reason: "preview"}, params); err != nil {
			return err
		}
		p.Counted = true
		p.Before = orNow(what.Expected, p.Preview.Expected)
		present := newPresenter(p.Person, p.Back)
		for _, m := range p.Preview.Sample {
			p.Sample = append(p.Sample, present.found(m))
		}
	}
	var err error
	if p.Reasons, err = s.store.RecentReasons(ctx, actor, "bulk"); err != nil {
		return fmt.Errorf("read the last used reasons: %w", err)
	}
	return s.renderStatus(c, status, "bulk", p)
}
