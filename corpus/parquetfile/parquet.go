// Package parquetfile writes and reads rows of the OASST data sets as Parquet, with the
// columns that they have on Hugging Face.
package parquetfile

import (
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"treewarden/corpus"
)

// A group of rows is written when it has so many rows, or bytes of texts. The memory of a
// Writer depends on them.
const (
	maxGroupRows  = 4000
	maxGroupBytes = 4 << 20
	rowBytes      = 200 // of a row besides its texts, roughly
)

// pageBytes is the size of the pages of a column. Besides its metadata, a reader holds
// one of each column.
const pageBytes = 256 << 10

// schema is that of corpus.Row. Its name is the one that the files on Hugging Face have.
var schema = parquet.NewSchema("schema", parquet.SchemaOf(corpus.Row{}))

// compression needs some 16 MB; the default of the library needs twice as much.
var compression = &zstd.Codec{Level: zstd.SpeedFastest, Concurrency: 1}

// Writer writes a file. The same rows give the same bytes: the file names no time, and
// of its maker only the version of this layout.
type Writer struct {
	file       *parquet.GenericWriter[corpus.Row]
	one        [1]corpus.Row
	rows, size int // of the group
}

// NewWriter returns a writer to out. The file is complete after Close.
func NewWriter(out io.Writer) *Writer {
	return &Writer{file: parquet.NewGenericWriter[corpus.Row](out, schema, parquet.CreatedBy("treewarden", "1", "rows"),
		parquet.Compression(compression), parquet.PageBufferSize(pageBytes), parquet.WriteBufferSize(0),
		parquet.SkipPageBounds("text"))}
}

// Write writes a row.
func (w *Writer) Write(row corpus.Row) error {
	w.one[0] = row
	if _, err := w.file.Write(w.one[:]); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	w.rows, w.size = w.rows+1, w.size+rowBytes
	if row.Text != nil {
		w.size += len(*row.Text)
	}
	if w.rows < maxGroupRows && w.size < maxGroupBytes {
		return nil
	}
	w.rows, w.size = 0, 0
	if err := w.file.Flush(); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	return nil
}

// Close writes the rest of the file, but does not close what it is written to.
func (w *Writer) Close() error {
	if err := w.file.Close(); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	return nil
}

// ErrFormat is the error of a file that cannot be read as Parquet with these columns.
var ErrFormat = errors.New("this cannot be read as Parquet with the columns of OASST")

// atOnce is the number of rows that are read at once.
const atOnce = 128

// Rows reads the rows of a file. An error is the last; it is an ErrFormat, or one of
// reading.
func Rows(from io.ReaderAt, size int64) iter.Seq2[corpus.Row, error] {
	return func(yield func(corpus.Row, error) bool) {
		goesOn := true
		if err := read(from, size, func(row corpus.Row) bool {
			goesOn = yield(row, nil)
			return goesOn
		}); err != nil && goesOn {
			yield(corpus.Row{}, err)
		}
	}
}

// read calls each with the rows, until it returns false.
func read(from io.ReaderAt, size int64, each func(corpus.Row) bool) error {
	source := &failing{from: from}
	var file *parquet.File
	var rows *parquet.GenericReader[corpus.Row]
	if err := source.guard(func() (err error) {
		file, err = parquet.OpenFile(source, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
		if err != nil {
			return err
		}
		if !parquet.EqualNodes(file.Schema(), schema) {
			return errors.New("its columns are others")
		}
		rows = parquet.NewGenericReader[corpus.Row](file)
		return nil
	}); err != nil {
		return err
	}
	defer rows.Close()
	found := make([]corpus.Row, atOnce)
	for {
		n, end := 0, false
		if err := source.guard(func() (err error) {
			clear(found) // what an earlier row points to is not written to
			n, err = rows.Read(found)
			end = errors.Is(err, io.EOF) || err == nil && n == 0
			if end {
				return nil
			}
			return err
		}); err != nil {
			return err
		}
		for _, row := range found[:n] {
			if !each(row) {
				return nil
			}
		}
		if end {
			return nil
		}
	}
}

// failing keeps the error of the disk, which the library may hide.
type failing struct {
	from io.ReaderAt
	err  error
}

// ReadAt reads.
func (f *failing) ReadAt(p []byte, at int64) (int, error) {
	if at < 0 {
		return 0, errors.New("it names a place before its beginning")
	}
	n, err := f.from.ReadAt(p, at)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

// guard calls do. An error of the disk stays what it is; others, and a panic of the
// library, come from what the file holds.
func (f *failing) guard(do func() error) (err error) {
	defer func() {
		if why := recover(); why != nil {
			err = fmt.Errorf("%w: %v", ErrFormat, why)
		}
	}()
	err = do()
	switch {
	case f.err != nil:
		return fmt.Errorf("read Parquet: %w", f.err)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return nil
}
