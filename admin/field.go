package admin

import (
	"math"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/corpus"
	"treewarden/store"
)

// fill sets the fields that values name, and returns the errors of those that
// it could not set.
func fill(values url.Values, into any) map[string]string {
	wrong := map[string]string{}
	fillStruct(values, reflect.ValueOf(into).Elem(), wrong)
	return wrong
}

func fillStruct(values url.Values, v reflect.Value, wrong map[string]string) {
	for i := range v.NumField() {
		field, info := v.Field(i), v.Type().Field(i)
		name := info.Tag.Get("form")
		switch {
		case info.Anonymous && field.Kind() == reflect.Struct:
			fillStruct(values, field, wrong)
		case name == "":
		case field.Kind() == reflect.Map:
			fillMap(values, name, field, wrong)
		case field.Kind() == reflect.Slice:
			for _, value := range values[name] {
				item := reflect.New(field.Type().Elem()).Elem()
				if why := set(item, value); why != "" {
					wrong[name] = why
				}
				field.Set(reflect.Append(field, item))
			}
		case last(values[name]) != "":
			// The last one counts: a hidden field may come before a checkbox.
			if why := set(field, last(values[name])); why != "" {
				wrong[name] = why
			}
		case values.Has(name) && field.Kind() == reflect.Pointer && field.Type().Elem().Kind() == reflect.String:
			field.Set(reflect.ValueOf(new(string))) // sent, and empty
		}
	}
}

// fieldNames returns the names of the fields of a struct, by their form tags.
func fieldNames(t reflect.Type) (names []string) {
	for i := range t.NumField() {
		switch field := t.Field(i); {
		case field.Anonymous:
			names = append(names, fieldNames(field.Type)...)
		case field.Tag.Get("form") != "":
			names = append(names, field.Tag.Get("form"))
		}
	}
	return names
}

func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// fillMap reads name[key]=value into a map of numbers. It leaves empty values
// out.
func fillMap(values url.Values, name string, field reflect.Value, wrong map[string]string) {
	numbers := map[string]float64{}
	for full, all := range values {
		inner, begins := strings.CutPrefix(full, name+"[")
		key, ends := strings.CutSuffix(inner, "]")
		if !begins || !ends || last(all) == "" {
			continue
		}
		number, err := strconv.ParseFloat(last(all), 64)
		if err != nil || math.IsNaN(number) || math.IsInf(number, 0) || !isText(key) {
			wrong[name] = "must be numbers"
			continue
		}
		numbers[key] = number
	}
	if len(numbers) > 0 {
		field.Set(reflect.ValueOf(numbers))
	}
}

// isText reports whether PostgreSQL can store a string as text.
func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// set sets a field to a value. It returns why it cannot, or "".
func set(field reflect.Value, value string) string {
	if !isText(value) {
		return "holds a NUL character or invalid UTF-8"
	}
	if field.Kind() == reflect.Pointer {
		inner := reflect.New(field.Type().Elem())
		why := set(inner.Elem(), value)
		field.Set(inner)
		return why
	}
	switch target := field.Addr().Interface().(type) {
	case *time.Time:
		t, ok := parseTime(value)
		*target = t
		if !ok {
			return "must be a time such as 2026-11-30T12:00:00Z, or a day"
		}
		return ""
	case *uuid.UUID:
		id, ok := parseID(value)
		*target = id
		if !ok {
			return "must be an id"
		}
		return ""
	}
	switch field.Kind() {
	case reflect.String:
		field.SetString(value)
	case reflect.Bool:
		on, err := strconv.ParseBool(strings.Replace(value, "on", "true", 1))
		field.SetBool(on)
		if err != nil {
			return "must be true or false"
		}
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(value, 10, 64)
		field.SetInt(n)
		if err != nil {
			return "must be a whole number"
		}
	case reflect.Float64:
		n, err := strconv.ParseFloat(value, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return "must be a number"
		}
		field.SetFloat(n)
	}
	return ""
}

// minuteLayout is the format of a browser's date and time fields.
const minuteLayout = "2006-01-02T15:04"

// parseTime reads what corpus.ParseTime reads, and the format of a browser's date
// and time fields, which it takes as UTC.
func parseTime(value string) (time.Time, bool) {
	if len(value) == len(minuteLayout) {
		value += ":00"
	}
	t, _, ok := corpus.ParseTime(value)
	return t, ok
}

// parseZonedTime reads a time with a zone. A program has no place whose time could be
// meant, so it must send the zone.
func parseZonedTime(value string) (time.Time, bool) {
	t, zoned, ok := corpus.ParseTime(value)
	return t, ok && zoned
}

// parseID reads an id in any usual spelling.
func parseID(value string) (uuid.UUID, bool) { return corpus.ParseUUID(value) }

// pathID reads the id in a path.
func pathID(c *fiber.Ctx) (uuid.UUID, error) { return pathIDNamed(c, "id") }

// pathIDNamed reads the id of another name in a path.
func pathIDNamed(c *fiber.Ctx, name string) (uuid.UUID, error) {
	id, ok := parseID(pathParam(c, name))
	if !ok {
		return id, store.Malformed("this is not an id: one reads like 0f3a7b1c-5d2e-4f60-8a9b-0c1d2e3f4a5b")
	}
	return id, nil
}

// pathParam returns a part of the path, without its escapes.
func pathParam(c *fiber.Ctx, name string) string {
	value := c.Params(name)
	if plain, err := url.PathUnescape(value); err == nil {
		return plain
	}
	return value
}

// writtenOtherwise returns the address of a page whose path has an id in another
// spelling than the one that the console writes, with that one; "" if it has none.
func writtenOtherwise(c *fiber.Ctx) string {
	path := strings.Split(c.Path(), "/")
	changed := false
	for i, part := range path {
		plain, err := url.PathUnescape(part)
		if err != nil {
			continue
		}
		if id, ok := parseID(plain); ok && id.String() != part {
			path[i], changed = id.String(), true
		}
	}
	if !changed {
		return ""
	}
	to := strings.Join(path, "/")
	if query := c.Context().QueryArgs().String(); query != "" {
		to += "?" + query
	}
	return to
}

// actionID reads the number of an action in its one canonical form.
func actionID(value string) (int64, bool) {
	id, err := strconv.ParseInt(value, 10, 64)
	return id, err == nil && id > 0 && strconv.FormatInt(id, 10) == value
}
