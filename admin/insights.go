package admin

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/admin/openapi"
	"treewarden/store"
	"treewarden/store/cases"
	"treewarden/store/figures"
	"treewarden/store/queue"
)

func init() {
	describe("GET /insights/queue", openapi.Method{
		Summary: "Figures of the queue: decisions by time, outcome, language and moderator, the time to the first of " +
			"them, and the age of open cases. Without since, of seven days",
		Query: insightsQuery{}, Answer: figures.Queue{},
	})
}

const insightsPath = "/insights"

// insightsQuery is the query of the figures of the queue.
type insightsQuery struct {
	Since     *time.Time `form:"since"`
	Until     *time.Time `form:"until"`
	Lang      string     `form:"lang" validate:"max=40"`
	Moderator string     `form:"moderator" validate:"max=100"` // an id, me, or program for the program itself
	Step      string     `form:"step" validate:"omitempty,oneof=hour day week month"`
}

// insightsPageQuery also names the figure that is asked for as a file.
type insightsPageQuery struct {
	insightsQuery
	Figure string `form:"figure" validate:"omitempty,oneof=periods by_outcome by_lang by_moderator open"`
}

// programItself is the value of the parameter moderator for what the program decides.
const programItself = "program"

// filter returns the filter that a person asked for.
func (q insightsQuery) filter(c *fiber.Ctx, actor store.Actor) (figures.Filter, error) {
	f := figures.Filter{Since: q.Since, Until: dayEnd(c.Query("until"), q.Until), Step: q.Step}
	f.Lang, f.Within = languageFilter(actor, q.Lang)
	var err error
	f.Moderator, err = personNamed(actor, "moderator", q.Moderator)
	return f, err
}

// personNamed reads a parameter that names whose work is counted: "" for everybody's, me,
// program for the program itself, or the id of a user.
func personNamed(actor store.Actor, parameter, value string) (*uuid.UUID, error) {
	switch value {
	case "":
		return nil, nil
	case "me":
		return &actor.UserID, nil
	case programItself:
		return &uuid.Nil, nil
	}
	id, ok := parseID(value)
	if !ok {
		return nil, store.BadParameter{Name: parameter,
			Malformed: store.Malformed(parameter + " is the id of a user, me or program.")}
	}
	return &id, nil
}

// insightsPage shows figures.
type insightsPage struct {
	Layout
	Asked      insightsQuery
	Queue      figures.Queue
	Languages  []Choice
	Moderators []Choice
	Steps      []Choice
	Limited    *Limited
	Decisions  chart
	Groups     []figureTable
	Ages       chart
	OpenCases  int
	Oldest     time.Time // zero without an open case
	figure     string    // the one that a file holds
}

func (p insightsPage) api() any { return p.Queue }

// Filtered reports whether a filter is set.
func (p insightsPage) Filtered() bool {
	q := p.Asked
	return q.Since != nil || q.Until != nil || q.Moderator != "" || q.Step != "" ||
		q.Lang != "" && q.Lang != ownLanguages
}

// CSV returns the address of a figure as a file.
func (p insightsPage) CSV(figure string) string {
	return mustQuery(p.Query, "format", "csv", "figure", figure)
}

// figureTable is a table of figures with one line for each group.
type figureTable struct {
	Figure string // its name in the query and in the API
	Title  string
	Head   string // of the first column
	Lines  []figureLine
	SQL    string
}

// figureLine is a line of a figureTable.
type figureLine struct {
	figures.Group
	Text string
}

// MedianText and P90Text write the times within which half, and nine tenths, of the cases
// had their first decision.
func (l figureLine) MedianText() string { return withinText(l.First.Median) }

// P90Text is described at MedianText.
func (l figureLine) P90Text() string { return withinText(l.First.P90) }

// withinText writes the limit of a class of times.
func withinText(b *figures.Bound) string {
	switch {
	case b == nil:
		return ""
	case b.Most == nil:
		return "> 7 days"
	}
	return "≤ " + lengthText(time.Duration(*b.Most)*time.Second)
}

// lengthText writes a length of time that is a whole number of minutes, hours or days.
func lengthText(d time.Duration) string {
	switch {
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 24*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h"
	}
	return dayCount(int(d.Hours()) / 24)
}

// insights shows figures as a page, or those of the queue by the API.
func (s *Server) insights(c *fiber.Ctx) error {
	var q insightsPageQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	q.Lang = defaultLanguage(c, q.Lang)
	ctx, actor := c.UserContext(), s.actor(c)
	f, err := q.filter(c, actor)
	if err != nil {
		return err
	}
	found, err := s.store.QueueFigures(ctx, actor, f)
	if err != nil {
		return err
	}
	p := insightsPage{Asked: q.insightsQuery, Queue: found, figure: q.Figure}
	switch {
	case isAPI(c):
		return s.render(c, "insights", p)
	case wantsCSV(c):
		if p.figure == "" {
			p.figure = figures.ByPeriod
		}
		return s.sendCSV(c, "queue-"+strings.ReplaceAll(p.figure, "_", "-"),
			func(context.Context, store.Page) (listPage, *string, error) { return p, nil, nil })
	}
	p.Layout = s.layout(c, "Insights")
	p.Limited = p.limited(q.Lang)
	languages, err := s.store.Languages(ctx)
	if err != nil {
		return err
	}
	p.Languages, p.Moderators = p.languages(languages, q.Lang), moderatorChoices(found.Deciders, q.Moderator, f.Moderator)
	p.Steps = choices(q.Step, "", "Automatic", "hour", "Hours", "day", "Days", "week", "Weeks", "month", "Months")
	p.draw()
	return s.render(c, "insights", p)
}

// moderatorChoices returns those whose decisions the figures can be limited to.
func moderatorChoices(moderators []figures.Moderator, asked string, chosen *uuid.UUID) []Choice {
	all := []Choice{{"", "Everybody", asked == ""}, {"me", "Me", asked == "me"}}
	found := asked == "" || asked == "me"
	for _, m := range moderators {
		choice := Choice{m.ID.String(), moderatorName(m.ID.String(), m.Name), !found && *chosen == m.ID}
		if m.ID == uuid.Nil {
			choice.Value = programItself
		}
		found = found || choice.Chosen
		all = append(all, choice)
	}
	if !found {
		all = append(all, Choice{asked, moderatorName(chosen.String(), nil), true})
	}
	return all
}

// moderatorName names whoever decided a case.
func moderatorName(id string, name *string) string {
	if id == uuid.Nil.String() {
		return "The program itself"
	}
	user, _ := parseID(id)
	return named(orEmpty(name), user)
}

// draw makes the charts and tables of the page.
func (p *insightsPage) draw() {
	p.Decisions = p.decisions()
	for _, t := range []struct {
		figure, title, head string
		groups              []figures.Group
		text                func(figures.Group) string
	}{
		{figures.ByOutcome, "By outcome", "Outcome", p.Queue.Outcomes,
			func(g figures.Group) string { return outcomeText(g.Key) }},
		{figures.ByLang, "By language", "Language", p.Queue.Languages,
			func(g figures.Group) string { return langName(g.Key) + " (" + langCode(g.Key) + ")" }},
		{figures.ByModerator, "By moderator", "Moderator", p.Queue.Moderators,
			func(g figures.Group) string { return moderatorName(g.Key, g.Name) }},
	} {
		table := figureTable{Figure: t.figure, Title: t.title, Head: t.head, SQL: p.Queue.Queries[t.figure]}
		for _, g := range t.groups {
			table.Lines = append(table.Lines, figureLine{g, t.text(g)})
		}
		p.Groups = append(p.Groups, table)
	}
	p.drawAges()
}

// outcomeText writes an outcome as the beginning of a line.
func outcomeText(outcome string) string {
	if text, ok := outcomeSaid[outcome]; ok {
		return capital(text)
	}
	return outcome
}

// PeriodText writes the start of a period.
func (p insightsPage) PeriodText(at time.Time) string { return periodText(p.Queue.Step, at) }

// periodText writes the start of a period with a length.
func periodText(step string, at time.Time) string {
	switch step {
	case "hour":
		return at.Format("2 Jan, 15:04")
	case "month":
		return at.Format("Jan 2006")
	}
	return at.Format("2 Jan 2006")
}

// decisions draws the decisions by time and outcome.
func (p insightsPage) decisions() chart {
	var series []chartSeries
	for _, outcome := range cases.Outcomes {
		series = append(series, chartSeries{outcomeText(outcome), "fill-" + outcome})
	}
	label := periodLabel(p.Queue.Step, len(p.Queue.Periods))
	bars := make([]bar, len(p.Queue.Periods))
	for i, period := range p.Queue.Periods {
		bars[i].Label = period.Start.Format(label)
		for _, outcome := range cases.Outcomes {
			bars[i].Values = append(bars[i].Values, period.Outcomes[outcome])
		}
	}
	return newChart(fmt.Sprintf("Decisions by %s and outcome, %s in all. The table below has the numbers.", p.Queue.Step,
		number(p.Queue.All.Decided)), series, bars)
}

// periodLabel returns the layout of the label of a bar, for so many periods of a length.
func periodLabel(step string, periods int) string {
	switch {
	case step == "hour" && periods <= 24:
		return "15:04"
	case step == "hour":
		return "2 Jan 15:04"
	case step == "month":
		return "Jan 2006"
	}
	return "2 Jan"
}

// Outcomes returns the outcomes, as the heads of a table.
func (p insightsPage) Outcomes() []string { return cases.Outcomes }

// OutcomeText writes an outcome.
func (p insightsPage) OutcomeText(outcome string) string { return outcomeText(outcome) }

// ageTexts are the classes of ages in words.
var ageTexts = [len(queue.AgeLimits) + 1]string{"< 1 h", "1–4 h", "4–24 h", "1–3 d", "3–7 d", "> 7 d"}

// AgeTexts returns the classes of ages in words, as the heads of a table.
func (p insightsPage) AgeTexts() []string { return ageTexts[:] }

// drawAges draws the open cases by age.
func (p *insightsPage) drawAges() {
	bars := make([]bar, len(ageTexts))
	for i, text := range ageTexts {
		bars[i] = bar{Label: text, Values: []int64{0}}
	}
	for _, a := range p.Queue.Open {
		for i, n := range a.Classes {
			bars[i].Values[0] += int64(n)
		}
		if p.OpenCases == 0 || a.Oldest.Before(p.Oldest) {
			p.Oldest = a.Oldest
		}
		p.OpenCases += a.Cases
	}
	p.Ages = newChart(fmt.Sprintf("Open cases by age, %s in all. The table below has the numbers by language.",
		number(p.OpenCases)), []chartSeries{{"Open cases", "fill-one"}}, bars)
}

func (p insightsPage) csv() (header []string, rows [][]string) {
	switch p.figure {
	case figures.ByPeriod:
		header = slices.Concat([]string{"start"}, cases.Outcomes, []string{"decided"})
		for _, period := range p.Queue.Periods {
			row, all := []string{rfc3339(&period.Start)}, int64(0)
			for _, outcome := range cases.Outcomes {
				row = append(row, strconv.FormatInt(period.Outcomes[outcome], 10))
				all += period.Outcomes[outcome]
			}
			rows = append(rows, append(row, strconv.FormatInt(all, 10)))
		}
		return header, rows
	case figures.Open:
		header = append([]string{"lang"}, ageTexts[:]...)
		for _, a := range p.Queue.Open {
			row := []string{a.Lang}
			for _, n := range a.Classes {
				row = append(row, strconv.Itoa(n))
			}
			rows = append(rows, append(row, strconv.Itoa(a.Cases), rfc3339(&a.Oldest)))
		}
		return append(header, "cases", "oldest"), rows
	}
	return p.groupsCSV()
}

// groupsCSV returns the rows of a figureTable.
func (p insightsPage) groupsCSV() (header []string, rows [][]string) {
	ofPeople := p.figure == figures.ByModerator
	groups := map[string][]figures.Group{figures.ByOutcome: p.Queue.Outcomes, figures.ByLang: p.Queue.Languages,
		figures.ByModerator: p.Queue.Moderators}[p.figure]
	header = []string{strings.TrimPrefix(p.figure, "by_")}
	if ofPeople {
		header = append(header, "display_name")
	}
	header = append(header, "decided", "undone", "dismissed", "dismissed_share", "measured", "seconds",
		"median_at_most_seconds", "p90_at_most_seconds")
	for _, class := range figures.Classes {
		header = append(header, class.Column)
	}
	for _, g := range groups {
		row := []string{g.Key}
		if ofPeople {
			row = append(row, orEmpty(g.Name))
		}
		for _, n := range []int64{g.Decided, g.Undone, g.Dismissed} {
			row = append(row, strconv.FormatInt(n, 10))
		}
		row = append(row, figure(g.Share), strconv.FormatInt(g.First.Cases, 10), strconv.FormatInt(g.First.Seconds, 10))
		for _, b := range []*figures.Bound{g.First.Median, g.First.P90} {
			if b == nil || b.Most == nil {
				row = append(row, "")
			} else {
				row = append(row, strconv.FormatInt(*b.Most, 10))
			}
		}
		for _, n := range g.First.Classes {
			row = append(row, strconv.FormatInt(n, 10))
		}
		rows = append(rows, row)
	}
	return header, rows
}
