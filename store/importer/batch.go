package importer

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/corpus"
	"treewarden/store/tables"
)

// batch holds the records of one transaction. No message is in it twice, so that
// each is either new or known, and the order of items does not matter.
type batch struct {
	items    []*incoming
	at       map[uuid.UUID]place
	messages int
	bytes    int
	weight   int64
	// older reports whether the records were read before the data in the
	// database: they only fill missing values.
	older bool
	// held reports whether the records waited for the end of the import.
	held bool
}

// place is the place of a message in a batch.
type place struct {
	item *incoming
	i    int
}

// incoming is one record to import.
type incoming struct {
	record *corpus.Record
	// repeats are identical lines.
	repeats []*corpus.Record

	// The results of placing it:
	state  state
	tree   uuid.UUID
	parent *uuid.UUID // of the first message
	depth  int        // of the first message
	fault  *corpus.Fault
	// roots holds, for each deleted message, the topmost message of the unbroken
	// run of deleted messages above it, else the zero UUID.
	roots []uuid.UUID
	// skip holds the indexes of messages that wait for the end of the import.
	skip map[int]bool
}

type state int8

const (
	unplaced state = iota
	placing        // its parent is being placed
	placed
	refused
	orphan
)

func newBatch() *batch {
	return &batch{at: map[uuid.UUID]place{}}
}

// add adds a record and returns true. It returns false if the batch must be
// committed first, because the record refers to a message in it.
func (b *batch) add(record *corpus.Record, weight int64) bool {
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
	item := &incoming{record: record}
	for i := range record.Messages {
		b.at[record.Messages[i].MessageID] = place{item, i}
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

func (b *batch) full(messages int) bool {
	return b.messages >= messages || b.bytes >= batchBytes
}

// begins returns the position of the batch's first line, for errors.
func (b *batch) begins() string {
	first := b.items[0].record
	if first.File == "" {
		return fmt.Sprintf("line %d", first.Line)
	}
	return fmt.Sprintf("line %d of %s", first.Line, first.File)
}

// parentOf returns the parent of the item's message at an index.
func (i *incoming) parentOf(at int) *uuid.UUID {
	if at == 0 {
		return i.parent
	}
	return i.record.Messages[at].ParentID
}

// refuse marks an item as refused.
func (i *incoming) refuse(code, format string, args ...any) {
	i.state = refused
	i.fault = &corpus.Fault{File: i.record.File, Line: i.record.Line, Code: code, Message: fmt.Sprintf(format, args...)}
}

// learnModels reads or creates the models and outputs of a batch, and refuses
// records with too many. A dry run only reads.
func (b *batch) learnModels(ctx context.Context, tx pgx.Tx, m tables.Models, dry bool) error {
	for _, item := range b.items {
		if item.state == refused {
			continue
		}
		for i := range item.record.Messages {
			message := &item.record.Messages[i]
			if m.Knows(message.Classifiers) {
				continue
			}
			err := m.Register(ctx, tx, message.Classifiers, dry)
			var full tables.ErrModelFull
			if errors.As(err, &full) {
				item.refuse(corpus.TooMany, "with message %s the model %q would have more than %d outputs", message.MessageID,
					string(full), tables.MaxOutputs)
				break
			}
			if errors.Is(err, tables.ErrManyModels) {
				item.refuse(corpus.TooMany, "with message %s there would be more than %d models of classifiers", message.MessageID,
					tables.MaxModels)
				break
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}
