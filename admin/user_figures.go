package admin

import (
	"fmt"
	"strconv"
	"time"

	"treewarden/scoring"
	"treewarden/store"
)

// windowColumn is one time frame of a user's figures.
type windowColumn struct {
	Window      scoring.Window
	Title       string
	Score, Rate float64
	Messages    int64
	Link        string // opens or closes its explanation
	Open        bool
}

func windowColumns(p userPage) []windowColumn {
	columns := make([]windowColumn, len(scoring.Windows))
	for i, window := range scoring.Windows {
		stats := p.User.Stats[window]
		open := p.Filter.Open == string(window)
		link := mustQuery(p.Query, "open", string(window)) + "#h-parts"
		if open {
			link = mustQuery(p.Query, "open", "")
		}
		columns[i] = windowColumn{window, window.Title(), p.User.Scores[window], stats.Rate, stats.Messages, link, open}
	}
	return columns
}

// figuresOpen is the value of the parameter open with which the page shows all figures.
const figuresOpen = "figures"

// figuresLink opens or closes the tables of all figures.
type figuresLink struct {
	Link string
	Open bool
}

// Figures returns the link to the tables of all figures.
func (p userPage) Figures() figuresLink {
	if p.Filter.Open == figuresOpen {
		return figuresLink{mustQuery(p.Query, "open", ""), true}
	}
	return figuresLink{mustQuery(p.Query, "open", figuresOpen) + "#h-figures", false}
}

// statRow is one figure of a user in every time frame.
type statRow struct {
	Title  string
	Values []int64
}

func statRows(user store.UserDetail) []statRow {
	figures := []struct {
		title string
		of    func(store.Stats) int64
	}{
		{"Messages", func(s store.Stats) int64 { return s.Messages }},
		{"Prompts", func(s store.Stats) int64 { return s.Prompts }},
		{"Replies", func(s store.Stats) int64 { return s.Replies }},
		{"Accepted", func(s store.Stats) int64 { return s.Accepted }},
		{"Rejected", func(s store.Stats) int64 { return s.Rejected }},
		{"Deleted", func(s store.Stats) int64 { return s.Deleted }},
		{"Labels given", func(s store.Stats) int64 { return s.LabelsGiven }},
		{"Reactions given", func(s store.Stats) int64 { return s.ReactionGiven }},
		{"Reports given", func(s store.Stats) int64 { return s.ReportsGiven }},
	}
	rows := make([]statRow, len(figures))
	for i, f := range figures {
		rows[i].Title = f.title
		for _, window := range scoring.Windows {
			rows[i].Values = append(rows[i].Values, f.of(user.Stats[window]))
		}
	}
	return rows
}

// signalRow is one signal of a user in every time frame.
type signalRow struct {
	Title, Counts string
	Weight        float64
	Values        []int64
}

// signalRows returns the signals that were counted at least once.
func signalRows(user store.UserDetail) []signalRow {
	var rows []signalRow
	for i, info := range scoring.Signals {
		row, counted := signalRow{Title: info.Title, Counts: info.Counts}, false
		for _, window := range scoring.Windows {
			if parts := user.Parts[window]; i < len(parts) {
				row.Weight, row.Values = parts[i].Weight, append(row.Values, parts[i].Count)
				counted = counted || parts[i].Count != 0
			}
		}
		if counted {
			rows = append(rows, row)
		}
	}
	return rows
}

// signalChart draws the signals of the last days. Signals against the user are
// above a line, signals for the user below it.
type signalChart struct {
	Bars          []signalBar
	Width, Height int
	Base          int // the position of the line
	Text          string
	Days          []store.DaySignals // the days with a signal, the latest first
}

// signalBar is one day. X and Width are those of its column.
type signalBar struct {
	X, Width                           int
	Against, AgainstTop, For, ForBelow int // heights and upper ends
	Title                              string
}

const (
	chartHeight = 64
	chartStep   = 10
)

func chartOf(days []store.DaySignals) signalChart {
	chart := signalChart{Width: len(days) * chartStep, Height: chartHeight}
	var mostAgainst, mostFor, against, good int64
	for _, d := range days {
		mostAgainst, mostFor = max(mostAgainst, d.Against), max(mostFor, d.For)
		against, good = against+d.Against, good+d.For
	}
	if mostAgainst+mostFor == 0 {
		chart.Text = "No signals in the last 30 days."
		return chart
	}
	scale := float64(chartHeight-2) / float64(mostAgainst+mostFor)
	height := func(n int64) int {
		if n == 0 {
			return 0
		}
		return max(2, int(float64(n)*scale))
	}
	chart.Base = height(mostAgainst)
	for i, d := range days {
		bar := signalBar{X: i * chartStep, Width: chartStep - 3, Against: height(d.Against), For: height(d.For),
			ForBelow: chart.Base + 1,
			Title:    fmt.Sprintf("%s: %d against, %d for", shortDay(d.Day), d.Against, d.For)}
		bar.AgainstTop = chart.Base - bar.Against
		if d.Against+d.For > 0 {
			chart.Bars = append(chart.Bars, bar)
			chart.Days = append([]store.DaySignals{d}, chart.Days...)
		}
	}
	chart.Text = fmt.Sprintf("Signals of the last 30 days: %d against this user, %d for them, on %s.",
		against, good, dayCount(len(chart.Days)))
	return chart
}

func shortDay(day string) string {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return day
	}
	return at.Format("2 Jan")
}

func dayCount(n int) string {
	if n == 1 {
		return "1 day"
	}
	return strconv.Itoa(n) + " days"
}
