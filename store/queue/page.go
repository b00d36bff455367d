package queue

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store/db"
)

// Filter selects open cases. Empty fields select all.
type Filter struct {
	Window   scoring.Window // of the author's score
	Lang     string
	Within   []string  // only these languages; nil for all
	Kind     string    // report or red_flag: only cases with one
	Assigned string    // me, none or any
	Sort     string    // priority or oldest
	Author   uuid.UUID // only cases of this author
	Not      []int64   // leaves out these cases
	Except   uuid.UUID // leaves out the cases of this author
	// View is "" for the cases that wait now, skipped for those that the person
	// skipped, later for postponed ones.
	View string
	// Below leaves out cases with a toxicity from this one on; nil leaves out none.
	Below *float64
	db.Page
}

// Check checks the choices of the filter.
func (f Filter) Check() error {
	for _, choice := range []struct {
		name, value string
		of          []string
	}{
		{"kind", f.Kind, []string{"", "report", "red_flag"}}, {"assigned", f.Assigned, []string{"", "me", "none", "any"}},
		{"sort", f.Sort, []string{"", "priority", "oldest"}}, {"view", f.View, []string{"", "skipped", "later"}},
	} {
		if err := db.OneOf(choice.name, choice.value, choice.of...); err != nil {
			return err
		}
	}
	return nil
}

// View is a filter with what its cases are compared with.
type View struct {
	Filter
	By      By
	Person  uuid.UUID
	Claims  map[int64]uuid.UUID // the holders of cases, if the filter is about them
	Skipped map[int64]uuid.UUID // the cases that the person skipped
}

func (v *View) order() db.Order {
	return db.Order{Name: "queue " + v.Sort, Desc: true, Keys: make([]db.Key, 2)}.
		Bound(v.Window, v.Lang, v.Within, v.Kind, v.Assigned, v.Author, v.View, v.Not, v.Except, v.Below)
}

// shows reports whether the filter finds a case.
func (v *View) shows(c *Case) bool {
	_, skipped := v.Skipped[c.ID]
	later := c.Later.After(v.By.Now)
	switch v.View {
	case "later":
		if !later {
			return false
		}
	case "skipped":
		if !skipped || later {
			return false
		}
	default:
		if skipped || later {
			return false
		}
	}
	holder, held := v.Claims[c.ID]
	switch {
	case v.Assigned == "me" && holder != v.Person, v.Assigned == "none" && held,
		v.Kind == "report" && c.Reports == 0, v.Kind == "red_flag" && c.RedFlags+c.Imported == 0,
		v.Author != uuid.Nil && c.Author != v.Author, v.Except != uuid.Nil && c.Author == v.Except,
		slices.Contains(v.Not, c.ID), v.Below != nil && c.Toxicity != nil && *c.Toxicity >= *v.Below:
		return false
	}
	return (v.Lang == "" || c.Lang == v.Lang) && policy.Covers(v.Within, cmp.Or(c.Lang, policy.Undetermined))
}

// Page returns the places of one page of a view. With grouped, only the first one of each author
// counts; the cases of unknown authors stay by themselves.
func (x *Index) Page(v *View, grouped bool) (places []Place, next, prev *string, err error) {
	limit, err := v.Size()
	if err != nil {
		return nil, nil, nil, err
	}
	order := v.order()
	from, back, err := parsePlace(v.Cursor, order)
	if err != nil {
		return nil, nil, nil, err
	}
	seen := map[uuid.UUID]bool{}
	var before []Place // those before the cursor
	more := false
	x.Each(v.By, func(p Place) bool {
		if !v.shows(p.Case) {
			return true
		}
		if author := p.Case.Author; grouped && author != uuid.Nil {
			if seen[author] {
				return true
			}
			seen[author] = true
		}
		if from != nil && !from.precedes(p) {
			if back && from.is(p) {
				return true
			}
			before = append(before, p)
			return true
		}
		if back {
			more = true
			return false
		}
		if len(places) == limit {
			more = true
			return false
		}
		places = append(places, p)
		return true
	})
	hasBefore := len(before) > 0
	if back {
		first := max(0, len(before)-limit)
		places, hasBefore = before[first:], first > 0
		more = true // the page of the cursor
	}
	link := func(p Place, back bool) *string {
		keys := []string{strconv.FormatFloat(p.Value, 'g', -1, 64), strconv.FormatInt(p.Case.ID, 10)}
		return new(db.Cursor{Order: order.Name, Keys: keys, Back: back}.String())
	}
	if more && len(places) > 0 {
		next = link(places[len(places)-1], false)
	}
	if hasBefore && len(places) > 0 {
		prev = link(places[0], true)
	}
	return places, next, prev, nil
}

// Count returns the number of cases that a view shows.
func (x *Index) Count(v *View) int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	n := 0
	for _, c := range x.byID {
		if v.shows(c) && x.counts(c) {
			n++
		}
	}
	return n
}

// cursor is the place at which a page begins.
type cursor struct {
	value float64
	id    int64
}

// precedes reports whether a case comes after the cursor.
func (c *cursor) precedes(p Place) bool {
	return p.Value < c.value || p.Value == c.value && p.Case.ID > c.id
}

func (c *cursor) is(p Place) bool { return p.Value == c.value && p.Case.ID == c.id }

// parsePlace parses the place at which a page begins from its cursor.
func parsePlace(text string, by db.Order) (from *cursor, back bool, err error) {
	if text == "" {
		return nil, false, nil
	}
	c, err := db.ParseCursor(text, by)
	if err != nil {
		return nil, false, err
	}
	value, wrongValue := strconv.ParseFloat(c.Keys[0], 64)
	id, wrongID := strconv.ParseInt(c.Keys[1], 10, 64)
	if wrongValue != nil || wrongID != nil {
		return nil, false, db.ErrForeignCursor
	}
	return &cursor{value, id}, c.Back, nil
}
