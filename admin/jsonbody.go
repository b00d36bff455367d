package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"treewarden/store"
)

// decodeJSON reads one JSON object member by member, so that its errors name
// each wrong member. It corrects nothing: a misspelt "until" must not make a
// ban permanent, a second "preview" must not act, and half a character must not
// become another one.
func decodeJSON(body []byte, into []any) (wrong map[string]string, err error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	if !utf8.Valid(body) {
		return nil, store.Malformed("the body is not valid UTF-8")
	}
	var members map[string]json.RawMessage
	if !jsontext.Value(body).IsValid() || json.Unmarshal(body, &members) != nil || members == nil {
		return nil, store.Malformed("the body is not one JSON object, each of its members there once and all its " +
			"characters whole")
	}
	wrong = map[string]string{}
	for _, structure := range into {
		takeMembers(members, reflect.ValueOf(structure).Elem(), wrong)
	}
	for name := range members {
		wrong[name] = "there is no such field"
	}
	return wrong, nil
}

// takeMembers sets the fields of a struct that members name, removes these, and adds
// the errors to wrong.
func takeMembers(members map[string]json.RawMessage, v reflect.Value, wrong map[string]string) {
	for i := range v.NumField() {
		if v.Type().Field(i).Anonymous {
			takeMembers(members, v.Field(i), wrong)
			continue
		}
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		member, present := members[name]
		if name == "-" || name == "" || !present {
			continue
		}
		delete(members, name)
		if why := setJSON(v.Field(i), member); why != "" {
			wrong[name] = why
		}
	}
}

// setJSON sets a field to a JSON value. It returns why it cannot, or "".
func setJSON(field reflect.Value, value json.RawMessage) string {
	target := field.Addr().Interface()
	var whole map[string]*float64 // null is not a number
	if _, isMap := target.(*map[string]float64); isMap && json.Unmarshal(value, &whole) == nil {
		for _, number := range whole {
			if number == nil {
				return "must be numbers"
			}
		}
	}
	if at, isTime := target.(**time.Time); isTime {
		return setJSONTime(at, value)
	}
	if isWhole(field.Type()) {
		value = wholeNumber(value)
	}
	err := json.Unmarshal(value, target)
	var kind *json.UnmarshalTypeError
	switch text := reflect.Indirect(field); {
	case errors.As(err, &kind) && strings.HasPrefix(kind.Value, "number ") && kind.Type.Kind() == reflect.Float64:
		return "is a number beyond all measure"
	case errors.As(err, &kind) && strings.HasPrefix(kind.Value, "number "):
		return "must be " + plainType(kind.Type)
	case errors.As(err, &kind):
		return fmt.Sprintf("is %s, and must be %s", withArticle(kind.Value), plainType(kind.Type))
	case err != nil:
		return "is wrong"
	case text.IsValid() && text.Kind() == reflect.String && strings.ContainsRune(text.String(), 0):
		return "holds a NUL character"
	}
	return ""
}

// isWhole reports whether a field is a whole number, which may be left out.
func isWhole(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Int || t.Kind() == reflect.Int64
}

// wholeNumber writes a whole number such as 3.0 or 3e0 as 3. It returns all else as
// it is.
func wholeNumber(value json.RawMessage) json.RawMessage {
	const exact = 1 << 53 // up to here, every whole number has a float of its own
	n, err := strconv.ParseFloat(string(value), 64)
	if err != nil || n != math.Trunc(n) || math.Abs(n) > exact || !bytes.ContainsAny(value, ".eE") {
		return value
	}
	return strconv.AppendInt(nil, int64(n), 10)
}

// setJSONTime sets a time that may be null. It has rules of its own, because the
// package json takes offsets that are none, such as +24:00.
func setJSONTime(target **time.Time, value json.RawMessage) string {
	var text *string
	if json.Unmarshal(value, &text) != nil {
		return "must be a time such as 2026-11-30T12:00:00Z"
	}
	*target = nil
	if text == nil {
		return ""
	}
	at, ok := parseZonedTime(*text)
	if !ok {
		return "must be a time with a zone, such as 2026-11-30T12:00:00Z, and before the year 10000 in UTC"
	}
	*target = &at
	return ""
}

func plainType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Map, reflect.Struct:
		return "an object"
	case reflect.Slice:
		return "a list"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	}
	return "a number"
}

// withArticle puts an article before a kind of JSON value.
func withArticle(kind string) string {
	switch kind {
	case "array", "object":
		return "an " + kind
	case "bool":
		return "true or false"
	}
	return "a " + kind
}
