package admin

import (
	"encoding/csv"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/corpus/spreadsheet"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/figures"
	"treewarden/store/storetest"
)

// actionsBy returns the numbers of actions, and of those undone, by key.
func actionsBy(groups []figures.ActionGroup) map[string]figures.ActionCounts {
	found := map[string]figures.ActionCounts{}
	for _, g := range groups {
		found[g.Key] = g.ActionCounts
	}
	return found
}

// TestInsightsOfStaff compares the figures with the entries of the log.
func TestInsightsOfStaff(t *testing.T) {
	t.Parallel()
	f := newFigured(t)
	lead := staff(t, f.server, policy.DataLead)
	first, second, third := f.moderator.self().String(), idOf(f.moderator2), lead.self().String()
	var log store.List[store.Action]
	lead.get("/api/v1/audit?limit=200").want(200).json(&log)
	kinds, people := map[string]figures.ActionCounts{}, map[string]figures.ActionCounts{}
	var undone int64
	for _, a := range log.Items {
		key := uuid.Nil.String()
		if a.ActorID != nil {
			key = a.ActorID.String()
		}
		kind, person := kinds[a.Kind], people[key]
		kind.Actions++
		person.Actions++
		if a.UndoneBy != nil {
			kind.Undone++
			person.Undone++
			undone++
		}
		kinds[a.Kind], people[key] = kind, person
	}
	if undone != 1 || len(people) < 2 || len(kinds) < 2 {
		t.Fatalf("the log has %v of %v, %d undone", kinds, people, undone)
	}
	var s figures.Staff
	lead.get("/api/v1/insights/staff").want(200).json(&s)
	if !maps.Equal(actionsBy(s.Kinds), kinds) || !maps.Equal(actionsBy(s.People), people) {
		t.Errorf("%v by %v, want %v by %v", s.Kinds, s.People, kinds, people)
	}
	if s.All != (figures.ActionCounts{Actions: int64(len(log.Items)), Undone: 1}) || s.OwnOnly || len(s.Queries) != 3 {
		t.Errorf("all: %+v", s)
	}
	inPeriods := map[string]int64{}
	var sum figures.ActionCounts
	for _, p := range s.Periods {
		for kind, n := range p.Kinds {
			inPeriods[kind] += n
		}
		sum.Actions += p.Actions
		sum.Undone += p.Undone
	}
	for kind, n := range kinds {
		if inPeriods[kind] != n.Actions {
			t.Errorf("%d actions %s by time, want %d", inPeriods[kind], kind, n.Actions)
		}
	}
	if sum != s.All {
		t.Errorf("%+v by time, want %+v", sum, s.All)
	}
	rows, err := storetest.DB(t, f.server.store).Query(t.Context(), s.Queries[figures.ByKind])
	if err != nil {
		t.Fatal(err)
	}
	shown, err := pgx.CollectRows(rows, pgx.RowToStructByName[figures.ActionGroup])
	if err != nil || !maps.Equal(actionsBy(shown), kinds) {
		t.Errorf("the query that is shown gives %v, %v", shown, err)
	}

	for query, want := range map[string]int64{
		"?kind=undo": kinds["undo"].Actions, "?actor=" + second: people[second].Actions,
		"?actor=me": people[third].Actions, "?actor=program": people[uuid.Nil.String()].Actions,
		"?kind=undo&actor=" + second: 0, "?until=2020-01-01": 0, "?step=hour": int64(len(log.Items)),
		"?since=" + time.Now().UTC().AddDate(0, 0, -20).Format("2006-01-02") + "&step=month": int64(len(log.Items)),
	} {
		var s figures.Staff
		lead.get("/api/v1/insights/staff" + query).want(200).json(&s)
		if s.All.Actions != want {
			t.Errorf("%q has %d actions, want %d", query, s.All.Actions, want)
		}
	}
	// A moderator sees their own actions, whoever else they ask for.
	var own figures.Staff
	f.moderator.get("/api/v1/insights/staff").want(200).json(&own)
	if !own.OwnOnly || len(own.People) != 1 || own.People[0].ActionCounts != people[first] || own.All != people[first] {
		t.Errorf("a moderator's own: %+v, want %v", own, people[first])
	}
	f.moderator.get("/api/v1/insights/staff?actor=" + second).want(200).json(&own)
	if own.All.Actions != 0 || len(own.People) != 0 {
		t.Errorf("a moderator sees actions of another: %+v", own)
	}
}

// TestInsightsOfStaffPage checks the page, its files, and what it says of wrong filters
// and of nothing.
func TestInsightsOfStaffPage(t *testing.T) {
	t.Parallel()
	f := newFigured(t)
	storetest.Exec(t, f.server.store, "UPDATE users SET display_name = '=1+<b>x</b>' WHERE user_id = $1",
		f.moderator2.self())
	lead := staff(t, f.server, policy.DataLead)
	page := lead.get("/insights/staff").want(200)
	for selector, want := range map[string]string{
		"nav.insight-tabs [aria-current=page]":      "Staff",
		"[aria-labelledby=actions-title]":           ", 1 undone since",
		"[aria-labelledby=by_kind-title] tbody":     "Undo action",
		"[aria-labelledby=by_person-title] tbody":   "=1+<b>x</b>",
		"[aria-labelledby=by_person-title] pre":     "FROM action_counts",
		"#actor":                                    "The command line",
		"[aria-labelledby=actions-title] ul.legend": "Undo action",
	} {
		if text := page.text(selector); !strings.Contains(text, want) {
			t.Errorf("%s says %q, want %q", selector, text, want)
		}
	}
	if svg := page.page().Find("svg[role=img]"); svg.Length() != 1 ||
		!strings.Contains(attr(svg, "aria-label"), "1 of them undone") {
		t.Errorf("the chart says %q", attr(svg, "aria-label"))
	}
	if strings.Contains(page.body, "<b>x") {
		t.Error("the page does not escape names")
	}
	links := page.page().Find(".figure tbody th a")
	for i := range links.Length() {
		lead.get(attr(links.Eq(i), "href")).want(200)
	}
	if links.Length() < 4 {
		t.Errorf("%d links to the log", links.Length())
	}
	files := page.page().Find("a[download]")
	for i := range files.Length() {
		file := lead.get("/insights/staff" + attr(files.Eq(i), "href")).want(200)
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(file.body, spreadsheet.ByteOrderMark))).ReadAll()
		if err != nil || len(rows) < 2 || strings.Contains(file.body, ",=1+") {
			t.Errorf("%s: %v, %v", attr(files.Eq(i), "href"), rows, err)
		}
	}
	if files.Length() != 3 {
		t.Errorf("%d files, want one for each figure", files.Length())
	}
	own := f.moderator.get("/insights/staff").want(200)
	if text := own.text("main"); !strings.Contains(text, "What you did") || own.page().Find("#actor").Length() != 0 {
		t.Errorf("a moderator's page: %s", text)
	}
	for address, field := range map[string]string{"?since=x": "since", "?since=2999-01-01": "since",
		"?actor=nobody": "actor", "?kind=nothing": "kind", "?step=year": "step",
		"?since=2026-01-02&until=2026-01-01": "until", "?since=2000-01-01&step=hour": ""} {
		status := 400
		if field == "" { // there are no periods from before the first action
			status = 200
		}
		page := lead.get("/insights/staff" + address).want(status)
		if field != "" && page.page().Find("#fault-"+field).Length() != 1 {
			t.Errorf("%s: no fault beside the field", address)
		}
		lead.get("/api/v1/insights/staff" + address).want(status)
	}
	lead.get("/api/v1/insights/staff?figure=periods").want(400)
	newClient(t, f.server).get("/api/v1/insights/staff").want(401)

	empty := newServer(t, storetest.New(t))
	nothing := staff(t, empty, policy.Moderator)
	if text := nothing.get("/insights/staff").want(200).text("main"); !strings.Contains(text, "No actions in this time") {
		t.Errorf("an empty log: %s", text)
	}
	nothing.get("/insights/staff?format=csv").want(200)
}
