package store

import (
	"cmp"
	"fmt"
	"slices"

	"treewarden/policy"
	"treewarden/store/aspects"
)

// Kind describes one kind of action. Each kind is registered by the file that
// implements it. Menus, forms, routes, the OpenAPI document, the events for front
// ends and the audit log read the registered kinds.
type Kind struct {
	Name   string
	Target string // user, message, tree or list
	Path   string // the last part of its URL, such as /messages/ID/labels
	// Place orders kinds in menus and filters, lowest first.
	Place int

	Title  string // "Ban user"
	Button string // "Ban"
	Past   string // begins the sentence in the log and the toast: "Banned"

	Permission policy.Permission
	// Undoable actions can be undone by a further action. WhyNot gives the reason
	// why the others cannot.
	Undoable bool
	WhyNot   string
	// Previewable actions can change more than one object. A preview returns the
	// counts without changing anything.
	Previewable bool
	NeedsReason bool
	// Destructive actions have a red button.
	Destructive bool
	// Personal actions are also taken by contributors. The API answers them with
	// the changed message.
	Personal bool

	// Fields is the view with the form's own fields, below views/partials/fields.
	// It is empty if the form has none.
	Fields string
	// Effect describes the effect of the action for the form of a preview.
	Effect func(Concerned) string
	// Menu holds its entries in the menu of a message.
	Menu []MenuEntry
	// NewParams returns a pointer to a struct with json, form and validate tags.
	// The form and the body of an API request are decoded into it. It is nil if
	// the kind has its own handler.
	NewParams func() any

	// aspects are the aspects that the action changes and an undo restores.
	aspects []aspect
	do      func(*actionTx) error
}

// Concerned is the target of an action as its form shows it. One field is set.
type Concerned struct {
	User    *UserDetail
	Message *MessageDetail
	Tree    *TreeDetail
}

// MenuEntry is one entry of the menu of a message. The target of the action is
// the message, its tree or its author, depending on Kind.Target.
type MenuEntry struct {
	Text  string // "Delete…"
	Icon  string
	Key   string // the shortcut for the selected message; empty if there is none
	Query string // preselects fields of the form: "result=rejected"
	// Shows reports whether the entry applies to a message; nil means always.
	Shows func(Message) bool
}

// Kinds holds all kinds of actions on users, messages, trees and lists, ordered by
// Place. It does not hold UndoKind.
var Kinds []Kind

// register adds a kind of action whose parameters have type P.
func register[P any](kind Kind, do func(*actionTx, P) error) {
	kind.NewParams = func() any { return new(P) }
	kind.do = func(d *actionTx) error {
		switch params := d.act.Params.(type) {
		case nil:
			return do(d, *new(P))
		case P:
			return do(d, params)
		case *P:
			return do(d, *params)
		}
		return fmt.Errorf("the action %s was given parameters of another kind: %T", kind.Name, d.act.Params)
	}
	Kinds = append(Kinds, kind)
	slices.SortStableFunc(Kinds, func(a, b Kind) int { return cmp.Compare(a.Place, b.Place) })
}

// NoParams is the type of the parameters of actions that take none.
type NoParams struct{}

// always returns an Effect that is the same for every target.
func always(effect string) func(Concerned) string { return func(Concerned) string { return effect } }

// UndoKind is the action that undoes another action. The permission is undo.own
// or undo.all, depending on the actor of the other action.
var UndoKind = Kind{
	Name: "undo", Title: "Undo action", Button: "Undo", Past: "Undid", Permission: policy.UndoOwn,
	Previewable: true, NeedsReason: true, WhyNot: "An undo cannot be undone. Do the action again instead.",
	Effect:    always("Restores everything that the action changed. It restores either everything or nothing."),
	NewParams: func() any { return new(undoParams) },
}

// logged holds the kinds that occur only in the log: changes of weights,
// accounts and keys, which have their own commands and pages.
var logged = []Kind{
	setFormula, setPriority,
	setPolicy,
	restorePolicy,
	createStaff, setPassword, updateStaff, InviteStaff, ResetStaff, EndStaffSessions, TakeAccess,
	createKey, RevokeKeyKind,
}

// KindNamed returns the kind with a name, from Kinds, UndoKind and logged.
func KindNamed(name string) (Kind, bool) {
	for _, kinds := range [][]Kind{Kinds, {UndoKind}, logged} {
		for _, k := range kinds {
			if k.Name == name {
				return k, true
			}
		}
	}
	return Kind{}, false
}

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
