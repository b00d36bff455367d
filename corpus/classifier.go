package corpus

// model reads one classifier's outputs: {name: number}.
func (p *Parser) model(n *node, model string) error {
	if null, err := p.null(); null || err != nil {
		return err
	}
	if err := p.expect('{', model, "an object"); err != nil {
		return err
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	outputs, numbers, keys := map[string]*float64{}, 0, p.keySet()
	for i := 0; p.dec.PeekKind() != '}'; i++ {
		if i >= MaxNames {
			return fault(TooMany, "%s has more than %d outputs", model, MaxNames)
		}
		name, err := p.name()
		if err != nil {
			return err
		}
		if err := checkWord("the name of an output", name); err != nil {
			return err
		}
		if err := p.addKey(&keys, model, name); err != nil {
			return err
		}
		value, err := p.number(name)
		if err != nil {
			return err
		}
		if value != nil {
			numbers++
		}
		outputs[name] = value
	}
	p.endKeys(keys)
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	if numbers == 0 {
		return nil
	}
	if _, again := n.Classifiers[model]; again { // beside classifiers and in it
		return fault(RepeatedKey, "the outputs of %q stand twice in a message", clip(model))
	}
	if n.Classifiers == nil {
		n.Classifiers = map[string]map[string]*float64{}
	}
	n.Classifiers[model] = outputs
	return nil
}

// classifiers reads the outputs of any models: {model: {name: number}}.
func (p *Parser) classifiers(n *node) error {
	if null, err := p.null(); null || err != nil {
		return err
	}
	if err := p.expect('{', "classifiers", "an object"); err != nil {
		return err
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	keys := p.keySet()
	for i := 0; p.dec.PeekKind() != '}'; i++ {
		if i >= MaxNames {
			return fault(TooMany, "classifiers has more than %d models", MaxNames)
		}
		model, err := p.name()
		if err != nil {
			return err
		}
		if err := checkWord("a model's name", model); err != nil {
			return err
		}
		if err := p.addKey(&keys, "classifiers", model); err != nil {
			return err
		}
		if err := p.model(n, model); err != nil {
			return err
		}
	}
	p.endKeys(keys)
	_, err := p.dec.ReadToken()
	return err
}
