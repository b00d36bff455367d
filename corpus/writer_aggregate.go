package corpus

import (
	"slices"
	"strconv"
)

// emojis writes reactions in the order of the OASST files, which is the order
// of PostgreSQL's jsonb: shorter names first.
func (w *writer) emojis(emojis map[string]int) {
	if emojis == nil {
		w.raw("null")
		return
	}
	w.raw("{")
	for i, name := range emojiNames(emojis) {
		w.key(i, name)
		w.dst = strconv.AppendInt(w.dst, int64(emojis[name]), 10)
	}
	w.raw("}")
}

// emojiNames returns the names of reactions in their order.
func emojiNames(emojis map[string]int) []string {
	names := ordered(emojis, nil)
	slices.SortStableFunc(names, func(a, b string) int { return len(a) - len(b) })
	return names
}

func (w *writer) labels(labels map[string]Label) {
	if labels == nil {
		w.raw("null")
		return
	}
	w.raw("{")
	for i, name := range ordered(labels, labelOrder) {
		label := labels[name]
		w.key(i, name)
		w.raw(`{"value": `)
		w.float(label.Value)
		w.raw(`, "count": `)
		w.dst = strconv.AppendInt(w.dst, int64(label.Count), 10)
		w.raw("}")
	}
	w.raw("}")
}

// outputs writes the outputs of one model.
func (w *writer) outputs(outputs map[string]*float64) {
	if outputs == nil {
		w.raw("null")
		return
	}
	w.raw("{")
	for i, name := range ordered(outputs, detoxifyOrder) {
		w.key(i, name)
		w.float(outputs[name])
	}
	w.raw("}")
}

// others writes the models without their own key.
func (w *writer) others(classifiers map[string]map[string]*float64) {
	w.raw("{")
	n := 0
	for _, model := range ordered(classifiers, nil) {
		if model != Detoxify {
			w.key(n, model)
			w.outputs(classifiers[model])
			n++
		}
	}
	w.raw("}")
}

// hasOthers reports whether there is a model without its own key.
func hasOthers(classifiers map[string]map[string]*float64) bool {
	_, own := classifiers[Detoxify]
	return len(classifiers) > 1 || len(classifiers) == 1 && !own
}

func (w *writer) key(i int, name string) {
	if i > 0 {
		w.raw(", ")
	}
	w.string(name)
	w.raw(": ")
}

// ordered returns the keys of a map: those of a known order first, then the
// others in alphabetical order.
func ordered[V any](m map[string]V, order []string) []string {
	names := make([]string, 0, len(m))
	for _, name := range order {
		if _, ok := m[name]; ok {
			names = append(names, name)
		}
	}
	known := len(names)
	for name := range m {
		if !slices.Contains(names[:known], name) {
			names = append(names, name)
		}
	}
	slices.Sort(names[known:])
	return names
}
