package store

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

// copyRows gathers rows in the binary format of COPY. Written by hand, because
// the driver's own way boxes each of some forty values a message.
type copyRows struct {
	buf  []byte
	rows int
}

// copyHeader begins the format: its signature, no flags, no extension.
var copyHeader = []byte("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00")

func (c *copyRows) reset() { c.buf, c.rows = append(c.buf[:0], copyHeader...), 0 }

// row begins a row.
func (c *copyRows) row(columns int) {
	c.buf = binary.BigEndian.AppendUint16(c.buf, uint16(columns))
	c.rows++
}

// send copies the rows into columns of a table.
func (c *copyRows) send(ctx context.Context, tx pgx.Tx, table, columns string) error {
	if c.rows == 0 {
		return nil
	}
	c.buf = append(c.buf, 0xff, 0xff) // the end
	tag, err := tx.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(c.buf), `COPY `+table+` (`+columns+`) FROM STDIN BINARY`)
	if err != nil {
		return fmt.Errorf("copy into %s: %w", table, err)
	}
	if tag.RowsAffected() != int64(c.rows) {
		return fmt.Errorf("copy into %s: %d of %d rows arrived", table, tag.RowsAffected(), c.rows)
	}
	return nil
}

func (c *copyRows) size(n int) { c.buf = binary.BigEndian.AppendUint32(c.buf, uint32(n)) }

func (c *copyRows) null() { c.size(-1) }

func (c *copyRows) uuid(id uuid.UUID) {
	c.size(len(id))
	c.buf = append(c.buf, id[:]...)
}

func (c *copyRows) optionalUUID(id *uuid.UUID) {
	if id == nil {
		c.null()
		return
	}
	c.uuid(*id)
}

func (c *copyRows) text(s string) {
	c.size(len(s))
	c.buf = append(c.buf, s...)
}

func (c *copyRows) optionalText(s *string) {
	if s == nil {
		c.null()
		return
	}
	c.text(*s)
}

func (c *copyRows) int16(n int16) {
	c.size(2)
	c.buf = binary.BigEndian.AppendUint16(c.buf, uint16(n))
}

func (c *copyRows) int(n int) {
	c.size(4)
	c.buf = binary.BigEndian.AppendUint32(c.buf, uint32(int32(n)))
}

func (c *copyRows) optionalInt(n *int) {
	if n == nil {
		c.null()
		return
	}
	c.int(*n)
}

func (c *copyRows) bool(b bool) {
	c.size(1)
	if b {
		c.buf = append(c.buf, 1)
	} else {
		c.buf = append(c.buf, 0)
	}
}

func (c *copyRows) optionalBool(b *bool) {
	if b == nil {
		c.null()
		return
	}
	c.bool(*b)
}

func (c *copyRows) float(f *float64) {
	if f == nil {
		c.null()
		return
	}
	c.size(8)
	c.buf = binary.BigEndian.AppendUint64(c.buf, math.Float64bits(*f))
}

// postgresEpoch is where timestamptz counts from.
var postgresEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// time writes a date; nil is '-infinity', a date that nobody told.
func (c *copyRows) time(t *time.Time) {
	c.size(8)
	n := int64(math.MinInt64)
	if t != nil {
		n = t.UnixMicro() - postgresEpoch
	}
	c.buf = binary.BigEndian.AppendUint64(c.buf, uint64(n))
}

func (c *copyRows) moment(m moment) {
	c.size(8)
	c.buf = binary.BigEndian.AppendUint64(c.buf, uint64(m))
}

// tally writes counts, a column each; 0 is null.
func (c *copyRows) tally(t *tally) {
	for _, n := range t {
		if n == 0 {
			c.null()
			continue
		}
		c.moment(moment(n)) // a bigint, as a timestamptz is
	}
}

// json writes a json value; nil is null.
func (c *copyRows) json(text []byte) {
	if text == nil {
		c.null()
		return
	}
	c.size(len(text))
	c.buf = append(c.buf, text...)
}

// jsonb writes a jsonb value, which travels as text behind a version; nil is null.
func (c *copyRows) jsonb(text []byte) {
	if text == nil {
		c.null()
		return
	}
	c.size(len(text) + 1)
	c.buf = append(append(c.buf, 1), text...)
}

// float8OID is the type of an array's elements in its binary form.
const float8OID = 701

// floats writes an array of double precision.
func (c *copyRows) floats(values []*float64) {
	at := len(c.buf)
	c.size(0) // known at the end
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
			c.float(v)
		}
	}
	binary.BigEndian.PutUint32(c.buf[at:], uint32(len(c.buf)-at-4))
}

// idArray gives ids in a form that the driver writes without reflection, which
// would take longer than the database needs for them.
func idArray(ids []uuid.UUID) pgtype.FlatArray[pgtype.UUID] {
	array := make(pgtype.FlatArray[pgtype.UUID], len(ids))
	for i, id := range ids {
		array[i] = pgtype.UUID{Bytes: id, Valid: true}
	}
	return array
}
