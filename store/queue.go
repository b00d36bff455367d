package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store/accounts"
	"treewarden/store/audit"
	"treewarden/store/cases"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/figures"
	"treewarden/store/queue"
)

// Case is a case of the queue.
type Case = cases.Case

// QueueFilter selects open cases.
type QueueFilter = queue.Filter

// QueueLine is what waits of one author: the most urgent case, and the number of all.
type QueueLine = cases.Line

// CaseDetail is a case with what its page shows besides its message.
type CaseDetail = cases.Detail

// Queue returns one page of open cases.
func (s *Store) Queue(ctx context.Context, actor Actor, f QueueFilter) (List[Case], error) {
	desk, places, list, err := s.queuePage(ctx, actor, f, false)
	if err != nil {
		return list, err
	}
	list.Items, err = desk.Read(ctx, places)
	return list, err
}

// QueueLines returns one page of the authors of open cases, each with the most urgent.
func (s *Store) QueueLines(ctx context.Context, actor Actor, f QueueFilter) (List[QueueLine], error) {
	desk, places, list, err := s.queuePage(ctx, actor, f, true)
	if err != nil {
		return List[QueueLine]{}, err
	}
	lines, err := desk.Lines(ctx, places)
	return List[QueueLine]{Items: lines, Next: list.Next, Prev: list.Prev}, err
}

// NextCases returns the first cases of a page of the queue by their numbers.
func (s *Store) NextCases(ctx context.Context, actor Actor, f QueueFilter) ([]int64, error) {
	_, places, _, err := s.queuePage(ctx, actor, f, false)
	ids := make([]int64, len(places))
	for i, p := range places {
		ids[i] = p.Case.ID
	}
	return ids, err
}

// queuePage returns the places of one page of the queue. It brings the index up to the
// database.
func (s *Store) queuePage(
	ctx context.Context, actor Actor, f QueueFilter, grouped bool,
) (desk cases.Desk, places []queue.Place, list List[Case], err error) {
	if err := need(actor, policy.Read); err != nil {
		return desk, nil, list, err
	}
	if err := f.Check(); err != nil {
		return desk, nil, list, err
	}
	v := &queue.View{Filter: f, Person: actor.UserID}
	if desk, err = s.desk(ctx, actor, f.Window, f.Sort == "oldest"); err != nil {
		return desk, nil, list, err
	}
	v.By = desk.By
	if f.Assigned != "" && f.Assigned != "any" {
		if v.Claims, err = cases.Claims(ctx, s.pool, desk.Holders); err != nil {
			return desk, nil, list, db.Translate(err)
		}
	}
	if v.Skipped, err = cases.Skipped(ctx, s.pool, actor.UserID); err != nil {
		return desk, nil, list, db.Translate(err)
	}
	places, list.Next, list.Prev, err = s.cases.Page(v, grouped)
	return desk, places, list, err
}

// holders tells who can hold a case now.
func (s *Store) holders(actor Actor) cases.Holders {
	return cases.Holders{Now: s.now(), Roles: s.policyFor(actor).Holders(policy.QueueWork)}
}

// desk returns what reads open cases, with the index of cases up to the database.
func (s *Store) desk(ctx context.Context, actor Actor, window scoring.Window, oldest bool) (cases.Desk, error) {
	desk := cases.Desk{Conn: s.pool, Index: s.cases, Holders: s.holders(actor)}
	if window == "" {
		window = scoring.Total
	}
	weights, err := s.boards.WeightsInForce(ctx)
	if err != nil {
		return desk, err
	}
	current, err := s.boards.Current(ctx) // the index of cases follows with it
	scorer := weights.Formula.Scorer()
	desk.By = queue.By{
		Oldest: oldest, Window: window, Formula: weights.Formula, Priority: weights.Priority, Now: s.now(),
		Score: func(user uuid.UUID) float64 {
			u, _ := current.User(user)
			return scorer.Score(u.Counters(window))
		},
	}
	return desk, err
}

// Case returns a case. Window is that of the author's score.
func (s *Store) Case(ctx context.Context, actor Actor, id int64, window scoring.Window) (Case, error) {
	if err := need(actor, policy.Read); err != nil {
		return Case{}, err
	}
	desk, err := s.desk(ctx, actor, window, false)
	if err != nil {
		return Case{}, err
	}
	return desk.One(ctx, id)
}

// CaseDetail returns a case with what its page shows besides its message.
func (s *Store) CaseDetail(ctx context.Context, actor Actor, id int64, window scoring.Window) (CaseDetail, error) {
	if err := need(actor, policy.Read); err != nil {
		return CaseDetail{}, err
	}
	desk, err := s.desk(ctx, actor, window, false)
	if err != nil {
		return CaseDetail{}, err
	}
	return desk.Detail(ctx, actor.worker(), id)
}

// TouchedCases counts the open cases that an action on a user, a message or a tree
// touches.
func (s *Store) TouchedCases(ctx context.Context, actor Actor, target string, id uuid.UUID) (int, error) {
	if err := need(actor, policy.Read); err != nil {
		return 0, err
	}
	return cases.CountTouched(ctx, s.pool, target, id)
}

// MyFate returns what became of what the actor decided in the queue since a time.
func (s *Store) MyFate(ctx context.Context, actor Actor, since time.Time) (cases.Fate, error) {
	if err := need(actor, policy.Read); err != nil {
		return cases.Fate{}, err
	}
	return cases.FateOf(ctx, s.pool, actor.UserID, since)
}

// CaseMessage returns the message of a case.
func (s *Store) CaseMessage(ctx context.Context, actor Actor, id int64) (uuid.UUID, error) {
	if err := need(actor, policy.Read); err != nil {
		return uuid.Nil, err
	}
	ref, err := cases.RefOf(ctx, s.pool, id)
	return ref.MessageID, err
}

// Claim makes the actor the holder of a case for ten minutes, or for ten more. It
// returns a Conflict if somebody else holds it or if it is closed.
func (s *Store) Claim(ctx context.Context, actor Actor, id int64) (Case, error) {
	if err := s.caseToWork(ctx, actor, id); err != nil {
		return Case{}, err
	}
	held, fresh, err := cases.Claim(ctx, s.pool, id, actor.UserID, s.holders(actor))
	if err != nil {
		return Case{}, db.Translate(err)
	}
	c, err := cases.ByID(ctx, s.pool, s.holders(actor), id)
	switch {
	case err != nil, held && !fresh:
		return c, err
	case held:
		return c, s.announce(ctx, counters.Changed{Claims: true})
	}
	return c, s.notFree(ctx, c)
}

// Rest returns what a person's own settings ask for in the queue now. opening is a case
// that they open just now; 0 is none.
func (s *Store) Rest(ctx context.Context, person Person, opening int64) (cases.Rest, error) {
	weights, err := s.boards.WeightsInForce(ctx)
	if err != nil {
		return cases.Rest{}, err
	}
	return cases.Resting(ctx, s.pool, person.UserID, person.Wellbeing, s.now(), weights.Formula.ToxicFrom,
		s.cases.ByID(opening))
}

// DismissBreak has a person no longer reminded to take a break for a while.
func (s *Store) DismissBreak(ctx context.Context, person Person) error {
	return accounts.DismissBreak(ctx, s.pool, person.UserID, s.now())
}

// checkFree returns a Conflict if somebody but the actor holds a case, or if it is closed.
func (s *Store) checkFree(ctx context.Context, actor Actor, id int64) error {
	c, err := cases.ByID(ctx, s.pool, s.holders(actor), id)
	if err == nil && (c.Status != "open" || c.ClaimedBy != nil && *c.ClaimedBy != actor.UserID) {
		err = s.notFree(ctx, c)
	}
	return err
}

// notFree is the Conflict of a case that somebody else holds, or that is closed.
func (s *Store) notFree(ctx context.Context, c Case) error {
	if c.Status == "open" {
		return heldConflict(c)
	}
	return s.closedCase(ctx, c)
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

// caseToWork checks that the actor may work on a case.
func (s *Store) caseToWork(ctx context.Context, actor Actor, id int64) error {
	if err := need(actor, policy.QueueWork); err != nil {
		return err
	}
	if actor.UserID == uuid.Nil {
		return &Forbidden{Why: "Cases are held by a person or a key."}
	}
	ref, err := cases.RefOf(ctx, s.pool, id)
	if err != nil {
		return err
	}
	lang := policy.Undetermined
	if ref.Lang != nil {
		lang = *ref.Lang
	}
	if policy.Covers(actor.ActsOn(), lang) {
		return nil
	}
	return (&actionTx{actor: actor}).refuseLanguage(policy.QueueWork, lang)
}

// Release ends the actor's claim of a case.
func (s *Store) Release(ctx context.Context, actor Actor, id int64) error {
	if err := s.caseToWork(ctx, actor, id); err != nil {
		return err
	}
	if err := s.checkFree(ctx, actor, id); err != nil {
		return err
	}
	if err := cases.Release(ctx, s.pool, id, actor.UserID); err != nil {
		return db.Translate(err)
	}
	return s.announce(ctx, counters.Changed{Claims: true})
}

// SkipCase ends the actor's claim of a case and has it no longer offered to them.
func (s *Store) SkipCase(ctx context.Context, actor Actor, id int64) error {
	if err := s.caseToWork(ctx, actor, id); err != nil {
		return err
	}
	if err := s.checkFree(ctx, actor, id); err != nil {
		return err
	}
	if err := cases.Skip(ctx, s.pool, id, actor.UserID, s.now()); err != nil {
		return db.Translate(err)
	}
	return s.announce(ctx, counters.Changed{Claims: true})
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
	if err := s.caseToWork(ctx, actor, id); err != nil {
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
		var changed counters.Changed
		changed.Add(author)
		return s.announce(ctx, changed)
	}
	c, err := cases.ByID(ctx, s.pool, s.holders(actor), id)
	if err != nil {
		return err
	}
	return s.notFree(ctx, c)
}

// announce has every process follow a change of cases.
func (s *Store) announce(ctx context.Context, changed counters.Changed) error {
	var batch pgx.Batch
	s.boards.Announce(&batch, changed)
	err := s.pool.SendBatch(ctx, &batch).Close()
	s.boards.Mark(changed)
	return db.Translate(err)
}

// QueueFigures returns the figures of the queue.
func (s *Store) QueueFigures(ctx context.Context, actor Actor, f figures.Filter) (figures.Queue, error) {
	if err := need(actor, policy.Read); err != nil {
		return figures.Queue{}, err
	}
	if _, err := s.boards.Current(ctx); err != nil { // the index of cases follows with it
		return figures.Queue{}, err
	}
	return figures.Read(ctx, s.pool, s.cases, f, s.now())
}

// QueueTotals returns the figures of the queue over all time, for monitoring.
func (s *Store) QueueTotals(ctx context.Context) (figures.Totals, error) {
	if _, err := s.boards.Current(ctx); err != nil {
		return figures.Totals{}, err
	}
	t, err := figures.ReadTotals(ctx, s.pool)
	t.Open = s.cases.Ages(s.now(), "", nil)
	return t, db.Translate(err)
}
