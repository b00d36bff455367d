package samples

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"treewarden/scoring/kappa"
	"treewarden/store/db"
)

// Measure is how far the first and the second judgements of some items agree.
type Measure struct {
	N int `json:"n"` // items with two judgements
	// Kappa is Cohen's kappa. It is null where all first judgements are the same, and
	// so for most lists: Why says so, and Agreement says what is left to say.
	Kappa *float64 `json:"kappa"`
	// Interval is the 95 % interval of Kappa. It is null without a kappa, and where
	// the asymptotic error is 0.
	Interval []float64 `json:"interval"`
	Error    *float64  `json:"standard_error"`
	// Agreement is the share of the items on which the two agree, with its Wilson
	// interval. Both are null without judgements.
	Agreement         *float64  `json:"agreement"`
	AgreementInterval []float64 `json:"agreement_interval"`
	Why               string    `json:"why"` // why there is no kappa or no interval
}

// Group is the agreement in one group of first judgements.
type Group struct {
	Group string `json:"group"` // a language, a kind, a reason, or the id of a person
	Name  string `json:"name"`  // for people
	Measure
}

// Dispute is an item on which the two judgements differ.
type Dispute struct {
	Item        uuid.UUID  `json:"item"`
	Place       int        `json:"place"`
	Lang        string     `json:"lang"`
	Kind        string     `json:"kind"`
	Reason      string     `json:"reason"`
	Action      int64      `json:"action"`
	First       string     `json:"first"` // yes or no
	FirstBy     *uuid.UUID `json:"first_by"`
	FirstName   string     `json:"first_by_name"`
	Second      string     `json:"second"`
	SecondBy    *uuid.UUID `json:"second_by"`
	SecondName  string     `json:"second_by_name"`
	Note        string     `json:"note"`
	Settled     *string    `json:"settled"` // yes or no; null while open
	SettledBy   *uuid.UUID `json:"settled_by"`
	SettledName string     `json:"settled_by_name"`
	SettledAt   *time.Time `json:"settled_at"`
}

// Agreement is the agreement of the judgements of a sample.
type Agreement struct {
	SampleID uuid.UUID `json:"sample_id"`
	Question string    `json:"question"`
	Measure
	// Counts are the numbers of items by both judgements: yes_no is yes in the
	// first one and no in the second.
	Counts    map[string]int `json:"counts"`
	GroupedBy string         `json:"grouped_by"` // actor, reason, lang or kind
	By        []Group        `json:"by"`         // the largest first
	// Disputed are all items on which the two judgements differ, those that are open
	// first. A sample has at most MaxSize items.
	Disputed []Dispute `json:"disputed"`
}

// Groupings are what an agreement may be grouped by.
var Groupings = []string{"actor", "reason", "lang", "kind"}

// judged is an item with two judgements.
type judged struct {
	candidate
	Place                              int
	FirstName, SecondName, SettledName string
	Second                             bool
	JudgedBy                           *uuid.UUID
	Note                               string
	Settled                            *bool
	SettledBy                          *uuid.UUID
	SettledAt                          *time.Time
}

// Agreement measures the agreement of the judgements that a sample has so far,
// in all and by group. An empty by is the strata of the sample, or actor.
func (d Access) Agreement(ctx context.Context, id uuid.UUID, by string) (Agreement, error) {
	s, err := d.ByID(ctx, id)
	if err != nil {
		return Agreement{}, err
	}
	if by = cmp.Or(by, s.By, "actor"); !slices.Contains(Groupings, by) {
		return Agreement{}, db.OneOf("by", by, Groupings...)
	}
	items, err := db.Collect[judged](ctx, d.Pool, "SELECT "+judgedColumns+" FROM "+judgedFrom+`
		WHERE i.sample_id = $1 AND i.second IS NOT NULL ORDER BY i.settled IS NOT NULL, i.place`, id)
	if err != nil {
		return Agreement{}, err
	}
	a := Agreement{SampleID: id, Question: s.Question, GroupedBy: by, By: []Group{}, Disputed: []Dispute{}}
	var all counts
	groups, names := map[string]*counts{}, map[string]string{}
	for _, item := range items {
		group := item.group(by)
		if groups[group] == nil {
			groups[group], names[group] = new(counts), group
		}
		if by == "actor" {
			names[group] = item.FirstName
		}
		all.add(item)
		groups[group].add(item)
		if item.First != item.Second {
			a.Disputed = append(a.Disputed, item.dispute())
		}
	}
	a.Measure = all.measure()
	a.Counts = map[string]int{"yes_yes": all[0][0], "yes_no": all[0][1], "no_yes": all[1][0], "no_no": all[1][1]}
	for group, n := range groups {
		a.By = append(a.By, Group{group, names[group], n.measure()})
	}
	slices.SortFunc(a.By, func(a, b Group) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Group, b.Group)) })
	return a, nil
}

// counts is the table of two judgements: yes, then no.
type counts [2][2]int

func (c *counts) add(item judged) {
	at := map[bool]int{true: 0, false: 1}
	c[at[item.First]][at[item.Second]]++
}

func (c *counts) measure() Measure {
	r := kappa.Of([][]int{c[0][:], c[1][:]})
	m := Measure{N: r.N, Kappa: r.Kappa, Error: r.Error, Agreement: r.Agreement}
	if r.Interval != nil {
		m.Interval = []float64{r.Interval.Low, r.Interval.High}
	}
	if r.Wilson != nil {
		m.AgreementInterval = []float64{r.Wilson.Low, r.Wilson.High}
	}
	switch {
	case r.N == 0:
		m.Why = "Nothing has been judged yet."
	case r.Kappa == nil:
		m.Why = "All first judgements are the same, so kappa is not defined."
	case r.Interval == nil:
		m.Why = "The standard error is 0, so kappa has no interval."
	}
	return m
}

// answer returns a judgement as the API shows it.
func answer(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

func (j judged) dispute() Dispute {
	d := Dispute{Item: j.MessageID, Place: j.Place, Lang: j.Lang, Kind: j.Kind, Reason: j.Reason, Action: j.ActionID,
		First: answer(j.First), FirstBy: j.ActorID, FirstName: j.FirstName, Second: answer(j.Second),
		SecondBy: j.JudgedBy, SecondName: j.SecondName, Note: j.Note, SettledBy: j.SettledBy, SettledName: j.SettledName,
		SettledAt: j.SettledAt}
	if j.Settled != nil {
		settled := answer(*j.Settled)
		d.Settled = &settled
	}
	return d
}
