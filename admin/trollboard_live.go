package admin

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/store"
)

const boardPath = "/trollboard"

// liveBoard looks with each beat: it reads memory.
var liveBoard = liveKind{event: "board", rest: 300 * time.Millisecond, everyBeat: true}

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

// trollboardLive keeps an open board up to date by server-sent events.
func (s *Server) trollboardLive(c *fiber.Ctx) error {
	var q liveQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	q.Lang, q.Parts = defaultLanguage(c, q.Lang), true // as the page's rows
	if _, err := s.boardFilter(c.UserContext(), s.actor(c), q.boardQuery); err != nil {
		return err
	}
	b := &openBoard{server: s, ask: q.boardQuery, query: livePageQuery(c)}
	if q.Have != "" {
		b.prints = strings.Split(q.Have, ".")
	}
	return s.keepLive(c, liveBoard, b)
}

// openBoard is an open board with what its client has of it.
type openBoard struct {
	server *Server
	ask    boardQuery
	query  url.Values

	// These fields hold what the client has: fingerprints of the rows in their
	// order, the users of the rows (after the first event), the rank of the
	// first row, and the pager.
	sent   bool
	prints []string
	order  []uuid.UUID
	first  int64
	pager  string
}

// look reads the board as the person sees it now, with the code that makes the
// page. It returns the differences from what the client has, and counts them as
// sent.
func (b *openBoard) look(ctx context.Context, person store.Person) (event any, isNews bool, err error) {
	p, err := b.server.lookAtBoard(ctx, person.Actor, b.ask)
	if err != nil {
		return nil, false, err
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
func (b *openBoard) differences(p *trollboardPage) (news boardNews, isNews bool, err error) {
	at := momentOf(p.Board.AsOf)
	news = boardNews{AsOf: momentJSON{at.Machine, at.Exact}, First: 1}
	prints, order := make([]string, len(p.Lines)), make([]uuid.UUID, len(p.Lines))
	for i, line := range p.Lines {
		prints[i], order[i] = line.Fingerprint(), line.UserID
		if prints[i] != "" && slices.Contains(b.prints, prints[i]) {
			continue
		}
		row, err := b.server.part("partials/boardrow", line)
		if err != nil {
			return news, false, err
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
			return news, false, err
		}
		if !b.sent || pager != b.pager {
			news.Pager = &pager
		}
		b.pager = pager
	}
	isNews = !b.sent || news.Rows != nil || news.Order != nil || news.Pager != nil || news.First != b.first
	b.sent, b.prints, b.order, b.first = true, prints, order, news.First
	return news, isNews, nil
}

// part renders a part of a page.
func (s *Server) part(name string, data any) (string, error) {
	var out bytes.Buffer
	if err := s.engine.Templates.ExecuteTemplate(&out, name, data); err != nil {
		return "", fmt.Errorf("render %s: %w", name, err)
	}
	return out.String(), nil
}
