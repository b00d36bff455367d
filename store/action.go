package store

import (
	"treewarden/policy"
)

// Kind is one kind of action. Menus, routes, forms, the audit log and the
// matrix of permissions all read the table Kinds.
type Kind struct {
	Name       string
	Target     string // user, message or tree
	Title      string // "Ban user"
	Button     string // "Ban"
	Past       string // "Banned"
	Permission policy.Permission
	// Undoable actions can be taken back by a further action; WhyNot says why
	// the others cannot.
	Undoable bool
	WhyNot   string
	// Previewable actions can touch more than one thing: a preview answers the
	// counts without changing anything.
	Previewable bool
	NeedsReason bool
	// Destructive actions take something away; their button is red.
	Destructive bool

	do func(*actionTx) error
}

// Kinds are all actions on users, messages and trees. Undo is done by
// reversing what any of them wrote down.
var Kinds = []Kind{
	{Name: "ban", Target: "user", Title: "Ban user", Button: "Ban", Past: "Banned", Permission: policy.UserBan,
		Undoable: true, Previewable: true, NeedsReason: true, Destructive: true, do: doBan},
	{Name: "unban", Target: "user", Title: "Unban user", Button: "Unban", Past: "Unbanned", Permission: policy.UserBan,
		Undoable: true, Previewable: true, NeedsReason: true, do: doUnban},
	{Name: "update_user", Target: "user", Title: "Update user", Button: "Update", Past: "Updated", Permission: policy.UserEdit,
		Undoable: true, do: doUpdateUser},
	{Name: "delete", Target: "message", Title: "Delete message", Button: "Delete", Past: "Deleted", Permission: policy.MessageDelete,
		Undoable: true, Previewable: true, NeedsReason: true, Destructive: true, do: doDelete},
	{Name: "undelete", Target: "message", Title: "Undelete message", Button: "Undelete", Past: "Undeleted", Permission: policy.MessageDelete,
		Undoable: true, Previewable: true, NeedsReason: true, do: doUndelete},
	{Name: "edit", Target: "message", Title: "Edit message", Button: "Save", Past: "Edited", Permission: policy.MessageEdit,
		Undoable: true, NeedsReason: true, do: doEdit},
	{Name: "review", Target: "message", Title: "Set review", Button: "Set review", Past: "Reviewed", Permission: policy.MessageReview,
		Undoable: true, Previewable: true, NeedsReason: true, do: doReview},
	{Name: "label", Target: "message", Title: "Label message", Button: "Label", Past: "Labelled", Permission: policy.MessageLabel,
		Undoable: true, do: doLabel},
	{Name: "react", Target: "message", Title: "React to message", Button: "React", Past: "Reacted to", Permission: policy.MessageReact,
		Undoable: true, do: doReact},
	{Name: "report", Target: "message", Title: "Report message", Button: "Report", Past: "Reported", Permission: policy.MessageReport,
		Undoable: true, NeedsReason: true, do: doReport},
	{Name: "halt", Target: "tree", Title: "Stop tree", Button: "Stop tree", Past: "Stopped", Permission: policy.TreeHalt,
		Undoable: true, Previewable: true, NeedsReason: true, Destructive: true, do: doHalt},
	{Name: "resume", Target: "tree", Title: "Restart tree", Button: "Restart tree", Past: "Restarted", Permission: policy.TreeHalt,
		Undoable: true, Previewable: true, NeedsReason: true, do: doResume},
}

// UndoKind is the action that takes another one back. Its permission depends on
// whose action that is: undo.own or undo.all.
var UndoKind = Kind{Name: "undo", Title: "Undo action", Button: "Undo", Past: "Undid", Permission: policy.UndoOwn,
	Previewable: true, NeedsReason: true, WhyNot: "An undo is not undone: act again instead."}

// setFormula puts a new version of the formula in force (SaveFormula).
var setFormula = Kind{Name: "set_formula", Target: "formula", Title: "Change formula", Button: "Save as new version", Past: "Changed the formula",
	Permission: policy.ScoringSave, Undoable: true, NeedsReason: true}

// logged are the kinds that only the log knows: acts on formulas, accounts and
// keys, which have commands and pages of their own.
var logged = []Kind{
	setFormula,
	{Name: "create_staff", Target: "user", Title: "Create staff account", Past: "Created account", Permission: policy.StaffManage,
		WhyNot: "An account stays; give it the role general instead."},
	{Name: "set_password", Target: "user", Title: "Set password", Past: "Set the password of", Permission: policy.StaffManage,
		WhyNot: "A former password is not kept."},
	{Name: "create_key", Target: "user", Title: "Create key", Past: "Created key", Permission: policy.KeyManage,
		WhyNot: "Revoke the key instead."},
	{Name: "revoke_key", Target: "user", Title: "Revoke key", Past: "Revoked key", Permission: policy.KeyManage,
		WhyNot: "A revoked key stays revoked; make a new one."},
}

// KindNamed finds a kind of action, undo and those of accounts included.
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
