package policy

import (
	"fmt"
	"strings"
)

// The pages where a rule can be changed.
const (
	rolesPath = "/settings/roles"
	staffPath = "/settings/staff"
)

// The rules that a Reason is about.
const (
	RuleRole     = "role"     // the permissions of the role
	RuleLanguage = "language" // the languages of the role or the person
	RuleRank     = "rank"     // whom a role may act on
	RuleSelf     = "self"     // nobody acts on themselves
)

// Question asks whether somebody may use a permission on a target.
type Question struct {
	Who        Subject
	Permission Permission
	Language   string // the target's language, as for Decide
	TargetRole string // the role of the target, if it is a user; otherwise ""
	Self       bool   // the target is the person who asks
}

// Explanation answers a Question. It allows if all reasons do.
type Explanation struct {
	Allowed bool     `json:"allowed"`
	Because []Reason `json:"because"`
}

// Reason is one rule that allows or refuses.
type Reason struct {
	Code     string `json:"code"`
	Sentence string `json:"sentence"`
	Allows   bool   `json:"allows"`
	// Where is the page on which the rule can be changed, and Needs the permission
	// to do so; both are empty for a rule that nobody can change.
	Where string     `json:"where,omitempty"`
	Needs Permission `json:"needs,omitempty"`
}

// Explain tells whether somebody may do something, and why.
func (p *Policy) Explain(q Question) Explanation {
	reasons := append([]Reason{p.explainRole(q)}, p.explainLanguages(q)...)
	switch {
	case q.Self:
		reasons = append(reasons, Reason{Code: RuleSelf, Sentence: refusalSelf})
	case q.TargetRole != "":
		reasons = append(reasons, p.explainRank(q))
	}
	allowed := true
	for _, r := range reasons {
		allowed = allowed && r.Allows
	}
	return Explanation{allowed, reasons}
}

// explainRole names the line of the policy that grants the permission. An
// inherited grant names the role that it comes from.
func (p *Policy) explainRole(q Question) Reason {
	role, known := p.Role(q.Who.Role)
	if !known {
		return Reason{RuleRole, fmt.Sprintf("There is no role %s. Nobody may do anything without a role.",
			q.Who.Role), false, staffPath, UserRole}
	}
	r := Reason{Code: RuleRole, Where: rolesPath, Needs: PolicyManage}
	who, does := capital(p.withArticle(role.Name)), q.Permission.Does()
	allows, line, err := p.enforcer.EnforceEx(subject{Role: role.Name}, string(q.Permission), "")
	switch {
	case err != nil || !allows || len(line) == 0:
		r.Sentence = fmt.Sprintf("%s may not %s: the role lacks the permission %s.", who, does, q.Permission)
		return r
	case line[0] == role.Name:
		r.Sentence = fmt.Sprintf("%s may %s.", who, does)
	default:
		from := p.withArticle(line[0])
		if group, ok := strings.CutPrefix(line[0], groupPrefix); ok {
			from = "every member of " + group
		}
		r.Sentence = fmt.Sprintf("%s may %s, as %s may.", who, does, from)
	}
	r.Allows = true
	return r
}

// explainLanguages explains the role's limit of languages and the person's own.
func (p *Policy) explainLanguages(q Question) []Reason {
	if q.Language == "" {
		return nil
	}
	role, _ := p.Role(q.Who.Role)
	var reasons []Reason
	for _, limit := range []struct {
		languages  []string
		who, where string
		needs      Permission
	}{
		{role.Languages, capital(p.withArticle(q.Who.Role)), rolesPath, PolicyManage},
		{q.Who.Languages, "This person", staffPath, StaffManage},
	} {
		if limit.languages == nil {
			continue
		}
		r := Reason{Code: RuleLanguage, Allows: Covers(limit.languages, q.Language), Where: limit.where, Needs: limit.needs}
		only, but := "in "+languageNames(limit.languages)+" only", "and"
		if len(limit.languages) == 0 {
			only = "in no language"
		}
		if !r.Allows {
			but = "but"
		}
		target := "is in " + languageName(q.Language)
		if contains(Undetermined, q.Language) {
			target = "has no language"
		}
		r.Sentence = fmt.Sprintf("%s acts %s, %s this %s.", limit.who, only, but, target)
		reasons = append(reasons, r)
	}
	return reasons
}

// explainRank explains the rank rules for an act on a user.
func (p *Policy) explainRank(q Question) Reason {
	r := Reason{Code: RuleRank, Where: rolesPath, Needs: PolicyManage}
	if err := p.MayActOn(q.Who.Role, q.TargetRole, false); err != nil {
		r.Sentence = err.Error()
		return r
	}
	r.Allows = true
	r.Sentence = fmt.Sprintf("%s may act on %s, whose rank is lower.", capital(p.withArticle(q.Who.Role)),
		p.withArticle(q.TargetRole))
	if q.TargetRole == Admin {
		return Reason{Code: RuleRank, Allows: true, Sentence: "Admins may act on each other."}
	}
	return r
}
