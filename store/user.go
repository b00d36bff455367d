package store

import (
	"context"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store/briefs"
	"treewarden/store/db"
	"treewarden/store/raters"
	"treewarden/store/tables"
	"treewarden/store/users"
)

// What users, briefs and raters read, by the names that users of a Store know.
type (
	User        = users.User
	UserDetail  = briefs.UserDetail
	UserPrivate = users.Private
	Ban         = users.Ban
	Stats       = users.Stats
	Feedback    = users.Feedback
	NoteVersion = users.NoteVersion
	UserBrief   = briefs.Brief
	UserFilter  = users.Filter
	// Rater measures how far a user's feedback agrees with that of others.
	Rater = raters.Rater
	// RaterLabel compares a rater's answers to one question with those of others.
	RaterLabel = raters.Label
	// RaterScale compares a rater's values for one label with those of others.
	RaterScale = raters.ScaleDifference
	// RaterFlags counts a rater's flags by their outcome.
	RaterFlags = raters.Flags
)

// The statuses of a user.
const (
	Active = tables.Active
	Banned = tables.Banned
	Erased = tables.Erased
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
	return users.Page(ctx, s.pool, s.searcher, f)
}

// userByID reads one user; c may be a transaction.
func userByID(ctx context.Context, c db.Conn, id uuid.UUID) (User, error) {
	return users.ByID(ctx, c, id)
}

// User returns one user with their stats and scores in every window.
func (s *Store) User(ctx context.Context, actor Actor, id uuid.UUID, formula scoring.Formula) (UserDetail, error) {
	if err := need(actor, policy.Read); err != nil {
		return UserDetail{}, err
	}
	return briefs.Detail(ctx, s.pool, id, formula, s.now(), actor.May(policy.UserPrivate))
}

// UserBrief returns what the head of a user's page shows beside their figures.
func (s *Store) UserBrief(ctx context.Context, actor Actor, id uuid.UUID, formula scoring.Formula) (UserBrief, error) {
	if err := need(actor, policy.Read); err != nil {
		return UserBrief{}, err
	}
	f := ActionFilter{Concerning: &id}
	return briefs.Of(ctx, s.pool, id, formula, s.now(), f, limitToVisible(actor, &f) == nil)
}

// CountFeedback counts what UserFeedback lists.
func (s *Store) CountFeedback(ctx context.Context, actor Actor, id uuid.UUID) (int, error) {
	if err := need(actor, policy.Read); err != nil {
		return 0, err
	}
	return users.CountFeedback(ctx, s.pool, id)
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
