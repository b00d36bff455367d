// Package tables holds what several packages know of the schema: the columns of
// labels, the statuses of users, the states of trees, the models of classifiers.
package tables

import "github.com/google/uuid"

// The statuses of a user.
const (
	Active = "active"
	Banned = "banned"
	Erased = "erased"
)

// UserBannedSQL is true for a user u with a ban in force. UserStatusSQL is the
// user's status.
const (
	UserBannedSQL = `(u.banned_at IS NOT NULL AND (u.banned_until IS NULL OR u.banned_until > now()))`
	UserStatusSQL = `CASE WHEN u.erased_at IS NOT NULL THEN 'erased' WHEN ` + UserBannedSQL +
		` THEN 'banned' ELSE 'active' END`
	// CanSignInSQL is true for a user u who can sign in, if their role lets them: by a
	// password or a link. Somebody who is signed in can set a password.
	CanSignInSQL = `(u.account AND ` + UserStatusSQL + ` = 'active' AND (u.password_hash IS NOT NULL
		OR EXISTS (SELECT FROM sign_in_links l WHERE l.user_id = u.user_id AND l.expires_at > now())
		OR EXISTS (SELECT FROM sessions s WHERE s.user_id = u.user_id AND ` + SessionOpenSQL + `)))`
	// SessionOpenSQL is true for a session s that is open.
	SessionOpenSQL = "s.expires_at > now() AND s.last_seen_at > now() - interval '12 hours'"
)

// TreeStates are the states of a tree, in the order of a tree's life.
var TreeStates = []string{
	"initial_prompt_review", "prompt_lottery_waiting", "growing", "ranking", "ready_for_scoring", "ready_for_export",
	"scoring_failed", "aborted_low_grade", "halted_by_moderator", "backlog_ranking",
}

// The states that actions use.
const (
	Halted   = "halted_by_moderator"
	Growing  = "growing"
	InReview = "initial_prompt_review"
)

// SpamState is the state of trees with a prompt that is spam.
const SpamState = "aborted_low_grade"

// Emojis are the reactions that users can add.
var Emojis = []string{
	"+1", "-1", "red_flag", "100", "rofl", "clap", "diamond", "heart_eyes", "disappointed", "poop", "skull",
}

func SameID(a, b *uuid.UUID) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// NumberSQL is the number by which people know the action with an id. The id is
// taken when an action begins, and is lost if it is refused; the number is its place
// in the log, without gaps.
func NumberSQL(id string) string { return "(SELECT n.seq FROM actions n WHERE n.id = " + id + ")" }
