package admin

import (
	"slices"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
)

// messageMenu is what can be done with a message.
type messageMenu struct {
	ID        uuid.UUID
	Name      string // whose message, for those who do not see where the menu stands
	Back      string
	Icons     bool           // left out where a page has many menus
	Reactions []menuReaction // none: may not react
	Groups    []menuGroup
}

// menuGroup are items that belong together.
type menuGroup struct {
	Look  bool // they change nothing
	Items []menuItem
}

// menuReaction gives a reaction, or takes the person's own back.
type menuReaction struct {
	reactionCount
	Mine bool
}

// menuItem is a link or, with one of the Copy fields, a button that copies.
type menuItem struct {
	Text, Icon, Href string
	Key              string // does it for the message that is selected
	Dialog           bool
	NewTab           bool
	Danger           bool
	Copy             string // copied as it is
	CopyLink         string // copied as a whole address
	CopyText         string // address of the message whose text is copied
}

// menu makes a message's menu: only what the person may do, and what the
// message's state leaves to be done. mine are the reactions to it, where they
// are known.
func (t messagePresenter) menu(m store.Message, mine []store.Reaction) messageMenu {
	menu := messageMenu{ID: m.MessageID, Name: authorName(m), Back: t.back, Icons: t.icons}
	if t.may[policy.MessageReact] {
		for _, r := range reactions[:3] {
			given := slices.ContainsFunc(mine, func(g store.Reaction) bool { return g.Emoji == r.Emoji && g.UserID == t.person.UserID })
			menu.Reactions = append(menu.Reactions, menuReaction{r, given})
		}
	}
	for _, group := range []menuGroup{{false, t.judge(m)}, {true, look(m)}, {false, t.moderate(m)}} {
		if len(group.Items) > 0 {
			menu.Groups = append(menu.Groups, group)
		}
	}
	return menu
}

// judge are the items that everybody in a data collection has.
func (t messagePresenter) judge(m store.Message) []menuItem {
	var items []menuItem
	if t.may[policy.MessageLabel] {
		items = append(items, menuItem{Text: "Label…", Icon: "label", Href: ActPath("message", m.MessageID, "labels", t.back), Dialog: true})
	}
	if t.may[policy.MessageReport] {
		items = append(items, menuItem{Text: "Report…", Icon: "flag", Href: ActPath("message", m.MessageID, "report", t.back), Dialog: true})
	}
	return items
}

// look are the items that change nothing.
func look(m store.Message) []menuItem {
	self := "/messages/" + m.MessageID.String()
	items := []menuItem{
		{Text: "Open in new tab", Icon: "open", Href: self, NewTab: true},
		{Text: "Copy message link", Icon: "link", CopyLink: self},
		{Text: "Copy raw message", Icon: "copy", CopyText: apiPrefix + self},
		{Text: "Copy message ID", Icon: "copy", Copy: m.MessageID.String()},
		{Text: "View in admin area", Icon: "message", Href: self},
		{Text: "View tree", Icon: "tree", Href: "/trees/" + m.TreeID.String() + "#m-" + m.MessageID.String()},
	}
	if m.UserID != nil {
		items = append(items, menuItem{Text: "View user", Icon: "user", Href: "/users/" + m.UserID.String()})
	}
	items = append(items, menuItem{Text: "Raw JSON", Icon: "board", Href: apiPrefix + self, NewTab: true})
	return items
}

// moderate are the items that decide about a message, its tree and its author.
func (t messagePresenter) moderate(m store.Message) []menuItem {
	var items []menuItem
	add := func(permission policy.Permission, item menuItem) {
		if item.Dialog = true; t.may[permission] {
			items = append(items, item)
		}
	}
	path := func(verb string) string { return ActPath("message", m.MessageID, verb, t.back) }
	if m.ReviewResult == nil || *m.ReviewResult {
		add(policy.MessageReview, menuItem{Text: "Mark as spam…", Icon: "spam", Key: "s", Href: path("review") + "&result=rejected"})
	}
	if m.ReviewResult == nil || !*m.ReviewResult {
		add(policy.MessageReview, menuItem{Text: "Not spam…", Icon: "check", Key: "n", Href: path("review") + "&result=accepted"})
	}
	add(policy.MessageEdit, menuItem{Text: "Edit…", Icon: "edit", Href: path("edit")})
	if m.Deleted {
		add(policy.MessageDelete, menuItem{Text: "Undelete…", Icon: "undo", Href: path("undelete")})
	} else {
		add(policy.MessageDelete, menuItem{Text: "Delete…", Icon: "trash", Key: "d", Danger: true, Href: path("delete")})
	}
	if m.TreeState == haltedState {
		add(policy.TreeHalt, menuItem{Text: "Restart tree…", Icon: "resume", Href: ActPath("tree", m.TreeID, "resume", t.back)})
	} else {
		add(policy.TreeHalt, menuItem{Text: "Stop tree…", Icon: "halt", Key: "h", Danger: true, Href: ActPath("tree", m.TreeID, "halt", t.back)})
	}
	if t.mayBan(m) {
		add(policy.UserBan, menuItem{Text: "Ban author…", Icon: "ban", Key: "b", Danger: true, Href: ActPath("user", *m.UserID, "ban", t.back)})
	}
	return items
}

// mayBan says whether the person may ban the message's author now.
func (t messagePresenter) mayBan(m store.Message) bool {
	return t.may[policy.UserBan] && m.UserID != nil && m.AuthorRole != nil && m.AuthorStatus != nil && *m.AuthorStatus == store.Active &&
		policy.MayActOn(t.person.Role, *m.AuthorRole, t.person.UserID == *m.UserID) == nil
}
