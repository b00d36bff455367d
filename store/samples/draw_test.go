package samples

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/uuid"
)

func TestAllocate(t *testing.T) {
	for _, c := range []struct {
		sizes map[string]int
		n     int
		want  map[string]int
	}{
		{map[string]int{"en": 60, "de": 30, "es": 10}, 10, map[string]int{"en": 6, "de": 3, "es": 1}},
		{map[string]int{"en": 97, "de": 2, "es": 1}, 10, map[string]int{"en": 8, "de": 1, "es": 1}},
		{map[string]int{"en": 97, "de": 2, "es": 1}, 2, map[string]int{"en": 2, "de": 0, "es": 0}},
		{map[string]int{"en": 2, "de": 1}, 100, map[string]int{"en": 2, "de": 1}},
		{map[string]int{"a": 1, "b": 1, "c": 1}, 2, map[string]int{"a": 1, "b": 1, "c": 0}},
	} {
		// Among equals, which stratum comes first is free, but always the same.
		got := allocate(c.sizes, c.n)
		sum := 0
		for name, n := range got {
			sum += n
			if n > c.sizes[name] {
				t.Errorf("%v: %d of %s", c.sizes, n, name)
			}
		}
		if want := min(c.n, total(c.sizes)); sum != want {
			t.Errorf("%v: %d chosen, want %d", c.sizes, sum, want)
		}
		if c.sizes["c"] == 0 && !maps.Equal(got, c.want) {
			t.Errorf("%v, %d: %v, want %v", c.sizes, c.n, got, c.want)
		}
		if !maps.Equal(got, allocate(c.sizes, c.n)) {
			t.Errorf("%v: two answers", c.sizes)
		}
	}
}

func total(sizes map[string]int) (n int) {
	for _, size := range sizes {
		n += size
	}
	return n
}

// TestDraw draws the same again, whatever the order of the rows, and another
// sample with another seed.
func TestDraw(t *testing.T) {
	var all []candidate
	for range 200 {
		all = append(all, candidate{MessageID: uuid.New(), stratum: []string{"a", "b", "b", "b"}[len(all)%4]})
	}
	ids := func(seed int64) (ids []uuid.UUID) {
		for _, c := range draw(slices.Clone(all), seed, 20) {
			ids = append(ids, c.MessageID)
		}
		return ids
	}
	first := ids(7)
	slices.Reverse(all)
	if !slices.Equal(first, ids(7)) {
		t.Error("the same seed draws others")
	}
	if slices.Equal(first, ids(8)) {
		t.Error("another seed draws the same")
	}
	n := 0
	for _, c := range draw(all, 7, 20) {
		if c.stratum == "a" {
			n++
		}
	}
	if n != 5 {
		t.Errorf("%d of a, want 5 of 20", n)
	}
}
