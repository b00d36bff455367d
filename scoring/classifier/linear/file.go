package linear

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
)

// A file of a model is:
//
//	8 bytes   "TWLINEAR"
//	uint32    the version of the format
//	32 bytes  SHA-256 of all that follows
//	string    the version of the model
//	uint32    the version of the features: weights fit only those that they were trained with
//	uint32    the number of outputs
//
// and for each output:
//
//	string    its name
//	string    its languages with a figure in the model card, with a space after each
//	float64   the unit of the weights, the slope and the offset of the calibration
//	uint32    the number of weights, a power of two
//	int8      each weight
//
// Numbers are little endian. A string is its length as uint32 and its bytes.
const (
	magic         = "TWLINEAR"
	formatVersion = 1
	// featureVersion grows when features.go, letters.go or package fold make other
	// features of a text.
	featureVersion = 2
)

// maxName is the most bytes of a string in a file.
const maxName = 1 << 10

// ErrDamaged says that a file is not a model that this program can use.
var ErrDamaged = errors.New("the file of the model is damaged, or of another version")

// Output is an output of a new model.
type Output struct {
	Name      string
	Languages []string // with a figure in the model card
	// Weights are those of each feature modulo their number, a power of two.
	Weights []float32
	// Slope and Offset make a probability: 1/(1+exp(-(Slope*margin+Offset))).
	Slope, Offset float64
}

// strongest is the greatest weight in units.
const strongest = math.MaxInt8

// quantize returns the weights as multiples of a unit, and the unit. Weights above
// the limit are rare and are cut to it, so that small weights are kept.
func quantize(weights []float32) ([]int8, float64) {
	sorted := make([]float64, 0, len(weights))
	for _, w := range weights {
		if w != 0 {
			sorted = append(sorted, math.Abs(float64(w)))
		}
	}
	slices.Sort(sorted)
	unit := 1.0
	if n := len(sorted); n > 0 {
		const kept = 0.9999 // the share of weights that are not cut
		unit = sorted[int(float64(n-1)*kept)] / strongest
	}
	units := make([]int8, len(weights))
	for i, w := range weights {
		units[i] = int8(min(max(math.Round(float64(w)/unit), -strongest), strongest))
	}
	return units, unit
}

// Encode returns the file of a model. The same outputs make the same bytes.
func Encode(version string, outputs []Output) []byte {
	var body []byte
	text := func(s string) {
		body = binary.LittleEndian.AppendUint32(body, uint32(len(s)))
		body = append(body, s...)
	}
	text(version)
	body = binary.LittleEndian.AppendUint32(body, featureVersion)
	body = binary.LittleEndian.AppendUint32(body, uint32(len(outputs)))
	for _, o := range outputs {
		text(o.Name)
		languages := ""
		for _, lang := range slices.Sorted(slices.Values(o.Languages)) {
			languages += lang + " "
		}
		text(languages)
		units, unit := quantize(o.Weights)
		for _, f := range []float64{unit, o.Slope, o.Offset} {
			body = binary.LittleEndian.AppendUint64(body, math.Float64bits(f))
		}
		body = binary.LittleEndian.AppendUint32(body, uint32(len(units)))
		for _, u := range units {
			body = append(body, byte(u))
		}
	}
	sum := sha256.Sum256(body)
	file := binary.LittleEndian.AppendUint32([]byte(magic), formatVersion)
	return slices.Concat(file, sum[:], body)
}

// Decode returns the model of a file. The error is ErrDamaged, wrapped with what
// is wrong.
func Decode(file []byte) (*Model, error) {
	const header = len(magic) + 4 + sha256.Size
	if len(file) < header || string(file[:len(magic)]) != magic {
		return nil, fmt.Errorf("%w: it does not begin with %s", ErrDamaged, magic)
	}
	if v := binary.LittleEndian.Uint32(file[len(magic):]); v != formatVersion {
		return nil, fmt.Errorf("%w: its format is %d, not %d", ErrDamaged, v, formatVersion)
	}
	if sum := sha256.Sum256(file[header:]); !bytes.Equal(sum[:], file[header-sha256.Size:header]) {
		return nil, fmt.Errorf("%w: its checksum does not fit", ErrDamaged)
	}
	d := decoder{rest: file[header:]}
	m := &Model{version: d.text()}
	if v := d.uint32(); v != featureVersion && !d.failed {
		return nil, fmt.Errorf("%w: it was trained with features %d, not %d", ErrDamaged, v, featureVersion)
	}
	outputs := d.uint32()
	if outputs > maxOutputs {
		return nil, fmt.Errorf("%w: it has %d outputs", ErrDamaged, outputs)
	}
	var weights [][]int8
	for range outputs {
		o, w := d.output()
		m.outputs, weights = append(m.outputs, o), append(weights, w)
	}
	if d.failed || len(d.rest) > 0 || len(m.outputs) == 0 {
		return nil, fmt.Errorf("%w: its parts do not fit its length", ErrDamaged)
	}
	m.table = newTable(weights)
	return m, nil
}

// decoder reads the parts of a file. After a failure it gives zeros.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.rest) {
		d.rest, d.failed = nil, true
		return nil
	}
	part := d.rest[:n]
	d.rest = d.rest[n:]
	return part
}

func (d *decoder) uint32() uint32 {
	if part := d.take(4); part != nil {
		return binary.LittleEndian.Uint32(part)
	}
	return 0
}

func (d *decoder) float() float64 {
	if part := d.take(8); part != nil {
		if f := math.Float64frombits(binary.LittleEndian.Uint64(part)); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f
		}
		d.failed = true
	}
	return 0
}

func (d *decoder) text() string {
	n := d.uint32()
	if n > maxName {
		d.failed = true
		return ""
	}
	return string(d.take(int(n)))
}

// output returns an output and its weights: one for each bucket, or for each group
// of buckets whose lower bits are equal.
func (d *decoder) output() (output, []int8) {
	o := output{name: d.text()}
	o.languages = strings.Fields(d.text())
	o.unit, o.slope, o.offset = d.float(), d.float(), d.float()
	n := d.uint32()
	if bits.OnesCount32(n) != 1 || n > Buckets {
		d.failed = true
		return o, nil
	}
	part := d.take(int(n))
	weights := make([]int8, len(part))
	for i, b := range part {
		weights[i] = int8(b)
	}
	return o, weights
}
