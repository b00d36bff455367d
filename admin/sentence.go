package admin

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/cases"
	"treewarden/store/policies"
	"treewarden/store/versions"
)

// mayUndo reports whether a person may undo an action, by the action's author.
func mayUndo(person store.Person, action store.Action) bool {
	own := action.ActorID != nil && *action.ActorID == person.UserID
	return person.May(policy.UndoAll) || own && person.May(policy.UndoOwn)
}

// sentence is the function sentence with the roles in force.
func (s *Server) sentence(action store.Action) string { return sentence(s.store.Policy(), action) }

// sentence describes an action in a few words: what was done, to what, and what
// it changed. It has no words of a message but those of action.Quote.
func sentence(roles *policy.Policy, action store.Action) string {
	if action.Undoes != nil {
		undone := action
		undone.Kind, undone.Undoes, undone.UndoesKind = action.UndoesKind, nil, ""
		undone.Before, undone.After = action.After, action.Before
		if undone.Kind == "" {
			return fmt.Sprintf("Undid action %d", *action.Undoes)
		}
		return "Undid “" + innerQuotes.Replace(sentence(roles, undone)) + "”"
	}
	past := action.Kind
	if kind, ok := store.KindNamed(action.Kind); ok {
		past = kind.Past
	}
	name := excerpt(action.TargetLabel, 60)
	switch action.TargetType {
	case "user":
		return userSentence(roles, action, past, named(name))
	case "message":
		return messageSentence(action, past)
	case "tree":
		return joined(past, "the tree", action.Quote)
	case policies.Target, versions.Priority.Name:
		return past // there is one only
	case "list":
		return listSentence(action, past, "“"+name+"”")
	}
	return past + " " + name
}

// innerQuotes replaces quotation marks within a quotation.
var innerQuotes = strings.NewReplacer("“", "‘", "”", "’")

// joined joins words; the last may be empty.
func joined(words ...string) string { return strings.TrimSpace(strings.Join(words, " ")) }

// fieldWords names the values of users and lists that actions change.
var fieldWords = map[string]string{
	"display_name": "name", "notes": "notes", "show_on_leaderboard": "leaderboard setting", "role": "role",
	"languages": "languages", "username": "name to sign in with", "name": "name", "kind": "kind", "note": "note",
	"archived": "archive state",
}

// state reads one aspect of a target before or after an action. It returns nil
// where the action kept none.
func state(values []byte, aspect string) any {
	var all map[string]any
	if json.Unmarshal(values, &all) != nil {
		return nil
	}
	return all[aspect]
}

// changedFields returns the words for the values that differ, in a fixed order.
func changedFields(before, after []byte) []string {
	var was, is map[string]any
	if json.Unmarshal(before, &was) != nil || json.Unmarshal(after, &is) != nil {
		return nil
	}
	if inner, ok := was["list"].(map[string]any); ok {
		was = inner
	}
	if inner, ok := is["list"].(map[string]any); ok {
		is = inner
	}
	var words []string
	for _, name := range []string{"display_name", "username", "name", "role", "languages", "kind", "notes", "note",
		"show_on_leaderboard", "archived"} {
		_, had := was[name]
		_, has := is[name]
		if (had || has) && !reflect.DeepEqual(was[name], is[name]) {
			words = append(words, fieldWords[name])
		}
	}
	return words
}

// userSentence describes an action on a user or an account.
func userSentence(roles *policy.Policy, action store.Action, past, name string) string {
	switch action.Kind {
	case "ban":
		if state(action.Before, "ban") != nil && state(action.After, "ban") != nil {
			return "Changed the ban of " + name
		}
	case "update_user", "update_staff":
		fields := changedFields(action.Before, action.After)
		before, _ := state(action.Before, "role").(string)
		after, _ := state(action.After, "role").(string)
		switch {
		case len(fields) == 1 && fields[0] == "role" && before != "" && after != "":
			return fmt.Sprintf("Made %s %s (was %s)", name, article(roles.Title(after)), roles.Title(before))
		case len(fields) == 1 && fields[0] == fieldWords["display_name"]:
			was, _ := state(action.Before, "display_name").(string)
			is, _ := state(action.After, "display_name").(string)
			return "Renamed " + named(excerpt(was, 60)) + " to " + named(excerpt(is, 60))
		case len(fields) > 0:
			return "Changed the " + andList(fields) + " of " + name
		}
	}
	return past + " " + name
}

// decisionWords begin the sentence about a decided case, by its outcome.
var decisionWords = map[string]string{
	cases.Dismiss: "Dismissed the reports and red flags on",
	cases.Delete:  "Upheld the reports and red flags on, and deleted",
	cases.Reject:  "Upheld the reports and red flags on, and marked as spam",
	cases.Halt:    "Upheld the reports and red flags, and stopped the tree of",
	cases.Ban:     "Upheld the reports and red flags, and banned the author of",
}

// messageSentence describes an action on a message.
func messageSentence(action store.Action, past string) string {
	switch action.Kind {
	case "resolve":
		decided, _ := state(action.After, cases.Aspect).(map[string]any)
		outcome, _ := decided["outcome"].(string)
		if words, ok := decisionWords[outcome]; ok {
			return joined(words, "the message", action.Quote)
		}
	case "review":
		review, _ := state(action.After, "review").(map[string]any)
		switch result, decided := review["result"].(bool); {
		case review == nil:
		case !decided:
			return joined("Put under review again: the message", action.Quote)
		case result:
			return joined("Marked as not spam: the message", action.Quote)
		default:
			return joined("Marked as spam: the message", action.Quote)
		}
	}
	return joined(past, "the message", action.Quote)
}

// listSentence describes an action on a list.
func listSentence(action store.Action, past, name string) string {
	if fields := changedFields(action.Before, action.After); action.Kind == "update_list" && len(fields) > 0 {
		return "Changed the " + andList(fields) + " of the list " + name
	}
	return past + " " + name
}

// article writes a role with its article.
func article(role string) string {
	if role != "" && strings.ContainsRune("aeiou", unicode.ToLower([]rune(role)[0])) {
		return "an " + role
	}
	return "a " + role
}

// andList joins words: "notes, role and name".
func andList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// touched returns the end of a sentence: what the action touched, if that is more
// than its target.
func touched(a store.Affected) string {
	if a.Messages <= 1 && a.Trees <= 1 {
		return ""
	}
	a.Users = 0
	return " (" + touchedWords(a) + ")"
}

// touchedWords writes what an action touched: "53 messages, 7 by others; 2 trees". A
// single user besides is the target, which the sentence names.
func touchedWords(a store.Affected) string {
	var parts []string
	if a.Messages > 0 {
		part := counted(a.Messages, "message")
		if a.OthersMessages > 0 {
			part += ", " + number(a.OthersMessages) + " by others"
		}
		parts = append(parts, part)
	}
	if a.Trees > 0 {
		parts = append(parts, counted(a.Trees, "tree"))
	}
	if a.Users > 1 || a.Users == 1 && len(parts) == 0 {
		parts = append(parts, counted(a.Users, "user"))
	}
	return strings.Join(parts, "; ")
}

// targetPath returns the page of an action's target.
func targetPath(action store.Action) string {
	switch action.TargetType {
	case "user", "message", "tree", "list":
		return "/" + action.TargetType + "s/" + action.TargetID
	}
	switch action.TargetType {
	case "formula":
		return scoringPath
	case versions.Priority.Name:
		return priorityPath
	case policies.Target:
		return rolesPath
	}
	return fmt.Sprintf("/actions/%d", action.ID)
}

// excerpt returns the beginning of a text on one line, with its characters in
// the order in which they were written.
func excerpt(text string, length int) string {
	letters := []rune(strings.Join(strings.Fields(undirected(text)), " "))
	if len(letters) <= length {
		return string(letters)
	}
	return string(letters[:length-1]) + "…"
}

// ActPath returns the address of an action's form. The form returns to a path
// of this site.
func ActPath(target string, id uuid.UUID, verb, back string) string {
	return "/" + target + "s/" + id.String() + "/" + verb + "?return=" + escapeQuery(back)
}
