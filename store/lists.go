package store

import (
	"context"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/db"
	"treewarden/store/lists"
	"treewarden/store/messages"
	"treewarden/store/samples"
)

// Lists returns one page of the lists of messages, the newest first.
func (s *Store) Lists(ctx context.Context, actor Actor, f lists.Filter) (List[lists.List], error) {
	if err := need(actor, policy.ListRead); err != nil {
		return List[lists.List]{}, err
	}
	return lists.All(ctx, s.pool, f)
}

// CountMessages counts the messages that a filter finds, up to one more than
// MaxListItems.
func (s *Store) CountMessages(ctx context.Context, actor Actor, f MessageFilter) (int64, error) {
	if err := need(actor, policy.Read); err != nil {
		return 0, err
	}
	q := db.Query{Columns: "1", From: messages.Tables}
	if err := f.Narrow(&q); err != nil {
		return 0, err
	}
	return lists.CountUpTo(ctx, s.pool, q, MaxListItems+1)
}

// ListByID returns a list of messages, or ErrNotFound.
func (s *Store) ListByID(ctx context.Context, actor Actor, id uuid.UUID) (lists.List, error) {
	if err := need(actor, policy.ListRead); err != nil {
		return lists.List{}, err
	}
	return lists.ByID(ctx, s.pool, id)
}

// ListItems returns one page of the items of a list, the newest first.
func (s *Store) ListItems(
	ctx context.Context, actor Actor, list uuid.UUID, f lists.ItemFilter,
) (List[lists.Item], error) {
	if _, err := s.ListByID(ctx, actor, list); err != nil {
		return List[lists.Item]{}, err
	}
	return lists.Items(ctx, s.pool, list, f)
}

// AuditList counts the items of a list by their state now. It keeps who audited
// the list, when, and the counts.
func (s *Store) AuditList(ctx context.Context, actor Actor, list uuid.UUID) (lists.Audit, error) {
	if _, err := s.ListByID(ctx, actor, list); err != nil {
		return lists.Audit{}, err
	}
	audit, err := lists.Count(ctx, s.pool, list, s.now().UTC())
	if err != nil {
		return lists.Audit{}, err
	}
	_, err = s.pool.Exec(ctx, `INSERT INTO list_audits (list_id, at, by, counts) VALUES ($1, $2, $3, $4)
		ON CONFLICT DO NOTHING`, list, audit.At, actor.id(), audit.Counts)
	return audit, db.Translate(err)
}

// CompareList compares a list with another one, or with what staff deleted.
func (s *Store) CompareList(
	ctx context.Context, actor Actor, list uuid.UUID, with lists.Other, p Page,
) (lists.Comparison, error) {
	if _, err := s.ListByID(ctx, actor, list); err != nil {
		return lists.Comparison{}, err
	}
	if !with.Deleted {
		if _, err := s.ListByID(ctx, actor, with.List); err != nil {
			return lists.Comparison{}, err
		}
	}
	return lists.Compare(ctx, s.pool, list, with, p)
}

// Samples gives an actor who may read lists access to the second looks.
func (s *Store) Samples(actor Actor) (samples.Access, error) {
	return samples.Access{Pool: s.pool, Now: s.now, Person: actor.UserID, Edit: need(actor, policy.ListEdit)},
		need(actor, policy.ListRead)
}
