package admin

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"treewarden/admin/openapi"
	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/insights"
)

func init() {
	describe("GET /insights/raters", openapi.Method{
		Summary: "How far raters of the same message agree: Krippendorff's alpha of each human label, and of one label " +
			"by language",
		Query: ratersQuery{}, Answer: insights.Raters{},
	})
}

// ratersQuery is the query of the agreement of raters.
type ratersQuery struct {
	Lang  string `form:"lang" validate:"max=40" description:"of the figures by label; without it, all languages"`
	Label string `form:"label" validate:"max=40" description:"by language; without it, the first with figures"`
}

// ratersPageQuery also names the figure that is asked for as a file.
type ratersPageQuery struct {
	ratersQuery
	Figure string `form:"figure" validate:"omitempty,oneof=labels languages"`
}

// ratersPage shows how far raters agree.
type ratersPage struct {
	Layout
	Figures insights.Raters
	Langs   []Choice
	Labels  []Choice
	Tables  []ratersTable
	figure  string // the one that a file holds
}

func (p ratersPage) api() any { return p.Figures }

// AsOf says when the figures were counted.
func (p ratersPage) AsOf() string { return asOfText(p.Figures.AsOf, p.Figures.Follow) }

// CSV returns the address of a figure as a file.
func (p ratersPage) CSV(figure string) string {
	return mustQuery(p.Query, "format", "csv", "figure", figure)
}

// YesFrom writes the value from which an answer is a yes.
func (p ratersPage) YesFrom() string { return strconv.FormatFloat(scoring.YesFrom, 'g', -1, 64) }

// ratersTable is a table of figures with their chart.
type ratersTable struct {
	Figure string // its name in the query and in the API
	Title  string
	Head   string // of the first column
	Chart  *intervalChart
	Lines  []ratersLine
	SQL    string
}

// showMessages is the title of a link to exactly the messages that a figure is of.
const showMessages = "Show the messages"

// ratersLine is a line of a ratersTable.
type ratersLine struct {
	insights.Agreement
	Text  string
	Link  string // the messages with two votes or more
	Opens string // what the link opens
}

// MeanText writes the share of yes, or the mean of a scale.
func (l ratersLine) MeanText() string {
	if l.Answer == insights.AnswerYesNo {
		return fixed(100**l.Mean, 1) + " % yes"
	}
	return fixed(*l.Mean, 2)
}

// AgreementText writes the share of pairs who agree, or the usual difference of a pair.
func (l ratersLine) AgreementText() string {
	if l.Answer == insights.AnswerYesNo {
		return fixed(100**l.Agreement.Agreement, 1) + " % agree"
	}
	return "± " + fixed(*l.Difference, 2)
}

// AlphaText writes alpha.
func (l ratersLine) AlphaText() string {
	if l.Alpha == nil {
		return "–"
	}
	return fixed(*l.Alpha, 3)
}

// raters shows how far raters agree.
func (s *Server) raters(c *fiber.Ctx) error {
	var q ratersPageQuery
	if err := decodeRaters(c, &q); err != nil {
		return err
	}
	access, err := s.store.Insights(s.actor(c))
	if err != nil {
		return err
	}
	p := ratersPage{figure: q.Figure}
	if p.Figures, err = access.Raters(c.UserContext(), q.Label, q.Lang); err != nil {
		return err
	}
	switch {
	case isAPI(c):
		return s.render(c, "raters", p)
	case wantsCSV(c):
		return s.sendCSV(c, "raters",
			func(context.Context, store.Page) (listPage, *string, error) { return p, nil, nil })
	}
	p.Layout = s.layout(c, "Agreement of raters")
	p.Langs = languageChoices(p.Figures.Langs, q.Lang)
	for _, name := range scoring.LabelNames {
		p.Labels = append(p.Labels, Choice{name, capital(labelTitle(name)), name == p.Figures.Label})
	}
	p.draw()
	return s.render(c, "raters", p)
}

// decodeRaters decodes the query; only the page has files.
func decodeRaters(c *fiber.Ctx, q *ratersPageQuery) error {
	if isAPI(c) {
		return decodeQuery(c, &q.ratersQuery)
	}
	return decodeQuery(c, q)
}

// draw makes the charts and the tables of the page.
func (p *ratersPage) draw() {
	f := p.Figures
	labels := ratersTable{Figure: "labels", Title: "By label, all languages", Head: "Label", SQL: f.Queries["labels"]}
	if f.Lang != "" {
		labels.Title = "By label, " + langName(f.Lang)
	}
	for _, a := range f.Labels {
		labels.Lines = append(labels.Lines, p.line(a, capital(labelTitle(a.Label))))
	}
	languages := ratersTable{Figure: "languages", Title: capital(labelTitle(f.Label)) + " by language", Head: "Language",
		SQL: f.Queries["languages"]}
	for _, a := range f.Languages {
		languages.Lines = append(languages.Lines, p.line(a, langName(a.Lang)+" ("+langCode(a.Lang)+")"))
	}
	labels.draw()
	languages.draw()
	p.Tables = []ratersTable{labels, languages}
}

// line returns a line with the messages that it opens: those in all languages where no
// filter finds the language.
func (p *ratersPage) line(a insights.Agreement, text string) ratersLine {
	q := url.Values{"label": {a.Label + ".votes>=2"}, "deleted": {"include"}}
	opens := showMessages
	switch {
	case a.Lang == policy.Undetermined || len([]rune(a.Lang)) > maxLangFilter:
		q.Set("lang", allLanguages)
		opens = "Show the messages of all languages: no filter finds those of this one"
	case a.Lang != "":
		q.Set("lang", a.Lang)
	case p.Person.ActsOn() != nil:
		q.Set("lang", allLanguages) // the list would show only their own
	}
	return ratersLine{a, text, "/messages?" + q.Encode(), opens}
}

// maxAlphas is the number of rows of a chart; the table has all.
const maxAlphas = 24

// draw makes the chart: a line from 0 to alpha for each line of the table.
func (t *ratersTable) draw() {
	var rows []interval
	var titles []string
	for _, l := range t.Lines {
		if l.Alpha == nil || len(rows) == maxAlphas {
			continue
		}
		rows = append(rows, interval{Label: l.Text, Low: min(0, *l.Alpha), Point: *l.Alpha, High: max(0, *l.Alpha),
			Link: l.Link})
		titles = append(titles, fmt.Sprintf("%s: alpha %s, N = %s messages", l.Text, l.AlphaText(), number(l.Messages))+
			strings.TrimPrefix(". "+l.Opens, ". "+showMessages))
	}
	if len(rows) == 0 {
		return
	}
	chart := newIntervalChart(fmt.Sprintf("Krippendorff’s alpha, %s: %s. The table below has the numbers.", t.Title,
		alphaRange(rows)), rows)
	for i := range chart.Rows {
		chart.Rows[i].Title = titles[i]
	}
	t.Chart = &chart
}

// alphaRange says which rows have the lowest and the highest alpha.
func alphaRange(rows []interval) string {
	low, high := rows[0], rows[0]
	for _, r := range rows {
		if r.Point < low.Point {
			low = r
		}
		if r.Point > high.Point {
			high = r
		}
	}
	if len(rows) == 1 {
		return low.Label + " " + fixed(low.Point, 3)
	}
	return fmt.Sprintf("from %s for %s to %s for %s", fixed(low.Point, 3), low.Label, fixed(high.Point, 3), high.Label)
}

func (p ratersPage) csv() (header []string, rows [][]string) {
	all := p.Figures.Labels
	if p.figure == "languages" {
		all = p.Figures.Languages
	}
	for _, a := range all {
		rows = append(rows, []string{a.Label, a.Lang, a.Answer, strconv.FormatInt(a.Messages, 10),
			strconv.FormatInt(a.Votes, 10), figure(a.Mean), figure(a.Agreement), figure(a.Difference), figure(a.Alpha)})
	}
	return []string{"label", "lang", "answer", "messages", "votes", "mean", "agreement", "difference", "alpha"}, rows
}
