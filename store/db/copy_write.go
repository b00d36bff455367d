package db

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// CopyRows collects rows in the binary format of COPY. The driver's own CopyFrom
// would allocate for each of some forty values of a message.
type CopyRows struct {
	buf  []byte
	Rows int
}

// copyHeader is the header of the format: its signature, no flags, no extension.
var copyHeader = []byte("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00")

func (c *CopyRows) Reset() { c.buf, c.Rows = append(c.buf[:0], copyHeader...), 0 }

// Row begins a row.
func (c *CopyRows) Row(columns int) {
	c.buf = binary.BigEndian.AppendUint16(c.buf, uint16(columns))
	c.Rows++
}

// Send copies the rows into columns of a table, in the transaction of a connection.
func (c *CopyRows) Send(ctx context.Context, tx interface{ Conn() *pgx.Conn }, table, columns string) error {
	if c.Rows == 0 {
		return nil
	}
	c.buf = append(c.buf, 0xff, 0xff) // the end
	tag, err := tx.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(c.buf), `COPY `+table+` (`+columns+`) FROM STDIN BINARY`)
	if err != nil {
		return fmt.Errorf("copy into %s: %w", table, err)
	}
	if tag.RowsAffected() != int64(c.Rows) {
		return fmt.Errorf("copy into %s: %d of %d rows arrived", table, tag.RowsAffected(), c.Rows)
	}
	return nil
}

func (c *CopyRows) size(n int) { c.buf = binary.BigEndian.AppendUint32(c.buf, uint32(n)) }

func (c *CopyRows) Null() { c.size(-1) }

func (c *CopyRows) UUID(id uuid.UUID) {
	c.size(len(id))
	c.buf = append(c.buf, id[:]...)
}

func (c *CopyRows) OptionalUUID(id *uuid.UUID) {
	if id == nil {
		c.Null()
		return
	}
	c.UUID(*id)
}

func (c *CopyRows) Text(s string) {
	c.size(len(s))
	c.buf = append(c.buf, s...)
}

func (c *CopyRows) Bytes(b []byte) {
	c.size(len(b))
	c.buf = append(c.buf, b...)
}

func (c *CopyRows) OptionalText(s *string) {
	if s == nil {
		c.Null()
		return
	}
	c.Text(*s)
}

func (c *CopyRows) Int16(n int16) {
	c.size(2)
	c.buf = binary.BigEndian.AppendUint16(c.buf, uint16(n))
}

func (c *CopyRows) Int(n int) {
	c.size(4)
	c.buf = binary.BigEndian.AppendUint32(c.buf, uint32(int32(n)))
}

func (c *CopyRows) OptionalInt(n *int) {
	if n == nil {
		c.Null()
		return
	}
	c.Int(*n)
}

func (c *CopyRows) Bool(b bool) {
	c.size(1)
	if b {
		c.buf = append(c.buf, 1)
	} else {
		c.buf = append(c.buf, 0)
	}
}

func (c *CopyRows) OptionalBool(b *bool) {
	if b == nil {
		c.Null()
		return
	}
	c.Bool(*b)
}

func (c *CopyRows) Float(f *float64) {
	if f == nil {
		c.Null()
		return
	}
	c.size(8)
	c.buf = binary.BigEndian.AppendUint64(c.buf, math.Float64bits(*f))
}

// Time writes a date; nil is '-infinity', an unknown date.
func (c *CopyRows) Time(t *time.Time) {
	c.size(8)
	n := int64(math.MinInt64)
	if t != nil {
		n = t.UnixMicro() - postgresEpoch
	}
	c.buf = binary.BigEndian.AppendUint64(c.buf, uint64(n))
}

func (c *CopyRows) Moment(m Moment) {
	c.size(8)
	c.buf = binary.BigEndian.AppendUint64(c.buf, uint64(m))
}

// Counts writes counts, a column each; 0 is null.
func (c *CopyRows) Counts(values []int64) {
	for _, n := range values {
		if n == 0 {
			c.Null()
			continue
		}
		c.Moment(Moment(n)) // a bigint has the same format as a timestamptz
	}
}

// JSON writes a json value; nil is null.
func (c *CopyRows) JSON(text []byte) {
	if text == nil {
		c.Null()
		return
	}
	c.size(len(text))
	c.buf = append(c.buf, text...)
}

// Jsonb writes a jsonb value, which is sent as a version and text; nil is null.
func (c *CopyRows) Jsonb(text []byte) {
	if text == nil {
		c.Null()
		return
	}
	c.size(len(text) + 1)
	c.buf = append(append(c.buf, 1), text...)
}

// float8OID is the type of an array's elements in its binary form.
const float8OID = 701

// Floats writes an array of double precision.
func (c *CopyRows) Floats(values []*float64) {
	at := len(c.buf)
	c.size(0) // set below
	holes := uint32(0)
	for _, v := range values {
		if v == nil {
			holes = 1
		}
	}
	dimensions := uint32(1)
	if len(values) == 0 {
		dimensions = 0
	}
	c.buf = binary.BigEndian.AppendUint32(c.buf, dimensions)
	c.buf = binary.BigEndian.AppendUint32(c.buf, holes)
	c.buf = binary.BigEndian.AppendUint32(c.buf, float8OID)
	if dimensions == 1 {
		c.buf = binary.BigEndian.AppendUint32(c.buf, uint32(len(values)))
		c.buf = binary.BigEndian.AppendUint32(c.buf, 1) // the first index
		for _, v := range values {
			c.Float(v)
		}
	}
	binary.BigEndian.PutUint32(c.buf[at:], uint32(len(c.buf)-at-4))
}

// int4OID is the type of an array's elements in its binary form.
const int4OID = 23

// Ints writes an array of integer.
func (c *CopyRows) Ints(values []int32) {
	if len(values) == 0 {
		c.size(12)
		c.buf = append(c.buf, make([]byte, 8)...) // no dimensions, no nulls
		c.buf = binary.BigEndian.AppendUint32(c.buf, int4OID)
		return
	}
	c.size(20 + 8*len(values))
	for _, n := range []uint32{1, 0, int4OID, uint32(len(values)), 1} { // one dimension, no nulls; the first index
		c.buf = binary.BigEndian.AppendUint32(c.buf, n)
	}
	for _, v := range values {
		c.Int(int(v))
	}
}

// IDArray returns ids as an array that the driver encodes without reflection,
// which would be slower than the query itself.
func IDArray(ids []uuid.UUID) pgtype.FlatArray[pgtype.UUID] {
	array := make(pgtype.FlatArray[pgtype.UUID], len(ids))
	for i, id := range ids {
		array[i] = pgtype.UUID{Bytes: id, Valid: true}
	}
	return array
}
