package store

import (
	"slices"
	"strings"

	"treewarden/policy"
	"treewarden/store/aspects"
)

// ReactParams are the parameters of the action react: an emoji to add or remove.
type ReactParams struct {
	Emoji string `json:"emoji" form:"emoji" validate:"max=64"`
	Op    string `json:"op" form:"op" validate:"omitempty,oneof=add remove"`
}

func init() {
	register(Kind{
		Name: "react", Target: "message", Path: "reactions", Place: 20,
		Title: "React to message", Button: "React", Past: "Reacted to",
		Permission: policy.MessageReact, Undoable: true, Personal: true,
		Fields:  "react",
		aspects: []aspect{feedbackAspect(aspects.Reaction)},
	}, react)
}

func react(d *actionTx, p ReactParams) error {
	wrong := Invalid{}
	if !slices.Contains(Emojis, p.Emoji) {
		wrong["emoji"] = "Choose one of " + strings.Join(Emojis, ", ") + "."
	}
	if p.Op != "add" && p.Op != "remove" {
		wrong["op"] = "Choose add or remove."
	}
	if len(wrong) > 0 {
		return wrong
	}
	m, err := d.lockForFeedback()
	if err != nil {
		return err
	}
	// 👍 and 👎 exclude each other.
	remove := map[string]string{"+1": "-1", "-1": "+1"}[p.Emoji]
	if p.Op == "remove" {
		remove = p.Emoji
	}
	changed := 0
	for _, emoji := range []string{remove, p.Emoji} {
		if emoji == "" || (emoji == p.Emoji && p.Op == "remove" && changed > 0) {
			continue
		}
		mine := d.feedbackOn(m, aspects.Reaction, emoji)
		before, err := mine.Read(d.Ctx, d.Conn)
		if err != nil {
			return err
		}
		var after *aspects.FeedbackState
		if emoji != remove {
			after = &aspects.FeedbackState{At: d.at}
		}
		if (before == nil) == (after == nil) {
			continue
		}
		changed++
		if err := d.writeFeedback(mine, m.UserID, after); err != nil {
			return err
		}
		if err := d.logFeedback(mine, before, after); err != nil {
			return err
		}
	}
	if changed == 0 {
		return errUnchanged
	}
	return nil
}
