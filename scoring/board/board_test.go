package board_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"treewarden/scoring"
	"treewarden/scoring/board"
)

// someone is a user with random counts, often none in a frame.
func someone(r *rand.Rand, id uuid.UUID) board.User {
	u := board.User{ID: id, Name: fmt.Sprintf("User %c%d", 'A'+rune(r.IntN(26)), r.IntN(5)),
		Status: []string{"active", "active", "banned", "erased"}[r.IntN(4)]}
	for _, lang := range []string{"en", "de", "fa"} {
		if r.IntN(2) == 0 {
			u.Languages = append(u.Languages, lang)
		}
	}
	for i := range u.Windows {
		if r.IntN(4) == 0 {
			continue
		}
		u.Windows[i] = &scoring.Counters{}
		for k := range u.Windows[i] {
			if r.IntN(3) == 0 {
				u.Windows[i][k] = int64(r.IntN(4))
			}
		}
	}
	return u
}

// expected is a view of users by the plainest way there is.
func expected(users map[uuid.UUID]board.User, v board.View) []board.Place {
	var places []board.Place
	for _, u := range users {
		t := u.Counters(v.Window)
		counts := t.Counts(v.Formula)
		speaks := t.Messages() > 0
		for _, n := range counts {
			speaks = speaks || n > 0
		}
		if !speaks || v.Status != "all" && u.Status != v.Status || v.Lang != "" && !slices.Contains(u.Languages, v.Lang) ||
			v.Name != "" && !v.Named(u.Name) {
			continue
		}
		value := v.Formula.Score(counts)
		if v.Sort == "rate" {
			value = scoring.Rate(value, t.Messages())
		} else if v.Sort == "spam" {
			value = float64(counts[scoring.SpamLabels] + counts[scoring.SpamPrompts])
		}
		places = append(places, board.Place{Value: value, User: u.ID})
	}
	slices.SortFunc(places, func(a, b board.Place) int {
		if a.Value != b.Value {
			return map[bool]int{true: -1, false: 1}[a.Value > b.Value]
		}
		return bytes.Compare(b.User[:], a.User[:])
	})
	return places
}

func views() []board.View {
	var all []board.View
	for _, f := range scoring.Formulas {
		for _, window := range []scoring.Window{scoring.Day, scoring.Total} {
			for _, sort := range []string{"score", "rate", "spam"} {
				for _, more := range []board.View{{Status: "active"}, {Status: "all"}, {Status: "banned", Lang: "de"},
					{Status: "all", Name: "c", Named: func(name string) bool { return name[5] == 'C' }}} {
					more.Window, more.Formula, more.Sort = window, f, sort
					all = append(all, more)
				}
			}
		}
	}
	return all
}

// walk reads a whole view page by page, forwards or backwards, and checks the
// ranks on the way.
func walk(t *testing.T, b *board.Board, v board.View, back bool, limit, size int) []board.Place {
	t.Helper()
	var places []board.Place
	var from *board.Place
	if back {
		from = &board.Place{Value: -1e9, User: uuid.Nil}
	}
	for {
		rows, before, after := b.Page(v, from, back, limit)
		if len(rows) == 0 {
			return places
		}
		page := make([]board.Place, len(rows))
		for i, row := range rows {
			page[i] = row.Place
			if i > 0 && row.Rank != rows[i-1].Rank+1 {
				t.Fatalf("rank %d follows %d", row.Rank, rows[i-1].Rank)
			}
		}
		if before != (rows[0].Rank > 1) || after != (rows[len(rows)-1].Rank < size) {
			t.Fatalf("%+v: ranks %d to %d of %d, before %v, after %v", v, rows[0].Rank, rows[len(rows)-1].Rank, size, before,
				after)
		}
		if back {
			places = append(page, places...)
			from = &page[0]
		} else {
			places = append(places, page...)
			from = &page[len(page)-1]
		}
	}
}

// TestPagesFollowChanges: after any changes, few or many, every view has the
// same users in the same order as if it were sorted anew.
func TestPagesFollowChanges(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	b, users := board.New(), map[uuid.UUID]board.User{}
	var ids []uuid.UUID
	for round, changes := range []int{400, 1, 3, 10, 0, 500, 2, 3000, 1} {
		var put []board.User
		for range changes {
			if len(ids) < 300 || r.IntN(20) == 0 {
				ids = append(ids, uuid.New())
			}
			u := someone(r, ids[r.IntN(len(ids))])
			users[u.ID] = u
			put = append(put, u)
		}
		b.Put(put)
		if b.Len() != len(users) {
			t.Fatalf("the board knows %d users, want %d", b.Len(), len(users))
		}
		for i, v := range views() {
			if (i+round)%3 == 0 && round > 0 {
				continue // so that orders fall behind by different numbers of changes
			}
			want := expected(users, v)
			for _, back := range []bool{false, true} {
				if got := walk(t, b, v, back, 37, len(want)); !slices.Equal(got, want) {
					t.Fatalf("round %d, %s %s %s %s lang %q name %q, back %v: %d places, want %d", round, v.Window, v.Formula.Name,
						v.Sort, v.Status, v.Lang, v.Name, back, len(got), len(want))
				}
			}
		}
	}
}

// TestPageFromAPlaceThatIsGone: who stood at the end of a page may have moved;
// the next page goes on from where they stood.
func TestPageFromAPlaceThatIsGone(t *testing.T) {
	b := board.New()
	id := func(n byte) uuid.UUID { return uuid.UUID{15: n} }
	with := func(n byte, flags int64) board.User {
		u := board.User{ID: id(n), Status: "active"}
		u.Windows[3] = &scoring.Counters{flags}
		return u
	}
	b.Put([]board.User{with(1, 5), with(2, 4), with(3, 3), with(4, 2)})
	v := board.View{Window: scoring.Total, Formula: scoring.Treewarden, Sort: "red_flags"}
	rows, _, _ := b.Page(v, nil, false, 2)
	from := rows[1].Place
	b.Put([]board.User{with(2, 9)})
	rows, before, after := b.Page(v, &from, false, 2)
	if len(rows) != 2 || rows[0].User.ID != id(3) || rows[0].Rank != 3 || !before || after {
		t.Errorf("after the second place: %+v %v %v", rows, before, after)
	}
	rows, before, after = b.Page(v, &from, true, 2)
	if len(rows) != 2 || rows[0].User.ID != id(2) || rows[1].User.ID != id(1) || before || !after {
		t.Errorf("before the second place: %+v %v %v", rows, before, after)
	}
}

// TestManyAtOnce: readers and writers do not trip over each other (the race
// detector looks on), and more views than are kept are answered.
func TestManyAtOnce(t *testing.T) {
	b := board.New()
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(n), 0))
			for i := range 200 {
				if n%2 == 0 {
					b.Put([]board.User{someone(r, uuid.UUID{0: byte(r.IntN(50))})})
					continue
				}
				v := views()[i%len(views())]
				v.Lang = []string{"", "en", "fa"}[r.IntN(3)]
				rows, _, _ := b.Page(v, nil, false, 20)
				for k := 1; k < len(rows); k++ {
					if rows[k].Place.Value > rows[k-1].Place.Value {
						t.Errorf("%v stands below %v", rows[k].Place, rows[k-1].Place)
					}
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkPage reads a page of 100 of 135,000 users, one of whom changed.
func BenchmarkPage(bench *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	b := board.New()
	ids := make([]uuid.UUID, 135_000)
	all := make([]board.User, len(ids))
	for i := range ids {
		ids[i] = uuid.New()
		all[i] = someone(r, ids[i])
	}
	b.Put(all)
	v := board.View{Window: scoring.Total, Formula: scoring.Treewarden, Sort: "score", Status: "active"}
	for bench.Loop() {
		b.Put([]board.User{someone(r, ids[r.IntN(len(ids))])})
		b.Page(v, nil, false, 100)
	}
}
