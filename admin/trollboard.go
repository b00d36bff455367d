package admin

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/admin/openapi"
	"treewarden/corpus/search"
	"treewarden/policy"
	"treewarden/store"
)

func init() {
	describe("GET /trollboard", openapi.Method{
		Summary: "Users ranked by troll score within a frame",
		Query:   boardQuery{}, Answer: store.Board{},
	})
}

// boardQuery is the query of the trollboard.
type boardQuery struct {
	pageQuery
	scoreQuery
	Status string     `form:"status" validate:"omitempty,oneof=active banned all"`
	Lang   string     `form:"lang" validate:"max=40"`
	Q      string     `form:"q" validate:"max=200" description:"words or parts of names, phrases, -not, OR"`
	Sort   string     `form:"sort" validate:"omitempty,oneof=score rate red_flags downvotes spam toxicity messages"`
	Open   *uuid.UUID `form:"open"`
	// Parts adds the parts of each score to the rows.
	Parts bool `form:"parts"`
}

// boardFilter returns the query as a store.BoardFilter, with the default for
// each parameter that the query leaves out.
func (s *Server) boardFilter(ctx context.Context, actor store.Actor, q boardQuery) (store.BoardFilter, error) {
	f := store.BoardFilter{Status: q.Status, Q: strings.TrimSpace(q.Q), Sort: q.Sort, Parts: q.Parts,
		Page: q.page()}
	f.Lang, f.Within = languageFilter(actor, q.Lang)
	if f.Status == "" {
		f.Status = store.Active
	}
	if f.Sort == "" {
		f.Sort = "score"
	}
	if _, err := search.ParseNames(f.Q); err != nil {
		return f, err // before an open board begins
	}
	var err error
	f.Window, f.Formula, err = s.choose(ctx, q.scoreQuery)
	return f, err
}

// boardLine is a row of the board as its page shows it.
type boardLine struct {
	store.BoardRow
	// Toggle is the address of this board with the row opened or closed. Unfold
	// is the address of the open row's content.
	Toggle, Unfold string
	Open           *scoreSheet // nil if the row is closed
	MayBan         bool        // or unban
	Here           string      // where an act returns to
}

// shownLanguages is the number of languages in a user's row.
const shownLanguages = 3

// Shown returns the languages that the row names.
func (l boardLine) Shown() []string { return l.Languages[:min(len(l.Languages), shownLanguages)] }

// More returns the number of the other languages.
func (l boardLine) More() int { return len(l.Languages) - len(l.Shown()) }

// All returns all the languages.
func (l boardLine) All() string { return strings.Join(l.Languages, ", ") }

// ByLabels reports whether the toxicity comes from labels, not from the
// classifier.
func (l boardLine) ByLabels() bool { return l.ToxicitySource != nil && *l.ToxicitySource == "labels" }

// Fingerprint identifies the state of a row. It leaves out the rank, so that a
// change of rank alone does not send the row to open boards.
func (l boardLine) Fingerprint() string {
	l.Rank = 0
	state, err := json.Marshal(struct {
		store.BoardRow
		MayBan bool
		Unfold string
	}{l.BoardRow, l.MayBan, l.Unfold})
	if err != nil {
		return "" // a figure is not a number; see differences
	}
	sum := sha256.Sum256(state)
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

type trollboardPage struct {
	Layout
	Board     store.Board
	Filter    store.BoardFilter
	Lines     []boardLine
	Tabs      []Choice
	Statuses  []Choice
	Languages []Choice
	Limited   *Limited
	Formulas  []Choice
	Columns   []column
	Here      string // the address of this page without a notice
	Live      string // the address of the stream that updates it
	Pager     Pager
	CSV       string
}

func (p trollboardPage) api() any { return p.Board }

// Filtered reports whether the board has a filter that it does not have by
// default.
func (p trollboardPage) Filtered() bool { return p.Filter.Lang != "" || p.Filter.Q != "" }

// Carry returns the parameters that the filters' form sends along.
func (p trollboardPage) Carry() []Choice {
	return carried(p.Query, "frame", "status", "sort")
}

func (p trollboardPage) csv() (header []string, rows [][]string) {
	header = []string{"rank", "user_id", "display_name", "status", "score", "rate", "red_flags", "upvotes", "downvotes",
		"spam", "toxicity", "toxicity_source", "messages", "languages", "last_activity"}
	for _, r := range p.Board.Items {
		rows = append(rows, []string{
			strconv.FormatInt(r.Rank, 10), r.UserID.String(), r.DisplayName, r.Status, figure(&r.Score), figure(&r.Rate),
			strconv.FormatInt(r.RedFlags, 10), strconv.FormatInt(r.Upvotes, 10), strconv.FormatInt(r.Downvotes, 10),
			strconv.FormatInt(r.Spam, 10), figure(r.Toxicity), orEmpty(r.ToxicitySource),
			strconv.FormatInt(r.Messages, 10), strings.Join(r.Languages, " "),
			rfc3339(r.LastActivity),
		})
	}
	return header, rows
}

// trollboard shows the users who are most likely trolls.
func (s *Server) trollboard(c *fiber.Ctx) error {
	var q boardQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	q.Lang = defaultLanguage(c, q.Lang)
	q.Parts = q.Parts || !isAPI(c) // the fingerprints of rows hold them
	if wantsCSV(c) {
		return s.boardFile(c, q)
	}
	p, err := s.lookAtBoard(c.UserContext(), s.actor(c), q)
	if err != nil {
		return err
	}
	if isAPI(c) {
		return s.render(c, "trollboard", p)
	}
	p.Layout = s.layout(c, "Trollboard")
	p.Limited = p.limited(q.Lang)
	languages, err := s.store.Languages(c.UserContext())
	if err != nil {
		return err
	}
	p.Languages = p.languages(languages, q.Lang)
	p.CSV = mustQuery(p.Query, "format", "csv", "cursor", "")
	p.Tabs, p.Formulas, p.Statuses, p.Columns = windowTabs(p.Query, p.Filter.Window), formulaChoices(p.Filter.Formula),
		p.statuses(), p.columns()
	p.layOut(q, hereWithout(c, "done", "notice"))
	for i, line := range p.Lines {
		if q.Open == nil || *q.Open != line.UserID {
			continue
		}
		if p.Lines[i].Open, err = s.scoreSheet(c, line.UserID, p.Filter.Window, p.Filter.Formula,
			p.opened(line.UserID, q)); err != nil {
			return err
		}
	}
	return s.render(c, "trollboard", p)
}

// boardFile sends the rows of the board as a file. A row that moves meanwhile, as
// scores change, may be missing, or be there twice.
func (s *Server) boardFile(c *fiber.Ctx, q boardQuery) error {
	actor := s.actor(c)
	f, err := s.boardFilter(c.UserContext(), actor, q)
	if err != nil {
		return err
	}
	return s.sendCSV(c, "trollboard", func(ctx context.Context, page store.Page) (listPage, *string, error) {
		f.Page = page
		board, err := s.store.Board(ctx, actor, f)
		return trollboardPage{Board: board, Filter: f}, board.Next, err
	})
}

// lookAtBoard reads the page of the board for a query.
func (s *Server) lookAtBoard(ctx context.Context, actor store.Actor, q boardQuery) (p trollboardPage, err error) {
	if p.Filter, err = s.boardFilter(ctx, actor, q); err != nil {
		return p, err
	}
	p.Board, err = s.store.Board(ctx, actor, p.Filter)
	return p, err
}

// layOut makes the rows and links of the page. The page's layout has the person
// and the query; here is the page's address.
func (p *trollboardPage) layOut(q boardQuery, here string) {
	p.Here, p.Live = here, boardPath+"/live"+strings.TrimPrefix(here, boardPath)
	p.Pager = p.pager(p.Board.Prev, p.Board.Next, "")
	for _, row := range p.Board.Items {
		p.Lines = append(p.Lines, p.line(row, q))
	}
}

// opened returns the address of the board with the row of a user opened.
func (p *trollboardPage) opened(user uuid.UUID, q boardQuery) string {
	return boardPath + mustQuery(p.Query, "open", user.String(), "cursor", q.Cursor, "done", "", "notice", "")
}

func (p *trollboardPage) line(row store.BoardRow, q boardQuery) boardLine {
	id := row.UserID.String()
	line := boardLine{BoardRow: row, Here: p.Here, MayBan: row.Status != store.Erased &&
		mayActOn(p.Person, policy.UserBan, row.UserID, row.Role)}
	line.Unfold = "/users/" + id + "/score?frame=" + string(p.Filter.Window) + "&formula=" + p.Filter.Formula.Name +
		"&return=" + url.QueryEscape(p.opened(row.UserID, q))
	open := id
	if q.Open != nil && *q.Open == row.UserID {
		open = ""
	}
	line.Toggle = mustQuery(p.Query, "open", open, "cursor", q.Cursor) + "#u-" + id
	return line
}

// statuses returns the links that choose between active and banned users.
func (p trollboardPage) statuses() []Choice {
	all := choices(p.Filter.Status, store.Active, "Active users", store.Banned, "Banned users", "all", "All")
	for i, choice := range all {
		all[i].Value = mustQuery(p.Query, "status", choice.Value, "open", "")
	}
	return all
}

// SortedBy returns the title of the column that the board is sorted by.
func (p trollboardPage) SortedBy() string {
	for _, c := range p.Columns {
		if c.Sort != "" {
			return strings.ToLower(c.Title)
		}
	}
	return "troll score"
}

// columns returns the heads of the board. The board is always sorted from the
// highest value.
func (p trollboardPage) columns() []column {
	columns := []column{
		{Title: "Rank", Hint: "Rank on this board, with the filter", Class: "num"},
		{Title: "Display name"},
		{Title: "Troll score", Hint: "Sum of weight × count over all signals", Link: "score", Class: "num"},
		{Title: "Rate", Hint: "Score ÷ (messages + 10)", Link: "rate", Class: "num"},
		{Title: "Red flags", Hint: "Red-flag reactions and reports; one person’s on one message as one",
			Link: "red_flags", Class: "num"},
		{Title: "Vote", Hint: "Upvotes and downvotes; sorts by downvotes", Link: "downvotes"},
		{Title: "Spam", Hint: "Spam label votes and spam prompts", Link: "spam", Class: "num"},
		{Title: "Toxicity", Hint: "Mean toxicity of the user's messages by classifier: " + p.Board.ToxicityBy,
			Link: "toxicity", Class: "num"},
		{Title: "Messages", Link: "messages", Class: "num"},
		{Title: "Languages"},
		{Title: "Last active"},
		{Title: "Actions", Class: "tools"},
	}
	for i, c := range columns {
		if c.Link == "" {
			continue
		}
		if c.Link == p.Filter.Sort {
			columns[i].Sort = "descending"
		}
		columns[i].Link = mustQuery(p.Query, "sort", c.Link)
	}
	return columns
}

// mayActOn reports whether a person may act on a user: the person has the
// permission, and the rank rules allow it.
func mayActOn(person store.Person, permission policy.Permission, user uuid.UUID, role string) bool {
	return person.May(permission) && person.Policy.MayActOn(person.Role, role, person.UserID == user) == nil
}
