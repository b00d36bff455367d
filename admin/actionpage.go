package admin

import (
	"fmt"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/markup"
	"treewarden/store"
	"treewarden/store/audit"
)

// actionPage is one action with what it touched and what it changed.
type actionPage struct {
	Layout
	Action  store.Action
	Kind    store.Kind
	MayUndo bool

	Changed, Same []change
	// Hidden are the scores for which the message's text is hidden.
	Hidden   []contentWarning
	Messages []touchedMessage
	Total    int64 // of the messages that it touched
	Trees    []touchedTree
	Users    []touchedUser
	Left     int64 // trees and users that are not shown
	Pager    Pager
}

func (p actionPage) api() any { return p.Action }

// On returns the name of the action's target, or its quotation.
func (p actionPage) On() string {
	switch p.Action.TargetType {
	case "message", "tree":
		return joined("the "+p.Action.TargetType, p.Action.Quote)
	}
	return undirected(p.Action.TargetLabel)
}

// touchedMessage is a message that an action touched, as it is now.
type touchedMessage struct {
	ID       uuid.UUID
	Known    bool
	Tag      string
	Excerpt  string
	Warnings []contentWarning
	Author   string
	UserID   *uuid.UUID
	ByOther  bool // not by the author whom the action was about
	Deleted  bool
}

// touchedTree is a tree that an action touched, as it is now.
type touchedTree struct {
	ID       uuid.UUID
	Excerpt  string
	Warnings []contentWarning
	State    string
}

// touchedUser is a user that an action touched.
type touchedUser struct {
	ID   uuid.UUID
	Name string
}

// touchedOnPage is the number of messages on a page of those that an action touched.
const touchedOnPage = 50

// action shows one action. The API answers with its entry in the log.
func (s *Server) action(c *fiber.Ctx) error {
	if isAPI(c) {
		action, err := s.readAction(c)
		if err != nil {
			return err
		}
		return s.render(c, "action", actionPage{Action: action})
	}
	id, target, err := actionAsked(c)
	if err != nil {
		return err
	}
	var q pageQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	page := q.page()
	if page.Limit == 0 {
		page.Limit = touchedOnPage
	}
	d, err := s.store.ActionDetail(c.UserContext(), s.actor(c), id, target, page)
	if err != nil {
		return err
	}
	if err := s.quote(c, &d.Action); err != nil {
		return err
	}
	p := actionPage{Layout: s.layout(c, fmt.Sprintf("Action %d", d.ID)), Action: d.Action}
	p.Kind, _ = store.KindNamed(d.Kind)
	p.MayUndo = d.Undoable && d.UndoneBy == nil && mayUndo(p.Person, d.Action)
	p.Changed, p.Same = inWords(d, s.store.Policy())
	if err := s.showTouched(c, &p, d); err != nil {
		return err
	}
	for i, item := range p.Nav {
		p.Nav[i].Current = item.Path == "/audit"
	}
	return s.render(c, "action", p)
}

// showTouched reads the objects that an action touched, as they are now.
func (s *Server) showTouched(c *fiber.Ctx, p *actionPage, d audit.Detail) error {
	ids := append(append([]uuid.UUID(nil), d.Messages.Items...), d.Trees.Items...)
	about, _ := uuid.Parse(d.TargetID)
	if d.TargetType == "message" {
		ids = append(ids, about)
	}
	found, err := s.store.MessagesNamed(c.UserContext(), s.actor(c), ids)
	if err != nil {
		return err
	}
	var author *uuid.UUID
	switch d.TargetType {
	case "user":
		author = &about
	case "message":
		target := found[about]
		author, p.Hidden = target.UserID, hiddenFrom(p.Person, target)
	}
	for _, id := range d.Messages.Items {
		p.Messages = append(p.Messages, showMessage(p.Person, id, found, author))
	}
	for _, id := range d.Trees.Items {
		m := found[id]
		t := touchedTree{ID: id, Warnings: hiddenFrom(p.Person, m), State: stateTitle(m.TreeState)}
		if t.Warnings == nil {
			t.Excerpt = markup.Excerpt(m.Text, tableExcerpt)
		}
		p.Trees = append(p.Trees, t)
	}
	for _, id := range d.Users.Items {
		p.Users = append(p.Users, touchedUser{id, named(d.Names[id], id)})
	}
	p.Total = d.Messages.Total
	p.Left = d.Trees.Total + d.Users.Total - int64(len(p.Trees)+len(p.Users))
	p.Pager = p.pager(d.Messages.Prev, d.Messages.Next, "")
	return nil
}

func showMessage(person store.Person, id uuid.UUID, found map[uuid.UUID]store.Message,
	author *uuid.UUID) touchedMessage {
	m, known := found[id]
	t := touchedMessage{ID: id, Known: known}
	if !known {
		return t
	}
	t.Tag, t.Author, t.UserID, t.Deleted = langTag(m.Lang), authorName(m), m.UserID, m.Deleted
	t.ByOther = author != nil && (m.UserID == nil || *m.UserID != *author)
	if t.Warnings = hiddenFrom(person, m); t.Warnings == nil {
		t.Excerpt = markup.Excerpt(m.Text, tableExcerpt)
	}
	return t
}

// Restores names what an undo changes back besides messages and trees: "the notes of
// 1 user".
func (p actPage) Restores() string {
	if p.Undoes == nil || p.Numbers == nil {
		return ""
	}
	fields := changedFields(p.Undoes.Before, p.Undoes.After)
	switch {
	case state(p.Undoes.Before, "ban") != nil || state(p.Undoes.After, "ban") != nil:
		fields = append(fields, "ban")
	case len(fields) == 0:
		return ""
	}
	words := "the " + andList(fields)
	if p.Numbers.Users > 0 {
		words += " of " + counted(p.Numbers.Users, "user")
	}
	return words
}
