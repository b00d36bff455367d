package admin

import (
	"crypto/rand"
	"errors"
	"io"
	"mime/multipart"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/corpus"
	"treewarden/store"
)

// addPath is the end of the path of the page that adds messages to a list.
const addPath = "/add"

// addItemsPage is the form that adds messages to a list by their ids, with what
// became of the ids that were sent last.
type addItemsPage struct {
	Layout
	List   listView
	Key    string
	Typed  string
	Reason string
	Wrong  store.Invalid
	Result *addResult
}

func (p addItemsPage) api() any { return nil }

// Elsewhere returns the errors of fields that the form does not show.
func (p addItemsPage) Elsewhere() string { return elsewhere(p.Wrong, "items", "file", "reason") }

// The limits of what the page names: missing ids, and malformed lines.
const (
	shownMissing = 100
	shownFaults  = 500
)

// addResult tells what became of the lines that were sent.
type addResult struct {
	store.Added
	Missing     []uuid.UUID
	MoreMissing int
	Faults      []lineFault
	MoreFaults  int
}

// Known reports whether all ids were on the list before.
func (r addResult) Known() bool { return r.Added.Added == 0 && len(r.Missing) == 0 && r.Duplicate > 0 }

// Malformed returns the number of malformed lines.
func (r addResult) Malformed() int { return len(r.Faults) + r.MoreFaults }

// AllMissing returns the number of missing ids.
func (r addResult) AllMissing() int { return len(r.Missing) + r.MoreMissing }

// lineFault is a malformed line, of the field or of the file.
type lineFault struct {
	corpus.IDFault
	File bool
}

func newAddResult(added store.Added, faults []lineFault) *addResult {
	r := &addResult{Added: added, Missing: added.Missing, Faults: faults}
	if r.MoreMissing = max(0, len(r.Missing)-shownMissing); r.MoreMissing > 0 {
		r.Missing = r.Missing[:shownMissing]
	}
	if r.MoreFaults = max(0, len(r.Faults)-shownFaults); r.MoreFaults > 0 {
		r.Faults = r.Faults[:shownFaults]
	}
	return r
}

// addItemsForm shows the form that adds messages to a list.
func (s *Server) addItemsForm(c *fiber.Ctx) error {
	p, err := s.addItemsPage(c)
	if err != nil {
		return err
	}
	return s.render(c, "listadd", p)
}

func (s *Server) addItemsPage(c *fiber.Ctx) (addItemsPage, error) {
	id, err := pathID(c)
	if err != nil {
		return addItemsPage{}, err
	}
	list, err := s.store.ListByID(c.UserContext(), s.actor(c), id)
	if err != nil {
		return addItemsPage{}, err
	}
	return addItemsPage{Layout: s.layout(c, "Add messages to "+excerpt(list.Name, 60)), List: viewList(list),
		Key: rand.Text()}, nil
}

// addItemsBody is the form that adds messages to a list. A file may come with it.
type addItemsBody struct {
	Items  string `form:"items"`
	Reason string `form:"reason"`
	Key    string `form:"key" validate:"max=100"`
}

// addGivenItems adds the ids of a form to a list, and answers with what became of
// each line.
func (s *Server) addGivenItems(c *fiber.Ctx) error {
	p, err := s.addItemsPage(c)
	if err != nil {
		return err
	}
	// The text of the ids may hold any bytes: each bad line is named.
	values, err := formValues(c)
	if err != nil {
		return err
	}
	p.Typed = values.Get("items")
	values.Del("items")
	var body addItemsBody
	if p.Wrong = fillAll(values, []any{&body}); len(p.Wrong) > 0 {
		return s.addRefused(c, p)
	}
	p.Reason = body.Reason
	var given givenItems
	faults, err := given.readForm(c, p.Typed)
	if err == nil && len(given.items) > 0 {
		var key string
		if key, err = idempotencyKey(c, body.Key); err != nil {
			return err
		}
		var outcome store.Outcome
		var added store.Added
		outcome, added, err = s.store.AddToList(c.UserContext(), s.actor(c), p.List.ListID,
			store.AddParams{Items: given.items}, body.Reason, key)
		if err == nil {
			return s.answerAdded(c, p, outcome.Action, added, faults)
		}
	}
	if err != nil && !errors.As(err, &p.Wrong) {
		return err
	}
	if err == nil {
		p.Result = newAddResult(store.Added{}, faults)
		p.Wrong = store.Invalid{"items": "Nothing was added: no line holds a message id."}
	}
	return s.addRefused(c, p)
}

// answerAdded shows what became of the lines.
func (s *Server) answerAdded(
	c *fiber.Ctx, p addItemsPage, action store.Action, added store.Added, faults []lineFault,
) error {
	if action.ID != 0 && added.Added == 0 && len(added.Missing) == 0 {
		// The same form was sent before, and its items are on the list.
		return done(c, p.List.Path(), action)
	}
	list, err := s.store.ListByID(c.UserContext(), s.actor(c), p.List.ListID)
	if err != nil {
		return err
	}
	p.List, p.Result, p.Reason, p.Typed = viewList(list), newAddResult(added, faults), "", ""
	if action.ID != 0 {
		p.Toast = s.toastOf(c, action, p.List.Path())
	}
	return s.render(c, "listadd", p)
}

// shownTyped is the length up to which a refused text is shown again, in bytes.
const shownTyped = 1 << 20

func (s *Server) addRefused(c *fiber.Ctx, p addItemsPage) error {
	p.Typed = strings.ReplaceAll(strings.ToValidUTF8(p.Typed, "\ufffd"), "\x00", "\ufffd")
	if len(p.Typed) > shownTyped {
		p.Typed = ""
	}
	return s.renderStatus(c, fiber.StatusUnprocessableEntity, "listadd", p)
}

// readForm reads the ids of a form: those of its field, then those of its file.
func (g *givenItems) readForm(c *fiber.Ctx, typed string) ([]lineFault, error) {
	file, err := formFile(c, "file")
	if err != nil {
		return nil, err
	}
	var faults []lineFault
	for i, text := range [][]byte{[]byte(typed), file} {
		if err := g.readIDs(text); err != nil {
			return nil, err
		}
		for _, fault := range g.faults {
			faults = append(faults, lineFault{IDFault: fault, File: i == 1})
		}
	}
	switch {
	case len(g.items)+len(faults) == 0:
		return nil, store.Invalid{"items": "Paste at least one message id, or choose a file that holds some."}
	case len(g.items) > store.MaxListItems:
		return nil, tooManyItems
	}
	return faults, nil
}

// formFile returns the file of a form's field, or nil if none was sent.
func formFile(c *fiber.Ctx, name string) ([]byte, error) {
	if !strings.HasPrefix(c.Get(fiber.HeaderContentType), fiber.MIMEMultipartForm) {
		return nil, nil
	}
	form, err := c.MultipartForm()
	if err != nil {
		return nil, store.Malformed("the form cannot be read")
	}
	if len(form.File[name]) == 0 {
		return nil, nil
	}
	return readFile(form.File[name][0])
}

func readFile(header *multipart.FileHeader) ([]byte, error) {
	file, err := header.Open()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}
