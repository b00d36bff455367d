package admin

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"treewarden/admin/openapi"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/insights"
	"treewarden/store/lists"
)

func init() {
	describe("GET /insights/toxicity", openapi.Method{
		Summary: "Means of a classifier's outputs of deleted and retained messages, or by review, by language, or on a " +
			"list and not, with the difference to all other messages",
		Query: toxicityQuery{}, Answer: insights.Outputs{},
	})
}

// toxicityQuery is the query of the means of outputs.
type toxicityQuery struct {
	By    string `form:"by" validate:"max=100" description:"deleted, review, lang, or list: and the id of a list"`
	Model string `form:"model" validate:"max=200" description:"without it, the one with the most messages"`
}

// toxicityPage shows the means of a classifier's outputs by group.
type toxicityPage struct {
	Layout
	Figures insights.Outputs
	Groups  []Choice
	Models  []Choice
	Chart   intervalChart
	Charted string // what the chart is about
}

func (p toxicityPage) api() any { return p.Figures }

// AsOf says when the figures were counted.
func (p toxicityPage) AsOf() string { return asOfText(p.Figures.AsOf, p.Figures.Follow) }

// CSV returns the address of the figures as a file.
func (p toxicityPage) CSV() string { return mustQuery(p.Query, "format", "csv") }

// Pair reports whether there are two groups, so that one difference says all.
func (p toxicityPage) Pair() bool {
	return p.Figures.By == insights.ByDeleted || strings.HasPrefix(p.Figures.By, insights.ListPrefix)
}

// OutputTitle writes the name of an output.
func (p toxicityPage) OutputTitle(name string) string { return capital(outputTitle(name)) }

// GroupHead is the head of the column of groups.
func (p toxicityPage) GroupHead() string {
	if p.Figures.By == insights.ByLang {
		return "Language"
	}
	return "Review"
}

// GroupTitle writes the name of a group.
func (p toxicityPage) GroupTitle(key string) string {
	switch {
	case p.Figures.By == insights.ByLang:
		return langName(key) + " (" + langCode(key) + ")"
	case key == insights.Listed:
		return "On the list"
	case key == insights.Others:
		return "Not on the list"
	}
	return capital(key)
}

// GroupLink returns the address of the messages of a group; "" if no filter finds them.
func (p toxicityPage) GroupLink(key string) string {
	q := url.Values{"deleted": {"include"}}
	switch {
	case key == insights.Deleted:
		q.Set("deleted", "only")
	case key == insights.Retained:
		q.Set("deleted", "exclude")
	case key == insights.Listed:
		q.Set("list", strings.TrimPrefix(p.Figures.By, insights.ListPrefix))
	case p.Figures.By == insights.ByReview:
		q.Set("review", key)
	case p.Figures.By == insights.ByLang && key != policy.Undetermined:
		q.Set("lang", key)
	default:
		return ""
	}
	if !q.Has("lang") && p.Person.ActsOn() != nil {
		q.Set("lang", allLanguages) // the list would show only their own
	}
	if i := slices.IndexFunc(p.Figures.Groups, func(g insights.OutputGroup) bool { return g.Key == key }); i >= 0 {
		if filter := withOutput(p.Figures.Model, p.Figures.Groups[i]); filter != "" {
			q.Set("classifier", filter)
		}
	}
	return "/messages?" + q.Encode()
}

// withOutput returns the filter of the messages that have the output that most of a group
// have; "" if there is no such filter.
func withOutput(model string, g insights.OutputGroup) string {
	for _, m := range g.Means {
		if filter := outputFilter(model, m.Output); m.N == g.N() && filter != "" {
			return filter
		}
	}
	return ""
}

// outputFilter returns the filter of the messages that have an output; "" if the filter's
// grammar has no way to write its name.
func outputFilter(model, output string) string {
	name := model + "." + output
	filter := name + "<=1e300" // any number
	if name != strings.TrimSpace(name) || strings.ContainsAny(name, "<>=") || strings.Contains(output, ".") ||
		len([]rune(filter)) > 200 {
		return ""
	}
	return filter
}

// Mean writes a mean.
func (p toxicityPage) Mean(m insights.OutputMean) string {
	if m.Mean == nil {
		return "–"
	}
	return fixed(*m.Mean, 4)
}

// Difference writes the difference to all other messages.
func (p toxicityPage) Difference(m insights.OutputMean) string {
	if m.Difference == nil {
		return "–"
	}
	return signed(*m.Difference, 4)
}

// Interval writes the interval of the difference.
func (p toxicityPage) Interval(m insights.OutputMean) string {
	if m.Low == nil {
		return "–"
	}
	return fixed(*m.Low, 4) + " to " + fixed(*m.High, 4)
}

// toxicity shows the means of a classifier's outputs by group.
func (s *Server) toxicity(c *fiber.Ctx) error {
	var q toxicityQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	access, err := s.store.Insights(s.actor(c))
	if err != nil {
		return err
	}
	var p toxicityPage
	if p.Figures, err = access.Outputs(c.UserContext(), q.By, q.Model); err != nil {
		return err
	}
	switch {
	case isAPI(c):
		return s.render(c, "toxicity", p)
	case wantsCSV(c):
		return s.sendCSV(c, "toxicity", func(context.Context, store.Page) (listPage, *string, error) { return p, nil, nil })
	}
	p.Layout = s.layout(c, "Toxicity")
	p.Models = modelChoices(p.Figures.Models, p.Figures.Model)
	if p.Groups, err = s.groupChoices(c, p.Figures); err != nil {
		return err
	}
	p.draw()
	return s.render(c, "toxicity", p)
}

// groupChoices returns the groupings to choose from, the newest lists among them.
func (s *Server) groupChoices(c *fiber.Ctx, f insights.Outputs) ([]Choice, error) {
	all := choices(f.By, insights.ByDeleted, "Deletion", insights.ByReview, "Review", insights.ByLang, "Language")
	page, err := s.store.Lists(c.UserContext(), s.actor(c), lists.Filter{Page: store.Page{Limit: 100}})
	var forbidden *store.Forbidden
	if errors.As(err, &forbidden) {
		return all, nil
	}
	found := f.List == nil
	for _, l := range page.Items {
		by := insights.ListPrefix + l.ListID.String()
		all = append(all, Choice{by, "List: " + l.Name, by == f.By})
		found = found || by == f.By
	}
	if !found {
		all = append(all, Choice{f.By, "List: " + *f.List, true})
	}
	return all, err
}

// charted is the number of groups up to which all of them are drawn.
const charted = 15

// draw makes the chart: of two groups the differences of all outputs, else those of the
// first output in all groups.
func (p *toxicityPage) draw() {
	var all []interval
	add := func(label, link string, m insights.OutputMean) {
		if m.Low != nil {
			all = append(all, interval{label, *m.Low, *m.Difference, *m.High, link})
		}
	}
	groups := p.Figures.Groups
	switch {
	case len(groups) < 2 || len(p.Figures.Outputs) == 0:
		return
	case p.Pair():
		p.Charted = p.GroupTitle(groups[0].Key) + " minus " + strings.ToLower(p.GroupTitle(groups[1].Key))
		for _, m := range groups[0].Means {
			add(capital(outputTitle(m.Output)), "", m)
		}
	default:
		p.Charted = capital(outputTitle(p.Figures.Outputs[0])) + ": each group minus all other messages"
		for _, g := range groups[:min(charted, len(groups))] {
			title := p.GroupTitle(g.Key)
			if p.Figures.By == insights.ByLang {
				title = langCode(g.Key)
			}
			add(title, p.GroupLink(g.Key), g.Means[0])
		}
	}
	if len(all) > 0 {
		p.Chart = newIntervalChart(fmt.Sprintf("Differences of means with 95 %% intervals. %s. "+
			"The table below has the numbers.",
			p.Charted), all)
	}
}

func (p toxicityPage) csv() (header []string, rows [][]string) {
	header = []string{"group", "output", "n", "mean", "sd", "difference", "low", "high"}
	for _, g := range p.Figures.Groups {
		for _, m := range g.Means {
			rows = append(rows, slices.Concat([]string{g.Key, m.Output, strconv.FormatInt(m.N, 10)}, []string{figure(m.Mean),
				figure(m.SD), figure(m.Difference), figure(m.Low), figure(m.High)}))
		}
	}
	return header, rows
}
