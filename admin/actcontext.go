package admin

import (
	"errors"

	"github.com/gofiber/fiber/v2"

	"treewarden/scoring"
	"treewarden/store"
)

// actContext is what the form of an action shows of its target beside the
// fields.
type actContext struct {
	Day, Overall  float64 // the troll scores of a user
	RecentActions []actionEntry
	EarlierBans   int // of a user, undone ones left out
	// ofUser is what a ban that deletes the user's messages would delete. It is nil
	// if they are too many to count for a form.
	ofUser *store.Affected
}

// The limits of what the form of an action shows of its target.
const (
	contextActions  = 3
	contextBans     = 50
	contextMessages = 500 // of a user; the replies below more messages are not counted
)

// Own returns the number of messages that a ban would delete and that the user
// wrote.
func (a actContext) Own() int64 { return a.ofUser.Messages - a.ofUser.OthersMessages }

// Others returns the number of replies by other people that would go with them.
func (a actContext) Others() int64 { return a.ofUser.OthersMessages }

// Counted reports whether the messages of the user were counted.
func (a actContext) Counted() bool { return a.ofUser != nil }

// readContext reads what is known of the action's target.
func (s *Server) readContext(c *fiber.Ctx, p *actPage) error {
	var target string
	switch {
	case p.User != nil:
		target = p.User.UserID.String()
		p.Context.Day, p.Context.Overall = p.User.Scores[scoring.Day], p.User.Scores[scoring.Total]
	case p.Message != nil:
		return nil // its text and its author stand at the top
	case p.Tree != nil:
		target = p.Tree.TreeID.String()
	}
	actor := s.actor(c)
	list, err := s.store.Actions(c.UserContext(), actor,
		store.ActionFilter{Target: target, Page: store.Page{Limit: contextActions}})
	var forbidden *store.Forbidden
	if errors.As(err, &forbidden) {
		return nil // the person may not read the log
	}
	if err != nil {
		return err
	}
	if err := s.quoteAll(c, list.Items); err != nil {
		return err
	}
	for _, a := range list.Items {
		p.Context.RecentActions = append(p.Context.RecentActions, s.entryOf(a, target))
	}
	if p.User == nil {
		return nil
	}
	bans, err := s.store.Actions(c.UserContext(), actor,
		store.ActionFilter{Target: target, Kind: "ban", Page: store.Page{Limit: contextBans}})
	for _, ban := range bans.Items {
		if ban.UndoneBy == nil {
			p.Context.EarlierBans++
		}
	}
	return err
}

// entryOf returns an action as a form shows it: without an undo.
func (s *Server) entryOf(a store.Action, target string) actionEntry {
	entry := actionEntry{Action: a, Text: s.sentence(a)}
	if kind, _ := store.KindNamed(a.Kind); a.Undoes == nil && a.TargetID == target {
		entry.Text = kind.Past
	}
	return entry
}

// countOfUser counts what a ban that deletes the user's messages would delete.
func (s *Server) countOfUser(c *fiber.Ctx, p *actPage, body actBody) error {
	ban, ok := p.Params.(*store.BanParams)
	if !ok || p.User.Stats[scoring.Total].Messages > contextMessages {
		return nil
	}
	if ban.Messages == "delete" && p.Numbers != nil {
		p.Context.ofUser = p.Numbers
		return nil
	}
	outcome, err := s.store.Act(c.UserContext(), s.actor(c),
		body.act(p.Kind, p.User.UserID, store.BanParams{Messages: "delete"}))
	var invalid store.Invalid
	switch {
	case errors.As(err, &invalid):
		return nil
	case err != nil:
		return err
	}
	p.Context.ofUser = &outcome.Affected
	return nil
}

// BanLengths returns the choices of how long a ban lasts.
func (p actPage) BanLengths() []Choice {
	chosen := ""
	if ban, ok := p.Params.(*store.BanParams); ok {
		chosen = ban.For
	}
	return choices(chosen, "day", "1 day", "week", "7 days", "month", "30 days", "", "Permanently", "date", "Until a date")
}
