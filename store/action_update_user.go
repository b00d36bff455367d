package store

import (
	"strings"

	"treewarden/corpus"
	"treewarden/policy"
	"treewarden/store/accounts"
	"treewarden/store/db"
)

func init() {
	register(Kind{
		Name: "update_user", Target: "user", Place: 90, Title: "Change user", Button: "Save", Past: "Changed",
		Permission: policy.UserEdit, Undoable: true,
		aspects: []aspect{nameAspect, notesAspect, leaderboardAspect, roleAspect},
	}, updateUser)
}

func updateUser(d *actionTx, p UserPatch) error {
	if err := p.Check(d.actor.Policy); err != nil {
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

func trimmed(text *string) *string {
	if text == nil {
		return nil
	}
	t := strings.TrimSpace(*text)
	return &t
}
