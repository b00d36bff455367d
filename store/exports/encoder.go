package exports

import (
	"bytes"
	"encoding/json"
	"fmt"

	"treewarden/corpus"
	"treewarden/corpus/parquetfile"
	"treewarden/corpus/spreadsheet"
)

// encoder writes records in the format of a file.
type encoder interface {
	begin() error
	write(record *corpus.Record) error
	end() error
}

func newEncoder(format string, out *output) encoder {
	if format == Parquet {
		return &parquetEncoder{parquetfile.NewWriter(writerFunc(out.bytes))}
	}
	return &lineEncoder{out: out, lines: newLiner(format)}
}

// lineEncoder writes the lines of a liner.
type lineEncoder struct {
	out   *output
	lines liner
}

func (e *lineEncoder) begin() error { return e.out.write(e.lines.header()) }

func (e *lineEncoder) write(record *corpus.Record) error {
	line, err := e.lines.line(record)
	if err != nil {
		return err
	}
	return e.out.write(line)
}

func (e *lineEncoder) end() error { return nil }

// parquetEncoder writes rows in groups.
type parquetEncoder struct{ file *parquetfile.Writer }

func (e *parquetEncoder) begin() error { return nil }

func (e *parquetEncoder) write(record *corpus.Record) error { return e.file.Write(record.Row()) }

func (e *parquetEncoder) end() error { return e.file.Close() }

// liner makes the line of a record, valid until the next one. What a format does not hold
// of a record is not in its line, so that lines of the same file are the same.
type liner interface {
	// header returns what is before the first line.
	header() []byte
	line(record *corpus.Record) ([]byte, error)
}

func newLiner(format string) liner {
	switch format {
	case CSV:
		l := &csvLiner{}
		l.rows = spreadsheet.NewWriter(&l.buffer, spreadsheet.AsTheyAre)
		return l
	case Parquet:
		return rowLiner{}
	}
	return &jsonLiner{}
}

// jsonLiner makes lines of JSON.
type jsonLiner struct{ buffer []byte }

func (l *jsonLiner) header() []byte { return nil }

func (l *jsonLiner) line(record *corpus.Record) ([]byte, error) {
	if cap(l.buffer) > 1<<20 {
		l.buffer = nil // free the memory of a large tree
	}
	l.buffer = append(record.Append(l.buffer[:0]), '\n')
	if len(l.buffer) > corpus.MaxLine || len(record.Messages) > corpus.MaxMessages {
		return nil, wrong("format", fmt.Sprintf("tree %s is too large for one line, which no import would take; choose the "+
			"format messages.", record.Messages[0].MessageID))
	}
	return l.buffer, nil
}

// csvLiner makes rows of CSV.
type csvLiner struct {
	cells  corpus.Cells
	buffer bytes.Buffer
	rows   *spreadsheet.Writer
}

func (l *csvLiner) header() []byte {
	row, _ := l.row(corpus.Columns) // names of columns can be written
	return append([]byte(spreadsheet.ByteOrderMark), row...)
}

func (l *csvLiner) line(record *corpus.Record) ([]byte, error) { return l.row(l.cells.Of(record)) }

func (l *csvLiner) row(cells []string) ([]byte, error) {
	l.buffer.Reset()
	if err := l.rows.Write(cells); err != nil {
		return nil, err
	}
	if err := l.rows.Flush(); err != nil {
		return nil, err
	}
	return l.buffer.Bytes(), nil
}

// rowLiner makes lines of JSON of what a row of Parquet holds.
type rowLiner struct{}

func (rowLiner) header() []byte { return nil }

func (rowLiner) line(record *corpus.Record) ([]byte, error) { return rowLine(record.Row()) }

func rowLine(row corpus.Row) ([]byte, error) {
	line, err := json.Marshal(row)
	if err != nil {
		return nil, fmt.Errorf("write a row as JSON: %w", err)
	}
	return line, nil
}

// loss counts the rows of a file of which it does not hold something.
type loss struct {
	corpus.Loss
	format string
	rows   int64
}

func (l *loss) String() string {
	rows := "rows"
	if l.rows == 1 {
		rows = "row"
	}
	return fmt.Sprintf("%s (%s, %d %s)", l.What, l.format, l.rows, rows)
}

// lossesOf returns what a format does not hold.
func lossesOf(format string) (losses []loss) {
	all, name := corpus.LostInRow, "Parquet"
	switch format {
	case Parquet:
	case CSV:
		all, name = corpus.LostInCells, "CSV"
	default:
		return nil
	}
	for _, one := range all {
		losses = append(losses, loss{Loss: one, format: name})
	}
	return losses
}
