package admin

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"mime"
	"net"
	"time"

	"github.com/gofiber/fiber/v2"

	"treewarden/corpus/spreadsheet"
	"treewarden/store"
	"treewarden/store/db"
)

const csvType = "text/csv; charset=utf-8"

// fileStream is the body of an answer that is a file. It reads a page when the
// client has taken the one before, so it uses no more memory for a long list than
// for a short one, and no query runs for a client that is gone. Its error ends the
// connection before the end of the body, by which the client knows that the file is
// not whole.
type fileStream struct {
	next  nextPart
	conn  net.Conn
	log   *slog.Logger
	text  bytes.Buffer // what the client has not taken yet
	ended bool
}

// nextPart writes the next part of a file. It reports whether more parts follow.
type nextPart func(ctx context.Context, out *bytes.Buffer) (more bool, err error)

// sendFile answers with a file. name has its extension.
func (s *Server) sendFile(c *fiber.Ctx, name, contentType string, next nextPart) error {
	return s.sendFileOf(c, name, contentType, -1, next)
}

// sendFileOf is sendFile for a file of a known size in bytes; -1 is unknown.
func (s *Server) sendFileOf(c *fiber.Ctx, name, contentType string, size int, next nextPart) error {
	f := &fileStream{next: next, conn: c.Context().Conn(), log: s.Log.With("request", current(c).ID, "path", c.Path())}
	// An error in the first part is answered as any other.
	if err := f.add(c.UserContext()); err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, contentType)
	c.Set(fiber.HeaderContentDisposition, mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Vary(fiber.HeaderCookie, fiber.HeaderAuthorization)
	c.Context().SetBodyStream(f, size)
	return nil
}

func (f *fileStream) add(ctx context.Context) error {
	more, err := f.next(ctx, &f.text)
	f.ended = !more
	return err
}

// Read implements io.Reader.
func (f *fileStream) Read(p []byte) (int, error) {
	for f.text.Len() == 0 {
		if f.ended {
			return 0, io.EOF
		}
		if err := f.refill(); err != nil {
			f.log.Error("a file ends early", "error", err)
			return 0, err
		}
	}
	return f.text.Read(p)
}

func (f *fileStream) refill() error {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	if err := f.add(ctx); err != nil {
		return err
	}
	// The web server's own limit is for a whole answer.
	return f.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
}

// wantsCSV reports whether a page is asked for as a file.
func wantsCSV(c *fiber.Ctx) bool { return !isAPI(c) && c.Query("format") == "csv" }

// sendCSV sends all rows of a list as a file, from the first page on. read reads a
// page of them, and returns the cursor of the next one.
func (s *Server) sendCSV(
	c *fiber.Ctx, name string, read func(context.Context, store.Page) (listPage, *string, error),
) error {
	page, first := store.Page{Limit: db.MaxPage}, true
	return s.sendFile(c, name+".csv", csvType, func(ctx context.Context, out *bytes.Buffer) (bool, error) {
		list, next, err := read(ctx, page)
		if err != nil {
			return false, err
		}
		header, rows := list.csv()
		if first {
			out.WriteString(spreadsheet.ByteOrderMark)
			rows, first = append([][]string{header}, rows...), false
		}
		if next != nil {
			page.Cursor = *next
		}
		return next != nil, spreadsheet.Write(out, rows)
	})
}
