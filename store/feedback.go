package store

import (
	"github.com/google/uuid"

	"treewarden/store/aspects"
	"treewarden/store/counters"
)

// feedbackOn is the feedback of one kind that the actor gave on a message.
func (d *actionTx) feedbackOn(m Message, kind, emoji string) aspects.Feedback {
	return aspects.Feedback{Kind: kind, Emoji: emoji, User: d.actor.UserID, Tree: m.TreeID, Message: m.MessageID}
}

// writeFeedback replaces a user's feedback on a message of an author; a nil state
// removes it.
func (d *actionTx) writeFeedback(f aspects.Feedback, author *uuid.UUID, state *aspects.FeedbackState) error {
	if f.Kind == aspects.Report || f.Emoji == counters.RedFlag {
		d.flagged.Add(f.Tree, f.Message, author)
	}
	return f.Write(d.Ctx, d.Conn, state)
}

// lockForFeedback locks the target message of feedback and makes the counters
// follow it. It returns a Forbidden if the actor has no row in users.
func (d *actionTx) lockForFeedback() (Message, error) {
	if d.actor.UserID == uuid.Nil {
		return Message{}, &Forbidden{Why: "Labels, reactions and reports are given by a person or a key."}
	}
	if err := d.lockRater(); err != nil {
		return Message{}, err
	}
	m, err := d.lockMessage(d.act.Target)
	if err != nil {
		return m, err
	}
	return m, d.watchMessage(m)
}

// logFeedback logs a change of a user's own row on a message.
func (d *actionTx) logFeedback(f aspects.Feedback, before, after any) error {
	d.affected.Messages = 1
	return f.Log(d.Ctx, d.Conn, d.id, before, after)
}
