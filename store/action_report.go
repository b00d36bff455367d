package store

import (
	"strings"

	"treewarden/policy"
	"treewarden/store/aspects"
)

func init() {
	register(Kind{
		Name: "report", Target: "message", Path: "report", Place: 30,
		Title: "Report message", Button: "Report", Past: "Reported",
		Permission: policy.MessageReport, Undoable: true, NeedsReason: true, Personal: true,
		Menu:    []MenuEntry{{Text: "Report…", Icon: "flag"}},
		aspects: []aspect{feedbackAspect(aspects.Report)},
	}, report)
}

func report(d *actionTx, _ NoParams) error {
	m, err := d.lockForFeedback()
	if err != nil {
		return err
	}
	mine := d.feedbackOn(m, aspects.Report, "")
	before, err := mine.Read(d.Ctx, d.Conn)
	if err != nil {
		return err
	}
	after := aspects.FeedbackState{At: d.at, Reason: strings.TrimSpace(d.act.Reason)}
	if before != nil {
		// A user has one open report on a message. Further reasons are appended
		// to it.
		after = aspects.FeedbackState{At: before.At, Reason: before.Reason + "\n" + after.Reason}
	}
	if err := d.writeFeedback(mine, m.UserID, &after); err != nil {
		return err
	}
	return d.logFeedback(mine, before, after)
}
