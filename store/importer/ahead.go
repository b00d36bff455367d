package importer

import (
	"context"
	"errors"
	"iter"

	"golang.org/x/sync/semaphore"

	"treewarden/corpus"
)

// readAheadBytes limits the memory of lines that were read but not committed: the
// bytes of their text and an estimate of the overhead.
const readAheadBytes = 96 << 20

// messageWeight is that estimate for one message.
const messageWeight = 512

// lineReader reads records in a goroutine, ahead of the database.
type lineReader struct {
	lines chan readLine
	room  *semaphore.Weighted
	stop  context.CancelFunc
}

// readLine is one line that was read: a record, a fault, or the error that ends
// the reading. A zero readLine means that the reader has no room and waits for a
// commit.
type readLine struct {
	record *corpus.Record
	weight int64
	fault  *corpus.Fault
	err    error
}

// readAhead starts to read. The channel is closed at the end of the records and
// when the context ends or stop is called.
func readAhead(ctx context.Context, records iter.Seq2[*corpus.Record, error]) *lineReader {
	ctx, stop := context.WithCancel(ctx)
	a := &lineReader{lines: make(chan readLine, 1024), room: semaphore.NewWeighted(readAheadBytes), stop: stop}
	go func() {
		defer close(a.lines)
		for record, err := range records {
			if !a.send(ctx, record, err) {
				return
			}
		}
	}()
	return a
}

// send sends a line and reports whether to continue.
func (a *lineReader) send(ctx context.Context, record *corpus.Record, err error) bool {
	var fault *corpus.Fault
	switch {
	case errors.As(err, &fault):
		return a.put(ctx, readLine{fault: fault})
	case err != nil:
		a.put(ctx, readLine{err: err})
		return false
	}
	weight := min(int64(record.Size)+messageWeight*int64(len(record.Messages)), readAheadBytes)
	if !a.room.TryAcquire(weight) {
		if !a.put(ctx, readLine{}) || a.room.Acquire(ctx, weight) != nil {
			return false
		}
	}
	return a.put(ctx, readLine{record: record, weight: weight})
}

func (a *lineReader) put(ctx context.Context, line readLine) bool {
	select {
	case a.lines <- line:
		return true
	case <-ctx.Done():
		return false
	}
}

// release makes room for further lines.
func (a *lineReader) release(weight int64) {
	if weight > 0 {
		a.room.Release(weight)
	}
}
