package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

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
	{"csv", "CSV", "text/csv; charset=utf-8", writeItemsHeader, writeItemsCSV},
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

// exportItems sends all items of a list that a filter leaves as a file. It reads
// them page by page while the client takes them. An item that is added in the
// meantime is left out.
func (s *Server) exportItems(c *fiber.Ctx, list lists.List, filter lists.ItemFilter, name string) error {
	e := &itemsExport{actor: s.actor(c), store: s.store, list: list.ListID, filter: filter, conn: c.Context().Conn(),
		log: s.Log.With("request", current(c).ID, "list", list.ListID)}
	for _, f := range exportFormats {
		if f.name == name {
			e.format = f
		}
	}
	e.filter.Page = store.Page{Limit: db.MaxPage}
	if e.format.header != nil {
		if err := e.format.header(&e.text); err != nil {
			return err
		}
	}
	// An error in the first page is answered as any other.
	if err := e.next(c.UserContext()); err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, e.format.contentType)
	c.Set(fiber.HeaderContentDisposition, mime.FormatMediaType("attachment",
		map[string]string{"filename": exportName(list, time.Now()) + "." + name}))
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Vary(fiber.HeaderCookie, fiber.HeaderAuthorization)
	c.Context().SetBodyStream(e, -1)
	return nil
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

// itemsExport is the body of an answer with the items of a list. It reads a page
// of items when the client has taken the one before, so it uses no more memory
// for a long list than for a short one, and no query runs for a client that is
// gone. Its error ends the connection before the end of the body, by which the
// client knows that the file is not whole.
type itemsExport struct {
	store  *store.Store
	actor  store.Actor
	list   uuid.UUID
	filter lists.ItemFilter
	format exportFormat
	conn   net.Conn
	log    *slog.Logger
	text   bytes.Buffer // what the client has not taken yet
	ended  bool
}

// next adds a page of items to the text.
func (e *itemsExport) next(ctx context.Context) error {
	found, err := e.store.ListItems(ctx, e.actor, e.list, e.filter)
	if err != nil {
		return err
	}
	if found.Next == nil {
		e.ended = true
	} else {
		e.filter.Cursor = *found.Next
	}
	return e.format.write(&e.text, found.Items)
}

// Read implements io.Reader.
func (e *itemsExport) Read(p []byte) (int, error) {
	for e.text.Len() == 0 {
		if e.ended {
			return 0, io.EOF
		}
		if err := e.refill(); err != nil {
			e.log.Error("an export of a list ends early", "error", err)
			return 0, err
		}
	}
	return e.text.Read(p)
}

func (e *itemsExport) refill() error {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	if err := e.next(ctx); err != nil {
		return err
	}
	// The web server's own limit is for a whole answer.
	return e.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
}

var itemsHeader = []string{"message_id", "state", "since", "action", "lang", "user_id", "author_name", "note",
	"added_by_name", "added_at", "text"}

func writeItemsHeader(out *bytes.Buffer) error { return writeCSV(out, [][]string{itemsHeader}) }

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
	return writeCSV(out, rows)
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
