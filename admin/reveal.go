package admin

import (
	"net/url"

	"github.com/gofiber/fiber/v2"

	"treewarden/store"
)

// revealed reports whether a person asked to see the hidden texts of one page.
func revealed(c *fiber.Ctx) bool { return c.Query("reveal") == "1" }

// reveal is the link that shows all hidden texts of a page, or hides them again.
// With scripts it does so in place.
type reveal struct {
	Link  string
	Shown bool
}

// revealLink returns the link of a page that hides texts from a person. It is
// nil if there is nothing to reveal. A page that shows them on request has a
// person whose texts are not hidden: see withReveal.
func revealLink(query url.Values, shown bool, hides bool) *reveal {
	switch {
	case shown:
		return &reveal{mustQuery(query, "reveal", ""), true}
	case hides:
		return &reveal{Link: mustQuery(query, "reveal", "1")}
	}
	return nil
}

// withReveal shows hidden texts to the person of a page if they asked for it. It
// reports whether the page shows texts that it hides otherwise.
func (l *Layout) withReveal(c *fiber.Ctx) (shown bool) {
	shown = l.Person.BlurToxic && revealed(c)
	l.Person.BlurToxic = l.Person.BlurToxic && !shown
	return shown
}

// hidesAny reports whether one of the messages is hidden from a person at first.
func hidesAny(person store.Person, messages ...[]store.Message) bool {
	for _, list := range messages {
		for _, m := range list {
			if hiddenFrom(person, m) != nil {
				return true
			}
		}
	}
	return false
}
