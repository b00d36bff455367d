package corpus

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// maxNesting limits the nesting of brackets in a line: two for each level of
// replies, and some for the children of the last one.
const maxNesting = 2*MaxDepth + 64

// maxIgnored is the maximum number of unknown keys that are counted by name; the
// others are counted together as "…".
const maxIgnored = 1000

// maxInterned is the maximum number of interned names.
const maxInterned = 10_000

// Parser parses lines. Use [NewParser] to create one.
type Parser struct {
	dec     *jsontext.Decoder
	buf     *bytes.Buffer
	names   map[string]string
	ignored map[string]int
	ids     map[uuid.UUID]int // the line's messages, by place
	keys    []string          // of the line's outermost object, the first ones
	read    []string          // of the objects that are open, all
	scratch []byte
	record  *Record
	prompt  bool // the line had a prompt
}

// NewParser returns a parser, for use by one goroutine.
func NewParser() *Parser {
	p := &Parser{
		buf:     new(bytes.Buffer),
		names:   map[string]string{},
		ignored: map[string]int{},
		ids:     map[uuid.UUID]int{},
		keys:    make([]string, 0, 64),
	}
	p.dec = jsontext.NewDecoder(p.buf, decoding)
	return p
}

// decoding leaves repeated keys to keySet, which knows what is wrong with them. In
// values that are ignored, and in events, which are kept as they are, they do no harm.
// Invalid UTF-8 is refused.
var decoding = jsontext.AllowDuplicateNames(true)

// Parse reads one line. The record shares no memory with it.
func (p *Parser) Parse(line []byte) (*Record, *Fault) {
	record, err := p.parse(line)
	if err == nil {
		return record, nil
	}
	var bad *Fault
	if !errors.As(err, &bad) {
		bad = notJSON(line, err)
	}
	bad.Message = printable(bad.Message)
	return nil, bad
}

func (p *Parser) parse(line []byte) (*Record, error) {
	*p.buf = *bytes.NewBuffer(line)
	p.dec.Reset(p.buf, decoding)
	p.record, p.prompt, p.keys, p.read = &Record{Size: len(line)}, false, p.keys[:0], p.read[:0]

	if kind := p.dec.PeekKind(); kind != '{' {
		if err := p.dec.SkipValue(); err != nil {
			return nil, err
		}
		if err := p.end(); err != nil {
			return nil, err
		}
		return nil, fault(UnknownShape, "the line is %s, not an object", kindName(kind))
	}
	var top node
	p.record.Messages = append(p.record.Messages, Message{})
	if err := p.object(&top, 0); err != nil {
		return nil, p.located(err)
	}
	if err := p.end(); err != nil {
		return nil, err
	}
	if err := p.shape(&top); err != nil {
		return nil, err
	}
	if err := p.link(); err != nil {
		return nil, err
	}
	return p.record, nil
}

// end checks that nothing follows the line's value.
func (p *Parser) end() error {
	if _, err := p.dec.ReadToken(); err == nil {
		return fault(NotJSON, "more than one JSON value stands on the line")
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// shape distinguishes a message from a tree, after the line's keys were read.
func (p *Parser) shape(top *node) error {
	switch {
	case top.id:
		if p.prompt {
			return fault(UnknownShape, "the line has both a message_id and a prompt: it is neither a message nor a tree")
		}
		return top.complete()
	case p.prompt:
		if top.replies {
			return fault(UnknownShape, "the tree has replies beside its prompt")
		}
		p.countStray()
		// Slot 0 was kept for a message that the line turned out not to be.
		p.record.Messages = p.record.Messages[1:]
		if len(p.record.Messages) == 0 {
			return fault(MissingField, "the tree's prompt is null")
		}
		p.record.Prompt = true
		return nil
	case top.treeID:
		return fault(MissingField, "the tree has no prompt")
	}
	return fault(UnknownShape, "the line has no message_id and no prompt: it is neither a message nor a tree")
}

// countStray counts the keys of messages on a tree as ignored. Other unknown keys
// were counted when they were read.
func (p *Parser) countStray() {
	for _, key := range p.keys {
		switch key {
		case "parent_id", "user_id", "created_date", "text", "role", "lang", "review_count", "review_result", "deleted",
			"rank", "synthetic", "model_name", "edited", "emojis", "labels", "detoxify", "classifiers",
			"events", "replies":
			p.ignored[key]++
		}
	}
}

// located adds the position in the tree to a fault.
func (p *Parser) located(err error) error {
	var bad *Fault
	if errors.As(err, &bad) {
		if at := string(p.dec.StackPointer()); strings.Count(at, "/") > 1 {
			bad.Message += " (at " + clip(at) + ")"
		}
	}
	return err
}

// link sets the parents of replies and refuses an invalid tree.
func (p *Parser) link() error {
	messages := p.record.Messages
	clear(p.ids)
	above := make([]int, 0, 16) // the path down to the message, by place
	for i := range messages {
		m := &messages[i]
		above = above[:m.Depth]
		if at, again := p.ids[m.MessageID]; again {
			for _, j := range above {
				if j == at {
					return fault(Cycle, "message %s is a reply below itself", m.MessageID)
				}
			}
			return fault(RepeatedID, "message %s stands twice on the line", m.MessageID)
		}
		p.ids[m.MessageID] = i
		if m.ParentID != nil && *m.ParentID == m.MessageID {
			return fault(Cycle, "message %s is its own parent", m.MessageID)
		}
		if m.Depth > 0 {
			parent := messages[above[m.Depth-1]].MessageID
			if m.ParentID != nil && *m.ParentID != parent {
				return fault(WrongParent, "message %s stands below %s and names %s as its parent", m.MessageID, parent, *m.ParentID)
			}
			m.ParentID = &parent
		} else if p.prompt && m.ParentID != nil {
			return fault(WrongParent, "the prompt %s of a tree names %s as its parent", m.MessageID, *m.ParentID)
		}
		above = append(above, i)
	}
	root := &messages[0]
	if tree := p.record.Tree.ID; tree != nil && p.prompt && *tree != root.MessageID {
		return fault(WrongTree, "the tree %s has the prompt %s; a tree has the id of its prompt", tree, root.MessageID)
	}
	if root.ParentID != nil {
		if _, inside := p.ids[*root.ParentID]; inside {
			return fault(Cycle, "message %s has its own reply %s as its parent", root.MessageID, *root.ParentID)
		}
	}
	if len(p.ids) > 4*MaxNames {
		p.ids = map[uuid.UUID]int{} // free the memory of a large line
	}
	if cap(p.read) > 4*MaxNames {
		p.read = nil
	}
	return nil
}

func kindName(kind jsontext.Kind) string {
	switch kind {
	case 'n':
		return "null"
	case 't', 'f':
		return "true or false"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '[':
		return "a list"
	}
	return "an object"
}

// ignore counts an unknown key and skips its value.
func (p *Parser) ignore(name string) error {
	if len(name) > MaxName {
		name = clip(name)
	}
	if _, known := p.ignored[name]; !known && len(p.ignored) >= maxIgnored {
		name = "…"
	}
	p.ignored[strings.Clone(name)]++
	return p.dec.SkipValue()
}

// events returns a value unchanged.
func (p *Parser) events() (json.RawMessage, error) {
	value, err := p.dec.ReadValue()
	if err != nil || value.Kind() == 'n' {
		return nil, err
	}
	if nesting(value) > maxNesting/2 {
		return nil, fault(TooDeep, "events are nested too deep")
	}
	if hasNUL(value) {
		return nil, fault(NUL, `events hold the character U+0000, which cannot be stored`)
	}
	return json.RawMessage(bytes.Clone(value)), nil
}
