package admin

import (
	"slices"

	"github.com/gofiber/fiber/v2"

	"treewarden/markup"
	"treewarden/scoring"
	"treewarden/store"
)

// topSignals is the number of signals on the card of a message's author.
const topSignals = 3

// authorCard is what the page of a message shows of its author.
type authorCard struct {
	store.UserBrief
	Name, Status, Role string
	User               string           // the address of the user
	Score              string           // the address of the score
	Top                []authorSignal   // the signals with the most points against them
	Reported           []reportedByLine // the newest open reports on their messages
	Earlier            []actionEntry
}

// authorSignal is a signal against a user.
type authorSignal struct {
	scoring.Part
	Title string
	All   string // the address that lists the messages behind it
}

// reportedByLine is an open report on a user's message.
type reportedByLine struct {
	Path, Reason string
}

// authorCard returns the card of a message's author; nil if no user wrote the
// message.
func (s *Server) authorCard(c *fiber.Ctx, m store.Message) (*authorCard, error) {
	if m.UserID == nil {
		return nil, nil
	}
	formula, err := s.store.FormulaNamed(c.UserContext(), "")
	if err != nil {
		return nil, err
	}
	card := authorCard{Name: authorName(m), Status: orEmpty(m.AuthorStatus), Role: orEmpty(m.AuthorRole),
		User: "/users/" + m.UserID.String()}
	if card.UserBrief, err = s.store.UserBrief(c.UserContext(), s.actor(c), *m.UserID, formula); err != nil {
		return nil, err
	}
	card.Score = card.User + "/score"
	parts := slices.DeleteFunc(slices.Clone(card.Parts), func(p scoring.Part) bool { return p.Points <= 0 })
	slices.SortStableFunc(parts, func(a, b scoring.Part) int {
		switch {
		case a.Points > b.Points:
			return -1
		case a.Points < b.Points:
			return 1
		}
		return 0
	})
	for _, part := range parts[:min(len(parts), topSignals)] {
		card.Top = append(card.Top, authorSignal{part, part.Signal.Title(),
			signalPath(*m.UserID, part.Signal, scoring.Total, formula.Name)})
	}
	for _, r := range card.Reports {
		card.Reported = append(card.Reported, reportedByLine{"/messages/" + r.MessageID.String(),
			markup.Excerpt(r.Reason, evidenceExcerpt)})
	}
	for _, a := range card.Actions {
		card.Earlier = append(card.Earlier, actionEntry{Action: a, Text: onUser(a)})
	}
	return &card, nil
}

// onUser describes an action on a user or on one of their messages. It repeats no
// text of a message, which may be hidden.
func onUser(a store.Action) string {
	kind, known := store.KindNamed(a.Kind)
	text := a.Kind
	if known {
		text = kind.Past
	}
	switch a.TargetType {
	case "message":
		return text + " a message"
	case "tree":
		return text + " a tree"
	}
	return text
}
