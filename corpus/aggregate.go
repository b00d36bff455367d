package corpus

// labelSlack is the tolerance of the bounds of a mean for rounding errors.
const labelSlack = 1e-9

// words holds the names of an aggregate and its parts in faults.
type words struct{ whole, entry, name, value, count string }

var (
	emojiWords = words{"emojis", "an entry of emojis", "a name of emojis", "a value of emojis", "a count of emojis"}
	labelWords = words{"labels", "an entry of labels", "a name of labels", "a value of labels", "a count of labels"}
)

// emojis reads reactions: {name: count}, or {"name": […], "count": […]}, or a
// list of {"name": …, "count": …}; null is no record.
func (p *Parser) emojis() (map[string]int, error) {
	found := map[string]int{}
	add := func(name string, c cell) error {
		if _, again := found[name]; again {
			return fault(RepeatedKey, "emojis names %q twice", clip(name))
		}
		if c.count == nil {
			return fault(MissingField, "emojis has no count of %q", clip(name))
		}
		found[name] = *c.count
		return nil
	}
	known, err := p.aggregate(&emojiWords, func(name string) (err error) {
		var c cell
		c.count, err = p.people("a count of emojis")
		if err != nil || c.count == nil { // a null count means no reaction
			return err
		}
		return add(name, c)
	}, add)
	if err != nil || !known {
		return nil, err
	}
	return found, nil
}

// labels reads means of labels, in the three forms that emojis have too; the
// first is {name: {"value": …, "count": …}}.
func (p *Parser) labels() (map[string]Label, error) {
	found := map[string]Label{}
	add := func(name string, c cell) error {
		if _, again := found[name]; again {
			return fault(RepeatedKey, "labels names %q twice", clip(name))
		}
		if c.value != nil && (*c.value < -labelSlack || *c.value > 1+labelSlack) {
			return fault(WrongValue, "label %q has the value %v; it must lie between 0 and 1", clip(name), *c.value)
		}
		label := Label{Value: c.value}
		if c.count != nil {
			label.Count = *c.count
		}
		found[name] = label
		return nil
	}
	known, err := p.aggregate(&labelWords, func(name string) error {
		if null, err := p.null(); null || err != nil {
			return err
		}
		var c cell
		if err := p.cell(&c, &labelWords); err != nil {
			return err
		}
		return add(name, c)
	}, add)
	if err != nil || !known {
		return nil, err
	}
	return found, nil
}

// cell is a partly read entry of an aggregate.
type cell struct {
	name  *string
	value *float64
	count *int
}

// cell reads {"name": …, "value": …, "count": …}, as far as it is there.
func (p *Parser) cell(c *cell, what *words) error {
	if err := p.expect('{', what.entry, "an object"); err != nil {
		return err
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	keys := p.keySet()
	for p.dec.PeekKind() != '}' {
		name, err := p.name()
		if err != nil {
			return err
		}
		if err := p.addKey(&keys, what.entry, name); err != nil {
			return err
		}
		switch name {
		case "name":
			c.name, err = p.word(what.name)
		case "value":
			c.value, err = p.number(what.value)
		case "count":
			c.count, err = p.people(what.count)
		default:
			err = p.ignore(name)
		}
		if err != nil {
			return err
		}
	}
	p.endKeys(keys)
	_, err := p.dec.ReadToken()
	return err
}

// aggregate reads an object or a list of named entries in any of their forms.
// It calls named with the decoder before the value of a plain key, and add
// with an entry of the other forms. It returns false for null.
func (p *Parser) aggregate(what *words, named func(name string) error, add func(string, cell) error) (bool, error) {
	switch p.dec.PeekKind() {
	case 'n':
		_, err := p.dec.ReadToken()
		return false, err
	case '[':
		return true, p.entries(what, add)
	}
	if err := p.expect('{', what.whole, "an object"); err != nil {
		return false, err
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return false, err
	}
	var lists columns
	plain, keys := false, p.keySet()
	for n := 0; p.dec.PeekKind() != '}'; n++ {
		if n >= MaxNames {
			return false, fault(TooMany, "%s has more than %d entries", what.whole, MaxNames)
		}
		name, err := p.name()
		if err != nil {
			return false, err
		}
		if err := checkWord(what.name, name); err != nil {
			return false, err
		}
		if err := p.addKey(&keys, what.whole, name); err != nil {
			return false, err
		}
		if took, err := p.column(&lists, what, name); err != nil {
			return false, err
		} else if took {
			continue
		}
		plain = true
		if err := named(name); err != nil {
			return false, err
		}
	}
	p.endKeys(keys)
	if _, err := p.dec.ReadToken(); err != nil {
		return false, err
	}
	if !lists.any {
		return plain || !lists.null, nil
	}
	return true, lists.each(what, add)
}

// entries reads a list of entries.
func (p *Parser) entries(what *words, add func(string, cell) error) error {
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	for n := 0; p.dec.PeekKind() != ']'; n++ {
		if n >= MaxNames {
			return fault(TooMany, "%s has more than %d entries", what.whole, MaxNames)
		}
		var c cell
		if err := p.cell(&c, what); err != nil {
			return err
		}
		if c.name == nil {
			return fault(MissingField, "an entry of %s has no name", what.whole)
		}
		if err := add(*c.name, c); err != nil {
			return err
		}
	}
	_, err := p.dec.ReadToken()
	return err
}
