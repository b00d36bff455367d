package admin

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/samples"
)

// sampleView is a sample as pages show it.
type sampleView struct{ samples.Sample }

// Path returns the address of the sample's page, and Disputes that of what is
// disputed.
func (s sampleView) Path() string     { return samplesPath + "/" + s.SampleID.String() }
func (s sampleView) Disputes() string { return s.Path() + disputedPath }

// Ask returns the question that both judgements answer.
func (s sampleView) Ask() string { return questionOf(s.Question) }

// Strata returns the groups that the sample holds in proportion, in words.
func (s sampleView) Strata() string { return strings.ToLower(groupTitles[s.By]) }

// groupTitles names what samples and agreements are grouped by.
var groupTitles = map[string]string{"actor": "Moderator", "lang": "Language", "kind": "Kind", "reason": "Reason"}

// samplesPage lists the samples.
type samplesPage struct {
	Layout
	List    store.List[samples.Sample]
	Lines   []sampleView
	New     string
	MayEdit bool
	Pager   Pager
	CSV     string
}

func (p samplesPage) api() any { return p.List }

func (p samplesPage) csv() (header []string, rows [][]string) {
	header = []string{"sample_id", "of", "list_name", "question", "by", "seed", "population", "size", "judged",
		"disputed", "disputed_open", "created_by_name", "created_date"}
	for _, s := range p.List.Items {
		rows = append(rows, []string{s.SampleID.String(), s.Of, s.ListName, s.Question, s.By,
			strconv.FormatInt(s.Seed, 10), strconv.FormatInt(s.Population, 10), strconv.Itoa(s.Size),
			strconv.Itoa(s.Judged), strconv.Itoa(s.Disputed),
			strconv.Itoa(s.Open), s.CreatedByName, rfc3339(&s.CreatedDate)})
	}
	return header, rows
}

// samples lists the samples.
func (s *Server) samples(c *fiber.Ctx) error {
	var q samplesQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	access, err := s.store.Samples(s.actor(c))
	if err != nil {
		return err
	}
	f := samples.Filter{List: q.List, Page: q.page()}
	if wantsCSV(c) {
		return s.sendCSV(c, "samples", func(ctx context.Context, page store.Page) (listPage, *string, error) {
			f.Page = page
			found, err := access.All(ctx, f)
			return samplesPage{List: found}, found.Next, err
		})
	}
	p := samplesPage{New: samplesPath + "/new"}
	if p.List, err = access.All(c.UserContext(), f); err != nil {
		return err
	}
	p.Layout = s.layout(c, "Samples")
	p.MayEdit = p.Person.May(policy.ListEdit)
	if q.List != nil {
		p.New += "?of=list:" + q.List.String()
	}
	p.CSV = mustQuery(p.Query, "format", "csv", "cursor", "")
	p.Pager = p.pager(p.List.Prev, p.List.Next, "")
	for _, sample := range p.List.Items {
		p.Lines = append(p.Lines, sampleView{sample})
	}
	return s.render(c, "samples", p)
}

// sampleFormPage is the form of a new sample.
type sampleFormPage struct {
	Layout
	List  *listView // nil for decisions
	Body  sampleBody
	Since string
	Until string
	Size  string
	Seed  string
	By    []Choice
	Wrong store.Invalid
}

func (p sampleFormPage) api() any { return nil }

// Elsewhere returns the errors of fields that the form does not show.
func (p sampleFormPage) Elsewhere() string {
	return elsewhere(p.Wrong, "since", "until", "size", "seed", "by")
}

// sampleFormQuery preselects what a new sample is drawn from.
type sampleFormQuery struct {
	Of string `form:"of" validate:"max=60"`
}

// newSampleForm shows the form of a new sample.
func (s *Server) newSampleForm(c *fiber.Ctx) error {
	var q sampleFormQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	seed := rand.Int64N(1_000_000)
	p, err := s.sampleForm(c, sampleBody{Of: q.Of, Seed: &seed})
	if err != nil {
		return err
	}
	return s.render(c, "sampleform", p)
}

// sampleForm fills the form of a sample. What is not a list is decisions.
func (s *Server) sampleForm(c *fiber.Ctx, body sampleBody) (sampleFormPage, error) {
	p := sampleFormPage{Layout: s.layout(c, "New sample"), Body: body, Size: strconv.Itoa(samples.DefaultSize)}
	if order, err := body.order(); err == nil && order.List != nil {
		list, err := s.store.ListByID(c.UserContext(), s.actor(c), *order.List)
		if err == nil {
			view := viewList(list)
			p.List = &view
		} else if !errors.Is(err, store.ErrNotFound) {
			return p, err
		}
	}
	p.Body.Key = crand.Text()
	if p.Body.Of == "" {
		p.Body.Of = "decisions"
	}
	day := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.UTC().Format("2006-01-02T15:04")
	}
	p.Since, p.Until = day(body.Since), day(body.Until)
	if body.Size != nil {
		p.Size = strconv.Itoa(*body.Size)
	}
	if body.Seed != nil {
		p.Seed = strconv.FormatInt(*body.Seed, 10)
	}
	p.By = choices(body.By, "", "At random", "lang", "Each language in proportion", "actor",
		"Each moderator in proportion", "kind", "Each kind of decision in proportion")
	return p, nil
}

// sampleRefused shows the form again, with its errors.
func (s *Server) sampleRefused(c *fiber.Ctx, body sampleBody, err error) error {
	var invalid store.Invalid
	if !errors.As(err, &invalid) {
		return err
	}
	p, formErr := s.sampleForm(c, body)
	if formErr != nil {
		return errors.Join(err, formErr)
	}
	p.Wrong = invalid
	return s.renderStatus(c, fiber.StatusUnprocessableEntity, "sampleform", p)
}

// samplePage is the page of a sample: its progress, and the agreement so far.
type samplePage struct {
	Layout
	Sample    sampleView
	Agreement samples.Agreement
	Tabs      []Choice // what the agreement is grouped by
	Left      int      // for this person to judge
	Own       int
}

func (p samplePage) api() any { return p.Sample.Sample }

// Grouped returns the title of the groups.
func (p samplePage) Grouped() string { return groupTitles[p.Agreement.GroupedBy] }

// Share returns how much of the sample is judged, in percent.
func (p samplePage) Share() int {
	return int(math.Round(100 * float64(p.Sample.Judged) / float64(max(1, p.Sample.Size))))
}

// Kappa returns a kappa with two decimals, or a dash.
func (p samplePage) Kappa(kappa *float64) string {
	if kappa == nil {
		return "–"
	}
	return fixed(*kappa, 2)
}

// Range returns the interval of a kappa in words.
func (p samplePage) Range(interval []float64) string {
	if len(interval) != 2 {
		return ""
	}
	return fixed(interval[0], 2) + " to " + fixed(interval[1], 2)
}

// Percents returns an interval of shares in words.
func (p samplePage) Percents(interval []float64) string {
	if len(interval) != 2 {
		return ""
	}
	return fmt.Sprintf("%.0f to %.0f %%", 100*interval[0], 100*interval[1])
}

// sample shows a sample.
func (s *Server) sample(c *fiber.Ctx) error {
	access, sample, err := s.sampleHere(c)
	if err != nil {
		return err
	}
	var q agreementQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	p := samplePage{Sample: sampleView{sample}}
	if isAPI(c) {
		return s.render(c, "sample", p)
	}
	ctx := c.UserContext()
	if p.Agreement, err = access.Agreement(ctx, sample.SampleID, q.By); err != nil {
		return err
	}
	left, err := access.Left(ctx, sample.SampleID)
	if err != nil {
		return err
	}
	p.Left, p.Own = left.Left, left.Own
	p.Layout = s.layout(c, "Sample")
	for _, by := range samples.Groupings {
		p.Tabs = append(p.Tabs, Choice{mustQuery(p.Query, "by", by, "notice", "") + "#groups", groupTitles[by],
			by == p.Agreement.GroupedBy})
	}
	return s.render(c, "sample", p)
}

// judgePage shows one message of a sample to judge, in its thread.
type judgePage struct {
	Layout
	Next   nextItem
	Path   string // of the sample
	Ask    string
	Number int           // of this judgement
	Thread []messageView // from the prompt down to the message
	Skips  int           // messages left out in the middle
	Belong string        // the name of the list, if the question is about it
}

func (p judgePage) api() any { return p.Next }

// nextSample hands out the next message to judge.
func (s *Server) nextSample(c *fiber.Ctx) error {
	next, thread, err := s.nextSampleItem(c)
	if err != nil {
		return err
	}
	p := judgePage{Next: next}
	if isAPI(c) {
		return s.render(c, "samplejudge", p)
	}
	p.Layout = s.layout(c, "Sample")
	p.Path = samplesPath + "/" + next.SampleID.String()
	p.Ask, p.Number = questionOf(next.Question), next.Judged+1
	if next.Question == samples.Belongs {
		_, sample, err := s.sampleHere(c)
		if err != nil {
			return err
		}
		p.Belong = sample.ListName
	}
	if p.Skips = max(0, len(thread)-shownPath); p.Skips > 0 {
		thread = append(thread[:1:1], thread[1+p.Skips:]...)
	}
	t := newPresenter(p.Person, p.Path)
	for _, m := range thread {
		p.Thread = append(p.Thread, t.view(m))
	}
	if n := len(p.Thread); n > 0 {
		current := &p.Thread[n-1]
		current.Current = true
		current.Long = len(current.Text) > longTextCurrent
	}
	return s.render(c, "samplejudge", p)
}
