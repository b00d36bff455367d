package admin

import (
	"context"
	"fmt"
	"html/template"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"treewarden/admin/openapi"
	"treewarden/store"
	"treewarden/store/insights"
)

func init() {
	describe("GET /insights/models", openapi.Method{
		Summary: "How far an output of each classifier agrees with the reference, which is the mean human label " +
			"toxicity or spam, or the decisions of staff: AUC, and precision and recall at the threshold of the " +
			"current formula, also by language",
		Query: modelsQuery{}, Answer: insights.ClassifierAgreement{},
	})
}

// modelsQuery is the query of the agreement of classifiers. The reference is the mean
// human label toxicity, which it is by default, or spam, or the decisions of staff.
type modelsQuery struct {
	Reference string `form:"reference" validate:"omitempty,oneof=toxicity spam staff" description:"default: toxicity"`
	Output    string `form:"output" validate:"max=200" description:"without it, that of the reference, else toxicity"`
	Lang      string `form:"lang" validate:"max=40" description:"of figures by model and curves; without it, all"`
}

// modelsPageQuery also names the figure that is asked for as a file.
type modelsPageQuery struct {
	modelsQuery
	Figure string `form:"figure" validate:"omitempty,oneof=models languages curves"`
}

// modelsPage shows which classifier agrees best with people.
type modelsPage struct {
	Layout
	Figures    insights.ClassifierAgreement
	References []Choice
	Outputs    []Choice
	Langs      []Choice
	Lines      []modelLine
	Heads      []string // of the columns of Languages: the models
	Languages  []modelLanguage
	ROC        *rocChart
	Points     []rocPoint
	figure     string // the one that a file holds
}

func (p modelsPage) api() any { return p.Figures }

// AsOf says when the figures were counted.
func (p modelsPage) AsOf() string { return asOfText(p.Figures.AsOf, p.Figures.Follow) }

// CSV returns the address of a figure as a file.
func (p modelsPage) CSV(figure string) string {
	return mustQuery(p.Query, "format", "csv", "figure", figure)
}

// referenceTexts are the references as the page names them.
var referenceTexts = map[string]string{
	insights.ReferenceToxicity: "the human label toxicity", insights.ReferenceSpam: "the human label spam",
	insights.ReferenceStaff: "decisions of staff",
}

// ReferenceText names the reference.
func (p modelsPage) ReferenceText() string { return referenceTexts[p.Figures.Reference] }

// OutputTitle names the output.
func (p modelsPage) OutputTitle() string { return outputTitle(p.Figures.Output) }

// OfStaff reports whether the reference is what staff decided.
func (p modelsPage) OfStaff() bool { return p.Figures.Reference == insights.ReferenceStaff }

// LabelFrom writes the mean of a label from which it is a yes.
func (p modelsPage) LabelFrom() string { return valueText(insights.LabelFrom) }

// Few returns the number of messages of each kind that an AUC needs.
func (p modelsPage) Few() int { return insights.FewFrom }

// Threshold writes the threshold.
func (p modelsPage) Threshold() string { return valueText(p.Figures.Threshold) }

// Rounded writes the threshold of the formula if it had to be rounded, else "".
func (p modelsPage) Rounded() string {
	if p.Figures.Threshold == p.Figures.ToxicFrom {
		return ""
	}
	return valueText(p.Figures.ToxicFrom)
}

// LangText names the language of the figures.
func (p modelsPage) LangText() string {
	if p.Figures.Lang == "" {
		return "all languages"
	}
	return langName(p.Figures.Lang)
}

// Empty says why there are no figures; "" if there are some.
func (p modelsPage) Empty() string {
	switch {
	case p.Figures.Output == "":
		return "No classifier has given outputs from 0 to 1."
	case slices.ContainsFunc(p.Figures.Languages, func(m insights.ModelAgreement) bool { return m.N > 0 }):
		return ""
	case p.OfStaff():
		return "Staff have decided nothing yet about messages with this output."
	}
	return "Nobody has given this label to messages with this output."
}

// RangeText writes the values of an output that is left out.
func (p modelsPage) RangeText(r insights.OutputRange) string {
	return fixed(r.Low, 2) + " to " + fixed(r.High, 2)
}

// valueText writes a value of an output.
func valueText(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// modelLine is a model with its figures.
type modelLine struct {
	insights.ModelAgreement
	Highest bool // has the highest AUC of several
}

// AUCText writes the AUC.
func (l modelLine) AUCText() string {
	switch {
	case l.Few:
		return "too few"
	case l.AUC == nil:
		return "–"
	}
	return fixed(*l.AUC, 3)
}

// IntervalText writes the interval of the AUC.
func (l modelLine) IntervalText() string {
	if l.Few || l.Low == nil {
		return ""
	}
	return fixed(*l.Low, 3) + " to " + fixed(*l.High, 3)
}

// percentText writes a share as a percentage.
func percentText(share *float64) string {
	if share == nil {
		return "–"
	}
	return fixed(100**share, 1) + " %"
}

// PrecisionText writes the precision.
func (l modelLine) PrecisionText() string { return percentText(l.Precision) }

// RecallText writes the recall.
func (l modelLine) RecallText() string { return percentText(l.Recall) }

// ShareText writes the share of messages that have the output.
func (l modelLine) ShareText() string { return percentText(l.Share) }

// Bar returns the width of the bar of the AUC: none at 0.5, which is that of chance.
func (l modelLine) Bar() string { return percentOf(math.Max(0, 200*(*l.AUC-0.5))) }

// HasBar reports whether there is an AUC to compare.
func (l modelLine) HasBar() bool { return !l.Few && l.AUC != nil }

// modelLanguage is a language with the figures of each model.
type modelLanguage struct {
	Text  string
	Cells []modelLine
}

// markHighest marks the line with the highest AUC of several.
func markHighest(lines []modelLine) {
	best, compared := -1, 0
	for i, l := range lines {
		if !l.HasBar() {
			continue
		}
		if compared++; best < 0 || *l.AUC > *lines[best].AUC {
			best = i
		}
	}
	if compared > 1 {
		lines[best].Highest = true
	}
}

// models shows how far classifiers agree with people.
func (s *Server) models(c *fiber.Ctx) error {
	var q modelsPageQuery
	if err := decodeModels(c, &q); err != nil {
		return err
	}
	access, err := s.store.Insights(s.actor(c))
	if err != nil {
		return err
	}
	p := modelsPage{figure: q.Figure}
	filter := insights.AgreementFilter{Reference: q.Reference, Output: q.Output, Lang: q.Lang}
	if p.Figures, err = access.ClassifierAgreement(c.UserContext(), filter); err != nil {
		return err
	}
	switch {
	case isAPI(c):
		return s.render(c, "models", p)
	case wantsCSV(c):
		return s.sendCSV(c, "models",
			func(context.Context, store.Page) (listPage, *string, error) { return p, nil, nil })
	}
	p.Layout = s.layout(c, "Classifiers and people")
	p.References = choices(p.Figures.Reference, insights.ReferenceToxicity, "Toxicity label",
		insights.ReferenceSpam, "Spam label", insights.ReferenceStaff, "Staff’s decisions")
	for _, output := range p.Figures.Outputs {
		p.Outputs = append(p.Outputs, Choice{output, capital(outputTitle(output)), output == p.Figures.Output})
	}
	p.Langs = languageChoices(p.Figures.Langs, q.Lang)
	p.arrange()
	p.draw()
	return s.render(c, "models", p)
}

// decodeModels decodes the query; only the page has files.
func decodeModels(c *fiber.Ctx, q *modelsPageQuery) error {
	if isAPI(c) {
		return decodeQuery(c, &q.modelsQuery)
	}
	return decodeQuery(c, q)
}

// arrange makes the lines of the tables.
func (p *modelsPage) arrange() {
	for _, m := range p.Figures.Models {
		p.Lines = append(p.Lines, modelLine{ModelAgreement: m})
		p.Heads = append(p.Heads, m.Model)
	}
	for _, m := range p.Figures.Languages {
		if m.N > 0 && !slices.Contains(p.Heads, m.Model) {
			p.Heads = append(p.Heads, m.Model) // has no output in the language that is chosen
		}
	}
	markHighest(p.Lines)
	for all := p.Figures.Languages; len(all) > 0; {
		n := 1
		for n < len(all) && all[n].Lang == all[0].Lang {
			n++
		}
		if l := p.language(all[:n]); l.Text != "" {
			p.Languages = append(p.Languages, l)
		}
		all = all[n:]
	}
}

// language returns the line of a language; it is empty without messages to compare.
func (p *modelsPage) language(all []insights.ModelAgreement) (l modelLanguage) {
	l.Cells = make([]modelLine, len(p.Heads))
	for i := range l.Cells {
		l.Cells[i].Few = true
	}
	for _, m := range all {
		if i := slices.Index(p.Heads, m.Model); i >= 0 {
			l.Cells[i].ModelAgreement = m
		}
		if m.N > 0 {
			l.Text = langName(m.Lang) + " (" + langCode(m.Lang) + ")"
		}
	}
	markHighest(l.Cells)
	return l
}

// rocChart shows ROC curves, drawn as SVG.
type rocChart struct {
	Text  string // says what it shows
	Lines []rocLine
	Marks []rocMark
	Ticks []rocTick
}

// rocLine is the curve of a model.
type rocLine struct {
	Name, Class string
	Points      template.HTMLAttr
}

// rocMark is a point of a curve at a threshold.
type rocMark struct{ Title, Class, X, Y, Link string }

// rocTick is a line of the grid: at the left and below.
type rocTick struct{ X, Y, Text string }

// rocPoint is what a threshold gives.
type rocPoint struct {
	insights.CurvePoint
	Model, Link string
}

// FromText writes the threshold.
func (p rocPoint) FromText() string { return valueText(p.From) }

// Percent writes a share.
func (p rocPoint) Percent(share float64) string { return fixed(100*share, 1) + " %" }

const (
	// rocLeft and rocTop are where the chart begins, rocSize is its width and its height,
	// as views/models.html has them.
	rocLeft, rocTop, rocSize = 44, 10, 280
	// maxCurves is the number of curves that are told apart.
	maxCurves = 5
)

// rocMarks are the thresholds of which points are shown, besides that of the formula.
var rocMarks = []float64{0.9, 0.7, 0.5, 0.3, 0.1}

// rocAt returns where a point is.
func rocAt(p insights.CurvePoint) (x, y float64) {
	return rocLeft + rocSize*p.FalseRate, rocTop + rocSize*(1-p.Recall)
}

// draw makes the curves of the best models that are not of too few messages.
func (p *modelsPage) draw() {
	chart := &rocChart{}
	for _, share := range []float64{0, 0.25, 0.5, 0.75, 1} {
		chart.Ticks = append(chart.Ticks, rocTick{pixels(rocLeft + rocSize*share), pixels(rocTop + rocSize*(1-share)),
			fixed(100*share, 0) + " %"})
	}
	var said []string
	for _, l := range p.Lines {
		i := slices.IndexFunc(p.Figures.Curves, func(c insights.ModelCurve) bool { return c.Model == l.Model })
		if !l.HasBar() || i < 0 || len(chart.Lines) == maxCurves {
			continue
		}
		class := fmt.Sprint("roc-", len(chart.Lines)+1)
		chart.Lines = append(chart.Lines, rocLine{l.Model, class, rocPoints(p.Figures.Curves[i].Points)})
		said = append(said, fmt.Sprintf("%s %s", l.Model, l.AUCText()))
		p.mark(chart, class, p.Figures.Curves[i])
	}
	if len(chart.Lines) == 0 {
		return
	}
	chart.Text = fmt.Sprintf("ROC curves of the output %s against %s. The areas below them: %s. "+
		"The table below has the numbers.",
		p.OutputTitle(), p.ReferenceText(), strings.Join(said, ", "))
	p.ROC = chart
}

// mark adds the points of a curve that are shown.
func (p *modelsPage) mark(chart *rocChart, class string, c insights.ModelCurve) {
	thresholds := append([]float64{p.Figures.Threshold}, rocMarks...)
	slices.Sort(thresholds)
	drawn := map[[2]string]bool{}
	for _, from := range slices.Compact(thresholds) {
		// Points come with the highest threshold first.
		i := 0
		for i < len(c.Points) && c.Points[i].From >= from {
			i++
		}
		if i == 0 {
			continue // no value is as high
		}
		point := rocPoint{c.Points[i-1], c.Model, p.pointLink(c.Model, from)}
		point.From = from
		p.Points = append(p.Points, point)
		x, y := rocAt(point.CurvePoint)
		m := rocMark{Class: class, X: pixels(x), Y: pixels(y), Link: point.Link,
			Title: fmt.Sprintf("%s from %s: finds %s, of which %s are right; %s of the others are flagged", c.Model,
				valueText(from), point.Percent(point.Recall), point.Percent(point.Precision), point.Percent(point.FalseRate))}
		if at := [2]string{m.X, m.Y}; !drawn[at] {
			drawn[at] = true
			chart.Marks = append(chart.Marks, m)
		}
	}
}

// rocPoints writes a curve as SVG has it, without points that nobody could tell apart.
func rocPoints(all []insights.CurvePoint) template.HTMLAttr {
	lastX, lastY := rocAt(insights.CurvePoint{})
	texts := []string{pixels(lastX) + "," + pixels(lastY)}
	for i, p := range all {
		x, y := rocAt(p)
		if math.Abs(x-lastX)+math.Abs(y-lastY) < 0.5 && i < len(all)-1 {
			continue
		}
		lastX, lastY = x, y
		texts = append(texts, pixels(x)+","+pixels(y))
	}
	return template.HTMLAttr(`points="` + strings.Join(texts, " ") + `"`)
}

// pointLink returns the address of the messages that a model flags; "" if no filter finds
// them. Of those with a decision of staff there is no filter.
func (p modelsPage) pointLink(model string, from float64) string {
	filter := outputFilter(model, p.Figures.Output)
	if filter == "" {
		return ""
	}
	q := url.Values{"classifier": {model + "." + p.Figures.Output + ">=" + valueText(from)}, "deleted": {"include"}}
	if !p.OfStaff() {
		q.Set("label", p.Figures.Reference+">=0")
	}
	switch {
	case p.Figures.Lang != "":
		q.Set("lang", p.Figures.Lang)
	case p.Person.ActsOn() != nil:
		q.Set("lang", allLanguages) // the list would show only their own
	}
	return "/messages?" + q.Encode()
}

func (p modelsPage) csv() (header []string, rows [][]string) {
	if p.figure == "curves" {
		for _, c := range p.Figures.Curves {
			for _, point := range c.Points {
				rows = append(rows, []string{c.Model, figure(&point.From), strconv.FormatInt(point.Flagged, 10),
					figure(&point.Recall), figure(&point.FalseRate), figure(&point.Precision)})
			}
		}
		return []string{"model", "from", "flagged", "recall", "false_positive_rate", "precision"}, rows
	}
	all := p.Figures.Models
	if p.figure == "languages" {
		all = p.Figures.Languages
	}
	for _, m := range all {
		rows = append(rows, []string{m.Model, m.Lang, strconv.FormatInt(m.Messages, 10), figure(m.Share),
			strconv.FormatInt(m.N, 10), strconv.FormatInt(m.Positives, 10), figure(m.AUC), figure(m.Low), figure(m.High),
			figure(m.AUCError), strconv.FormatInt(m.Flagged, 10), figure(m.Precision), figure(m.Recall)})
	}
	return []string{"model", "lang", "messages", "share", "n", "positives", "auc", "auc_low", "auc_high", "auc_error",
		"flagged", "precision", "recall"}, rows
}
