package admin

import (
	"fmt"
	"slices"
	"strings"

	"treewarden/policy"
	"treewarden/store/policies"
)

// roleChange describes in words how a role changes.
type roleChange struct {
	Title string
	Lines []roleLine
}

// roleLine is one change of a role.
type roleLine struct {
	Name          string // such as Rank
	Before, After string // of a value
	Words         []string
}

// roleChanges returns the differences between the roles of two policies.
func roleChanges(before, after *policy.Policy) []roleChange {
	var changes []roleChange
	for _, role := range after.Roles() {
		was, known := before.Role(role.Name)
		change := roleChange{Title: capital(role.Title)}
		if !known {
			change.Lines = append(change.Lines, roleLine{
				Name: "New role", After: fmt.Sprintf("rank %d, languages: %s", role.Rank, languageWords(role.Languages)),
			})
			was = policy.Role{Title: role.Title, Rank: role.Rank, Languages: role.Languages}
		}
		for _, value := range []struct{ name, before, after string }{
			{"Title", was.Title, role.Title},
			{"Rank", fmt.Sprint(was.Rank), fmt.Sprint(role.Rank)},
			{"Languages", languageWords(was.Languages), languageWords(role.Languages)},
		} {
			if value.before != value.after {
				change.Lines = append(change.Lines, roleLine{Name: value.name, Before: value.before, After: value.after})
			}
		}
		if more := wordsOf(role.Permissions, was.Permissions); len(more) > 0 {
			change.Lines = append(change.Lines, roleLine{Name: "May now", Words: more})
		}
		if fewer := wordsOf(was.Permissions, role.Permissions); len(fewer) > 0 {
			change.Lines = append(change.Lines, roleLine{Name: "May no longer", Words: fewer})
		}
		if len(change.Lines) > 0 {
			changes = append(changes, change)
		}
	}
	for _, role := range before.Roles() {
		if !after.KnownRole(role.Name) {
			changes = append(changes, roleChange{capital(role.Title), []roleLine{{Name: "Removed"}}})
		}
	}
	return changes
}

// wordsOf returns what is in a list of permissions and not in another one, in words.
func wordsOf(permissions, without []policy.Permission) []string {
	var words []string
	for _, permission := range permissions {
		if !slices.Contains(without, permission) {
			words = append(words, permission.Does())
		}
	}
	return words
}

// languageWords writes a limit of languages.
func languageWords(limit []string) string {
	if limit == nil {
		return "all"
	}
	names := make([]string, len(limit))
	for i, code := range limit {
		names[i] = langName(code)
	}
	return strings.Join(names, ", ")
}

// personChange is what one person gains and loses.
type personChange struct {
	ID, Name     string
	Gains, Loses []string
}

// Link returns the address of the person's page.
func (p personChange) Link() string { return "/users/" + p.ID }

// byPerson groups what people gain and lose, in the order of their names.
func byPerson(d policies.Difference) []personChange {
	var people []personChange
	of := func(change policy.Change) *personChange {
		i := slices.IndexFunc(people, func(p personChange) bool { return p.ID == change.ID })
		if i < 0 {
			i = len(people)
			people = append(people, personChange{ID: change.ID, Name: change.Name})
		}
		return &people[i]
	}
	for _, change := range d.Gains {
		person := of(change)
		person.Gains = append(person.Gains, changeWords(change))
	}
	for _, change := range d.Loses {
		person := of(change)
		person.Loses = append(person.Loses, changeWords(change))
	}
	slices.SortStableFunc(people, func(a, b personChange) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return people
}

// changeWords writes a permission that a person gains or loses, with its languages.
func changeWords(change policy.Change) string {
	words := change.Permission.Does()
	switch {
	case change.AllBut:
		return words + " in all languages but " + languageWords(change.Languages)
	case len(change.Languages) > 0:
		return words + " in " + languageWords(change.Languages)
	}
	return words
}
