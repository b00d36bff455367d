package markup

import (
	"fmt"
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	for _, test := range []struct{ before, after, want string }{
		{"", "", ""},
		{"same", "same", "same"},
		{"", "new", "{+new+}"},
		{"old", "", "[-old-]"},
		{"the old cat", "the new cat", "the [-old-]{+new+} cat"},
		{"one two three", "one three", "one [-two -]three"},
		{"Hello, world.", "Hello world!", "Hello[-,-] world[-.-]{+!+}"},
		{"我喜欢猫", "我喜欢狗", "我喜欢[-猫-]{+狗+}"},
		{"مرحبا بك هنا", "مرحبا بكم هنا", "مرحبا [-بك-]{+بكم+} هنا"},
	} {
		if got := show(Diff(test.before, test.after)); got != test.want {
			t.Errorf("Diff(%q, %q) = %s, want %s", test.before, test.after, got, test.want)
		}
	}
}

func show(diff []Piece) string {
	var out strings.Builder
	for _, p := range diff {
		out.WriteString(map[Op]string{Kept: "%s", Removed: "[-%s-]", Added: "{+%s+}"}[p.Op])
		text := strings.Replace(out.String(), "%s", p.Text, 1)
		out.Reset()
		out.WriteString(text)
	}
	return out.String()
}

// TestDiffOfStrangers checks that the diff of texts without a common word is
// fast.
func TestDiffOfStrangers(t *testing.T) {
	var a, b strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&a, "a%d ", i)
		fmt.Fprintf(&b, "b%d ", i)
	}
	sides(t, a.String(), b.String())
}

// sides fails the test unless the pieces make up both texts.
func sides(t *testing.T, before, after string) {
	t.Helper()
	var a, b strings.Builder
	for _, p := range Diff(before, after) {
		if p.Op != Added {
			a.WriteString(p.Text)
		}
		if p.Op != Removed {
			b.WriteString(p.Text)
		}
	}
	if a.String() != before || b.String() != after {
		t.Fatalf("Diff(%q, %q) gives %q and %q", before, after, a.String(), b.String())
	}
}

func FuzzDiff(f *testing.F) {
	f.Add("the old cat", "the new cat")
	f.Add("a b c a b b a", "c b a b a c")
	f.Fuzz(func(t *testing.T, before, after string) { sides(t, before, after) })
}
