package corpus

import "github.com/google/uuid"

// node is a partly read message; the flags mark the required keys that were read.
type node struct {
	Message
	id, text, role bool
	treeID         bool
	replies        bool
}

// complete refuses a message without the required keys.
func (n *node) complete() error {
	switch {
	case !n.id:
		return fault(MissingField, "a message has no message_id")
	case !n.text:
		return fault(MissingField, "message %s has no text", n.MessageID)
	case !n.role:
		return fault(MissingField, "message %s has no role", n.MessageID)
	}
	return nil
}

// object reads the object of a line or a reply into its place.
func (p *Parser) object(n *node, at int) error {
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	what, keys := "the line", p.keySet()
	if at > 0 {
		what = "a message"
	}
	for p.dec.PeekKind() != '}' {
		name, err := p.name()
		if err != nil {
			return err
		}
		if err := p.addKey(&keys, what, name); err != nil {
			return err
		}
		if at == 0 && len(p.keys) < cap(p.keys) {
			p.keys = append(p.keys, name)
		}
		if err := p.field(n, name, at); err != nil {
			return err
		}
	}
	p.endKeys(keys)
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	p.record.Messages[at] = n.Message
	return nil
}

// field reads the value of one key.
func (p *Parser) field(n *node, name string, at int) (err error) {
	switch name {
	case "message_id":
		var id *uuid.UUID
		if id, err = p.id(name); id != nil {
			n.MessageID, n.id = *id, true
		}
	case "parent_id":
		n.ParentID, err = p.id(name)
	case "user_id":
		n.UserID, err = p.id(name)
	case "created_date":
		n.CreatedDate, err = p.date(name)
	case "text":
		var text *string
		if text, err = p.optionalText(name, MaxText); text != nil {
			n.Text, n.text = *text, true
		}
	case "role":
		err = p.role(n)
	case "lang":
		n.Lang, err = p.word(name)
	case "review_count":
		n.ReviewCount, err = p.count(name)
	case "review_result":
		n.ReviewResult, err = p.flag(name)
	case "deleted":
		n.Deleted, err = p.isTrue(name)
	case "rank":
		n.Rank, err = p.count(name)
	case "synthetic":
		n.Synthetic, err = p.isTrue(name)
	case "model_name":
		n.ModelName, err = p.optionalText(name, MaxModelName)
	case "edited":
		n.Edited, err = p.isTrue(name)
	case "emojis":
		n.Emojis, err = p.emojis()
	case "labels":
		n.Labels, err = p.labels()
	case "detoxify":
		err = p.model(n, Detoxify)
	case "classifiers":
		err = p.classifiers(n)
	case "events":
		n.Events, err = p.events()
	case "replies":
		err = p.replies(n)
	case "depth", "children_count", "version":
		err = p.dec.SkipValue() // follow from other keys
	default:
		if at == 0 {
			return p.treeField(n, name)
		}
		switch name {
		case "message_tree_id":
			return p.treeID()
		case "tree_state":
			return p.dec.SkipValue() // the line's first object says it
		}
		return p.ignore(name)
	}
	return err
}

// treeField reads a key that only the outermost object of a line can have.
func (p *Parser) treeField(n *node, name string) (err error) {
	tree := &p.record.Tree
	switch name {
	case "message_tree_id":
		n.treeID = true
		err = p.treeID()
	case "tree_state":
		if tree.State, err = p.word(name); err == nil && tree.State != nil {
			if _, known := states[*tree.State]; !known {
				err = fault(UnknownState, "tree_state is %q, which is not a state of a tree", clip(*tree.State))
			}
		}
	case "origin":
		tree.Origin, err = p.optionalText(name, MaxOrigin)
	case "goal_tree_size":
		tree.GoalTreeSize, err = p.count(name)
	case "max_depth":
		tree.MaxDepth, err = p.count(name)
	case "max_children_count":
		tree.MaxChildrenCount, err = p.count(name)
	case "prompt":
		p.prompt = true
		if null, err := p.null(); null || err != nil {
			return err
		}
		return p.reply(0)
	default:
		return p.ignore(name)
	}
	return err
}

func (p *Parser) role(n *node) error {
	role, err := p.word("role")
	if role == nil || err != nil {
		return err
	}
	if *role != Prompter && *role != Assistant {
		return fault(UnknownRole, "role is %q; it must be prompter or assistant", clip(*role))
	}
	n.Role, n.role = *role, true
	return nil
}

// treeID reads the id of the tree from the line's object or one inside of it. All
// that name one must name the same.
func (p *Parser) treeID() error {
	id, err := p.id("message_tree_id")
	if err != nil || id == nil {
		return err
	}
	known := p.record.Tree.ID
	if known != nil && *known != *id {
		return fault(WrongTree, "message_tree_id is %s in one place of the line and %s in another", known, id)
	}
	p.record.Tree.ID = id
	return nil
}

// replies reads the replies to a message, which follow it in the record.
func (p *Parser) replies(n *node) error {
	if null, err := p.null(); null || err != nil {
		return err
	}
	if err := p.expect('[', "replies", "a list"); err != nil {
		return err
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	if n.Depth >= MaxDepth {
		if p.dec.PeekKind() == ']' {
			_, err := p.dec.ReadToken()
			return err
		}
		return fault(TooDeep, "the line is nested deeper than %d levels of replies", MaxDepth)
	}
	for p.dec.PeekKind() != ']' {
		n.replies = true
		if err := p.reply(n.Depth + 1); err != nil {
			return err
		}
	}
	_, err := p.dec.ReadToken()
	return err
}

// reply reads a message inside of the line's object.
func (p *Parser) reply(depth int) error {
	if err := p.expect('{', "a message of the tree", "an object"); err != nil {
		return err
	}
	at := len(p.record.Messages)
	if at > MaxMessages {
		return fault(TooMany, "the line holds more than %d messages", MaxMessages)
	}
	p.record.Messages = append(p.record.Messages, Message{})
	n := node{Message: Message{Depth: depth}}
	if err := p.object(&n, at); err != nil {
		return err
	}
	return n.complete()
}
