package exports

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
)

// pieceSize is the size of the pieces in which lines are written.
const pieceSize = 256 << 10

// output writes lines in a goroutine of its own, so that they are hashed and compressed
// while the next ones are read.
type output struct {
	to     io.Writer
	zip    *gzip.Writer // nil if the file is not compressed
	hash   hash.Hash    // of what is written
	size   int64
	piece  []byte
	pieces chan []byte
	free   chan []byte
	failed chan struct{} // closed after an error
	ended  chan struct{}
	err    error
}

func newOutput(to io.Writer, compress bool) *output {
	o := &output{
		to: to, hash: sha256.New(), pieces: make(chan []byte, 2), free: make(chan []byte, 4),
		failed: make(chan struct{}), ended: make(chan struct{}),
	}
	if compress {
		o.zip = gzip.NewWriter(writerFunc(o.put)) // its header has no name and no time
	}
	go o.run()
	return o
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// run writes the pieces, and after an error discards them.
func (o *output) run() {
	defer close(o.ended)
	for piece := range o.pieces {
		if o.err == nil {
			if o.zip != nil {
				_, o.err = o.zip.Write(piece)
			} else {
				_, o.err = o.put(piece)
			}
			if o.err != nil {
				close(o.failed)
			}
		}
		select {
		case o.free <- piece[:0]:
		default:
		}
	}
	if o.err == nil && o.zip != nil {
		o.err = o.zip.Close()
	}
}

// put writes bytes of the file.
func (o *output) put(p []byte) (int, error) {
	n, err := o.to.Write(p)
	o.hash.Write(p[:n])
	o.size += int64(n)
	return n, err
}

// write adds a line. It returns the error of an earlier one.
func (o *output) write(line []byte) error {
	o.piece = append(o.piece, line...)
	if len(o.piece) < pieceSize {
		return nil
	}
	return o.flush()
}

// bytes adds some bytes, as an io.Writer does.
func (o *output) bytes(p []byte) (int, error) {
	if err := o.write(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (o *output) flush() error {
	select {
	case <-o.failed:
		return o.err
	case o.pieces <- o.piece:
	}
	select {
	case o.piece = <-o.free:
	default:
		o.piece = make([]byte, 0, pieceSize+pieceSize/4)
	}
	return nil
}

// end writes the last piece and waits until all is written.
func (o *output) end() error {
	if len(o.piece) > 0 {
		o.pieces <- o.piece
	}
	close(o.pieces)
	<-o.ended
	return o.err
}

// sum returns the SHA-256 of the file, after its end.
func (o *output) sum() string { return hex.EncodeToString(o.hash.Sum(nil)) }
