package admin

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"treewarden/store"
)

// weightLines are the weights in a form: those of the formula, or of the queue's order.
type weightLines []weightLine

// weightLine is a weight in the form.
type weightLine struct {
	ID, Name, Title, Hint string
	Value                 string // as typed
	InForce, Legacy       float64
	Changed               bool
	Wrong                 string
}

// field is the name of a weight in errors.
func (l *weightLine) field() string { return "weights." + l.Name }

// read fills the line with what was typed under a key, and reports whether it is a number.
// One that was not sent stays as it is. What is wrong is noted under a field.
func (l *weightLine) read(values url.Values, key, field string, wrong store.Invalid) (float64, bool) {
	if !values.Has(key) {
		return 0, false
	}
	l.Value = strings.TrimSpace(last(values[key]))
	n, err := strconv.ParseFloat(l.Value, 64)
	if err != nil {
		wrong[field] = "Give a number."
	}
	l.Changed = err != nil || n != l.InForce
	return n, err == nil
}

// keep shows the value in force if the form has the former one.
func (l *weightLine) keep(former float64) {
	if n, err := strconv.ParseFloat(l.Value, 64); err == nil && n == former {
		l.Value, l.Changed = plainNumber(l.InForce), false
	}
}

// read fills the lines with what was typed, and returns the weights that were sent. What is
// wrong is noted; thing is what has a weight.
func (lines weightLines) read(values url.Values, thing string, wrong store.Invalid) map[string]float64 {
	weights, known := map[string]float64{}, map[string]bool{}
	for i := range lines {
		line := &lines[i]
		key := "weights[" + line.Name + "]"
		known[key] = true
		if n, ok := line.read(values, key, line.field(), wrong); ok {
			weights[line.Name] = n
		}
	}
	for key := range values {
		if strings.HasPrefix(key, "weights[") && !known[key] {
			wrong[key] = "There is no " + thing + " of this name."
		}
	}
	return weights
}

// keep gives the weights that the form left as they were in a version their values in
// force, which somebody else may have changed since.
func (lines weightLines) keep(former func(name string) float64) {
	for i := range lines {
		lines[i].keep(former(lines[i].Name))
	}
}

// fields returns the names of the weights in errors.
func (lines weightLines) fields() []string {
	names := make([]string, len(lines))
	for i := range lines {
		names[i] = lines[i].field()
	}
	return names
}

// mark puts what is wrong beside the weights.
func (lines weightLines) mark(wrong store.Invalid) {
	for i := range lines {
		lines[i].Wrong = wrong[lines[i].field()]
	}
}

// statusOf returns the status of a form that is shown: 422 if fields are wrong, 409 if
// another person saved in the meantime.
func statusOf(wrong store.Invalid, conflict *store.Conflict) int {
	switch {
	case len(wrong) > 0:
		return fiber.StatusUnprocessableEntity
	case conflict != nil:
		return fiber.StatusConflict
	}
	return fiber.StatusOK
}

func plainNumber(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }
