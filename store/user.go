package store

import (
	"context"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store/briefs"
	"treewarden/store/db"
	"treewarden/store/raters"
	"treewarden/store/scores"
	"treewarden/store/users"
)

// Users lists users; keys are left out.
func (s *Store) Users(ctx context.Context, actor Actor, f UserFilter) (List[User], error) {
	if err := need(actor, policy.Read); err != nil {
		return List[User]{}, err
	}
	if f.Role != "" {
		if err := db.OneOf("role", f.Role, s.policyFor(actor).Names()...); err != nil {
			return List[User]{}, err
		}
	}
	return users.Page(ctx, s.pool, f)
}

// userByID reads one user; c may be a transaction.
func userByID(ctx context.Context, c db.Conn, id uuid.UUID) (User, error) {
	rows, err := c.Query(ctx, users.ByIDSQL, id)
	if err != nil {
		return User{}, db.Translate(err)
	}
	user, err := users.One(rows)
	return user, db.Translate(err)
}

// What the package users reads, by the names that users of a Store know.
type (
	User        = users.User
	UserPrivate = users.Private
	Ban         = users.Ban
	Stats       = users.Stats
	Feedback    = users.Feedback
	NoteVersion = users.NoteVersion
	UserBrief   = briefs.Brief
	UserFilter  = users.Filter
)

// User returns one user with their stats and scores in every window.
func (s *Store) User(ctx context.Context, actor Actor, id uuid.UUID, formula scoring.Formula) (UserDetail, error) {
	d := UserDetail{
		Stats:  map[scoring.Window]Stats{},
		Scores: map[scoring.Window]float64{},
		Parts:  map[scoring.Window][]scoring.Part{},
	}
	if err := need(actor, policy.Read); err != nil {
		return d, err
	}
	var err error
	if d.User, err = userByID(ctx, s.pool, id); err != nil {
		return d, err
	}
	if actor.May(policy.UserPrivate) {
		if d.Private, err = users.PrivateOf(ctx, s.pool, id); err != nil {
			return d, err
		}
	}
	if d.Languages, err = users.Languages(ctx, s.pool, id); err != nil {
		return d, err
	}
	for _, window := range scoring.Windows {
		stats, err := users.StatsOf(ctx, s.pool, id, s.since(window))
		if err != nil {
			return d, err
		}
		counts, err := scores.Kept(ctx, s.pool, id, window, s.now(), formula)
		if err != nil {
			return d, err
		}
		stats.Score = formula.Score(counts)
		stats.Rate = scoring.Rate(stats.Score, stats.Messages)
		d.Stats[window], d.Scores[window], d.Parts[window] = stats, stats.Score, formula.Parts(counts)
	}
	if d.Days, err = scores.Days(ctx, s.pool, id, s.now(), formula); err != nil {
		return d, err
	}
	d.History, err = users.NotesOf(ctx, s.pool, id)
	return d, err
}

// UserBrief returns what the head of a user's page shows beside their figures.
func (s *Store) UserBrief(ctx context.Context, actor Actor, id uuid.UUID, formula scoring.Formula) (UserBrief, error) {
	if err := need(actor, policy.Read); err != nil {
		return UserBrief{}, err
	}
	f := ActionFilter{Concerning: &id, Page: Page{Limit: briefs.ShownActions}}
	return briefs.Of(ctx, s.pool, id, formula, s.now(), f, limitToVisible(actor, &f) == nil)
}

// UserFeedback lists a user's feedback, the newest first.
func (s *Store) UserFeedback(ctx context.Context, actor Actor, id uuid.UUID, p Page) (List[Feedback], error) {
	if err := need(actor, policy.Read); err != nil {
		return List[Feedback]{}, err
	}
	if _, err := userByID(ctx, s.pool, id); err != nil {
		return List[Feedback]{}, err
	}
	return users.FeedbackOf(ctx, s.pool, id, p)
}

// Rater compares a user's feedback with that of others on the same messages.
func (s *Store) Rater(ctx context.Context, actor Actor, id uuid.UUID) (Rater, error) {
	if err := need(actor, policy.Read); err != nil {
		return Rater{}, err
	}
	if _, err := userByID(ctx, s.pool, id); err != nil {
		return Rater{}, err
	}
	r, err := raters.Compare(ctx, s.pool, id)
	return r, db.Translate(err)
}
