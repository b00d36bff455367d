package messages

import (
	"context"

	"github.com/google/uuid"

	"treewarden/store/db"
)

// MessageDetail is a message with the data of its page.
type MessageDetail struct {
	Message
	Tree      Tree       `json:"-"`
	Path      []Message  `json:"-"` // from the prompt to the message itself
	Siblings  []Message  `json:"-"` // including the message itself, by rank
	Replies   []Message  `json:"-"`
	Reports   []Report   `json:"reports"`
	Votes     []Vote     `json:"votes"`
	Reactions []Reaction `json:"reactions"`
	Revisions []Revision `json:"-"`
}

// DetailOf reads a message with the data of its page.
func DetailOf(ctx context.Context, c db.Conn, id uuid.UUID) (d MessageDetail, err error) {
	tree, err := TreeOf(ctx, c, id)
	if err != nil {
		return d, err
	}
	if d.Path, d.Replies, err = Thread(ctx, c, tree, id); err != nil {
		return d, err
	}
	d.Message = d.Path[len(d.Path)-1]
	if d.Siblings, err = Siblings(ctx, c, tree, d.ParentID); err != nil {
		return d, err
	}
	if d.Tree, err = TreeByID(ctx, c, tree); err != nil {
		return d, err
	}
	if d.Revisions, err = Revisions(ctx, c, tree, id); err != nil {
		return d, err
	}
	if d.Reports, err = Reports(ctx, c, tree, id); err != nil {
		return d, err
	}
	if d.Votes, err = Votes(ctx, c, tree, id); err != nil {
		return d, err
	}
	d.Reactions, err = Reactions(ctx, c, tree, id)
	return d, err
}
