package store

import (
	"cmp"
	"fmt"
	"slices"

	"treewarden/policy"
	"treewarden/store/db"
)

// Kind is one kind of action: everything that pages, the API, the log and undo
// need to know of it. Each kind is registered by the file that does it; menus,
// forms, routes, the OpenAPI document, the events for front ends and the audit
// log read it here.
type Kind struct {
	Name   string
	Target string // user, message or tree
	Path   string // the last part of its address, such as /messages/ID/labels
	// Place orders kinds in menus and filters, the lowest first.
	Place int

	Title  string // "Ban user"
	Button string // "Ban"
	Past   string // begins the sentence in the log and the toast: "Banned"

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
	// Personal actions are what contributors do too: the API answers them with
	// the message as it is then.
	Personal bool

	// Fields is the view with the form's own fields, below views/partials/fields;
	// empty where it has none.
	Fields string
	// Effect says in words what a preview's numbers mean for those concerned.
	Effect func(Concerned) string
	// Menu are its entries in the menu of a message.
	Menu []MenuEntry
	// NewParams makes what the form and the API's body are decoded into, besides
	// what every action takes. It is a pointer to a struct with json, form and
	// validate tags; nil where the kind has an address of its own.
	NewParams func() any

	// aspects are what it changes, and what an undo puts back.
	aspects []aspect
	do      func(*actionTx) error
}

// Concerned is what an action aims at, as its form shows it: one of the three.
type Concerned struct {
	User    *UserDetail
	Message *MessageDetail
	Tree    *TreeDetail
}

// MenuEntry is one entry of the menu of a message. The action aims at the message,
// its tree or its author, as the kind says.
type MenuEntry struct {
	Text  string // "Delete…"
	Icon  string
	Key   string // does it for the message that is selected; empty: none
	Query string // preselects fields of the form: "result=rejected"
	// Shows says whether the entry makes sense for a message; nil is always.
	Shows func(Message) bool
}

// Kinds are all actions on users, messages and trees, in the order of their
// places. Undo is done by reversing what any of them wrote down.
var Kinds []Kind

// register adds a kind of action that is done with parameters of a type.
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

// NoParams are the parameters of actions that take none.
type NoParams struct{}

// always is the effect of an action that is the same whatever it aims at.
func always(effect string) func(Concerned) string { return func(Concerned) string { return effect } }

// UndoKind is the action that takes another one back. Its permission depends on
// whose action that is: undo.own or undo.all.
var UndoKind = Kind{
	Name: "undo", Title: "Undo action", Button: "Undo", Past: "Undid", Permission: policy.UndoOwn,
	Previewable: true, NeedsReason: true, WhyNot: "An undo is not undone: act again instead.",
	Effect: always("Everything that the action changed goes back to what it was, all or nothing."),
}

// logged are the kinds that only the log knows: acts on formulas, accounts and
// keys, which have commands and pages of their own.
var logged = []Kind{
	setFormula,
	{
		Name: "create_staff", Target: "user", Title: "Create staff account", Past: "Created account",
		Permission: policy.StaffManage, WhyNot: "An account stays; give it the role general instead.",
	},
	{
		Name: "set_password", Target: "user", Title: "Set password", Past: "Set the password of",
		Permission: policy.StaffManage, WhyNot: "A former password is not kept.",
	},
	{
		Name: "create_key", Target: "user", Title: "Create key", Past: "Created key",
		Permission: policy.KeyManage, WhyNot: "Revoke the key instead.",
	},
	{
		Name: "revoke_key", Target: "user", Title: "Revoke key", Past: "Revoked key",
		Permission: policy.KeyManage, WhyNot: "A revoked key stays revoked; make a new one.",
	},
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

// oneOfField refuses a value of a field that is none of those allowed; the first
// one may be left out.
func oneOfField(field, value string, allowed ...string) db.Invalid {
	if value == "" || slices.Contains(allowed, value) {
		return nil
	}
	return db.Invalid{field: "Choose " + orList(allowed) + "."}
}

// orList writes choices as people do: "keep or halt".
func orList(words []string) string {
	switch n := len(words); n {
	case 0:
		return ""
	case 1:
		return words[0]
	default:
		text := words[0]
		for _, w := range words[1 : n-1] {
			text += ", " + w
		}
		return text + " or " + words[n-1]
	}
}
