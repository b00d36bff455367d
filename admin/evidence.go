package admin

import (
	"net/url"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/markup"
	"treewarden/scoring"
	"treewarden/store"
)

// The limits of the evidence for a signal: the number of messages, and the
// length of each excerpt in characters.
const (
	shownEvidence   = 3
	evidenceExcerpt = 80
)

// evidence is a message that caused a signal.
type evidence struct {
	store.Message
	Excerpt  string
	Beside   string // what people or a classifier said of it
	Quoted   bool   // Beside is a reason in a person's words
	Warnings []contentWarning
}

// Tag returns the message's language for a lang attribute.
func (e evidence) Tag() string { return langTag(e.Lang) }

// addEvidence adds excerpts of the newest messages behind each signal.
func (s *Server) addEvidence(c *fiber.Ctx, sheet *scoreSheet) error {
	var ids []uuid.UUID
	newest := func(signal scoring.Signal) []uuid.UUID {
		all := sheet.Score.Evidence[signal]
		return all[:min(len(all), shownEvidence)]
	}
	for _, line := range sheet.Lines {
		ids = append(ids, newest(line.Signal)...)
	}
	if len(ids) == 0 {
		return nil
	}
	messages, err := s.store.MessagesNamed(c.UserContext(), s.actor(c), ids)
	if err != nil {
		return err
	}
	reasons, err := s.store.ReportReasons(c.UserContext(), s.actor(c), ids)
	if err != nil {
		return err
	}
	for i, line := range sheet.Lines {
		for _, id := range newest(line.Signal) {
			m, ok := messages[id]
			if !ok {
				continue // removed since
			}
			e := evidence{Message: m, Excerpt: markup.Excerpt(m.Text, evidenceExcerpt),
				Beside: beside(line.Signal, m, sheet.Score.Rule)}
			if reason := reasons[id]; line.Signal == scoring.RedFlags && reason != "" {
				e.Beside, e.Quoted = excerpt(reason, evidenceExcerpt), true
			}
			if !revealed(c) {
				e.Warnings = hiddenFrom(s.person(c), m)
			}
			sheet.Lines[i].Evidence = append(sheet.Lines[i].Evidence, e)
		}
	}
	return nil
}

// signalPath returns the address that lists the messages of a user behind a
// signal.
func signalPath(user uuid.UUID, signal scoring.Signal, window scoring.Window, formula string) string {
	return "/users/" + user.String() + "?signal=" + string(signal) + "&frame=" + string(window) +
		"&formula=" + url.QueryEscape(formula) + "#messages"
}

// beside returns what people or a classifier said of a message that caused a
// signal. It is empty if the signal's name says it all.
func beside(signal scoring.Signal, m store.Message, rule scoring.ToxicityRule) string {
	emoji := map[scoring.Signal]string{
		scoring.RedFlags: "red_flag", scoring.Upvotes: "+1", scoring.Downvotes: "-1",
	}[signal]
	for _, r := range reactions {
		if r.Emoji == emoji && m.Emojis[emoji] > 0 {
			return r.Symbol + " " + number(m.Emojis[emoji])
		}
	}
	for _, label := range scoring.Labels {
		if l := m.Labels[label.Name]; label.Signal == signal && l.Value != nil {
			return label.Title + " " + percent(*l.Value) + " of " + number(l.Count)
		}
	}
	if signal == scoring.ToxicMessages {
		var highest [scoring.NumUses]contentWarning
		uses := rule.Uses()
		for _, score := range toxicities(m) {
			if use := uses(score.By); use != scoring.Ignored && score.Share >= highest[use].Share {
				highest[use] = score
			}
		}
		for _, score := range highest {
			if score.By != "" {
				return score.Name + " " + percent(score.Share) + " (" + score.Model() + ")"
			}
		}
	}
	return ""
}
