package store

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"treewarden/corpus"
	"treewarden/policy"
	"treewarden/store/params"
)

// EditParams are the parameters of the action edit.
type EditParams struct {
	Text string `json:"text" form:"text"`
}

func init() {
	register(Kind{
		Name: "edit", Target: "message", Path: "edit", Place: 50, Title: "Edit message", Button: "Save", Past: "Edited",
		Permission: policy.MessageEdit, Undoable: true, NeedsReason: true,
		Fields:  "edit",
		Menu:    []MenuEntry{{Text: "Edit…", Icon: "edit"}},
		aspects: []aspect{textAspect},
	}, edit)
}

func edit(d *actionTx, p EditParams) error {
	if strings.TrimSpace(p.Text) == "" {
		return Invalid{"text": "A message cannot be empty. To remove all of its text, delete the message."}
	}
	if err := params.CheckText("text", p.Text); err != nil {
		return err
	}
	m, err := d.lockMessage(d.act.Target)
	if err != nil {
		return err
	}
	if err := d.checkVersion(m.Version); err != nil {
		return err
	}
	if m.Text == p.Text {
		return Invalid{"text": "The text has not changed."}
	}
	// A text from before the limit may become shorter step by step.
	if n := utf8.RuneCountInString(p.Text); n > corpus.MaxText && n >= utf8.RuneCountInString(m.Text) {
		return Invalid{"text": fmt.Sprintf("A message has at most %d characters; this one has %d.", corpus.MaxText, n)}
	}
	if err := d.keepRevisions(p.Text, m); err != nil {
		return err
	}
	d.affected.Messages = 1
	_, err = d.change(textAspect, "chosen AS (SELECT $2::uuid AS tree_id, $3::uuid AS id)", "text = $4, edited = true",
		m.TreeID, m.MessageID, p.Text)
	return err
}

// keepRevisions inserts the first text of a message, unless it is there, and the
// new text.
func (d *actionTx) keepRevisions(text string, m Message) error {
	if _, err := d.exec(`INSERT INTO revisions (tree_id, message_id, text, user_id, at)
		SELECT m.tree_id, m.message_id, m.text, m.user_id, m.created_date FROM messages m
		WHERE m.tree_id = $1 AND m.message_id = $2
		AND NOT EXISTS (SELECT FROM revisions r WHERE r.tree_id = m.tree_id AND r.message_id = m.message_id)`,
		m.TreeID, m.MessageID); err != nil {
		return err
	}
	_, err := d.exec(`INSERT INTO revisions (tree_id, message_id, text, user_id, at, action_id)
		VALUES ($1, $2, $3, $4, $5, $6)`,
		m.TreeID, m.MessageID, text, d.actor.id(), d.at, d.id)
	return err
}
