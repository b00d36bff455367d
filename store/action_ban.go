package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/cases"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/events"
	"treewarden/store/params"
	"treewarden/store/users"
)

func init() {
	register(Kind{
		Name: "ban", Target: "user", Path: "ban", Place: 80, Title: "Ban user", Button: "Ban", Past: "Banned",
		Permission: policy.UserBan, Undoable: true, Previewable: true, NeedsReason: true, Destructive: true,
		Fields: "ban",
		Effect: effectOfBan,
		Menu: []MenuEntry{{
			Text: "Ban author…", Icon: "ban", Key: "b",
			Shows: func(m Message) bool { return m.AuthorStatus != nil && *m.AuthorStatus == Active },
		}},
		aspects: []aspect{banAspect, deletionAspect, stateAspect, caseAspect{}},
	}, ban)
	register(Kind{
		Name: "unban", Target: "user", Path: "unban", Place: 85, Title: "Unban user", Button: "Unban", Past: "Unbanned",
		Permission: policy.UserBan, Undoable: true, Previewable: true, NeedsReason: true,
		WhyNot: "The ban ended by itself on its date.", Fields: "unban",
		Effect: always("The user can contribute again. Signals that they gave count again. " +
			"Messages that the ban deleted stay deleted unless you choose otherwise here."),
		aspects: []aspect{banAspect, deletionAspect},
	}, unban)
}

// effectOfBan says of a banned user that the ban in force is replaced.
func effectOfBan(on Concerned) string {
	if on.User != nil && on.User.Status == Banned {
		return "This user is banned already. Your reason and end replace the current ones. An undo " +
			"brings the current ones back. Their messages do not change unless you choose so here."
	}
	return "The user can no longer contribute. Signals that they gave no longer count. " +
		"Their messages stay unless you choose otherwise here."
}

func ban(d *actionTx, p BanParams) error {
	if err := p.Check(d.at); err != nil {
		return err
	}
	user, err := d.lockUser(d.act.Target)
	if err != nil {
		return err
	}
	if user.Status == Erased {
		return &Conflict{Why: "This user was erased: nobody can sign in as them.", Version: user.Version}
	}
	if err := d.checkVersion(user.Version); err != nil {
		return err
	}
	d.author = &user.UserID
	if err := d.lockForBan(user, p.Messages, p.Trees, p.CloseCases); err != nil {
		return err
	}
	if err := d.setBan(user, p.Until); err != nil {
		return err
	}
	if err := d.sweep(user, p.Messages, p.Trees); err != nil {
		return err
	}
	return d.closeCases(p.Close, cases.Ban, "c.user_id = $4 AND c.tree_id = ANY ($5)", user.UserID,
		db.IDArray(d.lockedTrees))
}

// setBan bans a user, whose trees with feedback are locked.
func (d *actionTx) setBan(user User, until *time.Time) error {
	// A ban over a ban replaces its terms; the user stays banned since the first.
	since := d.at
	if user.Ban != nil && user.Status == Banned {
		since = user.Ban.Since
	}
	if err := d.writeBans([]uuid.UUID{user.UserID}, since, until); err != nil {
		return err
	}
	if user.Role == policy.Admin {
		return d.keepAnAdmin()
	}
	return nil
}

// writeBans bans users, who are locked as are the trees with their feedback.
func (d *actionTx) writeBans(banned []uuid.UUID, since time.Time, until *time.Time) error {
	if err := d.watchFeedback(banned...); err != nil {
		return err
	}
	d.affected.Users = int64(len(banned))
	return db.InParts(len(banned), d.act.Progress, func(from, to int) error {
		_, err := d.change(banAspect, "chosen AS (SELECT unnest($2::uuid[]) AS id)",
			"banned_at = $3, banned_until = $4, ban_reason = $5, banned_by = $6, ban_action = $1",
			db.IDArray(banned[from:to]), since, until, strings.TrimSpace(d.act.Reason), d.actor.id())
		return err
	})
}

// sweep deletes all messages of a user, and halts their trees, if a ban asks for it.
func (d *actionTx) sweep(user User, messages, trees string) error {
	if messages == "delete" {
		condition, args := d.inLockedTrees("m.tree_id", "m.user_id = $1", user.UserID)
		found, err := d.findSubtrees("messages m WHERE "+condition, args...)
		if err != nil {
			return err
		}
		if err := d.delete(found); err != nil {
			return err
		}
	}
	if trees == "halt" {
		return d.haltTrees(d.inLockedTrees("tree_id", "user_id = $1 AND "+notHalted, user.UserID))
	}
	return nil
}

// lockForBan locks the trees that the ban changes. If the user's messages are
// deleted, it locks all trees with such messages, so that no message returns in
// the meantime. If cases are closed, it locks the trees of all open ones of the user.
func (d *actionTx) lockForBan(user User, messages, trees string, closeCases bool) error {
	where := []string{users.FeedbackTreesSQL("$1")}
	if closeCases {
		where = append(where, "SELECT tree_id FROM cases WHERE user_id = $1 AND status = 'open'")
	}
	if messages == "delete" {
		where = append(where, "SELECT tree_id FROM messages WHERE user_id = $1")
	}
	if trees == "halt" {
		where = append(where, "SELECT tree_id FROM trees WHERE user_id = $1")
	}
	return d.lockTrees(strings.Join(where, " UNION ALL "), user.UserID)
}

// lockTrees locks the trees that a query returns, in the order of their ids, and
// adds them to lockedTrees. A preview locks nothing.
func (d *actionTx) lockTrees(query string, args ...any) error {
	if d.act.Preview {
		return nil
	}
	locked, err := d.ids("SELECT tree_id FROM trees WHERE tree_id IN ("+query+") ORDER BY tree_id FOR UPDATE", args...)
	d.lockedTrees = append(d.lockedTrees, locked...)
	return err
}

// inLockedTrees restricts a condition to the trees that lockTrees locked. An
// import may have added other trees since. Locking them now would break the lock
// order, and their messages were imported after the ban.
func (d *actionTx) inLockedTrees(column, condition string, args ...any) (string, []any) {
	if d.act.Preview {
		return condition, args
	}
	args = append(args, db.IDArray(d.lockedTrees))
	return fmt.Sprintf("%s AND %s = ANY ($%d)", condition, column, len(args)), args
}

// watchFeedback makes the counters follow the feedback of users. The users and the
// trees of the feedback are locked.
func (d *actionTx) watchFeedback(users ...uuid.UUID) error {
	if d.act.Preview {
		return nil
	}
	return d.update.WatchSubset(d.Ctx, d.Conn, counters.FeedbackSubset, db.IDArray(users))
}

func unban(d *actionTx, p UnbanParams) error {
	if wrong := params.OneOf("messages", p.Messages, "keep", "restore"); wrong != nil {
		return wrong
	}
	user, err := d.lockUser(d.act.Target)
	if err != nil {
		return err
	}
	// System may also remove a ban that has expired.
	if user.Status != Banned && d.actor.Via != System.Via {
		return d.withLatest(&Conflict{Why: user.DisplayName + " is not banned.", Version: user.Version})
	}
	if err := d.checkVersion(user.Version); err != nil {
		return err
	}
	d.affected.Users, d.author = 1, &user.UserID
	touched := users.FeedbackTreesSQL("$1")
	if p.Messages == "restore" {
		touched += " UNION ALL SELECT tree_id FROM (" + events.DeletedSQL(users.BansSQL) + ") d"
	}
	if err := d.lockTrees(touched, user.UserID); err != nil {
		return err
	}
	if err := d.watchFeedback(user.UserID); err != nil {
		return err
	}
	if p.Messages == "restore" {
		condition, args := d.inLockedTrees("tree_id", "deleted AND deleted_action IN ("+users.BansSQL+
			") AND (tree_id, message_id) IN ("+events.DeletedSQL(users.BansSQL)+")", user.UserID)
		found, err := d.find("SELECT tree_id, message_id, user_id, parent_id FROM messages WHERE "+condition, args...)
		if err != nil {
			return err
		}
		if err := d.refuseBelowDeleted(found, true); err != nil {
			return err
		}
		if err := d.undelete(found); err != nil {
			return err
		}
	}
	_, err = d.change(banAspect, "chosen AS (SELECT $2::uuid AS id)",
		"banned_at = NULL, banned_until = NULL, ban_reason = NULL, banned_by = NULL, ban_action = NULL", user.UserID)
	return err
}

// EndExpiredBans removes up to 1000 expired bans, each by an action of System,
// and returns their number. An expired ban has no effect even before
// EndExpiredBans runs.
func (s *Store) EndExpiredBans(ctx context.Context) (int, error) {
	expired, err := users.BansExpired(ctx, s.pool, 1000)
	if err != nil {
		return 0, err
	}
	for i, user := range expired {
		if err := s.endBan(ctx, user); err != nil {
			return i, err
		}
	}
	return len(expired), nil
}

func (s *Store) endBan(ctx context.Context, user uuid.UUID) error {
	kind, _ := KindNamed("unban")
	kind.Undoable = false // an undo would put the ban into the past
	act := Act{Kind: kind.Name, Target: user, Reason: "The ban ended on its date."}
	_, err := s.perform(ctx, System, act, kind, func(d *actionTx) error {
		var due bool
		if err := d.QueryRow(d.Ctx, `SELECT banned_at IS NOT NULL AND banned_until <= now()
			FROM users WHERE user_id = $1 FOR NO KEY UPDATE`, user).Scan(&due); err != nil {
			return err
		}
		if !due {
			return errUnchanged // another instance ended the ban
		}
		return unban(d, UnbanParams{})
	})
	return err
}
