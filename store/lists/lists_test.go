package lists_test

import (
	"os"
	"testing"

	"github.com/google/uuid"

	"treewarden/store"
	"treewarden/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// TestPlansForLongList checks that the planner knows the length of a list that was
// just filled, though it has statistics from before.
func TestPlansForLongList(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	fill(t, s, "short", 1)
	storetest.Exec(t, s, "ANALYZE list_items")
	long := fill(t, s, "long", 3000)
	var plan []struct {
		Plan struct {
			Rows float64 `json:"Plan Rows"`
		}
	}
	if err := storetest.DB(t, s).QueryRow(t.Context(), "EXPLAIN (FORMAT JSON) SELECT FROM list_items WHERE list_id = '"+
		long.String()+"'").Scan(&plan); err != nil {
		t.Fatal(err)
	}
	if rows := plan[0].Plan.Rows; rows < 1000 || rows > 9000 {
		t.Errorf("the planner expects %g of 3000 items", rows)
	}
}

// fill makes a list of ids of which there are no messages.
func fill(t *testing.T, s *store.Store, name string, items int) uuid.UUID {
	t.Helper()
	list, kind := uuid.New(), "bad"
	if _, err := s.Act(t.Context(), store.CommandLine, store.Act{Kind: "create_list", Target: list,
		Params: store.ListParams{Name: &name, Kind: &kind}}); err != nil {
		t.Fatal(err)
	}
	p := store.AddParams{Items: make([]store.NewItem, items)}
	for i := range p.Items {
		p.Items[i].MessageID = uuid.New()
	}
	if _, _, err := s.AddToList(t.Context(), store.CommandLine, list, p, "", ""); err != nil {
		t.Fatal(err)
	}
	return list
}
