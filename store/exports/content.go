package exports

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/google/uuid"

	"treewarden/corpus"
	"treewarden/corpus/parquetfile"
	"treewarden/corpus/spreadsheet"
)

// Content is what a file holds.
type Content struct {
	SHA256 string
	Bytes  int64
	Counts
	Languages, Roles Numbers
	Faults           []string // the first lines that cannot be read
	faults           int64
	// digests are those of the lines by the ids of their first messages.
	digests map[uuid.UUID]digest
	last    *uuid.UUID // the tree of the last line
}

type digest [16]byte

func digestOf(line []byte) digest {
	sum := sha256.Sum256(line)
	return digest(sum[:16])
}

// Read reads the file of a manifest, of so many bytes. compare keeps what Access.Compare
// needs: 32 bytes for each line, and the room of a map.
func (m Manifest) Read(from io.ReaderAt, size int64, compare bool) (c Content, err error) {
	c.Languages, c.Roles = Numbers{}, Numbers{}
	if compare {
		c.digests = map[uuid.UUID]digest{}
	}
	sum := sha256.New()
	file := io.NewSectionReader(from, 0, size)
	switch m.Format {
	case Parquet:
		err = c.readParquet(from, size)
	case CSV:
		c.readCSV(io.TeeReader(file, sum), m.Gzip)
	default:
		err = c.readLines(io.TeeReader(file, sum), m.File)
	}
	if err != nil {
		return c, fmt.Errorf("read the file: %w", err)
	}
	// What is after the end of the compressed data is a part of the file too.
	if _, err := io.Copy(sum, file); err != nil {
		return c, fmt.Errorf("read the file: %w", err)
	}
	c.SHA256, c.Bytes = hex.EncodeToString(sum.Sum(nil)), size
	return c, nil
}

// add counts a line. line is what digestOf reads, and is not called without need.
func (c *Content) add(tree *uuid.UUID, first uuid.UUID, line func() ([]byte, error)) error {
	if tree == nil || c.last == nil || *tree != *c.last {
		c.Trees++
		c.last = tree
	}
	if c.digests == nil {
		return nil
	}
	text, err := line()
	if err != nil {
		return err
	}
	c.digests[first] = digestOf(text)
	return nil
}

func (c *Content) message(lang, role *string) {
	c.Messages++
	c.Languages.add(lang)
	c.Roles.add(role)
}

func (c *Content) fault(err error) {
	if c.faults++; c.faults <= MaxNamed {
		c.Faults = append(c.Faults, err.Error())
	}
}

// readLines reads JSON Lines, compressed or not.
func (c *Content) readLines(from io.Reader, name string) error {
	lines := newLiner(Messages)
	for record, err := range corpus.NewReader(from, name).All() {
		c.Lines++
		var bad *corpus.Fault
		switch {
		case errors.As(err, &bad):
			c.fault(bad)
			continue
		case err != nil:
			return err
		}
		for i := range record.Messages {
			c.message(record.Messages[i].Lang, &record.Messages[i].Role)
		}
		if err := c.add(record.Tree.ID, record.Messages[0].MessageID, func() ([]byte, error) {
			return lines.line(record)
		}); err != nil {
			return err
		}
	}
	return nil
}

// The places of columns.
var (
	idColumn   = slices.Index(corpus.Columns, "message_id")
	treeColumn = slices.Index(corpus.Columns, "message_tree_id")
	roleColumn = slices.Index(corpus.Columns, "role")
	langColumn = slices.Index(corpus.Columns, "lang")
)

// readCSV reads CSV, compressed or not.
func (c *Content) readCSV(from io.Reader, compressed bool) {
	if compressed {
		unzip, err := gzip.NewReader(from)
		if err != nil {
			c.fault(fmt.Errorf("the file cannot be read as compressed: %w", err))
			return
		}
		from = unzip
	}
	first := true
	for row, err := range spreadsheet.Rows(from, corpus.MaxLine) {
		if err != nil {
			c.fault(err)
			continue
		}
		if first {
			first = false
			if !slices.Equal(row.Cells, corpus.Columns) {
				c.fault(errors.New("the first row does not name the columns of an export"))
			}
			continue
		}
		c.Lines++
		if err := c.cells(row); err != nil {
			c.fault(fmt.Errorf("row %d: %w", c.Lines+1, err))
		}
	}
}

// cells counts a row of CSV.
func (c *Content) cells(row spreadsheet.Row) error {
	if len(row.Cells) != len(corpus.Columns) {
		return fmt.Errorf("it has %d cells, not %d", len(row.Cells), len(corpus.Columns))
	}
	if !utf8.Valid(row.Raw) {
		return errors.New("it is not UTF-8")
	}
	return c.single(row.Cells[idColumn], row.Cells[treeColumn], &row.Cells[langColumn], &row.Cells[roleColumn],
		func() ([]byte, error) { return row.Raw, nil })
}

// readParquet reads Parquet.
func (c *Content) readParquet(from io.ReaderAt, size int64) error {
	for row, err := range parquetfile.Rows(from, size) {
		switch {
		case errors.Is(err, parquetfile.ErrFormat):
			c.fault(err)
			continue
		case err != nil:
			return err
		}
		c.Lines++
		if err := c.row(row); err != nil {
			c.fault(fmt.Errorf("row %d: %w", c.Lines, err))
		}
	}
	return nil
}

// row counts a row of Parquet.
func (c *Content) row(row corpus.Row) error {
	if row.MessageID == nil || row.TreeID == nil {
		return errors.New("it has no message_id or message_tree_id")
	}
	return c.single(*row.MessageID, *row.TreeID, row.Lang, row.Role, func() ([]byte, error) { return rowLine(row) })
}

// single counts a row with a message.
func (c *Content) single(message, tree string, lang, role *string, line func() ([]byte, error)) error {
	id, err := uuid.Parse(message)
	if err != nil {
		return fmt.Errorf("message_id: %w", err)
	}
	of, err := uuid.Parse(tree)
	if err != nil {
		return fmt.Errorf("message_tree_id: %w", err)
	}
	c.message(lang, role)
	return c.add(&of, id, line)
}
