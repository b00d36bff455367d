package admin

import (
	"cmp"
	"errors"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/admin/openapi"
	"treewarden/store"
	"treewarden/store/samples"
)

func init() {
	describe("GET /samples", openapi.Method{
		Summary: "Samples of lists and of decisions, judged a second time",
		Query:   samplesQuery{}, Answer: store.List[samples.Sample]{},
	})
	describe("POST /samples", openapi.Method{
		Summary: "Draw a sample of a list or of decisions, which other people judge again",
		Body:    []any{sampleBody{}}, Fields: []string{"of", "since", "until", "size", "seed", "by"},
		Answer: samples.Sample{},
	})
	describe("GET /samples/:id", openapi.Method{Summary: "A sample, with its progress", Answer: samples.Sample{}})
	describe("GET /samples/:id/next", openapi.Method{
		Summary: "The next message of a sample to judge, without its first judgement",
		Answer:  nextItem{},
	})
	describe("POST /samples/:id/judgements", openapi.Method{
		Summary: "Judge a message of a sample: yes or no answers its question; same or other compares with the first " +
			"judgement",
		Body: []any{judgementBody{}}, Fields: []string{"item", "verdict", "note"}, Answer: sampleProgress{},
	})
	describe("GET /samples/:id/agreement", openapi.Method{
		Summary: "How far the two judgements of a sample agree: Cohen's kappa with its interval, and what is disputed",
		Query:   agreementQuery{}, Answer: samples.Agreement{},
	})
	describe("GET /samples/:id/disputed", openapi.Method{
		Summary: "The messages of a sample on which the two judgements differ: open (default), settled or all",
		Query:   disputedQuery{}, Answer: store.List[samples.Dispute]{},
	})
	describe("POST /samples/:id/settlements", openapi.Method{
		Summary: "Settle a message on which the two judgements differ: yes or no answers the sample's question",
		Body:    []any{settlementBody{}}, Fields: []string{"item", "verdict"}, Answer: samples.Agreement{},
	})
}

const samplesPath = "/samples"

// samplesQuery is the query of the samples.
type samplesQuery struct {
	pageQuery
	List *uuid.UUID `form:"list"` // only samples of this list
}

// sampleBody orders a sample.
type sampleBody struct {
	Of    string     `json:"of" form:"of" validate:"max=60"` // list:ID or decisions
	Since *time.Time `json:"since" form:"since"`
	Until *time.Time `json:"until" form:"until"`
	Size  *int       `json:"size" form:"size" validate:"omitempty,min=1,max=1000"`
	Seed  *int64     `json:"seed" form:"seed"`
	By    string     `json:"by" form:"by" validate:"omitempty,oneof=lang kind actor"`
	Key   string     `json:"-" form:"key" validate:"max=100"` // only the form sends it
}

// order returns the order of a sample, or Invalid.
func (b sampleBody) order() (samples.Order, error) {
	o := samples.Order{Since: b.Since, Until: b.Until, Size: samples.DefaultSize, By: b.By, Seed: b.Seed}
	if b.Size != nil {
		o.Size = *b.Size
	}
	if b.Of == "decisions" {
		return o, nil
	}
	text, isList := strings.CutPrefix(b.Of, "list:")
	id, ok := parseID(text)
	if !isList || !ok {
		return o, store.Invalid{"of": "Write list: and the id of a list, or decisions."}
	}
	o.List = &id
	return o, nil
}

// judgementBody is a second judgement of a message.
type judgementBody struct {
	Item    string `json:"item" form:"item" validate:"max=60"`
	Verdict string `json:"verdict" form:"verdict" validate:"omitempty,oneof=same other yes no"`
	Note    string `json:"note" form:"note" validate:"max=1000"`
}

// agreementQuery is the query of an agreement.
type agreementQuery struct {
	By string `form:"by" validate:"omitempty,oneof=actor reason lang kind"`
}

// sampleProgress tells how far a sample is judged. It holds nothing of any
// judgement, so that the person stays blind.
type sampleProgress struct {
	SampleID uuid.UUID `json:"sample_id"`
	Size     int       `json:"size"`
	Judged   int       `json:"judged"`
	Left     int       `json:"left"`   // for this person to judge
	Others   int       `json:"others"` // that only another person may judge
}

// blindMessage is a message without anything that staff or others said of it.
type blindMessage struct {
	MessageID uuid.UUID  `json:"message_id"`
	TreeID    uuid.UUID  `json:"message_tree_id"`
	Role      string     `json:"role"`
	Lang      *string    `json:"lang"`
	Text      string     `json:"text"`
	Created   *time.Time `json:"created_date"`
}

// nextItem is the next message to judge. Item is null if nothing is left.
type nextItem struct {
	sampleProgress
	Item     *uuid.UUID     `json:"item"`
	Question string         `json:"question"`
	Message  *blindMessage  `json:"message"`
	Thread   []blindMessage `json:"thread"` // from the prompt down to the message
}

// sampleError turns the errors of samples into those that pages and the API
// know.
func sampleError(err error) error {
	var forbidden samples.Forbidden
	var conflict samples.Conflict
	switch {
	case errors.As(err, &forbidden):
		return &store.Forbidden{Why: err.Error()}
	case errors.As(err, &conflict):
		return &store.Conflict{Why: err.Error()}
	}
	return err
}

// sampleHere returns the sample that a path names, and the person's access.
func (s *Server) sampleHere(c *fiber.Ctx) (samples.Access, samples.Sample, error) {
	id, err := pathID(c)
	if err != nil {
		return samples.Access{}, samples.Sample{}, err
	}
	access, err := s.store.Samples(s.actor(c))
	if err != nil {
		return access, samples.Sample{}, err
	}
	sample, err := access.ByID(c.UserContext(), id)
	return access, sample, err
}

// progress returns how far a sample is, for one person.
func progressOf(sample samples.Sample, next samples.Next) sampleProgress {
	return sampleProgress{sample.SampleID, sample.Size, sample.Judged, next.Left, next.Own}
}

// createSample draws a sample.
func (s *Server) createSample(c *fiber.Ctx) error {
	var body sampleBody
	err := decodeBody(c, &body)
	var sample samples.Sample
	if err == nil {
		sample, err = s.drawSample(c, body)
	}
	switch {
	case err != nil && !isAPI(c):
		return s.sampleRefused(c, body, err)
	case err != nil:
		return err
	case isAPI(c):
		return sendJSON(c, sample)
	}
	return c.Redirect(samplesPath+"/"+sample.SampleID.String(), fiber.StatusSeeOther)
}

func (s *Server) drawSample(c *fiber.Ctx, body sampleBody) (samples.Sample, error) {
	order, err := body.order()
	if err != nil {
		return samples.Sample{}, err
	}
	if order.IdempotencyKey, err = idempotencyKey(c, body.Key); err != nil {
		return samples.Sample{}, err
	}
	access, err := s.store.Samples(s.actor(c))
	if err != nil {
		return samples.Sample{}, err
	}
	sample, err := access.Draw(c.UserContext(), order)
	return sample, sampleError(err)
}

// judgeSample keeps a second judgement.
func (s *Server) judgeSample(c *fiber.Ctx) error {
	access, sample, err := s.sampleHere(c)
	if err != nil {
		return err
	}
	var body judgementBody
	if err := decodeBody(c, &body); err != nil {
		return err
	}
	item, ok := parseID(body.Item)
	if !ok {
		return store.Invalid{"item": "This is not the id of a message."}
	}
	ctx := c.UserContext()
	err = access.Judge(ctx, sample.SampleID, samples.Judgement{Item: item, Verdict: body.Verdict, Note: body.Note})
	if err != nil {
		return sampleError(err)
	}
	if !isAPI(c) {
		return c.Redirect(samplesPath+"/"+sample.SampleID.String()+"/next", fiber.StatusSeeOther)
	}
	if sample, err = access.ByID(ctx, sample.SampleID); err != nil {
		return err
	}
	left, err := access.Left(ctx, sample.SampleID)
	if err != nil {
		return err
	}
	return sendJSON(c, progressOf(sample, left))
}

// sampleAgreement answers with the agreement of a sample.
func (s *Server) sampleAgreement(c *fiber.Ctx) error {
	access, sample, err := s.sampleHere(c)
	if err != nil {
		return err
	}
	var q agreementQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	agreement, err := access.Agreement(c.UserContext(), sample.SampleID, q.By)
	if err != nil {
		return err
	}
	return sendJSON(c, agreement)
}

// nextSampleItem reads the next message for the person, in its thread.
func (s *Server) nextSampleItem(c *fiber.Ctx) (nextItem, []store.Message, error) {
	access, sample, err := s.sampleHere(c)
	if err != nil {
		return nextItem{}, nil, err
	}
	next, err := access.Next(c.UserContext(), sample.SampleID)
	if err != nil {
		return nextItem{}, nil, err
	}
	n := nextItem{sampleProgress: progressOf(sample, next), Item: next.Item, Question: sample.Question,
		Thread: []blindMessage{}}
	if next.Item == nil {
		return n, nil, nil
	}
	detail, err := s.store.Message(c.UserContext(), s.actor(c), *next.Item)
	if err != nil {
		return n, nil, err
	}
	var thread []store.Message
	for _, m := range detail.Path {
		n.Thread = append(n.Thread, blindMessage{m.MessageID, m.TreeID, m.Role, m.Lang, m.Text, m.CreatedDate})
		shown := blind(m)
		if m.MessageID != *next.Item {
			shown.Labels = m.Labels // they hide a text that nobody judges here
		}
		thread = append(thread, shown)
	}
	n.Message = &n.Thread[len(n.Thread)-1]
	return n, thread, nil
}

// blind returns a message without its author and without anything that staff or
// contributors said of it. The outputs of classifiers stay, because they hide a
// toxic text.
func blind(m store.Message) store.Message {
	return store.Message{MessageID: m.MessageID, ParentID: m.ParentID, TreeID: m.TreeID, Text: m.Text, Role: m.Role,
		Lang: m.Lang, CreatedDate: m.CreatedDate, Detoxify: m.Detoxify, Classifiers: m.Classifiers}
}

// questionOf returns a sample's question for people.
func questionOf(question string) string {
	return cmp.Or(map[string]string{samples.Belongs: "Does this message belong on the list?"}[question],
		"Should this message be removed?")
}
