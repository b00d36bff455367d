package store

import "treewarden/store/aspects"

// aspect is a part of an object that actions change. The log keeps its state
// before and after. An undo restores the state before.
type aspect interface {
	// undo restores this aspect of all objects of an action. It returns a
	// Conflict if the aspect has changed since the action.
	undo(d *actionTx, action int64) error
	// event returns a query for the events of action $1 that front ends must act
	// on (kind, payload, object_id and its rank among events). It is empty if
	// there are none.
	event() string
}

// columnAspect is an aspect stored in columns of the object's own row.
type columnAspect struct{ aspects.Column }

func (a columnAspect) event() string { return a.EventSQL() }

// The aspects that are columns of the object's own row.
var (
	banAspect         = columnAspect{aspects.Ban}
	nameAspect        = columnAspect{aspects.DisplayName}
	notesAspect       = columnAspect{aspects.Notes}
	leaderboardAspect = columnAspect{aspects.Leaderboard}
	roleAspect        = columnAspect{aspects.Role}
	deletionAspect    = columnAspect{aspects.Deletion}
	textAspect        = columnAspect{aspects.Text}
	reviewAspect      = columnAspect{aspects.Review}
	stateAspect       = columnAspect{aspects.State}
	listAspect        = columnAspect{aspects.List}
	languagesAspect   = columnAspect{aspects.Languages}
	usernameAspect    = columnAspect{aspects.Username}
)

// caseAspect is what became of the case on a message.
type caseAspect struct{}

func (caseAspect) event() string { return "" }

// feedbackAspect is an aspect stored in a user's rows on a message, by its kind.
type feedbackAspect string

func (feedbackAspect) event() string { return "" }
