package corpus

// columns are an aggregate's parallel lists.
type columns struct {
	names  []string
	values []*float64
	counts []*int
	// hasValues and hasCounts report whether the list exists, even if empty.
	hasValues, hasCounts bool
	any                  bool // at least one list
	null                 bool // a null where a list could stand: no record
}

// column reads one parallel list if the key holds one. Only a list makes it
// one: {"name": 3} counts an emoji of that name.
func (p *Parser) column(c *columns, what *words, name string) (bool, error) {
	if name != "name" && name != "value" && name != "count" {
		return false, nil
	}
	switch p.dec.PeekKind() {
	case 'n':
		c.null = true
		_, err := p.dec.ReadToken()
		return true, err
	case '[':
	default:
		return false, nil
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return true, err
	}
	c.any = true
	switch name {
	case "value":
		c.hasValues = true
	case "count":
		c.hasCounts = true
	}
	for n := 0; p.dec.PeekKind() != ']'; n++ {
		if n >= MaxNames {
			return true, fault(TooMany, "%s has more than %d entries", what.whole, MaxNames)
		}
		if err := p.columnValue(c, what, name); err != nil {
			return true, err
		}
	}
	_, err := p.dec.ReadToken()
	return true, err
}

func (p *Parser) columnValue(c *columns, what *words, name string) error {
	switch name {
	case "name":
		word, err := p.word(what.name)
		if err != nil {
			return err
		}
		if word == nil {
			return fault(MissingField, "an entry of %s has no name", what.whole)
		}
		c.names = append(c.names, *word)
	case "value":
		value, err := p.number(what.value)
		if err != nil {
			return err
		}
		c.values = append(c.values, value)
	case "count":
		count, err := p.people(what.count)
		if err != nil {
			return err
		}
		c.counts = append(c.counts, count)
	}
	return nil
}

// each calls add for each entry of the parallel lists.
func (c *columns) each(what *words, add func(string, cell) error) error {
	if c.hasValues && len(c.values) != len(c.names) || c.hasCounts && len(c.counts) != len(c.names) {
		return fault(WrongValue, "the lists of %s differ in length", what.whole)
	}
	for i, name := range c.names {
		var entry cell
		if c.hasValues {
			entry.value = c.values[i]
		}
		if c.hasCounts {
			entry.count = c.counts[i]
		}
		if err := add(name, entry); err != nil {
			return err
		}
	}
	return nil
}
