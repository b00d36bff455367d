package store

import (
	"context"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/messages"
)

// Trees, by the names that users of a Store know.
type (
	Tree       = messages.Tree
	TreeFilter = messages.TreeFilter
	TreeDetail = messages.TreeDetail
	Node       = messages.Node
)

// Trees lists trees, the newest first.
func (s *Store) Trees(ctx context.Context, actor Actor, f TreeFilter) (List[Tree], error) {
	if err := need(actor, policy.Read); err != nil {
		return List[Tree]{}, err
	}
	return messages.Trees(ctx, s.pool, f)
}

// Tree returns a tree with all its messages nested.
func (s *Store) Tree(ctx context.Context, actor Actor, id uuid.UUID) (TreeDetail, error) {
	if err := need(actor, policy.Read); err != nil {
		return TreeDetail{}, err
	}
	return messages.Nested(ctx, s.pool, id)
}

// Languages lists the languages of trees, for filter fields.
func (s *Store) Languages(ctx context.Context) ([]string, error) {
	return messages.TreeLanguages(ctx, s.pool)
}
