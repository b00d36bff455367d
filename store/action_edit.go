package store

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"treewarden/corpus"
	"treewarden/policy"
	"treewarden/store/messages"
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
	if err := messages.Revise(d.Ctx, d.Conn, m, p.Text, d.actor.id(), d.at, d.id); err != nil {
		return err
	}
	d.affected.Messages = 1
	_, err = d.change(textAspect, "chosen AS (SELECT $2::uuid AS tree_id, $3::uuid AS id)", "text = $4, edited = true",
		m.TreeID, m.MessageID, p.Text)
	return err
}
