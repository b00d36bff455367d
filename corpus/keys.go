package corpus

// manyKeys is the number of keys of an object from which they are looked up in a map.
const manyKeys = 32

// keySet holds the keys of one object that were read so far. A line in which a key is
// repeated is refused: which of both was meant is not known.
type keySet struct {
	from int // in Parser.read
	many map[string]struct{}
}

// keySet begins the keys of an object. Objects inside of it must end before its next key.
func (p *Parser) keySet() keySet { return keySet{from: len(p.read)} }

// addKey adds a key of an object, or refuses it. what names the object.
func (p *Parser) addKey(s *keySet, what, name string) error {
	names := p.read[s.from:]
	repeated := false
	if s.many != nil {
		_, repeated = s.many[name]
		s.many[name] = struct{}{}
	} else {
		for _, known := range names {
			if known == name {
				repeated = true
				break
			}
		}
		p.read = append(p.read, name)
		if len(names) >= manyKeys {
			s.many = make(map[string]struct{}, 2*manyKeys)
			for _, known := range p.read[s.from:] {
				s.many[known] = struct{}{}
			}
		}
	}
	if repeated {
		return fault(RepeatedKey, "%s has the key %q twice", what, clip(name))
	}
	return nil
}

// endKeys ends the keys of an object.
func (p *Parser) endKeys(s keySet) { p.read = p.read[:s.from] }
