package admin

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"

	"treewarden/policy"
	"treewarden/store/insights"
)

const (
	toxicityPath     = insightsPath + "/toxicity"
	correlationsPath = insightsPath + "/correlations"
	contributorsPath = insightsPath + "/contributors"
	staffFiguresPath = insightsPath + "/staff"
	ratersPath       = insightsPath + "/raters"
	modelsPath       = insightsPath + "/models"
)

// InsightTabs are the pages of figures.
func (f Layout) InsightTabs() []Choice {
	tabs := choices(f.Path, insightsPath, "Queue", collectionPath, "Collection", toxicityPath, "Toxicity",
		correlationsPath, "Correlations", modelsPath, "Classifiers", contributorsPath, "Contributors", ratersPath, "Raters")
	if f.Person.May(policy.AuditOwn) {
		tabs = append(tabs, choices(f.Path, staffFiguresPath, "Staff")...)
	}
	return tabs
}

// asOfText says when figures were counted, and when they follow changes.
func asOfText(at *time.Time, follow bool) string {
	if at == nil {
		return "Not counted yet. They are counted within half a minute of the start of the program."
	}
	text := "As of " + at.UTC().Format("2 Jan 2006, 15:04") + " UTC. "
	if follow {
		return text + "The figures follow changes, usually within seconds."
	}
	return text + "Changes are counted in the background."
}

// modelChoices returns the classifiers to choose from.
func modelChoices(models []insights.Model, chosen string) []Choice {
	all := make([]Choice, len(models))
	for i, m := range models {
		all[i] = Choice{m.Name, m.Name, m.Name == chosen}
	}
	return all
}

// outputTitle writes the name of a classifier's output: severe_toxicity as "severe
// toxicity".
func outputTitle(name string) string { return strings.ReplaceAll(name, "_", " ") }

// intervalChart shows differences with their intervals, a row for each (partials/intervals).
type intervalChart struct {
	Text   string // says what the chart shows
	Axis   int    // width of the labels
	Bottom int    // of the rows
	Height int
	Ticks  []intervalTick
	Zero   string // where the line of no difference is
	Rows   []intervalRow
}

// intervalTick is a number below the rows.
type intervalTick struct{ X, Text, Anchor string }

// intervalRow is a difference with its interval.
type intervalRow struct {
	Title, Label     string
	Top, Y           int // of the row, and of its middle
	Low, High, Point string
	Link             string // what the row opens; empty for nothing
}

// interval is a row to draw. Without an interval its ends are the difference.
type interval struct {
	Label            string
	Low, Point, High float64
	Link             string // what the row opens; empty for nothing
}

// Links reports whether a row opens something.
func (c intervalChart) Links() bool {
	return slices.ContainsFunc(c.Rows, func(r intervalRow) bool { return r.Link != "" })
}

const (
	intervalHeight = 26
	intervalLetter = 7 // the width of a letter of a label
	// The share of the width that is left free at each side.
	intervalMargin = 3.0
)

// newIntervalChart draws intervals.
func newIntervalChart(text string, all []interval) intervalChart {
	low, high := 0.0, 0.0
	c := intervalChart{Text: text, Bottom: 8 + len(all)*intervalHeight, Axis: 40}
	c.Height = c.Bottom + 24
	for _, i := range all {
		low, high = min(low, i.Low, i.Point), max(high, i.High, i.Point)
		c.Axis = max(c.Axis, intervalLetter*len([]rune(i.Label))+12)
	}
	if high == low {
		low, high = -1, 1
	}
	at := func(x float64) string {
		return percentOf(intervalMargin + (100-2*intervalMargin)*(x-low)/(high-low))
	}
	c.Zero = at(0)
	step := tickStep(high - low)
	digits := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	for n := math.Ceil(low/step - 1e-9); n*step <= high+step*1e-9; n++ {
		c.Ticks = append(c.Ticks, intervalTick{at(n * step), signed(n*step, digits), "middle"})
	}
	for i, r := range all {
		c.Rows = append(c.Rows, intervalRow{Label: r.Label, Top: 8 + i*intervalHeight + 3,
			Y: 8 + i*intervalHeight + intervalHeight/2, Low: at(r.Low),
			High: at(r.High), Point: at(r.Point), Link: r.Link, Title: fmt.Sprintf("%s: %s (%s to %s)", r.Label,
				signed(r.Point, 4), fixed(r.Low, 4), fixed(r.High, 4))})
	}
	return c
}

// tickStep returns the distance of at most five numbers on a width: 1, 2 or 5 times a power
// of ten.
func tickStep(width float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(width/5)))
	for _, digit := range []float64{1, 2, 5} {
		if width <= 5*digit*power {
			return digit * power
		}
	}
	return 10 * power
}

// points writes points of a chart of 100 by 100 units as SVG has them.
func points(all []insights.Point) template.HTMLAttr {
	texts := make([]string, len(all))
	for i, p := range all {
		texts[i] = pixels(100*p.Users) + "," + pixels(100-100*p.Messages)
	}
	return template.HTMLAttr(`points="` + strings.Join(texts, " ") + `"`)
}
