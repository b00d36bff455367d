package admin

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/admin/openapi"
	"treewarden/store"
	"treewarden/store/figures"
)

func init() {
	describe("GET /insights/staff", openapi.Method{
		Summary: "What staff did: actions of the log by time, kind and person, with those that were undone. Without " +
			"since, of seven days; without audit.all, one's own actions",
		Query: staffFiguresQuery{}, Answer: figures.Staff{},
	})
}

// staffFiguresQuery is the query of what staff did.
type staffFiguresQuery struct {
	Since *time.Time `form:"since"`
	Until *time.Time `form:"until"`
	Actor string     `form:"actor" validate:"max=100" description:"an id, me, or program for the command line"`
	Kind  string     `form:"kind" validate:"max=40"`
	Step  string     `form:"step" validate:"omitempty,oneof=hour day week month"`
}

// staffFiguresPageQuery also names the figure that is asked for as a file.
type staffFiguresPageQuery struct {
	staffFiguresQuery
	Figure string `form:"figure" validate:"omitempty,oneof=periods by_kind by_person"`
}

// filter returns the filter that a person asked for.
func (q staffFiguresQuery) filter(c *fiber.Ctx, actor store.Actor) (figures.StaffFilter, error) {
	f := figures.StaffFilter{Since: q.Since, Until: dayEnd(c.Query("until"), q.Until), Kind: q.Kind, Step: q.Step}
	var err error
	if f.Actor, err = personNamed(actor, "actor", q.Actor); err != nil {
		return f, err
	}
	if _, ok := store.KindNamed(q.Kind); q.Kind != "" && !ok {
		return f, store.BadParameter{Name: "kind", Malformed: store.Malformed("There is no kind of action " + q.Kind + ".")}
	}
	return f, nil
}

// staffFiguresPage shows what staff did.
type staffFiguresPage struct {
	Layout
	Asked   staffFiguresQuery
	Figures figures.Staff
	Actors  []Choice // empty for a person who sees only their own actions
	Kinds   []Choice
	Steps   []Choice
	Actions chart
	Groups  []staffFigureTable
	figure  string // the one that a file holds
}

func (p staffFiguresPage) api() any { return p.Figures }

// Filtered reports whether a filter is set.
func (p staffFiguresPage) Filtered() bool {
	q := p.Asked
	return q.Since != nil || q.Until != nil || q.Actor != "" || q.Kind != "" || q.Step != ""
}

// CSV returns the address of a figure as a file.
func (p staffFiguresPage) CSV(figure string) string {
	return mustQuery(p.Query, "format", "csv", "figure", figure)
}

// PeriodText writes the start of a period.
func (p staffFiguresPage) PeriodText(at time.Time) string { return periodText(p.Figures.Step, at) }

// KindText writes a kind of action.
func (p staffFiguresPage) KindText(name string) string { return kindText(name) }

// kindText writes a kind of action: "Ban user".
func kindText(name string) string {
	if kind, ok := store.KindNamed(name); ok {
		return kind.Title
	}
	return name
}

// staffFigureTable is a table of actions with one line for each group.
type staffFigureTable struct {
	Figure string // its name in the query and in the API
	Title  string
	Head   string // of the first column
	Lines  []staffFigureLine
	SQL    string
}

// staffFigureLine is a line of a staffFigureTable.
type staffFigureLine struct {
	figures.ActionGroup
	Text string
	Log  string // the actions in the log; empty if it cannot be filtered by this group
}

// UndoneShare returns the share of the actions that were undone.
func (l staffFigureLine) UndoneShare() *float64 {
	return new(float64(l.Undone) / float64(l.ActionGroup.Actions))
}

// staffFigures shows what staff did.
func (s *Server) staffFigures(c *fiber.Ctx) error {
	var q staffFiguresPageQuery
	if err := decodeStaffFigures(c, &q); err != nil {
		return err
	}
	actor := s.actor(c)
	f, err := q.filter(c, actor)
	if err != nil {
		return err
	}
	access, err := s.store.Insights(actor)
	if err != nil {
		return err
	}
	p := staffFiguresPage{Asked: q.staffFiguresQuery, figure: q.Figure}
	if p.Figures, err = access.Staff(c.UserContext(), f); err != nil {
		return err
	}
	switch {
	case isAPI(c):
		return s.render(c, "stafffigures", p)
	case wantsCSV(c):
		if p.figure == "" {
			p.figure = figures.ByPeriod
		}
		return s.sendCSV(c, "actions-"+strings.ReplaceAll(p.figure, "_", "-"),
			func(context.Context, store.Page) (listPage, *string, error) { return p, nil, nil })
	}
	p.Layout = s.layout(c, "What staff did")
	if p.Actors, err = s.actorChoices(c, q.Actor, f.Actor); err != nil {
		return err
	}
	p.Kinds = kindChoices(q.Kind)
	p.Steps = choices(q.Step, "", "Automatic", "hour", "Hours", "day", "Days", "week", "Weeks", "month", "Months")
	p.draw()
	return s.render(c, "stafffigures", p)
}

// decodeStaffFigures decodes the query; only the page has files.
func decodeStaffFigures(c *fiber.Ctx, q *staffFiguresPageQuery) error {
	if isAPI(c) {
		return decodeQuery(c, &q.staffFiguresQuery)
	}
	return decodeQuery(c, q)
}

// actorChoices returns those to whose actions the figures can be limited, as the log has
// them.
func (s *Server) actorChoices(c *fiber.Ctx, asked string, chosen *uuid.UUID) ([]Choice, error) {
	people, err := s.staffChoices(c, asked, chosen)
	if people == nil {
		return nil, err
	}
	all := slices.Concat(choices(asked, "", "Everybody", "me", "Me"), people,
		choices(asked, programItself, "The command line"))
	if !slices.ContainsFunc(all, func(c Choice) bool { return c.Chosen }) {
		all = append(all, Choice{asked, named("", *chosen), true})
	}
	return all, nil
}

// kindChoices returns the kinds of actions to filter by.
func kindChoices(chosen string) []Choice {
	all := choices(chosen, "", "Any action")
	listed := chosen == ""
	for _, kind := range append(slices.Clone(store.Kinds), store.UndoKind) {
		all = append(all, Choice{kind.Name, kind.Title, kind.Name == chosen})
		listed = listed || kind.Name == chosen
	}
	if !listed {
		all = append(all, Choice{chosen, kindText(chosen), true})
	}
	return all
}

// staffSeries are the colours of the kinds with the most actions, and of all others.
var staffSeries = []string{"fill-one", "fill-reject", "fill-delete", "fill-ban", "fill-halt"}

const otherSeries = "fill-dismiss"

// draw makes the chart and the tables of the page.
func (p *staffFiguresPage) draw() {
	f := p.Figures
	shown := f.Kinds[:min(len(staffSeries), len(f.Kinds))]
	var series []chartSeries
	for i, kind := range shown {
		series = append(series, chartSeries{kindText(kind.Key), staffSeries[i]})
	}
	if len(f.Kinds) > len(shown) {
		series = append(series, chartSeries{"Other actions", otherSeries})
	}
	label := periodLabel(f.Step, len(f.Periods))
	bars := make([]bar, len(f.Periods))
	for i, period := range f.Periods {
		bars[i].Label = period.Start.Format(label)
		rest := period.Actions
		for _, kind := range shown {
			bars[i].Values = append(bars[i].Values, period.Kinds[kind.Key])
			rest -= period.Kinds[kind.Key]
		}
		if len(series) > len(shown) {
			bars[i].Values = append(bars[i].Values, rest)
		}
	}
	p.Actions = newChart(fmt.Sprintf("Actions by %s and kind, %s in all, %s of them undone. The table below has the "+
		"numbers.", f.Step, number(f.All.Actions), number(f.All.Undone)), series, bars)

	kinds := staffFigureTable{Figure: figures.ByKind, Title: "By kind", Head: "Action", SQL: f.Queries[figures.ByKind]}
	for _, g := range f.Kinds {
		kinds.Lines = append(kinds.Lines, staffFigureLine{g, kindText(g.Key), p.log("kind", g.Key)})
	}
	people := staffFigureTable{Figure: figures.ByPerson, Title: "By person", Head: "Person",
		SQL: f.Queries[figures.ByPerson]}
	for _, g := range f.People {
		line := staffFigureLine{ActionGroup: g, Text: "The command line"}
		if id, _ := parseID(g.Key); id != uuid.Nil {
			line.Text, line.Log = named(orEmpty(g.Name), id), p.log("actor", g.Key)
		}
		people.Lines = append(people.Lines, line)
	}
	p.Groups = []staffFigureTable{kinds, people}
}

// log returns the address of the log with the actions of a group.
func (p staffFiguresPage) log(name, value string) string {
	asked := map[string][]string{"since": {p.Figures.Since.Format(time.RFC3339Nano)},
		"until": {p.Figures.Until.Format(time.RFC3339Nano)}}
	if p.Asked.Kind != "" {
		asked["kind"] = []string{p.Asked.Kind}
	}
	if p.Asked.Actor != "" && p.Asked.Actor != programItself {
		asked["actor"] = []string{p.Asked.Actor}
	} else if p.Asked.Actor == programItself {
		return ""
	}
	return "/audit" + mustQuery(asked, name, value)
}

func (p staffFiguresPage) csv() (header []string, rows [][]string) {
	switch p.figure {
	case figures.ByPeriod:
		kinds := map[string]bool{}
		for _, g := range p.Figures.Kinds {
			kinds[g.Key] = true
		}
		columns := slices.Sorted(maps.Keys(kinds))
		for _, period := range p.Figures.Periods {
			row := []string{rfc3339(&period.Start)}
			for _, kind := range columns {
				row = append(row, strconv.FormatInt(period.Kinds[kind], 10))
			}
			rows = append(rows, append(row, strconv.FormatInt(period.Actions, 10), strconv.FormatInt(period.Undone, 10)))
		}
		return slices.Concat([]string{"start"}, columns, []string{"actions", "undone"}), rows
	case figures.ByPerson:
		for _, g := range p.Figures.People {
			rows = append(rows, []string{g.Key, orEmpty(g.Name), strconv.FormatInt(g.Actions, 10),
				strconv.FormatInt(g.Undone, 10)})
		}
		return []string{"person", "display_name", "actions", "undone"}, rows
	}
	for _, g := range p.Figures.Kinds {
		rows = append(rows, []string{g.Key, strconv.FormatInt(g.Actions, 10), strconv.FormatInt(g.Undone, 10)})
	}
	return []string{"kind", "actions", "undone"}, rows
}
