package store

import (
	"fmt"
	"reflect"

	"github.com/google/uuid"

	"treewarden/corpus"
)

// importBatch is what one transaction takes in. No message is in it twice, so
// that each is either new or known, and the order of its items says nothing.
type importBatch struct {
	items    []*importItem
	at       map[uuid.UUID]importAt
	messages int
	bytes    int
	weight   int64
	// older says that its records were read before what stands in the
	// database: they fill what is missing and replace nothing.
	older bool
}

// importAt is the place of a message in a batch.
type importAt struct {
	item *importItem
	i    int
}

// importItem is one record on its way in.
type importItem struct {
	record *corpus.Record
	// repeats are lines that say the same, word for word.
	repeats []*corpus.Record

	// What placing it found:
	state  importState
	tree   uuid.UUID
	parent *uuid.UUID // of the first message
	depth  int        // of the first message
	fault  *corpus.Fault
	// roots holds, for each message that is deleted, the topmost message of
	// the run of deleted ones that it ends, else the zero UUID.
	roots []uuid.UUID
}

type importState int8

const (
	importUnplaced importState = iota
	importPlacing              // its parent is being placed
	importPlaced
	importRefused
	importOrphan
)

func newImportBatch() *importBatch {
	return &importBatch{at: map[uuid.UUID]importAt{}}
}

// add takes a record in and returns true, or false when the batch must be
// committed first because the record speaks of a message that is in it.
func (b *importBatch) add(record *corpus.Record, weight int64) bool {
	for i := range record.Messages {
		at, here := b.at[record.Messages[i].MessageID]
		if !here {
			continue
		}
		if i == 0 && at.i == 0 && sameRecord(at.item.record, record) {
			at.item.repeats = append(at.item.repeats, &corpus.Record{File: record.File, Line: record.Line})
			b.weight += weight
			return true
		}
		return false
	}
	item := &importItem{record: record}
	for i := range record.Messages {
		b.at[record.Messages[i].MessageID] = importAt{item, i}
	}
	b.items = append(b.items, item)
	b.messages += len(record.Messages)
	b.bytes += record.Size
	b.weight += weight
	return true
}

func sameRecord(a, b *corpus.Record) bool {
	return len(a.Messages) == len(b.Messages) && a.Prompt == b.Prompt &&
		reflect.DeepEqual(a.Tree, b.Tree) && reflect.DeepEqual(a.Messages, b.Messages)
}

func (b *importBatch) full(messages int) bool {
	return b.messages >= messages || b.bytes >= importBatchBytes
}

// begins names the batch's first line, for errors.
func (b *importBatch) begins() string {
	first := b.items[0].record
	if first.File == "" {
		return fmt.Sprintf("line %d", first.Line)
	}
	return fmt.Sprintf("line %d of %s", first.Line, first.File)
}

// parentOf is the parent of the item's i-th message.
func (i *importItem) parentOf(at int) *uuid.UUID {
	if at == 0 {
		return i.parent
	}
	return i.record.Messages[at].ParentID
}

// refuse says why an item does not go in.
func (i *importItem) refuse(code, format string, args ...any) {
	i.state = importRefused
	i.fault = &corpus.Fault{File: i.record.File, Line: i.record.Line, Code: code, Message: fmt.Sprintf(format, args...)}
}
