package tables

import "github.com/google/uuid"

// The statuses of a user.
const (
	Active = "active"
	Banned = "banned"
	Erased = "erased"
)

// userBanned is true for a user u whose ban is in force; userStatus is their
// status.
const (
	userBannedSQL = `(u.banned_at IS NOT NULL AND (u.banned_until IS NULL OR u.banned_until > now()))`
	UserStatusSQL = `CASE WHEN u.erased_at IS NOT NULL THEN 'erased' WHEN ` + userBannedSQL +
		` THEN 'banned' ELSE 'active' END`
)

// TreeStates are the states of a tree, in the order of a tree's life.
var TreeStates = []string{
	"initial_prompt_review", "prompt_lottery_waiting", "growing", "ranking", "ready_for_scoring", "ready_for_export",
	"scoring_failed", "aborted_low_grade", "halted_by_moderator", "backlog_ranking",
}

// The states that actions speak of.
const (
	Halted   = "halted_by_moderator"
	Growing  = "growing"
	InReview = "initial_prompt_review"
)

// SpamState is the state of trees whose prompt was found to be spam.
const SpamState = "aborted_low_grade"

// Emojis are the reactions that people may give.
var Emojis = []string{"+1", "-1", "red_flag", "100", "rofl", "clap", "diamond", "heart_eyes", "disappointed", "poop",
	"skull"}

// MaxText is the length in characters up to which a text can be edited.
const MaxText = 20_000

func SameID(a, b *uuid.UUID) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}
