package db

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/jackc/pgx/v5"
)

// EachCopied runs a query by COPY, which is cheaper than the extended protocol,
// and calls row with the values of each row in PostgreSQL's binary format. A null
// is nil. The values are valid until the next row. COPY takes no parameters;
// times are written into the query with SQLMoment.
func EachCopied(ctx context.Context, c *pgx.Conn, query string, row func(raw [][]byte)) error {
	r := copyReader{row: row}
	if _, err := c.PgConn().CopyTo(ctx, &r, "COPY ("+query+") TO STDOUT (FORMAT binary)"); err != nil {
		return err
	}
	if len(r.rest) > 0 || !r.ended {
		return errors.New("the answer of COPY is cut off")
	}
	return nil
}

// copyReader parses the binary format of COPY from pieces of any length.
// (PostgreSQL sends one row per piece, but does not guarantee it.)
type copyReader struct {
	row    func(raw [][]byte)
	rest   []byte // an incomplete row
	values [][]byte
	begun  bool
	ended  bool
}

// Write reads the next piece.
func (r *copyReader) Write(piece []byte) (int, error) {
	data := piece
	if len(r.rest) > 0 {
		r.rest = append(r.rest, piece...)
		data = r.rest
	}
	for len(data) > 0 && !r.ended {
		n := 0
		if r.begun {
			n = r.read(data)
		} else {
			n = r.begin(data)
		}
		if n == 0 {
			break
		}
		data = data[n:]
	}
	r.rest = append(r.rest[:0], data...)
	return len(piece), nil
}

// begin skips the header and returns its length, or 0 if it is incomplete.
func (r *copyReader) begin(data []byte) int {
	const fixed = 19 // the signature, flags and the length of the extension
	if len(data) < fixed {
		return 0
	}
	n := fixed + int(binary.BigEndian.Uint32(data[fixed-4:]))
	if len(data) < n {
		return 0
	}
	r.begun = true
	return n
}

// read calls row for one row and returns its length, or 0 if it is incomplete.
func (r *copyReader) read(data []byte) int {
	if len(data) < 2 {
		return 0
	}
	columns := int(int16(binary.BigEndian.Uint16(data)))
	at := 2
	if columns < 0 {
		r.ended = true
		return at
	}
	r.values = r.values[:0]
	for range columns {
		if len(data) < at+4 {
			return 0
		}
		size := int(int32(binary.BigEndian.Uint32(data[at:])))
		at += 4
		if size < 0 {
			r.values = append(r.values, nil)
			continue
		}
		if len(data) < at+size {
			return 0
		}
		r.values = append(r.values, data[at:at+size:at+size])
		at += size
	}
	r.row(r.values)
	return at
}
