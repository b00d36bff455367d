package admin

import (
	"crypto/rand"
	"errors"
	"fmt"
	"html/template"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/markup"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/candidates"
	"treewarden/store/jobs"
)

const candidatesPath = "/candidates"

// candidatesPage shows the candidates of a list, to be accepted or refused.
type candidatesPage struct {
	Layout
	List    listView
	Found   store.List[candidates.Candidate]
	Filter  candidatesQuery
	Lines   []candidateLine
	Counts  candidates.Counts
	Tabs    []stateTab
	Runs    []runLine
	Run     *runLine // the run whose candidates the page shows; nil for all
	MayEdit bool
	Here    string
	Pager   Pager
}

func (p candidatesPage) api() any { return p.Found }

// candidateLine is a candidate as the page shows it.
type candidateLine struct {
	candidates.Candidate
	Message  messageView
	Part     template.HTML // the text around what matched
	Whole    template.HTML // the whole text; empty if Part is it
	Evidence []evidenceLine
}

// Tag returns the language for a lang attribute.
func (l candidateLine) Tag() string { return langTag(l.Lang) }

// Accepted reports whether the candidate was accepted.
func (l candidateLine) Accepted() bool { return l.Verdict != nil && *l.Verdict == candidates.Accept }

// By returns the name of who decided; empty for the command line.
func (l candidateLine) By() string { return orEmpty(l.DecidedByName) }

// evidenceLine is what a part of a rule found, each thing once.
type evidenceLine struct {
	Part, What string
	Link       string // the message that a near-duplicate is like
}

// partTitles are the names of the parts of a rule on pages.
var partTitles = map[string]string{
	"words": "Word", "regex": "Expression", "shorter_than": "Short", "language_mismatch": "Script",
	"boilerplate": "Text of a model", candidates.Label: "Label", candidates.Classifier: "Classifier",
	candidates.NearDuplicates: "Near-duplicate",
}

// The numbers of bytes of a text that the page shows, and of different things that
// matched.
const (
	shownAround  = 600
	shownMatches = 8
)

func evidenceLines(matches []candidates.Match) []evidenceLine {
	var lines []evidenceLine
	seen := map[evidenceLine]bool{}
	for _, m := range matches {
		line := evidenceLine{Part: partTitles[m.Part], What: m.What}
		if m.OtherID != nil {
			line.Link = "/messages/" + m.OtherID.String()
		}
		if !seen[line] && len(lines) < shownMatches {
			seen[line] = true
			lines = append(lines, line)
		}
	}
	return lines
}

func (t messagePresenter) candidateLines(
	found []candidates.Candidate, messages map[uuid.UUID]store.Message,
) []candidateLine {
	lines := make([]candidateLine, 0, len(found))
	for _, c := range found {
		line := candidateLine{Candidate: c, Message: t.view(messages[c.MessageID]), Evidence: evidenceLines(c.Evidence)}
		var spans []markup.Span
		if !c.Edited { // else the places are those of another text
			for _, m := range c.Evidence {
				spans = append(spans, markup.Span{Start: m.Start, End: m.End})
			}
		}
		cut := false
		if line.Part, cut = markup.Around(c.Text, spans, shownAround); cut {
			line.Whole = markup.Marked(c.Text, spans)
		}
		lines = append(lines, line)
	}
	return lines
}

// runLine is a run of a rule as the page shows it.
type runLine struct {
	candidates.Run
	Text  string // the rule in words
	Link  string // to its candidates
	Again string // to the form with the same rule
}

func runLines(p candidatesPage, runs []candidates.Run) []runLine {
	lines := make([]runLine, len(runs))
	for i, r := range runs {
		run := strconv.FormatInt(r.ActionID, 10)
		lines[i] = runLine{Run: r, Text: ruleText(r.Rule), Link: mustQuery(p.Query, "run", run, "cursor", ""),
			Again: p.List.Path() + "/rule?run=" + run}
	}
	return lines
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
		add("another script than its language has")
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
		add("near-duplicates from likeness %v", r.NearDuplicates)
	}
	if r.Lang != "" {
		add("in %s", langName(r.Lang))
	}
	return strings.Join(parts, "; ")
}

// candidatesShown shows the candidates of a list.
func (s *Server) candidatesShown(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var q candidatesQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	ctx, actor := c.UserContext(), s.actor(c)
	list, err := s.store.ListByID(ctx, actor, id)
	if err != nil {
		return err
	}
	p := candidatesPage{List: viewList(list), Filter: q}
	if p.Found, err = s.store.Candidates(ctx, actor, id, q.filter()); err != nil {
		return err
	}
	ids := make([]uuid.UUID, len(p.Found.Items))
	for i, candidate := range p.Found.Items {
		ids[i] = candidate.MessageID
	}
	messages, err := s.store.MessagesNamed(ctx, actor, ids)
	if err != nil {
		return err
	}
	runs, counts, err := s.store.CandidateRuns(ctx, actor, id)
	if err != nil {
		return err
	}
	p.Layout = s.layout(c, "Candidates for "+excerpt(list.Name, 60))
	p.Here = hereWithout(c, "done", "notice")
	p.MayEdit = p.Person.May(policy.ListEdit) && !list.Archived
	p.Counts, p.Runs = counts, runLines(p, runs)
	for i, run := range p.Runs {
		if q.Run != nil && run.ActionID == *q.Run {
			p.Run = &p.Runs[i]
		}
	}
	p.Lines = newPresenter(p.Person, p.Here).candidateLines(p.Found.Items, messages)
	for _, tab := range []struct {
		verdict, title string
		count          int64
	}{
		{"", "Waiting", counts.Open}, {candidates.Accept, "Accepted", counts.Accepted},
		{candidates.Refuse, "Refused", counts.Refused},
	} {
		p.Tabs = append(p.Tabs, stateTab{Link: mustQuery(p.Query, "verdict", tab.verdict, "cursor", "", "run", ""),
			Title: tab.title, Count: tab.count, Current: strings.TrimSuffix(q.Verdict, "open") == tab.verdict})
	}
	p.Pager = p.pager(p.Found.Prev, p.Found.Next, "")
	return s.render(c, "candidates", p)
}

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

// verdictForm is a verdict on the candidates of a form.
type verdictForm struct {
	Verdict string      `form:"verdict" validate:"omitempty,oneof=accept refuse"`
	Items   []uuid.UUID `form:"items"`
	Return  string      `form:"return"`
}

// decideOne accepts or refuses the candidate of a row.
func (s *Server) decideOne(c *fiber.Ctx) error {
	message, err := pathIDNamed(c, "message")
	if err != nil {
		return err
	}
	return s.decide(c, func(verdictForm) store.VerdictParams {
		return store.VerdictParams{Items: []uuid.UUID{message}}
	})
}

// decideShown accepts or refuses the candidates that a page shows, as far as they
// still wait.
func (s *Server) decideShown(c *fiber.Ctx) error {
	return s.decide(c, func(f verdictForm) store.VerdictParams {
		return store.VerdictParams{Items: f.Items, OpenOnly: true}
	})
}

func (s *Server) decide(c *fiber.Ctx, params func(verdictForm) store.VerdictParams) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var body verdictForm
	if err := decodeBody(c, &body); err != nil {
		return err
	}
	outcome, err := s.store.DecideCandidates(c.UserContext(), s.actor(c), id, params(body), body.Verdict, "")
	if err != nil {
		return err
	}
	return done(c, localPath(body.Return, listsPath+"/"+id.String()+candidatesPath), outcome.Action)
}
