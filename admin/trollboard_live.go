package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
)

const (
	boardPath = "/trollboard"
	livePath  = "/trollboard/live"
	// livePermission is the permission of the stream's route, which each event
	// needs too.
	livePermission = policy.Read
	eventStream    = "text/event-stream"
)

// liveQuery is the query of a board, with the fingerprints of the rows that the
// page has, in their order and with dots between them.
type liveQuery struct {
	boardQuery
	Have string `form:"have" validate:"max=4000"`
}

// boardNews is an event for an open board: the differences between the page and
// the board as it is now. It leaves unchanged parts out.
type boardNews struct {
	AsOf  momentJSON  `json:"as_of"`
	Rows  []rowNews   `json:"rows,omitempty"` // new or changed ones
	Order []uuid.UUID `json:"order"`          // of all rows; null if unchanged
	First int64       `json:"first"`          // the first row's rank
	Pager *string     `json:"pager,omitempty"`
}

type momentJSON struct {
	Machine string `json:"machine"`
	Exact   string `json:"exact"`
}

type rowNews struct {
	ID   uuid.UUID `json:"id"`
	HTML string    `json:"html"`
}

// trollboardLive updates an open board by server-sent events. It is not a part
// of the API, because it sends parts of a page.
func (s *Server) trollboardLive(c *fiber.Ctx) error {
	var q liveQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	q.Lang, q.Parts = defaultLanguage(c, q.Lang), true // as the page's rows
	if _, err := s.boardFilter(c.UserContext(), s.actor(c), q.boardQuery); err != nil {
		return err
	}
	// A client that does not ask for a stream by name would wait for its end.
	if !strings.Contains(c.Get(fiber.HeaderAccept), eventStream) {
		return fiber.ErrNotAcceptable
	}
	shown, err := s.credentials(c)
	if err != nil {
		return err
	}
	changed, stop, err := s.store.WatchBoards(c.UserContext())
	if err != nil {
		return err
	}
	values := query(c)
	for _, name := range []string{"have", "done", "notice"} {
		values.Del(name)
	}
	b := &boardStream{server: s, shown: shown, ask: q.boardQuery, query: values, changed: changed,
		closing: c.Context().Done(), conn: c.Context().Conn()}
	if q.Have != "" {
		b.prints = strings.Split(q.Have, ".")
	}
	if err := s.streams.add(b, streamOwner(s.person(c))); err != nil {
		stop()
		return err
	}
	c.Set(fiber.HeaderContentType, eventStream)
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set("X-Accel-Buffering", "no") // otherwise nginx buffers events
	c.Vary(fiber.HeaderCookie, fiber.HeaderAuthorization)
	if c.Method() == fiber.MethodHead {
		stop()
		s.streams.remove(b)
		return nil
	}
	// hangUp reads from the connection while the stream runs, so the connection
	// can take no further request.
	c.Context().SetConnectionClose()
	c.Context().SetBodyStreamWriter(b.run(stop))
	return nil
}

// streamOwner returns the session, or the user of a key, by which streams are
// counted.
func streamOwner(person store.Person) uuid.UUID {
	if person.Session != nil {
		return person.Session.SessionID
	}
	return person.UserID
}

// look reads the board as the person sees it now, with the code that makes the
// page. It returns the differences from what the client has, and counts them as
// sent.
func (b *boardStream) look(ctx context.Context) (boardNews, error) {
	person, err := b.server.whose(ctx, b.shown, b.server.store.PersonWatching)
	if err != nil {
		return boardNews{}, err
	}
	if !person.May(livePermission) {
		return boardNews{}, &store.Forbidden{Permission: livePermission}
	}
	p, err := b.server.lookAtBoard(ctx, person.Actor, b.ask)
	if err != nil {
		return boardNews{}, err
	}
	p.Layout = Layout{Person: person, SignedIn: true, Path: boardPath, Query: b.query}
	p.layOut(b.ask, boardAddress(b.query))
	return b.differences(&p)
}

// boardAddress returns the page's address for a query.
func boardAddress(query url.Values) string {
	if len(query) == 0 {
		return boardPath
	}
	return boardPath + "?" + query.Encode()
}

// differences compares a page with what the client has of it.
func (b *boardStream) differences(p *trollboardPage) (boardNews, error) {
	at := momentOf(p.Board.AsOf)
	news := boardNews{AsOf: momentJSON{at.Machine, at.Exact}, First: 1}
	prints, order := make([]string, len(p.Lines)), make([]uuid.UUID, len(p.Lines))
	for i, line := range p.Lines {
		prints[i], order[i] = line.Fingerprint(), line.UserID
		if prints[i] != "" && slices.Contains(b.prints, prints[i]) {
			continue
		}
		row, err := b.server.part("partials/boardrow", line)
		if err != nil {
			return news, err
		}
		news.Rows = append(news.Rows, rowNews{line.UserID, row})
	}
	if len(p.Lines) > 0 {
		news.First = p.Lines[0].Rank
	}
	// At first the ids of the client's rows are unknown, and the fingerprints
	// identify the rows.
	if b.sent && !slices.Equal(order, b.order) || !b.sent && !slices.Equal(prints, b.prints) {
		news.Order = order
	}
	if len(p.Lines) > 0 {
		pager, err := b.server.part("partials/pager", p.Pager)
		if err != nil {
			return news, err
		}
		if !b.sent || pager != b.pager {
			news.Pager = &pager
		}
		b.pager = pager
	}
	b.isNews = !b.sent || news.Rows != nil || news.Order != nil || news.Pager != nil || news.First != b.first
	b.sent, b.prints, b.order, b.first = true, prints, order, news.First
	return news, nil
}

// part renders a part of a page.
func (s *Server) part(name string, data any) (string, error) {
	var out bytes.Buffer
	if err := s.engine.Templates.ExecuteTemplate(&out, name, data); err != nil {
		return "", fmt.Errorf("render %s: %w", name, err)
	}
	return out.String(), nil
}

// update looks at the board and writes the differences. Without any, it writes
// from time to time that the board is unchanged. It returns false if the stream
// is over.
func (b *boardStream) update(out *eventWriter) bool {
	ctx, cancel := context.WithTimeout(b.ctx, requestTimeout)
	defer cancel()
	news, err := b.look(ctx)
	var forbidden *store.Forbidden
	switch {
	case b.ctx.Err() != nil:
		return b.over(out)
	case errors.Is(err, errNotSignedIn), errors.Is(err, errBadKey), errors.As(err, &forbidden):
		out.send("over", overSignedOut)
		return false
	case err != nil:
		b.server.Log.Warn("an open board cannot be kept up to date", "error", err)
		out.send("over", overAway)
		return false
	case !b.isNews && time.Since(out.last) < livePulse:
		return true
	}
	text, err := json.Marshal(news)
	if err != nil {
		b.server.Log.Error("news of the board cannot be written", "error", err)
		return false
	}
	return out.send("board", string(text))
}
