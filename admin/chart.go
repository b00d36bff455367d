package admin

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// chart is a chart of bars, drawn as SVG (partials/chart). Bars have parts on top of
// each other. Widths are shares of the page's, so that texts keep their size on narrow
// screens. Colours come from classes, for both themes.
type chart struct {
	Text        string // says what the chart shows
	Series      []chartSeries
	Lines       []chartLine
	Columns     []chartColumn
	Axis        int // width of the numbers beside the chart
	Top, Bottom int // of the bars
	Height      int
}

// chartSeries is what the parts of one colour are.
type chartSeries struct{ Name, Class string }

// chartLine is a line behind the bars, with its number.
type chartLine struct {
	Y    int
	Text string
}

// chartColumn is a bar with its label below, empty where there is no room for one.
type chartColumn struct {
	Title, Label string
	X, Width     string
	Middle       string
	Anchor       string // of the label
	Link         string // what the bar opens; empty for nothing
	Parts        []chartPart
}

// chartPart is a part of a bar.
type chartPart struct{ Class, Y, Height string }

// bar holds the values of a bar, in the order of the series.
type bar struct {
	Label  string
	Values []int64
	Link   string // what the bar opens; empty for nothing
}

// Links reports whether a bar opens something. Such a chart is no image: its links can be
// reached.
func (c chart) Links() bool {
	return slices.ContainsFunc(c.Columns, func(b chartColumn) bool { return b.Link != "" })
}

func (b bar) sum() (n int64) {
	for _, v := range b.Values {
		n += v
	}
	return n
}

const (
	barsTop, barsHeight, labelsHeight = 10, 160, 24
	// On a phone there is room for so many labels of up to seven letters, and longer ones.
	shortLabels, longLabels = 7, 4
	// fewestSlots keeps a few bars from becoming too wide.
	fewestSlots = 6
)

// newChart draws bars.
func newChart(text string, series []chartSeries, bars []bar) chart {
	c := chart{Text: text, Series: series, Top: barsTop, Bottom: barsTop + barsHeight,
		Height: barsTop + barsHeight + labelsHeight}
	most := int64(1)
	for _, b := range bars {
		most = max(most, b.sum())
	}
	step := roundStep(most)
	top := (most + step - 1) / step * step
	for n := int64(0); n <= top; n += step {
		c.Lines = append(c.Lines, chartLine{c.Bottom - int(n*barsHeight/top), number(n)})
		c.Axis = max(c.Axis, 7*len(number(n))+8)
	}
	labels := shortLabels
	if slices.ContainsFunc(bars, func(b bar) bool { return utf8.RuneCountInString(b.Label) > 7 }) {
		labels = longLabels
	}
	every := (len(bars) + labels - 1) / labels
	share := 100 / float64(max(fewestSlots, len(bars)))
	for i, b := range bars {
		left, middle := float64(i)*share, (float64(i)+.5)*share
		column := chartColumn{X: percentOf(left + share*.1), Width: percentOf(share * .8), Middle: percentOf(middle),
			Anchor: "middle", Title: b.title(series), Link: b.Link}
		if i%every == every/2 || every == 1 {
			column.Label = b.Label
		}
		switch { // a label at an edge stays within the chart
		case every > 1 && middle < 12:
			column.Anchor = "start"
		case every > 1 && middle > 88:
			column.Anchor = "end"
		}
		y := float64(c.Bottom)
		for j, v := range b.Values {
			if v > 0 {
				height := max(1, float64(v)*barsHeight/float64(top))
				y -= height
				column.Parts = append(column.Parts, chartPart{series[j].Class, pixels(y), pixels(height)})
			}
		}
		c.Columns = append(c.Columns, column)
	}
	return c
}

// title names a bar and its parts.
func (b bar) title(series []chartSeries) string {
	var parts []string
	for j, v := range b.Values {
		if v > 0 && len(series) > 1 {
			parts = append(parts, fmt.Sprintf("%s %s", number(v), strings.ToLower(series[j].Name)))
		}
	}
	title := b.Label + ": " + number(b.sum())
	if len(parts) > 0 {
		title += " (" + strings.Join(parts, ", ") + ")"
	}
	return title
}

// roundStep returns the distance of up to five lines up to a number: 1, 2 or 5, with
// zeros.
func roundStep(most int64) int64 {
	for power := int64(1); power < math.MaxInt64/50; power *= 10 {
		for _, digit := range []int64{1, 2, 5} {
			if most <= 4*digit*power {
				return digit * power
			}
		}
	}
	return most
}

func percentOf(n float64) string { return strconv.FormatFloat(n, 'f', 3, 64) + "%" }

func pixels(n float64) string { return strconv.FormatFloat(n, 'f', 1, 64) }
