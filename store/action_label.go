package store

import (
	"maps"

	"treewarden/policy"
	"treewarden/store/aspects"
)

func init() {
	register(Kind{
		Name: "label", Target: "message", Path: "labels", Place: 10,
		Title: "Label message", Button: "Label", Past: "Labelled",
		Permission: policy.MessageLabel, Undoable: true, Personal: true,
		Fields:  "label",
		Menu:    []MenuEntry{{Text: "Label…", Icon: "label"}},
		aspects: []aspect{feedbackAspect(aspects.Label)},
	}, label)
}

func label(d *actionTx, p LabelParams) error {
	if err := p.Check(); err != nil {
		return err
	}
	m, err := d.lockForFeedback()
	if err != nil {
		return err
	}
	mine := d.feedbackOn(m, aspects.Label, "")
	before, err := mine.Read(d.Ctx, d.Conn)
	if err != nil {
		return err
	}
	after := aspects.FeedbackState{At: d.at, Labels: p.Labels}
	if before != nil && maps.Equal(before.Labels, after.Labels) {
		return errUnchanged
	}
	if err := d.writeFeedback(mine, m.UserID, &after); err != nil {
		return err
	}
	return d.logFeedback(mine, before, after)
}
