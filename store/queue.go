package store

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store/audit"
	"treewarden/store/cases"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/queue"
)

// Case is a case of the queue.
type Case = cases.Case

// QueueFilter selects open cases.
type QueueFilter = queue.Filter

// QueueLine is what waits of one author: the most urgent case, and the number of all.
type QueueLine struct {
	Case
	Cases     int // of the author, with this one
	People    int // who reported or flagged a message of the author
	OldestAt  time.Time
	AuthorHas bool // whether the author is known
}

// Queue returns one page of open cases.
func (s *Store) Queue(ctx context.Context, actor Actor, f QueueFilter) (List[Case], error) {
	v, err := s.queueView(ctx, actor, f)
	if err != nil {
		return List[Case]{}, err
	}
	places, next, prev, err := s.cases.Page(v, false)
	if err != nil {
		return List[Case]{}, err
	}
	found, err := s.readCases(ctx, actor, v, places)
	return List[Case]{Items: found, Next: next, Prev: prev}, err
}

// QueueLines returns one page of the authors of open cases, each with the most urgent.
func (s *Store) QueueLines(ctx context.Context, actor Actor, f QueueFilter) (List[QueueLine], error) {
	v, err := s.queueView(ctx, actor, f)
	if err != nil {
		return List[QueueLine]{}, err
	}
	places, next, prev, err := s.cases.Page(v, true)
	if err != nil {
		return List[QueueLine]{}, err
	}
	found, err := s.readCases(ctx, actor, v, places)
	lines := make([]QueueLine, len(found))
	for i, c := range found {
		lines[i] = QueueLine{Case: c, Cases: 1, People: c.Reporters, OldestAt: c.OpenedAt}
		if c.UserID != nil {
			lines[i].count(s.cases.OfAuthor(*c.UserID))
		}
	}
	return List[QueueLine]{Items: lines, Next: next, Prev: prev}, err
}

func (l *QueueLine) count(open []*queue.Case) {
	people := map[uuid.UUID]bool{}
	for _, c := range open {
		for _, reporter := range c.Reporters {
			people[reporter] = true
		}
		if c.Opened.Before(l.OldestAt) {
			l.OldestAt = c.Opened.UTC()
		}
	}
	l.AuthorHas, l.Cases, l.People = true, len(open), len(people)
}

// queueView prepares a filter: it brings the index up to the database.
func (s *Store) queueView(ctx context.Context, actor Actor, f QueueFilter) (*queue.View, error) {
	if err := need(actor, policy.Read); err != nil {
		return nil, err
	}
	if err := f.Check(); err != nil {
		return nil, err
	}
	v := &queue.View{Filter: f, Person: actor.UserID}
	var err error
	if v.By, err = s.queueOrder(ctx, f.Window, f.Sort == "oldest"); err != nil {
		return nil, err
	}
	if f.Assigned == "me" || f.Assigned == "none" {
		if v.Claims, err = cases.Claims(ctx, s.pool, s.holders(actor)); err != nil {
			return nil, db.Translate(err)
		}
	}
	v.Skipped, err = cases.Skipped(ctx, s.pool, actor.UserID)
	return v, db.Translate(err)
}

// holders tells who can hold a case now.
func (s *Store) holders(actor Actor) cases.Holders {
	return cases.Holders{Now: s.now(), Roles: s.policyFor(actor).Holders(policy.QueueWork)}
}

// queueOrder returns how cases are ordered, with the queue up to date.
func (s *Store) queueOrder(ctx context.Context, window scoring.Window, oldest bool) (queue.By, error) {
	if window == "" {
		window = scoring.Total
	}
	formula, err := s.FormulaNamed(ctx, "")
	if err != nil {
		return queue.By{}, err
	}
	current, err := s.boards.Current(ctx) // the index of cases follows with it
	scorer := formula.Scorer()
	return queue.By{
		Oldest: oldest, Window: window, Formula: formula, Priority: scoring.DefaultPriority, Now: s.now(),
		Score: func(user uuid.UUID) float64 {
			u, _ := current.User(user)
			return scorer.Score(u.Counters(window))
		},
	}, err
}

// readCases reads the cases of places with their priorities.
func (s *Store) readCases(ctx context.Context, actor Actor, v *queue.View, places []queue.Place) ([]Case, error) {
	ids, at := make([]int64, len(places)), make(map[int64]*queue.Case, len(places))
	for i, p := range places {
		ids[i], at[p.Case.ID] = p.Case.ID, p.Case
	}
	found, err := cases.Read(ctx, s.pool, s.holders(actor), ids)
	for i := range found {
		s.setPriority(&found[i], at[found[i].ID], v.By)
	}
	return found, err
}

// setPriority sets the priority of an open case.
func (s *Store) setPriority(c *Case, in *queue.Case, by queue.By) {
	if in == nil || c.Status != "open" {
		return
	}
	parts := by.Priority.Parts(s.cases.Facts(in, by.Score), queue.Hour(by.Now))
	c.Priority = &cases.Priority{Parts: parts}
	for _, part := range parts {
		c.Priority.Points += part.Points
	}
}

// CaseDetail is a case with what its page shows besides its message.
type CaseDetail struct {
	Case
	Former    []Case                       // the decided cases on the message
	Others    []Case                       // more open cases of the author, the most urgent first
	More      int                          // the number of open cases that Others leaves out
	Unseen    map[int64]bool               // those of Others that the actor has not opened
	Reporting map[uuid.UUID]queue.Reporter // how far its reporters are trusted
}

// othersShown is the number of other open cases of an author that a case names.
const othersShown = 20

// Case returns a case. Window is that of the author's score.
func (s *Store) Case(ctx context.Context, actor Actor, id int64, window scoring.Window) (CaseDetail, error) {
	v, err := s.queueView(ctx, actor, QueueFilter{Window: window})
	if err != nil {
		return CaseDetail{}, err
	}
	var d CaseDetail
	if d.Case, err = cases.ByID(ctx, s.pool, s.holders(actor), id); err != nil {
		return d, err
	}
	if d.Former, err = cases.Former(ctx, s.pool, s.holders(actor), d.Case); err != nil {
		return d, err
	}
	d.Reporting = map[uuid.UUID]queue.Reporter{}
	for _, r := range d.Reports {
		d.Reporting[r.UserID] = s.cases.Reporter(r.UserID)
	}
	for _, r := range d.RedFlags {
		d.Reporting[r.UserID] = s.cases.Reporter(r.UserID)
	}
	s.setPriority(&d.Case, s.cases.ByID(id), v.By)
	return d, s.readOthers(ctx, actor, v, &d)
}

// readOthers reads the other open cases of a case's author.
func (s *Store) readOthers(ctx context.Context, actor Actor, v *queue.View, d *CaseDetail) error {
	if d.UserID == nil {
		return nil
	}
	var places []queue.Place
	for _, c := range s.cases.OfAuthor(*d.UserID) {
		if c.ID != d.ID {
			value := v.By.Priority.Of(s.cases.Facts(c, v.By.Score), queue.Hour(v.By.Now))
			places = append(places, queue.Place{Value: value, Case: c})
		}
	}
	slices.SortFunc(places, queue.Compare)
	d.More = max(0, len(places)-othersShown)
	places = places[:len(places)-d.More]
	var err error
	if d.Others, err = s.readCases(ctx, actor, v, places); err != nil {
		return err
	}
	ids := make([]int64, len(places))
	for i, p := range places {
		ids[i] = p.Case.ID
	}
	seen, err := cases.Seen(ctx, s.pool, actor.UserID, ids)
	d.Unseen = map[int64]bool{}
	for _, id := range ids {
		if _, ok := seen[id]; !ok {
			d.Unseen[id] = true
		}
	}
	return db.Translate(err)
}

// Claim makes the actor the holder of a case for ten minutes, or for ten more. It
// returns a Conflict if somebody else holds it or if it is closed.
func (s *Store) Claim(ctx context.Context, actor Actor, id int64) (Case, error) {
	c, err := s.caseToWork(ctx, actor, id)
	if err != nil {
		return c, err
	}
	held, err := cases.Claim(ctx, s.pool, id, actor.UserID, s.holders(actor))
	if err != nil {
		return c, db.Translate(err)
	}
	fresh := c.ClaimedBy == nil || *c.ClaimedBy != actor.UserID
	if c, err = cases.ByID(ctx, s.pool, s.holders(actor), id); err != nil {
		return c, err
	}
	switch {
	case held && fresh:
		return c, s.announce(ctx, c.UserID)
	case held:
		return c, nil
	case c.Status == "open":
		return c, heldConflict(c)
	}
	return c, s.closedCase(ctx, c)
}

// closedCase is the Conflict of a case that is closed.
func (s *Store) closedCase(ctx context.Context, c Case) error {
	if c.Action == nil {
		return &Conflict{Why: "This case is closed: its reports and red flags were taken back."}
	}
	action, err := audit.ByID(ctx, s.pool, *c.Action)
	if err != nil {
		return err
	}
	return &Conflict{Why: "This case was decided already, by " + action.ActorName + ".", Action: &action}
}

// caseToWork returns a case that the actor may work on.
func (s *Store) caseToWork(ctx context.Context, actor Actor, id int64) (Case, error) {
	if err := need(actor, policy.QueueWork); err != nil {
		return Case{}, err
	}
	if actor.UserID == uuid.Nil {
		return Case{}, &Forbidden{Why: "Cases are held by a person or a key."}
	}
	c, err := cases.ByID(ctx, s.pool, s.holders(actor), id)
	if err != nil {
		return c, err
	}
	lang := policy.Undetermined
	if c.Lang != nil {
		lang = *c.Lang
	}
	d := &actionTx{actor: actor}
	if !policy.Covers(actor.ActsOn(), lang) {
		return c, d.refuseLanguage(policy.QueueWork, lang)
	}
	return c, nil
}

// Release ends the actor's claim of a case.
func (s *Store) Release(ctx context.Context, actor Actor, id int64) (Case, error) {
	c, err := s.caseToWork(ctx, actor, id)
	if err != nil {
		return c, err
	}
	if err := cases.Release(ctx, s.pool, id, actor.UserID); err != nil {
		return c, db.Translate(err)
	}
	if c, err = cases.ByID(ctx, s.pool, s.holders(actor), id); err != nil {
		return c, err
	}
	return c, s.announce(ctx, c.UserID)
}

// ReleaseClaims ends all claims of the actor, such as when they sign out.
func (s *Store) ReleaseClaims(ctx context.Context, actor Actor) error {
	return db.Translate(cases.ReleaseAll(ctx, s.pool, actor.UserID))
}

// SkipCase ends the actor's claim of a case and has it no longer offered to them.
func (s *Store) SkipCase(ctx context.Context, actor Actor, id int64) error {
	c, err := s.caseToWork(ctx, actor, id)
	if err != nil {
		return err
	}
	if err := cases.Skip(ctx, s.pool, id, actor.UserID, s.now()); err != nil {
		return db.Translate(err)
	}
	return s.announce(ctx, c.UserID)
}

// TakeBackSkips has the cases offered again that the actor skipped.
func (s *Store) TakeBackSkips(ctx context.Context, actor Actor) error {
	if err := need(actor, policy.QueueWork); err != nil {
		return err
	}
	return db.Translate(cases.TakeBack(ctx, s.pool, actor.UserID))
}

// PostponeCase has a case offered to nobody before a time.
func (s *Store) PostponeCase(ctx context.Context, actor Actor, id int64, until time.Time) error {
	c, err := s.caseToWork(ctx, actor, id)
	if err != nil {
		return err
	}
	if now := s.now(); !until.After(now) || until.After(now.AddDate(1, 0, 0)) {
		return Invalid{"until": "Choose a date within the next year."}
	}
	author, ok, err := cases.Postpone(ctx, s.pool, id, actor.UserID, until, s.holders(actor))
	switch {
	case err != nil:
		return db.Translate(err)
	case ok:
		return s.announce(ctx, &author)
	case c.Status == "open":
		return heldConflict(c)
	}
	return s.closedCase(ctx, c)
}

// announce has every process read the cases of an author again.
func (s *Store) announce(ctx context.Context, author *uuid.UUID) error {
	if author == nil {
		author = &uuid.Nil
	}
	var changed counters.Changed
	changed.Add(*author)
	var batch pgx.Batch
	s.boards.Announce(&batch, changed)
	err := s.pool.SendBatch(ctx, &batch).Close()
	s.boards.Mark(changed)
	return db.Translate(err)
}
