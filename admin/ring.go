package admin

import (
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/markup"
	"treewarden/scoring"
	"treewarden/store/rings"
)

const ringMinutes = int(scoring.RingWithin / time.Minute)

// ringLine is a rater who votes against the same messages as another one.
type ringLine struct {
	rings.Partner
	Name  string
	Link  string
	First namedLink // the other one
	// Messages are the newest of the shared ones; empty beside a case.
	Messages []ringMessage
}

// namedLink is a link to a user's feedback.
type namedLink struct{ Name, Link string }

// ringMessage is a message that both voted against.
type ringMessage struct {
	Link     string
	Excerpt  string
	Tag      string
	Warnings []contentWarning // why the text is hidden
}

// Within returns the number of minutes within which two votes count as given together.
func (*raterView) Within() int { return ringMinutes }

// RingTargets returns the least number of common targets of users who are named.
func (*raterView) RingTargets() int { return scoring.RingTargets }

// RingRatio returns the least ratio of these to the expected number.
func (*raterView) RingRatio() int { return scoring.RingRatio }

// RingLimit returns the number of votes that are looked at.
func (*raterView) RingLimit() int { return rings.Limit }

// Within returns the number of minutes within which two votes count as given together.
func (ringLine) Within() int { return ringMinutes }

// ByChance writes the expected number of shared targets. It is never "0", because every
// pair would be infinitely far beyond that.
func (l ringLine) ByChance() string {
	if l.Expected < 0.05 {
		return "fewer than 0.1"
	}
	return fixed(l.Expected, 1)
}

// Left returns the number of shared targets that Messages leaves out.
func (l ringLine) Left() int { return l.Shared - len(l.Messages) }

func raterLink(id uuid.UUID) string { return "/users/" + id.String() + "?tab=given#h-rater" }

func ringLineOf(p rings.Partner) ringLine {
	return ringLine{Partner: p, Name: named(p.Name, p.UserID), Link: raterLink(p.UserID)}
}

// ringLines returns the partners of a rater with the messages that they share.
func (s *Server) ringLines(c *fiber.Ctx, partners []rings.Partner) ([]ringLine, error) {
	var ids []uuid.UUID
	for _, p := range partners {
		ids = append(ids, p.Targets...)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	messages, err := s.store.MessagesNamed(c.UserContext(), s.actor(c), ids)
	if err != nil {
		return nil, err
	}
	lines := make([]ringLine, len(partners))
	for i, p := range partners {
		lines[i] = ringLineOf(p)
		for _, id := range p.Targets {
			m := messages[id]
			lines[i].Messages = append(lines[i].Messages, ringMessage{"/messages/" + id.String(),
				markup.Excerpt(m.Text, evidenceExcerpt), langTag(m.Lang), hiddenFrom(s.person(c), m)})
		}
	}
	return lines, nil
}

// pairLines returns the lines of pairs beside a case.
func pairLines(pairs []rings.Pair) (lines []ringLine) {
	for _, p := range pairs {
		line := ringLineOf(p.With)
		line.First = namedLink{named(p.Name, p.UserID), raterLink(p.UserID)}
		lines = append(lines, line)
	}
	return lines
}
