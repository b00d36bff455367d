package store

import (
	"fmt"
	"maps"
	"math"
	"strings"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store/aspects"
)

// LabelParams are the parameters of the action label: values from 0 to 1 by label
// name.
type LabelParams struct {
	Labels map[string]float64 `json:"labels" form:"labels"`
}

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
	if len(p.Labels) == 0 {
		return Invalid{"labels": "Give at least one label."}
	}
	wrong := Invalid{}
	for name, value := range p.Labels {
		switch {
		case !scoring.IsLabel(name):
			wrong["labels"] = "There is no label " + fmt.Sprintf("%.60q", name) + "; there are " +
				strings.Join(scoring.LabelNames, ", ") + "."
		case math.IsNaN(value) || value < 0 || value > 1:
			wrong["labels"] = "The value of a label is a number from 0 to 1: " + name + " is not."
		}
	}
	if len(wrong) > 0 {
		return wrong
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
