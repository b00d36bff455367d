package admin

import (
	"html/template"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/markup"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/candidates"
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
	"words": "Word", "regex": "Regular expression", "shorter_than": "Short", "language_mismatch": "Script",
	"boilerplate": "Typical of a language model", candidates.Label: "Label", candidates.Classifier: "Classifier",
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
