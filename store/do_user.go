package store

import (
	"fmt"
	"strings"
	"treewarden/policy"
	"treewarden/store/counters"
	"treewarden/store/db"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

func doBan(d *actionTx) error {
	if err := d.checkBan(); err != nil {
		return err
	}
	user, err := d.lockUser(d.act.Target)
	if err != nil {
		return err
	}
	switch {
	case user.Status == Banned:
		return d.withLatest(&Conflict{Why: user.DisplayName + " is banned already.", Version: user.Version})
	case user.Status == Erased:
		return &Conflict{Why: "This user was erased: nobody can sign in as them.", Version: user.Version}
	}
	if err := d.checkVersion(user.Version); err != nil {
		return err
	}
	d.author = &user.UserID
	if err := d.lockForBan(user); err != nil {
		return err
	}
	if err := d.watchFeedback(user.UserID); err != nil {
		return err
	}
	if _, err := d.change(banAspect, "chosen AS (SELECT $2::uuid AS id)",
		"banned_at = $3, banned_until = $4, ban_reason = $5, banned_by = $6, ban_action = $1",
		user.UserID, d.at, d.act.Until, strings.TrimSpace(d.act.Reason), d.actor.id()); err != nil {
		return err
	}
	d.affected.Users = 1
	if user.Role == policy.Admin {
		if err := d.keepAnAdmin(); err != nil {
			return err
		}
	}
	if d.act.Messages == "delete" {
		found, err := d.findSubtrees("m.user_id = $1", user.UserID)
		if err != nil {
			return err
		}
		if err := d.delete(found); err != nil {
			return err
		}
	}
	if d.act.Trees == "halt" {
		return d.haltTrees(user.UserID)
	}
	return nil
}

func (d *actionTx) checkBan() error {
	wrong := Invalid{}
	if d.act.Until != nil && !d.act.Until.After(d.at) {
		wrong["until"] = "The end of a ban lies in the future; leave it empty to ban for good."
	}
	if d.act.Until != nil && d.act.Until.After(d.at.AddDate(100, 0, 0)) {
		wrong["until"] = "That is more than 100 years away; leave it empty to ban for good."
	}
	if db.OneOf("", d.act.Messages, "", "keep", "delete") != nil {
		wrong["messages"] = "Choose keep or delete."
	}
	if db.OneOf("", d.act.Trees, "", "keep", "halt") != nil {
		wrong["trees"] = "Choose keep or halt."
	}
	if len(wrong) > 0 {
		return wrong
	}
	return nil
}

// lockForBan locks the trees in which the ban changes anything: all where the
// user wrote, if what they wrote goes, so that nothing of it comes back meanwhile.
func (d *actionTx) lockForBan(user User) error {
	where := []string{feedbackTreesSQL("$1")}
	if d.act.Messages == "delete" {
		where = append(where, "SELECT tree_id FROM messages WHERE user_id = $1")
	}
	if d.act.Trees == "halt" {
		where = append(where, "SELECT tree_id FROM trees WHERE user_id = $1")
	}
	return d.lockTrees(strings.Join(where, " UNION ALL "), user.UserID)
}

// feedbackTreesSQL names the trees in which users gave labels, reactions or reports: what
// they gave stops counting with their ban.
func feedbackTreesSQL(users string) string {
	return fmt.Sprintf(`SELECT tree_id FROM label_votes WHERE user_id IN (%[1]s) UNION ALL SELECT tree_id FROM reactions WHERE user_id IN (%[1]s)
		UNION ALL SELECT tree_id FROM reports WHERE user_id IN (%[1]s)`, users)
}

// lockTrees locks the trees that a query names, in the order of their ids. A
// preview changes nothing in them, and lets others go on.
func (d *actionTx) lockTrees(query string, args ...any) error {
	if d.act.Preview {
		return nil
	}
	_, err := d.exec("SELECT FROM trees WHERE tree_id IN ("+query+") ORDER BY tree_id FOR UPDATE", args...)
	return err
}

// watchFeedback has the counters follow what a user gave, who is locked, as are the
// trees of it.
func (d *actionTx) watchFeedback(user uuid.UUID) error {
	if d.act.Preview {
		return nil
	}
	return d.update.WatchSubset(d.ctx, d.Tx, counters.FeedbackSubset, user)
}

func doUnban(d *actionTx) error {
	user, err := d.lockUser(d.act.Target)
	if err != nil {
		return err
	}
	// A ban that has run out is still to be taken off by the program itself.
	if user.Status != Banned && d.actor.Via != System.Via {
		return d.withLatest(&Conflict{Why: user.DisplayName + " is not banned.", Version: user.Version})
	}
	if err := d.checkVersion(user.Version); err != nil {
		return err
	}
	d.affected.Users = 1
	if err := d.lockTrees(feedbackTreesSQL("$1"), user.UserID); err != nil {
		return err
	}
	if err := d.watchFeedback(user.UserID); err != nil {
		return err
	}
	_, err = d.change(banAspect, "chosen AS (SELECT $2::uuid AS id)",
		"banned_at = NULL, banned_until = NULL, ban_reason = NULL, banned_by = NULL, ban_action = NULL", user.UserID)
	return err
}

// roleOnly says whether a patch changes the role and nothing else.
func (p UserPatch) roleOnly() bool {
	return p.Role != nil && p.DisplayName == nil && p.Notes == nil && p.ShowOnLeaderboard == nil
}

func doUpdateUser(d *actionTx) error {
	p := d.act.Patch
	if err := p.check(); err != nil {
		return err
	}
	user, err := d.lockUser(d.act.Target)
	if err != nil {
		return err
	}
	// A form sends the name along with what it changes, and some people have
	// one that nobody would be given.
	if p.DisplayName != nil && *p.DisplayName != user.DisplayName && !visible(*p.DisplayName) {
		return Invalid{"display_name": "A display name holds at least one visible character."}
	}
	if err := d.checkVersion(user.Version); err != nil {
		return err
	}
	if p.Role != nil && *p.Role != user.Role {
		if err := d.checkGrantable(*p.Role); err != nil {
			return err
		}
	}
	var changed int64
	for _, field := range []struct {
		aspect aspect
		set    string
		value  any
		given  bool
	}{
		{nameAspect, "display_name = $3", trimmed(p.DisplayName), p.DisplayName != nil && *p.DisplayName != user.DisplayName},
		{notesAspect, "notes = $3", p.Notes, p.Notes != nil},
		{leaderboardAspect, "show_on_leaderboard = $3", p.ShowOnLeaderboard, p.ShowOnLeaderboard != nil},
		{roleAspect, "role = $3", p.Role, p.Role != nil},
	} {
		if !field.given {
			continue
		}
		n, err := d.change(field.aspect, "chosen AS (SELECT $2::uuid AS id)", field.set, user.UserID, field.value)
		if err != nil {
			return err
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

// checkGrantable checks that the actor may give a role away.
func (d *actionTx) checkGrantable(role string) error {
	if err := need(d.actor, policy.UserRole); err != nil {
		return err
	}
	if d.actor.trusted() {
		return nil
	}
	if err := d.actor.Policy.MayGrant(d.actor.Role, role); err != nil {
		return &Forbidden{Why: err.Error()}
	}
	return nil
}

func (p UserPatch) check() error {
	wrong := Invalid{}
	if p.DisplayName != nil {
		switch {
		case utf8.RuneCountInString(strings.TrimSpace(*p.DisplayName)) > 256:
			wrong["display_name"] = "A display name has at most 256 characters."
		case checkText("", *p.DisplayName) != nil:
			wrong["display_name"] = "This name holds bytes that are not text (NUL or broken UTF-8)."
		}
	}
	if p.Notes != nil {
		switch {
		case utf8.RuneCountInString(*p.Notes) > 10_000:
			wrong["notes"] = "Notes have at most 10,000 characters."
		case checkText("", *p.Notes) != nil:
			wrong["notes"] = "These notes hold bytes that are not text (NUL or broken UTF-8)."
		}
	}
	if p.Role != nil && !policy.KnownRole(*p.Role) {
		wrong["role"] = "There is no such role; it is one of " + strings.Join(policy.Roles, ", ") + "."
	}
	if p == (UserPatch{}) {
		wrong["display_name"] = "Nothing to change was given."
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

// visible says whether a text has a character that leaves ink.
func visible(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		const blankBraille = 0x2800
		return unicode.IsGraphic(r) && !unicode.IsSpace(r) && r != blankBraille &&
			!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
	})
}
