package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/audit"
)

// change is one value that an action changed.
type change struct {
	Name          string
	Before, After string
	Same          bool
}

// maxChanges is the number of values that an action's page shows. The raw JSON
// below them has all of them.
const maxChanges = 200

// changes pairs the values before and after.
func changes(before, after json.RawMessage) []change {
	was, is := map[string]string{}, map[string]string{}
	flatten(before, was)
	flatten(after, is)
	var names []string
	for name := range was {
		names = append(names, name)
	}
	for name := range is {
		if _, ok := was[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	all := make([]change, 0, min(len(names), maxChanges))
	for _, name := range names {
		if len(all) == maxChanges {
			break
		}
		all = append(all, change{name, was[name], is[name], was[name] == is[name]})
	}
	return all
}

// flatten collects the values of a JSON document by their paths.
func flatten(document json.RawMessage, into map[string]string) {
	if len(document) == 0 {
		return
	}
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return
	}
	flattenValue("", value, into)
}

func flattenValue(path string, value any, into map[string]string) {
	join := func(name string) string { return strings.TrimPrefix(path+"."+name, ".") }
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			flattenValue(join(name), inner, into)
		}
	case []any:
		for i, inner := range v {
			flattenValue(join(strconv.Itoa(i)), inner, into)
		}
	case nil:
	case string:
		into[strings.TrimPrefix(path, ".")] = v
	default:
		into[strings.TrimPrefix(path, ".")] = fmt.Sprint(v)
	}
}

// changeNames names the values of an action's states. The rest of a path names
// what is within one.
var changeNames = map[string]string{
	"ban": "Ban", "display_name": "Name", "notes": "Notes", "show_on_leaderboard": "Shown on the leaderboard",
	"role": "Role", "deletion": "Deletion", "text": "Text", "review": "Review", "state": "State", "list": "List",
	"languages": "Languages", "username": "Name to sign in with", "label": "Labels", "reaction": "Reaction",
	"report": "Report", "case": "Case", "priority": "Queue order",
}

// partNames names the values within a state.
var partNames = map[string]string{
	"since": "since", "until": "until", "reason": "reason", "by": "by", "action": "action", "deleted": "deleted",
	"at": "time", "root": "deleted with", "by_staff": "by staff", "text": "text", "edited": "edited", "result": "result",
	"state": "state", "active": "active",
	"halted_state": "state before the stop", "halted_active": "active before the stop",
	"case": "number", "status": "status", "outcome": "outcome", "reports": "reports", "red_flags": "red flags by",
	"imported_flags": "red flags from files",
}

// inWords returns the changes with names in place of ids and keys. Those that
// stayed as they were come apart.
func inWords(d audit.Detail, roles *policy.Policy) (changed, same []change) {
	for _, c := range changes(d.Before, d.After) {
		path := strings.Split(c.Name, ".")
		isRole := path[0] == "role"
		c.Name = changeName(d, path)
		for _, value := range []*string{&c.Before, &c.After} {
			*value = valueInWords(d, path, *value)
			if isRole && *value != "" {
				*value = roles.Title(*value)
			}
		}
		if c.Same {
			same = append(same, c)
		} else {
			changed = append(changed, c)
		}
	}
	return changed, same
}

// changeName names a value by its path: "Ban: until".
func changeName(d audit.Detail, path []string) string {
	aspect, rest, _ := strings.Cut(path[0], ":")
	name, known := changeNames[aspect]
	if !known {
		return strings.Join(path, ".")
	}
	if len(rest) >= 36 { // feedback: its user, after the emoji of a reaction
		emoji := strings.TrimSuffix(rest[:len(rest)-36], ":")
		if emoji != "" {
			name += " " + emoji
		}
		if id, err := uuid.Parse(rest[len(rest)-36:]); err == nil && d.Names[id] != "" {
			name += " by " + named(d.Names[id], id)
		}
	}
	if len(path) > 1 {
		parts := path[1:]
		if words := partNames[parts[0]]; words != "" {
			parts = append([]string{words}, parts[1:]...)
		}
		if last := strings.Join(parts, ", "); !strings.EqualFold(last, name) {
			name += ": " + last
		}
	}
	return name
}

// valueInWords writes a value: the name of a user, the number of an action, yes or
// no.
func valueInWords(d audit.Detail, path []string, value string) string {
	last := path[len(path)-1]
	switch aspect, _, _ := strings.Cut(path[0], ":"); {
	case aspect == "state" && (last == "state" || last == "halted_state"):
		return stateTitle(value)
	case aspect == "review" && last == "result" && value != "":
		return map[string]string{"true": "not spam", "false": "spam"}[value]
	}
	switch value {
	case "true":
		return "yes"
	case "false":
		return "no"
	}
	if at, err := time.Parse(time.RFC3339Nano, value); err == nil {
		return momentOf(at).Exact
	}
	if last == "action" {
		key, err := strconv.ParseInt(value, 10, 64)
		if number, ok := d.Numbers[key]; err == nil && ok {
			return fmt.Sprintf("action %d", number)
		}
		return value
	}
	if id, err := uuid.Parse(value); err == nil {
		switch name, known := d.Names[id]; {
		case known:
			return named(name, id)
		case value == d.TargetID:
			return "the " + d.TargetType + " itself"
		}
	}
	return value
}
