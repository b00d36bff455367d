package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/admin/openapi"
	"treewarden/corpus"
	"treewarden/store"
	"treewarden/store/selection"
)

func init() {
	describe("POST /bulk", openapi.Method{
		Summary: "Act on many messages at once: on ids, on what a filter finds, or on a wave. Those outside the actor's " +
			"languages and those that staff reviewed otherwise are left out, and a ban leaves out staff. Above 100 targets, " +
			"expected must be the number that a preview counted. With set, the targets must also be the same. With " +
			"close_cases, the open cases that the act settles are decided, save those that somebody else holds",
		Body: []any{actBody{}, bulkBody{}},
		Fields: []string{"kind", "on", "reason", "list", "until", "preview", "expected", "set", "close_cases", "ids",
			"filter", "wave"},
		Answer: store.Outcome{}, Preview: store.BulkPreview{}, Job: jobAnswer{},
	})
}

const bulkPath = "/bulk"

// bulkBody is what a bulk act is on, and what it does. The fields without a name in
// JSON are those of the pages' forms.
type bulkBody struct {
	Kind     string     `json:"kind" form:"kind" validate:"required,oneof=delete reject accept ban halt list"`
	On       bulkOn     `json:"on"`
	List     *uuid.UUID `json:"list" form:"list"`
	Until    *time.Time `json:"until" form:"until"`
	Expected *int64     `json:"expected" form:"expected" validate:"omitempty,min=0"`
	Set      string     `json:"set" form:"set" validate:"max=64" description:"what a preview answered as set"`
	store.CloseParams

	// Scope is what the button of a list of messages means: its selected rows, or all
	// that its filter finds.
	Scope  string      `json:"-" form:"scope" validate:"omitempty,oneof=selected all wave"`
	IDs    []uuid.UUID `json:"-" form:"id" validate:"max=1000"`
	Filter string      `json:"-" form:"filter" validate:"max=8000"` // a query of the list of messages
	Wave   *uuid.UUID  `json:"-" form:"wave"`
	Typed  string      `json:"-" form:"typed" validate:"max=40"` // the number, as the person typed it
}

// bulkOn names messages in one of three ways.
type bulkOn struct {
	IDs    []string       `json:"ids,omitempty"`
	Filter map[string]any `json:"filter,omitempty" description:"names and values as in the query of GET /messages"`
	Wave   *uuid.UUID     `json:"wave,omitempty"`
}

// UnmarshalJSON refuses unknown members: a misspelt filter must not become none.
func (on *bulkOn) UnmarshalJSON(text []byte) error {
	type plain bulkOn
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode((*plain)(on)) // setJSON says what is wrong
}

// selected reads which messages are meant.
func (b bulkBody) selected(actor store.Actor, api bool) (on selection.On, err error) {
	if !api {
		return b.selectedInForm(actor)
	}
	if b.On.IDs != nil {
		on.IDs = make([]uuid.UUID, len(b.On.IDs))
	}
	for i, text := range b.On.IDs {
		id, ok := corpus.ParseID(strings.TrimSpace(text))
		if !ok {
			return on, store.Invalid{"on": fmt.Sprintf("%.50q is no message id.", text)}
		}
		on.IDs[i] = id
	}
	on.Wave = b.On.Wave
	if b.On.Filter != nil {
		if on.Filter, err = messageFilter(actor, b.On.Filter); err != nil {
			return on, aboutOn(err)
		}
	}
	return on, nil
}

// aboutOn returns an error about a filter as one about the member on.
func aboutOn(err error) error {
	var wrong store.Invalid
	if errors.As(err, &wrong) && wrong["filter"] != "" {
		return store.Invalid{"on": wrong["filter"]}
	}
	return err
}

func (b bulkBody) selectedInForm(actor store.Actor) (on selection.On, err error) {
	switch b.Scope {
	case "wave":
		on.Wave = b.Wave
	case "all":
		values, err := url.ParseQuery(b.Filter)
		if err != nil {
			return on, store.Malformed("the filter cannot be decoded")
		}
		members := map[string]any{}
		for name := range values {
			members[name] = values.Get(name)
		}
		on.Filter, err = messageFilter(actor, members)
		return on, aboutOn(err)
	default:
		on.IDs = orNone(b.IDs)
	}
	return on, nil
}

// bulk acts on many messages, or previews it.
func (s *Server) bulk(c *fiber.Ctx) error {
	var body actBody
	var what bulkBody
	err := decodeBody(c, &body, &what)
	if err != nil && (isAPI(c) || !bulkFieldsOnly(err)) {
		return err
	}
	var params store.BulkParams
	params.Kind, params.List, params.Until, params.Close = what.Kind, what.List, what.Until, what.CloseParams
	params.Expected, params.ExpectedSet = what.Expected, what.Set
	on, wrong := what.selected(s.actor(c), isAPI(c))
	if wrong != nil {
		return wrong
	}
	if params.On = on; !isAPI(c) {
		return s.bulkForPage(c, body, what, params, err)
	}
	act := body.act(store.Kind{}, uuid.Nil, nil)
	if body.Preview {
		preview, err := s.store.PreviewBulk(c.UserContext(), s.actor(c), act, params)
		if err != nil {
			return err
		}
		return sendJSON(c, preview)
	}
	if act.IdempotencyKey, err = idempotencyKey(c, ""); err != nil {
		return err
	}
	outcome, job, err := s.store.Bulk(c.UserContext(), s.actor(c), act, params)
	switch {
	case err != nil:
		return err
	case job != nil:
		return answerJob(c, *job)
	}
	return sendJSON(c, outcome)
}
