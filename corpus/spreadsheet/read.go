package spreadsheet

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Row is a row of a CSV file. It is valid until the next one.
type Row struct {
	Raw   []byte   // the bytes of the file, with the end of the row
	Cells []string // in which each line break is a line feed
}

// Fault is a row that is no CSV.
type Fault struct {
	Row int // from 1
	Why error
}

func (f *Fault) Error() string { return fmt.Sprintf("row %d is no CSV: %v", f.Row, f.Why) }

// Unwrap returns why.
func (f *Fault) Unwrap() error { return f.Why }

// Rows reads the rows of a file, without a byte order mark at its beginning. A row that
// is no CSV is a *Fault, after which the next one comes; another error is the last. A row
// is not longer than max bytes.
func Rows(from io.Reader, max int) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		lines := bufio.NewScanner(from)
		lines.Buffer(make([]byte, 0, 64<<10), max)
		lines.Split(splitRows)
		n := 0
		for ; lines.Scan(); n++ {
			raw := lines.Bytes()
			if n == 0 {
				raw = bytes.TrimPrefix(raw, []byte(ByteOrderMark))
			}
			cells, err := csv.NewReader(bytes.NewReader(raw)).Read()
			if err != nil {
				err = &Fault{n + 1, reason(err)}
			}
			if !yield(Row{raw, cells}, err) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			if errors.Is(err, bufio.ErrTooLong) {
				err = &Fault{n + 1, fmt.Errorf("it is longer than %d bytes, or its quotes have no end", max)}
			}
			yield(Row{}, err)
		}
	}
}

// reason returns an error without the place in its row.
func reason(err error) error {
	var at *csv.ParseError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// splitRows ends a row at a line feed that is not in quotes.
func splitRows(data []byte, atEnd bool) (advance int, row []byte, err error) {
	quoted := false
	for i, c := range data {
		switch {
		case c == '"':
			quoted = !quoted
		case c == '\n' && !quoted:
			return i + 1, data[:i+1], nil
		}
	}
	if atEnd && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}
