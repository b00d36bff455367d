package admin

import (
	"context"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/admin/openapi"
	"treewarden/markup"
	"treewarden/store"
	"treewarden/store/waves"
)

func init() {
	describe("GET /messages/:id/similar", openapi.Method{
		Summary: "The messages that are like a message, the most similar first, deleted ones too",
		Query:   similarQuery{}, Answer: similarAnswer{},
	})
	describe("GET /waves", openapi.Method{
		Summary: "Waves: messages of at least two accounts whose texts are alike",
		Query:   wavesQuery{}, Answer: store.List[waves.Wave]{},
	})
	describe("GET /waves/:id", openapi.Method{
		Summary: "A wave and its messages, by its id or by the id of one of its messages",
		Query:   waveQuery{}, Answer: waveAnswer{},
	})
}

const wavesPath = "/waves"

// similarQuery is the query of the messages that are like one.
type similarQuery struct {
	Limit *int     `form:"limit" validate:"omitempty,min=1,max=200"`
	Least *float64 `form:"least" validate:"omitempty,min=0,max=1"` // the least likeness
}

// similarAnswer is one list; there are no further pages.
type similarAnswer struct {
	Items []waves.Near `json:"items"`
}

// similar answers the API with the messages that are like one.
func (s *Server) similar(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var q similarQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	limit, least := 50, waves.Least
	if q.Limit != nil {
		limit = *q.Limit
	}
	if q.Least != nil {
		least = *q.Least
	}
	reader, err := s.store.Waves(s.actor(c))
	if err != nil {
		return err
	}
	found, err := reader.Similar(c.UserContext(), id, least, limit)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(similarAnswer{orNone(found)})
}

// wavesQuery is the query of the list of waves.
type wavesQuery struct {
	pageQuery
	Since *time.Time `form:"since"`
	Min   *int       `form:"min" validate:"omitempty,min=2,max=1000000"`
	Lang  string     `form:"lang" validate:"max=40"`
}

// waveLine is a wave as the list shows it.
type waveLine struct {
	waves.Wave
	View    messageView // of its oldest message
	Excerpt string
}

// Path returns the address of the wave's page.
func (l waveLine) Path() string { return wavesPath + "/" + l.WaveID.String() }

type wavesPage struct {
	Layout
	List      store.List[waves.Wave]
	Filter    wavesQuery
	Lines     []waveLine
	Languages []Choice
	Limited   *Limited
	Reveal    *reveal
	Pager     Pager
}

func (p wavesPage) api() any { return p.List }

// Min returns the least number of messages of the waves that are shown.
func (p wavesPage) Min() int {
	if p.Filter.Min != nil {
		return *p.Filter.Min
	}
	return waves.LeastMessages
}

// MinValue returns the value of the form's field of the same name.
func (p wavesPage) MinValue() string { return strconv.Itoa(p.Min()) }

// SinceValue returns the value of the form's field of the same name.
func (p wavesPage) SinceValue() string { return fieldTime(p.Filter.Since) }

// Filtered reports whether the person narrowed the list.
func (p wavesPage) Filtered() bool {
	return p.Filter.Since != nil || p.Filter.Min != nil || p.Filter.Lang != "" && p.Filter.Lang != ownLanguages
}

// waves lists waves, those with the newest messages first.
func (s *Server) waves(c *fiber.Ctx) error {
	var q wavesQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	q.Lang = defaultLanguage(c, q.Lang)
	p := wavesPage{Filter: q}
	reader, err := s.store.Waves(s.actor(c))
	if err != nil {
		return err
	}
	f := waves.Filter{Since: q.Since, Min: p.Min(), Page: q.page()}
	f.Lang, f.Within = languageFilter(s.actor(c), q.Lang)
	if !isAPI(c) {
		f.TextLimit = 1 // the page reads the messages
	}
	if p.List, err = reader.All(c.UserContext(), f); err != nil {
		return err
	}
	if isAPI(c) {
		return s.render(c, "waves", p)
	}
	p.Layout = s.layout(c, "Waves")
	p.Limited = p.limited(q.Lang)
	languages, err := s.store.Languages(c.UserContext())
	if err != nil {
		return err
	}
	p.Languages = p.languages(languages, q.Lang)
	p.Pager = p.pager(p.List.Prev, p.List.Next, "")
	ids := make([]uuid.UUID, len(p.List.Items))
	for i, w := range p.List.Items {
		ids[i] = w.Oldest
	}
	oldest, err := s.store.MessagesNamed(c.UserContext(), s.actor(c), ids)
	if err != nil {
		return err
	}
	shown := p.withReveal(c)
	t := newPresenter(p.Person, hereWithout(c, "done", "notice"))
	hides := false
	for _, w := range p.List.Items {
		m := oldest[w.Oldest]
		hides = hides || hidesAny(p.Person, []store.Message{m})
		p.Lines = append(p.Lines, waveLine{w, t.view(m), markup.Excerpt(m.Text, tableExcerpt)})
	}
	p.Reveal = revealLink(p.Query, shown, hides)
	return s.render(c, "waves", p)
}

// waveQuery is the query of a wave's page.
type waveQuery struct{ pageQuery }

// waveAnswer is a wave with one page of its members.
type waveAnswer struct {
	waves.Wave
	store.List[waves.Near]
}

type wavePage struct {
	Layout
	Wave    waves.Wave
	Members store.List[waves.Near]
	Lines   []found
	Reveal  *reveal
	Pager   Pager
	Bulk    *bulkMenu // acts on many of them; nil for none
}

func (p wavePage) api() any { return waveAnswer{p.Wave, p.Members} }

// wave shows a wave with its messages, the newest first.
func (s *Server) wave(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var q waveQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	reader, err := s.store.Waves(s.actor(c))
	if err != nil {
		return err
	}
	limit := 0
	if !isAPI(c) {
		limit = shownText + 1
	}
	var p wavePage
	if p.Wave, err = reader.ByID(c.UserContext(), id, limit); err != nil {
		return err
	}
	if !isAPI(c) && p.Wave.WaveID != id { // the old id of a wave that became part of this one
		return c.Redirect(waveLine{Wave: p.Wave}.Path(), fiber.StatusSeeOther)
	}
	if p.Members, err = reader.Members(c.UserContext(), p.Wave.WaveID, limit, q.page()); err != nil {
		return err
	}
	if isAPI(c) {
		return s.render(c, "wave", p)
	}
	p.Layout = s.layout(c, "Wave")
	p.Pager = p.pager(p.Members.Prev, p.Members.Next, "")
	shown, hides := p.withReveal(c), false
	t := newPresenter(p.Person, hereWithout(c, "done", "notice"))
	for _, m := range p.Members.Items {
		hides = hides || hidesAny(p.Person, []store.Message{m.Message})
		line := t.found(m.Message)
		line.Likeness = &m.Likeness
		p.Lines = append(p.Lines, line)
	}
	if p.Bulk = selectRows(p.Person, p.Lines, hereWithout(c, "done", "notice")); p.Bulk != nil {
		p.Bulk.Wave = p.Wave.WaveID.String()
	}
	p.Reveal = revealLink(p.Query, shown, hides)
	return s.render(c, "wave", p)
}

// setWaves sets the waves that messages are in.
func (s *Server) setWaves(ctx context.Context, actor store.Actor, list []store.Message) error {
	reader, err := s.store.Waves(actor)
	if err != nil {
		return err
	}
	return reader.SetOn(ctx, list)
}

// setCaseWaves sets the waves that the messages of cases are in.
func (s *Server) setCaseWaves(ctx context.Context, actor store.Actor, list ...*store.Case) error {
	reader, err := s.store.Waves(actor)
	if err != nil {
		return err
	}
	keys := make([]waves.Key, len(list))
	for i, one := range list {
		keys[i] = waves.Key{Tree: one.TreeID, Message: one.MessageID}
	}
	of, err := reader.Of(ctx, keys)
	for _, one := range list {
		one.Wave = of[one.MessageID]
	}
	return err
}

// waveRows are rows of a table of messages that stand together: those of one wave, of
// which all but the first are folded, or others.
type waveRows struct {
	Rows []found
	More int // the number of folded rows
}

// waveGroups puts the rows of each wave below the first of them.
func waveGroups(rows []found) []waveRows {
	of := map[uuid.UUID][]found{}
	for _, row := range rows {
		if row.Wave != nil {
			of[row.Wave.WaveID] = append(of[row.Wave.WaveID], row)
		}
	}
	var groups []waveRows
	single := false // the last group has no wave
	for _, row := range rows {
		var members []found
		if row.Wave != nil {
			members = of[row.Wave.WaveID]
		}
		switch {
		case len(members) > 1 && members[0].MessageID != row.MessageID: // is below the first already
		case len(members) > 1:
			members[0].More = len(members) - 1
			for i := range members[1:] {
				members[i+1].Folded = true
			}
			groups, single = append(groups, waveRows{members, members[0].More}), false
		case single:
			last := &groups[len(groups)-1]
			last.Rows = append(last.Rows, row)
		default:
			groups, single = append(groups, waveRows{Rows: []found{row}}), true
		}
	}
	return groups
}
