package admin

import (
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
)

// messageMenu holds what a person can do with a message.
type messageMenu struct {
	ID        uuid.UUID
	Back      string         // where acts return to
	Reactions []menuReaction // empty if the person may not react
	Groups    []menuGroup
}

// menuLink leads from a message to the page of its menu. Scripts show the menu in
// place.
type menuLink struct {
	Name string // the author's name, for screen readers
	Href string
	Keys string // the keys of the menu's items, each one character
}

// menuPage is the menu of a message as a page, and as the part of a page that
// scripts ask for.
type menuPage struct {
	Layout
	Message store.MessageDetail
	Menu    messageMenu
	Line    found // the message as a row of a table shows it
}

func (p menuPage) api() any { return nil }

// messageMenu shows what the person can do with a message. Acts return to the
// message's place on the page that the query names.
func (s *Server) messageMenu(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var q struct {
		Return string `form:"return"`
	}
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	var p menuPage
	if p.Message, err = s.store.Message(c.UserContext(), s.actor(c), id); err != nil {
		return err
	}
	p.Layout = s.layout(c, "Actions on a message")
	t := newPresenter(p.Person, localPath(q.Return, "/messages/"+id.String()))
	t.back = t.placeOf(id)
	p.Menu, p.Line = t.menu(p.Message.Message, p.Message.Reactions), t.found(p.Message.Message)
	if isPartial(c) {
		return s.render(c, "partials/messagemenu", p)
	}
	return s.render(c, "messagemenu", p)
}

// placeOf returns the address of a message's row on the page that acts return
// to.
func (t messagePresenter) placeOf(id uuid.UUID) string {
	if strings.Contains(t.back, "#") {
		return t.back
	}
	return t.back + "#m-" + id.String()
}

// menuLink returns the link to a message's menu.
func (t messagePresenter) menuLink(m store.Message) menuLink {
	link := menuLink{Name: authorName(m), Href: ActPath("message", m.MessageID, "menu", t.back)}
	for _, group := range t.menu(m, nil).Groups {
		for _, item := range group.Items {
			link.Keys += item.Key
		}
	}
	return link
}

// menuGroup is a group of items in a menu.
type menuGroup struct {
	Look  bool // the items change nothing
	Items []menuItem
}

// menuReaction is a button that adds a reaction, or removes the person's own.
type menuReaction struct {
	reactionCount
	Mine bool
}

// menuItem is a link or, if a Copy field is set, a button that copies.
type menuItem struct {
	Text, Icon, Href string
	Key              string // the key of the item for the selected message
	Dialog           bool
	NewTab           bool
	Danger           bool
	Copy             string // copied as it is
	CopyLink         string // copied as a whole address
	CopyText         string // address of the message whose text is copied
}

// menu returns a message's menu: the items that the person's permissions and
// the message's state allow. mine holds the reactions to the message, if known.
func (t messagePresenter) menu(m store.Message, mine []store.Reaction) messageMenu {
	menu := messageMenu{ID: m.MessageID, Back: t.back}
	if t.may[policy.MessageReact] {
		for _, r := range reactions[:3] {
			reacted := slices.ContainsFunc(mine, func(g store.Reaction) bool {
				return g.Emoji == r.Emoji && g.UserID == t.person.UserID
			})
			menu.Reactions = append(menu.Reactions, menuReaction{r, reacted})
		}
	}
	acts := t.acts(m, false)
	if t.may[policy.ListEdit] {
		query := url.Values{"message": {m.MessageID.String()}, "return": {t.back}}
		acts = slices.Insert(acts, 0, menuItem{Text: "Add to list…", Icon: "list", Key: "l", Dialog: true,
			Href: choosePath + "?" + query.Encode()})
	}
	for _, group := range []menuGroup{{false, t.acts(m, true)}, {true, look(m)}, {false, acts}} {
		if len(group.Items) > 0 {
			menu.Groups = append(menu.Groups, group)
		}
	}
	return menu
}

// look returns the items that change nothing.
func look(m store.Message) []menuItem {
	self := "/messages/" + m.MessageID.String()
	items := []menuItem{
		{Text: "Open in new tab", Icon: "open", Href: self, NewTab: true},
		{Text: "Copy message link", Icon: "link", CopyLink: self},
		{Text: "Copy raw message", Icon: "copy", CopyText: apiPrefix + self},
		{Text: "Copy message id", Icon: "copy", Copy: m.MessageID.String()},
		{Text: "Open message", Icon: "message", Href: self},
		{Text: "View tree", Icon: "tree", Href: "/trees/" + m.TreeID.String() + "#m-" + m.MessageID.String()},
	}
	if m.UserID != nil {
		items = append(items, menuItem{Text: "View user", Icon: "user", Href: "/users/" + m.UserID.String()})
	}
	items = append(items, menuItem{Text: "Raw JSON", Icon: "board", Href: apiPrefix + self, NewTab: true})
	return items
}

// acts returns the items of the actions that the person's permissions and the
// message's state allow: either the actions that contributors have too, or
// those of moderators.
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

// aim returns the target of an action in a message's menu: the message, its
// tree or its author. ok is false if the person may not act on that author.
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

// mayActOnAuthor reports whether the rank rules allow the person to act on the
// message's author.
func (t messagePresenter) mayActOnAuthor(m store.Message) bool {
	return m.UserID != nil && m.AuthorRole != nil &&
		t.person.Policy.MayActOn(t.person.Role, *m.AuthorRole, t.person.UserID == *m.UserID) == nil
}

// mayBan reports whether the person may ban the message's author now.
func (t messagePresenter) mayBan(m store.Message) bool {
	return t.may[policy.UserBan] && m.AuthorStatus != nil && *m.AuthorStatus == store.Active && t.mayActOnAuthor(m)
}
