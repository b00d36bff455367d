package admin

import (
	"github.com/gofiber/fiber/v2"

	"treewarden/markup"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/messages"
)

// homePage is the start page: the work that waits for the person.
type homePage struct {
	Layout
	store.Home
	Limited *Limited
}

func (p homePage) api() any { return nil } // it has no address there

// MayWork reports whether the person decides cases of the queue.
func (p homePage) MayWork() bool { return p.Person.May(policy.QueueWork) }

// MayUndo reports whether an action's line has an undo button.
func (p homePage) MayUndo(a store.Action) bool {
	return a.Undoable && a.UndoneBy == nil && mayUndo(p.Person, a)
}

// Warnings returns the scores for which a text is hidden from this person.
func (p homePage) Warnings(m store.Message) []contentWarning { return hiddenFrom(p.Person, m) }

// Author returns the name of an author of reported messages.
func (p homePage) Author(a messages.ReportedAuthor) string {
	if a.UserID == nil {
		return "Unknown author"
	}
	return named(a.Name, a.UserID)
}

// Total counts the open reports in words.
func (p homePage) Total() string {
	o := p.OpenReports
	words := counted(o.Reports, "report") + " on " + counted(o.Messages, "message")
	if o.Contributors > 0 {
		words += " of " + counted(o.Contributors, "contributor")
	}
	if o.More {
		return "The newest " + words
	}
	return words
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
	if err := s.quoteAll(c, home.MyActions); err != nil {
		return err
	}
	p := homePage{Layout: s.layout(c, "Home"), Home: home}
	p.Limited = p.limited(lang)
	return s.render(c, "home", p)
}
