package policy

import (
	"fmt"
	"slices"
)

// Same reports whether two policies have the same roles.
func (p *Policy) Same(other *Policy) bool {
	return slices.EqualFunc(p.Roles(), other.Roles(), Role.same)
}

func (r Role) same(other Role) bool {
	return r.Name == other.Name && r.Title == other.Title && r.Rank == other.Rank &&
		(r.Languages == nil) == (other.Languages == nil) && slices.Equal(r.Languages, other.Languages) &&
		r.holdsAll(other.Permissions) && other.holdsAll(r.Permissions)
}

func (r Role) holdsAll(permissions []Permission) bool {
	return !slices.ContainsFunc(permissions, func(p Permission) bool { return !slices.Contains(r.Permissions, p) })
}

// MayChange checks that somebody may put another policy in force: they keep their
// own access, do not change a role of a rank above theirs, and give no permission,
// language or rank that they do not have. It returns a Refusal or nil.
func MayChange(before, after *Policy, who Subject) error {
	for _, permission := range []Permission{Read, PolicyManage, Account} {
		if before.Allows(who.Role, permission) && !after.Allows(who.Role, permission) {
			return Refusal(fmt.Sprintf("This would take your own access: %s could no longer %s.",
				before.withArticle(who.Role), permission.Does()))
		}
	}
	own, _ := before.Role(who.Role)
	if kept, _ := after.Role(who.Role); kept.Languages != nil &&
		(own.Languages == nil || len(without(own.Languages, kept.Languages)) > 0) {
		return Refusal("This would take your own access: your role would be limited to fewer languages.")
	}
	for _, role := range before.Roles() {
		if now, ok := after.Role(role.Name); role.Rank > own.Rank && (!ok || !role.same(now)) {
			return Refusal(fmt.Sprintf("You may not change the role %s: its rank is above yours.", role.Title))
		}
	}
	for _, role := range after.Roles() {
		was, known := before.Role(role.Name)
		switch {
		case known && role.same(was):
		case role.Rank > own.Rank:
			return Refusal(fmt.Sprintf("You may not give the role %s a rank above yours.", role.Title))
		default:
			if err := mayGive(before, who, was, role); err != nil {
				return err
			}
		}
	}
	return nil
}

// mayGive checks that somebody has what a changed role gains.
func mayGive(before *Policy, who Subject, was, role Role) error {
	for _, permission := range role.Permissions {
		if !slices.Contains(was.Permissions, permission) && !before.Allows(who.Role, permission) {
			return Refusal(fmt.Sprintf("You may not let %s %s: you may not do so yourself.",
				before.withArticle(role.Name), permission.Does()))
		}
	}
	own := before.Languages(who)
	if own == nil || was.Name != "" && widening(was.Languages, role.Languages).empty() {
		return nil
	}
	if more := without(role.Languages, own); role.Languages == nil || len(more) > 0 {
		return Refusal(fmt.Sprintf("You may not let %s act on languages that you may not act on yourself.",
			before.withArticle(role.Name)))
	}
	return nil
}
