package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/gofiber/fiber/v2"

	"treewarden/corpus/spreadsheet"
	"treewarden/store"
	"treewarden/store/db"
	"treewarden/store/lists"
)

// exportQuery asks for the items of a list as a file.
type exportQuery struct {
	Format string `form:"format" validate:"omitempty,oneof=csv txt jsonl"`
}

// exportFormat is a format of the items of a list.
type exportFormat struct {
	name, title string
	contentType string
	header      func(*bytes.Buffer) error
	write       func(*bytes.Buffer, []lists.Item) error
}

var exportFormats = []exportFormat{
	{"csv", "CSV", csvType, writeItemsHeader, writeItemsCSV},
	{"txt", "Ids", fiber.MIMETextPlainCharsetUTF8, nil, writeItemIDs},
	{"jsonl", "JSON Lines", ingestType, nil, writeItemsJSON},
}

// exportLinks lists the links to the exports of the items that a page shows
// parts of.
func (p itemsPage) exportLinks() []Choice {
	links := make([]Choice, len(exportFormats))
	for i, f := range exportFormats {
		links[i] = Choice{Text: f.title, Value: mustQuery(p.Query, "format", f.name, "cursor", "", "limit", "")}
	}
	return links
}

// exportItems sends all items of a list that a filter leaves as a file. An item that
// is added in the meantime is left out.
func (s *Server) exportItems(c *fiber.Ctx, list lists.List, filter lists.ItemFilter, name string) error {
	format := exportFormats[slices.IndexFunc(exportFormats, func(f exportFormat) bool { return f.name == name })]
	filter.CutAfter, filter.Page = 0, store.Page{Limit: db.MaxPage}
	actor, first := s.actor(c), true
	file := exportName(list, time.Now()) + "." + name
	return s.sendFile(c, file, format.contentType, func(ctx context.Context, out *bytes.Buffer) (bool, error) {
		found, err := s.store.ListItems(ctx, actor, list.ListID, filter)
		if err != nil {
			return false, err
		}
		if first && format.header != nil {
			if err := format.header(out); err != nil {
				return false, err
			}
		}
		first = false
		if found.Next != nil {
			filter.Cursor = *found.Next
		}
		return found.Next != nil, format.write(out, found.Items)
	})
}

// exportName returns the name of a file with the items of a list, without its
// extension: the letters and digits of the list's name, the beginning of its id,
// and the time.
func exportName(list lists.List, at time.Time) string {
	words := strings.FieldsFunc(list.Name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r)
	})
	name := []rune(strings.Join(words, "-"))
	if len(name) == 0 {
		name = []rune("list")
	}
	short := strings.TrimSuffix(string(name[:min(len(name), 40)]), "-") // a file name has at most 255 bytes
	return short + "-" + list.ListID.String()[:8] + "-" + at.UTC().Format("20060102T150405Z")
}

var itemsHeader = []string{"message_id", "state", "since", "action", "lang", "user_id", "author_name", "note",
	"added_by_name", "added_at", "text"}

func writeItemsHeader(out *bytes.Buffer) error {
	out.WriteString(spreadsheet.ByteOrderMark)
	return spreadsheet.Write(out, [][]string{itemsHeader})
}

func writeItemsCSV(out *bytes.Buffer, items []lists.Item) error {
	rows := make([][]string, len(items))
	for i, item := range items {
		action, user := "", ""
		if item.Action != nil {
			action = strconv.FormatInt(*item.Action, 10)
		}
		if item.UserID != nil {
			user = item.UserID.String()
		}
		rows[i] = []string{item.MessageID.String(), item.State, rfc3339(item.Since), action, orEmpty(item.Lang),
			user, orEmpty(item.AuthorName), item.Note, item.AddedByName, rfc3339(&item.AddedAt), orEmpty(item.Text)}
	}
	return spreadsheet.Write(out, rows)
}

// writeItemIDs writes a line for each item, as people paste them into a list.
func writeItemIDs(out *bytes.Buffer, items []lists.Item) error {
	for _, item := range items {
		out.WriteString(item.MessageID.String() + "\n")
	}
	return nil
}

// writeItemsJSON writes a line for each item, with the JSON of the API.
func writeItemsJSON(out *bytes.Buffer, items []lists.Item) error {
	encoder := json.NewEncoder(out)
	for _, item := range items {
		if err := encoder.Encode(item); err != nil {
			return fmt.Errorf("write an item as JSON: %w", err)
		}
	}
	return nil
}
