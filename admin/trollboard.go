package admin

import (
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
)

// boardQuery is what the trollboard's address may say.
type boardQuery struct {
	pageQuery
	scoreQuery
	Status string     `form:"status" validate:"omitempty,oneof=active banned all"`
	Lang   string     `form:"lang" validate:"max=40"`
	Q      string     `form:"q" validate:"max=200"`
	Sort   string     `form:"sort" validate:"omitempty,oneof=score rate red_flags downvotes spam toxicity messages"`
	Open   *uuid.UUID `form:"open"`
}

// boardFilter makes the query a store.BoardFilter: what it leaves out is the
// contract's default.
func (s *Server) boardFilter(c *fiber.Ctx, q boardQuery) (store.BoardFilter, error) {
	f := store.BoardFilter{Status: q.Status, Lang: q.Lang, Q: strings.TrimSpace(q.Q), Sort: q.Sort, Page: q.page()}
	if f.Status == "" {
		f.Status = store.Active
	}
	if f.Sort == "" {
		f.Sort = "score"
	}
	var err error
	f.Frame, f.Formula, err = s.choose(c, q.scoreQuery)
	return f, err
}

// boardLine is a row of the board as its page shows it.
type boardLine struct {
	store.BoardRow
	// Toggle is the address of this board with the row opened or closed;
	// Unfold that of what the open row shows.
	Toggle, Unfold string
	Open           *scoreSheet // nil while the row is closed
	MayBan         bool        // or unban
}

// shownLanguages is how many languages of a user stand in their row.
const shownLanguages = 3

// Shown are the languages that the row names, More how many others there are,
// All every one of them.
func (l boardLine) Shown() []string { return l.Languages[:min(len(l.Languages), shownLanguages)] }

// More: see Shown.
func (l boardLine) More() int { return len(l.Languages) - len(l.Shown()) }

// All: see Shown.
func (l boardLine) All() string { return strings.Join(l.Languages, ", ") }

// ByLabels says that the toxicity is what people said, not the classifier.
func (l boardLine) ByLabels() bool { return l.ToxicitySource != nil && *l.ToxicitySource == "labels" }

type trollboardPage struct {
	Frame
	Board     store.Board
	Filter    store.BoardFilter
	Lines     []boardLine
	Tabs      []Choice
	Statuses  []Choice
	Languages []Choice
	Formulas  []Choice
	Columns   []column
	Here      string // where an act leads back to
	Pager     Pager
	CSV       string
}

func (p trollboardPage) api() any { return p.Board }

// Filtered says that the board leaves out more than it does by itself.
func (p trollboardPage) Filtered() bool { return p.Filter.Lang != "" || p.Filter.Q != "" }

// Carry are the parameters that the filters' form sends along.
func (p trollboardPage) Carry() []Choice {
	return carried(p.Query, "frame", "status", "sort")
}

func (p trollboardPage) csv() (header []string, rows [][]string) {
	header = []string{"rank", "user_id", "display_name", "status", "score", "rate", "red_flags", "upvotes", "downvotes", "spam",
		"toxicity", "toxicity_source", "messages", "languages", "last_activity"}
	for _, r := range p.Board.Items {
		rows = append(rows, []string{
			strconv.FormatInt(r.Rank, 10), r.UserID.String(), r.DisplayName, r.Status, figure(&r.Score), figure(&r.Rate),
			strconv.FormatInt(r.RedFlags, 10), strconv.FormatInt(r.Upvotes, 10), strconv.FormatInt(r.Downvotes, 10), strconv.FormatInt(r.Spam, 10),
			figure(r.Toxicity), orEmpty(r.ToxicitySource), strconv.FormatInt(r.Messages, 10), strings.Join(r.Languages, " "), rfc3339(r.LastActivity),
		})
	}
	return header, rows
}

// trollboard shows who is most likely a troll.
func (s *Server) trollboard(c *fiber.Ctx) error {
	var q boardQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	f, err := s.boardFilter(c, q)
	if err != nil {
		return err
	}
	board, err := s.store.Board(c.UserContext(), s.actor(c), f)
	if err != nil {
		return err
	}
	p := trollboardPage{Board: board, Filter: f}
	if isAPI(c) {
		return s.render(c, "trollboard", p)
	}
	p.Frame = s.frame(c, "Trollboard")
	languages, err := s.store.Languages(c.UserContext())
	if err != nil {
		return err
	}
	p.Languages = languageChoices(languages, f.Lang)
	p.Here = hereWithout(c, "done", "notice")
	p.CSV = mustQuery(p.Query, "format", "csv", "cursor", q.Cursor)
	p.Tabs, p.Formulas, p.Statuses, p.Columns = frameTabs(p.Query, f.Frame), formulaChoices(f.Formula), p.statuses(), p.columns()
	p.Pager = p.pager(board.Prev, board.Next, "")
	for _, row := range board.Items {
		line, err := s.boardLine(c, p, row, q)
		if err != nil {
			return err
		}
		p.Lines = append(p.Lines, line)
	}
	return s.render(c, "trollboard", p)
}

func (s *Server) boardLine(c *fiber.Ctx, p trollboardPage, row store.BoardRow, q boardQuery) (boardLine, error) {
	id := row.UserID.String()
	line := boardLine{BoardRow: row, MayBan: row.Status != store.Erased && mayActOn(p.Person, policy.UserBan, row.UserID, row.Role)}
	line.Unfold = "/users/" + id + "/score?frame=" + string(p.Filter.Frame) + "&formula=" + p.Filter.Formula.Name
	open := id
	if q.Open != nil && *q.Open == row.UserID {
		open = ""
		var err error
		if line.Open, err = s.scoreSheet(c, row.UserID, p.Filter.Frame, p.Filter.Formula); err != nil {
			return line, err
		}
	}
	line.Toggle = mustQuery(p.Query, "open", open, "cursor", q.Cursor) + "#u-" + id
	return line, nil
}

// statuses are the links that choose between active and banned users.
func (p trollboardPage) statuses() []Choice {
	all := choices(p.Filter.Status, store.Active, "Active users", store.Banned, "Banned users", "all", "All")
	for i, choice := range all {
		all[i].Value = mustQuery(p.Query, "status", choice.Value, "open", "")
	}
	return all
}

// SortedBy names the column that the board is sorted by.
func (p trollboardPage) SortedBy() string {
	for _, c := range p.Columns {
		if c.Sort != "" {
			return strings.ToLower(c.Title)
		}
	}
	return "troll score"
}

// columns are the heads of the board, which is always sorted from the highest.
func (p trollboardPage) columns() []column {
	columns := []column{
		{Title: "Rank", Hint: "Place on this board, as filtered", Class: "num"},
		{Title: "Display name"},
		{Title: "Troll score", Hint: "Sum of weight × count over all signals", Link: "score", Class: "num"},
		{Title: "Rate", Hint: "Score ÷ (messages + 10)", Link: "rate", Class: "num"},
		{Title: "Red flags", Hint: "Red-flag reactions and reports", Link: "red_flags", Class: "num"},
		{Title: "Vote", Hint: "Upvotes and downvotes; sorts by downvotes", Link: "downvotes"},
		{Title: "Spam", Hint: "Spam label votes and spam prompts", Link: "spam", Class: "num"},
		{Title: "Toxicity", Hint: "Mean of the classifier's toxicity over the user's messages", Link: "toxicity", Class: "num"},
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

// mayActOn says whether a person may act on a user: they hold the permission,
// and no rank rule stands against it.
func mayActOn(person store.Person, permission policy.Permission, user uuid.UUID, role string) bool {
	return person.May(permission) && policy.MayActOn(person.Role, role, person.UserID == user) == nil
}
