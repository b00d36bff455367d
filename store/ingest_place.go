package store

import (
	"time"

	"github.com/google/uuid"

	"treewarden/corpus"
)

// ingestTree is a tree that lines speak of; nil fields are not known or, of a
// known tree, not to be changed.
type ingestTree struct {
	id       uuid.UUID
	fresh    bool
	said     bool // a line brought something
	byStaff  bool // staff decided on the state
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

// ingestMessage is a message that lines speak of.
type ingestMessage struct {
	id, tree  uuid.UUID
	fresh     bool
	parent    *uuid.UUID
	author    *uuid.UUID
	depth     int
	role      string
	text      *string // of messages that a line brings
	deleted   bool
	deletedAt *time.Time
	deletedBy *int64
	root      *uuid.UUID
	byStaff   bool
	item      *ingestItem // of fresh ones
}

// lockTrees locks trees in the order of their ids, and reads them.
func (in *ingest) lockTrees(ids []uuid.UUID) error {
	in.trees = make(map[uuid.UUID]*ingestTree, len(ids))
	var t ingestTree
	return in.each([]any{&t.id, &t.state, &t.byStaff}, func() {
		known := t
		in.trees[t.id] = &known
	}, "SELECT tree_id, state, state_by_staff FROM trees WHERE tree_id = ANY ($1) ORDER BY tree_id FOR UPDATE", ids)
}

// readMessages reads the messages that lines speak of, now that their trees
// are locked. One that came in between, into a tree that is not, is not seen.
func (in *ingest) readMessages() error {
	if len(in.messages) == 0 {
		return nil
	}
	brought := map[uuid.UUID]bool{}
	for _, item := range in.items {
		if item.kind == "message" {
			brought[item.message] = true
		}
	}
	ids, trees, own := make([]uuid.UUID, 0, len(in.messages)), make([]uuid.UUID, 0, len(in.messages)), make([]bool, 0, len(in.messages))
	for id, m := range in.messages {
		ids, trees, own = append(ids, id), append(trees, m.tree), append(own, brought[id])
	}
	var r ingestMessage
	return in.each([]any{&r.id, &r.tree, &r.parent, &r.author, &r.depth, &r.role, &r.deleted, &r.deletedAt, &r.deletedBy, &r.root, &r.byStaff, &r.text}, func() {
		known := r
		in.messages[r.id] = &known
	}, `SELECT m.message_id, m.tree_id, m.parent_id, m.user_id, m.depth, m.role, m.deleted, m.deleted_at, m.deleted_action, m.deleted_root,
			m.deletion_by_staff, CASE WHEN i.own THEN m.text END
		FROM unnest($1::uuid[], $2::uuid[], $3::boolean[]) i(id, tree, own) JOIN messages m ON m.tree_id = i.tree AND m.message_id = i.id`, ids, trees, own)
}

// place takes in a line that is not about a user, into memory.
func (in *ingest) place(item *ingestItem) error {
	if item.kind == "tree" {
		in.placeTree(item)
		return nil
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
		return ingestFault(ingestUnknownMessage, "There is no message %s.", item.message)
	}
	switch item.kind {
	case "label":
		in.write.label(m, item)
	case "reaction":
		in.write.reaction(m, item)
	case "report":
		in.write.report(m, item)
	case "classifier_output":
		in.write.output(m, item, in.models[*item.Model])
	}
	if !m.fresh {
		in.write.touched[m.id] = m
	}
	return nil
}

// placeTree takes in what a line says of a tree: nothing of what staff decided.
func (in *ingest) placeTree(item *ingestItem) {
	t := in.trees[item.tree]
	if t == nil {
		t = &ingestTree{id: item.tree, fresh: true, state: inReview, created: &item.at}
		in.trees[item.tree] = t
	}
	if item.State != nil && *item.State != t.state && !t.byStaff {
		t.state, t.restated, t.said = *item.State, true, true
	}
	for _, word := range []struct{ from, into **string }{{&item.Lang, &t.lang}, {&item.Origin, &t.origin}} {
		if *word.from != nil {
			*word.into, t.said = *word.from, true
		}
	}
	for _, n := range []struct {
		from *float64
		into **int
	}{{item.GoalTreeSize, &t.goal}, {item.MaxDepth, &t.depth}, {item.MaxChildrenCount, &t.children}} {
		if n.from != nil {
			whole := int(*n.from)
			*n.into, t.said = &whole, true
		}
	}
}

// placeMessage puts a new message into its tree.
func (in *ingest) placeMessage(item *ingestItem) error {
	if known := in.messages[item.message]; known != nil {
		if sameID(known.parent, item.parent) && known.role == *item.Role && known.text != nil && *known.text == *item.Text && sameID(known.author, &item.user) {
			return errDuplicate
		}
		return ingestFault(corpus.Conflict, "The message %s is known already, and it is not this one.", item.message)
	}
	m := &ingestMessage{id: item.message, fresh: true, parent: item.parent, author: &item.user, role: *item.Role, text: item.Text, item: item}
	if item.parent == nil {
		m.tree = item.message
		t := in.trees[m.tree]
		if t == nil {
			t = &ingestTree{id: m.tree, fresh: true, state: inReview}
			in.trees[m.tree] = t
		}
		t.said, t.created, t.author = true, &item.at, &item.user
		if item.Lang != nil {
			t.lang = item.Lang
		}
	} else {
		parent := in.messages[*item.parent]
		switch {
		case parent == nil:
			return ingestFault(ingestUnknownParent, "There is no message %s to reply to.", *item.parent)
		case item.tree != uuid.Nil && item.tree != parent.tree:
			return ingestFault(ingestWrongTree, "The message that it replies to is in tree %s.", parent.tree)
		case parent.depth >= corpus.MaxDepth:
			return ingestFault(corpus.TooDeep, "The message would stand more than %d levels below its prompt.", corpus.MaxDepth)
		}
		m.tree, m.depth = parent.tree, parent.depth+1
		// Who undeletes the parent gives back what fell with it, this included.
		m.deleted, m.deletedAt, m.deletedBy, m.root, m.byStaff = parent.deleted, parent.deletedAt, parent.deletedBy, parent.root, parent.deleted && parent.byStaff
	}
	in.messages[m.id] = m
	in.write.messages = append(in.write.messages, m)
	return nil
}
