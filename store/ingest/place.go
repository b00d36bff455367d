package ingest

import (
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/corpus"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/tables"
)

// knownTree is a tree that lines refer to. nil fields are unknown or, for a known
// tree, unchanged.
type knownTree struct {
	id       uuid.UUID
	fresh    bool
	changed  bool   // a line changes it
	byStaff  bool   // staff set the state
	was      string // the state before
	state    string
	restated bool // its state changes
	lang     *string
	origin   *string
	goal     *int
	depth    *int
	children *int
	created  *time.Time
	author   *uuid.UUID
}

// knownMessage is a message that lines refer to.
type knownMessage struct {
	id, tree  uuid.UUID
	fresh     bool
	parent    *uuid.UUID
	author    *uuid.UUID
	created   pgtype.Timestamptz
	depth     int
	role      string
	text      *string // set if a line contains the message
	deleted   bool
	deletedAt *time.Time
	deletedBy *int64
	root      *uuid.UUID
	byStaff   bool
	item      *lineItem // of fresh ones
	// record reports whether an import brought a reaction record; reactions is
	// the number of other reactions, or at least the number that the lines may
	// remove.
	record    bool
	reactions int
}

// recorded reports whether the message has a reaction record.
func (m *knownMessage) recorded() bool { return m.record || m.reactions > 0 }

// standing returns the standing of facts without a rater.
func (m *knownMessage) standing() counters.Standing {
	return counters.Standing{Deleted: m.deleted, Recorded: m.recorded()}
}

// place applies a line that is not about a user, in memory.
func (in *run) place(item *lineItem) error {
	if item.kind == "tree" {
		return in.placeTree(item)
	}
	if item.kind != "classifier_output" {
		if err := in.submits(item); err != nil {
			return err
		}
	}
	if item.kind == "message" {
		return in.placeMessage(item)
	}
	m := in.messages[item.message]
	if m == nil {
		return refuse(unknownMessage, "There is no message %s.", item.message)
	}
	if err := in.keepGiven(item); err != nil {
		return err
	}
	switch item.kind {
	case "label":
		in.changes.label(m, item)
	case "reaction":
		in.changes.reaction(m, item)
	case "report":
		in.changes.report(m, item)
	case "classifier_output":
		in.changes.output(m, item, in.models[*item.Model])
	}
	return nil
}

// placeTree applies a line about a tree, except to a state set by staff. A tree
// that a moderator stopped elsewhere, as an import says, stays stopped too.
func (in *run) placeTree(item *lineItem) error {
	t := in.trees[item.tree]
	stops := item.State != nil && *item.State == tables.Halted
	if stops && (t == nil || !t.byStaff && t.state != tables.Halted) {
		return refuse(staffState, "Only staff can stop a tree: a line cannot set the state %s.", tables.Halted)
	}
	if t == nil {
		t = &knownTree{id: item.tree, fresh: true, state: tables.InReview, created: &item.at}
		in.trees[item.tree] = t
	}
	if item.State != nil && *item.State != t.state && !t.byStaff && t.state != tables.Halted {
		t.state, t.restated, t.changed = *item.State, true, true
	}
	for _, word := range []struct{ from, into **string }{{&item.Lang, &t.lang}, {&item.Origin, &t.origin}} {
		if *word.from != nil {
			*word.into, t.changed = *word.from, true
		}
	}
	for _, n := range []struct {
		from *float64
		into **int
	}{{item.GoalTreeSize, &t.goal}, {item.MaxDepth, &t.depth}, {item.MaxChildrenCount, &t.children}} {
		if n.from != nil {
			whole := int(*n.from)
			*n.into, t.changed = &whole, true
		}
	}
	return nil
}

// placeMessage adds a new message to its tree.
func (in *run) placeMessage(item *lineItem) error {
	if known := in.messages[item.message]; known != nil {
		if tables.SameID(known.parent, item.parent) && known.role == *item.Role && known.text != nil &&
			*known.text == *item.Text && tables.SameID(known.author, &item.user) {
			return errDuplicate
		}
		return refuse(corpus.Conflict, "The message %s exists already, with other data.", item.message)
	}
	m := &knownMessage{id: item.message, fresh: true, parent: item.parent, author: &item.user,
		created: db.Timestamp(item.at), role: *item.Role, text: item.Text, item: item}
	if item.parent == nil {
		m.tree = item.message
		t := in.trees[m.tree]
		if t == nil {
			t = &knownTree{id: m.tree, fresh: true, state: tables.InReview}
			in.trees[m.tree] = t
		}
		t.changed, t.created, t.author = true, &item.at, &item.user
		if item.Lang != nil {
			t.lang = item.Lang
		}
	} else {
		parent := in.messages[*item.parent]
		switch {
		case parent == nil:
			return refuse(unknownParent, "There is no message %s to reply to.", *item.parent)
		case item.tree != uuid.Nil && item.tree != parent.tree:
			return refuse(corpus.WrongTree, "The message that it replies to belongs to tree %s.", parent.tree)
		case parent.depth >= corpus.MaxDepth:
			return refuse(corpus.TooDeep, "The message would be more than %d levels below its prompt.", corpus.MaxDepth)
		}
		m.tree, m.depth = parent.tree, parent.depth+1
		// The message is deleted with its parent, and an undelete of the parent
		// restores both.
		m.deleted, m.deletedAt, m.deletedBy = parent.deleted, parent.deletedAt, parent.deletedBy
		m.root, m.byStaff = parent.root, parent.deleted && parent.byStaff
	}
	in.messages[m.id] = m
	in.changes.messages = append(in.changes.messages, m)
	return nil
}
