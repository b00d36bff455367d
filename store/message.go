package store

import (
	"context"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/messages"
)

// What the package messages reads, by the names that users of a Store know.
type (
	Message       = messages.Message
	MessageFilter = messages.Filter
	Label         = messages.Label
	Deletion      = messages.Deletion
	Revision      = messages.Revision
	Report        = messages.Report
	Vote          = messages.Vote
	Reaction      = messages.Reaction
	Behind        = messages.Behind
)

// Message returns one message with the data of its page.
func (s *Store) Message(ctx context.Context, actor Actor, id uuid.UUID) (MessageDetail, error) {
	var d MessageDetail
	if err := need(actor, policy.Read); err != nil {
		return d, err
	}
	tree, err := messages.TreeOf(ctx, s.pool, id)
	if err != nil {
		return d, err
	}
	if d.Path, d.Replies, err = messages.Thread(ctx, s.pool, tree, id); err != nil {
		return d, err
	}
	d.Message = d.Path[len(d.Path)-1]
	if d.Siblings, err = messages.Siblings(ctx, s.pool, tree, d.ParentID); err != nil {
		return d, err
	}
	if d.Tree, err = messages.TreeByID(ctx, s.pool, tree); err != nil {
		return d, err
	}
	if d.Revisions, err = messages.Revisions(ctx, s.pool, tree, id); err != nil {
		return d, err
	}
	if d.Reports, err = messages.Reports(ctx, s.pool, tree, id); err != nil {
		return d, err
	}
	if d.Votes, err = messages.Votes(ctx, s.pool, tree, id); err != nil {
		return d, err
	}
	d.Reactions, err = messages.Reactions(ctx, s.pool, tree, id)
	return d, err
}

// Thread returns the path from the prompt to a message, and its replies.
func (s *Store) Thread(ctx context.Context, actor Actor, id uuid.UUID) (path, replies []Message, err error) {
	if err := need(actor, policy.Read); err != nil {
		return nil, nil, err
	}
	tree, err := messages.TreeOf(ctx, s.pool, id)
	if err != nil {
		return nil, nil, err
	}
	return messages.Thread(ctx, s.pool, tree, id)
}

// Revisions returns all texts of a message, the oldest first, or none if the
// message was never edited.
func (s *Store) Revisions(ctx context.Context, actor Actor, id uuid.UUID) ([]Revision, error) {
	if err := need(actor, policy.Read); err != nil {
		return nil, err
	}
	tree, err := messages.TreeOf(ctx, s.pool, id)
	if err != nil {
		return nil, err
	}
	return messages.Revisions(ctx, s.pool, tree, id)
}

// Messages lists messages.
func (s *Store) Messages(ctx context.Context, actor Actor, f MessageFilter) (List[Message], error) {
	if err := need(actor, policy.Read); err != nil {
		return List[Message]{}, err
	}
	return messages.All(ctx, s.pool, f)
}

// MessagesNamed reads messages by their ids. Unknown ids are left out.
func (s *Store) MessagesNamed(ctx context.Context, actor Actor, ids []uuid.UUID) (map[uuid.UUID]Message, error) {
	if err := need(actor, policy.Read); err != nil {
		return nil, err
	}
	found, err := messages.Select(ctx, s.pool, `WHERE (m.tree_id, m.message_id)
		IN (SELECT tree_id, message_id FROM message_trees WHERE message_id = ANY ($1))`, ids)
	named := make(map[uuid.UUID]Message, len(found))
	for _, m := range found {
		named[m.MessageID] = m
	}
	return named, err
}

// ReportReasons returns the reason of the newest report that counts, by message.
func (s *Store) ReportReasons(ctx context.Context, actor Actor, ids []uuid.UUID) (map[uuid.UUID]string, error) {
	if err := need(actor, policy.Read); err != nil {
		return nil, err
	}
	return messages.ReasonsFor(ctx, s.pool, ids)
}
