package store

import (
	"strings"

	"treewarden/policy"
)

func init() {
	register(Kind{
		Name: "report", Target: "message", Path: "report", Place: 30,
		Title: "Report message", Button: "Report", Past: "Reported",
		Permission: policy.MessageReport, Undoable: true, NeedsReason: true, Personal: true,
		Menu:    []MenuEntry{{Text: "Report…", Icon: "flag"}},
		aspects: []aspect{feedbackAspect(reportAspect)},
	}, report)
}

func report(d *actionTx, _ NoParams) error {
	m, err := d.lockForFeedback()
	if err != nil {
		return err
	}
	before, err := d.readFeedback(reportAspect, "", d.actor.UserID, m)
	if err != nil {
		return err
	}
	after := feedbackState{At: d.at, Reason: strings.TrimSpace(d.act.Reason)}
	if before != nil {
		// A user has one open report on a message. Further reasons are appended
		// to it.
		after = feedbackState{At: before.At, Reason: before.Reason + "\n" + after.Reason}
	}
	if err := d.writeFeedback(reportAspect, "", d.actor.UserID, m, &after); err != nil {
		return err
	}
	return d.logFeedback(m, rowAspect(reportAspect, d.actor.UserID.String()), before, after)
}
