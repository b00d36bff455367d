package markup

import (
	"html/template"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Op is the kind of a piece: kept, removed or added.
type Op string

// The kinds of pieces.
const (
	Kept    Op = "kept"
	Removed Op = "removed"
	Added   Op = "added"
)

// Piece is a part of a text that an edit kept, removed or added.
type Piece struct {
	Op   Op
	Text string
}

// Shown returns the text with a visible name for every invisible character, as
// Raw does: an edit can change only these.
func (p Piece) Shown() template.HTML { return Raw(p.Text) }

// maxEdits limits the work and the memory of a diff (its square). Texts that
// differ in more words are shown as one removed and one added piece.
const maxEdits = 1000

// Diff compares two texts word by word. The kept and removed pieces together
// are the old text; the kept and added pieces are the new text.
func Diff(before, after string) []Piece {
	a, b := words(before), words(after)
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	endA, endB := len(a), len(b)
	for endA > start && endB > start && a[endA-1] == b[endB-1] {
		endA, endB = endA-1, endB-1
	}
	var d pieces
	d.add(Kept, strings.Join(a[:start], ""))
	d.between(a[start:endA], b[start:endB])
	d.add(Kept, strings.Join(a[endA:], ""))
	return d
}

type pieces []Piece

// add appends a text. It joins the text to the last piece if both have the same
// op.
func (d *pieces) add(op Op, text string) {
	switch n := len(*d); {
	case text == "":
	case n > 0 && (*d)[n-1].Op == op:
		(*d)[n-1].Text += text
	default:
		*d = append(*d, Piece{op, text})
	}
}

// between adds a shortest edit from a to b, found by Myers' algorithm. For each
// diagonal (position in a minus position in b), reach holds the furthest
// position in a after a number of edits. The state of reach before each further
// edit is kept for the walk back.
func (d *pieces) between(a, b []string) {
	limit := min(len(a)+len(b), maxEdits)
	zero := limit + 1
	reach := make([]int32, 2*zero+1)
	var before [][]int32 // before[e] holds the diagonals -e to e
	for edits := 0; edits <= limit; edits++ {
		before = append(before, slices.Clone(reach[zero-edits:zero+edits+1]))
		for diagonal := -edits; diagonal <= edits; diagonal += 2 {
			x := int(reach[zero+diagonal-1]) + 1
			if adds(reach, zero, diagonal, edits) {
				x = int(reach[zero+diagonal+1])
			}
			for x < len(a) && x-diagonal < len(b) && a[x] == b[x-diagonal] {
				x++
			}
			reach[zero+diagonal] = int32(x)
			if x >= len(a) && x-diagonal >= len(b) {
				d.walk(a, b, before)
				return
			}
		}
	}
	d.add(Removed, strings.Join(a, ""))
	d.add(Added, strings.Join(b, ""))
}

// adds reports whether the best step onto a diagonal adds a word of b, instead
// of removing a word of a.
func adds(reach []int32, zero, diagonal, edits int) bool {
	return diagonal == -edits || diagonal != edits && reach[zero+diagonal-1] < reach[zero+diagonal+1]
}

// walk follows the edits back from the ends of both texts and adds its pieces
// in their order.
func (d *pieces) walk(a, b []string, before [][]int32) {
	var way []Piece
	x, y := len(a), len(b)
	for edits := len(before) - 1; edits > 0; edits-- {
		diagonal := x - y
		from := diagonal - 1
		if adds(before[edits], edits, diagonal, edits) {
			from = diagonal + 1
		}
		fromX := int(before[edits][edits+from])
		fromY := fromX - from
		for x > fromX && y > fromY {
			x, y = x-1, y-1
			way = append(way, Piece{Kept, a[x]})
		}
		if x == fromX {
			way = append(way, Piece{Added, b[fromY]})
		} else {
			way = append(way, Piece{Removed, a[fromX]})
		}
		x, y = fromX, fromY
	}
	d.add(Kept, strings.Join(a[:x], ""))
	for _, step := range slices.Backward(way) {
		d.add(step.Op, step.Text)
	}
}

// words splits a text into words, runs of space, and single other characters. A
// character of a script without spaces is a word.
func words(text string) []string {
	var out []string
	start, last := 0, 0
	for i, r := range text {
		class := classOf(r)
		if i > start && (class != last || class == single) {
			out = append(out, text[start:i])
			start = i
		}
		last = class
	}
	if start < len(text) {
		out = append(out, text[start:])
	}
	return out
}

const (
	single = iota
	word
	space
)

func classOf(r rune) int {
	switch {
	case unicode.IsSpace(r):
		return space
	case r == utf8.RuneError:
		return single
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai,
		unicode.Lao, unicode.Khmer, unicode.Myanmar):
		return single
	case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r):
		return word
	}
	return single
}
