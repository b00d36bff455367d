package admin

import (
	"errors"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/go-playground/validator/v10"
	"github.com/gofiber/fiber/v2"

	"treewarden/store"
)

// Structs for queries and bodies name their fields by a "form" tag (a body also
// by a "json" tag) and are checked by their "validate" tags. An error in a
// query is a store.Malformed (400). An error in a body is a store.Invalid
// (422), which names the fields.

var check = newValidator()

func newValidator() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(f reflect.StructField) string { return f.Tag.Get("form") })
	return v
}

// pageQuery holds the parameters of every list. Embed it; its method page
// returns a store.Page.
type pageQuery struct {
	Limit  *int   `form:"limit" validate:"omitempty,min=1,max=200"`
	Cursor string `form:"cursor" validate:"max=2000"`
}

func (p pageQuery) page() store.Page {
	page := store.Page{Cursor: p.Cursor}
	if p.Limit != nil {
		page.Limit = *p.Limit
	}
	return page
}

// query returns the decoded query of the request. It leaves out what it cannot
// decode; decodeQuery refuses that.
func query(c *fiber.Ctx) url.Values {
	values, _ := url.ParseQuery(string(c.Request().URI().QueryString()))
	return values
}

// decodeQuery decodes the query into structs.
func decodeQuery(c *fiber.Ctx, into ...any) error {
	values, err := parseQuery(c)
	if err != nil {
		return err
	}
	if wrong := fillAll(values, into); len(wrong) > 0 {
		return queryError(wrong)
	}
	return nil
}

// parameters returns the errors of a query, each after the name of its
// parameter in the address.
func parameters(wrong map[string]string) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(wrong)) {
		all = append(all, name+": "+wrong[name])
	}
	return all
}

// decodeBody decodes the body into structs: JSON below /api/v1, a form
// elsewhere. An empty body leaves them empty.
func decodeBody(c *fiber.Ctx, into ...any) error {
	var wrong map[string]string
	if isAPI(c) {
		invalid, err := decodeJSON(c.Body(), into)
		if err != nil {
			return err
		}
		for _, v := range into {
			invalid = merge(invalid, checked(v))
		}
		wrong = invalid
	} else {
		values, err := formValues(c)
		if err != nil {
			return err
		}
		wrong = fillAll(values, into)
	}
	if len(wrong) > 0 {
		return store.Invalid(wrong)
	}
	return nil
}

// fillAll sets the fields of structs, checks them, and returns the errors.
func fillAll(values url.Values, into []any) map[string]string {
	var wrong map[string]string
	for _, v := range into {
		wrong = merge(wrong, fill(values, v))
		wrong = merge(wrong, checked(v))
	}
	return wrong
}

func formValues(c *fiber.Ctx) (url.Values, error) {
	if strings.HasPrefix(c.Get(fiber.HeaderContentType), fiber.MIMEMultipartForm) {
		form, err := c.MultipartForm()
		if err != nil {
			return nil, store.Malformed("the form cannot be read")
		}
		return plainLines(form.Value), nil
	}
	values, err := url.ParseQuery(string(c.Body()))
	if err != nil {
		return nil, store.Malformed("the form cannot be decoded")
	}
	return plainLines(values), nil
}

// plainLines replaces CR LF, which browsers send, by LF.
func plainLines(values url.Values) url.Values {
	for _, all := range values {
		for i, value := range all {
			all[i] = strings.ReplaceAll(value, "\r\n", "\n")
		}
	}
	return values
}

// checked applies the struct's validate tags.
func checked(v any) map[string]string {
	var faults validator.ValidationErrors
	if !errors.As(check.Struct(v), &faults) {
		return nil
	}
	wrong := map[string]string{}
	for _, fault := range faults {
		wrong[fault.Field()] = why(fault)
	}
	return wrong
}

// why describes an error of a field for people.
func why(fault validator.FieldError) string {
	text := fault.Kind() == reflect.String
	switch fault.Tag() {
	case "required", "required_without":
		return "must be given"
	case "oneof":
		return "must be one of " + strings.Join(strings.Fields(fault.Param()), ", ")
	case "min", "gte":
		if text {
			return "must have at least " + fault.Param() + " characters"
		}
		return "must be at least " + fault.Param()
	case "max", "lte":
		if text {
			return "must have at most " + fault.Param() + " characters"
		}
		return "must be at most " + fault.Param()
	}
	return "is wrong"
}

func merge(a, b map[string]string) map[string]string {
	if a == nil {
		return b
	}
	for name, why := range b {
		if _, ok := a[name]; !ok {
			a[name] = why
		}
	}
	return a
}
