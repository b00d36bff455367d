package boards

import (
	"context"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"treewarden/corpus/search"
	"treewarden/scoring"
	"treewarden/scoring/board"
	"treewarden/store/db"
	"treewarden/store/tables"
)

// BoardFilter selects a trollboard. Q is a line that finds display names. Sort is score (default), rate, red_flags,
// downvotes, spam, toxicity or messages, always in descending order.
type BoardFilter struct {
	Window  scoring.Window
	Formula scoring.Formula
	Status  string // active, banned or all
	Lang    string
	Within  []string // only users who write most in these languages; nil for all
	Q       string
	Sort    string
	Parts   bool // whether the rows have the parts of their scores
	db.Page
}

// BoardRow is the row of one user on the trollboard.
type BoardRow struct {
	Rank           int64          `json:"rank"`
	UserID         uuid.UUID      `json:"user_id"`
	DisplayName    string         `json:"display_name"`
	AuthMethod     string         `json:"auth_method"`
	Role           string         `json:"role"`
	Status         string         `json:"status"`
	Score          float64        `json:"score"`
	Rate           float64        `json:"rate"`
	RedFlags       int64          `json:"red_flags"`
	Upvotes        int64          `json:"upvotes"`
	Downvotes      int64          `json:"downvotes"`
	Spam           int64          `json:"spam"` // spam label votes + spam prompts
	Toxicity       *float64       `json:"toxicity"`
	ToxicitySource *string        `json:"toxicity_source"` // "classifier", "labels" or null
	Messages       int64          `json:"messages"`
	Languages      []string       `json:"languages"`
	LastActivity   *time.Time     `json:"last_activity"`
	Parts          []scoring.Part `json:"parts,omitempty" description:"of the score; only with parts=true"`
}

// Board is one page of a trollboard.
type Board struct {
	db.List[BoardRow]
	Window  scoring.Window `json:"frame"`
	Formula string         `json:"formula"`
	// ToxicityBy says whose toxicity the rows have.
	ToxicityBy string    `json:"toxicity_by" description:"the models whose toxicity counts, such as highest of all models"`
	AsOf       time.Time `json:"as_of"`
}

// sorts are the columns that a board can be sorted by, in descending order.
var sorts = []string{"score", "rate", "red_flags", "downvotes", "spam", "toxicity", "messages"}

// Page returns one page of a trollboard. It lists the users who wrote a message or
// received a signal within the window.
func (l *Boards) Page(ctx context.Context, f BoardFilter) (Board, error) {
	list := Board{Window: f.Window, Formula: f.Formula.Name, AsOf: l.now().UTC(),
		ToxicityBy: scoring.ClassifierTitle(f.Formula.Classifier)}
	view, err := f.view()
	if err != nil {
		return list, err
	}
	limit, err := f.Size()
	if err != nil {
		return list, err
	}
	by := db.Order{Name: "board " + view.Sort, Desc: true, Keys: make([]db.Key, 2)}.
		Bound(view.Window, view.Formula.Name, view.Status, view.Lang, view.Within, view.Name)
	from, back, err := parsePlace(f.Cursor, by)
	if err != nil {
		return list, err
	}
	users, err := l.Current(ctx)
	if err != nil {
		return list, err
	}
	rows, before, after := users.Page(view, from, back, limit)
	list.Items = f.rows(rows)
	link := func(place board.Place, back bool) *string {
		keys := []string{strconv.FormatFloat(place.Value, 'g', -1, 64), place.User.String()}
		return new(db.Cursor{Order: by.Name, Keys: keys, Back: back}.String())
	}
	if after && len(rows) > 0 {
		list.Next = link(rows[len(rows)-1].Place, false)
	}
	if before && len(rows) > 0 {
		list.Prev = link(rows[0].Place, true)
	}
	return list, nil
}

// view returns the filter as a view of the board in memory.
func (f BoardFilter) view() (board.View, error) {
	v := board.View{Window: f.Window, Formula: f.Formula, Sort: f.Sort, Status: f.Status, Lang: f.Lang,
		Within: f.Within}
	line, err := search.ParseNames(f.Q)
	if err != nil {
		return v, err
	}
	v.Name, v.Named = line.String(), func(displayName string) bool { return line.Fit(displayName) }
	if v.Sort == "" {
		v.Sort = "score"
	}
	if v.Status == "" {
		v.Status = tables.Active
	}
	if err := db.OneOf("sort", v.Sort, sorts...); err != nil {
		return v, err
	}
	return v, db.OneOf("status", v.Status, tables.Active, tables.Banned, "all")
}

// parsePlace parses the place at which a page begins from its cursor.
func parsePlace(text string, by db.Order) (from *board.Place, back bool, err error) {
	if text == "" {
		return nil, false, nil
	}
	c, err := db.ParseCursor(text, by)
	if err != nil {
		return nil, false, err
	}
	value, wrongValue := strconv.ParseFloat(c.Keys[0], 64)
	user, wrongUser := uuid.Parse(c.Keys[1])
	if wrongValue != nil || wrongUser != nil || math.IsNaN(value) {
		return nil, false, db.ErrForeignCursor
	}
	return &board.Place{Value: value, User: user}, c.Back, nil
}

// rows returns rows of the board in memory as a page shows them.
func (f *BoardFilter) rows(rows []board.Row) []BoardRow {
	items := make([]BoardRow, len(rows))
	scorer := f.Formula.Scorer()
	var parts []scoring.Part // of all rows, in one allocation
	if f.Parts {
		parts = make([]scoring.Part, 0, len(rows)*len(scoring.Signals))
	}
	for i := range rows {
		items[i] = boardRow(&rows[i], f, scorer)
		if !f.Parts {
			continue
		}
		begin := len(parts)
		parts = scorer.Parts(parts, rows[i].User.Counters(f.Window))
		items[i].Parts = slices.Clip(parts[begin:])
	}
	return items
}

func boardRow(r *board.Row, f *BoardFilter, scorer scoring.Scorer) BoardRow {
	u, t := &r.User, r.User.Counters(f.Window)
	row := BoardRow{
		Rank: int64(r.Rank), UserID: u.ID, DisplayName: u.Name, AuthMethod: u.AuthMethod, Role: u.Role, Status: u.Status,
		Score:     scorer.Score(t),
		RedFlags:  t.Count(&f.Formula, scoring.RedFlags),
		Upvotes:   t.Count(&f.Formula, scoring.Upvotes),
		Downvotes: t.Count(&f.Formula, scoring.Downvotes),
		Spam:      t.Count(&f.Formula, scoring.SpamLabels) + t.Count(&f.Formula, scoring.SpamPrompts),
		Messages:  t.Messages(), Languages: u.Languages,
	}
	row.Rate = scoring.Rate(row.Score, row.Messages)
	if mean, source := t.Toxicity(); source != "" {
		row.Toxicity, row.ToxicitySource = &mean, &source
	}
	if row.Languages == nil {
		row.Languages = []string{}
	}
	if !u.LastActivity.IsZero() {
		row.LastActivity = &u.LastActivity
	}
	return row
}
