package linear

import "math/bits"

// table holds the weights of all outputs. Those of a feature are near each other,
// so that the processor mostly loads them at once: a row for each group of
// features whose lower bits are equal, as many as the shortest output has weights.
type table struct {
	weights []int8
	width   int    // of a row
	low     uint32 // the bits of a feature that are its row
	shift   uint   // the number of those bits
	columns [maxOutputs]columns
}

// columns are those of an output in each row. The output has as many as there are
// values of the upper bits of its features.
type columns struct {
	first int
	high  uint32
}

// newTable returns the table of the weights of each output. Their numbers are
// powers of two.
func newTable(outputs [][]int8) table {
	rows := len(outputs[0])
	for _, weights := range outputs {
		rows = min(rows, len(weights))
	}
	t := table{low: uint32(rows - 1), shift: uint(bits.Len(uint(rows - 1)))}
	for i, weights := range outputs {
		n := len(weights) / rows
		t.columns[i] = columns{first: t.width, high: uint32(n - 1)}
		t.width += n
	}
	t.weights = make([]int8, rows*t.width)
	for i, weights := range outputs {
		for f, w := range weights {
			t.row(uint32(f))[t.columns[i].at(uint32(f)>>t.shift)] = w
		}
	}
	return t
}

// row returns the row of a feature.
func (t *table) row(feature uint32) []int8 { return t.weights[int(feature&t.low)*t.width:] }

func (c *columns) at(high uint32) int { return c.first + int(high&c.high) }

// add adds the weights of features. Where the model has fewer outputs than there
// may be, the sums of the others mean nothing.
func (t *table) add(features []uint32, to *sums) {
	weights, width, low, shift := t.weights, t.width, t.low, t.shift
	a, b := t.columns[0], t.columns[1]
	var sumA, sumB int32
	for _, f := range features {
		row, high := weights[int(f&low)*width:], f>>shift
		sumA += int32(row[a.at(high)])
		sumB += int32(row[b.at(high)])
	}
	to.of[0] += sumA
	to.of[1] += sumB
	to.features += int32(len(features))
}
