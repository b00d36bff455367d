package queue

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
	"treewarden/store/db"
)

// TestOrderFollowsTheMean checks that an order is the one by the new mean trust and hour
// soon after they moved, and that changes meanwhile are not lost.
func TestOrderFollowsTheMean(t *testing.T) {
	t.Parallel()
	q := rand.New(rand.NewPCG(1, 2))
	now := time.Date(2026, 11, 29, 12, 30, 0, 0, time.UTC)
	by := By{Window: scoring.Total, Formula: scoring.Treewarden, Priority: scoring.DefaultPriority, Now: now,
		Score: func(uuid.UUID) float64 { return 0 }}
	people := make([]uuid.UUID, 40)
	records := map[uuid.UUID]Record{}
	for i := range people {
		people[i] = uuid.New()
		records[people[i]] = Record{Upheld: int64(q.IntN(5)), Dismissed: int64(q.IntN(50))}
	}
	made := int64(0)
	random := func(author uuid.UUID) *Case {
		made++
		c := &Case{ID: made, Message: uuid.New(), Author: author, Opened: now.Add(-time.Duration(q.IntN(900)) * time.Hour),
			Imported: q.IntN(3)}
		for range 1 + q.IntN(6) {
			c.Reporters = append(c.Reporters, people[q.IntN(len(people))])
		}
		return c
	}
	var open []*Case
	authors := make([]uuid.UUID, 700)
	for i := range authors {
		authors[i] = uuid.New()
		for range 1 + q.IntN(5) {
			open = append(open, random(authors[i]))
		}
	}
	x := New()
	x.Replace(open, records)
	shown := func() []string {
		var ids []string
		v := &View{By: by, Filter: Filter{Page: db.Page{Limit: 200}}}
		for {
			places, next, _, err := x.Page(v, false)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range places {
				ids = append(ids, fmt.Sprint(p.Case.ID))
			}
			if next == nil {
				return ids
			}
			v.Cursor = *next
		}
	}
	want := func() []string {
		var ids []string
		for _, p := range x.Ranked(by, by.Priority)[0] {
			ids = append(ids, fmt.Sprint(p.Case.ID))
		}
		return ids
	}
	if !slices.Equal(shown(), want()) {
		t.Fatal("the first order is wrong")
	}
	for step := range 3 {
		// Nearly all flags of some turn out right, so that the mean moves.
		for _, person := range people[:10*(step+1)] {
			records[person] = Record{Upheld: 500}
		}
		by.Now = by.Now.Add(time.Hour)
		x.Put(people, nil, records)
		x.Page(&View{By: by}, false)
		author := authors[q.IntN(len(authors))]
		x.Put([]uuid.UUID{author}, []*Case{random(author)}, nil) // while it sorts
		deadline := time.Now().Add(20 * time.Second)
		for !slices.Equal(shown(), want()) {
			if time.Now().After(deadline) {
				t.Fatalf("step %d: the order does not follow the mean", step)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}
