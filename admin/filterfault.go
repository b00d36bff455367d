package admin

import (
	"errors"
	"html/template"
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"treewarden/corpus/search"
	"treewarden/markup"
	"treewarden/store"
)

// filterForms lists the pages with a form of filters, and the form's fields. If a
// value of the query is wrong, such a page shows the form with what was typed and
// the fault beside its field.
var filterForms = map[string][]string{
	"/messages": {"q", "lang", "role", "review", "deleted", "has", "tree_state", "since", "until", "toxicity", "label",
		"classifier", "author_messages", "sort"},
	"/users":         {"q", "role", "status", "lang"},
	"/users/:id":     {"q", "deleted", "spam", "lang"},
	"/trees":         {"state", "lang", "origin"},
	"/audit":         {"actor", "kind", "since", "until"},
	"/trollboard":    {"q", "lang", "formula"},
	listsPath:        {"q", "kind", "archived"},
	staffPath:        {"q"},
	insightsPath:     {"since", "until", "lang", "moderator", "step"},
	toxicityPath:     {"by", "model"},
	collectionPath:   {"of", "by", "lang"},
	correlationsPath: {"model", "scope"},
	contributorsPath: {"role", "top"},
	ratersPath:       {"lang", "label"},
	modelsPath:       {"reference", "output", "lang"},
	staffFiguresPath: {"since", "until", "actor", "kind", "step"},
}

// filterFault is a wrong value of a query.
type filterFault struct {
	Name, Typed, Why string
	Marked           template.HTML // the value with the wrong part marked; empty if all of it is wrong
}

// newFault returns the fault of a parameter. Its error may name the place.
func newFault(name, typed, why string, err error) filterFault {
	f := filterFault{Name: name, Typed: typed, Why: capital(why)}
	var syntax *search.SyntaxError
	if errors.As(err, &syntax) {
		f.Marked = markup.Marked(typed, []markup.Span{{Start: syntax.Start, End: syntax.End}})
	}
	return f
}

// queryError is a query with wrong parameters: a store.Malformed that knows them.
type queryError map[string]string

func (e queryError) Error() string { return e.Unwrap().Error() }

func (e queryError) Unwrap() error {
	return store.Malformed("wrong in the query: " + strings.Join(parameters(e), "; "))
}

// faultsOf returns the wrong parameters that an error names, by name.
func faultsOf(err error, values url.Values) map[string]string {
	var wrong queryError
	if errors.As(err, &wrong) {
		return wrong
	}
	var syntax *search.SyntaxError
	if errors.As(err, &syntax) && values.Has("q") {
		return map[string]string{"q": syntax.Why}
	}
	var parameter store.BadParameter
	if errors.As(err, &parameter) && values.Has(parameter.Name) {
		return map[string]string{parameter.Name: parameter.Error()}
	}
	return nil
}

// handle calls the handler of a route. If a value of a filter is wrong, it calls it
// again without that value, so that the page shows its form with the fault.
func (s *Server) handle(c *fiber.Ctx, r route) error {
	err := r.Handler(s, c)
	if _, ok := filterForms[r.Path]; !ok || r.Method != get || err == nil || isAPI(c) || isPartial(c) ||
		wantsCSV(c) {
		return err
	}
	asked, status := query(c), 0
	address := slices.Clone(c.Request().URI().QueryString())
	defer func() { c.Request().URI().SetQueryStringBytes(address) }()
	left, request := query(c), current(c)
	for err != nil {
		wrong := faultsOf(err, left)
		if len(wrong) == 0 {
			request.Faults = nil
			return err
		}
		status = s.describe(err).Status
		for name, why := range wrong {
			left.Del(name)
			request.Faults = append(request.Faults, newFault(name, last(asked[name]), why, err))
		}
		c.Request().URI().SetQueryString(left.Encode())
		err = r.Handler(s, c)
	}
	if status != 0 && c.Response().StatusCode() == fiber.StatusOK {
		c.Status(status)
	}
	return nil
}

// Fault returns what is wrong with a filter, or nil.
func (f Layout) Fault(name string) *filterFault {
	for i := range f.Faults {
		if f.Faults[i].Name == name {
			return &f.Faults[i]
		}
	}
	return nil
}

// Typed returns the value of a field of the filters: what was typed if it is wrong.
func (f Layout) Typed(name, value string) string {
	if fault := f.Fault(name); fault != nil {
		return fault.Typed
	}
	return value
}

// OtherFaults returns the wrong parameters that no field of the form shows.
func (f Layout) OtherFaults() []filterFault {
	path := f.Path
	if strings.HasPrefix(path, "/users/") {
		path = "/users/:id"
	}
	return slices.DeleteFunc(slices.Clone(f.Faults), func(fault filterFault) bool {
		return slices.Contains(filterForms[path], fault.Name)
	})
}
