package policy

import "strings"

// Permission is the name of one thing that a role may do. Routes, actions and the
// matrix of roles use these names; policy.csv grants them.
type Permission string

// The permissions, in the order of the contract's table.
const (
	Read          Permission = "console.read"   // see the trollboard, users, messages, trees, queue
	UserPrivate   Permission = "user.private"   // read e-mail, IP and sign-in data of a user
	UserEdit      Permission = "user.edit"      // display name, notes, show on leaderboard
	UserRole      Permission = "user.role"      // give a user a role
	UserBan       Permission = "user.ban"       // ban, unban
	UserErase     Permission = "user.erase"     // erase a user's texts and personal data
	MessageDelete Permission = "message.delete" // delete, undelete
	MessageEdit   Permission = "message.edit"   // edit a message's text
	MessageReview Permission = "message.review" // mark messages as spam or not spam
	MessageLabel  Permission = "message.label"  // give labels
	MessageReact  Permission = "message.react"  // give reactions
	MessageReport Permission = "message.report" // report a message
	TreeHalt      Permission = "tree.halt"      // halt, resume a tree
	QueueWork     Permission = "queue.work"     // claim and decide cases
	ListRead      Permission = "list.read"      // see lists of messages and audit them
	ListEdit      Permission = "list.edit"      // create lists and fill them
	ListApply     Permission = "list.apply"     // delete what is on a list
	BulkAct       Permission = "bulk.act"       // act on up to 100 messages, users or trees at once
	BulkLarge     Permission = "bulk.large"     // act on more at once
	Export        Permission = "export.create"  // write trees and messages to files
	ScoringRead   Permission = "scoring.read"   // see the scoring weights, try others
	ScoringSave   Permission = "scoring.save"   // put other weights in force
	AuditOwn      Permission = "audit.own"      // own actions, and all on a given target
	AuditAll      Permission = "audit.all"      // every action
	UndoOwn       Permission = "undo.own"       // undo own actions
	UndoAll       Permission = "undo.all"       // undo all actions
	PolicyManage  Permission = "policy.manage"  // change what roles may do
	StaffManage   Permission = "staff.manage"   // accounts that can sign in
	KeyManage     Permission = "key.manage"     // API keys
	Account       Permission = "account.own"    // own password, sessions, display settings
	Ingest        Permission = "ingest.write"   // send users, trees, messages and signals
	EventsRead    Permission = "events.read"    // read the events that front ends must act on
)

// Info describes a permission on pages.
type Info struct {
	Permission Permission
	// Does completes the sentence "may …".
	Does string
}

// All holds all permissions, in the order of the matrix of roles.
var All = []Info{
	{Read, "see the trollboard, users, messages, trees and the queue"},
	{UserPrivate, "see e-mail, IP and sign-in data of a user"},
	{UserEdit, "edit a user's display name, notes and leaderboard setting"},
	{UserRole, "give a user a role"},
	{UserBan, "ban and unban"},
	{UserErase, "erase a user"},
	{MessageDelete, "delete and undelete messages"},
	{MessageEdit, "edit a message"},
	{MessageReview, "mark messages as spam or not spam"},
	{MessageLabel, "label messages"},
	{MessageReact, "react to messages"},
	{MessageReport, "report messages"},
	{TreeHalt, "stop and restart trees"},
	{QueueWork, "work in the queue: open and decide cases"},
	{ListRead, "see lists of messages and audit them"},
	{ListEdit, "create lists of messages and fill them"},
	{ListApply, "delete the messages on a list"},
	{BulkAct, "act on up to 100 messages, users or trees at once"},
	{BulkLarge, "act on more than 100 messages, users or trees at once"},
	{Export, "export trees and messages"},
	{ScoringRead, "see the scoring weights and try others"},
	{ScoringSave, "save scoring weights"},
	{AuditOwn, "see own actions, and all actions on an opened user, message or tree"},
	{AuditAll, "see the whole audit log"},
	{UndoOwn, "undo own actions"},
	{UndoAll, "undo the actions of others"},
	{PolicyManage, "change what roles may do"},
	{StaffManage, "manage staff accounts"},
	{KeyManage, "manage API keys"},
	{Account, "use the account page"},
	{Ingest, "send events of a front end"},
	{EventsRead, "read the events that front ends must act on"},
}

// places holds the place of each permission in All.
var places = func() map[Permission]int {
	all := make(map[Permission]int, len(All))
	for i, info := range All {
		all[info.Permission] = i
	}
	return all
}()

// known reports whether the permission exists.
func (p Permission) known() bool { _, ok := places[p]; return ok }

// HasLanguage reports whether the permission is to act on users, messages or
// trees, which a limit of languages may exclude. Reading is no act. Roles are given
// in all languages: MayGrant checks the ones of the role.
func (p Permission) HasLanguage() bool {
	kind, _, _ := strings.Cut(string(p), ".")
	return kind == "user" && p != UserRole && p != UserPrivate || kind == "message" || kind == "tree" ||
		p == ListApply || p == QueueWork
}

// Does returns words that complete the sentence "may …".
func (p Permission) Does() string {
	if p.known() {
		return All[places[p]].Does
	}
	return string(p)
}
