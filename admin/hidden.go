package admin

import (
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/store"
)

// hiddenFrom returns the scores for which a person sees a message's text only
// after opening it. It returns nil if the text is shown. It decides for all
// pages, wherever words of a message stand: in full, as an excerpt, in a
// sentence about an action, in a title.
func hiddenFrom(person store.Person, m store.Message) []contentWarning {
	if !person.BlurToxic {
		return nil
	}
	return contentWarnings(m)
}

// hiddenWords writes the warnings of a hidden text for a sentence.
func hiddenWords(warnings []contentWarning) string {
	words := make([]string, len(warnings))
	for i, w := range warnings {
		words[i] = w.Name + " " + percent(w.Share)
	}
	return "(hidden: " + strings.Join(words, ", ") + ")"
}

// quotedFor returns a message's first words for a sentence, or its author and
// the warnings if its text is hidden from the person.
func quotedFor(person store.Person, m store.Message, words string) string {
	if warnings := hiddenFrom(person, m); warnings != nil {
		return "by " + authorName(m) + " " + hiddenWords(warnings)
	}
	return "“" + excerpt(words, 60) + "”"
}

// quote sets what pages show of the targets of actions. Without it, a sentence
// about an action on a message has no words of the message.
func (s *Server) quote(c *fiber.Ctx, actions ...*store.Action) error {
	if isAPI(c) {
		return nil
	}
	targets := make(map[uuid.UUID][]*store.Action)
	for _, a := range actions {
		if a.TargetType != "message" && a.TargetType != "tree" {
			continue
		}
		if id, err := uuid.Parse(a.TargetID); err == nil {
			targets[id] = append(targets[id], a)
		}
	}
	messages, err := s.messagesOf(c, targets)
	for id, m := range messages {
		for _, a := range targets[id] {
			a.Quote = quotedFor(s.person(c), m, a.TargetLabel)
		}
	}
	return err
}

// messagesOf reads the messages that are the keys of a map. A tree's id is its
// prompt's.
func (s *Server) messagesOf(c *fiber.Ctx, named map[uuid.UUID][]*store.Action) (map[uuid.UUID]store.Message, error) {
	if len(named) == 0 {
		return nil, nil
	}
	ids := make([]uuid.UUID, 0, len(named))
	for id := range named {
		ids = append(ids, id)
	}
	return s.store.MessagesNamed(c.UserContext(), s.actor(c), ids)
}

// quoteAll is quote for a list of actions.
func (s *Server) quoteAll(c *fiber.Ctx, actions []store.Action) error {
	all := make([]*store.Action, len(actions))
	for i := range actions {
		all[i] = &actions[i]
	}
	return s.quote(c, all...)
}
