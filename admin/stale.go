package admin

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// A form that was opened before somebody else saved is stale. It carries a
// digest of each field as it was when the form was made, so that the server can
// tell what its person changed from what the other one did: a field that the
// person left alone takes the present value, and where both changed one, the
// form shows both texts.

// formBase returns the digests of a form's fields, for its hidden field "was".
func formBase(fields map[string]string) string {
	digests := map[string]string{}
	for name, value := range fields {
		digests[name] = fieldDigest(value)
	}
	text, err := json.Marshal(digests)
	if err != nil {
		panic(err) // cannot happen with strings
	}
	return string(text)
}

// fieldDigest returns the digest of a field. Browsers change the ends of lines.
func fieldDigest(value string) string {
	value = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(value)
	sum := sha256.Sum256([]byte(value))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// staleForm merges the fields of a stale form with the present ones.
type staleForm struct {
	was map[string]string
	// Both holds the present values of the fields that both persons changed.
	Both map[string]otherValue
}

// otherValue is the present value of a field that both changed.
type otherValue struct {
	Differs bool
	Now     string
}

// newStaleForm reads the digests that a form sent. A program may send none.
func newStaleForm(was string) *staleForm {
	f := &staleForm{Both: map[string]otherValue{}}
	if json.Unmarshal([]byte(was), &f.was) != nil {
		f.was = nil
	}
	return f
}

// field returns the value that a field of the form shows again: what was typed,
// or the present value if the person left the field alone. Without a digest, a
// former value of the field counts as left alone.
func (f *staleForm) field(name, typed, now string, former ...string) string {
	typedSum, nowSum := fieldDigest(typed), fieldDigest(now)
	was, known := f.was[name]
	untouched := known && typedSum == was
	for _, value := range former {
		untouched = untouched || !known && typedSum == fieldDigest(value)
	}
	switch {
	case typedSum == nowSum, untouched:
		return now
	case !known || nowSum != was:
		f.Both[name] = otherValue{true, now}
	}
	return typed
}

// text is field for a field that a form may leave out.
func (f *staleForm) text(name string, typed *string, now string, former ...string) *string {
	value := now
	if typed != nil {
		value = f.field(name, *typed, now, former...)
	}
	return &value
}

// box is field for a checkbox. The present state is the other one, so it needs
// no mark where both changed it.
func (f *staleForm) box(name string, typed *bool, now bool) *bool {
	value := now
	if typed != nil {
		value = f.field(name, boxText(*typed), boxText(now)) == boxText(true)
	}
	delete(f.Both, name)
	return &value
}

func boxText(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
