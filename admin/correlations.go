package admin

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"treewarden/admin/openapi"
	"treewarden/store"
	"treewarden/store/insights"
)

func init() {
	describe("GET /insights/correlations", openapi.Method{
		Summary: "Pearson's correlation of each output of a classifier with each mean human label",
		Query:   correlationsQuery{}, Answer: insights.Correlations{},
	})
}

// correlationsQuery is the query of the correlations.
type correlationsQuery struct {
	Model string `form:"model" validate:"max=200" description:"without it, the one with the most messages"`
	Scope string `form:"scope" validate:"omitempty,oneof=all deleted retained"`
}

// correlationsPage shows correlations as a heat map.
type correlationsPage struct {
	Layout
	Figures insights.Correlations
	Models  []Choice
	Scopes  []Choice
	Map     heatMap
	N       int64 // the most messages of a cell
}

func (p correlationsPage) api() any { return p.Figures }

// AsOf says when the figures were counted.
func (p correlationsPage) AsOf() string { return asOfText(p.Figures.AsOf, p.Figures.Follow) }

// CSV returns the address of the figures as a file.
func (p correlationsPage) CSV() string { return mustQuery(p.Query, "format", "csv") }

// OutputTitle writes the name of an output.
func (p correlationsPage) OutputTitle(name string) string { return capital(outputTitle(name)) }

// LabelTitle writes the name of a label.
func (p correlationsPage) LabelTitle(name string) string { return capital(labelTitle(name)) }

// R writes a correlation.
func (p correlationsPage) R(c insights.Cell) string {
	if c.R == nil {
		return "–"
	}
	return signed(*c.R, 3)
}

// CellLink returns the address of the messages of a cell: of all with its label where no
// filter finds those with the output. It is "" for a cell without messages.
func (p correlationsPage) CellLink(c insights.Cell) string {
	if c.N == 0 {
		return ""
	}
	q := url.Values{"label": {c.Label + ">=0"}, "deleted": {"include"}}
	if filter := outputFilter(p.Figures.Model, c.Output); filter != "" {
		q.Set("classifier", filter)
	}
	switch p.Figures.Scope {
	case insights.Deleted:
		q.Set("deleted", "only")
	case insights.Retained:
		q.Set("deleted", "exclude")
	}
	if p.Person.ActsOn() != nil {
		q.Set("lang", allLanguages) // the list would show only their own
	}
	return "/messages?" + q.Encode()
}

// CellOpens says what the link of a cell opens.
func (p correlationsPage) CellOpens(c insights.Cell) string {
	if outputFilter(p.Figures.Model, c.Output) == "" {
		return "Show all messages with this label: no filter finds those with this output"
	}
	return showMessages
}

// heatMap is a table of figures in colours, drawn as SVG (partials/heatmap). Its size is
// fixed: narrow screens move it.
type heatMap struct {
	Text          string // says what it shows
	Width, Height int
	Columns, Rows []heatLabel
	Cells         []heatCell
}

// Links reports whether a cell opens something. Such a map is no image: its links can be
// reached.
func (m heatMap) Links() bool {
	return slices.ContainsFunc(m.Cells, func(c heatCell) bool { return c.Link != "" })
}

// heatLabel is the name of a row or of a column.
type heatLabel struct {
	Text string
	X, Y int
}

// heatCell is a figure in its colour.
type heatCell struct {
	Title, Text, Class string
	Link               string // empty for nothing
	X, Y, W, H         int
	MiddleX, MiddleY   int
}

const (
	heatLeft, heatTop     = 126, 108
	heatWidth, heatHeight = 52, 32
)

// heatClass returns the colour of a correlation: four steps to both sides of none.
func heatClass(r *float64) string {
	if r == nil {
		return "heat-none"
	}
	step := 0
	for _, from := range []float64{0.05, 0.15, 0.3, 0.5} {
		if math.Abs(*r) >= from {
			step++
		}
	}
	switch {
	case step == 0:
		return "heat-0"
	case *r < 0:
		return fmt.Sprint("heat-minus-", step)
	}
	return fmt.Sprint("heat-plus-", step)
}

// draw makes the map.
func (p *correlationsPage) draw() {
	f := p.Figures
	m := heatMap{Width: heatLeft + len(f.Labels)*heatWidth + 40, Height: heatTop + len(f.Outputs)*heatHeight}
	for i, label := range f.Labels {
		m.Columns = append(m.Columns, heatLabel{p.LabelTitle(label), heatLeft + i*heatWidth + heatWidth/2, heatTop - 8})
	}
	var strongest *insights.Cell
	for i, row := range f.Cells {
		y := heatTop + i*heatHeight
		m.Rows = append(m.Rows, heatLabel{p.OutputTitle(f.Outputs[i]), heatLeft - 8, y + heatHeight/2})
		for j, cell := range row {
			x := heatLeft + j*heatWidth
			text := "–"
			if cell.R != nil {
				text = fixed(*cell.R, 2)
				if strongest == nil || math.Abs(*cell.R) > math.Abs(*strongest.R) {
					strongest = &row[j]
				}
			}
			p.N = max(p.N, cell.N)
			title := fmt.Sprintf("%s and %s: r = %s, N = %s", p.OutputTitle(cell.Output), p.LabelTitle(cell.Label),
				p.R(cell), number(cell.N))
			if opens := p.CellOpens(cell); opens != showMessages && cell.N > 0 {
				title += ". " + opens
			}
			m.Cells = append(m.Cells, heatCell{X: x + 1, Y: y + 1, W: heatWidth - 2, H: heatHeight - 2,
				MiddleX: x + heatWidth/2, MiddleY: y + heatHeight/2, Text: text, Class: heatClass(cell.R),
				Title: title, Link: p.CellLink(cell)})
		}
	}
	m.Text = "Correlations of outputs with labels. "
	if strongest != nil {
		m.Text += fmt.Sprintf("The strongest is that of %s with %s, %s. ", outputTitle(strongest.Output),
			labelTitle(strongest.Label), fixed(*strongest.R, 2))
	}
	m.Text += "The table below has the numbers."
	p.Map = m
}

// correlations shows the correlations of a classifier's outputs with human labels.
func (s *Server) correlations(c *fiber.Ctx) error {
	var q correlationsQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	access, err := s.store.Insights(s.actor(c))
	if err != nil {
		return err
	}
	var p correlationsPage
	if p.Figures, err = access.Correlations(c.UserContext(), q.Model, q.Scope); err != nil {
		return err
	}
	switch {
	case isAPI(c):
		return s.render(c, "correlations", p)
	case wantsCSV(c):
		return s.sendCSV(c, "correlations",
			func(context.Context, store.Page) (listPage, *string, error) { return p, nil, nil })
	}
	p.Layout = s.layout(c, "Correlations")
	p.Models = modelChoices(p.Figures.Models, p.Figures.Model)
	p.Scopes = choices(p.Figures.Scope, insights.All, "All messages", insights.Deleted, "Deleted",
		insights.Retained, "Retained")
	p.draw()
	return s.render(c, "correlations", p)
}

func (p correlationsPage) csv() (header []string, rows [][]string) {
	for _, row := range p.Figures.Cells {
		for _, cell := range row {
			rows = append(rows, []string{cell.Output, cell.Label, strconv.FormatInt(cell.N, 10), figure(cell.R)})
		}
	}
	return []string{"output", "label", "n", "r"}, rows
}
