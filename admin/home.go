package admin

import (
	"github.com/gofiber/fiber/v2"

	"treewarden/markup"
	"treewarden/store"
)

// homePage is the start page: the work that waits for the person.
type homePage struct {
	Layout
	store.Home
	Limited *Limited
}

func (p homePage) api() any { return p.Home }

// MayUndo reports whether an action's line has an undo button.
func (p homePage) MayUndo(a store.Action) bool {
	return a.Undoable && a.UndoneBy == nil && mayUndo(p.Person, a)
}

// Warnings returns the scores for which a text is hidden from this person at
// first.
func (p homePage) Warnings(m store.Message) []contentWarning {
	if !p.Person.BlurToxic {
		return nil
	}
	return contentWarnings(m)
}

// Excerpt returns the beginning of a text.
func (p homePage) Excerpt(m store.Message) string { return markup.Excerpt(m.Text, tableExcerpt) }

// Tag returns a message's language for a lang attribute.
func (p homePage) Tag(m store.Message) string { return langTag(m.Lang) }

func (s *Server) home(c *fiber.Ctx) error {
	lang := defaultLanguage(c, c.Query("lang"))
	_, within := languageFilter(s.actor(c), lang)
	home, err := s.store.Home(c.UserContext(), s.actor(c), within)
	if err != nil {
		return err
	}
	p := homePage{Layout: s.layout(c, "Home"), Home: home}
	p.Limited = p.limited(lang)
	return s.render(c, "home", p)
}
