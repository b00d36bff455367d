package db

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/uuid"
)

// TestCopyInPieces checks that a copyReader returns the rows of CopyRows, however
// the data is split.
func TestCopyInPieces(t *testing.T) {
	t.Parallel()
	var c CopyRows
	c.Reset()
	var want [][][]byte
	for i := range 5 {
		id := uuid.New()
		c.Row(3)
		c.UUID(id)
		c.Null()
		c.JSON(bytes.Repeat([]byte("x"), i))
		want = append(want, [][]byte{id[:], nil, bytes.Repeat([]byte("x"), i)})
	}
	c.buf = append(c.buf, 0xff, 0xff)
	for size := 1; size <= len(c.buf); size++ {
		var got [][][]byte
		r := copyReader{row: func(raw [][]byte) {
			row := make([][]byte, len(raw))
			for i, value := range raw {
				if value != nil {
					row[i] = append([]byte{}, value...)
				}
			}
			got = append(got, row)
		}}
		for piece := range slices.Chunk(c.buf, size) {
			if n, err := r.Write(piece); n != len(piece) || err != nil {
				t.Fatal(n, err)
			}
		}
		same := slices.EqualFunc(got, want, func(a, b [][]byte) bool {
			return slices.EqualFunc(a, b, func(x, y []byte) bool { return bytes.Equal(x, y) && (x == nil) == (y == nil) })
		})
		if !same || !r.ended || len(r.rest) > 0 {
			t.Errorf("in pieces of %d: %q, ended: %v, left: %q", size, got, r.ended, r.rest)
		}
	}
}
