package db

import (
	"context"
	"encoding/binary"
	"math"

	"github.com/jackc/pgx/v5"
)

// EachRaw runs a query and calls row with the values of each row in PostgreSQL's
// binary format. The values are valid until the next row.
func EachRaw(ctx context.Context, c Conn, sql string, row func(raw [][]byte), args ...any) error {
	rows, err := c.Query(ctx, sql, append([]any{pgx.QueryResultFormats{pgx.BinaryFormatCode}}, args...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		row(rows.RawValues())
	}
	return rows.Err()
}

func ReadInt2(raw []byte) int16     { return int16(binary.BigEndian.Uint16(raw)) }
func ReadInt4(raw []byte) int64     { return int64(int32(binary.BigEndian.Uint32(raw))) }
func ReadInt8(raw []byte) int64     { return int64(binary.BigEndian.Uint64(raw)) }
func ReadFloat8(raw []byte) float64 { return math.Float64frombits(binary.BigEndian.Uint64(raw)) }
func ReadMoment(raw []byte) Moment  { return Moment(ReadInt8(raw)) }
