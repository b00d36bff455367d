package admin

import (
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"treewarden/corpus/search"
)

// queryOf returns the struct that a route decodes its query into: the
// documented query of the API, the parameters of an action's form, or the query
// of a page.
func queryOf(r route) any {
	switch r.Method + " " + r.Path {
	case "GET /users/:id":
		return userQuery{}
	case "GET /messages/:id":
		return messageQuery{}
	case "GET /lists/:id":
		if r.Kind == pageOnly {
			return itemsQuery{}
		}
	case "GET " + choosePath:
		return chooseBody{}
	case "GET /queue/:id":
		return queueQuery{}
	case "GET " + searchesPath + "/new":
		return searchFormQuery{}
	case "GET " + searchesPath + "/:id/remove":
		return searchDeleteBody{}
	case "GET /samples/new":
		return sampleFormQuery{}
	case "GET /samples/:id":
		return agreementQuery{}
	case "GET /lists/new", "GET /lists/:id/edit":
		return actBody{}
	case "GET " + insightsPath:
		return insightsPageQuery{}
	case "GET " + contributorsPath:
		if r.Kind != apiOnly {
			return contributorsPageQuery{}
		}
	case "GET " + ratersPath:
		if r.Kind != apiOnly {
			return ratersPageQuery{}
		}
	case "GET " + staffFiguresPath:
		if r.Kind != apiOnly {
			return staffFiguresPageQuery{}
		}
	case "GET " + whyPath:
		return whyQuery{}
	case "GET " + scoringPath:
		return scoringQuery{}
	case "GET " + priorityPath:
		return priorityQuery{}
	case "GET " + staffPath:
		return staffQuery{}
	case "GET " + staffPath + "/new", "GET " + staffPath + "/:id/edit":
		return staffBody{}
	case "GET " + keysPath:
		return keysQuery{}
	case "GET " + keysPath + "/new":
		return keyFormQuery{}
	}
	if r.Method == get && within(r.Path, staffPath, keysPath) {
		return actBody{}
	}
	if d := describeMethod(r); d.Query != nil {
		return d.Query
	}
	for _, acts := range actRoutes() {
		if acts.Method == r.Method && acts.Path == r.Path {
			return actBody{}
		}
	}
	if r.Path == "/actions/:id/undo" {
		return actBody{}
	}
	return struct{}{}
}

// queryAt is queryOf for an address: the API takes only what its description has.
func queryAt(address string, r route) any {
	if !strings.HasPrefix(address, apiPrefix) {
		return queryOf(r)
	}
	if d := describeMethod(r); d.Query != nil {
		return d.Query
	}
	return struct{}{}
}

// everyParameter lists the names of all parameters of all routes, for routes
// without any of them too.
func everyParameter() []string {
	names := map[string]bool{"return": true, "done": true, "notice": true, "format": true,
		"token": true, "username": true, "nothing": true}
	for _, r := range allRoutes() {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(queryOf(r))) {
			if name := f.Tag.Get("form"); name != "" {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

var (
	canonicalID = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	dayLike     = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}`)
)

// chosen lists parameters that are strings to the decoder but accept only a few
// values.
var chosen = []string{"frame", "formula", "role", "kind", "state", "tree_state", "actor", "target", "label", "toxicity",
	"classifier", "cursor", "sort", "status", "with", "permission", "signal", "truth",
	"moderator", "by", "model", "output", "author_messages"}

// wantOf returns the expected status for a value of a parameter: 200, 400, or 0
// if both are right.
func wantOf(f reflect.StructField, value string) int {
	rules := strings.Split(f.Tag.Get("validate"), ",")
	limit := func(rule string, n int) int {
		for _, r := range rules {
			if text, ok := strings.CutPrefix(r, rule+"="); ok {
				n, _ = strconv.Atoi(text)
			}
		}
		return n
	}
	fine := func(ok bool) int {
		if ok {
			return http.StatusOK
		}
		return http.StatusBadRequest
	}
	kind := f.Type
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	choices, _ := strings.CutPrefix(rules[len(rules)-1], "oneof=")
	switch {
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		return http.StatusBadRequest
	case value == "":
		return http.StatusOK
	case kind == reflect.TypeFor[time.Time]():
		if dayLike.MatchString(value) {
			return 0
		}
		return http.StatusBadRequest
	case kind == reflect.TypeFor[uuid.UUID]():
		return fine(canonicalID.MatchString(value))
	case kind.Kind() == reflect.Int, kind.Kind() == reflect.Int64:
		n, err := strconv.Atoi(value)
		return fine(err == nil && n >= limit("min", n) && n <= limit("max", n))
	case kind.Kind() == reflect.Float64:
		n, err := strconv.ParseFloat(value, 64)
		return fine(err == nil && n >= float64(limit("min", 0)) && n <= float64(limit("max", 0)))
	case kind.Kind() == reflect.Bool:
		return 0
	case kind.Kind() == reflect.Map:
		return http.StatusOK // only name[key] counts
	case strings.HasPrefix(rules[len(rules)-1], "oneof="):
		return fine(slices.Contains(strings.Fields(choices), value))
	case utf8.RuneCountInString(value) > limit("max", 1<<30):
		return http.StatusBadRequest
	case slices.Contains(chosen, f.Tag.Get("form")):
		if strings.TrimSpace(value) == "" || strings.Contains(value, "0f3a7b1c") || value == uuid.Nil.String() {
			return 0
		}
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// lineRoutes lists the routes whose parameter q is a query line.
var lineRoutes = []string{"/messages", "/users/:id", "/users/:id/messages", "/lists/:id", "/lists/:id/items",
	"/lists/choose"}

// nameRoutes lists the routes whose parameter q is a line that finds names.
var nameRoutes = []string{"/trollboard", "/trollboard/live", "/users", "/lists", "/settings/staff", "/staff"}

// wantOfNames returns the status for a line of names that is a text of a right length.
func wantOfNames(line string) int {
	if _, err := search.ParseNames(line); err != nil {
		return http.StatusUnprocessableEntity
	}
	return http.StatusOK
}

// wantOfLine returns the status for a query line that is a text of a right length.
func wantOfLine(line string) int {
	switch query, err := search.Parse(line); {
	case err != nil:
		return http.StatusUnprocessableEntity
	case len(query.Filters) > 0:
		return 0
	}
	return http.StatusOK
}

// TestBadQueries puts every bad value into every parameter of every route.
func TestBadQueries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cases := 0
	for address, r := range w.addresses(get) {
		for i, f := range reflect.VisibleFields(reflect.TypeOf(queryAt(address, r))) {
			name := f.Tag.Get("form")
			if name == "" || strings.HasPrefix(address, apiPrefix) && (name == "open" || name == "tab") {
				continue
			}
			// All routes decode in the same way. A free text of the API gets
			// every value; a page, which is slower, gets some of them.
			each := 9
			switch {
			case strings.HasPrefix(address, apiPrefix) && f.Type.Kind() == reflect.String && !slices.Contains(chosen, name) &&
				!strings.Contains(f.Tag.Get("validate"), "oneof"):
				each = 1
			case strings.HasPrefix(address, apiPrefix):
				each = 4
			case kindOf(r).Name != "":
				each = 20
			}
			for j, value := range badValues {
				if (i+j+len(address))%each > 0 {
					continue
				}
				cases++
				at := address + "?" + url.Values{name: {value}}.Encode()
				a := w.by(r).get(at)
				sound(t, at, a)
				if r.Path == "/policy/why" {
					continue // it needs a permission too: TestPolicyWhy
				}
				ignored := r.Path == eventsPath && a.status == 409 || // there is no such event yet
					name == "search" && a.status == 404 || // there is no such search
					r.Path == staffPath+"/:id/edit" && name == "name" && a.status == 422 // the form says why
				want := wantOf(f, value)
				if name == "q" && want == http.StatusOK && slices.Contains(lineRoutes, r.Path) {
					want = wantOfLine(value)
				}
				if name == "q" && want == http.StatusOK && slices.Contains(nameRoutes, r.Path) {
					want = wantOfNames(value)
				}
				if want != 0 && a.status != want && !ignored {
					t.Errorf("%.200s: %d, want %d", at, a.status, want)
				}
			}
		}
	}
	t.Logf("%d requests", cases)
}

// TestBadQueriesEverywhere sends every route the parameters of all routes, and
// a third of the malformed queries: all routes read them in the same way.
func TestBadQueriesEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	names := everyParameter()
	cases := 0
	routes := w.addresses(get)
	for turn, address := range slices.Sorted(maps.Keys(routes)) {
		malformed := []string{"%", "%zz=1", "q=%zz", "q=%ff", "%00=1", "q=%00", ";", "a;b=c", "=", "&&&", "=&=", "limit=0",
			"limit=201", "limit=x", "limit=1&limit=x", "limit=x&limit=1",
			"limit[]=1", "q[a]=b", "q=a&q=b", "labels[=1", "labels[]=1", "labels[a]=x", "labels[spam]=NaN", "labels[spam]=1e999",
			strings.Repeat("q=a&", 3000), strings.Repeat("a", 9000), "\xff\xfe"}
		var queries []string
		for i := turn % 3; i < len(malformed); i += 3 {
			queries = append(queries, malformed[i])
		}
		for i, value := range badValues {
			if (i+turn)%24 > 0 {
				continue
			}
			all := url.Values{}
			for _, name := range names {
				all.Set(name, value)
			}
			queries = append(queries, all.Encode(), url.Values{"return": {value}, "done": {value},
				"notice": {value}, "format": {value}}.Encode(),
				url.QueryEscape(value)+"=1", url.Values{"format": {"csv"}, "q": {value}}.Encode(),
				url.Values{"token": {value}, "return": {value}}.Encode())
		}
		for _, query := range queries {
			cases++
			if len(query) > 14_000 {
				query = query[:14_000] // the web server itself refuses longer ones
			}
			a := w.by(routes[address]).get(address + "?" + strings.NewReplacer(" ", "%20", "\xff", "%ff").Replace(query))
			sound(t, address+"?"+query, a)
			if !slices.Contains([]int{200, 204, 303, 400, 401, 404}, a.status) &&
				(!isLivePath(routes[address].Path) || a.status != 406) &&
				(!slices.Contains(slices.Concat(lineRoutes, nameRoutes), routes[address].Path) || a.status != 422) {
				t.Errorf("%s?%.200s: %d", address, query, a.status)
			}
		}
	}
	t.Logf("%d requests", cases)
}

// TestBadQueriesListed puts each value of the public lists into one of the
// parameters.
func TestBadQueriesListed(t *testing.T) {
	t.Parallel()
	values := badInput(t)
	w := newWorld(t)
	type place struct {
		address, name string
		by            *client
	}
	var places []place
	for address, r := range w.addresses(get) {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(queryAt(address, r))) {
			if f.Tag.Get("form") != "" && f.Type.Kind() == reflect.String {
				places = append(places, place{address, f.Tag.Get("form"), w.by(r)})
			}
		}
	}
	for i, value := range values {
		where := places[i%len(places)]
		values := url.Values{where.name: {value}}
		if !strings.HasPrefix(where.address, apiPrefix) {
			values.Set("return", value)
		}
		at := where.address + "?" + values.Encode()
		a := where.by.get(at)
		sound(t, at, a)
		// A moderator asks only about themselves why somebody may do something.
		ofOthers := where.name == "user" && a.status == http.StatusForbidden && strings.HasSuffix(where.address, "/why")
		ofLine := where.name == "q" && a.status == http.StatusUnprocessableEntity
		if a.status != http.StatusOK && a.status != http.StatusBadRequest && !ofOthers && !ofLine {
			t.Errorf("%.300s: %d", at, a.status)
		}
	}
	t.Logf("%d requests to %d parameters", len(values), len(places))
}
