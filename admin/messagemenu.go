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
			reacted := slices.ContainsFunc(mine, func(g store.Reaction) bool {
				return g.Emoji == r.Emoji &&
					g.UserID == t.person.UserID
			})
			menu.Reactions = append(menu.Reactions, menuReaction{r, reacted})
		}
	}
	for _, group := range []menuGroup{{false, t.acts(m, true)}, {true, look(m)}, {false, t.acts(m, false)}} {
		if len(group.Items) > 0 {
			menu.Groups = append(menu.Groups, group)
		}
	}
	return menu
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

// acts are the items of the actions that the person may do and that the message's
// state leaves to be done: those that contributors do too, or those of moderators.
func (t messagePresenter) acts(m store.Message, personal bool) []menuItem {
	var items []menuItem
	for _, kind := range store.Kinds {
		target, ok := t.aim(kind, m)
		if !ok || kind.Personal != personal || !t.may[kind.Permission] {
			continue
		}
		for _, entry := range kind.Menu {
			if entry.Shows != nil && !entry.Shows(m) {
				continue
			}
			item := menuItem{
				Text: entry.Text, Icon: entry.Icon, Key: entry.Key, Dialog: true, Danger: kind.Destructive,
				Href: ActPath(kind.Target, target, kind.Path, t.back),
			}
			if entry.Query != "" {
				item.Href += "&" + entry.Query
			}
			items = append(items, item)
		}
	}
	return items
}

// aim is what an action of a message's menu aims at: the message, its tree or its
// author. ok is false where the person may not act on that author.
func (t messagePresenter) aim(kind store.Kind, m store.Message) (target uuid.UUID, ok bool) {
	switch kind.Target {
	case "message":
		return m.MessageID, true
	case "tree":
		return m.TreeID, true
	}
	if m.UserID == nil || !t.mayActOnAuthor(m) {
		return target, false
	}
	return *m.UserID, true
}

// mayActOnAuthor says whether no rank rule keeps the person from acting on the
// message's author.
func (t messagePresenter) mayActOnAuthor(m store.Message) bool {
	return m.UserID != nil && m.AuthorRole != nil &&
		policy.MayActOn(t.person.Role, *m.AuthorRole, t.person.UserID == *m.UserID) == nil
}

// mayBan says whether the person may ban the message's author now.
func (t messagePresenter) mayBan(m store.Message) bool {
	return t.may[policy.UserBan] && m.AuthorStatus != nil && *m.AuthorStatus == store.Active && t.mayActOnAuthor(m)
}
