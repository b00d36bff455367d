package admin

import (
	"github.com/gofiber/fiber/v2"

	"treewarden/markup"
	"treewarden/store"
)

// homePage is what needs the person now.
type homePage struct {
	Layout
	store.Home
}

func (p homePage) api() any { return p.Home }

// MayUndo says whether an action's line has an undo button.
func (p homePage) MayUndo(a store.Action) bool {
	return a.Undoable && a.UndoneBy == nil && mayUndo(p.Person, a)
}

// Warnings tells for what a text stays hidden from this person at first.
func (p homePage) Warnings(m store.Message) []contentWarning {
	if !p.Person.BlurToxic {
		return nil
	}
	return contentWarnings(m)
}

// Excerpt is the beginning of a text.
func (p homePage) Excerpt(m store.Message) string { return markup.Excerpt(m.Text, tableExcerpt) }

// Tag is a message's language for a lang attribute.
func (p homePage) Tag(m store.Message) string { return langTag(m.Lang) }

func (s *Server) home(c *fiber.Ctx) error {
	home, err := s.store.Home(c.UserContext(), s.actor(c))
	if err != nil {
		return err
	}
	return s.render(c, "home", homePage{s.layout(c, "Home"), home})
}
