package policy

// Person is somebody whom a change of the policy may touch.
type Person struct {
	ID   string
	Name string
	Subject
}

// Change is a permission that a person gains or loses.
type Change struct {
	ID         string     `json:"user_id"`
	Name       string     `json:"display_name"`
	Permission Permission `json:"permission"`
	// Languages holds the languages in which the permission is gained or lost, if
	// the person has it in others before and after.
	Languages []string `json:"languages,omitempty"`
	// AllBut says that it is gained or lost in all languages but these.
	AllBut bool `json:"all_but,omitempty"`
}

// Sentence returns what is gained or lost, in words: "ban and unban, in German".
func (c Change) Sentence() string {
	switch {
	case c.AllBut:
		return c.Permission.Does() + ", in all languages but " + languageNames(c.Languages)
	case c.Languages != nil:
		return c.Permission.Does() + ", in " + languageNames(c.Languages)
	}
	return c.Permission.Does()
}

// Difference returns the permissions that people gain and lose when another policy
// comes into force, by person and then in the order of All.
func Difference(before, after *Policy, people []Person) (gains, loses []Change) {
	for _, person := range people {
		more, fewer := compare(before, after, person, person.Subject)
		gains, loses = append(gains, more...), append(loses, fewer...)
	}
	return gains, loses
}

// Changed returns the permissions that a person gains and loses when they get
// another role or limit of languages.
func (p *Policy) Changed(person Person, to Subject) (gains, loses []Change) {
	return compare(p, p, person, to)
}

// compare returns the permissions that a person gains and loses when another policy
// comes into force and they get another role or limit.
func compare(before, after *Policy, person Person, to Subject) (gains, loses []Change) {
	was, is := before.Languages(person.Subject), after.Languages(to)
	more, fewer := widening(was, is), widening(is, was)
	for _, info := range All {
		change := Change{ID: person.ID, Name: person.Name, Permission: info.Permission}
		had, has := before.Allows(person.Role, info.Permission), after.Allows(to.Role, info.Permission)
		switch {
		case has && !had:
			gains = append(gains, change)
		case had && !has:
			loses = append(loses, change)
		case has && info.Permission.HasLanguage():
			gains, loses = more.addTo(gains, change), fewer.addTo(loses, change)
		}
	}
	return gains, loses
}

// step is the languages by which a limit becomes wider.
type step struct {
	languages []string
	allBut    bool
}

// widening returns the languages that a limit allows and a former one does not. A
// language counts as new if the former limit had only a variety of it.
func widening(former, limit []string) step {
	switch {
	case former == nil:
		return step{}
	case limit == nil:
		return step{former, true}
	}
	return step{languages: without(limit, former)}
}

func (s step) empty() bool { return !s.allBut && len(s.languages) == 0 }

// addTo adds a change of these languages to changes.
func (s step) addTo(changes []Change, change Change) []Change {
	if s.empty() {
		return changes
	}
	change.Languages, change.AllBut = s.languages, s.allBut
	return append(changes, change)
}
