package corpus

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// null consumes a null, if it is next, and reports whether it did.
func (p *Parser) null() (bool, error) {
	if p.dec.PeekKind() != 'n' {
		return false, nil
	}
	_, err := p.dec.ReadToken()
	return true, err
}

// expect refuses a value of another kind. It leaves invalid JSON to the decoder,
// which has the better error.
func (p *Parser) expect(kind jsontext.Kind, name, what string) error {
	got := p.dec.PeekKind()
	if got == kind || got == 0 {
		return nil
	}
	switch got {
	case 'n', 't', 'f', '"', '0', '{', '[':
		return fault(WrongType, "%s is %s, not %s", name, kindName(got), what)
	}
	return nil
}

// name reads an object's key; the result is valid until the next read.
func (p *Parser) name() (string, error) {
	raw, err := p.dec.ReadValue()
	if err != nil {
		return "", err
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return p.intern(raw[1 : len(raw)-1]), nil
	}
	p.scratch, err = jsontext.AppendUnquote(p.scratch[:0], raw)
	return p.intern(p.scratch), err
}

// intern returns a shared copy of a name, because few names are used often.
func (p *Parser) intern(name []byte) string {
	if known, ok := p.names[string(name)]; ok {
		return known
	}
	s := string(name)
	if len(s) <= MaxName && len(p.names) < maxInterned {
		p.names[s] = s
	}
	return s
}

// text reads a string.
func (p *Parser) text(name string) (string, error) {
	if err := p.expect('"', name, "a string"); err != nil {
		return "", err
	}
	token, err := p.dec.ReadToken()
	if err != nil {
		return "", err
	}
	s := token.String()
	if strings.IndexByte(s, 0) >= 0 {
		return "", fault(NUL, "%s holds the character U+0000, which cannot be stored", name)
	}
	return s, nil
}

// word reads a short string that is used often, or null.
func (p *Parser) word(name string) (*string, error) {
	if null, err := p.null(); null || err != nil {
		return nil, err
	}
	if err := p.expect('"', name, "a string"); err != nil {
		return nil, err
	}
	s, err := p.name()
	if err != nil {
		return nil, err
	}
	return &s, checkWord(name, s)
}

func checkWord(name, s string) error {
	if strings.IndexByte(s, 0) >= 0 {
		return fault(NUL, "%s holds the character U+0000, which cannot be stored", name)
	}
	return checkLength(name, s, MaxName)
}

func checkLength(name, s string, limit int) error {
	if TooLongFor(s, limit) {
		return fault(TooLong, "%s has %d characters; %d is the most", name, utf8.RuneCountInString(s), limit)
	}
	return nil
}

// optionalText reads a string of so many characters at most, or null.
func (p *Parser) optionalText(name string, limit int) (*string, error) {
	if null, err := p.null(); null || err != nil {
		return nil, err
	}
	s, err := p.text(name)
	if err != nil {
		return nil, err
	}
	return &s, checkLength(name, s, limit)
}

// id reads a UUID or null.
func (p *Parser) id(name string) (*uuid.UUID, error) {
	if null, err := p.null(); null || err != nil {
		return nil, err
	}
	if err := p.expect('"', name, "a string"); err != nil {
		return nil, err
	}
	raw, err := p.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	text := raw[1 : len(raw)-1]
	if len(text) == len(uuid.Nil.String()) { // the most usual spelling
		if id, err := uuid.ParseBytes(text); err == nil && id != uuid.Nil {
			return &id, nil
		}
	}
	if bytes.IndexByte(raw, '\\') >= 0 {
		if p.scratch, err = jsontext.AppendUnquote(p.scratch[:0], raw); err != nil {
			return nil, err
		}
		text = p.scratch
	}
	if id, ok := ParseUUID(string(text)); ok && id != uuid.Nil {
		return &id, nil
	}
	return nil, fault(BadID, "%s is %s, which is not a UUID", name, clip(string(raw)))
}

// flag reads true, false or null.
func (p *Parser) flag(name string) (*bool, error) {
	if null, err := p.null(); null || err != nil {
		return nil, err
	}
	kind := p.dec.PeekKind()
	if kind != 't' && kind != 'f' {
		if err := p.expect('t', name, "true or false"); err != nil {
			return nil, err
		}
	}
	token, err := p.dec.ReadToken()
	if err != nil {
		return nil, err
	}
	value := token.Bool()
	return &value, nil
}

// isTrue reads a flag for which null means false.
func (p *Parser) isTrue(name string) (bool, error) {
	value, err := p.flag(name)
	return value != nil && *value, err
}

// number reads a finite number or null.
func (p *Parser) number(name string) (*float64, error) {
	if null, err := p.null(); null || err != nil {
		return nil, err
	}
	if err := p.expect('0', name, "a number"); err != nil {
		return nil, err
	}
	raw, err := p.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	value, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return nil, fault(WrongValue, "%s is %s, which is too large for a number", name, clip(string(raw)))
	}
	return &value, nil
}

// count reads a whole number from 0 on, or null. Tools that keep whole numbers
// as floats write 3.0 for 3.
func (p *Parser) count(name string) (*int, error) {
	value, err := p.number(name)
	if value == nil || err != nil {
		return nil, err
	}
	if *value != math.Trunc(*value) {
		return nil, fault(WrongType, "%s is %v, not a whole number", name, *value)
	}
	if *value < 0 || *value > math.MaxInt32 {
		return nil, fault(WrongValue, "%s is %.0f; it must lie between 0 and %d", name, *value, math.MaxInt32)
	}
	n := int(*value)
	return &n, nil
}

// people reads a number of users, or null.
func (p *Parser) people(name string) (*int, error) {
	n, err := p.count(name)
	if n != nil && *n > MaxPeople {
		return nil, fault(WrongValue, "%s is %d; it must lie between 0 and %d", name, *n, MaxPeople)
	}
	return n, err
}

// date reads a date or null.
func (p *Parser) date(name string) (*time.Time, error) {
	if null, err := p.null(); null || err != nil {
		return nil, err
	}
	if err := p.expect('"', name, "a date as a string"); err != nil {
		return nil, err
	}
	token, err := p.dec.ReadToken()
	if err != nil {
		return nil, err
	}
	text := token.String()
	if t, _, ok := ParseTime(text); ok {
		return &t, nil
	}
	return nil, fault(BadDate, "%s is %q, which is not a date such as 2023-02-05T12:23:50.922881+00:00, in the years 1 "+
		"to 9999", name, clip(text))
}
