package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
	"treewarden/store"
)

// deepPage is the number of the page that a list is followed to.
const deepPage = 100

// lister reads a page of a list and returns the cursor of the next one.
type lister func(ctx context.Context, cursor string) (next *string, err error)

// measureCursors compares page 1 of every list with page 100 and the last one.
func (b *bench) measureCursors(ctx context.Context) error {
	busiest, err := column[uuid.UUID](ctx, b.ours, "SELECT user_id FROM messages WHERE NOT deleted GROUP BY 1 ORDER BY "+
		"count(*) DESC LIMIT 1")
	if err != nil || len(busiest) == 0 {
		return errors.Join(err, errors.New("nobody wrote anything"))
	}
	messages := func(f store.MessageFilter) lister {
		return func(ctx context.Context, cursor string) (*string, error) {
			f.Cursor = cursor
			page, err := b.store.Messages(ctx, store.CommandLine, f)
			return page.Next, err
		}
	}
	zero := uuid.Nil.String()
	for _, list := range []struct {
		name string
		read lister
		end  []string // the keys of the row before the last page, in the list's own order
		how  string
	}{
		{"messages of the busiest user", messages(store.MessageFilter{User: &busiest[0]}),
			[]string{"-infinity", zero}, "store.Messages, of a user"},
		{"messages", messages(store.MessageFilter{}), []string{"-infinity", zero}, "store.Messages"},
		{"trees", func(ctx context.Context, cursor string) (*string, error) {
			page, err := b.store.Trees(ctx, store.CommandLine, store.TreeFilter{Page: store.Page{Cursor: cursor}})
			return page.Next, err
		}, []string{"-infinity", zero}, "store.Trees"},
		{"users", func(ctx context.Context, cursor string) (*string, error) {
			page, err := b.store.Users(ctx, store.CommandLine, store.UserFilter{Page: store.Page{Cursor: cursor}})
			return page.Next, err
		}, []string{"\U0010FFFF", "ffffffff-ffff-ffff-ffff-ffffffffffff"}, "store.Users"},
		{"board", func(ctx context.Context, cursor string) (*string, error) {
			f := boardOf(scoring.Total, 50)
			f.Cursor = cursor
			board, err := b.store.Board(ctx, store.CommandLine, f)
			return board.Next, err
		}, []string{"-1e9", zero}, "store.Board, total"},
	} {
		if err := b.measureCursor(ctx, list.name, list.read, list.end, list.how); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) measureCursor(ctx context.Context, name string, read lister, end []string, how string) error {
	cursor, second := "", ""
	for page := 1; page < b.count(deepPage); page++ {
		next, err := read(ctx, cursor)
		if err != nil {
			return err
		}
		if next == nil {
			break
		}
		if cursor = *next; page == 1 {
			second = cursor
		}
	}
	pages := map[string]string{"page 100": cursor}
	if last, ok := fromTheEnd(second, end); ok {
		pages["the last page"] = last
	}
	read1 := func(int) error {
		_, err := read(ctx, "")
		return err
	}
	for _, page := range slices.Sorted(maps.Keys(pages)) {
		took, err := b.inTurns(40, 10*time.Second, read1, func(int) error {
			_, err := read(ctx, pages[page])
			return err
		})
		if err != nil {
			return err
		}
		b.atMost(name+", "+page+" against page 1", took[0].median(), took[1].median(), 2, how)
	}
	return nil
}

// fromTheEnd makes from a list's cursor the one that leads backwards from the
// end of the list. It returns false if the cursor has another form.
func fromTheEnd(cursor string, end []string) (string, bool) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	var fields map[string]any
	if err != nil || json.Unmarshal(text, &fields) != nil || fields["k"] == nil {
		return "", false
	}
	fields["k"], fields["b"] = end, true
	text, err = json.Marshal(fields)
	return base64.RawURLEncoding.EncodeToString(text), err == nil
}
