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

// revealLink returns the link of a page. shown is what withReveal returned, hides
// reports whether the page hides a text. The link is nil if there is nothing to
// reveal.
func revealLink(query url.Values, shown, hides bool) *reveal {
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
func (f *Layout) withReveal(c *fiber.Ctx) (shown bool) {
	shown = f.Person.BlurToxic && revealed(c)
	f.Person.BlurToxic = f.Person.BlurToxic && !shown
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

// messagesOf returns the messages of a tree, the prompt first.
func messagesOf(prompt *store.Node) []store.Message {
	if prompt == nil {
		return nil
	}
	var all []store.Message
	for open := []*store.Node{prompt}; len(open) > 0; {
		n := open[len(open)-1]
		open = append(open[:len(open)-1], n.Replies...)
		all = append(all, n.Message)
	}
	return all
}
