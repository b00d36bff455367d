package admin

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"treewarden/admin/openapi"
	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/insights"
)

const collectionPath = insightsPath + "/collection"

func init() {
	describe("GET /insights/collection", openapi.Method{
		Summary: "How many messages, trees and users there are by language, tree state, review or month. A tree has the " +
			"review of its prompt; a user is in each group in which they wrote a message. Deleted messages count too",
		Query: collectionQuery{}, Answer: insights.Collection{},
	})
}

// maxLangFilter is the number of letters of the longest language that a filter takes.
const maxLangFilter = 40

// collectionQuery is the query of the size of the collection.
type collectionQuery struct {
	Of    string `form:"of" validate:"omitempty,oneof=messages trees users" description:"without it, messages"`
	By    string `form:"by" validate:"omitempty,oneof=lang state review month" description:"without it, lang"`
	Frame string `form:"frame" validate:"omitempty,oneof=day week month total" description:"without it, total"`
	Lang  string `form:"lang" validate:"max=40" description:"only of this language"`
}

// collectionPage shows how many messages, trees or users there are by group.
type collectionPage struct {
	Layout
	Figures   insights.Collection
	Frames    []Choice
	Carry     []Choice
	Units     []Choice
	Groupings []Choice
	Languages []Choice
	Lines     []collectionLine
	Months    chart // by month
	Rows      sizeChart
	Charted   string // what the chart leaves out
}

// collectionLine is a group with what it opens.
type collectionLine struct {
	insights.CollectionGroup
	Title string
	Link  string // empty if no filter finds it
	Opens string // what the link opens
}

func (p collectionPage) api() any { return p.Figures }

// AsOf says when the figures were counted.
func (p collectionPage) AsOf() string { return asOfText(p.Figures.AsOf, p.Figures.Follow) }

// CSV returns the address of the figures as a file.
func (p collectionPage) CSV() string { return mustQuery(p.Query, "format", "csv") }

// OfUsers reports whether users are counted: they may be in several groups, and none is
// deleted.
func (p collectionPage) OfUsers() bool { return p.Figures.Of == insights.OfUsers }

// Title names the figures: "Messages by language".
func (p collectionPage) Title() string {
	return capital(p.Figures.Of) + " by " + strings.ToLower(p.GroupHead())
}

// GroupHead is the head of the column of groups.
func (p collectionPage) GroupHead() string {
	return map[string]string{insights.ByLang: "Language", insights.ByState: "Tree state", insights.ByReview: "Review",
		insights.ByMonth: "Month"}[p.Figures.By]
}

// ShareText writes a share with one digit after the point.
func (p collectionPage) ShareText(share float64) string { return fixed(100*share, 1) + " %" }

// DeletedText writes how many are deleted.
func (p collectionPage) DeletedText() string { return countText(p.Figures.Deleted) }

// DeletedText writes how many of a group are deleted.
func (l collectionLine) DeletedText() string { return countText(l.Deleted) }

// countText writes a number, and nothing for none.
func countText(n *int64) string {
	if n == nil {
		return ""
	}
	return number(*n)
}

// groupTitle writes the name of a group.
func (p collectionPage) groupTitle(key string) string {
	switch p.Figures.By {
	case insights.ByLang:
		return langName(key) + " (" + langCode(key) + ")"
	case insights.ByState:
		return capital(stateTitle(key))
	case insights.ByMonth:
		if month, err := time.Parse("2006-01", key); err == nil {
			return month.Format("Jan 2006")
		}
	}
	return capital(key)
}

// groupLink returns the address of what is counted in a group, and says what it opens;
// both are empty if no filter finds it. Users whom no filter finds are shown by their
// messages.
func (p collectionPage) groupLink(key string) (link, opens string) {
	f := p.Figures
	lang := f.Lang
	if f.By == insights.ByLang {
		lang = key
	}
	if lang == policy.Undetermined || len([]rune(lang)) > maxLangFilter ||
		f.By == insights.ByState && !slices.Contains(store.TreeStates, key) {
		return "", ""
	}
	q := url.Values{}
	switch {
	case lang != "":
		q.Set("lang", lang)
	case p.Person.ActsOn() != nil:
		q.Set("lang", allLanguages) // the list would show only their own
	}
	whole := f.Frame == scoring.Total
	switch {
	case f.Of == insights.OfUsers && f.By == insights.ByLang && whole:
		return "/users?" + q.Encode(), "users"
	case f.Of == insights.OfTrees && f.By == insights.ByState && whole:
		q.Set("state", key)
		return "/trees?" + q.Encode(), "trees"
	case f.Of == insights.OfTrees && f.By == insights.ByLang && whole:
		return "/trees?" + q.Encode(), "trees"
	case f.Of == insights.OfTrees || f.AsOf == nil:
		return "", ""
	}
	q.Set("deleted", "include")
	since, limited := f.Frame.Since(*f.AsOf)
	switch f.By {
	case insights.ByState:
		q.Set("tree_state", key)
	case insights.ByReview:
		q.Set("review", key)
	case insights.ByMonth:
		month, err := time.Parse("2006-01", key)
		if err != nil {
			return "", ""
		}
		if month.After(since) {
			since = month
		}
		limited = true
		if end := month.AddDate(0, 1, 0); end.Year() < 10000 {
			q.Set("until", end.Format(time.RFC3339))
		}
	}
	if limited {
		q.Set("since", since.Format(time.RFC3339))
	}
	return "/messages?" + q.Encode(), "messages"
}

// collection shows how many messages, trees or users there are by group.
func (s *Server) collection(c *fiber.Ctx) error {
	var q collectionQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	access, err := s.store.Insights(s.actor(c))
	if err != nil {
		return err
	}
	var p collectionPage
	if p.Figures, err = access.Collection(c.UserContext(), q.Of, q.By, q.Frame, q.Lang); err != nil {
		return err
	}
	f := p.Figures
	switch {
	case isAPI(c):
		return s.render(c, "collection", p)
	case wantsCSV(c):
		return s.sendCSV(c, f.Of+"-by-"+f.By,
			func(context.Context, store.Page) (listPage, *string, error) { return p, nil, nil })
	}
	p.Layout = s.layout(c, "The collection")
	p.Carry = carried(p.Query, "frame")
	p.Units = choices(f.Of, insights.OfMessages, "Messages", insights.OfTrees, "Trees", insights.OfUsers, "Users")
	p.Groupings = choices(f.By, insights.ByLang, "Language", insights.ByState, "Tree state", insights.ByReview, "Review",
		insights.ByMonth, "Month")
	p.Languages = languageChoices(f.Languages, f.Lang)
	for _, frame := range scoring.Windows {
		p.Frames = append(p.Frames, Choice{mustQuery(p.Query, "frame", string(frame)), frame.Title(), frame == f.Frame})
	}
	for _, g := range f.Groups {
		link, opens := p.groupLink(g.Key)
		p.Lines = append(p.Lines, collectionLine{g, p.groupTitle(g.Key), link, opens})
	}
	p.draw()
	return s.render(c, "collection", p)
}

// The numbers of groups and of months up to which all of them are drawn.
const (
	chartedGroups = 15
	chartedMonths = 60
)

// draw makes the chart: months from left to right, other groups below each other.
func (p *collectionPage) draw() {
	series := []chartSeries{{"Retained", "fill-one"}, {"Deleted", "fill-delete"}}
	if p.OfUsers() {
		series = []chartSeries{{"Users", "fill-one"}}
	}
	text := fmt.Sprintf("%s, %s in all. The table below has the numbers.", p.Title(), number(p.Figures.N))
	lines := p.Lines
	if p.Figures.By == insights.ByMonth {
		if len(lines) > chartedMonths {
			lines = lines[len(lines)-chartedMonths:]
			p.Charted = fmt.Sprintf("The chart has the last %d months.", chartedMonths)
		}
		p.Months = newChart(text, series, monthBars(lines))
		return
	}
	if len(lines) > chartedGroups {
		lines = lines[:chartedGroups]
		p.Charted = fmt.Sprintf("The chart has the largest %d.", chartedGroups)
	}
	bars := make([]bar, len(lines))
	for i, l := range lines {
		bars[i] = l.bar(l.Title)
	}
	p.Rows = newSizeChart(text, series, bars)
}

// bar returns the bar of a group.
func (l collectionLine) bar(label string) bar {
	b := bar{Label: label, Values: []int64{l.N}, Link: l.Link}
	if l.Deleted != nil {
		b.Values = []int64{l.N - *l.Deleted, *l.Deleted}
	}
	return b
}

// monthBars returns the bars of months, and empty ones for the months between them if
// there is room.
func monthBars(lines []collectionLine) (bars []bar) {
	var next time.Time
	for _, l := range lines {
		month, err := time.Parse("2006-01", l.Key)
		if err == nil && !next.IsZero() && month.Sub(next) < chartedMonths*31*24*time.Hour {
			for ; next.Before(month); next = next.AddDate(0, 1, 0) {
				bars = append(bars, bar{Label: next.Format("Jan 2006")})
			}
		}
		if err == nil {
			next = month.AddDate(0, 1, 0)
		}
		bars = append(bars, l.bar(l.Title))
	}
	return bars
}

func (p collectionPage) csv() (header []string, rows [][]string) {
	for _, g := range p.Figures.Groups {
		deleted := ""
		if g.Deleted != nil {
			deleted = strconv.FormatInt(*g.Deleted, 10)
		}
		rows = append(rows, []string{g.Key, strconv.FormatInt(g.N, 10), deleted, figure(&g.Share)})
	}
	return []string{p.Figures.By, "n", "deleted", "share"}, rows
}

// sizeChart shows sizes of groups, a row for each (partials/sizes).
type sizeChart struct {
	Text   string // says what the chart shows
	Series []chartSeries
	Axis   int // width of the labels
	Height int
	Rows   []sizeRow
}

// sizeRow is the bar of a group.
type sizeRow struct {
	Title, Label string
	Link         string // what it opens; empty for nothing
	Top, Y       int    // of the bar and of the texts
	Parts        []sizePart
	Number, End  string // written where the bar ends
}

// sizePart is a part of a bar.
type sizePart struct{ Class, X, Width string }

const (
	sizeHeight = 26 // of a row
	sizeLetter = 7  // the width of a letter of a label
	// The share of the width that the longest bar has, so that its number has room.
	sizeLongest = 82.0
	// sizeLabel is the number of letters of a label that are shown.
	sizeLabel = 24
)

// newSizeChart draws bars from left to right.
func newSizeChart(text string, series []chartSeries, bars []bar) sizeChart {
	c := sizeChart{Text: text, Series: series, Axis: 40, Height: 8 + len(bars)*sizeHeight}
	most := int64(1)
	for _, b := range bars {
		most = max(most, b.sum())
	}
	for i, b := range bars {
		row := sizeRow{Title: b.title(series), Label: excerpt(b.Label, sizeLabel), Link: b.Link, Top: 8 + i*sizeHeight,
			Y: 8 + i*sizeHeight + (sizeHeight-6)/2, Number: number(b.sum())}
		c.Axis = max(c.Axis, sizeLetter*len([]rune(row.Label))+12)
		x := 0.0
		for j, v := range b.Values {
			if v > 0 {
				width := max(0.2, sizeLongest*float64(v)/float64(most))
				row.Parts = append(row.Parts, sizePart{series[j].Class, percentOf(x), percentOf(width)})
				x += width
			}
		}
		row.End = percentOf(x)
		c.Rows = append(c.Rows, row)
	}
	return c
}

// Links reports whether a row opens something.
func (c sizeChart) Links() bool {
	return slices.ContainsFunc(c.Rows, func(r sizeRow) bool { return r.Link != "" })
}
