package store

import (
	"strings"

	"treewarden/corpus"
	"treewarden/policy"
	"treewarden/store/accounts"
	"treewarden/store/db"
	"treewarden/store/params"
)

// UserPatch holds the changes to a user; a nil field is left alone.
type UserPatch struct {
	DisplayName       *string `json:"display_name" form:"display_name"`
	Notes             *string `json:"notes" form:"notes"`
	ShowOnLeaderboard *bool   `json:"show_on_leaderboard" form:"show_on_leaderboard"`
	Role              *string `json:"role" form:"role"`

	// NeedVersion refuses a change by a program that does not say what it read.
	NeedVersion bool `json:"-"`
}

func init() {
	register(Kind{
		Name: "update_user", Target: "user", Place: 90, Title: "Change user", Button: "Save", Past: "Changed",
		Permission: policy.UserEdit, Undoable: true,
		aspects: []aspect{nameAspect, notesAspect, leaderboardAspect, roleAspect},
	}, updateUser)
}

// permission returns user.role if the patch changes only the role, otherwise
// user.edit.
func (p UserPatch) permission() policy.Permission {
	if p.roleOnly() {
		return policy.UserRole
	}
	return policy.UserEdit
}

// roleOnly reports whether the patch changes the role and nothing else.
func (p UserPatch) roleOnly() bool {
	return p.Role != nil && p.DisplayName == nil && p.Notes == nil && p.ShowOnLeaderboard == nil
}

func updateUser(d *actionTx, p UserPatch) error {
	if err := p.check(d.actor.Policy); err != nil {
		return err
	}
	user, err := d.lockUser(d.act.Target)
	if err != nil {
		return err
	}
	// A form sends the name along with other changes, also one that came from elsewhere.
	if p.DisplayName != nil && *p.DisplayName != user.DisplayName && (!accounts.Visible(*p.DisplayName) ||
		corpus.TooLongFor(strings.TrimSpace(*p.DisplayName), corpus.MaxDisplayName)) {
		return Invalid{"display_name": "A display name has at least one visible character, and at most 256 in all."}
	}
	if p.NeedVersion && d.act.Version == nil {
		return Invalid{"version": "must be given: the version that you read, so that no other change is lost"}
	}
	if err := d.checkVersion(user.Version); err != nil {
		return err
	}
	if p.Role != nil && *p.Role != user.Role {
		if err := d.checkGrantable(policy.Subject{Role: *p.Role, Languages: user.ActsOn}); err != nil {
			return err
		}
	}
	var changed int64
	for _, field := range []struct {
		aspect columnAspect
		set    string
		value  any
		given  bool
	}{
		{nameAspect, "display_name = $3", trimmed(p.DisplayName), p.DisplayName != nil && *p.DisplayName != user.DisplayName},
		{notesAspect, "notes = $3", p.Notes, p.Notes != nil},
		{leaderboardAspect, "show_on_leaderboard = $3", p.ShowOnLeaderboard, p.ShowOnLeaderboard != nil},
		{roleAspect, accounts.SetRoleSQL, p.Role, p.Role != nil},
	} {
		if !field.given {
			continue
		}
		n, err := d.change(field.aspect, "chosen AS (SELECT $2::uuid AS id)", field.set, user.UserID, field.value)
		if err != nil {
			return db.Taken(err, "role", accounts.NameTaken)
		}
		changed += n
	}
	if changed == 0 {
		return errUnchanged
	}
	d.affected.Users = 1
	if p.Role != nil && user.Role == policy.Admin {
		return d.keepAnAdmin()
	}
	return nil
}

// checkGrantable checks that the actor may give the target a role with a limit of
// languages.
func (d *actionTx) checkGrantable(granted policy.Subject) error {
	return d.store.checkGrant(d.actor, granted, policy.UserRole)
}

func (p UserPatch) check(roles *policy.Policy) error {
	wrong := Invalid{}
	if p.DisplayName != nil {
		if params.CheckText("", *p.DisplayName) != nil {
			wrong["display_name"] = "This name holds bytes that are not text (NUL or broken UTF-8)."
		}
	}
	if p.Notes != nil {
		if corpus.TooLongFor(*p.Notes, corpus.MaxNotes) {
			wrong["notes"] = "Notes have at most 10,000 characters."
		} else if params.CheckText("", *p.Notes) != nil {
			wrong["notes"] = "These notes hold bytes that are not text (NUL or broken UTF-8)."
		}
	}
	if p.Role != nil && !roles.KnownRole(*p.Role) {
		wrong["role"] = "There is no such role; it is one of " + strings.Join(roles.Names(), ", ") + "."
	}
	if p == (UserPatch{NeedVersion: p.NeedVersion}) {
		wrong["display_name"] = "Give at least one value to change."
	}
	if len(wrong) > 0 {
		return wrong
	}
	return nil
}

func trimmed(text *string) *string {
	if text == nil {
		return nil
	}
	t := strings.TrimSpace(*text)
	return &t
}
