package store

import (
	"treewarden/policy"
	"treewarden/store/cases"
	"treewarden/store/params"
)

// ReviewParams are the parameters of the action review.
type ReviewParams struct {
	Result string `json:"result" form:"result" validate:"omitempty,oneof=accepted rejected pending"`
	params.Close
}

func init() {
	register(Kind{
		Name: "review", Target: "message", Path: "review", Place: 40,
		Title: "Mark as spam or not spam", Button: "Save", Past: "Reviewed",
		Permission: policy.MessageReview, Undoable: true, Previewable: true, NeedsReason: true,
		Fields: "review",
		Menu: []MenuEntry{{
			Text: "Mark as spam…", Icon: "spam", Key: "s", Query: "result=rejected",
			Shows: func(m Message) bool { return m.ReviewResult == nil || *m.ReviewResult },
		}, {
			Text: "Mark as not spam…", Icon: "check", Key: "n", Query: "result=accepted",
			Shows: func(m Message) bool { return m.ReviewResult == nil || !*m.ReviewResult },
		}},
		aspects: []aspect{reviewAspect, caseAspect{}},
	}, review)
}

func review(d *actionTx, p ReviewParams) error {
	results := map[string]*bool{"accepted": new(true), "rejected": new(false), "pending": nil}
	result, ok := results[p.Result]
	if !ok {
		return Invalid{"result": "Choose accepted, rejected or pending."}
	}
	m, err := d.lockMessage(d.act.Target)
	if err != nil {
		return err
	}
	if err := d.checkVersion(m.Version); err != nil {
		return err
	}
	if (m.ReviewResult == nil) == (result == nil) && (result == nil || *m.ReviewResult == *result) {
		now := map[string]string{"accepted": "marked as not spam", "rejected": "marked as spam", "pending": "under review"}
		return d.withLatest(&Conflict{Why: "This message is " + now[p.Result] + " already.", Version: m.Version})
	}
	if err := d.watchMessage(m); err != nil {
		return err
	}
	d.affected.Messages = 1
	if _, err = d.change(reviewAspect, "chosen AS (SELECT $2::uuid AS tree_id, $3::uuid AS id)",
		"review_result = $4, review_at = $5, review_by_staff = true", m.TreeID, m.MessageID, result, d.at); err != nil {
		return err
	}
	outcome := cases.Reject
	if result != nil && *result {
		outcome = cases.Dismiss
	}
	return d.closeCases(p.Close, outcome, "c.tree_id = $4 AND c.message_id = $5", m.TreeID, m.MessageID)
}
