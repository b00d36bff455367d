package admin

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/policies"
)

// mayUndo reports whether a person may undo an action, by the action's author.
func mayUndo(person store.Person, action store.Action) bool {
	own := action.ActorID != nil && *action.ActorID == person.UserID
	return person.May(policy.UndoAll) || own && person.May(policy.UndoOwn)
}

// sentence describes an action in a few words.
func sentence(action store.Action) string {
	past := action.Kind
	if kind, ok := store.KindNamed(action.Kind); ok {
		past = kind.Past
	}
	switch {
	case action.Undoes != nil:
		return fmt.Sprintf("%s action %d on “%s”", past, *action.Undoes, excerpt(action.TargetLabel, 60))
	case action.TargetType == "message":
		return past + " the message “" + excerpt(action.TargetLabel, 60) + "”"
	case action.TargetType == "tree":
		return past + " the tree “" + excerpt(action.TargetLabel, 60) + "”"
	case action.TargetType == policies.Target:
		return past // there is one only
	case action.TargetType == "list":
		return past + " “" + excerpt(action.TargetLabel, 60) + "”"
	}
	return past + " " + excerpt(action.TargetLabel, 60)
}

// touched returns the end of a sentence: the number of messages that the action
// touched, if there is more than one.
func touched(a store.Affected) string {
	var parts []string
	if a.Messages > 1 {
		part := counted(a.Messages, "message")
		if a.OthersMessages > 0 {
			part += ", " + number(a.OthersMessages) + " of these by others"
		}
		parts = append(parts, part)
	}
	if a.Trees > 1 {
		parts = append(parts, counted(a.Trees, "tree"))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, "; ") + ")"
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
