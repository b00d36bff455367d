package store

import (
	"context"
	"math"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/scoring/board"
	"treewarden/store/db"
)

// boardSorts are the columns that a board can be sorted by, in descending order.
var boardSorts = []string{"score", "rate", "red_flags", "downvotes", "spam", "toxicity", "messages"}

// Board ranks users by their troll score within a window, or by another column.
// It lists the users who wrote a message or received a signal within the window.
// It reads the board in memory, which is as current as the database.
func (s *Store) Board(ctx context.Context, actor Actor, f BoardFilter) (Board, error) {
	list := Board{Window: f.Window, Formula: f.Formula.Name, AsOf: s.now().UTC()}
	if err := need(actor, policy.Read); err != nil {
		return list, err
	}
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
	from, back, err := boardPlace(f.Cursor, by)
	if err != nil {
		return list, err
	}
	users, err := s.boards.Current(ctx)
	if err != nil {
		return list, err
	}
	rows, before, after := users.Page(view, from, back, limit)
	list.Items = make([]BoardRow, len(rows))
	scorer := f.Formula.Scorer()
	var parts []scoring.Part // of all rows, in one allocation
	if f.Parts {
		parts = make([]scoring.Part, 0, len(rows)*len(scoring.Signals))
	}
	for i := range rows {
		list.Items[i] = boardRow(&rows[i], &f, scorer)
		if !f.Parts {
			continue
		}
		begin := len(parts)
		parts = scorer.Parts(parts, rows[i].User.Counters(f.Window))
		list.Items[i].Parts = slices.Clip(parts[begin:])
	}
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
		Within: f.Within, Name: f.Q}
	if v.Sort == "" {
		v.Sort = "score"
	}
	if v.Status == "" {
		v.Status = Active
	}
	if err := db.OneOf("sort", v.Sort, boardSorts...); err != nil {
		return v, err
	}
	return v, db.OneOf("status", v.Status, Active, Banned, "all")
}

// boardPlace parses the place at which a page begins from its cursor.
func boardPlace(text string, by db.Order) (from *board.Place, back bool, err error) {
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

// WatchBoards returns a channel that receives a value after boards changed, at
// most one until it is read. The function stop ends this.
func (s *Store) WatchBoards(ctx context.Context) (changed <-chan struct{}, stop func(), err error) {
	return s.boards.Watch(ctx)
}

// WarmBoards reads the boards into memory, so that the first request need not
// wait.
func (s *Store) WarmBoards(ctx context.Context) error {
	_, err := s.boards.Current(ctx)
	return err
}
