package openapi

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/swaggest/jsonschema-go"

	"treewarden/scoring"
)

// schemas makes JSON schemas of Go types. A named struct becomes a component
// of the document; all other types are described where they are used.
type schemas struct {
	components Object
	reflector  jsonschema.Reflector
}

const componentPrefix = "#/components/schemas/"

func newSchemas() *schemas {
	s := &schemas{components: Object{}}
	for _, inline := range []any{uuid.UUID{}, scoring.Interval{}} {
		s.reflector.InlineDefinition(inline)
	}
	s.reflector.DefaultOptions = []func(*jsonschema.ReflectContext){
		jsonschema.RootRef,
		jsonschema.DefinitionsPrefix(componentPrefix),
		jsonschema.InterceptDefName(func(t reflect.Type, _ string) string { return componentName(t) }),
		jsonschema.CollectDefinitions(func(name string, schema jsonschema.Schema) { s.components[name] = schema }),
		jsonschema.InterceptSchema(describeScalar),
		jsonschema.InterceptProp(readValidateTag),
	}
	return s
}

// of describes a value. It panics if the library cannot describe the type: the
// types are part of the program, and a test describes all of them.
func (s *schemas) of(value any, options ...func(*jsonschema.ReflectContext)) jsonschema.Schema {
	schema, err := s.reflector.Reflect(value, options...)
	if err != nil {
		panic(err)
	}
	return schema
}

// answer describes the answer of a handler. All fields without omitempty are
// required, because encoding/json writes them always.
func (s *schemas) answer(value any) jsonschema.Schema {
	return s.of(value, jsonschema.InterceptProp(func(p jsonschema.InterceptPropParams) error {
		_, options, _ := strings.Cut(p.Field.Tag.Get("json"), ",")
		if !p.Processed || strings.Contains(options, "omitempty") {
			return nil
		}
		if !slices.Contains(p.ParentSchema.Required, p.Name) {
			p.ParentSchema.Required = append(p.ParentSchema.Required, p.Name)
		}
		if p.PropertySchema.Ref != nil && p.Field.Type.Kind() == reflect.Pointer {
			*p.PropertySchema = orNull(*p.PropertySchema)
		}
		return nil
	}))
}

// orNull allows null beside a component. The library has an option for that,
// but it keeps the type of the component beside the choice, which forbids null
// again.
func orNull(component jsonschema.Schema) jsonschema.Schema {
	var schema jsonschema.Schema
	schema.WithAnyOf(component.ToSchemaOrBool(), jsonschema.Null.ToSchemaOrBool())
	return schema
}

// body describes the named fields of a body, or all fields without names. A
// body of several structs has the fields of all of them.
func (s *schemas) body(value any, fields []string) jsonschema.Schema {
	parts, several := value.([]any)
	if !several {
		parts = []any{value}
	}
	var whole jsonschema.Schema
	for i, part := range parts {
		schema := s.of(part, jsonschema.InlineRefs, jsonschema.InterceptProp(func(p jsonschema.InterceptPropParams) error {
			if !p.Processed && len(fields) > 0 && !slices.Contains(fields, p.Name) {
				return jsonschema.ErrSkipProperty
			}
			if p.Processed && (p.Name == "reason" || p.Name == "note") {
				p.PropertySchema.WithMinLength(3).WithMaxLength(500)
			}
			return nil
		}))
		if i == 0 {
			whole = schema
			continue
		}
		maps.Copy(whole.Properties, schema.Properties)
		whole.Required = append(whole.Required, schema.Required...)
	}
	return whole
}

// query describes the parameters of a query: a parameter is absent, never null.
func (s *schemas) query(value any) []Object {
	notNull := func(p jsonschema.InterceptNullabilityParams) { p.Schema.RemoveType(jsonschema.Null) }
	schema := s.of(value, jsonschema.InlineRefs, jsonschema.PropertyNameTag("form"),
		jsonschema.InterceptNullability(notNull))
	var all []Object
	for _, name := range Parameters(value) {
		all = append(all, Object{"name": name, "in": "query", "schema": schema.Properties[name]})
	}
	return all
}

// Parameters returns the names of the parameters of a query, sorted. It leaves
// out those that only pages read.
func Parameters(query any) []string {
	if query == nil {
		return nil
	}
	var names []string
	for _, field := range reflect.VisibleFields(reflect.TypeOf(query)) {
		if name := field.Tag.Get("form"); name != "" && name != "open" && name != "tab" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// BodyFields returns the names of the fields of a method's body, sorted.
func BodyFields(m Method) []string {
	bodies, several := m.Body.([]any)
	if !several && m.Body != nil {
		bodies = []any{m.Body}
	}
	var names []string
	for _, body := range bodies {
		for _, field := range reflect.VisibleFields(reflect.Indirect(reflect.ValueOf(body)).Type()) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name != "" && name != "-" && (len(m.Fields) == 0 || slices.Contains(m.Fields, name)) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// componentName turns the name of a Go type into a component's name:
// List[store.User] becomes ListOfUser.
func componentName(t reflect.Type) string {
	generic, argument, isGeneric := strings.Cut(t.Name(), "[")
	if !isGeneric {
		return generic
	}
	argument = strings.TrimSuffix(argument, "]")
	return generic + "Of" + argument[strings.LastIndexByte(argument, '.')+1:]
}

// describeScalar describes the types that the library does not describe well.
func describeScalar(p jsonschema.InterceptSchemaParams) (done bool, err error) {
	if p.Processed {
		p.Schema.Title = nil // the result of the method Title for a zero value
		return false, nil
	}
	t := p.Value.Type()
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[uuid.UUID](): // the library would add an example to each
		p.Schema.AddType(jsonschema.String)
		p.Schema.WithFormat("uuid")
		return true, nil
	case reflect.TypeFor[scoring.Window]():
		p.Schema.AddType(jsonschema.String)
		for _, frame := range scoring.Windows {
			p.Schema.Enum = append(p.Schema.Enum, frame)
		}
		return true, nil
	case reflect.TypeFor[json.RawMessage](): // any value
		for _, kind := range []jsonschema.SimpleType{jsonschema.Object, jsonschema.Array, jsonschema.String,
			jsonschema.Number, jsonschema.Boolean, jsonschema.Null} {
			p.Schema.AddType(kind)
		}
		return true, nil
	case reflect.TypeFor[int64]():
		p.Schema.WithFormat("int64")
	}
	return false, nil
}

// readValidateTag describes the limits in the tag "validate" of a field.
func readValidateTag(p jsonschema.InterceptPropParams) error {
	if !p.Processed {
		return nil
	}
	var wrong error
	for rule := range strings.SplitSeq(p.Field.Tag.Get("validate"), ",") {
		name, value, _ := strings.Cut(rule, "=")
		switch name {
		case "oneof":
			for choice := range strings.FieldsSeq(value) {
				p.PropertySchema.Enum = append(p.PropertySchema.Enum, choice)
			}
		case "min", "max":
			limit, err := strconv.Atoi(value)
			wrong = errors.Join(wrong, err)
			setLimit(p.PropertySchema, name, limit)
		}
	}
	return wrong
}

// setLimit limits the length of a text or the value of a number.
func setLimit(schema *jsonschema.Schema, name string, limit int) {
	text := schema.HasType(jsonschema.String)
	switch {
	case name == "min" && text:
		schema.WithMinLength(int64(limit))
	case name == "min":
		schema.WithMinimum(float64(limit))
	case text:
		schema.WithMaxLength(int64(limit))
	default:
		schema.WithMaximum(float64(limit))
	}
}
