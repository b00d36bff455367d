package corpus

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/klauspost/compress/gzip"
)

// readBuffer is the size of a reader's buffer; longer lines are collected
// separately.
const readBuffer = 256 << 10

// Reader reads records from one file, line by line. It is not safe for concurrent
// use.
type Reader struct {
	name    string
	src     *bufio.Reader
	long    []byte // a line longer than the buffer
	line    int
	pending int // bytes of skipped lines
	parser  *Parser
	done    bool
}

// NewReader returns a reader of JSON Lines, with or without gzip, which it
// detects from the first bytes. The name is used in faults and records.
func NewReader(r io.Reader, name string) *Reader {
	return &Reader{name: name, src: bufio.NewReaderSize(unzipped(r), readBuffer), parser: NewParser()}
}

// Next returns the next record. For an invalid line it returns a *Fault, and the
// next call continues after it. At the end it returns io.EOF. A read error (a
// broken disk, a cut gzip stream) is a Fault too, followed by io.EOF.
func (r *Reader) Next() (*Record, error) {
	if r.done {
		return nil, io.EOF
	}
	for {
		line, size, err := r.readLine()
		r.pending += size
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errTooLong) {
			r.line, r.done = r.line+1, true
			return nil, r.place(fault(Unreadable, "the file cannot be read any further: %v", err))
		}
		if size > 0 {
			r.line++
		}
		if errors.Is(err, errTooLong) {
			return nil, r.place(fault(TooLong, "the line is longer than %d MiB", MaxLine>>20))
		}
		if len(line) > 0 {
			return r.parse(line)
		}
		if err != nil {
			r.done = true
			return nil, io.EOF
		}
	}
}

func (r *Reader) parse(line []byte) (*Record, error) {
	if r.line == 1 && len(line) > len(byteOrderMark) {
		line = bytes.TrimPrefix(line, byteOrderMark)
	}
	if r.line == 1 {
		if f := r.otherFormat(line); f != nil {
			r.done = true
			return nil, r.place(f)
		}
	}
	record, err := r.parser.Parse(line)
	if err != nil {
		return nil, r.place(err)
	}
	record.File, record.Line, record.Size = r.name, r.line, r.take()
	return record, nil
}

// byteOrderMark begins files written on Windows; it is skipped.
var byteOrderMark = []byte("\xef\xbb\xbf")

// All returns what Next returns, up to the end of the file.
func (r *Reader) All() iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		for {
			record, err := r.Next()
			if errors.Is(err, io.EOF) || !yield(record, err) {
				return
			}
		}
	}
}

// Ignored returns the counts of unknown keys by name.
func (r *Reader) Ignored() map[string]int { return r.parser.ignored }

var errTooLong = errors.New("line too long")

// readLine returns the next line without its end, valid until the next call,
// and how many bytes it took. A last line without an end comes with io.EOF.
func (r *Reader) readLine() (line []byte, size int, err error) {
	if cap(r.long) > 4*readBuffer {
		r.long = nil // free the memory of a large line
	}
	part, err := r.src.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return trimEnd(part), len(part), err
	}
	r.long = append(r.long[:0], part...)
	size = len(part)
	for errors.Is(err, bufio.ErrBufferFull) {
		part, err = r.src.ReadSlice('\n')
		size += len(part)
		if size <= MaxLine {
			r.long = append(r.long, part...)
		}
	}
	if size > MaxLine {
		if err == nil || errors.Is(err, io.EOF) {
			err = errTooLong // at the end of the file, the next call finds it again
		}
		return nil, size, err
	}
	return trimEnd(r.long), size, err
}

func trimEnd(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r"))
}

// place sets the file and line of a fault.
func (r *Reader) place(f *Fault) *Fault {
	f.File, f.Line, f.Size = r.name, r.line, r.take()
	return f
}

// take returns the bytes read since the last record or fault.
func (r *Reader) take() int {
	size := r.pending
	r.pending = 0
	return size
}

// unzipped looks at the first bytes when they are first asked for, not before:
// standard input may have nothing to say yet.
func unzipped(r io.Reader) io.Reader { return &sniffer{src: bufio.NewReader(r)} }

type sniffer struct {
	src  *bufio.Reader
	open io.Reader
}

func (s *sniffer) Read(p []byte) (int, error) {
	if s.open == nil {
		magic, err := s.src.Peek(2)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		s.open = s.src
		if len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
			unzip, err := gzip.NewReader(s.src)
			if err != nil {
				return 0, fmt.Errorf("gzip: %w", err)
			}
			s.open = unzip
		}
	}
	n, err := s.open.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the compressed file ends too early")
	}
	return n, err
}

// Each returns an iterator over records in memory.
func Each(records []*Record) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		for _, record := range records {
			if !yield(record, nil) {
				return
			}
		}
	}
}
