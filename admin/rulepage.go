package admin

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/store"
	"treewarden/store/candidates"
	"treewarden/store/jobs"
)

// rulePage is the form for a rule, with what it would find.
type rulePage struct {
	Layout
	List      listView
	Form      ruleForm
	Languages []Choice
	Wrong     store.Invalid
	Preview   *store.Found
	Lines     []candidateLine // the sample of the preview
	Key       string
}

func (p rulePage) api() any { return nil }

// Elsewhere returns the errors of fields that the form does not show.
func (p rulePage) Elsewhere() string {
	return elsewhere(p.Wrong, "words", "lang", "regex", "label", "classifier", "shorter_than", "file", "near_duplicates")
}

// ruleForm is a rule as the form has it.
type ruleForm struct {
	Words            string `form:"words"` // one on each line
	Lang             string `form:"lang" validate:"max=40"`
	Regex            string `form:"regex"`
	Label            string `form:"label" validate:"max=100"`
	Classifier       string `form:"classifier" validate:"max=300"`
	ShorterThan      string `form:"shorter_than" validate:"max=20"`
	LanguageMismatch bool   `form:"language_mismatch"`
	Boilerplate      bool   `form:"boilerplate"`
	NearDuplicates   string `form:"near_duplicates" validate:"max=20"`
	Preview          bool   `form:"preview"`
	Key              string `form:"key" validate:"max=100"`
}

// rule reads the form. It returns Invalid for a number that is none.
func (f ruleForm) rule() (candidates.Rule, error) {
	b := ruleBody{Lang: f.Lang, Regex: f.Regex, Label: f.Label, Classifier: f.Classifier,
		LanguageMismatch: f.LanguageMismatch, Boilerplate: f.Boilerplate}
	for line := range strings.Lines(f.Words) {
		if word := strings.TrimSpace(line); word != "" {
			b.Words = append(b.Words, word)
		}
	}
	if f.ShorterThan != "" {
		n, err := strconv.Atoi(strings.TrimSpace(f.ShorterThan))
		if err != nil {
			return b.rule(), store.Invalid{"shorter_than": "Give a whole number of characters."}
		}
		b.ShorterThan = n
	}
	if f.NearDuplicates != "" {
		n, err := strconv.ParseFloat(strings.TrimSpace(f.NearDuplicates), 64)
		if err != nil || n == 0 {
			return b.rule(), store.Invalid{"near_duplicates": "Give a number, such as 0.9."}
		}
		b.NearDuplicates = n
	}
	return b.rule(), nil
}

// formOf returns the form of a rule.
func formOf(r candidates.Rule) ruleForm {
	f := ruleForm{Words: strings.Join(r.Words, "\n"), Lang: r.Lang, Regex: r.Regex, Label: r.Label,
		Classifier: r.Classifier, LanguageMismatch: r.LanguageMismatch, Boilerplate: r.Boilerplate}
	if r.ShorterThan > 0 {
		f.ShorterThan = strconv.Itoa(r.ShorterThan)
	}
	if r.NearDuplicates > 0 {
		f.NearDuplicates = strconv.FormatFloat(r.NearDuplicates, 'g', -1, 64)
	}
	return f
}

// ruleQuery is the query of the form for a rule. Run is the action of a run whose
// rule the form has.
type ruleQuery struct {
	Run *int64 `form:"run" validate:"omitempty,min=1"`
}

// ruleForm shows the form for a rule.
func (s *Server) ruleForm(c *fiber.Ctx) error {
	var q ruleQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	p, err := s.rulePage(c)
	if err != nil {
		return err
	}
	if q.Run != nil {
		runs, _, err := s.store.CandidateRuns(c.UserContext(), s.actor(c), p.List.ListID)
		if err != nil {
			return err
		}
		for _, run := range runs {
			if run.ActionID == *q.Run {
				p.Form = formOf(run.Rule)
			}
		}
	}
	return s.showRule(c, fiber.StatusOK, p)
}

func (s *Server) rulePage(c *fiber.Ctx) (rulePage, error) {
	id, err := pathID(c)
	if err != nil {
		return rulePage{}, err
	}
	list, err := s.store.ListByID(c.UserContext(), s.actor(c), id)
	if err != nil {
		return rulePage{}, err
	}
	return rulePage{Layout: s.layout(c, "Find candidates for "+excerpt(list.Name, 60)), List: viewList(list),
		Key: rand.Text()}, nil
}

func (s *Server) showRule(c *fiber.Ctx, status int, p rulePage) error {
	languages, err := s.store.Languages(c.UserContext())
	if err != nil {
		return err
	}
	p.Languages = languageChoices(languages, p.Form.Lang)
	return s.renderStatus(c, status, "rule", p)
}

// runRule runs the rule of the form for a list, or previews it.
func (s *Server) runRule(c *fiber.Ctx) error {
	p, err := s.rulePage(c)
	if err != nil {
		return err
	}
	values, err := formValues(c)
	if err != nil {
		return err
	}
	if p.Wrong = fillAll(values, []any{&p.Form}); len(p.Wrong) > 0 {
		return s.showRule(c, fiber.StatusUnprocessableEntity, p)
	}
	found, outcome, job, err := s.runFormRule(c, &p)
	if err != nil {
		if !errors.As(err, &p.Wrong) {
			return err
		}
		return s.showRule(c, fiber.StatusUnprocessableEntity, p)
	}
	if !p.Form.Preview {
		path := p.List.Path() + candidatesPath
		if job != nil {
			return c.Redirect("/jobs/"+job.JobID.String(), fiber.StatusSeeOther)
		}
		return done(c, path, outcome.Action)
	}
	ids := make([]uuid.UUID, len(found.Sample))
	for i, candidate := range found.Sample {
		ids[i] = candidate.MessageID
	}
	messages, err := s.store.MessagesNamed(c.UserContext(), s.actor(c), ids)
	if err != nil {
		return err
	}
	p.Preview, p.Lines = &found, newPresenter(p.Person, p.List.Path()).candidateLines(found.Sample, messages)
	return s.showRule(c, fiber.StatusOK, p)
}

// runFormRule reads the rule of a form, with the words of its file, and runs it.
func (s *Server) runFormRule(c *fiber.Ctx, p *rulePage) (found store.Found, outcome store.Outcome, job *jobs.Job,
	err error) {
	file, err := formFile(c, "file")
	if err != nil {
		return found, outcome, nil, err
	}
	if len(file) > 0 {
		p.Form.Words = strings.TrimSpace(p.Form.Words + "\n" + strings.TrimPrefix(string(file), "\ufeff"))
	}
	rule, err := p.Form.rule()
	if err != nil {
		return found, outcome, nil, err
	}
	key, err := idempotencyKey(c, p.Form.Key)
	if err != nil {
		return found, outcome, nil, err
	}
	outcome, found, job, err = s.store.FindCandidates(c.UserContext(), s.actor(c), p.List.ListID, rule, p.Form.Preview,
		"", key)
	return found, outcome, job, err
}

// ruleText describes a rule: "words “idiot”, “moron” and 3 more, in German".
func ruleText(r candidates.Rule) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if n := len(r.Words); n > 0 {
		words := make([]string, 0, 3)
		for _, word := range r.Words[:min(n, 3)] {
			words = append(words, "“"+excerpt(word, 30)+"”")
		}
		text := strings.Join(words, ", ")
		if n > 3 {
			text += fmt.Sprintf(" and %s more", number(n-3))
		}
		add("words %s", text)
	}
	if r.Regex != "" {
		add("expression %s", excerpt(r.Regex, 60))
	}
	if r.ShorterThan > 0 {
		add("shorter than %d characters", r.ShorterThan)
	}
	if r.LanguageMismatch {
		add("another script than the script of its language")
	}
	if r.Boilerplate {
		add("phrases of language models")
	}
	if r.Label != "" {
		add("mean label %s", r.Label)
	}
	if r.Classifier != "" {
		add("classifier %s", r.Classifier)
	}
	if r.NearDuplicates > 0 {
		add("near-duplicates, similarity from %v", r.NearDuplicates)
	}
	if r.Lang != "" {
		add("in %s", langName(r.Lang))
	}
	return strings.Join(parts, "; ")
}
