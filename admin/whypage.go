package admin

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/policies"
)

const whyPath = "/settings/why"

// whyForm asks why somebody may or may not do something.
type whyForm struct {
	whyQuery
	OfOthers    bool // the person may ask about others
	Permissions []Choice
	Wrong       store.Invalid
}

func newWhyForm(person store.Person, q whyQuery) whyForm {
	form := whyForm{whyQuery: q, OfOthers: person.May(policy.PolicyManage) || person.May(policy.StaffManage)}
	for _, info := range policy.All {
		name := string(info.Permission)
		form.Permissions = append(form.Permissions, Choice{name, capital(info.Does), name == q.Permission})
	}
	return form
}

// whyPage explains why somebody may or may not do something.
type whyPage struct {
	Layout
	Form    whyForm
	Answer  *policies.Answer
	Reasons []whyLine
	// Object is the address of the target, and ObjectType what it is.
	Object, ObjectType string
}

func (p whyPage) api() any { return p.Answer }

// Self reports whether the answer is about the person who reads it.
func (p whyPage) Self() bool { return p.Answer.User.ID == p.Person.UserID }

// Does returns words for what was asked.
func (p whyPage) Does() string { return p.Answer.Permission.Does() }

// whyLine is a reason with where its rule can be changed and by whom.
type whyLine struct {
	policy.Reason
	Place string   // in words; empty if nobody can change the rule
	Link  string   // to the place, for those who may change it
	By    []string // the titles of the roles that may
}

// whyLines returns the reasons of an answer as a person sees them.
func (s *Server) whyLines(person store.Person, answer policies.Answer) []whyLine {
	var lines []whyLine
	for _, reason := range answer.Reasons {
		line := whyLine{Reason: reason}
		if reason.Needs != "" {
			line.Place = "on the user’s page"
			for _, role := range person.Policy.Holders(reason.Needs) {
				line.By = append(line.By, person.Policy.Title(role))
			}
			switch reason.Where {
			case rolesPath:
				line.Place = "in the roles"
			case "/settings/staff":
				line.Place = "in the staff accounts"
			}
			exists := slices.ContainsFunc(s.routes, func(r route) bool { return r.Method == get && r.Path == reason.Where })
			if person.May(reason.Needs) && (exists || strings.HasPrefix(reason.Where, "/users/")) {
				line.Link = reason.Where
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// address matches a target in an address of the console, such as /users/ID.
var address = regexp.MustCompile(`(?i)\b(user|message|tree)s?[/:]([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})`)

// objectIn returns the target that a path or a typed text names, or the text as it
// is.
func objectIn(text string) string {
	if found := address.FindStringSubmatch(text); found != nil {
		return strings.ToLower(found[1] + ":" + found[2])
	}
	return strings.TrimSpace(text)
}

// whyRefused returns the address of the page that explains a refusal. It is empty
// if the refusal is by a rule that is about no permission.
func whyRefused(path string, missing, ofRoute policy.Permission) string {
	target := address.FindStringSubmatch(path)
	if missing == "" && target != nil && ofRoute != policy.Read {
		missing = ofRoute
	}
	if missing == "" {
		return ""
	}
	why := withQuery(whyPath, "permission", string(missing))
	if target != nil {
		why = withQuery(why, "target", objectIn(path))
	}
	return why
}

// whyPage shows the form, and the answer if something was asked.
func (s *Server) whyPage(c *fiber.Ctx) error {
	var q whyQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	q.User, q.Target = strings.TrimSpace(q.User), objectIn(q.Target)
	p := whyPage{Layout: s.layout(c, "Why?"), Form: newWhyForm(s.person(c), q)}
	question, err := q.question()
	if err != nil {
		p.Form.Wrong = store.Invalid{"target": err.Error()}
		return s.renderStatus(c, fiber.StatusBadRequest, "why", p)
	}
	if q.Permission == "" {
		return s.render(c, "why", p)
	}
	answer, err := s.store.Why(c.UserContext(), s.actor(c), question)
	var missing policies.Missing
	var malformed store.Malformed
	switch {
	case errors.As(err, &missing):
		p.Form.Wrong = store.Invalid{missing.Field: missing.Why}
		return s.renderStatus(c, fiber.StatusNotFound, "why", p)
	case errors.As(err, &malformed):
		p.Form.Wrong = store.Invalid{"permission": "There is no such permission. Choose one."}
		return s.renderStatus(c, fiber.StatusBadRequest, "why", p)
	case err != nil:
		return err
	}
	p.Answer, p.Reasons = &answer, s.whyLines(p.Person, answer)
	if kind, id, ok := strings.Cut(answer.Target, ":"); ok {
		p.Object, p.ObjectType = "/"+kind+"s/"+id, kind
	}
	return s.render(c, "why", p)
}
