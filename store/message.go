package store

import (
	"context"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/messages"
	"treewarden/store/tables"
	"treewarden/store/waves"
)

// What the package messages reads, by the names that users of a Store know.
type (
	Message       = messages.Message
	MessageDetail = messages.MessageDetail
	MessageFilter = messages.Filter
	Label         = messages.Label
	Deletion      = messages.Deletion
	Revision      = messages.Revision
	Report        = messages.Report
	Vote          = messages.Vote
	Reaction      = messages.Reaction
	Behind        = messages.Behind
	Tree          = messages.Tree
	TreeFilter    = messages.TreeFilter
	TreeDetail    = messages.TreeDetail
	Node          = messages.Node
)

var (
	// Emojis are the reactions that people may give.
	Emojis = tables.Emojis
	// TreeStates are the states of a tree, in the order of a tree's life.
	TreeStates = tables.TreeStates
)

// Message returns one message with the data of its page.
func (s *Store) Message(ctx context.Context, actor Actor, id uuid.UUID) (MessageDetail, error) {
	if err := need(actor, policy.Read); err != nil {
		return MessageDetail{}, err
	}
	return messages.DetailOf(ctx, s.pool, id)
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
	return messages.All(ctx, s.pool, s.searcher, f)
}

// MessagesNamed reads the beginnings of messages by their ids, for pages.
func (s *Store) MessagesNamed(ctx context.Context, actor Actor, ids []uuid.UUID) (map[uuid.UUID]Message, error) {
	if err := need(actor, policy.Read); err != nil {
		return nil, err
	}
	return messages.Named(ctx, s.pool, ids)
}

// ReportReasons returns the reason of the newest report that counts, by message.
func (s *Store) ReportReasons(ctx context.Context, actor Actor, ids []uuid.UUID) (map[uuid.UUID]string, error) {
	if err := need(actor, policy.Read); err != nil {
		return nil, err
	}
	return messages.ReasonsFor(ctx, s.pool, ids)
}

// Waves reads waves of similar messages.
func (s *Store) Waves(actor Actor) (waves.Reader, error) {
	return waves.Reader{Conn: s.pool}, need(actor, policy.Read)
}

// Trees lists trees, the newest first.
func (s *Store) Trees(ctx context.Context, actor Actor, f TreeFilter) (List[Tree], error) {
	if err := need(actor, policy.Read); err != nil {
		return List[Tree]{}, err
	}
	return messages.Trees(ctx, s.pool, f)
}

// Tree returns a tree with all its messages nested. Texts end after a number of
// characters; 0 stands for whole texts.
func (s *Store) Tree(ctx context.Context, actor Actor, id uuid.UUID, textLimit int) (TreeDetail, error) {
	if err := need(actor, policy.Read); err != nil {
		return TreeDetail{}, err
	}
	return messages.Nested(ctx, s.pool, id, textLimit)
}

// Languages lists the languages of trees, for filter fields.
func (s *Store) Languages(ctx context.Context) ([]string, error) {
	return messages.TreeLanguages(ctx, s.pool)
}
